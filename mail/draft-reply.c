#include <string.h>

#include "mail/draft-private.h"
#include "mail/headers-private.h"
#include "mail/headers-write-private.h"
#include "mail/message-private.h"

enum { REFERENCES = 20 };

/* From is the address that received the message, among the account's own. */
void
ml_draft_choose_from(MlDraft *draft, const MlAccount *account, const MlMessage *message)
{
  static const char *const fields[] = { "From", "To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To" };
  for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
    g_autoptr(GPtrArray) people = ml_draft_source_people(message, fields[i], NULL);
    for (guint p = 0; p < people->len; p++) {
      const char *own = ml_account_address(account, ((MlAddress *)g_ptr_array_index(people, p))->address);
      if (!own)
        continue;
      g_free(draft->from);
      draft->from = ml_headers_write_mailbox(account->display_name, own);
      return;
    }
  }
}

char *
ml_draft_join_people(GPtrArray *people)
{
  GString *out = g_string_new(NULL);
  for (guint i = 0; i < people->len; i++) {
    const MlAddress *address = g_ptr_array_index(people, i);
    g_autofree char *one = ml_headers_write_mailbox(address->name, address->address);
    if (i)
      g_string_append(out, ", ");
    g_string_append(out, one);
  }
  return g_string_free(out, FALSE);
}

/* Who an answer goes to, as it is put together. */
typedef struct {
  const MlAccount *account;
  const MlMessage *message;
  GPtrArray *to, *cc; /* of MlAddress */
  GHashTable *seen;   /* folded addresses */
  gboolean over;
} Answer;

static void
add_people(Answer *answer, GPtrArray *into, GPtrArray *people, gboolean keep_own)
{
  for (guint i = 0; i < people->len; i++) {
    const MlAddress *address = g_ptr_array_index(people, i);
    if ((!keep_own && ml_account_address(answer->account, address->address)) ||
        !g_hash_table_add(answer->seen, ml_address_fold(address->address)))
      continue;
    MlAddress *copy = g_new0(MlAddress, 1);
    copy->address = g_strdup(address->address);
    copy->name = g_strdup(address->name);
    g_ptr_array_add(into, copy);
  }
}

static gboolean
all_own(const Answer *answer, GPtrArray *people)
{
  for (guint i = 0; i < people->len; i++)
    if (!ml_account_address(answer->account, ((MlAddress *)g_ptr_array_index(people, i))->address))
      return FALSE;
  return people->len > 0;
}

/* List-Post: <mailto:list@host?...> (RFC 2369); NULL: none, or "NO". */
static char *
list_post(const MlMessage *message)
{
  g_autofree char *raw = ml_draft_source_raw(message, "List-Post", 0);
  for (const char *at = raw; at && (at = strchr(at, '<')); at++) {
    if (g_ascii_strncasecmp(at, "<mailto:", 8) != 0)
      continue;
    at += 8;
    g_autofree char *escaped = g_strndup(at, strcspn(at, ">?"));
    g_autofree char *address = g_uri_unescape_string(escaped, NULL);
    return address ? ml_draft_deliverable(address) : NULL;
  }
  return NULL;
}

static GPtrArray *
people_in(Answer *answer, const char *name)
{
  return ml_draft_source_people(answer->message, name, &answer->over);
}

/* A list that sets Reply-To to itself hides whom an answer to the sender is for: then From is. */
static void
add_sender(Answer *answer)
{
  g_autofree char *list = list_post(answer->message);
  static const char *const fields[] = { "Mail-Reply-To", "Reply-To", "From", "Sender" };
  for (gsize i = 0; i < G_N_ELEMENTS(fields) && !answer->to->len; i++) {
    g_autoptr(GPtrArray) people = people_in(answer, fields[i]);
    gboolean munged = list && i == 1 && people->len == 1 &&
                      ml_address_equal(((MlAddress *)g_ptr_array_index(people, 0))->address, list);
    if (!people->len || munged)
      continue;
    g_autoptr(GPtrArray) to = i == 2 && all_own(answer, people) ? people_in(answer, "To") : NULL;
    add_people(answer, answer->to, to && to->len ? to : people, TRUE); /* our own mail: to whom we wrote */
  }
}

static void
add_everybody(Answer *answer)
{
  g_autoptr(GPtrArray) followup = people_in(answer, "Mail-Followup-To");
  if (followup->len) {
    add_people(answer, answer->to, followup, FALSE);
    if (answer->to->len)
      return;
  }
  add_sender(answer);
  static const char *const fields[] = { "To", "Cc" };
  for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
    g_autoptr(GPtrArray) people = people_in(answer, fields[i]);
    add_people(answer, answer->cc, people, FALSE);
  }
}

static gboolean
address_it(Answer *answer, MlReplyKind kind, GError **error)
{
  if (kind == ML_REPLY_LIST) {
    char *list = list_post(answer->message);
    if (!list) {
      g_set_error_literal(
          error, ML_ERROR, ML_ERROR_FAILED,
          "This message names no mailing list that one may write to (List-Post). Reply to the sender "
          "or to all instead.");
      return FALSE;
    }
    MlAddress *address = g_new0(MlAddress, 1);
    address->address = list;
    g_ptr_array_add(answer->to, address);
  } else if (kind == ML_REPLY_ALL) {
    add_everybody(answer);
  } else {
    add_sender(answer);
  }
  const char *why =
      answer->over || answer->to->len + answer->cc->len >= ML_DRAFT_RECIPIENTS
          ? "This message names 10,000 addresses or more. Reply to its sender alone, or write a new one."
      : !answer->to->len ? "This message names no address that one could reply to. Write a new one."
                         : NULL;
  if (why)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED, why);
  return why == NULL;
}

