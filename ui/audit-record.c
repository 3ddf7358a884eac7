#include "ui/audit.h"

#include <string.h>

#include "ui/text.h"

void
ui_audit_record_free(UiAuditRecord *record)
{
  if (!record)
    return;
  char **texts[] = { &record->account,   &record->folder,     &record->from,           &record->address,
                     &record->subject,   &record->signature,  &record->encryption,     &record->indicator,
                     &record->reason,    &record->error,      &record->signer_address, &record->then_signature,
                     &record->then_indicator, &record->then_reason };
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    g_free(*texts[i]);
  g_strfreev(record->trust_errors);
  g_strfreev(record->warnings);
  g_strfreev(record->then_errors);
  g_free(record);
}

UiAuditRecord *
ui_audit_record_new(const char *account, const char *folder, guint32 uid)
{
  UiAuditRecord *record = g_new0(UiAuditRecord, 1);
  record->account = ui_text_json(account);
  record->folder = ui_text_json(folder);
  record->uid = uid;
  record->matches = ML_UNKNOWN;
  return record;
}

static char *
safe(const char *text)
{
  return text ? ui_text_json(text) : NULL;
}

static char **
safe_all(gpointer *texts, guint n)
{
  char **all = g_new0(char *, n + 1);
  for (guint i = 0; i < n; i++)
    all[i] = ui_text_json(texts[i]);
  return all;
}

static gboolean
is_opened(const MlVerdict *verdict)
{
  return verdict->encryption == ML_ENCRYPTION_NONE || verdict->encryption == ML_ENCRYPTION_DECRYPTED ||
         verdict->encryption == ML_ENCRYPTION_LEGACY || verdict->encryption == ML_ENCRYPTION_ERRANT;
}

static void
fill_header(UiAuditRecord *record, const MlMessage *message)
{
  char **authors = ml_message_from_addresses(message);
  const char *from = ml_message_header(message, "From"), *subject = ml_message_header(message, "Subject");
  record->from = safe(from ? from : "");
  record->subject = safe(subject ? subject : "");
  record->address = safe(authors[0] && !authors[1] ? authors[0] : "");
}

void
ui_audit_record_fill(UiAuditRecord *record, MlMessage *message, const MlReadOptions *options)
{
  const MlVerdict *now = ml_message_verdict(message);
  g_autoptr(MlVerdict) then = ml_message_then(message, options);
  gboolean sealed = options->sealed && !is_opened(now);
  fill_header(record, message);
  record->received = options->received;
  record->signature = g_strdup(ml_signature_word(now->signature));
  record->encryption = g_strdup(sealed ? "sealed" : ml_encryption_word(now->encryption));
  record->indicator = g_strdup(ml_indicator_word(now->indicator));
  record->signer_address = safe(now->signer_address);
  record->matches = now->signer_matches_from;
  record->expired_since = now->expired_since;
  record->trust_errors = safe_all((gpointer *)now->trust_errors, g_strv_length(now->trust_errors));
  record->warnings = safe_all(now->warnings->pdata, now->warnings->len);
  record->reason = sealed && now->indicator == ML_INDICATOR_NONE
                       ? g_strdup("Encrypted, and not opened here: nothing shows who sent it.")
                       : safe(now->reason);
  record->until = ml_message_until(message, options);
  if (!then)
    return;
  record->then_signature = g_strdup(ml_signature_word(then->signature));
  record->then_indicator = g_strdup(ml_indicator_word(then->indicator));
  record->then_errors = safe_all((gpointer *)then->trust_errors, g_strv_length(then->trust_errors));
  record->then_reason = sealed && now->indicator == ML_INDICATOR_NONE ? g_strdup(record->reason) : safe(then->reason);
}

UiAuditKind
ui_audit_kind(const UiAuditRecord *record)
{
  if (record->error)
    return UI_AUDIT_UNREADABLE;
  for (guint kind = UI_AUDIT_GOOD; kind <= UI_AUDIT_BAD; kind++)
    if (!strcmp(record->indicator, ml_indicator_word((MlIndicator)kind)))
      return (UiAuditKind)kind;
  static const char *const opened[] = { "none", "decrypted", "legacy-warned", "not-displayed-as-encrypted", NULL };
  return g_strv_contains(opened, record->encryption) ? UI_AUDIT_UNSIGNED : UI_AUDIT_ENCRYPTED;
}

/* --- as JSON, for scripts and for the file */

static void
add_strings(JsonBuilder *json, const char *name, char **texts)
{
  ui_json_strings(json, name, (const char *const *)texts);
}

static void
add_now(JsonBuilder *json, const UiAuditRecord *record)
{
  if (record->error) {
    ui_json_null(json, "now");
    return;
  }
  ui_json_object(json, "now");
  ui_json_string(json, "signature", record->signature);
  ui_json_string(json, "encryption", record->encryption);
  ui_json_string(json, "indicator", record->indicator);
  ui_json_string(json, "signer_address", record->signer_address);
  if (record->matches == ML_UNKNOWN)
    ui_json_null(json, "signer_matches_from");
  else
    ui_json_bool(json, "signer_matches_from", record->matches == ML_YES);
  ui_json_bool(json, "expired_since", record->expired_since);
  add_strings(json, "trust_errors", record->trust_errors);
  ui_json_string(json, "reason", record->reason);
  add_strings(json, "warnings", record->warnings);
  json_builder_end_object(json);
}

