#include <string.h>

#include "crypto/mapping.h"
#include "mail/lines-private.h"
#include "mail/smtp-private.h"

enum {
  GROUP = 50,                  /* commands on their way at once (RFC 2920) */
  BLOCK = 64 * 1024,
  VERDICT_MS = 10 * 60 * 1000, /* for the answer to the dot (RFC 5321 4.5.3.2.6): some look for viruses */
};

typedef struct {
  MlSmtpSession *session;
  const char *from;
  GPtrArray *recipients; /* those it can be sent to; a reference */
  GBytes *message;
  gsize length; /* of it */
  gboolean eight_bit, utf8;
  guint accepted;
  gboolean data_asked; /* DATA went with the last group */
} Transaction;

void
ml_smtp_result(MlSmtpRecipient *recipient, MlSmtpResult result, const char *words)
{
  recipient->result = result;
  if (!words)
    return;
  g_free(recipient->words);
  recipient->words = g_strdup(words);
}

static void
all(Transaction *t, MlSmtpResult result, const char *words)
{
  for (guint i = 0; i < t->recipients->len; i++)
    ml_smtp_result(g_ptr_array_index(t->recipients, i), result, words);
}

/* Those that the server took, when it was said what becomes of the message. */
static void
settle(Transaction *t, MlSmtpResult result, const char *words)
{
  for (guint i = 0; i < t->recipients->len; i++) {
    MlSmtpRecipient *recipient = g_ptr_array_index(t->recipients, i);
    if (recipient->result == ML_SMTP_SENT)
      ml_smtp_result(recipient, result, words);
  }
}

static MlSmtpResult
failure(const MlSmtpSession *session)
{
  return session->code >= 500 ? ML_SMTP_REFUSED : ML_SMTP_LATER;
}

static MlSmtpResult
refuse_all(Transaction *t, MlSmtpResult result, GError **error, const char *format, ...) G_GNUC_PRINTF(4, 5);

static MlSmtpResult
refuse_all(Transaction *t, MlSmtpResult result, GError **error, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *words = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  all(t, result, words);
  g_set_error_literal(error, ML_ERROR, result == ML_SMTP_REFUSED ? ML_ERROR_FAILED : ML_ERROR_OFFLINE, words);
  return result;
}

static gboolean
is_wide(const char *address)
{
  for (; *address; address++)
    if (*address & 0x80)
      return TRUE;
  return FALSE;
}

static gboolean
has_wide_header(const Transaction *t)
{
  const char *data = g_bytes_get_data(t->message, NULL), *end = g_strstr_len(data, (gssize)t->length, "\r\n\r\n");
  gsize length = end ? (gsize)(end - data) : t->length;
  g_autoptr(GBytes) header = g_bytes_new_from_bytes(t->message, 0, length);
  return ml_lines_have(header, ML_OCTETS_8BIT);
}

/* Without SMTPUTF8: who is written with letters beyond ASCII is refused here; the rest can have it, unless such an
 * address stands in the message itself. */
static MlSmtpResult
without_wide(Transaction *t, const char *first, GError **error)
{
  static const char *const words = "%s cannot send to %s, nor from such an address (it offers no SMTPUTF8 for letters "
                                   "beyond ASCII): send it by another account.";
  const char *host = t->session->host;
  if (is_wide(t->from) || has_wide_header(t))
    return refuse_all(t, ML_SMTP_REFUSED, error,
                      "%s cannot send a message from or to %s (it offers no SMTPUTF8 for letters beyond ASCII): send "
                      "it by another account, or without that address.",
                      host, first);
  GPtrArray *rest = g_ptr_array_new();
  for (guint i = 0; i < t->recipients->len; i++) {
    MlSmtpRecipient *one = g_ptr_array_index(t->recipients, i);
    g_autofree char *why = g_strdup_printf(words, host, one->address);
    if (is_wide(one->address))
      ml_smtp_result(one, ML_SMTP_REFUSED, why);
    else
      g_ptr_array_add(rest, one);
  }
  g_ptr_array_unref(t->recipients);
  t->recipients = rest;
  if (rest->len)
    return ML_SMTP_SENT;
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, words, host, first);
  return ML_SMTP_REFUSED;
}

