#include <malloc.h>
#include <string.h>

#include "mail/lists.h"
#include "ui/app-private.h"
#include "ui/terminal.h"

enum { LOG_LINES = 1000, KEYS_A_TURN = 256, TICK_MS = 250, FIRST_MS = 1000 };

static void start_rest(UiApp *app);

/* Is the first list on the screen, or is there none to wait for? */
static gboolean
is_first_seen(const UiApp *app)
{
  return app->views->len > 1 || !app->box || ui_box_rows(app->box) || !app->box->loading;
}

void
ui_app_drawn(UiApp *app)
{
  if (app->rest_source && is_first_seen(app))
    start_rest(app);
}

static void
log_line_free(UiLogLine *line)
{
  g_free(line->text);
  g_free(line);
}

/* "far: CAUSE" of an account that goes offline, with what comes of it perhaps, and CAUSE once more as the answer to the key
 * that met it. */
static gboolean
just_said(UiApp *app, const char *safe)
{
  const UiLogLine *last = app->log->len ? app->log->pdata[app->log->len - 1] : NULL;
  if (!last || g_get_real_time() / G_USEC_PER_SEC > last->when + 10)
    return FALSE;
  const char *at = strstr(last->text, safe), *behind = at ? at + strlen(safe) : NULL;
  return at && at > last->text + 2 && strncmp(at - 2, ": ", 2) == 0 && (!*behind || strchr(" .", *behind));
}

static void
add_log(UiApp *app, UiStyle style, const char *safe)
{
  if (just_said(app, safe))
    return;
  UiLogLine *line = g_new(UiLogLine, 1);

  if (app->log->len >= LOG_LINES)
    g_ptr_array_remove_range(app->log, 0, LOG_LINES / 10);
  *line = (UiLogLine){ g_get_real_time() / G_USEC_PER_SEC, style, g_strdup(safe) };
  g_ptr_array_add(app->log, line);
}

static void
set_status(UiApp *app, UiStyle style, char *safe)
{
  g_free(app->status);
  app->status = safe;
  app->status_style = style;
  ui_app_dirty(app);
}

void
ui_app_say(UiApp *app, const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *words = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  set_status(app, UI_STYLE_NORMAL, ui_text_line(words));
}

void
ui_app_complain(UiApp *app, const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *words = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  set_status(app, UI_STYLE_WARN, ui_text_line(words));
  add_log(app, UI_STYLE_WARN, app->status);
}

void
ui_app_error(UiApp *app, const GError *error)
{
  if (g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED) ||
      g_error_matches(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED) ||
      g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  ui_app_complain(app, "%s", error->message);
}

void
ui_app_note(UiApp *app, UiStyle style, const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *words = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_autofree char *safe = ui_text_line(words);
  add_log(app, style, safe);
}

UiView *
ui_app_top(UiApp *app)
{
  return app->views->pdata[app->views->len - 1];
}

void
ui_app_push(UiApp *app, UiView *view)
{
  g_ptr_array_add(app->views, view);
  ui_app_dirty(app);
}

void
ui_app_pop(UiApp *app)
{
  if (app->views->len < 2)
    return;
  UiView *view = ui_app_top(app);
  g_ptr_array_set_size(app->views, (int)app->views->len - 1);
  view->type->free(app, view);
  ui_app_dirty(app);
}

void
ui_app_pop_to(UiApp *app, UiContext context)
{
  while (app->views->len > 1 && ui_app_top(app)->type->context != context)
    ui_app_pop(app);
}

void
ui_app_pop_to_alone(UiApp *app, UiContext context)
{
  ui_app_pop_to(app, context);
  while (app->views->len > 2) {
    UiView *view = g_ptr_array_remove_index(app->views, app->views->len - 2);
    view->type->free(app, view);
  }
}

UiView *
ui_app_view(UiApp *app, UiContext context)
{
  for (guint i = app->views->len; i-- > 0;) {
    UiView *view = app->views->pdata[i];
    if (view->type->context == context)
      return view;
  }
  return NULL;
}

void
ui_app_end(UiApp *app)
{
  app->ending = TRUE;
  g_main_loop_quit(app->loop);
}

static char *
people_file(const UiApp *app)
{
  return g_build_filename(app->cli->data_dir, "people.db", NULL);
}

