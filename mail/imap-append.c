#include <string.h>

#include "crypto/mapping.h"
#include "mail/imap-private.h"
#include "mail/lines-private.h"

enum { PART = 256 * 1024 };

/* What a store wants to know of its end. */
typedef struct {
  guint32 uid; /* APPENDUID (RFC 4315); 0: the server does not say */
} Stored;

static void
on_stored(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  Stored *stored = user_data;
  guint64 uid;
  if (response->kind == ML_RESPONSE_TAGGED && ml_node_is(response->code, "APPENDUID") && response->code->next &&
      ml_node_number(response->code->next->next, G_MAXUINT32, &uid))
    stored->uid = (guint32)uid;
}

static gboolean
send_message(MlImapSession *session, const char *command, GBytes *bytes, gboolean wait, GError **error)
{
  gsize length;
  const char *data = g_bytes_get_data(bytes, &length);
  gboolean go_on = TRUE;
  if (!ml_imap_session_send(session, command, error))
    return FALSE;
  if (wait && !ml_imap_session_finish(session, &go_on, NULL, error))
    return FALSE;
  if (!go_on) { /* "OK" to something it has not seen */
    ml_imap_stream_fail(session->stream);
    g_set_error(error, ML_ERROR, ML_ERROR_PROTOCOL,
                "The mail server %s broke the rules of IMAP: it says that it stored a message before it was "
                "sent. The connection was closed.",
                session->host);
    return FALSE;
  }
  for (gsize at = 0, part; at < length; at += part) {
    part = MIN(length - at, (gsize)PART);
    if (!ml_imap_stream_write(session->stream, data + at, part, error))
      return FALSE;
    crypto_mapping_release((const guint8 *)data + at, (const guint8 *)data + at + part);
  }
  return ml_imap_stream_write(session->stream, "\r\n", 2, error) &&
         ml_imap_session_finish(session, NULL, NULL, error);
}

static void
listen_with(MlImapSession *session, MlImapDataFunc data, gpointer user_data)
{
  session->data = data;
  session->data_user = user_data;
}

static gboolean
append(MlImapSession *session, const char *quoted, GBytes *bytes, guint flags, gint64 received, guint32 *uid,
       GError **error)
{
  static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
  g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(received);
  if (!date)
    date = g_date_time_new_now_utc();
  gboolean plus = (session->caps & ML_IMAP_LITERAL_PLUS) != 0;
  g_autofree char *words = ml_imap_flags_text(flags & ~(guint)ML_FLAG_FORWARDED); /* keywords may be refused */
  g_autofree char *command = g_strdup_printf(
      "APPEND %s (%s) \"%02d-%s-%04d %02d:%02d:%02d +0000\" {%" G_GSIZE_FORMAT "%s}", quoted, words,
      g_date_time_get_day_of_month(date), months[g_date_time_get_month(date) - 1], g_date_time_get_year(date),
      g_date_time_get_hour(date), g_date_time_get_minute(date), g_date_time_get_second(date),
      g_bytes_get_size(bytes), plus ? "+" : "");
  Stored stored = { 0 };
  listen_with(session, on_stored, &stored);
  gboolean ok = send_message(session, command, bytes, !plus, error);
  listen_with(session, NULL, NULL);
  *uid = stored.uid;
  return ok;
}

/* The words that the server gave, after a tagged NO. */
static gboolean
wants_folder(MlImapSession *session, const GError *why)
{
  return g_error_matches(why, ML_ERROR, ML_ERROR_FAILED) && session->status == ML_RESPONSE_NO &&
         session->code && g_ascii_strcasecmp(session->code, "TRYCREATE") == 0;
}

