#include "mail/draft-private.h"

#include <string.h>

/* The form that a person edits: header lines, an empty line, the text. */
enum { FORM_LIMIT = ML_DRAFT_TEXT + 4 * ML_DRAFT_FIELD, FOLD = 76 };

/* Long lists go on in lines that begin with a blank, broken behind commas. */
static void
add_line(GString *out, const char *name, const char *value)
{
  g_autofree char *line = ml_draft_one_line(value ? value : "");
  g_string_append_printf(out, "%s:%s", name, *line ? " " : "");
  gsize column = strlen(name) + 2;
  for (const char *item = line; *item;) {
    const char *comma = strchr(item, ',');
    const char *end = comma && comma[1] == ' ' && comma[2] != ' ' ? comma + 2
                      : comma                                     ? comma + 1
                                                                  : item + strlen(item);
    gsize length = (gsize)(end - item);
    if (item > line && item[-1] == ' ' && column + length > FOLD) {
      g_string_truncate(out, out->len - 1);
      g_string_append(out, "\n ");
      column = 1;
    }
    g_string_append_len(out, item, (gssize)length);
    column += length;
    item = end;
  }
  g_string_append_c(out, '\n');
}

char *
ml_draft_to_text(const MlDraft *draft)
{
  GString *out = g_string_new(NULL);
  add_line(out, "From", draft->from);
  add_line(out, "To", draft->to);
  add_line(out, "Cc", draft->cc);
  add_line(out, "Bcc", draft->bcc);
  add_line(out, "Subject", draft->subject);
  if (draft->reply_to && *draft->reply_to)
    add_line(out, "Reply-To", draft->reply_to);
  if (draft->in_reply_to && *draft->in_reply_to)
    add_line(out, "In-Reply-To", draft->in_reply_to);
  for (guint i = 0; i < draft->more->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(draft->more, i);
    add_line(out, header->name, header->value);
  }
  g_string_append_c(out, '\n');
  if (draft->text)
    g_string_append(out, draft->text);
  return g_string_free(out, FALSE);
}

/* What was read of a form; nothing of the draft changes before all of it was. */
typedef struct {
  GPtrArray *fields; /* of MlDraftHeader */
  const char *text;
} Form;

static gboolean
fail(GError **error, guint line, const char *words)
{
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "Line %u %s", line, words);
  return FALSE;
}

static gboolean
check_form(const char *text, GError **error)
{
  gsize length = strlen(text);
  if (length > FORM_LIMIT) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                        "The text is longer than 16 MiB. Attach it as a file.");
    return FALSE;
  }
  const char *bad = NULL;
  if (g_utf8_validate(text, (gssize)length, &bad))
    return TRUE;
  guint line = 1;
  for (const char *c = text; c < bad; c++)
    line += *c == '\n';
  return fail(error, line, "is not UTF-8. Let the editor save the file as UTF-8.");
}

