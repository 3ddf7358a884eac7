#ifndef ML_IMAP_PRIVATE_H
#define ML_IMAP_PRIVATE_H

#include "mail/driver-private.h"
#include "mail/imap-sieve.h"
#include "mail/line-private.h"
#include "mail/wire-private.h"

/* ---- imap-stream.c: libetpan's low stream over crypto's TLS, with the sieve between */

/* Sees every response before libetpan does. FALSE with an error ends the connection. */
typedef gboolean (*MlImapResponseFunc)(const MlResponse *response, gpointer user_data, GError **error);

typedef struct {
  MlWire wire;
  MlSieve *sieve;      /* owned */
  MlImapResponseFunc func;
  gpointer user_data;
  gboolean greeted;
} MlImapStream;

MlImapStream *ml_imap_stream_new(CryptoTls *tls, MlImapResponseFunc func, gpointer user_data); /* takes @tls */
void ml_imap_stream_free(MlImapStream *stream); /* after the session that used it */

/* The next response for a command of our own, after @func saw it; borrowed until the next call. */
const MlResponse *ml_imap_stream_next(MlImapStream *stream, GError **error);
/* As above, but only what needs no waiting: NULL without an error when there is none. */
const MlResponse *ml_imap_stream_ready(MlImapStream *stream, GError **error);
/* Straight to the server, through no buffer that would keep it: for secrets. What libetpan buffered goes
 * first. */
