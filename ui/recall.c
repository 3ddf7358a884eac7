#include <glib/gstdio.h>
#include <string.h>

#include "ui/drafts-private.h"

/* R: what is being written (an editor may have it, in another window), and the drafts that lie here. */
typedef struct {
  char *id; /* of a draft; NULL: a composer, or the server's folder */
  UiComposer *composer;
  gint64 saved;
} Choice;

static void
choice_free(gpointer data)
{
  Choice *choice = data;

  ui_composer_unref(choice->composer);
  g_free(choice->id);
  g_free(choice);
}

/* Listing, on the verify thread. */
typedef struct {
  UiApp *app;
  char *folder;
  gboolean begin; /* m: a new message, unless there are drafts and the person wants one of them */
  gboolean start; /* the program starts: says what a crash left behind */
  GPtrArray *entries;
  GError *error;
} Listing;

static void
run_listing(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Listing *listing = data;
  g_autoptr(MlDrafts) drafts = ml_drafts_open(listing->folder, &listing->error);

  if (drafts)
    listing->entries = ml_drafts_list(drafts, &listing->error);
}

static void
listing_free(Listing *listing)
{
  if (listing->entries)
    g_ptr_array_unref(listing->entries);
  g_clear_error(&listing->error);
  g_free(listing->folder);
  g_free(listing);
}

/* Loading, on the keys thread: a draft may be encrypted. */
typedef struct {
  UiApp *app;
  char *folder, *id;
  gint64 saved;
  MlDraft *draft;
  GError *error;
} Loading;

static void
run_loading(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Loading *loading = data;
  g_autoptr(MlDrafts) drafts = ml_drafts_open(loading->folder, &loading->error);

  if (drafts)
    loading->draft = ml_drafts_load(drafts, loading->id, pin, cancellable, &loading->error);
}

/* Where an editor outlived its signet, what it wrote later counts. */
static void
take_left(UiApp *app, Loading *loading)
{
  g_autofree char *text = ui_editor_left(loading->id, loading->saved);

  if (!text)
    return;
  if (!ml_draft_from_text(loading->draft, text, NULL)) {
    g_free(loading->draft->text);
    loading->draft->text = g_strdup(text);
  }
  ui_app_note(app, UI_STYLE_NORMAL, "What the editor wrote last was found and taken.");
}

static UiComposer *
open_draft(UiApp *app, MlDraft *draft)
{
  UiAccount *account = draft->account ? ui_account_find(app, draft->account) : NULL;
  UiComposer *composer = ui_composer_new(app, account ? account : app->accounts->pdata[0], draft);

  composer->fresh = FALSE;
  composer->encrypt_set = TRUE;
  return composer;
}

static void
loading_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Loading *loading = data;

  if (loading->error)
    ui_app_error(app, loading->error);
  int lock = -1;
  if (loading->draft && !cancelled && ui_drafts_lock(app, loading->id, &lock) == UI_DRAFT_BUSY)
    ui_app_complain(app, "Another signet has this draft open.");
  else if (loading->draft && !cancelled) {
    take_left(app, loading);
    UiComposer *composer = open_draft(app, g_steal_pointer(&loading->draft));
    composer->draft_id = g_strdup(loading->id);
    composer->lock = lock;
    ui_composer_show(composer);
  }
  ml_draft_free(loading->draft);
  g_clear_error(&loading->error);
  g_free(loading->folder);
  g_free(loading->id);
  g_free(loading);
}

static void
load(UiApp *app, const char *id, gint64 saved)
{
  Loading *loading = g_new0(Loading, 1);

  *loading = (Loading){ .app = app, .folder = ui_drafts_folder(app), .id = g_strdup(id), .saved = saved };
  ui_ops_job(app, CRYPTO_JOB_KEYS, "Opening the draft", run_loading, loading_done, loading);
}

static void
chosen(UiApp *app, UiList *list, guint row)
{
  const Choice *choice = ((UiListRow *)list->rows->pdata[row])->data;
  g_autofree char *id = g_strdup(choice->id);
  UiComposer *composer = choice->composer ? ui_composer_ref(choice->composer) : NULL;
  gint64 saved = choice->saved;

  ui_app_pop(app);
  if (composer)
    ui_composer_show(composer);
  else
    load(app, id, saved);
  ui_composer_unref(composer);
}

static void
add_choice(UiList *list, const char *what, gint64 when, const char *to, const char *subject, Choice *choice)
{
  GPtrArray *choices = list->data;
  g_autofree char *date = ui_text_date(when, g_get_real_time() / G_USEC_PER_SEC, 9);
  g_autofree char *safe = ui_text_line(to ? to : ""), *fit = ui_text_fit(safe, 26);

  ui_list_add(list, UI_STYLE_NORMAL, " %-13s %-9s %s  %s", what, date, fit, subject ? subject : "")->data =
      choice;
  g_ptr_array_add(choices, choice);
}