MlPeople *
ui_app_people(UiApp *app, CryptoJobThread thread)
{
  if (!app->people[thread]) {
    g_autoptr(GError) error = NULL;
    g_autofree char *file = people_file(app);
    app->people[thread] = ml_people_open(file, &error);
    if (!app->people[thread])
      g_message("%s", error->message);
  }
  return app->people[thread];
}

MlPeople *
ui_app_people_if_any(UiApp *app, CryptoJobThread thread)
{
  g_autofree char *file = people_file(app);

  return app->people[thread] || g_file_test(file, G_FILE_TEST_EXISTS) ? ui_app_people(app, thread) : NULL;
}

static gboolean
on_tick(gpointer data)
{
  UiApp *app = data;

  ui_app_dirty(app); /* once more where all has come to its end: what was told of it goes */
  g_autofree char *leaving = ui_outbox_words(app);
  if (ui_ops_any_shown(app) || leaving)
    return G_SOURCE_CONTINUE;
  app->tick_source = 0;
  return G_SOURCE_REMOVE;
}

void
ui_app_tick(UiApp *app)
{
  if (!app->tick_source && !app->ending)
    app->tick_source = g_timeout_add(TICK_MS, on_tick, app);
}

static void
handle_key(UiApp *app, int key)
{
  UiPromptShown prompt;

  if (key == UI_KEY_RESIZE)
    return;
  app->keys++;
  if (app->box)
    app->box->unmoved_since = 0;
  ui_app_release(app);
  if (app->rest_source)
    start_rest(app);
  ui_idle_touch(app);
  if (ui_prompts_shown(app->prompts, &prompt)) {
    ui_prompts_key(app->prompts, key);
    if (app->typing && ui_prompts_shown(app->prompts, &prompt) && prompt.kind == UI_PROMPT_LINE)
      app->typing(app, prompt.edit->text);
    return;
  }
  g_clear_pointer(&app->status, g_free);
  const UiBinding *binding = ui_keys_find(key, ui_app_top(app)->type->context);
  if (!binding) {
    g_autofree char *name = ui_keys_name(key);
    app->apply_to_tagged = FALSE;
    ui_app_say(app, "%s does nothing here: ? shows the keys.", name);
    return;
  }
  gboolean applied = app->apply_to_tagged;
  app->key = key;
  if (!app->hits || !ui_hits_key(app, binding))
    binding->run(app);
  if (applied)
    app->apply_to_tagged = FALSE;
}

void
ui_app_key(UiApp *app, int key)
{
  UiPromptShown prompt;
  gboolean alt = key > UI_ALT(' ') && key < UI_ALT(0x7f);
  gboolean asked = ui_prompts_shown(app->prompts, &prompt);

  if (alt && asked && (prompt.kind == UI_PROMPT_LINE || prompt.kind == UI_PROMPT_LETTER))
    return; /* a shell's editing key, not one for the mail below */
  if (alt && (asked || !ui_keys_find(key, ui_app_top(app)->type->context))) { /* Esc and a key, typed fast */
    ui_app_key(app, UI_KEY_ESC);
    ui_app_key(app, key - UI_ALT(0));
  } else if (asked || key == UI_KEY_RESIZE || !app->hits || !ui_hits_wait(app, key))
    handle_key(app, key);
  else
    ui_idle_touch(app);
}

