#include "mail/draft-private.h"

#include <string.h>

#include "mail/headers-private.h"
#include "mail/headers-write-private.h"

static gboolean
is_named(const char *name, const char *const *names)
{
  for (; *names; names++)
    if (g_ascii_strcasecmp(name, *names) == 0)
      return TRUE;
  return FALSE;
}

static char *
unfolded(const char *value)
{
  g_auto(GStrv) lines = g_strsplit(value, "\r\n", -1);
  return g_strjoinv("", lines);
}

static const char *const people_fields[] = { "From", "To", "Cc", "Reply-To", NULL };

void
ml_draft_drop_secret(const MlDraft *draft, GPtrArray *people)
{
  g_auto(GStrv) secret = g_strsplit(draft->secret_people ? draft->secret_people : "", " ", -1);
  for (guint i = people->len; *secret && i-- > 0;) {
    g_autofree char *folded = ml_address_fold(((MlAddress *)g_ptr_array_index(people, i))->address);
    if (folded && g_strv_contains((const char *const *)secret, folded))
      g_ptr_array_remove_index(people, i);
  }
}

/* An address field outside: without whom the answered mail hid, and without display names where these are hidden. */
static char *
people_outside(const MlDraft *draft, const MlDraftHeader *header, gboolean names)
{
  g_autofree char *value = unfolded(header->value);
  g_autoptr(GPtrArray) found = ml_draft_parse(header->name, value, NULL);
  guint before = found ? found->len : 0;
  if (found && g_ascii_strcasecmp(header->name, "From") != 0)
    ml_draft_drop_secret(draft, found);
  if (!before || (names && found->len == before))
    return g_strdup(header->value); /* "undisclosed-recipients:;" */
  return found->len ? ml_headers_write_addresses(header->name, found, names) : NULL;
}

/* The header confidentiality policies of RFC 9788 3.2, and what an answer owes to the mail that it answers (6.1.2):
 * what stands outside of an encrypted message. NULL: nothing. */
static char *
outside(MlHeaderPolicy policy, const MlDraft *draft, const MlDraftHeader *header)
{
  static const char *const dropped[] = { "Comments", "Keywords", NULL };
  static const char *const thread[] = { "In-Reply-To", "References", NULL };
  const char *name = header->name;
  if (g_ascii_strcasecmp(name, "Bcc") == 0)
    return NULL; /* of the copy that the sender keeps */
  if (draft->secret_thread && is_named(name, thread))
    return NULL;
  if (is_named(name, people_fields))
    return people_outside(draft, header, policy != ML_HIDE_SHY);
  if (policy == ML_HIDE_NONE)
    return g_strdup(header->value);
  if (g_ascii_strcasecmp(name, "Subject") == 0)
    return g_strdup("[...]");
  if (is_named(name, dropped))
    return NULL;
  if (policy == ML_HIDE_SHY && g_ascii_strcasecmp(name, "Date") == 0) {
    g_autofree char *value = unfolded(header->value);
    return ml_headers_write_date(ml_headers_date(value), TRUE);
  }
  return g_strdup(header->value);
}

/* RFC 9788 2.2.1 has one blank, and no fold, between the inner name's colon and the value: where the line is too long
 * it ends before that name. The value's own folds are where they were. */
static void
add_hp_outer(MlSpill *spill, const char *name, const char *value)
{
  gsize first = strcspn(value, "\r");
  gboolean wide = strlen("HP-Outer: : ") + strlen(name) + first > 78;
  g_autofree char *line = g_strdup_printf("HP-Outer:%s %s: %s\r\n", wide ? "\r\n" : "", name, value);
  ml_spill_text(spill, line);
}

/* RFC 9788 5.2.2: what a reader that knows nothing of this would not see, in front of the text. */
static char *
legacy_lines(const MlDraft *draft, GPtrArray *fields, MlHeaderPolicy policy)
{
  /* RFC 9787 1.1.2, and the two that the policies remove */
  static const char *const shown[] = { "Subject",  "From",     "To",       "Cc", "Date",
                                       "Reply-To", "Comments", "Keywords", NULL };
  GString *out = g_string_new(NULL);
  for (guint i = 0; i < fields->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(fields, i);
    g_autofree char *outer = outside(policy, draft, header);
    if (!is_named(header->name, shown) || g_strcmp0(outer, header->value) == 0)
      continue;
    g_autofree char *value = unfolded(header->value);
    g_autofree char *text = ml_headers_decode(value);
    g_string_append_printf(out, "%s: %s\n", header->name, text);
  }
  if (out->len)
    g_string_append_c(out, '\n');
  return g_string_free(out, FALSE);
}

/* The entity's header with hp= at the end of its Content-Type, then the rest as it is. */
static gboolean
add_entity(MlSpill *spill, GBytes *entity, gboolean encrypted, GError **error)
{
  static const char name[] = "\r\nContent-Type:";
  gsize length = 0;
  const char *data = g_bytes_get_data(entity, &length);
  const char *end = g_strstr_len(data, (gssize)MIN(length, (gsize)65536), "\r\n\r\n");
  const char *field = end ? g_strstr_len(data, end - data, name) : NULL;
  if (!field) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED, "The message has no Content-Type to protect.");
    return FALSE;
  }
  const char *stop = strstr(field + 2, "\r\n");
  while (stop < end && (stop[2] == ' ' || stop[2] == '\t'))
    stop = strstr(stop + 2, "\r\n");
  ml_spill_add(spill, data, (gsize)(stop - data));
  ml_spill_text(spill, encrypted ? ";\r\n hp=\"cipher\"" : ";\r\n hp=\"clear\"");
  ml_spill_add(spill, stop, length - (gsize)(stop - data));
  return TRUE;
}

GBytes *
ml_draft_payload(const MlDraft *draft, const MlBuilt *built, gboolean encrypted, GPtrArray **outer,
                 GError **error)
{
  MlHeaderPolicy policy = encrypted ? draft->hide : ML_HIDE_NONE;
  g_autoptr(GPtrArray) out = ml_draft_headers_new();
  g_autoptr(MlSpill) spill = ml_spill_new();
  for (guint i = 0; i < built->fields->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(built->fields, i);
    g_autofree char *line = g_strdup_printf("%s: %s\r\n", header->name, header->value);
    ml_spill_text(spill, line);
    g_autofree char *value = outside(policy, draft, header);
    if (value)
      g_ptr_array_add(out, ml_draft_header_new(header->name, value));
  }
  for (guint i = 0; encrypted && i < out->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(out, i);
    add_hp_outer(spill, header->name, header->value);
  }
  g_autoptr(GBytes) entity = g_bytes_ref(built->entity);
  if (encrypted && draft->legacy_display) {
    g_autofree char *lines = legacy_lines(draft, built->fields, policy);
    g_clear_pointer(&entity, g_bytes_unref);
    entity = ml_draft_entity(draft, built->seed, *lines ? lines : NULL, error);
  }
  if (!entity || !add_entity(spill, entity, encrypted, error))
    return NULL;
  GBytes *payload = ml_spill_end(g_steal_pointer(&spill), error);
  if (payload && outer)
    *outer = g_steal_pointer(&out);
  return payload;
}
