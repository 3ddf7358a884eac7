#include "mail/opened.h"
#include "ui/app-private.h"
#include "ui/finder-private.h"

/* What encrypted messages say, for the search, where their account wants it: noted as they are read, sealed on the verify
 * thread some at a time, and opened there for whoever searches. Nobody is asked for a PIN but by the key that is for it. */
enum { BATCH = 20, BATCH_SIZE = 1024 * 1024, SETTLE_MS = 10000, LOOK_US = 5 * G_USEC_PER_SEC };

typedef struct {
  UiApp *app;
  UiAccount *account;
  GPtrArray *texts; /* of MlOpenedText, not on the disk yet */
  gsize size;
  guint timer;
  char *said; /* an error that was told; NULL */
} Notes;

/* ---- verify thread */

static gboolean
settle(MlOpened *index, MlStore *store, CryptoRevocationMode mode, GError **error)
{
  g_autoptr(GError) why = NULL;

  if (!ml_opened_place(index, store, error))
    return FALSE;
  if (!ml_opened_tidy(index, mode, &why))
    g_message("%s", why->message); /* the next start uses the key as often as this one */
  return TRUE;
}

static gboolean
look(UiFinderOpened *opened, MlStore *store, CryptoRevocationMode mode, GCancellable *cancellable, GError **error)
{
  g_auto(MlOpenedState) state = { 0 };
  gint64 now = g_get_monotonic_time();

  if (opened->looked && now - opened->looked < LOOK_US)
    return ml_opened_place(opened->index, store, error);
  if (!ml_opened_load(opened->index, NULL, cancellable, &state, error)) {
    opened->looked = g_cancellable_is_cancelled(cancellable) ? 0 : now;
    return FALSE;
  }
  opened->looked = now;
  opened->closed = state.closed;
  opened->locked = state.locked;
  return settle(opened->index, store, mode, error);
}

/* Words that are in clear are found whatever becomes of this. */
void
ui_finder_join(UiFinderMail *mail, CryptoRevocationMode mode, GCancellable *cancellable, GError **error)
{
  UiFinderOpened *opened = ui_finder_opened(mail);
  const char *directory;
  const MlAccount *account = ui_finder_account(mail, &directory);

  if (!account->index_encrypted || (!opened->index && !ml_opened_any(directory, account)))
    return;
  if (!opened->index)
    opened->index = ml_opened_new(directory, account, error);
  if (!opened->index)
    return;
  ml_opened_join(opened->index, ui_finder_index(mail));
  (void)!look(opened, ui_finder_store(mail), mode, cancellable, error);
}

void
ui_finder_opened_clear(UiFinderMail *mail)
{
  UiFinderOpened *opened = ui_finder_opened(mail);

  if (ui_finder_index(mail))
    ml_opened_join(NULL, ui_finder_index(mail));
  ml_opened_free(opened->index);
  *opened = (UiFinderOpened){ NULL };
}

/* A file that was damaged is another one the second time. */
static gboolean
keep(const UiAccount *account, const GPtrArray *texts, CryptoRevocationMode mode, GError **error)
{
  GError *why = NULL;

  if (ml_opened_keep(account->store_dir, account->account, texts, mode, &why))
    return TRUE;
  if (g_error_matches(why, ML_ERROR, ML_ERROR_STORE))
    (void)!ml_opened_keep(account->store_dir, account->account, texts, mode, NULL);
  g_propagate_error(error, why);
  return FALSE;
}

typedef struct {
  Notes *notes;
  UiFinderMail *mail;
  GPtrArray *texts;
  CryptoRevocationMode mode;
  gboolean ran;
  GError *error;
} Flush;

static void
run_flush(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Flush *flush = data;
  UiFinderOpened *opened = ui_finder_opened(flush->mail);

  flush->ran = TRUE;
  if (keep(flush->notes->account, flush->texts, flush->mode, &flush->error) && opened->index)
    (void)!ml_opened_add(opened->index, flush->texts, &flush->error);
}

static void
run_forget(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  ui_finder_opened_clear(data);
}

/* ---- UI thread: what was read */

static Notes *
notes_of(UiApp *app, const UiAccount *account)
{
  GPtrArray *all = app->opened;

  for (guint i = 0; all && i < all->len; i++)
    if (((Notes *)all->pdata[i])->account == account)
      return all->pdata[i];
  return NULL;
}

