#include "mail/imap-private.h"

#include <string.h>

/* Many whole messages, the newest first, with the line of the index of each where that is wanted. Some commands are on
 * their way at a time, so that the server reads the next messages while those that came are kept, and neither waits for the
 * other. They name messages by UID: whatever is expunged meanwhile, no text comes to stand under another one's number. */
enum {
  ON_THE_WAY = 3,
  FIRST = 20,       /* messages of the first command */
  MESSAGES = 200,   /* of any: command lines stay short however thin the numbers lie */
  OCTETS = 1 << 20, /* that a command is meant to bring, and that are handed on together */
  LARGE_TEXT = 1 << 20,
  LARGE_SPAN = 10 * 1000, /* numbers of which an answer may name each */
  LARGE_QUESTIONS = 200,
};

/* A command, or two: those that are too long are asked only for what a line is made of. */
typedef struct {
  MlImapAsk text, line;
  guint from, to;  /* of all->uids */
  guint8 told[MESSAGES];
  gsize octets;
} Piece;

typedef struct {
  const GArray *uids;
  gsize most;
  gboolean lines;
  guint8 *large;   /* for each of @uids; NULL: none is known to be */
  guint questions; /* that may still be asked about that */
  gboolean unread; /* an answer to the last of them was too long */
  MlBodiesFunc func;
  gpointer user_data;
  guint left, size; /* of @uids, not asked for yet; messages of the next command */
  guint done;
  GQueue pieces;    /* of Piece, on their way */
  GPtrArray *bodies; /* of MlBody, to be handed on */
  gsize held;
  gboolean stopped;
  gboolean dead; /* the line: nothing more will be answered */
} Bodies;

/* ---- what comes */