static gboolean
on_keys(int fd, GIOCondition condition, gpointer data)
{
  UiApp *app = data;

  for (int i = 0; i < KEYS_A_TURN && !app->ending && app->keys_source; i++) {
    int key = ui_screen_key();
    if (key == UI_KEY_NONE)
      break;
    ui_app_key(app, key);
  }
  ui_app_dirty(app);
  if (condition & (G_IO_HUP | G_IO_ERR)) {
    app->keys_source = 0;
    ui_app_end(app);
    return G_SOURCE_REMOVE;
  }
  if (app->keys_source)
    ui_app_draw_now(app);
  return app->keys_source ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

void
ui_app_watch_keys(UiApp *app, gboolean watch)
{
  if (watch && !app->keys_source)
    app->keys_source = ui_terminal_watch(on_keys, app);
  else if (!watch && app->keys_source) {
    g_source_remove(app->keys_source);
    app->keys_source = 0;
  }
}

static void
on_terminal(UiTerminalEvent event, gpointer data)
{
  UiApp *app = data;

  switch (event) {
  case UI_TERMINAL_RESIZED:
  case UI_TERMINAL_CONTINUED:
    if (app->keys_source) /* else another program has the terminal */
      ui_screen_resize();
    ui_app_dirty(app);
    break;
  case UI_TERMINAL_STOP:
    if (app->keys_source)
      ui_screen_stop();
    ui_app_dirty(app);
    break;
  case UI_TERMINAL_END:
    app->exit_code = UI_EXIT_OK;
    ui_app_end(app);
    break;
  case UI_TERMINAL_INTERRUPT:
    break; /* Ctrl-C for a program that has the terminal; ours comes as a key */
  }
}

/* What libraries and other threads have to say goes to the log, by way of this thread. */
typedef struct {
  UiApp *app;
  char *text;
} Said;

static gboolean
on_said(gpointer data)
{
  Said *said = data;

  ui_app_note(said->app, UI_STYLE_QUIET, "%s", said->text);
  return G_SOURCE_REMOVE;
}

static void
said_free(gpointer data)
{
  Said *said = data;

  g_free(said->text);
  g_free(said);
}

static void
on_log(const char *domain, GLogLevelFlags level, const char *text, gpointer data)
{
  if (level & (G_LOG_FLAG_FATAL | G_LOG_LEVEL_ERROR)) {
    ui_screen_close();
    g_log_default_handler(domain, level, text, NULL);
    return;
  }
  if (level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_INFO)) /* libraries talk to themselves */
    return;
  Said *said = g_new(Said, 1);
  *said = (Said){ data, g_strdup(text) };
  g_idle_add_full(G_PRIORITY_DEFAULT, on_said, said, said_free);
}

static void
prompts_changed(gpointer data)
{
  ui_app_dirty(data);
}

typedef struct {
  UiApp *app;
  char *words;
} OnReader;

static gboolean
show_on_reader(gpointer data)
{
  OnReader *shown = data;

  g_free(shown->app->on_reader);
  shown->app->on_reader = g_steal_pointer(&shown->words);
  ui_app_dirty(shown->app);
  return G_SOURCE_REMOVE;
}

static void
on_reader_free(gpointer data)
{
  OnReader *shown = data;

  g_free(shown->words);
  g_free(shown);
}

/* It is queued before the job's end can be, which takes it down. */
void
ui_app_on_reader(UiApp *app, const char *what, const char *token)
{
  g_autofree char *name = ui_text_line(token ? token : ""), *cut = ui_text_cut(name, 40);
  OnReader *shown = g_new(OnReader, 1);

  *shown = (OnReader){ app, g_strdup_printf("Enter %s of \"%s\" on the reader.", what, cut) };
  g_idle_add_full(G_PRIORITY_DEFAULT, show_on_reader, shown, on_reader_free);
}

/* On the keys thread. */
static char *
ask_pin(const CryptoPinQuestion *question, GCancellable *cancellable, gpointer data)
{
  UiApp *app = data;
  char *pin = ui_prompts_pin(question, cancellable, app->prompts);

  if (pin && question->pinpad && !app->ending)
    ui_app_on_reader(app, "the PIN", question->token);
  if (pin)
    ui_idle_pin_given(app);
  return pin;
}

static void
set_up(UiApp *app, UiCli *cli)
{
  app->cli = cli;
  app->config = cli->config;
  app->loop = g_main_loop_new(NULL, FALSE);
  app->accounts = g_ptr_array_new_with_free_func((GDestroyNotify)ui_account_free);
  app->views = g_ptr_array_new();
  app->ops = g_ptr_array_new();
  app->composers = g_ptr_array_new();
  app->log = g_ptr_array_new_with_free_func((GDestroyNotify)log_line_free);
  app->prompts = ui_prompts_new(prompts_changed, app);
  app->secrets = ui_ask_new(app);
  app->subjects = ui_subjects_new();
  g_ptr_array_add(app->views, ui_index_new());
  g_log_set_default_handler(on_log, app);
}

static void
remove_source(guint *source)
{
  if (*source)
    g_source_remove(*source);
  *source = 0;
}

