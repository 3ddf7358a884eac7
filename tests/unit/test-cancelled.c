#include <glib/gstdio.h>
#include <string.h>

#include "ui/compose-private.h"

/* What is cancelled before its turn comes has no result and no error, and is no success: a draft that is kept, a
 * message that is taken back. The screen's own functions, without a screen. */
typedef struct {
  UiApp app;
  UiCli cli;
  UiAccount account;
  char *dir;
  GMutex lock;
  GCond open;
  gboolean go;
} Desk;

/* On the verify thread: what is posted after it has not begun while this waits. */
static void
run_block(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Desk *desk = data;

  g_mutex_lock(&desk->lock);
  while (!desk->go)
    g_cond_wait(&desk->open, &desk->lock);
  g_mutex_unlock(&desk->lock);
}

static void
block_done(UiApp *app, gboolean cancelled, gpointer data)
{
}

static void
block(Desk *desk)
{
  desk->go = FALSE;
  ui_ops_job_silent(&desk->app, CRYPTO_JOB_VERIFY, run_block, block_done, desk);
}

static void
unblock(Desk *desk)
{
  g_mutex_lock(&desk->lock);
  desk->go = TRUE;
  g_cond_signal(&desk->open);
  g_mutex_unlock(&desk->lock);
  while (desk->app.ops->len)
    g_main_context_iteration(NULL, TRUE);
}

static void
desk_open(Desk *desk)
{
  g_autoptr(GError) error = NULL;
  UiApp *app = &desk->app;

  desk->dir = g_dir_make_tmp("signet-cancelled-XXXXXX", &error);
  g_assert_no_error(error);
  desk->cli.data_dir = g_build_filename(desk->dir, "data", NULL);
  desk->cli.state_dir = g_build_filename(desk->dir, "state", NULL);
  desk->cli.offline = TRUE;
  g_mkdir_with_parents(desk->cli.data_dir, 0700);
  g_autofree char *file = g_build_filename(desk->dir, "signet.conf", NULL);
  g_file_set_contents(file, "[account work]\naddress = bob@example.org\nmaildir = mail\n", -1, &error);
  g_assert_no_error(error);
  desk->cli.config = ml_config_load_with(file, NULL, &error);
  g_assert_no_error(error);
  desk->account.app = app;
  desk->account.account = desk->cli.config->accounts->pdata[0];
  app->cli = &desk->cli;
  app->config = desk->cli.config;
  app->accounts = g_ptr_array_new();
  g_ptr_array_add(app->accounts, &desk->account);
  app->views = g_ptr_array_new();
  app->ops = g_ptr_array_new();
  app->composers = g_ptr_array_new();
  app->log = g_ptr_array_new();
  app->draw_source = app->tick_source = 1; /* there is no screen to draw on */
  crypto_job_start(NULL, NULL);
  ui_outbox_start(app);
  block(desk);
  unblock(desk);
}

static void
desk_close(Desk *desk)
{
  UiApp *app = &desk->app;

  app->ending = TRUE;
  ui_outbox_stop(app);
  crypto_job_stop();
  while (app->composers->len)
    ui_composer_close(app->composers->pdata[0]);
  ui_outbox_free(app);
  ui_drafts_forget_titles(app);
  g_ptr_array_unref(app->accounts);
  g_ptr_array_unref(app->views);
  g_ptr_array_unref(app->ops);
  g_ptr_array_unref(app->composers);
  g_ptr_array_unref(app->log);
  g_free(app->status);
  ml_config_free(desk->cli.config);
  const char *const argv[] = { "rm", "-rf", desk->dir, NULL };
  g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
  g_free(desk->cli.data_dir);
  g_free(desk->cli.state_dir);
  g_free(desk->dir);
}

static guint
drafts(const Desk *desk)
{
  g_autofree char *folder = g_build_filename(desk->cli.data_dir, "drafts", NULL);
  GDir *dir = g_dir_open(folder, 0, NULL);
  guint n = 0;

  for (const char *name; dir && (name = g_dir_read_name(dir));)
    n += g_str_has_suffix(name, ".eml");
  if (dir)
    g_dir_close(dir);
  return n;
}

static UiComposer *
compose(Desk *desk)
{
  MlDraft *draft = ml_draft_new(desk->account.account);

  g_free(draft->from);
  draft->from = g_strdup(""); /* no certificates: they would be looked for in NSS */
  draft->encrypt = FALSE;
  draft->text = g_strdup("Hello.\n");
  return ui_composer_new(&desk->app, &desk->account, draft);
}

static void
test_postponed(void)
{
  Desk desk = { 0 };

  desk_open(&desk);
  block(&desk);
  UiComposer *composer = compose(&desk);
  ui_drafts_postpone(composer);
  ui_ops_cancel(&desk.app);
  unblock(&desk);
  g_assert_false(composer->closed);
  g_assert_true(composer->changed);
  g_assert_cmpuint(composer->save_source, !=, 0); /* it is tried again */
  g_assert_nonnull(strstr(desk.app.status, "still open"));
  g_assert_cmpuint(drafts(&desk), ==, 0);
  ui_drafts_save_last(composer); /* as at the end */
  g_assert_cmpuint(drafts(&desk), ==, 1);
  desk_close(&desk);
}

static void
test_autosave_stays(void)
{
  Desk desk = { 0 };

  desk_open(&desk);
  block(&desk);
  UiComposer *composer = compose(&desk);
  ui_drafts_save_text(composer, "Subject: x\n\nwritten\n");
  ui_ops_cancel(&desk.app); /* Esc, meant for the search for certificates */
  unblock(&desk);
  g_assert_cmpuint(drafts(&desk), ==, 1);
  g_assert_nonnull(composer->draft_id);
  block(&desk);
  ui_drafts_forget(composer);
  g_assert_cmpuint(drafts(&desk), ==, 1); /* not on this thread */
  ui_ops_cancel(&desk.app);
  unblock(&desk);
  g_assert_cmpuint(drafts(&desk), ==, 0);
  desk_close(&desk);
}

/* The program ends while the first save waits: no editor is started, and it is saved last; what is deleted goes. */
static void
never(UiComposer *composer, const MlDraftsSaved *saved, const GError *error)
{
  g_assert_not_reached();
}

static void
test_ending(void)
{
  Desk desk = { 0 };

  desk_open(&desk);
  UiComposer *composer = compose(&desk), *other = compose(&desk);
  ui_drafts_save_text(other, "Subject: y\n\ngoes\n");
  unblock(&desk);
  g_assert_cmpuint(drafts(&desk), ==, 1);
  desk.app.ending = TRUE;
  ui_drafts_save(composer, never);
  g_assert_true(composer->changed);
  ui_drafts_save_last(composer);
  g_assert_cmpuint(drafts(&desk), ==, 2);
  ui_drafts_forget(other);
  g_assert_cmpuint(drafts(&desk), ==, 1);
  desk_close(&desk);
}

static void
test_taken_back(void)
{
  Desk desk = { 0 };

  desk_open(&desk);
  block(&desk);
  ui_outbox_take_back(&desk.app, "0");
  ui_ops_cancel(&desk.app);
  unblock(&desk);
  g_assert_nonnull(strstr(desk.app.status, "Nothing was taken back"));
  desk_close(&desk);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cancelled/postponed", test_postponed);
  g_test_add_func("/cancelled/autosave-stays", test_autosave_stays);
  g_test_add_func("/cancelled/ending", test_ending);
  g_test_add_func("/cancelled/taken-back", test_taken_back);
  return g_test_run();
}
