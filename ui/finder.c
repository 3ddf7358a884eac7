#include "mail/search.h"
#include "ui/app-private.h"
#include "ui/finder-private.h"

/* Keeps the index of words up with the mail that comes, on the verify thread in pieces of some milliseconds, not while
 * keys are pressed, and not beside a list that is being read, which it would make slower by half. Asks of the search view
 * (ui/finds.c) run on the same thread with the same handles. */
enum { SETTLE_MS = 1500, FIRST_MS = 3000, QUIET_US = 400000, QUIET_MS = 400, PIECE = 25, PIECE_US = 20000, FOLLOW_US = 150000,
       HELD_MS = 250, HELD_US = 30 * 1000 * 1000 };

struct UiFinderMail {
  const MlAccount *account;
  MlDriverHooks hooks; /* without a line: a mailbox on this machine alone is read by it */
  /* verify thread alone */
  MlStore *store;
  MlStoreSearch *search;
  MlDriver *local;
  MlSearchReader *reader;
  UiFinderOpened opened;
  gboolean has_read; /* the reader has given a text */
  char *said; /* an error that was told; NULL */
};

typedef struct {
  UiApp *app;
  UiAccount *account;
  UiFinderMail mail;
  guint timer;
  gint64 held; /* monotonic: since when it waits for the list that is being read; 0: none is */
  gboolean looked; /* once to the end */
  gboolean running, news; /* news: something came since the last look began */
  guint changes; /* counts looks that changed something */
  guint told;    /* of these, to what was found by a saved search */
  MlSearchState state;
} Kept;

typedef struct {
  GPtrArray *kept; /* of Kept, one an account */
} Finder;

/* ---- verify thread */

gboolean
ui_finder_open(UiFinderMail *mail, GError **error)
{
  if (mail->search)
    return TRUE;
  if (!mail->store)
    mail->store = ml_store_open(mail->hooks.store_dir, mail->account, error);
  mail->search = mail->store ? ml_store_search_open(mail->store, error) : NULL;
  if (!mail->search)
    return FALSE;
  if (mail->account->kind != ML_ACCOUNT_IMAP)
    mail->local = ml_driver_new(mail->account, &mail->hooks);
  mail->reader = ml_search_reader_new(mail->store, mail->local);
  return TRUE;
}

MlStoreSearch *
ui_finder_index(UiFinderMail *mail)
{
  return mail->search;
}

MlStore *
ui_finder_store(UiFinderMail *mail)
{
  return mail->store;
}

char *
ui_finder_text(UiFinderMail *mail, const MlFound *found)
{
  MlOpened *opened = mail->opened.index;
  char *text = opened ? ml_opened_find(opened, found->folder, found->uidvalidity, found->header->uid) : NULL;
  if (text)
    return text;
  mail->has_read = TRUE;
  return ml_search_text(mail->reader, found->folder, found->uidvalidity, found->header);
}

gboolean
ui_finder_is_warm(const UiFinderMail *mail)
{
  return mail->has_read;
}

const MlAccount *
ui_finder_account(UiFinderMail *mail, const char **store_dir)
{
  *store_dir = mail->hooks.store_dir;
  return mail->account;
}

UiFinderOpened *
ui_finder_opened(UiFinderMail *mail)
{
  return &mail->opened;
}

typedef struct {
  Kept *kept;
  gboolean follow; /* look for what another program did to a mailbox here */
  gboolean more, changed; /* there is more to be done; something was */
  gint64 until;
  MlSearchState state;
  GError *error;
} Piece;

static gboolean
within_time(guint done, guint waiting, gpointer data)
{
  Piece *piece = data;
  piece->changed = TRUE;
  piece->more = g_get_monotonic_time() > piece->until || crypto_job_is_awaited(CRYPTO_JOB_VERIFY);
  return !piece->more;
}

static void
run_piece(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Piece *piece = data;
  UiFinderMail *mail = &piece->kept->mail;
  if (crypto_job_is_awaited(CRYPTO_JOB_VERIFY)) { /* somebody waits: the next piece does it */
    piece->more = TRUE;
    return;
  }
  gboolean ok = ui_finder_open(mail, &piece->error);
  gboolean half = FALSE;
  if (ok && mail->local && piece->follow) {
    piece->until = g_get_monotonic_time() + FOLLOW_US;
    ok = ml_search_follow(mail->local, mail->store, NULL, within_time, piece, &piece->error);
    half = piece->more;
  }
  piece->until = g_get_monotonic_time() + PIECE_US;
  ok = ok && ml_search_update(mail->search, mail->local, PIECE, within_time, piece, cancellable, &piece->error);
  piece->follow = half; /* where it was stopped, the next goes on */
  piece->more = ok && (piece->more || half);
  if (ok)
    ok = ml_store_search_state(mail->search, &piece->state, &piece->error);
}

/* ---- UI thread */

static void kick(Kept *kept);

static gboolean
on_timer(gpointer data)
{
  Kept *kept = data;
  kept->timer = 0;
  kick(kept);
  return G_SOURCE_REMOVE;
}

