#include <glib/gstdio.h>

#include "mail/worker-private.h"
#include "tests/unit/imap-server.h"

/* Changes carried out at a server that puts things off, and at one that tells wrong numbers. */
#define GREETING "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n"
#define CAPABILITY                                                                                           \
  {                                                                                                          \
    "CAPABILITY", "* CAPABILITY IMAP4rev1 UIDPLUS MOVE\r\n$ OK done\r\n"                                     \
  }
#define OPENS(validity) "* 9 EXISTS\r\n* OK [UIDVALIDITY " validity "] x\r\n$ OK [READ-WRITE] done\r\n"
#define FETCHED(uid, id) "* 1 FETCH (UID " uid " FLAGS () BODY[HEADER.FIELDS (X)] {30}\r\nMessage-ID: <" id ">\r\n\r\n)\r\n"
#define LETTER(uid, id) FETCHED(uid, id) "$ OK done\r\n"
#define REST { "", "$ OK done\r\n" }, { NULL, NULL }

typedef struct {
  char *dir;
  MlAccount account;
  MlPending *pending;
  Server server;
  MlDriver *driver;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  f->dir = g_dir_make_tmp("signet-carry-XXXXXX", NULL);
  f->account = (MlAccount){ .name = g_strdup("far"), .kind = ML_ACCOUNT_IMAP };
  f->account.imap.host = g_strdup("test.example");
  f->pending = ml_pending_open(f->dir, &f->account, FALSE, &error);
  g_assert_no_error(error);
}

static void
connect_with(Fixture *f, const Rule *rules, const MlDriverHooks *hooks)
{
  g_autoptr(GError) error = NULL;
  MlImapSession *session = start(&f->server, GREETING, rules);
  gboolean ok = ml_imap_session_greet(session, &error) && ml_imap_session_capability(session, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  f->driver = ml_driver_new(&f->account, hooks);
  ((MlImap *)f->driver)->session = session;
}

static void
connect_to(Fixture *f, const Rule *rules)
{
  static const MlDriverHooks hooks = { 0 };
  connect_with(f, rules, &hooks);
}

/* What it heard; transfer full. */
static char *
hang_up(Fixture *f)
{
  ml_driver_free(f->driver);
  g_thread_join(f->server.thread);
  return g_string_free(f->server.heard, FALSE);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
  ml_pending_free(f->pending);
  g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_autofree char *path = g_build_filename(f->dir, name, NULL);
    g_assert_cmpint(g_unlink(path), ==, 0);
  }
  g_assert_cmpint(g_rmdir(f->dir), ==, 0);
  g_free(f->account.name);
  g_free(f->account.imap.host);
  g_free(f->dir);
}

static MlPendingEntry *
entry_of(MlPendingKind kind, const char *folder, const char *to)
{
  MlPendingEntry *entry = ml_pending_entry_new(kind, folder, kind == ML_PENDING_REMOVE ? 0 : 7, to);
  entry->add = kind == ML_PENDING_FLAGS ? ML_FLAG_FLAGGED : 0;
  return entry;
}

/* Takes @entry, with these messages. */
static gint64
add(Fixture *f, MlPendingEntry *entry, guint32 first, guint32 last)
{
  g_autoptr(GError) error = NULL;
  for (guint32 uid = first; uid <= last; uid++)
    ml_pending_entry_add(entry, uid, 0, "anna@test.xy", "A subject");
  gint64 id = ml_pending_add(f->pending, entry, &error);
  ml_pending_entry_free(entry);
  g_assert_no_error(error);
  return id;
}

static gboolean
carry(Fixture *f, GError **error)
{
  const MlPendingFuncs funcs = { NULL, NULL, NULL, NULL };
  gboolean busy, ok = ml_pending_carry(f->pending, f->driver, NULL, &funcs, &busy, error);
  g_assert_false(busy);
  return ok;
}

/* It stands so; transfer full. */
static MlPendingEntry *
must_be(Fixture *f, gint64 id, MlPendingState state)
{
  g_autoptr(GError) error = NULL;
  MlPendingEntry *entry = ml_pending_find(f->pending, id, &error);
  g_assert_no_error(error);
  g_assert_cmpint(entry->state, ==, state);
  return entry;
}

static void
is(Fixture *f, gint64 id, MlPendingState state)
{
  ml_pending_entry_free(must_be(f, id, state));
}

