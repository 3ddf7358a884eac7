#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "ui/drafts-private.h"

/* Drafts are saved while one writes, and kept when one leaves. On the disk they are as mail/drafts.h says; beside
 * them, in the state folder, lie a lock for as long as one is written (what lies there unlocked was left by a crash),
 * and a note of where on the server its copy is. */

enum { SAVE_SECONDS = 2, AGAIN_SECONDS = 10 }; /* after a change; after a save that failed */

char *
ui_drafts_folder(const UiApp *app)
{
  return g_build_filename(app->cli->data_dir, "drafts", NULL);
}

static char *
mark_path(const UiApp *app, const char *id, const char *kind)
{
  g_autofree char *name = g_strdup_printf("%s.%s", id, kind);
  g_autofree char *folder = g_build_filename(app->cli->state_dir, "drafts", NULL);

  g_mkdir_with_parents(folder, 0700);
  return g_build_filename(folder, name, NULL);
}

UiDraftLock
ui_drafts_lock(const UiApp *app, const char *id, int *fd)
{
  g_autofree char *path = mark_path(app, id, "writing");
  int own =
      open(path, fd ? O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW : O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);

  if (own < 0)
    return UI_DRAFT_FREE;
  gboolean got = flock(own, LOCK_EX | LOCK_NB) == 0;
  if (fd && got)
    *fd = own;
  else
    close(own);
  return got ? UI_DRAFT_LEFT : UI_DRAFT_BUSY;
}

void
ui_drafts_unlock(UiComposer *composer)
{
  if (composer->lock < 0)
    return;
  g_autofree char *path = mark_path(composer->app, composer->draft_id, "writing");
  g_unlink(path);
  close(composer->lock);
  composer->lock = -1;
}

void
ui_drafts_note(const UiApp *app, const char *id, const UiDraftCopy *copy)
{
  g_autofree char *path = mark_path(app, id, "server");
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_autoptr(GError) error = NULL;

  if (!copy) {
    g_unlink(path);
    return;
  }
  g_key_file_set_string(file, "copy", "account", copy->account);
  g_key_file_set_string(file, "copy", "folder", copy->folder);
  g_key_file_set_string(file, "copy", "message-id", copy->message_id);
  if (!g_key_file_save_to_file(file, path, &error))
    g_message("%s", error->message);
}

UiDraftCopy *
ui_drafts_noted(const UiApp *app, const char *id)
{
  g_autofree char *path = mark_path(app, id, "server");
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_autoptr(UiDraftCopy) copy = g_new0(UiDraftCopy, 1);

  if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
    return NULL;
  copy->account = g_key_file_get_string(file, "copy", "account", NULL);
  copy->folder = g_key_file_get_string(file, "copy", "folder", NULL);
  copy->message_id = g_key_file_get_string(file, "copy", "message-id", NULL);
  return copy->account && copy->folder && copy->message_id ? g_steal_pointer(&copy) : NULL;
}

void
ui_drafts_copy_free(UiDraftCopy *copy)
{
  if (!copy)
    return;
  g_free(copy->account);
  g_free(copy->folder);
  g_free(copy->message_id);
  g_free(copy);
}

/* Saving, on the verify thread: it needs no key of ours. */
typedef struct {
  UiComposer *composer;
  const MlAccount *account;
  MlDraft *draft;
  CryptoRevocationMode revocation;
  char *folder, *id;
  MlDraftsSaved *saved;
  UiDraftsThen then;
  GError *error;
} Save;

/* Takes @draft. */
static Save *
save_new(UiComposer *composer, MlDraft *draft, UiDraftsThen then)
{
  Save *save = g_new(Save, 1);

  *save = (Save){ .composer = ui_composer_ref(composer),
                  .account = composer->account->account,
                  .draft = draft,
                  .revocation = ml_config_revocation(composer->app->config),
                  .folder = ui_drafts_folder(composer->app),
                  .id = g_strdup(composer->draft_id),
                  .then = then };
  return save;
}