static void
take(Notes *notes, MlOpenedText *text)
{
  notes->size += ml_opened_text_size(text);
  g_ptr_array_add(notes->texts, text);
}

static void
flush_done(UiApp *app, gboolean cancelled, gpointer data)
{
  g_autofree Flush *flush = data;
  Notes *notes = flush->notes;
  g_autoptr(GError) error = flush->error;

  for (guint i = 0; !flush->ran && i < flush->texts->len; i++) /* the program ends: ui_finder_opened_end() has them */
    take(notes, flush->texts->pdata[i]);
  if (!flush->ran)
    g_ptr_array_set_free_func(flush->texts, NULL);
  g_ptr_array_unref(flush->texts);
  if (!error || g_strcmp0(notes->said, error->message) == 0 || app->ending)
    return;
  g_free(notes->said);
  notes->said = g_strdup(error->message);
  ui_app_error(app, error);
}

void
ui_finder_flush(UiApp *app, const UiAccount *account)
{
  Notes *notes = notes_of(app, account);
  UiFinderMail *mail = ui_finder_mail(app, account);

  if (!notes || !mail || !notes->texts->len)
    return;
  if (notes->timer)
    g_source_remove(notes->timer);
  notes->timer = 0;
  Flush *flush = g_new0(Flush, 1);
  *flush = (Flush){ .notes = notes, .mail = mail, .texts = g_steal_pointer(&notes->texts),
                    .mode = ml_config_revocation(app->config) };
  notes->texts = g_ptr_array_new_with_free_func((GDestroyNotify)ml_opened_text_free);
  notes->size = 0;
  ui_ops_job_silent(app, CRYPTO_JOB_VERIFY, run_flush, flush_done, flush);
}

static gboolean
on_timer(gpointer data)
{
  Notes *notes = data;

  notes->timer = 0;
  ui_finder_flush(notes->app, notes->account);
  return G_SOURCE_REMOVE;
}

void
ui_finder_note(UiApp *app, const UiAccount *account, MlOpenedText *text)
{
  Notes *notes = notes_of(app, account);

  if (!notes || !text) {
    ml_opened_text_free(text);
    return;
  }
  take(notes, text);
  if (app->ending)
    return;
  if (notes->texts->len >= BATCH || notes->size >= BATCH_SIZE)
    ui_finder_flush(app, account);
  else if (!notes->timer)
    notes->timer = g_timeout_add(SETTLE_MS, on_timer, notes);
}

/* ---- forgetting, and opening by the person's own wish */

static void
forgotten(UiApp *app, gboolean cancelled, gpointer data)
{
}

void
ui_finder_forget(UiApp *app)
{
  gboolean any = FALSE;

  app->forgets++;
  for (guint i = 0; i < app->accounts->len; i++) {
    const UiAccount *account = app->accounts->pdata[i];
    UiFinderMail *mail = ui_finder_mail(app, account);
    if (!mail || !account->account->index_encrypted)
      continue;
    any = TRUE;
    ui_finder_flush(app, account);
    ui_ops_job_silent(app, CRYPTO_JOB_VERIFY, run_forget, forgotten, mail);
  }
  ui_finds_forget(app);
  if (any && app->hits)
    ui_hits_again(app);
}

typedef struct {
  const UiAccount *account;
  UiFinderMail *mail;
  MlOpened *fresh;
  MlOpenedState state;
  CryptoRevocationMode mode;
  guint forgets; /* the app's, when it was begun */
  GError *error;
} Unlock;

static void
unlock_free(Unlock *unlock)
{
  ml_opened_free(unlock->fresh);
  ml_opened_state_clear(&unlock->state);
  g_clear_error(&unlock->error);
  g_free(unlock);
}

/* Keys thread: a new one, which the verify thread is handed. */
static void
run_unlock(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Unlock *unlock = data;

  unlock->fresh = ml_opened_new(unlock->account->store_dir, unlock->account->account, &unlock->error);
  if (unlock->fresh && !ml_opened_load(unlock->fresh, pin, cancellable, &unlock->state, &unlock->error))
    g_clear_pointer(&unlock->fresh, ml_opened_free);
}