static void
close_lines(UiBox *box, gpointer data)
{
  ui_lines_close(box->lines);
}

/* Threads first, while what they hand back still has somebody to take it; the screen last, so that a crash on the
 * way still finds the terminal in our hands. */
static void
take_down(UiApp *app)
{
  app->ending = TRUE;
  ui_app_watch_keys(app, FALSE);
  remove_source(&app->logout_source);
  remove_source(&app->notice_source);
  remove_source(&app->draw_source);
  remove_source(&app->tick_source);
  remove_source(&app->mend_source);
  remove_source(&app->near_source);
  remove_source(&app->rest_source);
  for (guint i = 0; i < app->ops->len; i++) {
    UiOp *op = app->ops->pdata[i];
    if (op->cancellable)
      g_cancellable_cancel(op->cancellable);
  }
  ml_driver_ahead_stop();
  crypto_open_stop();
  ui_prompts_close(app->prompts);
  ui_outbox_stop(app);
  ui_directory_stop(app);
  ui_asking_stop(app);
  ui_cards_stop(app);
  ui_ahead_stop(app);
  ui_verdicts_stop(app);
  ml_lists_stop(app->lists);
  ui_thread_edits_stop(app);
  crypto_job_stop();
  ui_finder_free(app);
  ui_app_each_box(app, close_lines, NULL); /* the workers, which may write, are the last */
  g_ptr_array_set_size(app->accounts, 0);
  while (g_main_context_iteration(NULL, FALSE))
    ;
  while (app->views->len > 1)
    ui_app_pop(app);
  ui_compose_free(app);
  ui_outbox_free(app);
  ui_addresses_free(app);
  ui_finds_free(app);
  ui_app_top(app)->type->free(app, ui_app_top(app));
  ui_terminal_unwatch();
  ui_screen_close();
  g_log_set_default_handler(g_log_default_handler, NULL);
}

static void
clear(UiApp *app)
{
  ui_verdicts_free(app);
  ui_hits_free(app);
  ui_box_free(app->box);
  ui_subjects_free(app->subjects);
  ml_thread_edits_free(app->thread_edits);
  ui_look_free(app);
  ui_asking_free(app);
  for (guint i = 0; i < G_N_ELEMENTS(app->people); i++)
    if (app->people[i])
      ml_people_free(app->people[i]);
  ui_prompts_free(app->prompts);
  ui_ask_free(app->secrets);
  g_ptr_array_unref(app->accounts);
  g_ptr_array_unref(app->views);
  for (guint i = 0; i < app->ops->len; i++)
    ui_ops_free(app->ops->pdata[i]);
  g_ptr_array_unref(app->ops);
  g_ptr_array_unref(app->log);
  g_free(app->status);
  g_free(app->fatal);
  g_free(app->on_reader);
  g_free(app->notice);
  g_clear_pointer(&app->outlived, g_ptr_array_unref);
  g_clear_pointer(&app->last_words, g_ptr_array_unref);
  g_free(app->search);
  g_free(app->before);
  g_main_loop_unref(app->loop);
}

/* Which account the first screen is of, and in *name the folder; NULL: there is none. */
static const MlAccount *
find_first(const UiCli *cli, const char *folder, const char **name)
{
  const char *slash = folder ? strchr(folder, '/') : NULL;
  g_autofree char *prefix = slash ? g_strndup(folder, (gsize)(slash - folder)) : g_strdup(folder);
  const MlAccount *named = prefix ? ml_config_account(cli->config, prefix) : NULL;

  *name = !folder ? "INBOX" : !named ? folder : slash && slash[1] ? slash + 1 : "INBOX";
  const MlAccount *first = ml_config_account(cli->config, cli->account);
  return first && named ? named : first;
}

static gboolean
start(UiApp *app, const char *folder)
{
  const char *name;
  const MlAccount *first = find_first(app->cli, folder, &name);

  if (!first) {
    ui_cli_error(app->cli, "there is no account %s in %s", app->cli->account, app->config->file);
    return FALSE;
  }
  for (guint i = 0; i < app->config->accounts->len; i++)
    ui_account_start(app, app->config->accounts->pdata[i]);
  ui_box_open(app, ui_account_find(app, first->name), name);
  for (guint i = 0; i < app->accounts->len; i++) {
    UiAccount *each = app->accounts->pdata[i];
    UiOp *op = ui_ops_command(app, each, ml_worker_folders(each->worker, TRUE), "Asking for the folders");
    op->silent = TRUE;
  }
  return TRUE;
}