gboolean ml_imap_stream_write(MlImapStream *stream, const char *data, gsize length, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
void ml_imap_stream_compress(MlImapStream *stream); /* after the OK to COMPRESS, before another word */
gboolean ml_imap_stream_is_clean(MlImapStream *stream); /* not a byte is buffered anywhere */
void ml_imap_stream_fail(MlImapStream *stream);         /* everything fails from now on: no LOGOUT on the way out */

/* ---- imap-session.c: one connection */

enum {
  ML_IMAP_IDLE = 1 << 0,
  ML_IMAP_MOVE = 1 << 1,
  ML_IMAP_UIDPLUS = 1 << 2,
  ML_IMAP_STARTTLS = 1 << 3,
  ML_IMAP_LOGINDISABLED = 1 << 4,
  ML_IMAP_SASL_IR = 1 << 5,
  ML_IMAP_SPECIAL_USE = 1 << 6,
  ML_IMAP_LIST_EXTENDED = 1 << 7,
  ML_IMAP_LIST_STATUS = 1 << 8,
  ML_IMAP_LITERAL_PLUS = 1 << 9,
  ML_IMAP_ENABLE = 1 << 10,
  ML_IMAP_CONDSTORE = 1 << 11,
  ML_IMAP_QRESYNC = 1 << 12,
  ML_IMAP_ESEARCH = 1 << 13,
  ML_IMAP_COMPRESS = 1 << 14,
};

/* A message of the selected folder, by its sequence number; there may be very many of them. */
typedef struct {
  guint32 uid;  /* 0: not known yet */
  guint8 flags; /* ML_IMAP_FLAGS_UNKNOWN: not known yet */
} __attribute__((packed)) MlImapSlot;
G_STATIC_ASSERT(sizeof(MlImapSlot) == 5);
enum { ML_IMAP_FLAGS_UNKNOWN = 0x80 };
G_STATIC_ASSERT((int)ML_FLAG_RECENT < (int)ML_IMAP_FLAGS_UNKNOWN); /* the largest of them */
MlImapSlot ml_imap_slot(guint32 uid, guint flags); /* @flags may be ML_SYNC_UNKNOWN */
MlFlagChange ml_imap_slot_says(const MlImapSlot *slot); /* likewise */

typedef struct {
  guint32 low, high;
} MlImapRange;

typedef struct MlImapSession MlImapSession;
/* A response of the command that runs; what the session keeps up itself (EXISTS, EXPUNGE, FLAGS) is done
 * already. */
typedef void (*MlImapDataFunc)(MlImapSession *session, const MlResponse *response, gpointer user_data);

/* A command that was sent without waiting for the one before. Answers are taken in the order of the commands only: what
 * comes untagged belongs to the first that is not answered. */
typedef struct {
  int tag; /* 0: not sent */
  MlImapDataFunc data;
  gpointer user_data;
  gboolean done;
  MlResponseKind status;
  char *code, *words;
} MlImapAsk;

typedef struct MlImapAhead MlImapAhead;

struct MlImapSession {
  mailimap *imap;
  MlImapStream *stream;
  char *host;
  guint caps;
  GPtrArray *auths;      /* of char *, upper case: AUTH= */
  gboolean greeted, preauth;
  gboolean sent;         /* the last ml_imap_session_command() reached the line, whatever came back */
  gboolean ask_capability, saw_capability; /* the command runs; its data came */
  gboolean believe;      /* a CAPABILITY code is taken: in an encrypted greeting, and in the answer to the login */
  GQueue asked;          /* of MlImapAsk, not answered yet; borrowed */
  gboolean piping;       /* what is asked does not wait for those, and gathers in piped */
  GString *piped;
  MlImapAhead *ahead;    /* what was sent along with the login, or right behind it; NULL: nothing */
  void (*follow)(MlImapSession *session, gpointer user_data); /* sends more behind a login of one step; NULL */
  gpointer follow_user;
  gboolean along, logged_in; /* ahead was sent along with the login; that went well */
  gboolean together;     /* this server bears what is sent before the login is answered */
  gboolean proved_along; /* and SCRAM's proof went with its empty last word and with ahead */
  /* AUTHENTICATE goes before the greeting is read: it will, it did, and is not answered yet */
  enum { ML_IMAP_IN_TURN, ML_IMAP_EARLY, ML_IMAP_EARLY_SENT } early;
  gint64 began, hastened; /* monotonic: when it was connected; when the early AUTHENTICATE went */
  gboolean turned_away;  /* its greeting was BYE */
  gboolean compressed;   /* or asked for, and refused */
  gint64 answer_us;      /* how long the server's first answer on the encrypted line took */
  gboolean refused;      /* the login was, and what was sent behind it; the line may have gone with them */
  char delimiter;        /* between the levels of folder names; '\0': not known */
  /* the selected folder */
  char *folder;          /* NULL: none */
  guint32 uidvalidity, uidnext; /* uidnext 0: it did not say */
  guint64 modseq;        /* HIGHESTMODSEQ at SELECT; 0: none is kept */
  gboolean qresync;      /* ENABLEd: what goes is told by VANISHED, not EXPUNGE */
  GArray *earlier;       /* of MlImapRange: VANISHED (EARLIER) is collected while this is set; borrowed. Unset when
                            there are too many */
  gboolean read_only, keywords, forwarded; /* PERMANENTFLAGS: \*, $Forwarded */
  GArray *slots;         /* of MlImapSlot */
  guint moved;           /* how often the slots have shifted */
  gboolean listening;    /* news go to changes; not while SELECT builds the slots */
  GHashTable *own;       /* numbers whose flags we change ourselves now; or NULL */
  MlChanges *changes;    /* news since the last look */
  /* the command that runs */
  int tag; /* 0: one of libetpan's own */
  gboolean answered;
  MlImapDataFunc data;
  gpointer data_user;
  /* its end */
  MlResponseKind status;
  char *code, *words;
};

MlImapSession *ml_imap_session_new(CryptoTls *tls, const char *host); /* takes @tls */
void ml_imap_session_free(MlImapSession *session);

gboolean ml_imap_session_greet(MlImapSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The first command, before the greeting is read; that comes next, and then the answer, which is ml_imap_session_finish()'s. */
gboolean ml_imap_session_send_early(MlImapSession *session, const char *command, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_imap_session_greet_early(MlImapSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_imap_session_capability(MlImapSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_imap_session_starttls(MlImapSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* @parameters: "CONDSTORE", "QRESYNC (1 2)"; NULL: none. */
gboolean ml_imap_session_select(MlImapSession *session, const char *folder, const char *parameters,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_imap_session_noop(MlImapSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_imap_session_has_auth(MlImapSession *session, const char *mechanism);

/* A command by our own writer. The words must be free of CR, LF and NUL: that is checked. Ends with TRUE
 * on OK; on NO and BAD with FAILED (@session->status, code and words tell more), else with OFFLINE,
 * PROTOCOL or CANCELLED. */
gboolean ml_imap_session_command(MlImapSession *session, MlImapDataFunc data, gpointer user_data, GError **error,
                                 const char *format, ...) G_GNUC_PRINTF(5, 6) G_GNUC_WARN_UNUSED_RESULT;
/* The halves of it, for AUTHENTICATE and IDLE. */
gboolean ml_imap_session_send(MlImapSession *session, const char *command, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Reads up to the command's end, or up to "+" if @go_on: then *challenge is what stands behind it. */
gboolean ml_imap_session_finish(MlImapSession *session, gboolean *go_on, char **challenge, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* What is asked in between goes out together, at the end; whatever else is sent before that sends it first. */
void ml_imap_session_pipe(MlImapSession *session);
gboolean ml_imap_session_pipe_end(MlImapSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* @ask must stay until it is answered or the session is gone. Only while @session->piping. */
gboolean ml_imap_session_ask(MlImapSession *session, MlImapAsk *ask, GError **error, const char *format, ...)
    G_GNUC_PRINTF(4, 5) G_GNUC_WARN_UNUSED_RESULT;
/* Waits for its end, which is told as ml_imap_session_command() tells it. */
gboolean ml_imap_session_answer(MlImapSession *session, MlImapAsk *ask, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Waits for the end of all that was asked. Whatever is sent otherwise than by _ask() does. */
gboolean ml_imap_session_settle(MlImapSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The two halves of ml_imap_session_select(): before the command, and after its end. */
void ml_imap_session_selecting(MlImapSession *session);
gboolean ml_imap_session_selected(MlImapSession *session, const char *folder, gboolean ok, GError **error);
void ml_imap_session_capability_data(MlImapSession *session); /* what it could do is forgotten; it is about to say */

/* ---- imap-ahead.c: SELECT and what follows, sent before the login is answered, or before each other is */

/* What is expected to be asked first on a new connection (ml_driver_expect()). */
typedef struct {
  char *server; /* capabilities after the login, as they were; NULL: not known */
  char *folder; /* NULL: none */
  MlSyncPoint known;
  guint first; /* messages to fetch, the newest, as soon as it is known how many there are; 0: none */
  guint from;  /* the first of them, by its place; 0: it is not known */
} MlImapExpected;
void ml_imap_expect_headers(MlImapExpected *expected, guint total);
void ml_imap_expected_clear(MlImapExpected *expected);

/* What is remembered of a server, and of that what may be asked of it; security is never decided by it. */
typedef struct {
  guint caps;
  char delimiter;    /* '\0': not known */
  gboolean told;     /* it says after the login what it can do, without being asked */
  gboolean stepwise; /* it does not bear what is sent before the login is answered */
  gboolean scram;    /* it lets us in by SCRAM, under implicit TLS */
  guint late;        /* the day, since 1970, when it did not before it had greeted; 0: it did */
} MlImapServer;
char *ml_imap_server_words(const MlImapServer *server); /* transfer full */
void ml_imap_server_read(const char *words, MlImapServer *server);

/* Sends CAPABILITY if the server does not tell by itself, ENABLE, SELECT and FETCH as @caps allow. */
gboolean ml_imap_ahead_send(MlImapSession *session, const MlImapExpected *expected, guint caps, gboolean capability,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_imap_ahead_capability(MlImapSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_imap_ahead_is(const MlImapSession *session, const char *folder, const MlSyncPoint *known);
/* Its SELECT. *resynced: with QRESYNC, and @earlier is filled. */
gboolean ml_imap_ahead_select(MlImapSession *session, GArray *earlier, gboolean *resynced, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* Its FETCH: headers of all messages from *lowest on, or NULL without an error. Array of MlHeader; transfer full. */
GPtrArray *ml_imap_ahead_headers(MlImapSession *session, guint32 *lowest, GError **error);
/* Reads all that is left of it. FALSE: the line broke. */
gboolean ml_imap_ahead_settle(MlImapSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_imap_ahead_free(MlImapAhead *ahead);

/* "Sent/2024" as the server writes it: its delimiter, modified UTF-7. NULL with an error for what no name
 * can hold, or when the delimiter had to be asked for and did not come. Transfer full. */
char *ml_imap_session_mailbox(MlImapSession *session, const char *folder, GError **error);
char *ml_imap_quote(const char *text); /* transfer full */
gboolean ml_imap_session_is_broken(const GError *error);
gboolean ml_imap_session_refuse(MlImapSession *session, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4); /* "broke the rules of IMAP: ..."; FALSE */

/* ---- imap-slots.c: what a server says of the messages of the selected folder. FALSE: the line is given up. */
gboolean ml_imap_slots_exists(MlImapSession *session, guint32 number, GError **error);
gboolean ml_imap_slots_expunge(MlImapSession *session, guint32 number, GError **error);
void ml_imap_slots_vanished(MlImapSession *session, const MlNode *data);
void ml_imap_slots_fetch(MlImapSession *session, const MlResponse *response);
/* While nothing is said they take one octet each instead of five, where their numbers mostly follow each other. NULL: they
 * stay as they are. Else there are none until they are unpacked, which takes @packed. */
typedef struct MlImapPacked MlImapPacked;
MlImapPacked *ml_imap_slots_pack(MlImapSession *session) G_GNUC_WARN_UNUSED_RESULT;
void ml_imap_slots_unpack(MlImapSession *session, MlImapPacked *packed); /* NULL is fine */

/* ---- imap-sasl.c */
/* What may go before the greeting: it gives no password away, whoever the server is. */
#define ML_IMAP_EARLY_BY "SCRAM-SHA-256"

/* Logs in by the best mechanism that the server offers and the account allows. Nothing is sent before the
 * connection is encrypted. A wrong password is asked for again, three times in all. */
gboolean ml_imap_login(MlImapSession *session, const MlAccount *account, const MlDriverHooks *hooks,
                       GCancellable *cancellable, MlSaslTries *tries, char **mechanism, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ---- imap-parse.c: pure */
guint ml_imap_flags(const MlNode *list);
gboolean ml_imap_date(const MlNode *node, gint64 *when);
char *ml_imap_flags_text(guint flags); /* "\\Seen \\Flagged"; transfer full */
const MlNode *ml_imap_item(const MlNode *items, const char *name); /* the value behind an item's name */
const MlNode *ml_imap_body(const MlNode *items);                   /* the value behind BODY[...] */
MlHeader *ml_imap_header(const MlNode *items);                     /* NULL: no UID in it */
MlFolder *ml_imap_folder(const MlNode *list_data);                 /* NULL: not one */
GArray *ml_imap_ranges(const MlNode *node); /* "1:3,7": of MlImapRange, ascending; NULL: it is none. Transfer full */
void ml_imap_ranges_sort(GArray *ranges); /* and joins those that overlap */
gboolean ml_imap_in_ranges(const GArray *ranges, guint32 uid);
GArray *ml_imap_numbers(const MlNode *node, guint most); /* "1:3,7": of guint32, as they stand; NULL: it is none */
char *ml_imap_uid_set(GArray *uids); /* sorts them; "1:3,7"; transfer full */

/* ---- imap.c: the driver; imap-mail.c: lists and changes; imap-fetch.c: messages; imap-news.c: what changed by
 * itself */
typedef struct {
  MlDriver base;
  MlImapSession *session; /* NULL: not connected */
  CryptoTls *tls;         /* the session's; written under the driver's lock, for the interrupt */
  guint connections;      /* how many there were */
  char *folder;           /* that the caller opened; survives the session */
  guint32 uidvalidity;
  gboolean listed;        /* its headers were told */
  GArray *known;          /* of MlImapSlot: what was told before the session broke; NULL: nothing to compare */
  gboolean idle_refused;
  int noop_ms;            /* how often to ask where there is no IDLE */
  GPtrArray *unmarked;    /* others' deleted, to be marked again: imap-expunge.c; NULL: none */
  guint unmarked_tries;
  guint32 unstructured;   /* a message whose BODYSTRUCTURE broke the line; 0: none */
  MlImapExpected expected;
  enum { ML_IMAP_TOGETHER, ML_IMAP_STEPWISE, ML_IMAP_STEPWISE_KEPT } stepwise; /* it did not bear more behind a login */
  guint late;             /* nor a login before it had greeted: MlImapServer's */
  MlSaslTries tries;      /* of the connecting under way */
  char *server;           /* ml_driver_server() */
} MlImap;

gboolean ml_imap_connect_stepwise(MlImap *imap, const GError *why); /* TRUE: there is a new session */
gboolean ml_imap_need_folder(MlImap *imap, GError **error); /* after a new connection: opens it again */
/* What a line of the index is made of (ml_imap_header()). */
#define ML_IMAP_HEADER_ITEMS                                                                                 \
  "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM TO CC SUBJECT MESSAGE-ID REFERENCES " \
  "IN-REPLY-TO CONTENT-TYPE)])"
gboolean ml_imap_ask_headers(MlImapSession *session, MlImapAsk *ask, guint32 from, GError **error)
    G_GNUC_WARN_UNUSED_RESULT; /* ask->user_data: array of MlHeader */
gboolean ml_imap_headers(MlDriver *driver, guint32 above, guint first, MlHeadersFunc func, gpointer user_data,
                         GError **error);
gboolean ml_imap_headers_of(MlDriver *driver, const GArray *uids, MlHeadersFunc func, gpointer user_data,
                            GError **error);
gboolean ml_imap_uids(MlDriver *driver, GArray *uids, GError **error);
/* imap-bodies.c */
gboolean ml_imap_bodies(MlDriver *driver, const GArray *uids, gsize most, gboolean lines, MlBodiesFunc func,
                        gpointer user_data, GError **error);
/* imap-search.c */
gboolean ml_imap_search(MlDriver *driver, const MlQuery *query, GArray *uids, GError **error);
enum { ML_IMAP_BULK = 300 }; /* from more headers than these on, much is fetched */
/* imap-compress.c: before much is fetched. FALSE: the line broke; that it is refused is no error */
gboolean ml_imap_compress(MlImap *imap, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* imap-sync.c */
const char *ml_imap_select_parameters(guint caps, gboolean qresync, const MlSyncPoint *known, char **made);
gboolean ml_imap_list_all(MlImapSession *session, GError **error); /* numbers and flags of all slots */
/* @had, array of MlFlagChange, ascending (flags may be ML_IMAP_FLAGS_UNKNOWN), with the slots: @news' three lists. */
void ml_imap_compare(const MlImapSession *session, const GArray *had, MlSyncNews *news);
gboolean ml_imap_sync(MlDriver *driver, const char *folder, const MlSyncPoint *known, const GArray *had,
                      MlSyncNews *news, GError **error);
GBytes *ml_imap_fetch(MlDriver *driver, guint32 uid, gint64 *received, MlProgressFunc func, gpointer user_data,
                      GError **error);
GBytes *ml_imap_fetch_shown(MlDriver *driver, guint32 uid, guint64 size, GPtrArray **left, gint64 *received,
                            MlProgressFunc func, gpointer user_data, GError **error);
GBytes *ml_imap_fetch_part(MlDriver *driver, guint32 uid, const char *section, guint64 size, MlProgressFunc func,
                           gpointer user_data, GError **error);
gboolean ml_imap_store_flags(MlDriver *driver, GArray *uids, guint add, guint remove, GError **error);
gboolean ml_imap_flags_as(MlDriver *driver, guint32 from, guint32 to, GError **error); /* imap-keywords.c */
gboolean ml_imap_copy(MlDriver *driver, GArray *uids, const char *folder, GError **error);
gboolean ml_imap_move(MlDriver *driver, GArray *uids, const char *folder, GError **error);
gboolean ml_imap_moves_whole(const MlDriver *driver);
gboolean ml_imap_expunge(MlDriver *driver, GArray *uids, GError **error);
/* imap-expunge.c: without UIDPLUS */
gboolean ml_imap_expunge_plain(MlImap *imap, const GArray *uids, GError **error);
/* Right after a connection was made: what an earlier one left unmarked. FALSE: the line broke. */
gboolean ml_imap_mark_again(MlImap *imap, GError **error);
/* imap-append.c */
gboolean ml_imap_append(MlDriver *driver, const char *folder, GBytes *bytes, guint flags, gint64 received,
                        guint32 *uid, GError **error);
gboolean ml_imap_find(MlDriver *driver, const char *message_id, GArray *uids, GError **error);
gboolean ml_imap_has(MlDriver *driver, const char *folder, const char *message_id, gboolean *found, GError **error);
void ml_imap_opened(MlImap *imap, const char *folder, MlSelected *selected); /* imap.c: the session has selected it */
void ml_imap_remember(MlImap *imap); /* imap.c: what was told of the open folder, before the session leaves it */
gboolean ml_imap_wait(MlDriver *driver, int wake_fd, gboolean once, MlChanges *changes, GError **error);

#endif
