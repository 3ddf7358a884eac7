/* What becomes a draft: the first octet says how the rest is read. T: the editor's form. M: a mailto: link. R: a
 * stranger's mail that is answered, forwarded, edited and bounced. D: a draft as it lies on disk. Whatever comes of it
 * is built, and must be a message that no octet of the input broke out of. */
#include <string.h>

#include "crypto/context.h"
#include "mail/drafts-private.h"
#include "mail/message.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static const MlAccount account = { .name = (char *)"fuzz",
                                   .address = (char *)"me@fuzz.example",
                                   .display_name = (char *)"Me, Myself",
                                   .flowed = TRUE };

static void
assert_line(const char *text)
{
  g_assert_true(!text || (g_utf8_validate(text, -1, NULL) && !strpbrk(text, "\r\n")));
}

/* Lines by CRLF alone, short, 7-bit unless an address is not; each header line one that we meant. */
static void
check_octets(GBytes *bytes, const MlBuilt *built)
{
  gsize length = 0, column = 0, fields = 0;
  const char *data = g_bytes_get_data(bytes, &length);
  gboolean header = TRUE;
  for (gsize i = 0; i < length; i++) {
    g_assert_true(data[i] && (built->utf8 || (guchar)data[i] < 128));
    g_assert_true(data[i] != '\n' || (i && data[i - 1] == '\r'));
    g_assert_true(data[i] != '\r' || (i + 1 < length && data[i + 1] == '\n'));
    if (header && column == 0 && data[i] == '\r')
      header = FALSE;
    fields += header && column == 0 && data[i] != ' ' && data[i] != '\t';
    column = data[i] == '\n' ? 0 : column + 1;
    g_assert_cmpuint(column, <=, built->utf8 ? 4000 : 1000);
  }
  g_assert_cmpuint(fields, <=, built->fields->len + 3);
  g_assert_cmpuint(fields, >=, built->fields->len + 2);
}

static void
check_built(MlDraft *draft)
{
  const MlBuildOptions options = { .date = 1763776800, .boundary_seed = 5 };
  g_autoptr(GError) error = NULL;
  g_autoptr(MlBuilt) built = ml_draft_build(draft, &options, &error);
  g_assert_true((built == NULL) == (error != NULL));
  if (!built) {
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    return;
  }
  for (guint i = 0; i < built->fields->len; i++)
    g_assert_cmpint(g_ascii_strcasecmp(((MlDraftHeader *)built->fields->pdata[i])->name, "Bcc"), !=, 0);
  g_autoptr(GBytes) bytes = ml_draft_join(built->fields, built->entity);
  check_octets(bytes, built);
  const MlReadOptions how = { .at = 1763776800 };
  g_autoptr(MlMessage) message = ml_message_read(bytes, &how, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpint(ml_message_verdict(message)->indicator, ==, ML_INDICATOR_NONE);
  g_autoptr(GPtrArray) outer = NULL;
  g_autoptr(GBytes) payload = ml_draft_payload(draft, built, TRUE, &outer, &error);
  g_assert_no_error(error);
  g_assert_nonnull(payload);
}

static void
check(MlDraft *draft)
{
  if (!draft)
    return;
  const char *lines[] = { draft->from,        draft->to,         draft->cc,
                          draft->bcc,         draft->subject,    draft->reply_to,
                          draft->in_reply_to, draft->references, draft->secret_subject };
  for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
    assert_line(lines[i]);
  g_assert_true(g_utf8_validate(draft->text, -1, NULL));
  ml_draft_missing_attachment(draft);
  g_autofree char *form = ml_draft_to_text(draft);
  g_autoptr(MlDraft) again = ml_draft_copy(draft);
  g_autoptr(GError) error = NULL;
  if (ml_draft_from_text(again, form, &error)) {
    g_assert_cmpstr(again->text, ==, draft->text);
    g_autofree char *second = ml_draft_to_text(again);
    g_assert_cmpstr(second, ==, form);
  }
  check_built(draft);
  if (!*draft->to) {
    g_free(draft->to);
    draft->to = g_strdup("you@fuzz.example");
    check_built(draft);
  }
}

static void
answer(const guint8 *data, size_t size)
{
  g_autoptr(GBytes) raw = g_bytes_new(data, size);
  const MlReadOptions how = { .at = 1763776800, .open_errant = size % 2 };
  g_autoptr(MlMessage) message = ml_message_read(raw, &how, NULL, NULL);
  if (!message)
    return;
  for (int kind = ML_REPLY; kind <= ML_REPLY_LIST; kind++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(MlDraft) draft = ml_draft_reply(&account, message, (MlReplyKind)kind, &error);
    g_assert_true((draft == NULL) == (error != NULL));
    if (draft) /* an answer can be sent as it is */
      g_assert_true(ml_draft_check(draft, &error) ||
                    (g_printerr("%s [%s]\n", error->message, draft->to), FALSE));
    check(draft);
  }
  for (guint as_attachment = 0; as_attachment < 2; as_attachment++) {
    g_autoptr(MlDraft) draft = ml_draft_forward(&account, message, raw, as_attachment, NULL);
    check(draft);
  }
  g_autoptr(MlDraft) edit = ml_draft_edit(&account, message, NULL);
  check(edit);
  g_autoptr(GBytes) bounced = ml_draft_bounce(&account, raw, "you@fuzz.example", 0, NULL);
  g_assert_nonnull(bounced);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
  if (!size)
    return 0;
  g_autofree char *text = g_strndup((const char *)data + 1, size - 1);
  g_autoptr(GError) error = NULL;
  g_autoptr(MlDraft) draft = NULL;
  if (*data == 'R') {
    answer(data + 1, size - 1);
  } else if (*data == 'T') {
    draft = ml_draft_new(&account);
    gboolean read = ml_draft_from_text(draft, text, &error);
    g_assert_true(read == (error == NULL));
    check(draft);
  } else if (*data == 'M') {
    g_autofree char *ignored = NULL, *url = g_utf8_make_valid(text, -1);
    draft = ml_draft_mailto(&account, url, &ignored, &error);
    g_assert_true((draft == NULL) == (error != NULL));
    assert_line(ignored);
    g_assert_true(!draft || (!draft->attachments->len && !*draft->bcc));
    check(draft);
  } else if (*data == 'D') {
    g_autoptr(GBytes) bytes = g_bytes_new(data + 1, size - 1);
    draft = ml_drafts_decode(bytes, &error);
    g_assert_true((draft == NULL) == (error != NULL));
    if (draft)
      check_built(draft);
  }
  return 0;
}