/* What the server must be able to do, before a word is said. */
static MlSmtpResult
look(Transaction *t, GError **error)
{
  MlSmtpSession *session = t->session;
  const char *wide = is_wide(t->from) ? t->from : NULL;
  for (guint i = 0; i < t->recipients->len && !wide; i++) {
    const char *address = ((MlSmtpRecipient *)g_ptr_array_index(t->recipients, i))->address;
    wide = is_wide(address) ? address : NULL;
  }
  t->eight_bit = ml_lines_have(t->message, ML_OCTETS_8BIT);
  if (wide && !(session->caps & ML_SMTP_UTF8)) {
    MlSmtpResult result = without_wide(t, wide, error);
    if (result != ML_SMTP_SENT)
      return result;
    wide = NULL;
  }
  t->utf8 = (session->caps & ML_SMTP_UTF8) && (wide != NULL || t->eight_bit);
  if (t->eight_bit && !(session->caps & ML_SMTP_8BITMIME))
    return refuse_all(t, ML_SMTP_REFUSED, error,
                      "%s takes only 7-bit messages (it offers no 8BITMIME), and this one has 8-bit text: encode "
                      "it as quoted-printable or base64.",
                      session->host);
  if (session->size_max && t->length > session->size_max)
    return refuse_all(t, ML_SMTP_REFUSED, error,
                      "The message has %" G_GSIZE_FORMAT " octets, and %s takes at most %" G_GUINT64_FORMAT
                      ": send the attachment in another way.",
                      t->length, session->host, session->size_max);
  return ML_SMTP_SENT;
}

static void
add_mail(const Transaction *t, GString *out)
{
  guint caps = t->session->caps, notify = 0;
  for (guint i = 0; i < t->recipients->len; i++)
    notify |= ((MlSmtpRecipient *)g_ptr_array_index(t->recipients, i))->notify;
  g_string_append_printf(out, "MAIL FROM:<%s>", t->from);
  if (caps & ML_SMTP_SIZE)
    g_string_append_printf(out, " SIZE=%" G_GSIZE_FORMAT, t->length);
  if (caps & ML_SMTP_8BITMIME)
    g_string_append(out, t->eight_bit ? " BODY=8BITMIME" : " BODY=7BIT");
  if (t->utf8)
    g_string_append(out, " SMTPUTF8");
  if (notify && (caps & ML_SMTP_DSN))
    g_string_append(out, " RET=HDRS");
  g_string_append(out, "\r\n");
}

static void
add_rcpt(const Transaction *t, const MlSmtpRecipient *recipient, GString *out)
{
  static const struct {
    guint bit;
    const char *word;
  } words[] = { { ML_SMTP_NOTIFY_SUCCESS, "SUCCESS" },
                { ML_SMTP_NOTIFY_FAILURE, "FAILURE" },
                { ML_SMTP_NOTIFY_DELAY, "DELAY" } };
  g_string_append_printf(out, "RCPT TO:<%s>", recipient->address);
  if (recipient->notify && (t->session->caps & ML_SMTP_DSN)) {
    const char *gap = " NOTIFY=";
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
      if (!(recipient->notify & words[i].bit))
        continue;
      g_string_append_printf(out, "%s%s", gap, words[i].word);
      gap = ",";
    }
    if (recipient->notify == ML_SMTP_NOTIFY_NEVER)
      g_string_append(out, " NOTIFY=NEVER");
  }
  g_string_append(out, "\r\n");
}

static void
take_rcpt(Transaction *t, MlSmtpRecipient *recipient)
{
  gboolean ok = t->session->code >= 250 && t->session->code < 260;
  t->accepted += ok;
  ml_smtp_result(recipient, ok ? ML_SMTP_SENT : failure(t->session), t->session->words);
}