static gboolean
is_open_here(UiApp *app, const char *id)
{
  for (guint i = 0; i < app->composers->len; i++)
    if (!g_strcmp0(((UiComposer *)app->composers->pdata[i])->draft_id, id))
      return TRUE;
  return FALSE;
}

static void
fill(UiApp *app, UiList *list, GPtrArray *entries)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;

  for (guint i = 0; i < app->composers->len; i++) {
    UiComposer *composer = app->composers->pdata[i];
    Choice *choice = g_new0(Choice, 1);
    choice->composer = ui_composer_ref(composer);
    add_choice(list, composer->editing ? "in the editor" : "open", now, composer->draft->to,
               ui_composer_title(composer), choice);
  }
  for (guint i = 0; entries && i < entries->len; i++) {
    const MlDraftsEntry *entry = entries->pdata[i];
    UiDraftLock lock = ui_drafts_lock(app, entry->id, NULL);
    if (is_open_here(app, entry->id) || lock == UI_DRAFT_BUSY)
      continue;
    Choice *choice = g_new0(Choice, 1);
    choice->id = g_strdup(entry->id);
    choice->saved = entry->saved;
    const char *title = ui_drafts_title(app, entry->id);
    add_choice(list, lock == UI_DRAFT_LEFT ? "unfinished" : "draft", entry->saved, entry->to,
               entry->subject     ? entry->subject
               : title            ? title
               : entry->encrypted ? "(encrypted)"
                                  : "(no subject)",
               choice);
  }
}

static UiList *
list_new(void)
{
  UiList *list = ui_list_new(UI_IN_DRAFTS, "the list of drafts", "Messages being written",
                             "Enter go on with it  D delete  q back  ? help");

  list->data = g_ptr_array_new_with_free_func(choice_free);
  list->free_data = (GDestroyNotify)g_ptr_array_unref;
  list->open = chosen;
  return list;
}

typedef struct {
  UiApp *app;
  UiList *list;
} Recall;

/* One alone is opened without a list. */
static void
show(UiApp *app, UiList *list)
{
  if (!list->rows->len) {
    const char *folder = app->box ? ui_account_special(app->box->account, ML_ROLE_DRAFTS) : NULL;
    ui_app_say(app, folder ? "No draft lies here; those in %s are opened there, by R." : "There is no draft.",
               folder);
    list->type.free(app, &list->view);
    return;
  }
  ui_app_push(app, &list->view);
  if (list->rows->len == 1)
    chosen(app, list, 0);
}

static void
begin_answered(const char *answer, gpointer data)
{
  g_autofree Recall *recall = data;

  if (answer && *answer == 'y') {
    show(recall->app, recall->list);
    return;
  }
  recall->list->type.free(recall->app, &recall->list->view);
  if (answer)
    ui_compose_begin(recall->app);
}

static void
ask_begin(UiApp *app, UiList *list)
{
  guint n = list->rows->len;

  if (!n) {
    list->type.free(app, &list->view);
    ui_compose_begin(app);
    return;
  }
  g_autofree char *question = n == 1 ? g_strdup("There is a draft. Go on with it")
                                     : g_strdup_printf("There are %u drafts. Go on with one of them", n);
  Recall *recall = g_new(Recall, 1);
  *recall = (Recall){ app, list };
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, NULL, question, NULL, NULL, begin_answered, recall);
}

/* At the start: what a signet that ended badly left half written. */
static void
say_left(UiApp *app, GPtrArray *entries)
{
  guint n = 0;
  gint64 when = 0;

  for (guint i = 0; i < entries->len; i++) {
    const MlDraftsEntry *entry = entries->pdata[i];
    if (is_open_here(app, entry->id) || ui_drafts_lock(app, entry->id, NULL) != UI_DRAFT_LEFT)
      continue;
    when = MAX(when, entry->saved);
    n++;
  }
  if (!n)
    return;
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(when);
  g_autofree char *words = g_date_time_format(time, "%Y-%m-%d %H:%M");
  if (n == 1)
    ui_app_complain(app, "A message of %s was left unfinished: R goes on with it.", words);
  else
    ui_app_complain(app, "%u messages were left unfinished, the last at %s: R shows them.", n, words);
}

static void
listing_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Listing *listing = data;

  if (!listing->start)
    app->listing_drafts = FALSE;
  if (listing->error && !listing->begin)
    ui_app_error(app, listing->error);
  if (app->ending)
    ;
  else if (listing->start) {
    if (listing->entries)
      say_left(app, listing->entries);
  } else if (!cancelled) {
    UiList *list = list_new();
    fill(app, list, listing->entries);
    if (listing->begin)
      ask_begin(app, list);
    else
      show(app, list);
  }
  listing_free(listing);
}