static void
run_save(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Save *save = data;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(MlDrafts) drafts = ml_drafts_open(save->folder, &save->error);
  g_autofree char *from = ui_composer_from_address(save->draft);
  g_autoptr(CryptoCert) self = NULL;

  if (drafts && from)
    self = ml_recipients_own(save->account, from, NULL, CRYPTO_USE_ENCRYPT, now, save->revocation, NULL);
  if (drafts)
    save->saved = ml_drafts_save(drafts, save->id, save->draft, self, now, &save->error);
}

static void
save_free(Save *save)
{
  ml_draft_free(save->draft);
  if (save->saved)
    ml_drafts_saved_free(save->saved);
  g_clear_error(&save->error);
  g_free(save->folder);
  g_free(save->id);
  ui_composer_unref(save->composer);
  g_free(save);
}

static void
take_saved(UiComposer *composer, const Save *save)
{
  if (!composer->draft->message_id)
    composer->draft->message_id = g_strdup(save->draft->message_id);
  if (!composer->draft_id) {
    composer->draft_id = g_strdup(save->saved->id);
    if (ui_drafts_lock(composer->app, composer->draft_id, &composer->lock) == UI_DRAFT_FREE)
      g_message("The draft %s could not be marked as being written.", composer->draft_id);
  }
}

/* Deleting, on the verify thread too: after a save of the same draft, and its fsync keeps no key waiting. */
typedef struct {
  char *folder, *id;
  gboolean ran;
  GError *error;
} Deletion;

static void
run_deletion(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Deletion *deletion = data;
  g_autoptr(MlDrafts) drafts = ml_drafts_open(deletion->folder, &deletion->error);

  deletion->ran = TRUE;
  if (drafts && !ml_drafts_delete(drafts, deletion->id, &deletion->error) &&
      g_error_matches(deletion->error, ML_ERROR, ML_ERROR_NOT_FOUND))
    g_clear_error(&deletion->error);
}

static void
deletion_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Deletion *deletion = data;

  if (!deletion->ran) /* the program ends, and its threads have */
    run_deletion(NULL, NULL, deletion);
  if (deletion->error)
    ui_app_complain(app, "%s", deletion->error->message);
  g_clear_error(&deletion->error);
  g_free(deletion->folder);
  g_free(deletion->id);
  g_free(deletion);
}

static void
delete_local(UiApp *app, const char *id)
{
  Deletion *deletion = g_new0(Deletion, 1);

  *deletion = (Deletion){ .folder = ui_drafts_folder(app), .id = g_strdup(id) };
  ui_ops_job_silent(app, CRYPTO_JOB_VERIFY, run_deletion, deletion_done, deletion);
}

static void
note_title(UiApp *app, const char *id, const UiComposer *composer)
{
  if (!app->draft_titles)
    app->draft_titles = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_replace(app->draft_titles, g_strdup(id), g_strdup(ui_composer_title(composer)));
}

const char *
ui_drafts_title(const UiApp *app, const char *id)
{
  return app->draft_titles ? g_hash_table_lookup(app->draft_titles, id) : NULL;
}

void
ui_drafts_forget_titles(UiApp *app)
{
  g_clear_pointer(&app->draft_titles, g_hash_table_unref);
}

/* What fails each time it is tried again by itself is said once after a change, and so is that it works again. */
static void
tell_saved(UiComposer *composer, const Save *save)
{
  if (save->error && (save->then || composer->save_tell || g_strcmp0(composer->save_problem, save->error->message) != 0))
    ui_app_complain(composer->app, "The draft could not be saved: %s", save->error->message);
  else if (save->saved && !save->then && composer->save_problem && !composer->forgotten)
    ui_app_say(composer->app, "The draft is saved now.");
  if (save->saved || save->error) {
    g_free(composer->save_problem);
    composer->save_problem = save->error ? g_strdup(save->error->message) : NULL;
    composer->save_tell = FALSE;
  }
}

static void save_in(UiComposer *composer, guint seconds);