/* A folder that cannot be opened just now: what is to be done there waits, in its order, and the rest is done. */
static void
test_put_off(Fixture *f, gconstpointer data)
{
  static const Rule rules[] = { CAPABILITY, { "SELECT \"Busy\"", "$ NO [INUSE] later\r\n" },
                                { "SELECT", OPENS("7") }, REST };
  static const Rule mended[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID SEARCH", "* SEARCH 8\r\n$ OK done\r\n" },
                                 REST };
  gint64 flags = add(f, entry_of(ML_PENDING_FLAGS, "Busy", NULL), 4, 4);
  gint64 move = add(f, entry_of(ML_PENDING_MOVE, "INBOX", "Busy"), 5, 5);
  gint64 behind = add(f, entry_of(ML_PENDING_FLAGS, "INBOX", NULL), 5, 5);
  gint64 other = add(f, entry_of(ML_PENDING_FLAGS, "Other", NULL), 6, 6);
  g_autoptr(GError) error = NULL;
  connect_to(f, rules);
  g_assert_false(carry(f, &error));
  g_assert_nonnull(strstr(error->message, "later"));
  is(f, flags, ML_PENDING_WAITING);
  is(f, move, ML_PENDING_WAITING);
  is(f, behind, ML_PENDING_WAITING);
  is(f, other, ML_PENDING_DONE);
  g_free(hang_up(f));
  g_clear_error(&error);
  connect_to(f, mended);
  g_assert_true(carry(f, &error));
  g_assert_no_error(error);
  is(f, flags, ML_PENDING_DONE);
  is(f, move, ML_PENDING_DONE);
  g_free(hang_up(f));
}