/* What nobody sees at once begins when the first list is on the screen, or when a key is pressed; a server that is
 * slow does not hold it up either. */
static void
start_rest(UiApp *app)
{
  remove_source(&app->rest_source);
  crypto_open_now();
  ui_cards_start(app);
  ui_verdicts_start(app);
  app->lists = app->cli->offline ? NULL : ml_lists_start(app->config, ui_online_news, app);
  ui_outbox_start(app);
  ui_drafts_start(app);
  ui_addresses_start(app);
  ui_certs_notice_start(app);
  ui_directory_start(app);
  ui_finder_start(app);
  ui_ahead_start(app);
}

static gboolean
on_rest(gpointer data)
{
  start_rest(data);
  return G_SOURCE_REMOVE;
}

/* The certificate database is open, or cannot be: without it signet shows nothing. */
static void
on_crypto(const GError *error, gpointer data)
{
  UiApp *app = data;

  if (!error)
    return;
  app->fatal = g_strdup(error->message);
  app->exit_code = ui_cli_exit_for(error);
  ui_app_end(app);
}

int
ui_app_run(UiCli *cli, const char *folder, MlDraft *first)
{
  enum { KEPT = 256 * 1024 };
  g_autoptr(MlDraft) draft = first;
  UiApp app = { .exit_code = UI_EXIT_OK };
  g_autoptr(GError) error = NULL;
  int code = UI_EXIT_OK;

  if (!ui_cli_config(cli, &code))
    return code;
  if (!cli->config->accounts->len) {
    ui_cli_error(cli, "no account is set up: write one into %s (see signet.conf(5)), or try `signet demo`",
                 cli->config->file);
    return UI_EXIT_CONFIG;
  }
  ui_cli_crypto_behind(cli, on_crypto, &app); /* which sets the environment while there is no other thread */
  /* What takes longest is begun before all else: the server may be far away. */
  const char *name;
  const MlAccount *account = cli->offline ? NULL : find_first(cli, folder, &name);
  if (account)
    ml_driver_ahead(account);
  g_autofree char *log = g_build_filename(cli->state_dir, "stderr.log", NULL);
  g_mkdir_with_parents(cli->state_dir, 0700);
  g_mkdir_with_parents(cli->data_dir, 0700);
  if (cli->config->sort)
    ui_order_parse(cli->config->sort, &app.order);
  if (!ui_screen_open(cli->config->ascii, log, &error)) {
    ml_driver_ahead_stop();
    ui_cli_error(cli, "%s", error->message);
    return UI_EXIT_USAGE;
  }
  /* What the threads or the order of a long list took is given back: left to itself malloc keeps as much from then on. */
  mallopt(M_MMAP_THRESHOLD, KEPT);
  mallopt(M_TRIM_THRESHOLD, KEPT);
  set_up(&app, cli);
  crypto_job_start(ask_pin, &app);
  ui_terminal_watch_signals(on_terminal, &app);
  ui_app_watch_keys(&app, TRUE);
  if (start(&app, folder)) {
    if (!draft)
      ui_app_hold(&app); /* a list that is kept comes before an empty one was drawn */
    ui_app_dirty(&app);
    app.rest_source = g_timeout_add(FIRST_MS, on_rest, &app);
    if (draft) {
      start_rest(&app);
      app.end_with_composer = TRUE;
      UiAccount *from = ui_account_find(&app, draft->account);
      ui_compose_draft(&app, from ? from : app.accounts->pdata[0], g_steal_pointer(&draft));
    }
    g_main_loop_run(app.loop);
  } else
    app.exit_code = UI_EXIT_CONFIG;
  take_down(&app);
  if (app.fatal)
    ui_cli_error(cli, "%s", app.fatal);
  for (guint i = 0; app.last_words && i < app.last_words->len; i++) {
    ui_cli_error(cli, "%s", (const char *)app.last_words->pdata[i]);
    app.exit_code = app.exit_code ? app.exit_code : UI_EXIT_IO;
  }
  clear(&app);
  return app.exit_code;
}