static gboolean
known(const char *name)
{
  static const char *const names[] = { "From",    "To",       "Cc",          "Bcc",
                                       "Subject", "Reply-To", "In-Reply-To", "References" };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    if (g_ascii_strcasecmp(name, names[i]) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
take_field(Form *form, const char *line, guint number, GError **error)
{
  const char *colon = strchr(line, ':');
  g_autofree char *name = colon ? g_strchomp(g_strndup(line, (gsize)(colon - line))) : NULL;
  if (!name || !ml_draft_field_name_ok(name))
    return fail(error, number,
                "is no header line. Write \"Name: value\", and an empty line before the text.");
  if (!known(name) && ml_draft_field_reserved(name)) {
    g_autofree char *words = g_strdup_printf("sets %s, which signet writes itself. Take the line out.", name);
    return fail(error, number, words);
  }
  if (form->fields->len >= ML_DRAFT_MORE)
    return fail(error, number, "is one header line too many. Put an empty line before the text.");
  for (guint i = 0; known(name) && i < form->fields->len; i++) {
    const MlDraftHeader *before = g_ptr_array_index(form->fields, i);
    if (g_ascii_strcasecmp(before->name, name) == 0) {
      g_autofree char *words = g_strdup_printf("gives %s a second time. Put both into one line.", name);
      return fail(error, number, words);
    }
  }
  g_autofree char *value = g_strstrip(g_strdup(colon + 1));
  g_ptr_array_add(form->fields, ml_draft_header_new(name, value));
  return TRUE;
}

static gboolean
go_on(Form *form, const char *line, guint number, GError **error)
{
  if (!form->fields->len)
    return fail(error, number, "begins with a blank, but there is no header line that it could go on.");
  MlDraftHeader *last = g_ptr_array_index(form->fields, form->fields->len - 1);
  g_autofree char *rest = g_strstrip(g_strdup(line));
  if (strlen(last->value) + strlen(rest) > ML_DRAFT_FIELD)
    return fail(error, number, "makes its header field longer than 1 MiB.");
  char *joined = g_strconcat(last->value, *last->value && *rest ? " " : "", rest, NULL);
  g_free(last->value);
  last->value = joined;
  return TRUE;
}

static gboolean
read_form(Form *form, const char *text, GError **error)
{
  guint number = 0;
  for (const char *at = text; *at;) {
    const char *end = strchrnul(at, '\n');
    g_autofree char *line = g_strndup(at, (gsize)(end - at));
    number++;
    at = *end ? end + 1 : end;
    if (!*line) {
      form->text = at;
      return TRUE;
    }
    for (const char *c = line; *c; c++)
      if (((guchar)*c < 32 && *c != '\t') || *c == 127)
        return fail(error, number, "holds a control character. Take it out.");
    if (*line == ' ' || *line == '\t' ? !go_on(form, line, number, error)
                                      : !take_field(form, line, number, error))
      return FALSE;
  }
  form->text = "";
  return TRUE;
}

static void
set(char **field, const char *value)
{
  g_free(*field);
  *field = g_strdup(value);
}

static const char *
value_of(const Form *form, const char *name)
{
  for (guint i = 0; i < form->fields->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(form->fields, i);
    if (g_ascii_strcasecmp(header->name, name) == 0)
      return header->value;
  }
  return NULL;
}

/* A field that was taken out is empty; without In-Reply-To the message begins a thread of its own. */
static void
apply(MlDraft *draft, const Form *form)
{
  const char *from = value_of(form, "From"), *reply_to = value_of(form, "Reply-To");
  const char *in_reply_to = value_of(form, "In-Reply-To"), *references = value_of(form, "References");
  if (from)
    set(&draft->from, from);
  set(&draft->to, value_of(form, "To") ? value_of(form, "To") : "");
  set(&draft->cc, value_of(form, "Cc") ? value_of(form, "Cc") : "");
  set(&draft->bcc, value_of(form, "Bcc") ? value_of(form, "Bcc") : "");
  set(&draft->subject, value_of(form, "Subject") ? value_of(form, "Subject") : "");
  set(&draft->reply_to, reply_to && *reply_to ? reply_to : NULL);
  in_reply_to = in_reply_to && *in_reply_to ? in_reply_to : NULL;
  if (references)
    set(&draft->references, *references ? references : NULL);
  else if (g_strcmp0(in_reply_to, draft->in_reply_to) != 0)
    set(&draft->references, in_reply_to);
  set(&draft->in_reply_to, in_reply_to);
  g_ptr_array_set_size(draft->more, 0);
  for (guint i = 0; i < form->fields->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(form->fields, i);
    if (!known(header->name))
      g_ptr_array_add(draft->more, ml_draft_header_new(header->name, header->value));
  }
  set(&draft->text, form->text);
}

gboolean
ml_draft_from_text(MlDraft *draft, const char *text, GError **error)
{
  if (!check_form(text, error))
    return FALSE;
  if (g_str_has_prefix(text, "\xef\xbb\xbf"))
    text += 3;
  g_autofree char *unix_text = NULL;
  if (strstr(text, "\r\n")) {
    g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);
    unix_text = g_strjoinv("\n", lines);
    text = unix_text;
  }
  g_autoptr(GPtrArray) fields = ml_draft_headers_new();
  Form form = { .fields = fields };
  if (!read_form(&form, text, error))
    return FALSE;
  apply(draft, &form);
  return TRUE;
}