/* The same of a change itself, however often; but not for ever. What else is refused is refused. */
static void
test_patience(Fixture *f, gconstpointer data)
{
  static const Rule rules[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID STORE 9", "$ NO [LIMIT] too many\r\n" },
                                { "UID STORE", "$ NO [SERVERBUG] oops\r\n" },
                                { "UID MOVE", "$ NO [UNAVAILABLE] not now\r\n" },
                                { "UID FETCH 5 ", LETTER("5", "anna@test.xy") }, REST };
  MlPendingEntry *old = entry_of(ML_PENDING_FLAGS, "Old", NULL);
  old->at = g_get_real_time() / G_USEC_PER_SEC - 2 * 24 * 3600;
  gint64 flags = add(f, entry_of(ML_PENDING_FLAGS, "INBOX", NULL), 4, 4);
  gint64 move = add(f, entry_of(ML_PENDING_MOVE, "Other", "Trash"), 5, 5);
  gint64 never = add(f, old, 6, 6);
  gint64 refused = add(f, entry_of(ML_PENDING_FLAGS, "Third", NULL), 9, 9);
  connect_to(f, rules);
  for (guint i = 0; i < 12; i++) {
    g_autoptr(GError) error = NULL;
    g_assert_false(carry(f, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  }
  g_autoptr(MlPendingEntry) entry = must_be(f, flags, ML_PENDING_BEGUN);
  g_assert_cmpuint(entry->tries, ==, 1);
  g_assert_nonnull(strstr(entry->error, "oops"));
  is(f, move, ML_PENDING_WAITING); /* it was refused as a whole, and may be taken back */
  is(f, never, ML_PENDING_FAILED);
  is(f, refused, ML_PENDING_FAILED);
  g_free(hang_up(f));
}

/* What may be done in part cannot be taken back any more: a MOVE of several, and what is refused behind one. */
static void
test_in_part(Fixture *f, gconstpointer data)
{
  static const Rule several[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID MOVE", "$ NO [UNAVAILABLE] not now\r\n" }, REST };
  static const Rule behind[] = { CAPABILITY, { "SELECT \"Trash\"", "$ NO [INUSE] later\r\n" }, { "SELECT", OPENS("7") }, REST };
  for (guint i = 0; i < 2; i++) {
    g_autoptr(GError) error = NULL;
    gint64 id = add(f, entry_of(ML_PENDING_MOVE, "INBOX", "Trash"), 4, i ? 4 : 5);
    connect_to(f, i ? behind : several);
    g_assert_false(carry(f, &error));
    is(f, id, ML_PENDING_BEGUN);
    g_assert_false(ml_pending_drop(f->pending, id, NULL));
    g_free(hang_up(f));
    g_clear_error(&error);
    if (i == 0) { /* out of the way of the next */
      static const Rule done[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID SEARCH", "* SEARCH 8\r\n$ OK done\r\n" }, REST };
      connect_to(f, done);
      g_assert_true(carry(f, &error));
      g_free(hang_up(f));
    }
  }
}

/* What was refused whole is asked for again as if it were new: nothing of it can be there, Message-ID or not. */
static void
test_as_new(Fixture *f, gconstpointer data)
{
  static const Rule busy[] = { CAPABILITY, { "APPEND", "$ NO [UNAVAILABLE] later\r\n" }, { NULL, NULL } };
  static const Rule free[] = { { "CAPABILITY", "* CAPABILITY IMAP4rev1 LITERAL+\r\n$ OK done\r\n" },
                               { "APPEND", "$ OK done\r\n" }, { "", "" }, { NULL, NULL } };
  g_autoptr(GError) error = NULL;
  MlPendingEntry *entry = entry_of(ML_PENDING_APPEND, "Drafts", NULL);
  entry->bytes = g_bytes_new_static("Subject: x\r\n\r\n", 14);
  ml_pending_entry_add(entry, 0, 0, "", "x");
  gint64 id = add(f, entry, 1, 0);
  connect_to(f, busy);
  for (guint i = 0; i < 2; i++) {
    g_assert_false(carry(f, &error));
    g_autoptr(MlPendingEntry) now = must_be(f, id, ML_PENDING_WAITING);
    g_assert_cmpuint(now->tries, ==, 0);
    g_clear_error(&error);
  }
  g_free(hang_up(f));
  connect_to(f, free);
  g_assert_true(carry(f, &error));
  g_assert_no_error(error);
  is(f, id, ML_PENDING_DONE);
  g_autofree char *heard = hang_up(f);
  g_assert_null(strstr(heard, "SEARCH"));
}

static void
on_settled(const MlPendingEntry *entry, const GError *why, gpointer user_data)
{
  *(gboolean *)user_data = why && entry->partly;
}

/* A move by copying that ends half way is not told as one that was refused. */
static void
test_half_done(Fixture *f, gconstpointer data)
{
  static const Rule half[] = { { "CAPABILITY", "* CAPABILITY IMAP4rev1 UIDPLUS\r\n$ OK done\r\n" }, { "SELECT", OPENS("7") },
                               { "UID STORE", "$ NO [NOPERM] not yours\r\n" }, REST };
  static const Rule none[] = { { "CAPABILITY", "* CAPABILITY IMAP4rev1 UIDPLUS\r\n$ OK done\r\n" }, { "SELECT", OPENS("7") },
                               { "UID COPY", "$ NO [NOPERM] not yours\r\n" },
                               { "UID FETCH 4 ", LETTER("4", "anna@test.xy") }, REST };
  for (guint i = 0; i < 2; i++) {
    g_autoptr(GError) error = NULL;
    gboolean busy, partly = FALSE;
    const MlPendingFuncs funcs = { NULL, on_settled, NULL, &partly };
    gint64 id = add(f, entry_of(ML_PENDING_MOVE, "INBOX", "Trash"), 4, 4);
    connect_to(f, i ? none : half);
    g_assert_true(ml_pending_carry(f->pending, f->driver, NULL, &funcs, &busy, &error));
    g_assert_no_error(error);
    g_autoptr(MlPendingEntry) entry = must_be(f, id, ML_PENDING_FAILED);
    g_assert_nonnull(strstr(entry->error, "not yours"));
    g_assert_cmpint(partly, ==, i == 0);
    g_assert_true((strstr(entry->error, "copied to Trash already") != NULL) == (i == 0));
    g_free(hang_up(f));
  }
}

/* What one of them meets that another program has taken away between the look and the question. */
typedef struct {
  MlPendingKind kind;
  guint last;           /* from 4 */
  MlPendingState state; /* in the end */
  gboolean partly;
  const char *words, *asked; /* of the failure, and of what was heard */
  const Rule *rules;
} Overtaken;

#define ONE_GONE "\"A subject\" <anna@test.xy> is not in INBOX any more"
#define NOT_ALL "$ NO [EXPUNGEISSUED] some do not exist\r\n"
#define TWO_LEFT                                                                                              \
  {                                                                                                           \
    "UID FETCH 4:6", FETCHED("4", "anna@test.xy") LETTER("6", "anna@test.xy")                                 \
  }

static void
test_overtaken(Fixture *f, gconstpointer data)
{
  static const Rule none[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID COPY", NOT_ALL }, { "UID MOVE", NOT_ALL },
                               { "UID SEARCH", "* SEARCH\r\n$ OK done\r\n" }, REST };
  static const Rule there[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID COPY", NOT_ALL }, { "UID MOVE", NOT_ALL },
                                { "UID SEARCH", "* SEARCH 8\r\n$ OK done\r\n" }, REST };
  static const Rule rest[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID COPY 4:6", NOT_ALL }, { "UID MOVE 4:6", NOT_ALL },
                               { "4,6 ", "* OK [COPYUID 9 4,6 1:2] x\r\n$ OK done\r\n" },
                               { "UID SEARCH", "* SEARCH\r\n$ OK done\r\n" }, TWO_LEFT, REST };
  static const Rule full[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID MOVE 4:6", NOT_ALL },
                               { "UID MOVE 4,6", "$ NO [OVERQUOTA] full\r\n" },
                               { "UID FETCH 4,6", FETCHED("4", "anna@test.xy") LETTER("6", "anna@test.xy") }, TWO_LEFT,
                               { "UID SEARCH", "* SEARCH 8\r\n$ OK done\r\n" }, REST };
  static const Rule nothing[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID SEARCH", "* SEARCH\r\n$ OK done\r\n" }, REST };
  static const Rule line[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID MOVE", NOT_ALL }, { "UID FETCH", "!" },
                               { NULL, NULL } };
  static const Overtaken cases[] = {
    { ML_PENDING_COPY, 4, ML_PENDING_FAILED, FALSE, ONE_GONE, "UID COPY 4 ", none },
    { ML_PENDING_MOVE, 4, ML_PENDING_FAILED, FALSE, ONE_GONE, "UID MOVE 4 ", none },
    { ML_PENDING_COPY, 6, ML_PENDING_FAILED, FALSE, "3 messages (\"A subject\" is one) are not in", "UID COPY 4:6 ", none },
    { ML_PENDING_MOVE, 4, ML_PENDING_DONE, FALSE, NULL, "UID MOVE 4 ", there },
    { ML_PENDING_COPY, 4, ML_PENDING_FAILED, FALSE, ONE_GONE, "UID COPY 4 ", there }, /* an older copy is not this one */
    { ML_PENDING_COPY, 6, ML_PENDING_FAILED, TRUE, ONE_GONE, "UID COPY 4,6 ", rest },
    { ML_PENDING_MOVE, 6, ML_PENDING_FAILED, TRUE, ONE_GONE, "UID MOVE 4,6 ", rest },
    { ML_PENDING_MOVE, 6, ML_PENDING_FAILED, TRUE, "may have been copied to Trash already", "UID MOVE 4,6 ", full },
    { ML_PENDING_MOVE, 4, ML_PENDING_BEGUN, FALSE, "", "UID MOVE 4 ", line },
    { ML_PENDING_MOVE, 4, ML_PENDING_FAILED, FALSE, ONE_GONE, "UID MOVE 4 ", nothing }, /* OK is said of none, too */
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    const Overtaken *c = &cases[i];
    g_autoptr(GError) error = NULL;
    gboolean busy, partly = FALSE;
    const MlPendingFuncs funcs = { NULL, on_settled, NULL, &partly };
    gint64 id = add(f, entry_of(c->kind, "INBOX", "Trash"), 4, c->last);
    connect_to(f, c->rules);
    g_assert_cmpint(ml_pending_carry(f->pending, f->driver, NULL, &funcs, &busy, &error), ==, c->state != ML_PENDING_BEGUN);
    g_autoptr(MlPendingEntry) entry = must_be(f, id, c->state);
    g_autofree char *heard = hang_up(f);
    g_test_message("case %u: %s", i, entry->error ? entry->error : "");
    g_assert_true(!c->words || strstr(entry->error, c->words));
    g_assert_nonnull(strstr(heard, c->asked));
    g_assert_cmpint(partly, ==, c->partly);
  }
}

/* An older copy of a draft is gone where its folder is, and not where that cannot be opened. */
static void
test_remove(Fixture *f, gconstpointer data)
{
  static const Rule rules[] = { CAPABILITY, { "SELECT \"Busy\"", "$ NO [UNAVAILABLE] later\r\n" },
                                { "SELECT \"None\"", "$ NO [NONEXISTENT] none\r\n" },
                                { "SELECT \"Mine\"", "$ NO [NOPERM] no\r\n" }, REST };
  g_autoptr(GError) error = NULL;
  gint64 busy = add(f, entry_of(ML_PENDING_REMOVE, "Busy", NULL), 0, 0);
  gint64 none = add(f, entry_of(ML_PENDING_REMOVE, "None", NULL), 0, 0);
  gint64 mine = add(f, entry_of(ML_PENDING_REMOVE, "Mine", NULL), 0, 0);
  connect_to(f, rules);
  g_assert_false(carry(f, &error));
  is(f, busy, ML_PENDING_WAITING);
  is(f, none, ML_PENDING_DONE);
  is(f, mine, ML_PENDING_FAILED);
  g_free(hang_up(f));
}

/* Two messages do not get one number, whatever it says of them: nothing is kept of that. */
static void
test_one_number_for_two(Fixture *f, gconstpointer data)
{
  static const Rule rules[] = { CAPABILITY, { "SELECT", OPENS("7") },
                                { "UID MOVE", "* OK [COPYUID 9 4:5 8,8] x\r\n$ OK done\r\n" },
                                { "UID SEARCH", "* SEARCH 8\r\n$ OK done\r\n" }, REST };
  g_autoptr(GError) error = NULL;
  gint64 id = add(f, entry_of(ML_PENDING_MOVE, "INBOX", "Trash"), 4, 5);
  connect_to(f, rules);
  g_assert_true(carry(f, &error));
  g_assert_no_error(error);
  g_autoptr(MlPendingEntry) entry = must_be(f, id, ML_PENDING_DONE);
  g_assert_cmpuint(entry->to_validity, ==, 0);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpuint(((const MlPendingMessage *)entry->messages->pdata[i])->there, ==, 0);
  g_free(hang_up(f));
}

/* What it told of one of them it did; of the other it is looked where it is. */
static void
test_half_told(Fixture *f, gconstpointer data)
{
  static const Rule rules[] = { CAPABILITY, { "SELECT", OPENS("7") },
                                { "UID MOVE", "* OK [COPYUID 9 4 8] x\r\n$ OK done\r\n" },
                                { "UID SEARCH", "* SEARCH 8\r\n$ OK done\r\n" }, REST };
  g_autoptr(GError) error = NULL;
  gint64 id = add(f, entry_of(ML_PENDING_MOVE, "INBOX", "Trash"), 4, 5);
  connect_to(f, rules);
  g_assert_true(carry(f, &error));
  g_assert_no_error(error);
  is(f, id, ML_PENDING_DONE);
  g_free(hang_up(f));
}

/* Undo moves back what was moved, and not what happens to have the number that the server told. */
static void
test_moved_back(Fixture *f, gconstpointer data)
{
  static const Rule lost[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID FETCH 8 ", LETTER("8", "other@e.org.") },
                               { "UID SEARCH", "* SEARCH\r\n$ OK done\r\n" }, REST };
  static const Rule found[] = { CAPABILITY, { "SELECT", OPENS("7") }, { "UID FETCH 8 ", LETTER("8", "other@e.org.") },
                                { "UID SEARCH", "* SEARCH 12\r\n$ OK done\r\n" },
                                { "UID MOVE", "* OK [COPYUID 9 12 3] x\r\n$ OK done\r\n" },
                                { "UID FETCH 12 ", LETTER("12", "anna@test.xy") }, REST };
  for (guint i = 0; i < 2; i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *heard = NULL;
    MlPendingEntry *back = ml_pending_entry_new(ML_PENDING_MOVE, "Trash", 7, "INBOX");
    back->by_itself = TRUE;
    ml_pending_entry_add(back, 8, 0, "anna@test.xy", "A subject");
    gint64 id = ml_pending_add(f->pending, back, &error);
    g_assert_no_error(error);
    ml_pending_entry_free(back);
    connect_to(f, i ? found : lost);
    g_assert_true(carry(f, &error));
    g_assert_no_error(error);
    is(f, id, i ? ML_PENDING_DONE : ML_PENDING_FAILED);
    heard = hang_up(f);
    g_assert_null(strstr(heard, "UID MOVE 8"));
    g_assert_true((strstr(heard, "UID MOVE 12") != NULL) == (i == 1));
  }
}

/* One that is put off says nothing about the next, which fails by itself. */
static void
test_not_passing(Fixture *f, gconstpointer data)
{
  static const Rule rules[] = { CAPABILITY, { "SELECT \"Busy\"", "$ NO [INUSE] later\r\n" }, { "SELECT", OPENS("7") }, REST };
  static const char nul[] = "Subject: x\r\n\r\na\0b\r\n";
  g_autoptr(GError) error = NULL;
  gint64 busy = add(f, entry_of(ML_PENDING_FLAGS, "Busy", NULL), 4, 4);
  gint64 gone = add(f, entry_of(ML_PENDING_APPEND, "Drafts", NULL), 0, 0); /* its text is */
  MlPendingEntry *entry = entry_of(ML_PENDING_APPEND, "Drafts", NULL);
  entry->bytes = g_bytes_new_static(nul, sizeof nul - 1);
  gint64 refused = add(f, entry, 0, 0);
  connect_to(f, rules);
  g_assert_false(carry(f, &error));
  g_assert_nonnull(strstr(error->message, "later"));
  is(f, busy, ML_PENDING_WAITING);
  is(f, gone, ML_PENDING_FAILED);
  is(f, refused, ML_PENDING_FAILED);
  g_free(hang_up(f));
}

/* What is to be deleted waits for a note that cannot be read, and what comes behind it in that folder; the rest is done, and
 * so is this once the note is put right, however often it was tried. */
static void
test_note(Fixture *f, gconstpointer data)
{
  static const Rule rules[] = { { "CAPABILITY", "* CAPABILITY IMAP4rev1\r\n$ OK done\r\n" }, { "SELECT", OPENS("7") }, REST };
  g_autofree char *state = g_dir_make_tmp("signet-carry-XXXXXX", NULL), *sub = g_build_filename(state, "unmarked", NULL);
  g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, "test.example\n0\n", -1);
  g_autofree char *name = g_strndup(digest, 32), *lock_name = g_strconcat(name, ".lock", NULL);
  g_autofree char *note = g_build_filename(sub, name, NULL), *lock = g_build_filename(sub, lock_name, NULL);
  const MlDriverHooks hooks = { .state_dir = state };
  g_assert_cmpint(g_mkdir(sub, 0700), ==, 0);
  g_assert_true(g_file_set_contents(note, "no note", -1, NULL));
  gint64 expunge = add(f, entry_of(ML_PENDING_EXPUNGE, "INBOX", NULL), 5, 5);
  gint64 behind = add(f, entry_of(ML_PENDING_FLAGS, "INBOX", NULL), 6, 6);
  gint64 other = add(f, entry_of(ML_PENDING_FLAGS, "Other", NULL), 7, 7);
  for (guint i = 0; i < 12; i++) {
    g_autoptr(GError) error = NULL;
    connect_with(f, rules, &hooks);
    g_assert_false(carry(f, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_FAILED); /* put off, and no fault of the journal's */
    g_assert_nonnull(strstr(error->message, note));
    g_autofree char *heard = hang_up(f);
    g_assert_null(strstr(heard, "EXPUNGE"));
    MlPendingEntry *waits = must_be(f, expunge, ML_PENDING_BEGUN);
    g_assert_nonnull(strstr(waits->error, note));
    g_assert_cmpuint(waits->tries, <=, 1);
    ml_pending_entry_free(waits);
    is(f, behind, ML_PENDING_WAITING);
    is(f, other, ML_PENDING_DONE);
  }
  g_autoptr(GError) error = NULL;
  g_assert_cmpint(g_unlink(note), ==, 0);
  connect_with(f, rules, &hooks);
  gboolean ok = carry(f, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_autofree char *heard = hang_up(f);
  g_assert_nonnull(strstr(heard, "EXPUNGE"));
  is(f, expunge, ML_PENDING_DONE);
  is(f, behind, ML_PENDING_DONE);
  g_assert_cmpint(g_unlink(lock), ==, 0);
  g_assert_cmpint(g_rmdir(sub), ==, 0);
  g_assert_cmpint(g_rmdir(state), ==, 0);
}

/* ---- what the worker tells */

static void
on_event(MlEvent *event, gpointer user_data)
{
}

/* A change that is done is told as done, though another one waits on. */
static void
test_other_waits(Fixture *f, gconstpointer data)
{
  static const Rule rules[] = { CAPABILITY, { "SELECT \"Busy\"", "$ NO [INUSE] later\r\n" }, { "SELECT", OPENS("7") }, REST };
  g_autoptr(GError) error = NULL;
  gint64 busy = add(f, entry_of(ML_PENDING_FLAGS, "Busy", NULL), 4, 4);
  gint64 other = add(f, entry_of(ML_PENDING_FLAGS, "Other", NULL), 6, 6);
  MlWorker worker = { .account = &f->account, .func = on_event, .context = g_main_context_ref_thread_default() };
  MlCommand command = { .kind = ML_COMMAND_CARRY, .entry = other };
  g_mutex_init(&worker.lock);
  connect_to(f, rules);
  worker.pending = ml_pending_open(f->dir, &f->account, TRUE, &error);
  g_assert_no_error(error);
  worker.driver = f->driver;
  gboolean ok = ml_worker_run_carry(&worker, &command, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_false(command.cancelled); /* it waits for nothing */
  is(f, busy, ML_PENDING_WAITING);
  is(f, other, ML_PENDING_DONE);
  command.entry = busy;
  g_assert_false(ml_worker_run_carry(&worker, &command, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_source_destroy(worker.source);
  g_source_unref(worker.source);
  g_queue_clear_full(&worker.events, (GDestroyNotify)ml_event_free);
  ml_worker_pending_clear(&worker);
  g_main_context_unref(worker.context);
  g_mutex_clear(&worker.lock);
  g_free(hang_up(f));
}

/* A folder of that name was opened along with the login; it is another one than its caller has. */
static void
test_other_folder(Fixture *f, gconstpointer data)
{
  static const Rule rules[] = { CAPABILITY, { "SELECT", OPENS("8") }, REST };
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  guint32 uid = 4;
  g_array_append_val(uids, uid);
  connect_to(f, rules);
  MlImap *imap = (MlImap *)f->driver;
  const MlImapExpected expected = { .folder = (char *)"INBOX" };
  imap->folder = g_strdup("INBOX");
  imap->uidvalidity = 7;
  g_assert_true(ml_imap_ahead_send(imap->session, &expected, 0, FALSE, &error));
  g_autofree char *none = ml_driver_role_folder(f->driver, ML_ROLE_TRASH, &error); /* something else is asked first */
  g_assert_null(none);
  g_clear_error(&error);
  g_assert_cmpstr(imap->session->folder, ==, "INBOX");
  g_assert_false(ml_driver_flags(f->driver, uids, ML_FLAG_FLAGGED, 0, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_autofree char *heard = hang_up(f);
  g_assert_null(strstr(heard, "STORE"));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add("/carry/put-off", Fixture, NULL, set_up, test_put_off, tear_down);
  g_test_add("/carry/patience", Fixture, NULL, set_up, test_patience, tear_down);
  g_test_add("/carry/in-part", Fixture, NULL, set_up, test_in_part, tear_down);
  g_test_add("/carry/as-new", Fixture, NULL, set_up, test_as_new, tear_down);
  g_test_add("/carry/half-done", Fixture, NULL, set_up, test_half_done, tear_down);
  g_test_add("/carry/overtaken", Fixture, NULL, set_up, test_overtaken, tear_down);
  g_test_add("/carry/remove", Fixture, NULL, set_up, test_remove, tear_down);
  g_test_add("/carry/one-number-for-two", Fixture, NULL, set_up, test_one_number_for_two, tear_down);
  g_test_add("/carry/half-told", Fixture, NULL, set_up, test_half_told, tear_down);
  g_test_add("/carry/moved-back", Fixture, NULL, set_up, test_moved_back, tear_down);
  g_test_add("/carry/not-passing", Fixture, NULL, set_up, test_not_passing, tear_down);
  g_test_add("/carry/note", Fixture, NULL, set_up, test_note, tear_down);
  g_test_add("/carry/other-waits", Fixture, NULL, set_up, test_other_waits, tear_down);
  g_test_add("/carry/other-folder", Fixture, NULL, set_up, test_other_folder, tear_down);
  return g_test_run();
}
