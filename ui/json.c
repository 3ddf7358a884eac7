#include "ui/json.h"

#include <stdio.h>

#include "ui/text.h"

JsonBuilder *
ui_json_new(void)
{
  JsonBuilder *builder = json_builder_new();

  json_builder_begin_object(builder);
  ui_json_int(builder, "schema", 1);
  return builder;
}

void
ui_json_print(JsonBuilder *builder)
{
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *line = json_to_string(root, FALSE);
  puts(line);
  g_object_unref(builder);
}

void
ui_json_null(JsonBuilder *builder, const char *name)
{
  json_builder_set_member_name(builder, name);
  json_builder_add_null_value(builder);
}

void
ui_json_string(JsonBuilder *builder, const char *name, const char *value)
{
  if (!value) {
    ui_json_null(builder, name);
    return;
  }
  g_autofree char *safe = ui_text_json(value);
  json_builder_set_member_name(builder, name);
  json_builder_add_string_value(builder, safe);
}

void
ui_json_strings(JsonBuilder *builder, const char *name, const char *const *values)
{
  ui_json_array(builder, name);
  for (; values && *values; values++) {
    g_autofree char *safe = ui_text_json(*values);
    json_builder_add_string_value(builder, safe);
  }
  json_builder_end_array(builder);
}

void
ui_json_int(JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name(builder, name);
  json_builder_add_int_value(builder, value);
}

void
ui_json_bool(JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name(builder, name);
  json_builder_add_boolean_value(builder, value);
}

void
ui_json_time(JsonBuilder *builder, const char *name, gint64 unix_time)
{
  g_autoptr(GDateTime) time = unix_time ? g_date_time_new_from_unix_utc(unix_time) : NULL;
  g_autofree char *text = time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ") : NULL;

  ui_json_string(builder, name, text);
}

void
ui_json_object(JsonBuilder *builder, const char *name)
{
  if (name)
    json_builder_set_member_name(builder, name);
  json_builder_begin_object(builder);
}

void
ui_json_array(JsonBuilder *builder, const char *name)
{
  if (name)
    json_builder_set_member_name(builder, name);
  json_builder_begin_array(builder);
}