static void
start_listing(UiApp *app, gboolean begin, gboolean start)
{
  if (!start && app->listing_drafts) /* pressed twice: one question, one list */
    return;
  Listing *listing = g_new0(Listing, 1);

  *listing = (Listing){ .app = app, .folder = ui_drafts_folder(app), .begin = begin, .start = start };
  if (!start)
    app->listing_drafts = TRUE;
  ui_ops_job(app, CRYPTO_JOB_VERIFY, "Looking for drafts", run_listing, listing_done, listing);
}

void
ui_drafts_start(UiApp *app)
{
  start_listing(app, FALSE, TRUE);
}

void
ui_action_compose(UiApp *app)
{
  start_listing(app, TRUE, FALSE);
}

void
ui_action_recall(UiApp *app)
{
  const char *drafts = app->box ? ui_account_special(app->box->account, ML_ROLE_DRAFTS) : NULL;

  if (drafts && !strcmp(drafts, app->box->folder) && (ui_reader_top(app) || ui_box_item(app->box)))
    ui_compose_recall(app); /* the message under the cursor is a draft */
  else
    start_listing(app, FALSE, FALSE);
}

typedef struct {
  UiApp *app;
  char *id;
} Deletion;

static void
delete_answered(const char *answer, gpointer data)
{
  g_autofree Deletion *deletion = data;
  g_autofree char *id = deletion->id;
  UiApp *app = deletion->app;
  UiList *list = (UiList *)ui_app_view(app, UI_IN_DRAFTS);

  if (!answer || *answer != 'y')
    return;
  ui_drafts_delete(app, id);
  ui_app_say(app, "The draft is deleted.");
  for (guint i = 0; list && i < list->rows->len; i++) {
    const Choice *choice = ((UiListRow *)list->rows->pdata[i])->data;
    if (!g_strcmp0(choice->id, id)) {
      g_ptr_array_remove_index(list->rows, i);
      break;
    }
  }
}

void
ui_action_draft_delete(UiApp *app)
{
  UiList *list = (UiList *)ui_app_view(app, UI_IN_DRAFTS);
  const Choice *choice = list && list->cursor < (int)list->rows->len
                             ? ((UiListRow *)list->rows->pdata[list->cursor])->data
                             : NULL;

  if (!choice)
    return;
  if (!choice->id) {
    ui_app_say(app, "It is being written: open it, and q leaves it.");
    return;
  }
  Deletion *deletion = g_new(Deletion, 1);
  *deletion = (Deletion){ app, g_strdup(choice->id) };
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, NULL, "Delete this draft for good", NULL, NULL,
                 delete_answered, deletion);
}

char *
ui_drafts_of_copy(UiApp *app, const char *account, const char *folder, const char *message_id)
{
  g_autofree char *place = g_build_filename(app->cli->state_dir, "drafts", NULL);
  GDir *dir = g_dir_open(place, 0, NULL);
  char *found = NULL;

  for (const char *name; dir && !found && (name = g_dir_read_name(dir));) {
    if (!g_str_has_suffix(name, ".server"))
      continue;
    g_autofree char *id = g_strndup(name, strlen(name) - strlen(".server"));
    g_autoptr(UiDraftCopy) copy = ui_drafts_noted(app, id);
    if (copy && !strcmp(copy->folder, folder) && !strcmp(copy->account, account) &&
        !g_strcmp0(copy->message_id, message_id))
      found = g_steal_pointer(&id);
  }
  if (dir)
    g_dir_close(dir);
  return found;
}

/* What was taken back from the outbox, and of which nothing but the copy is left. */
typedef struct {
  UiApp *app;
  UiAccount *account;
  GBytes *bytes;
  MlSource *source;
  GPtrArray *got; /* of char *: who has it */
  gboolean unsure;
  CryptoRevocationMode revocation;
  MlDraft *draft;
  GError *error;
} Copy;

static void
run_copy(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Copy *copy = data;
  MlReadOptions options = { .at = g_get_real_time() / G_USEC_PER_SEC,
                            .revocation = copy->revocation,
                            .pin = pin };
  g_autoptr(MlMessage) message = ml_message_read(copy->bytes, &options, cancellable, &copy->error);

  if (!message)
    return;
  MlEncryption encryption = ml_message_verdict(message)->encryption;
  if (ml_message_verdict(message)->locked ||
      (encryption != ML_ENCRYPTION_NONE && encryption != ML_ENCRYPTION_DECRYPTED &&
       encryption != ML_ENCRYPTION_LEGACY && encryption != ML_ENCRYPTION_ERRANT)) /* there would be nothing of it */
    g_set_error(&copy->error, ML_ERROR, ML_ERROR_FAILED, "It is encrypted, and was not decrypted.");
  else
    copy->draft = ml_draft_edit(copy->account->account, message, &copy->error);
}