static guint
first_at(const GArray *uids, guint32 uid)
{
  guint low = 0, high = uids->len;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    if (g_array_index(uids, guint32, middle) < uid)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static gboolean
has(const GArray *uids, guint32 uid, guint *at)
{
  *at = first_at(uids, uid);
  return *at < uids->len && g_array_index(uids, guint32, *at) == uid;
}

static void
hand_on(Bodies *all)
{
  GPtrArray *bodies = all->bodies;
  if (!bodies->len)
    return;
  all->bodies = g_ptr_array_new_with_free_func((GDestroyNotify)ml_body_free);
  all->held = 0;
  if (all->stopped)
    g_ptr_array_unref(bodies);
  else
    all->stopped = !all->func(bodies, all->done, all->uids->len, all->user_data);
}

/* Only what was asked for, and each once: a server may say anything. It may be at a later command before it has said that
 * an earlier one is done (Dovecot is). NULL: nobody waits for it. */
static Piece *
awaits(Bodies *all, const MlResponse *response, guint32 *uid)
{
  guint64 number;
  if (!ml_node_number(ml_imap_item(response->data, "UID"), G_MAXUINT32, &number))
    return NULL;
  *uid = (guint32)number;
  guint at;
  if (!has(all->uids, *uid, &at))
    return NULL;
  for (const GList *link = all->pieces.head; link; link = link->next) {
    Piece *piece = link->data;
    if (at < piece->from || at >= piece->to || piece->told[at - piece->from])
      continue;
    piece->told[at - piece->from] = TRUE;
    return piece;
  }
  return NULL;
}

/* The message, or its header. NULL: neither is here, since a text may be NIL (expunged meanwhile, or not to be read); such
 * a message counts as not told, so that its line is asked for by itself. */
static const MlNode *
text_of(const MlNode *items)
{
  for (const MlNode *node = items ? items->child : NULL; node && node->next; node = node->next->next)
    if (node->kind == ML_NODE_ATOM && node->next->kind == ML_NODE_STRING &&
        ((node->length == 6 && g_ascii_strncasecmp(node->text, "BODY[]", 6) == 0) ||
         (node->length > 11 && g_ascii_strncasecmp(node->text, "BODY[HEADER", 11) == 0)))
      return node->next;
  return NULL;
}

static void
on_message(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  Bodies *all = user_data;
  const MlNode *node = response->kind == ML_RESPONSE_FETCH ? text_of(response->data) : NULL;
  guint32 uid;
  Piece *piece = node ? awaits(all, response, &uid) : NULL; /* else flags that somebody changed just now */
  if (!piece)
    return;
  gboolean whole = node->length == node->full && node->length <= all->most &&
                   ml_imap_item(response->data, "BODY[]") == node;
  if (!whole && !all->lines)
    return;
  MlBody *body = g_new0(MlBody, 1);
  body->uid = uid;
  body->bytes = whole ? g_bytes_new(node->text, node->length) : NULL;
  body->header = all->lines ? ml_imap_header(response->data) : NULL;
  if (body->header)
    body->received = body->header->received;
  else
    ml_imap_date(ml_imap_item(response->data, "INTERNALDATE"), &body->received);
  g_ptr_array_add(all->bodies, body);
  piece->octets += node->length;
  all->held += node->length;
  if (all->held >= OCTETS)
    hand_on(all);
}

/* ---- what is asked */

static void
piece_free(Piece *piece)
{
  MlImapAsk *asks[] = { &piece->text, &piece->line };
  for (guint i = 0; i < G_N_ELEMENTS(asks); i++) {
    g_free(asks[i]->code);
    g_free(asks[i]->words);
  }
  g_free(piece);
}

static gboolean
ask_some(MlImapSession *session, MlImapAsk *ask, GArray *uids, const char *items, GError **error)
{
  g_autofree char *set = ml_imap_uid_set(uids);
  return !uids->len || ml_imap_session_ask(session, ask, error, "UID FETCH %s %s", set, items);
}

static gboolean
ask(Bodies *all, MlImapSession *session, GError **error)
{
  Piece *piece = g_new0(Piece, 1);
  piece->to = all->left;
  piece->from = all->left -= MIN(all->size, all->left);
  piece->text = piece->line = (MlImapAsk){ .data = on_message, .user_data = all };
  g_queue_push_tail(&all->pieces, piece);
  g_autoptr(GArray) whole = g_array_new(FALSE, FALSE, sizeof(guint32)), rest = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = piece->from; i < piece->to; i++) {
    guint32 uid = g_array_index(all->uids, guint32, i);
    g_array_append_val(all->large && all->large[i] ? rest : whole, uid);
  }
  ml_imap_session_pipe(session);
  gboolean ok = ask_some(session, &piece->text, whole,
                         all->lines ? "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])" : "(UID INTERNALDATE BODY.PEEK[])",
                         error) &&
                ask_some(session, &piece->line, rest, ML_IMAP_HEADER_ITEMS, error);
  return ml_imap_session_pipe_end(session, ok ? error : NULL) && ok;
}

/* Reads the answer to the first of them. What was refused has come all the same, as far as it came; where the line breaks the
 * piece stays. */
static gboolean
read_one(Bodies *all, MlImapSession *session, GError **error)
{
  Piece *piece = g_queue_peek_head(&all->pieces);
  MlImapAsk *asks[] = { &piece->text, &piece->line };
  GError *refused = NULL;
  for (guint i = 0; i < G_N_ELEMENTS(asks); i++) {
    GError *why = NULL;
    if (!asks[i]->tag || ml_imap_session_answer(session, asks[i], &why))
      continue;
    all->dead = !asks[i]->done; /* whatever it says, it is no answer to that */
    if (!all->dead && !ml_imap_session_is_broken(why) && g_strcmp0(session->code, "EXPUNGEISSUED") == 0) { /* RFC 5530: some have gone */
      g_error_free(why);
      continue;
    }
    if (refused)
      g_error_free(refused);
    refused = why;
    if (all->dead || ml_imap_session_is_broken(why)) {
      g_propagate_error(error, why);
      return FALSE;
    }
  }
  guint n = piece->to - piece->from;
  all->done += n;
  all->size = (guint)CLAMP(n * (guint64)OCTETS / MAX(piece->octets, 1), 1, MIN(2 * n, MESSAGES));
  piece_free(g_queue_pop_head(&all->pieces));
  if (refused)
    g_propagate_error(error, refused);
  return refused == NULL;
}