static void
save_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Save *save = data;
  UiComposer *composer = save->composer;

  composer->saving = FALSE;
  if (save->saved && composer->forgotten)
    delete_local(app, save->saved->id); /* it was sent, or thrown away, meanwhile */
  else if (save->saved) {
    note_title(app, save->saved->id, composer);
    take_saved(composer, save);
  }
  if (!save->saved && !composer->forgotten)
    composer->changed = TRUE; /* also where it was cancelled: no result, and no error */
  tell_saved(composer, save);
  if (save->then && !composer->closed && !app->ending) /* at the end there is nobody to edit it: it is saved last */
    save->then(composer, save->saved, save->error);
  if (!save->saved && !composer->editing && !composer->forgotten)
    save_in(composer, save->error ? AGAIN_SECONDS : SAVE_SECONDS);
  if (composer->save_again && !composer->closed) {
    composer->save_again = FALSE;
    ui_drafts_save_soon(composer);
  }
  save_free(save);
}

/* Takes @draft. */
static void
start_save(UiComposer *composer, MlDraft *draft, UiDraftsThen then)
{
  Save *save = save_new(composer, draft, then);

  composer->saving = TRUE;
  composer->changed = FALSE;
  if (then)
    ui_ops_job(composer->app, CRYPTO_JOB_VERIFY, "Saving the draft", run_save, save_done, save);
  else /* by itself: Esc, which is meant for something else, does not cancel it */
    ui_ops_job_silent(composer->app, CRYPTO_JOB_VERIFY, run_save, save_done, save);
}

static gboolean
on_save(gpointer data)
{
  UiComposer *composer = data;

  composer->save_source = 0;
  if (composer->saving)
    composer->save_again = TRUE;
  else if (!composer->busy)
    start_save(composer, ml_draft_copy(composer->draft), NULL);
  return G_SOURCE_REMOVE;
}

static void
save_in(UiComposer *composer, guint seconds)
{
  if (composer->closed || composer->app->ending)
    return;
  if (composer->save_source)
    g_source_remove(composer->save_source);
  composer->save_source = g_timeout_add_seconds(seconds, on_save, composer);
}

void
ui_drafts_save_soon(UiComposer *composer)
{
  composer->save_tell = TRUE;
  if (!composer->save_source || composer->save_problem)
    save_in(composer, SAVE_SECONDS);
}

void
ui_drafts_save(UiComposer *composer, UiDraftsThen then)
{
  start_save(composer, ml_draft_copy(composer->draft), then);
}

void
ui_drafts_save_text(UiComposer *composer, const char *text)
{
  MlDraft *draft = ml_draft_copy(composer->draft);

  if (!ml_draft_from_text(draft, text, NULL)) {
    g_free(draft->text);
    draft->text = g_strdup(text);
  }
  if (composer->saving)
    ml_draft_free(draft); /* the next look comes soon */
  else
    start_save(composer, draft, NULL);
}

/* The program ends, its threads have ended already: what fails now is told when the terminal is the shell's again. */
void
ui_drafts_save_last(UiComposer *composer)
{
  UiApp *app = composer->app;

  if (!composer->changed || composer->editing)
    return;
  Save *save = save_new(composer, ml_draft_copy(composer->draft), NULL);
  run_save(NULL, NULL, save);
  if (save->error) {
    if (!app->last_words)
      app->last_words = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(app->last_words,
                    g_strdup_printf("What was last written in \"%s\" could not be saved: %s",
                                    ui_composer_title(composer), save->error->message));
  }
  save_free(save);
}

/* The copy in the account's Drafts folder, which has the draft's own Message-ID. */
static void
delete_copy(UiApp *app, const UiDraftCopy *copy)
{
  UiAccount *account = ui_account_find(app, copy->account);

  if (account) {
    ml_worker_by_itself(account->worker);
    guint64 id = ml_worker_remove(account->worker, copy->folder, copy->message_id);
    ui_ops_command(app, account, id, "Removing the draft")->silent = TRUE;
  }
}

void
ui_drafts_delete(UiApp *app, const char *id)
{
  g_autoptr(UiDraftCopy) copy = ui_drafts_noted(app, id);

  delete_local(app, id);
  if (copy)
    delete_copy(app, copy);
  ui_drafts_note(app, id, NULL);
}