static void
add_then(JsonBuilder *json, const UiAuditRecord *record)
{
  if (!record->then_indicator) {
    ui_json_null(json, "then");
    return;
  }
  ui_json_object(json, "then");
  ui_json_string(json, "signature", record->then_signature);
  ui_json_string(json, "indicator", record->then_indicator);
  add_strings(json, "trust_errors", record->then_errors);
  ui_json_string(json, "reason", record->then_reason);
  json_builder_end_object(json);
}

void
ui_audit_record_json(const UiAuditRecord *record, JsonBuilder *json, gboolean state)
{
  ui_json_string(json, "account", record->account);
  ui_json_string(json, "folder", record->folder);
  ui_json_int(json, "uid", record->uid);
  ui_json_time(json, "received", record->received);
  ui_json_time(json, "date", record->date);
  ui_json_string(json, "from", record->from ? record->from : "");
  ui_json_string(json, "from_address", record->address ? record->address : "");
  ui_json_string(json, "subject", record->subject ? record->subject : "");
  add_then(json, record);
  add_now(json, record);
  ui_json_string(json, "error", record->error);
  if (state)
    ui_json_int(json, "until", record->until);
}

/* --- read again: our own file, and yet nothing of it is taken for granted */

static const char *
text_of(JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;
  return node && json_node_get_value_type(node) == G_TYPE_STRING ? json_node_get_string(node) : NULL;
}

static gint64
number_of(JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;
  return node && json_node_get_value_type(node) == G_TYPE_INT64 ? json_node_get_int(node) : -1;
}

static gboolean
is_true(JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;
  return node && json_node_get_value_type(node) == G_TYPE_BOOLEAN && json_node_get_boolean(node);
}

static JsonObject *
object_of(JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;
  return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static char **
texts_of(JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;
  JsonArray *array = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
  GPtrArray *texts = g_ptr_array_new();
  for (guint i = 0; array && i < json_array_get_length(array); i++) {
    JsonNode *one = json_array_get_element(array, i);
    if (json_node_get_value_type(one) == G_TYPE_STRING)
      g_ptr_array_add(texts, g_strdup(json_node_get_string(one)));
  }
  g_ptr_array_add(texts, NULL);
  return (char **)g_ptr_array_free(texts, FALSE);
}

static gint64
time_of(JsonObject *object, const char *name)
{
  const char *text = text_of(object, name);
  gint64 time = text ? ui_cli_parse_time(text) : 0;
  return MAX(time, 0);
}

static gboolean
read_now(UiAuditRecord *record, JsonObject *now)
{
  record->signature = g_strdup(text_of(now, "signature"));
  record->encryption = g_strdup(text_of(now, "encryption"));
  record->indicator = g_strdup(text_of(now, "indicator"));
  record->signer_address = g_strdup(text_of(now, "signer_address"));
  JsonNode *matches = json_object_get_member(now, "signer_matches_from");
  if (matches && json_node_get_value_type(matches) == G_TYPE_BOOLEAN)
    record->matches = json_node_get_boolean(matches) ? ML_YES : ML_NO;
  record->expired_since = is_true(now, "expired_since");
  record->trust_errors = texts_of(now, "trust_errors");
  record->warnings = texts_of(now, "warnings");
  record->reason = g_strdup(text_of(now, "reason"));
  return record->signature && record->encryption && record->indicator && record->reason;
}

static gboolean
read_then(UiAuditRecord *record, JsonObject *then)
{
  record->then_signature = g_strdup(text_of(then, "signature"));
  record->then_indicator = g_strdup(text_of(then, "indicator"));
  record->then_reason = g_strdup(text_of(then, "reason"));
  record->then_errors = texts_of(then, "trust_errors");
  return record->then_signature && record->then_indicator && record->then_reason;
}

UiAuditRecord *
ui_audit_record_parse(const char *line)
{
  g_autoptr(JsonParser) parser = json_parser_new();
  if (!json_parser_load_from_data(parser, line, -1, NULL) || !json_parser_get_root(parser) ||
      !JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
    return NULL;
  JsonObject *object = json_node_get_object(json_parser_get_root(parser));
  const char *account = text_of(object, "account"), *folder = text_of(object, "folder");
  gint64 uid = number_of(object, "uid"), until = number_of(object, "until");
  if (!account || !folder || uid < 1 || uid > G_MAXUINT32 || until < 0)
    return NULL;
  g_autoptr(UiAuditRecord) record = ui_audit_record_new(account, folder, (guint32)uid);
  record->until = until;
  record->received = time_of(object, "received");
  record->date = time_of(object, "date");
  record->from = g_strdup(text_of(object, "from"));
  record->address = g_strdup(text_of(object, "from_address"));
  record->subject = g_strdup(text_of(object, "subject"));
  record->error = g_strdup(text_of(object, "error"));
  JsonObject *now = object_of(object, "now"), *then = object_of(object, "then");
  if (!record->from || !record->address || !record->subject || (!now && !record->error) ||
      (now && !read_now(record, now)) || (then && !read_then(record, then)))
    return NULL;
  return g_steal_pointer(&record);
}