/* MAIL and the RCPTs, in groups where the server allows it. FALSE: over; *result and *error say how. */
static gboolean
envelope(Transaction *t, MlSmtpResult *result, GError **error)
{
  MlSmtpSession *session = t->session;
  gboolean pipelining = (session->caps & ML_SMTP_PIPELINING) != 0;
  guint next = 0, total = t->recipients->len;
  g_autofree char *refusal = NULL;
  guint refusal_code = 0;
  for (gboolean mail = TRUE; mail || next < total;) {
    g_autoptr(GString) group = g_string_new(NULL);
    gboolean with_mail = mail;
    guint first = next;
    if (mail)
      add_mail(t, group);
    mail = FALSE;
    for (guint n = with_mail; next < total && n < (pipelining ? GROUP : 1); n++)
      add_rcpt(t, g_ptr_array_index(t->recipients, next++), group);
    t->data_asked = pipelining && next == total;
    if (t->data_asked)
      g_string_append(group, "DATA\r\n");
    if (!ml_smtp_session_write(session, group->str, group->len, error) ||
        (with_mail && !ml_smtp_session_reply(session, session->patience_ms, error)))
      return FALSE;
    if (with_mail && session->code != 250) {
      refusal = g_strdup(session->words);
      refusal_code = session->code;
    }
    for (guint i = first; i < next; i++) {
      if (!ml_smtp_session_reply(session, session->patience_ms, error))
        return FALSE;
      if (!refusal)
        take_rcpt(t, g_ptr_array_index(t->recipients, i));
    }
    if (refusal)
      break;
  }
  if (!refusal)
    return TRUE;
  if (t->data_asked && !ml_smtp_session_reply(session, session->patience_ms, error))
    return FALSE;
  t->data_asked = FALSE;
  session->code = refusal_code;
  *result = refuse_all(t, failure(session), error, "%s refuses the sender %s: %s", session->host, t->from, refusal);
  return FALSE;
}

/* The text with every line ended by CRLF, no lone CR or LF, and each leading dot doubled; without the dot that ends
 * it. */
static gboolean
body(Transaction *t, GError **error)
{
  g_autofree char *block = g_malloc(BLOCK + 4);
  const char *data = g_bytes_get_data(t->message, NULL);
  gsize at = 0, done = 0;
  gboolean start = TRUE;
  for (gsize i = 0; i < t->length; i++) {
    char c = data[i];
    gboolean crlf = c == '\r' && i + 1 < t->length && data[i + 1] == '\n';
    if (c == '\r' || c == '\n') {
      block[at++] = '\r';
      block[at++] = '\n';
      i += crlf;
      start = TRUE;
    } else {
      if (start && c == '.')
        block[at++] = '.';
      block[at++] = c;
      start = FALSE;
    }
    if (at >= BLOCK) {
      if (!ml_smtp_session_write(t->session, block, at, error))
        return FALSE;
      crypto_mapping_release((const guint8 *)data + done, (const guint8 *)data + i);
      done = i;
      at = 0;
    }
  }
  if (!start) {
    block[at++] = '\r';
    block[at++] = '\n';
  }
  return ml_smtp_session_write(t->session, block, at, error);
}

static MlSmtpResult
nobody(Transaction *t, GError **error)
{
  MlSmtpSession *session = t->session;
  const MlSmtpRecipient *one = g_ptr_array_index(t->recipients, 0);
  MlSmtpResult result = ML_SMTP_REFUSED;
  for (guint i = 0; i < t->recipients->len; i++)
    if (((MlSmtpRecipient *)g_ptr_array_index(t->recipients, i))->result == ML_SMTP_LATER)
      result = ML_SMTP_LATER;
  g_set_error(error, ML_ERROR, result == ML_SMTP_LATER ? ML_ERROR_OFFLINE : ML_ERROR_FAILED, "%s refuses %s: %s",
              session->host, t->recipients->len == 1 ? one->address : "every recipient", one->words);
  /* A server that wants the message all the same gets an empty one, for nobody. */
  if (t->data_asked && ml_smtp_session_reply(session, session->patience_ms, NULL) == 354 &&
      ml_smtp_session_write(session, ".\r\n", 3, NULL))
    ml_smtp_session_reply(session, session->patience_ms, NULL);
  if (!session->wire.error)
    ml_smtp_session_reset(session, NULL);
  return result;
}