gboolean
ml_imap_append(MlDriver *driver, const char *folder, GBytes *bytes, guint flags, gint64 received,
               guint32 *uid, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  MlImapSession *session = imap->session;
  g_autofree char *mailbox = ml_imap_session_mailbox(session, folder, error);
  if (!mailbox)
    return FALSE;
  g_autofree char *quoted = ml_imap_quote(mailbox);
  g_autoptr(GBytes) text = ml_lines_crlf(bytes);
  if (ml_lines_have(text, ML_OCTETS_NUL)) {
    g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED,
                "The message holds a NUL octet, which IMAP cannot store: save it to a file instead.");
    return FALSE;
  }
  GError *why = NULL;
  if (append(session, quoted, text, flags, received, uid, &why))
    return TRUE;
  if (!wants_folder(session, why)) {
    g_propagate_error(error, why);
    return FALSE;
  }
  g_error_free(why);
  if (!ml_imap_session_command(session, NULL, NULL, error, "CREATE %s", quoted))
    return FALSE;
  g_autoptr(GError) ignored = NULL; /* some servers keep no subscriptions */
  if (!ml_imap_session_command(session, NULL, NULL, &ignored, "SUBSCRIBE %s", quoted) &&
      ml_imap_session_is_broken(ignored)) {
    g_propagate_error(error, g_steal_pointer(&ignored));
    return FALSE;
  }
  return append(session, quoted, text, flags, received, uid, error);
}

static void
on_search(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  guint64 number;
  if (response->kind == ML_RESPONSE_SEARCH && ml_node_number(response->data, G_MAXUINT32, &number))
    *(gboolean *)user_data = TRUE;
}

static void
on_found(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  enum { FOUND_MAX = 1000 };
  (void)session;
  GArray *uids = user_data;
  guint64 number;
  for (const MlNode *node = response->kind == ML_RESPONSE_SEARCH ? response->data : NULL; node; node = node->next)
    if (uids->len < FOUND_MAX && ml_node_number(node, G_MAXUINT32, &number) && number) {
      guint32 uid = (guint32)number;
      g_array_append_val(uids, uid);
    }
}

typedef struct {
  const char *message_id;
  gboolean found;
} Looked;

static void
on_looked(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  Looked *looked = user_data;
  if (response->kind != ML_RESPONSE_FETCH || !ml_imap_body(response->data))
    return;
  MlHeader *header = ml_imap_header(response->data);
  looked->found = looked->found || (header && strcmp(header->message_id, looked->message_id) == 0);
  ml_header_free(header);
}

/* Some write it without brackets: then it is a part of others, and what is found is looked at. */
static gboolean
has_bare(MlImapSession *session, const char *message_id, gboolean *found, GError **error)
{
  enum { SET = 200 };
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_autofree char *quoted = ml_imap_quote(message_id);
  Looked looked = { message_id, FALSE };
  if (!ml_imap_session_command(session, on_found, uids, error, "UID SEARCH HEADER MESSAGE-ID %s", quoted))
    return FALSE;
  for (guint at = 0; at < uids->len && !looked.found; at += SET) {
    g_autoptr(GArray) part = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(part, &g_array_index(uids, guint32, at), MIN(SET, uids->len - at));
    g_autofree char *set = ml_imap_uid_set(part);
    if (!ml_imap_session_command(session, on_looked, &looked, error,
                                 "UID FETCH %s (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])", set))
      return FALSE;
  }
  *found = looked.found;
  return TRUE;
}

/* The folder is opened for it; the next command of the caller's opens his own again. */
gboolean
ml_imap_has(MlDriver *driver, const char *folder, const char *message_id, gboolean *found, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  MlImapSession *session = imap->session;
  g_autoptr(GError) why = NULL;
  ml_imap_remember(imap);
  if (!ml_imap_session_select(session, folder, NULL, &why)) {
    if (g_error_matches(why, ML_ERROR, ML_ERROR_NO_FOLDER))
      return TRUE;
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  /* A server finds what the words are a part of: with its brackets no other's is found. */
  g_autofree char *whole = g_strdup_printf("<%s>", message_id);
  g_autofree char *quoted = ml_imap_quote(whole);
  gboolean ok = ml_imap_session_command(session, on_search, found, error,
                                        "UID SEARCH HEADER MESSAGE-ID %s", quoted) &&
                (*found || has_bare(session, message_id, found, error));
  g_clear_pointer(&session->folder, g_free);
  return ok;
}

gboolean
ml_imap_find(MlDriver *driver, const char *message_id, GArray *uids, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  g_autofree char *quoted = ml_imap_quote(message_id);
  return ml_imap_need_folder(imap, error) &&
         ml_imap_session_command(imap->session, on_found, uids, error, "UID SEARCH HEADER MESSAGE-ID %s", quoted);
}