/* A message of the Drafts folder that was recalled there; it need not be one of ours. */
static void
delete_recalled(UiComposer *composer)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  UiAccount *account = composer->recalled_account;

  if (!composer->recalled_uid)
    return;
  if (!composer->recalled_validity ||
      ml_worker_shown_validity(account->worker, composer->recalled_folder) != composer->recalled_validity) {
    ui_app_complain(composer->app,
                    "The older draft stays: the folder %s was replaced by another one on the server since it was opened. "
                    "Look there, and delete it yourself.",
                    composer->recalled_folder);
    composer->recalled_uid = 0;
    return;
  }
  g_array_append_val(uids, composer->recalled_uid);
  ml_worker_by_itself(account->worker);
  guint64 id = ml_worker_expunge(account->worker, composer->recalled_folder, uids);
  ui_ops_command(composer->app, account, id, "Removing the draft")->silent = TRUE;
  composer->recalled_uid = 0;
}

void
ui_drafts_forget(UiComposer *composer)
{
  composer->forgotten = TRUE;
  delete_recalled(composer);
  if (composer->draft_id)
    ui_drafts_delete(composer->app, composer->draft_id);
  ui_drafts_unlock(composer);
}

/* Postponing: safe here first, then a copy to the server, in place of an older one. */
typedef struct {
  char *id;
  UiDraftCopy *copy;
} Post;

static void
posted(UiApp *app, const GError *error, gpointer data)
{
  Post *post = data;

  if (error) {
    ui_drafts_note(app, post->id, NULL);
    ui_app_note(app, UI_STYLE_WARN, "The draft is kept here; its copy could not be put into %s: %s",
                post->copy->folder, error->message);
  }
  ui_drafts_copy_free(post->copy);
  g_free(post->id);
  g_free(post);
}

static void
post_copy(UiComposer *composer, const MlDraftsSaved *saved)
{
  UiApp *app = composer->app;
  UiAccount *account = composer->account;
  const char *folder = ui_account_special(account, ML_ROLE_DRAFTS);
  g_autoptr(UiDraftCopy) before = ui_drafts_noted(app, saved->id);

  if (before)
    delete_copy(app, before);
  delete_recalled(composer);
  ui_drafts_note(app, saved->id, NULL);
  if (!folder || !saved->bytes || !composer->draft->message_id)
    return;
  Post *post = g_new0(Post, 1);
  post->id = g_strdup(saved->id);
  post->copy = g_new0(UiDraftCopy, 1);
  *post->copy = (UiDraftCopy){ g_strdup(account->account->name), g_strdup(folder),
                               g_strdup(composer->draft->message_id) };
  ui_drafts_note(app, saved->id, post->copy); /* before it is there: a copy too many is worse than none */
  ml_worker_by_itself(account->worker);
  guint64 id = ml_worker_append(account->worker, folder, saved->bytes, ML_FLAG_DRAFT | ML_FLAG_SEEN, 0);
  UiOp *op = ui_ops_command(app, account, id, "Storing the draft");
  op->silent = TRUE;
  op->finished = posted;
  op->data = post;
}

static void
postponed(UiComposer *composer, const MlDraftsSaved *saved, const GError *error)
{
  UiApp *app = composer->app;

  if (error)
    return; /* it was said; the message stays on the screen */
  if (!saved) {
    ui_app_say(app, "Not kept yet: the message is still open.");
    return;
  }
  post_copy(composer, saved);
  ui_app_say(app,
             saved->session
                 ? "Kept until you log out: there is no certificate to encrypt it with. R goes on with it."
                 : "Kept as a draft. R goes on with it.");
  composer->changed = FALSE;
  ui_composer_close(composer);
  ui_compose_end_if_alone(app);
}

void
ui_drafts_postpone(UiComposer *composer)
{
  if (composer->saving) {
    ui_app_say(composer->app, "It is just being saved: once more.");
    return;
  }
  ui_drafts_save(composer, postponed);
}