static void
run_adopt(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Unlock *unlock = data;
  UiFinderOpened *opened = ui_finder_opened(unlock->mail);

  ui_finder_opened_clear(unlock->mail);
  *opened = (UiFinderOpened){ .index = g_steal_pointer(&unlock->fresh), .looked = g_get_monotonic_time(),
                              .closed = unlock->state.closed, .locked = unlock->state.locked };
  (void)!(ui_finder_open(unlock->mail, &unlock->error) &&
          settle(opened->index, ui_finder_store(unlock->mail), unlock->mode, &unlock->error));
}

static void
adopted(UiApp *app, gboolean cancelled, gpointer data)
{
  Unlock *unlock = data;

  if (unlock->error && !cancelled)
    ui_app_error(app, unlock->error);
  unlock_free(unlock);
  if (!cancelled)
    ui_finds_again(app);
}

static void
unlocked(UiApp *app, gboolean cancelled, gpointer data)
{
  Unlock *unlock = data;
  const GError *why = unlock->error ? unlock->error : unlock->state.why;

  if (why && !cancelled && !g_error_matches(why, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED))
    ui_app_error(app, why);
  if (!unlock->fresh || cancelled || app->ending || unlock->forgets != app->forgets) /* the card was pulled meanwhile */
    unlock_free(unlock);
  else
    ui_ops_job_silent(app, CRYPTO_JOB_VERIFY, run_adopt, adopted, unlock);
}

void
ui_finder_unlock(UiApp *app, const UiAccount *account)
{
  UiFinderMail *mail = ui_finder_mail(app, account);

  if (!mail)
    return;
  ui_finder_flush(app, account);
  Unlock *unlock = g_new0(Unlock, 1);
  unlock->account = account;
  unlock->mail = mail;
  unlock->mode = ml_config_revocation(app->config);
  unlock->forgets = app->forgets;
  ui_ops_job(app, CRYPTO_JOB_KEYS, "Opening encrypted messages", run_unlock, unlocked, unlock);
}

/* ---- beginning and end */

typedef struct {
  const UiAccount *account;
  gboolean any;
  GError *error;
} Removal;

static void
run_removal(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Removal *removal = data;

  (void)!ml_opened_remove(removal->account->store_dir, removal->account->account, &removal->any, &removal->error);
}

static void
removed(UiApp *app, gboolean cancelled, gpointer data)
{
  g_autofree Removal *removal = data;
  g_autoptr(GError) error = removal->error;

  if (app->ending)
    return;
  if (error)
    ui_app_error(app, error);
  else if (removal->any)
    ui_app_complain(app, "%s: index-encrypted is off: what was kept of encrypted mail is deleted.",
                    removal->account->account->name);
}

static void
notes_free(gpointer data)
{
  Notes *notes = data;

  if (notes->timer)
    g_source_remove(notes->timer);
  g_ptr_array_unref(notes->texts);
  g_free(notes->said);
  g_free(notes);
}

void
ui_finder_opened_start(UiApp *app)
{
  GPtrArray *all = g_ptr_array_new_with_free_func(notes_free);

  app->opened = all;
  for (guint i = 0; i < app->accounts->len; i++) {
    UiAccount *account = app->accounts->pdata[i];
    if (account->account->index_encrypted) {
      Notes *notes = g_new0(Notes, 1);
      *notes = (Notes){ .app = app, .account = account,
                        .texts = g_ptr_array_new_with_free_func((GDestroyNotify)ml_opened_text_free) };
      g_ptr_array_add(all, notes);
    } else if (!app->config->policy->broken && ml_opened_any(account->store_dir, account->account)) {
      Removal *removal = g_new0(Removal, 1);
      removal->account = account;
      ui_ops_job_silent(app, CRYPTO_JOB_VERIFY, run_removal, removed, removal);
    }
  }
}

/* The jobs have ended, and crypto/ is open still. */
void
ui_finder_opened_end(UiApp *app)
{
  GPtrArray *all = app->opened;

  for (guint i = 0; all && i < all->len; i++) {
    Notes *notes = all->pdata[i];
    g_autoptr(GError) error = NULL;
    if (notes->texts->len && !keep(notes->account, notes->texts, ml_config_revocation(app->config), &error))
      g_message("%s", error->message);
  }
  g_clear_pointer(&all, g_ptr_array_unref);
  app->opened = NULL;
}