/* A copy that could not be opened, on its way to the Drafts folder. */
typedef struct {
  char *file, *folder, *why; /* file NULL: it could not be written */
} Stored;

static void
stored(UiApp *app, const GError *error, gpointer data)
{
  Stored *copy = data;

  if (error && copy->file)
    ui_app_complain(app, "It was taken back, and lies in %s; it could not be put into %s: %s", copy->file, copy->folder,
                    error->message);
  else if (error)
    ui_app_complain(app, "It was taken back, and is LOST: it could not be put into %s: %s", copy->folder, error->message);
  else {
    if (copy->file)
      g_unlink(copy->file);
    ui_app_complain(app, "It was taken back, and lies in %s: %s", copy->folder, copy->why);
  }
  g_free(copy->file);
  g_free(copy->folder);
  g_free(copy->why);
  g_free(copy);
}

/* It has left the outbox and must not be lost: into a file first, at once, for the line may be down and the program may
 * be about to end; then where the other drafts are. */
static void
keep_copy(UiApp *app, const Copy *copy)
{
  const char *special = app->ending ? NULL : ui_account_special(copy->account, ML_ROLE_DRAFTS);
  const char *why = copy->error ? copy->error->message : "it was not opened.";
  g_autofree char *name = g_strdup_printf("taken-back-%" G_GINT64_FORMAT ".eml", g_get_real_time());
  g_autofree char *file = g_build_filename(app->cli->data_dir, name, NULL);
  g_autoptr(GError) error = NULL;
  gsize length;
  const char *octets = g_bytes_get_data(copy->bytes, &length);

  gboolean kept = g_file_set_contents_full(file, octets, (gssize)length,
                                           G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, &error);
  if (kept)
    ui_app_complain(app, "It was taken back, and lies in %s: %s", file, why);
  else {
    ui_app_complain(app, "It was taken back, and could not be kept here: %s", error->message);
    g_clear_pointer(&file, g_free);
  }
  if (app->ending) /* its line is down */
    return;
  Stored *op_data = g_new(Stored, 1);
  *op_data = (Stored){ g_steal_pointer(&file), g_strdup(special ? special : "Drafts"), g_strdup(why) };
  /* Not one that waits in the journal: the file is the safe copy until the server has it. */
  guint64 id = ml_worker_append_now(copy->account->worker, op_data->folder, copy->bytes, ML_FLAG_DRAFT | ML_FLAG_SEEN, 0);
  UiOp *op = ui_ops_command(app, copy->account, id, "Storing the draft");
  op->silent = TRUE;
  op->finished = stored;
  op->data = op_data;
}

static void
copy_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Copy *copy = data;

  if (copy->draft) {
    UiComposer *composer = open_draft(app, g_steal_pointer(&copy->draft));
    if (copy->source) {
      composer->draft->source_account = g_strdup(copy->source->account);
      composer->draft->source_folder = g_strdup(copy->source->folder);
      composer->draft->source_uidvalidity = copy->source->uidvalidity;
      composer->draft->source_uid = copy->source->uid;
      composer->draft->source_forwarded = copy->source->forwarded;
    }
    ui_outbox_readdress(composer, copy->got, copy->unsure);
    ui_composer_changed(composer, copy->got->len > 0);
    ui_composer_show(composer);
    ui_outbox_say_back(app, copy->got->len > 0, copy->unsure);
  } else
    keep_copy(app, copy);
  g_bytes_unref(copy->bytes);
  ml_source_free(copy->source);
  g_ptr_array_unref(copy->got);
  ml_draft_free(copy->draft);
  g_clear_error(&copy->error);
  g_free(copy);
}

void
ui_drafts_open_copy(UiApp *app, GBytes *bytes, const MlOutboxEntry *entry, GPtrArray *got)
{
  UiAccount *account = ui_account_find(app, entry->account);
  Copy *copy = g_new0(Copy, 1);

  copy->app = app;
  copy->account = account ? account : app->accounts->pdata[0];
  copy->bytes = g_bytes_ref(bytes);
  copy->source = entry->mark_due ? ml_source_copy(entry->source) : NULL;
  copy->got = g_ptr_array_ref(got);
  copy->unsure = entry->state == ML_OUTBOX_UNSURE;
  copy->revocation = ml_config_revocation(app->config);
  ui_ops_job(app, CRYPTO_JOB_KEYS, "Opening the message", run_copy, copy_done, copy);
}