static void
thread_it(MlDraft *draft, const MlMessage *message)
{
  draft->in_reply_to = ml_draft_source_ids(message, "Message-ID", 1);
  g_autofree char *references = ml_draft_source_ids(message, "References", REFERENCES - 1);
  if (!references)
    references = ml_draft_source_ids(message, "In-Reply-To", 1); /* RFC 5322 3.6.4 */
  if (references && draft->in_reply_to)
    draft->references = g_strdup_printf("%s %s", references, draft->in_reply_to);
  else
    draft->references = g_strdup(references ? references : draft->in_reply_to);
}

static char *
attribution(const MlMessage *message)
{
  g_autoptr(GPtrArray) from = ml_draft_source_people(message, "From", NULL);
  const MlAddress *author = from->len ? g_ptr_array_index(from, 0) : NULL;
  const char *name = !author ? "Somebody" : author->name && *author->name ? author->name : author->address;
  g_autofree char *shown = g_utf8_substring(name, 0, MIN(g_utf8_strlen(name, -1), 80));
  g_autofree char *raw = ml_draft_source_raw(message, "Date", 0);
  gint64 when = ml_headers_date(raw);
  g_autoptr(GDateTime) date = when ? g_date_time_new_from_unix_local(when) : NULL;
  g_autofree char *day = date ? g_date_time_format(date, "%Y-%m-%d at %H:%M") : NULL;
  return day ? g_strdup_printf("On %s, %s wrote:\n", day, shown) : g_strdup_printf("%s wrote:\n", shown);
}

/* Quotes line by line; the other's signature is not theirs to repeat. */
static char *
quoted(const char *text)
{
  GString *out = g_string_new(NULL);
  for (const char *line = text; *line;) {
    const char *end = strchrnul(line, '\n');
    gsize length = (gsize)(end - line);
    if (length == 3 && memcmp(line, "-- ", 3) == 0)
      break;
    while (length && line[length - 1] == ' ')
      length--;
    g_string_append(out, *line == '>' || !length ? ">" : "> ");
    g_string_append_len(out, line, (gssize)length);
    g_string_append_c(out, '\n');
    line = *end ? end + 1 : end;
  }
  while (g_str_has_suffix(out->str, "\n>\n"))
    g_string_truncate(out, out->len - 2);
  return g_string_free(out, FALSE);
}

static char *
text_of(const MlAccount *account, const MlMessage *message, const char *source)
{
  g_autofree char *quote = quoted(source);
  g_autofree char *first = *quote ? attribution(message) : g_strdup("");
  g_autofree char *signature = ml_draft_signature(account);
  return g_strconcat(first, quote, *signature ? "\n\n" : "\n", signature, NULL);
}

static char *
subject_of(const char *subject)
{
  g_autofree char *base = ml_draft_source_base(subject ? subject : "");
  return g_strdup_printf("Re: %s", base);
}

/* In doubt without anything that was decrypted; what it would be with it is kept beside. */
static void
write_answer(MlDraft *draft, const MlAccount *account, const MlMessage *message)
{
  g_autofree char *source = ml_draft_source_quote(message), *subject = ml_draft_source_text(message, "Subject");
  g_free(draft->subject);
  g_free(draft->text);
  draft->subject = subject_of(subject);
  draft->text = text_of(account, message, source);
  if (!draft->doubt)
    return;
  g_autofree char *outer = ml_draft_outer_subject(message);
  draft->quoted_subject = draft->subject;
  draft->quoted_text = draft->text;
  draft->subject = subject_of(outer);
  draft->text = text_of(account, message, "");
  if (g_str_equal(draft->text, draft->quoted_text) && g_str_equal(draft->subject, draft->quoted_subject))
    ml_draft_take_quote(draft); /* there is nothing to ask about */
}

MlDraft *
ml_draft_reply(const MlAccount *account, const MlMessage *message, MlReplyKind kind, GError **error)
{
  g_autoptr(GPtrArray) to = g_ptr_array_new_with_free_func((GDestroyNotify)ml_address_one_free);
  g_autoptr(GPtrArray) cc = g_ptr_array_new_with_free_func((GDestroyNotify)ml_address_one_free);
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  Answer answer = { .account = account, .message = message, .to = to, .cc = cc, .seen = seen };
  if (!address_it(&answer, kind, error))
    return NULL;
  MlDraft *draft = ml_draft_new(account);
  g_free(draft->to);
  g_free(draft->cc);
  draft->to = ml_draft_join_people(to);
  draft->cc = ml_draft_join_people(cc);
  ml_draft_choose_from(draft, account, message);
  thread_it(draft, message);
  ml_draft_source_protect(message, draft);
  draft->doubt = ml_draft_doubt(message, kind, to);
  write_answer(draft, account, message);
  return draft;
}
