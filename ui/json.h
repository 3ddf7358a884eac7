#ifndef UI_JSON_H
#define UI_JSON_H

#include <json-glib/json-glib.h>

/* JSON for scripts: one object a line, `"schema": 1` in each. Every string passes ui_text_json() here. Main thread. */
JsonBuilder *ui_json_new(void); /* begun, with its schema */
void ui_json_print(JsonBuilder *builder); /* ends the object, writes the line to stdout, frees the builder */

void ui_json_string(JsonBuilder *builder, const char *name, const char *value); /* NULL: null */
void ui_json_strings(JsonBuilder *builder, const char *name, const char *const *values); /* NULL: [] */
void ui_json_int(JsonBuilder *builder, const char *name, gint64 value);
void ui_json_bool(JsonBuilder *builder, const char *name, gboolean value);
void ui_json_null(JsonBuilder *builder, const char *name);
void ui_json_time(JsonBuilder *builder, const char *name, gint64 unix_time); /* RFC 3339 UTC; 0: null */

/* Nested: end each with json_builder_end_object() or json_builder_end_array(). */
void ui_json_object(JsonBuilder *builder, const char *name); /* name NULL: an element of an array */
void ui_json_array(JsonBuilder *builder, const char *name);

#endif