/* The first refusal ends it, once what is on its way has come. */
static gboolean
pull(Bodies *all, MlImap *imap, GError **error)
{
  MlImapSession *session = imap->session;
  GError *why = NULL;
  for (;;) {
    while (!why && !all->stopped && all->left && all->pieces.length < ON_THE_WAY && ask(all, session, &why))
      continue;
    hand_on(all); /* while the server is at what was asked just now */
    if (!all->pieces.length || all->dead || ml_imap_session_is_broken(why))
      break;
    GError *now = NULL;
    if (ml_driver_interrupted(&imap->base))
      g_set_error(&now, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
    else if (read_one(all, session, &now))
      continue;
    if (why && !all->dead && !ml_imap_session_is_broken(now)) {
      g_error_free(now);
      continue;
    }
    g_clear_error(&why);
    why = now;
  }
  if (why)
    g_propagate_error(error, why);
  return why == NULL;
}

/* ---- those that are too long to be fetched for their line */

static void
on_large(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  Bodies *all = user_data;
  all->unread |= response->kind == ML_RESPONSE_MALFORMED;
  for (const MlNode *node = response->kind == ML_RESPONSE_SEARCH ? response->data : NULL; node; node = node->next) {
    guint64 number;
    guint at;
    if (ml_node_number(node, G_MAXUINT32, &number) && has(all->uids, (guint32)number, &at))
      all->large[at] = TRUE;
  }
}

/* Of the uids from @from to before @to. Where there are more than an answer may hold, the halves are asked for; between few
 * numbers there cannot be. */
static gboolean
find_between(Bodies *all, MlImap *imap, guint from, guint to, GError **error)
{
  guint32 low = g_array_index(all->uids, guint32, from), high = g_array_index(all->uids, guint32, to - 1);
  if (!all->questions)
    return TRUE; /* whole texts that are too long are cut when they come */
  all->questions--;
  all->unread = FALSE;
  if (!ml_imap_session_command(imap->session, on_large, all, error, "UID SEARCH UID %u:%u LARGER %" G_GSIZE_FORMAT, low, high,
                               all->most))
    return FALSE;
  guint middle = from + (to - from) / 2;
  return !all->unread || high - low < LARGE_SPAN ||
         (find_between(all, imap, from, middle, error) && find_between(all, imap, middle, to, error));
}

static gboolean
find_large(Bodies *all, MlImap *imap, GError **error)
{
  MlSieve *sieve = imap->session->stream->sieve;
  all->large = g_malloc0(all->uids->len);
  all->questions = LARGE_QUESTIONS;
  ml_sieve_set_lenient(sieve, LARGE_TEXT);
  gboolean ok = find_between(all, imap, 0, all->uids->len, error);
  ml_sieve_set_lenient(sieve, 0);
  return ok;
}

gboolean
ml_imap_bodies(MlDriver *driver, const GArray *uids, gsize most, gboolean lines, MlBodiesFunc func,
               gpointer user_data, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  Bodies all = { .uids = uids, .most = most, .lines = lines, .func = func, .user_data = user_data, .left = uids->len,
                 .size = FIRST, .pieces = G_QUEUE_INIT };
  if (!ml_imap_need_folder(imap, error) || !ml_imap_session_settle(imap->session, error) ||
      (uids->len > MESSAGES && !ml_imap_compress(imap, error)) || (lines && !find_large(&all, imap, error))) {
    g_clear_pointer(&all.large, g_free);
    return FALSE;
  }
  all.bodies = g_ptr_array_new_with_free_func((GDestroyNotify)ml_body_free);
  ml_sieve_set_literals(imap->session->stream->sieve, most, ML_MESSAGE_MAX);
  gboolean ok = pull(&all, imap, error);
  ml_sieve_set_literals(imap->session->stream->sieve, ML_HEADER_MAX, ML_MESSAGE_MAX);
  for (Piece *piece; (piece = g_queue_pop_head(&all.pieces));) { /* the line broke before their answers */
    g_queue_remove(&imap->session->asked, &piece->text);
    g_queue_remove(&imap->session->asked, &piece->line);
    piece_free(piece);
  }
  g_clear_pointer(&all.large, g_free);
  g_ptr_array_unref(all.bodies);
  return ok;
}