static MlSmtpResult
overall(const Transaction *t)
{
  gboolean seen[ML_SMTP_UNSURE + 1] = { FALSE };
  for (guint i = 0; i < t->recipients->len; i++)
    seen[((MlSmtpRecipient *)g_ptr_array_index(t->recipients, i))->result] = TRUE;
  return seen[ML_SMTP_SENT]     ? ML_SMTP_SENT
         : seen[ML_SMTP_UNSURE] ? ML_SMTP_UNSURE
         : seen[ML_SMTP_LATER]  ? ML_SMTP_LATER
                                : ML_SMTP_REFUSED;
}

static MlSmtpResult
hand_over(Transaction *t, MlSmtpDotFunc dot, gpointer user_data, GError **error)
{
  MlSmtpSession *session = t->session;
  if ((!t->data_asked && !ml_smtp_session_write(session, "DATA\r\n", 6, error)) ||
      !ml_smtp_session_reply(session, session->patience_ms, error)) {
    settle(t, ML_SMTP_LATER, NULL);
    return overall(t);
  }
  if (session->code != 354) {
    settle(t, failure(session), session->words);
    g_set_error(error, ML_ERROR, failure(session) == ML_SMTP_REFUSED ? ML_ERROR_FAILED : ML_ERROR_OFFLINE,
                "%s refuses the message: %s", session->host, session->words);
    ml_smtp_session_reset(session, NULL);
    return overall(t);
  }
  if (!body(t, error) || (dot && !dot(user_data, error))) {
    settle(t, ML_SMTP_LATER, NULL); /* the caller throws the connection away: without its dot it was never sent */
    return overall(t);
  }
  guint code = ml_smtp_session_write(session, ".\r\n", 3, error)
                   ? ml_smtp_session_reply(session, VERDICT_MS, error)
                   : 0;
  if (!code) {
    settle(t, ML_SMTP_UNSURE, NULL);
  } else if (code >= 200 && code < 300) {
    settle(t, ML_SMTP_SENT, session->words);
  } else {
    settle(t, failure(session), session->words);
    g_set_error(error, ML_ERROR, failure(session) == ML_SMTP_REFUSED ? ML_ERROR_FAILED : ML_ERROR_OFFLINE,
                "%s refuses the message: %s", session->host, session->words);
  }
  return overall(t);
}

static MlSmtpResult
transact(Transaction *t, MlSmtpDotFunc dot, gpointer user_data, gboolean *stale, GError **error)
{
  MlSmtpSession *session = t->session;
  MlSmtpResult result = look(t, error);
  if (result != ML_SMTP_SENT)
    return result;
  result = ML_SMTP_LATER;
  gboolean kept = session->used;
  session->used = TRUE;
  if (!envelope(t, &result, error)) {
    *stale = kept && (session->wire.error || session->code == 421) && !t->accepted;
    if (session->wire.error)
      all(t, ML_SMTP_LATER, NULL);
    return result;
  }
  return t->accepted ? hand_over(t, dot, user_data, error) : nobody(t, error);
}

/* *stale: a kept connection was dead, and the server has seen nothing of this message. */
MlSmtpResult
ml_smtp_transact(MlSmtpSession *session, const char *from, GPtrArray *recipients, GBytes *message,
                 MlSmtpDotFunc dot, gpointer user_data, gboolean *stale, GError **error)
{
  Transaction t = { .session = session,
                    .from = from,
                    .recipients = g_ptr_array_ref(recipients),
                    .message = message,
                    .length = g_bytes_get_size(message) };
  *stale = FALSE;
  MlSmtpResult result = transact(&t, dot, user_data, stale, error);
  g_ptr_array_unref(t.recipients);
  return result;
}