static void
later(Kept *kept, guint ms)
{
  if (!kept->timer && !kept->running && !kept->app->ending)
    kept->timer = g_timeout_add(ms, on_timer, kept);
}

static void
piece_done(UiApp *app, gboolean cancelled, gpointer data)
{
  g_autofree Piece *piece = data;
  Kept *kept = piece->kept;
  g_autoptr(GError) error = piece->error;
  kept->running = FALSE;
  if (cancelled || app->ending)
    return;
  if (error && g_strcmp0(kept->mail.said, error->message) != 0) { /* a full disk is told once */
    g_free(kept->mail.said);
    kept->mail.said = g_strdup(error->message);
    ui_app_error(app, error);
  }
  if (!error) {
    kept->state = piece->state;
    kept->changes += piece->changed;
    ui_finds_news(app);
  }
  if (!error && !piece->more && (kept->told != kept->changes || !kept->looked)) {
    kept->told = kept->changes;
    kept->looked = TRUE;
    ui_hits_news(app, kept->account);
  }
  kept->news |= piece->follow;
  if (!error && piece->more)
    later(kept, g_get_monotonic_time() - app->last_touch < QUIET_US ? QUIET_MS : 1);
  else if (kept->news)
    later(kept, SETTLE_MS);
}

/* A line that is slow, or down, leaves time enough for the words; and whoever searches is not kept waiting for them. */
static gboolean
is_held(Kept *kept)
{
  UiApp *app = kept->app;
  const UiBox *open = ui_app_folder(app);
  gint64 now = g_get_monotonic_time();
  gboolean reads = open && open->account == kept->account && open->loading;
  kept->held = !reads ? 0 : kept->held ? kept->held : now;
  return reads && now - kept->held < HELD_US && !app->hits && ui_finds_account(app) != kept->account &&
         (kept->account->account->kind != ML_ACCOUNT_IMAP || kept->account->state == ML_STATE_ONLINE);
}

static void
kick(Kept *kept)
{
  UiApp *app = kept->app;
  if (is_held(kept)) {
    later(kept, HELD_MS);
    return;
  }
  if (g_get_monotonic_time() - app->last_touch < QUIET_US) {
    later(kept, QUIET_MS);
    return;
  }
  Piece *piece = g_new0(Piece, 1);
  piece->kept = kept;
  piece->state = kept->state; /* unless it is looked at */
  piece->follow = kept->news;
  kept->news = FALSE;
  kept->running = TRUE;
  ui_ops_job_unseen(app, CRYPTO_JOB_VERIFY, run_piece, piece_done, piece);
}

static Kept *
find(UiApp *app, const UiAccount *account)
{
  const Finder *finder = app->finder;
  for (guint i = 0; finder && i < finder->kept->len; i++)
    if (((Kept *)finder->kept->pdata[i])->account == account)
      return finder->kept->pdata[i];
  return NULL;
}

void
ui_finder_news(UiApp *app, const UiAccount *account)
{
  Kept *kept = find(app, account);
  if (!kept)
    return;
  kept->news = TRUE;
  later(kept, SETTLE_MS);
}

UiFinderMail *
ui_finder_mail(UiApp *app, const UiAccount *account)
{
  Kept *kept = find(app, account);
  return kept ? &kept->mail : NULL;
}

const MlSearchState *
ui_finder_state(UiApp *app, const UiAccount *account, guint *changes)
{
  const Kept *kept = find(app, account);
  *changes = kept ? kept->changes : 0;
  return kept ? &kept->state : NULL;
}

static void
kept_free(gpointer data)
{
  Kept *kept = data;
  if (kept->timer)
    g_source_remove(kept->timer);
  ui_finder_opened_clear(&kept->mail);
  ml_search_reader_free(kept->mail.reader);
  ml_store_search_free(kept->mail.search);
  ml_store_free(kept->mail.store);
  ml_driver_free(kept->mail.local);
  g_free(kept->mail.said);
  g_free(kept);
}

void
ui_finder_start(UiApp *app)
{
  Finder *finder = g_new0(Finder, 1);
  finder->kept = g_ptr_array_new_with_free_func(kept_free);
  for (guint i = 0; i < app->accounts->len; i++) {
    Kept *kept = g_new0(Kept, 1);
    kept->app = app;
    kept->account = app->accounts->pdata[i];
    kept->mail.account = kept->account->account;
    kept->mail.hooks.state_dir = kept->account->hooks.state_dir;
    kept->mail.hooks.store_dir = kept->account->hooks.store_dir;
    kept->news = TRUE;
    g_ptr_array_add(finder->kept, kept);
  }
  app->finder = finder;
  ui_finder_opened_start(app);
  for (guint i = 0; i < finder->kept->len; i++)
    later(finder->kept->pdata[i], FIRST_MS);
}

void
ui_finder_free(UiApp *app)
{
  Finder *finder = app->finder;
  if (!finder)
    return;
  ui_finder_opened_end(app);
  g_ptr_array_unref(finder->kept);
  g_free(finder);
  app->finder = NULL;
}
