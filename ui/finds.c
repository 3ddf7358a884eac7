#include <string.h>

#include "mail/config-edit.h"
#include "mail/saved.h"
#include "ui/finder-private.h"
#include "ui/finds-private.h"

/* The search over all folders of an account: a line to type into, and what is found, after each key; and what its server
 * finds besides, when it is asked. */
enum {
  LIMIT = 200,
  SNIPPETS = 40,
  SNIPPETS_US = 8000, /* what is found waits so long for them, and is shown without the others */
  FAR = 200,          /* of a folder on the server */
};

typedef struct {
  UiList *list;
  UiAccount *account;
  char *words;      /* as typed; the last one may be the beginning of one, before Enter as behind it */
  gboolean by_rank, empty; /* empty: there is nothing in the words to search for */
  guint asked;      /* counts questions: an answer to an older one is not shown */
  GCancellable *job; /* of the question under way; NULL */
  UiFindsRows *found;
  guint total;      /* in the index */
  guint aside;      /* left out, in Trash or Junk */
  guint closed;     /* encrypted messages that were not searched */
  gboolean locked;  /* as a PIN is missing */
  guint changes; /* of the index, when it was asked last */
  gint64 when;
  UiAsking *asking; /* the server was asked for these words; NULL */
  gboolean cut;     /* and has found more than is shown */
} Finds;

static UiList *
finds_list(UiApp *app)
{
  return (UiList *)ui_app_view(app, UI_IN_FINDS);
}

const UiAccount *
ui_finds_account(UiApp *app)
{
  UiList *list = finds_list(app);

  return list ? ((const Finds *)list->data)->account : NULL;
}

static void
finds_free(gpointer data)
{
  Finds *finds = data;
  if (finds->job)
    g_cancellable_cancel(finds->job);
  g_clear_object(&finds->job);
  ui_asking_drop(finds->asking);
  ui_finds_rows_free(finds->found);
  g_free(finds->words);
  g_free(finds);
}

static gboolean
has_server(const Finds *finds)
{
  return finds->account->account->kind == ML_ACCOUNT_IMAP;
}

static char *
elsewhere_words(UiApp *app, const Finds *finds)
{
  guint changes, by_server = ui_finds_rows_far(finds->found);
  const MlSearchState *state = ui_finder_state(app, finds->account, &changes);

  if (finds->asking) {
    g_autofree char *words = ui_asking_words(finds->asking);
    const char *what = finds->cut ? "; not all are shown: more words find fewer"
                       : ui_asking_is_over(finds->asking) ? ""
                                                          : "  Esc stops";
    return g_strdup_printf("%s; %u more by it%s", words, by_server, what);
  }
  if (!state || (!state->messages && !state->elsewhere))
    return NULL;
  if (state->waiting)
    return g_strdup_printf("%u of %u messages indexed", state->indexed, state->messages);
  guint missing = state->messages - MIN(state->bodies, state->messages) + state->elsewhere;
  if (!missing || !has_server(finds))
    return NULL;
  if (finds->closed) /* there is room for few words */
    return g_strdup_printf("%u not here in full: a asks the server", missing);
  return g_strdup_printf("%u message%s not here in full: a asks the server", missing, missing == 1 ? " is" : "s are");
}

static char *
missed_words(UiApp *app, const Finds *finds)
{
  g_autofree char *elsewhere = elsewhere_words(app, finds);

  if (!finds->closed)
    return g_steal_pointer(&elsewhere);
  if (elsewhere)
    return g_strdup_printf("%u encrypted not searched%s; %s", finds->closed, finds->locked ? ": D opens" : "", elsewhere);
  return g_strdup_printf("%u encrypted message%s not searched%s", finds->closed, finds->closed == 1 ? " was" : "s were",
                         finds->locked ? ": D asks for the PIN" : "");
}

/* What the search may have missed, and what can be done about it. */
static char *
note_words(UiApp *app, const Finds *finds)
{
  if (finds->empty)
    return elsewhere_words(app, finds);
  g_autofree char *missed = missed_words(app, finds);
  if (!finds->aside)
    return g_steal_pointer(&missed);
  if (missed) /* there is room for few words */
    return g_strdup_printf("%s; %u more: in:anywhere", missed, finds->aside);
  return g_strdup_printf("%u more in Trash and Junk: in:anywhere", finds->aside);
}

static void
set_title(UiApp *app, Finds *finds)
{
  UiList *list = finds->list;
  guint total = finds->total + ui_finds_rows_far(finds->found);
  g_autofree char *name = ui_text_line(finds->account->account->name);
  g_autoptr(GString) title = g_string_new(NULL);

  g_string_append_printf(title, "Search %s", name);
  if (!finds->empty)
    g_string_append_printf(title, ": %u found%s", total, finds->by_rank ? ", best first" : "");
  g_free(list->title);
  list->title = g_string_free(g_steal_pointer(&title), FALSE);
  g_free(list->note);
  list->note = note_words(app, finds);
  list->empty = finds->job     ? "Searching..."
                : !finds->empty ? "No message that is here has all these words (in:anywhere: Trash and Junk too)."
                                : "Words in the header or the text of mail that is here.";
  ui_app_dirty(app);
}

/* ---- asking */

typedef struct {
  UiFinderMail *mail;
  guint number;
  MlQuery *query;
  gboolean by_rank, again, whole; /* whole: all that fit are to be told, where found is cut */
  GPtrArray *found;    /* of MlFound */
  GHashTable *here;    /* all of them; NULL: found has them */
  GPtrArray *snippets; /* of char *, of the first of them */
  guint total, aside, closed;
  gboolean locked;
  CryptoRevocationMode mode;
  GError *error, *trouble; /* trouble: with what encrypted messages say; the rest was searched */
} Question;

static void
question_free(Question *question)
{
  ml_query_free(question->query);
  g_clear_pointer(&question->found, g_ptr_array_unref);
  g_clear_pointer(&question->here, g_hash_table_unref);
  g_ptr_array_unref(question->snippets);
  g_clear_error(&question->error);
  g_clear_error(&question->trouble);
  g_free(question);
}

static guint
snippets_left(const Question *question)
{
  return question->found ? MIN(question->found->len, SNIPPETS) - question->snippets->len : 0;
}

/* Verify thread. @until: monotonic; 0: to the end. */
static void
read_snippets(Question *question, gint64 until, GCancellable *cancellable)
{
  while (snippets_left(question) && !g_cancellable_is_cancelled(cancellable) &&
         (!until || g_get_monotonic_time() < until)) {
    gsize start, end;
    g_autofree char *text = ui_finder_text(question->mail, question->found->pdata[question->snippets->len]);
    g_ptr_array_add(question->snippets, ml_query_snippet(question->query, text ? text : "", &start, &end));
  }
}

static void
run_snippets(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  read_snippets(data, 0, cancellable);
}

static void
run_question(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Question *question = data;
  const MlFindOptions options = { .limit = LIMIT, .by_rank = question->by_rank, .cancellable = cancellable,
                                  .aside = &question->aside };
  if (!ui_finder_open(question->mail, &question->error))
    return;
  ui_finder_join(question->mail, question->mode, cancellable, &question->trouble);
  question->closed = ui_finder_opened(question->mail)->closed;
  question->locked = ui_finder_opened(question->mail)->locked;
  question->found = ml_store_search_find(ui_finder_index(question->mail), question->query, &options,
                                         &question->total, &question->error);
  if (question->whole && question->found && question->total > question->found->len)
    question->here = ml_store_search_all(ui_finder_index(question->mail), question->query, cancellable, &question->error);
  if (ui_finder_is_warm(question->mail))
    read_snippets(question, g_get_monotonic_time() + SNIPPETS_US, cancellable);
}

/* Asked once more since the index has grown, the cursor stays on its message. */
static void
show(Finds *finds, Question *question)
{
  ui_finds_rows_clear(finds->found, UI_FINDS_HERE);
  ui_finds_rows_here(finds->found, g_steal_pointer(&question->here));
  finds->total = question->total;
  finds->aside = question->aside;
  for (guint i = 0; i < question->found->len; i++)
    ui_finds_rows_add(finds->found, UI_FINDS_HERE, finds->account, question->found->pdata[i],
                      i < question->snippets->len ? question->snippets->pdata[i] : i < SNIPPETS ? " " : NULL);
  ui_finds_rows_show(finds->found, finds->list, finds->by_rank, question->again);
}

static Finds *
asked_by(UiApp *app, const Question *question)
{
  UiList *list = app->ending ? NULL : finds_list(app);
  Finds *finds = list ? list->data : NULL;

  return finds && finds->asked == question->number ? finds : NULL;
}

static void
snippets_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Question *question = data;
  Finds *finds = asked_by(app, question);

  if (finds) {
    g_clear_object(&finds->job);
    ui_finds_rows_snippets(finds->found, question->snippets);
    ui_finds_rows_show(finds->found, finds->list, finds->by_rank, TRUE);
    ui_app_dirty(app);
    if (!cancelled)
      ui_finds_news(app); /* what was indexed meanwhile */
  }
  question_free(question);
}

static void
question_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Question *question = data;
  Finds *finds = asked_by(app, question);

  if (finds) {
    g_clear_object(&finds->job);
    if (question->error && !cancelled)
      ui_app_error(app, question->error);
    if (question->trouble && !cancelled)
      ui_app_error(app, question->trouble);
    finds->closed = question->closed;
    finds->locked = question->locked;
    if (question->found)
      show(finds, question);
    if (!cancelled && snippets_left(question)) {
      finds->job = g_object_ref(ui_ops_job(app, CRYPTO_JOB_VERIFY, "Searching", run_snippets, snippets_done, question));
      question = NULL; /* it is the job's */
    }
    set_title(app, finds);
    if (!cancelled)
      ui_finds_news(app);
  }
  g_clear_pointer(&question, question_free);
}

static void
ask(UiApp *app, Finds *finds, gboolean again)
{
  g_autoptr(GError) error = NULL;
  UiFinderMail *mail = ui_finder_mail(app, finds->account);
  MlQuery *query = ml_query_parse(finds->words, TRUE, &error);

  ui_finder_state(app, finds->account, &finds->changes);
  finds->asked++;
  finds->when = g_get_monotonic_time();
  if (finds->job)
    g_cancellable_cancel(finds->job);
  g_clear_object(&finds->job);
  finds->empty = !query;
  if (!query || !mail) { /* nothing to search for yet */
    ml_query_free(query);
    ui_finds_rows_clear(finds->found, UI_FINDS_HERE);
    ui_finds_rows_show(finds->found, finds->list, finds->by_rank, FALSE);
    finds->total = finds->aside = 0;
    set_title(app, finds);
    return;
  }
  ui_finder_flush(app, finds->account);
  Question *question = g_new0(Question, 1);
  question->mode = ml_config_revocation(app->config);
  question->mail = mail;
  question->number = finds->asked;
  question->query = query;
  question->by_rank = finds->by_rank;
  question->again = again;
  question->whole = finds->asking != NULL;
  question->snippets = g_ptr_array_new_with_free_func(g_free);
  finds->job = ui_ops_job(app, CRYPTO_JOB_VERIFY, "Searching", run_question, question_done, question);
  if (finds->job)
    g_object_ref(finds->job);
  set_title(app, finds);
}

void
ui_finds_news(UiApp *app)
{
  enum { AGAIN_US = 2 * G_USEC_PER_SEC };
  UiList *list = finds_list(app);
  Finds *finds = list ? list->data : NULL;
  guint changes;
  const MlSearchState *state = finds ? ui_finder_state(app, finds->account, &changes) : NULL;

  if (!state)
    return;
  set_title(app, finds);
  ui_app_dirty(app);
  if (!finds->empty && !finds->job && changes != finds->changes &&
      (!state->waiting || g_get_monotonic_time() - finds->when > AGAIN_US))
    ask(app, finds, TRUE);
}

void
ui_finds_again(UiApp *app)
{
  UiList *list = finds_list(app);

  if (list)
    ask(app, list->data, TRUE);
}

/* An answer that is under way is not shown either. */
void
ui_finds_forget(UiApp *app)
{
  UiList *list = finds_list(app);
  Finds *finds = list ? list->data : NULL;

  if (!finds || !finds->account->account->index_encrypted)
    return;
  ui_finds_rows_clear(finds->found, UI_FINDS_HERE);
  ui_finds_rows_show(finds->found, list, finds->by_rank, FALSE);
  finds->total = finds->aside = 0;
  ask(app, finds, FALSE);
}

void
ui_action_find_decrypt(UiApp *app)
{
  const Finds *finds = finds_list(app)->data;

  if (!finds->account->account->index_encrypted)
    ui_app_say(app, "What encrypted mail says is not kept for the search: index-encrypted = yes in signet.conf does that.");
  else if (!finds->closed)
    ui_app_say(app, "There is no encrypted message that was read and not searched.");
  else
    ui_finder_unlock(app, finds->account);
}

/* ---- the server */

static void
drop_server(Finds *finds)
{
  ui_asking_drop(g_steal_pointer(&finds->asking));
  ui_finds_rows_clear(finds->found, UI_FINDS_SERVER);
  finds->cut = FALSE;
}

static void
server_found(UiApp *app, UiAccount *account, const MlEvent *event, gpointer data)
{
  Finds *finds = data;

  finds->cut |= event->uids->len > event->headers->len;
  for (guint i = 0; i < event->headers->len; i++) {
    const MlFound one = { .folder = event->folder, .uidvalidity = event->selected.uidvalidity,
                          .header = event->headers->pdata[i] };
    finds->cut |= !ui_finds_rows_add(finds->found, UI_FINDS_SERVER, account, &one, NULL);
  }
  if (event->headers->len)
    ui_finds_rows_show(finds->found, finds->list, finds->by_rank, TRUE);
  set_title(app, finds);
}

static void
server_news(UiApp *app, gpointer data)
{
  set_title(app, data);
}

void
ui_action_find_ask(UiApp *app)
{
  Finds *finds = finds_list(app)->data;
  g_autoptr(GError) error = NULL;
  g_autoptr(MlQuery) query = finds->empty ? NULL : ml_query_parse(finds->words, FALSE, &error);
  g_autoptr(GPtrArray) accounts = g_ptr_array_new();
  const UiAskingFuncs funcs = { server_found, server_news, finds };

  if (error)
    ui_app_error(app, error);
  else if (!query)
    ui_app_say(app, "There are no words yet to ask the server for: Q.");
  else if (!has_server(finds))
    ui_app_say(app, "All mail of %s is on this machine: there is no server to ask.",
               finds->account->account->name);
  else if (finds->asking && !ui_asking_is_over(finds->asking))
    ui_app_say(app, "The server is being asked: Esc stops it.");
  else {
    drop_server(finds);
    g_ptr_array_add(accounts, finds->account);
    ui_finds_rows_show(finds->found, finds->list, finds->by_rank, TRUE);
    finds->asking = ui_asking_start(app, accounts, NULL, query, FAR, &funcs);
    if (finds->total >= LIMIT) /* of those that are not shown the server must not be said to have found more */
      ask(app, finds, TRUE);
    set_title(app, finds);
  }
}

/* ---- typing */

static void
set_words(UiApp *app, Finds *finds, const char *words)
{
  if (!strcmp(words, finds->words))
    return;
  g_free(finds->words);
  finds->words = g_strdup(words);
  drop_server(finds);
  ask(app, finds, FALSE);
}

static void
on_typing(UiApp *app, const char *text)
{
  UiList *list = finds_list(app);

  if (list)
    set_words(app, list->data, text);
}

static void
on_answer(const char *answer, gpointer data)
{
  UiApp *app = data;
  UiList *list = finds_list(app);

  app->typing = NULL;
  if (!list)
    return;
  if (!answer || !*answer) {
    ui_app_pop(app);
    return;
  }
  set_words(app, list->data, answer);
  if (!((Finds *)list->data)->empty)
    return;
  g_autoptr(GError) error = NULL;
  g_autoptr(MlQuery) query = ml_query_parse(answer, FALSE, &error);
  if (error)
    ui_app_error(app, error);
}

static void
ask_words(UiApp *app, const char *initial)
{
  static const char *const explanation[] = {
    "Words that must all be there;  begin*  \"some words\"  -not  from:  to:  subject:  body:",
    "in:anywhere: Trash and Junk too", NULL
  };

  app->typing = on_typing;
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, explanation, "Search all folders for", initial, NULL, on_answer, app);
}

/* ---- the view */

/* The message is opened when its folder is there: ui_finds_arrived(). */
typedef struct {
  UiAccount *account;
  char *folder;
  guint32 uidvalidity, uid;
} Goal;

static void
goal_free(gpointer data)
{
  Goal *goal = data;

  g_free(goal->folder);
  g_free(goal);
}

void
ui_finds_arrived(UiApp *app)
{
  Goal *goal = app->goal;
  UiBox *box = app->hits ? NULL : app->box;

  if (!goal || !box)
    return;
  if (box->account != goal->account || strcmp(box->folder, goal->folder) != 0) { /* somewhere else was gone */
    goal_free(g_steal_pointer(&app->goal));
    return;
  }
  gboolean same = box->uidvalidity == goal->uidvalidity; /* else its number is another's now */
  UiItem *item = same ? ui_box_by_uid(box, goal->uid) : NULL;
  if (!item && (box->loading || (!box->uidvalidity && !box->stale)))
    return;
  goal_free(g_steal_pointer(&app->goal));
  if (!item) {
    if (!box->stale) /* why it cannot be read was said */
      ui_app_say(app, "The message is not in this folder any more: Q asks for the words again.");
    return;
  }
  ui_box_seek(box, item);
  UiPromptShown prompt;
  if (ui_app_top(app)->type->context & (UI_IN_INDEX | UI_IN_FINDS) && !ui_prompts_shown(app->prompts, &prompt))
    ui_reader_open(app, item);
}

static void
go(UiApp *app, gpointer data)
{
  Goal *goal = data;

  if (app->goal)
    goal_free(app->goal);
  app->goal = goal;
  ui_app_pop_to_alone(app, UI_IN_FINDS); /* where q leads back to from the message */
  ui_hits_close(app, UI_IN_FINDS);
  if (!app->box || app->box->account != goal->account || strcmp(app->box->folder, goal->folder) != 0)
    ui_box_open_below(app, goal->account, goal->folder, UI_IN_FINDS);
  ui_finds_arrived(app);
}

static void
open_row(UiApp *app, UiList *list, guint row)
{
  const Finds *finds = list->data;
  const UiFindsRow *place = ui_finds_rows_at(finds->found, row);

  if (!place)
    return;
  Goal *goal = g_new(Goal, 1);
  *goal = (Goal){ place->account, g_strdup(place->folder), place->uidvalidity, place->uid };
  const UiBox *folder = ui_app_folder(app);
  gboolean stays = folder && folder->account == goal->account && !strcmp(folder->folder, goal->folder);
  if (!stays)
    ui_sync_leave(app, UI_IN_FINDS, go, goal, goal_free);
  else if (app->hits)
    ui_sync_pending(app, go, goal, goal_free);
  else
    go(app, goal);
}

void
ui_action_find(UiApp *app)
{
  UiAccount *account = NULL;
  UiList *list = finds_list(app);

  if (list) {
    ui_app_pop_to(app, UI_IN_FINDS);
    ui_finder_news(app, ((Finds *)list->data)->account);
    ask_words(app, ((Finds *)list->data)->words);
    return;
  }
  if (ui_app_top(app)->type->context == UI_IN_FOLDERS)
    (void)ui_folders_current(app, &account); /* a line of an account */
  if (!account)
    account = ui_account_in_use(app);
  Finds *finds = g_new0(Finds, 1);
  gboolean server = account->account->kind == ML_ACCOUNT_IMAP;
  list = ui_list_new(UI_IN_FINDS, "the search", "Search",
                     server ? "Enter open  a ask the server  Q other words  s sort  w keep  D decrypt  q back  ? help"
                            : "Enter open  Q other words  s sort  w keep  D decrypt  q back  ? help");
  *finds = (Finds){ .list = list, .account = account, .words = g_strdup(""), .empty = TRUE,
                    .found = ui_finds_rows_new() };
  list->data = finds;
  list->free_data = finds_free;
  list->open = open_row;
  ui_app_push(app, &list->view);
  set_title(app, finds);
  ui_finder_news(app, account);
  ask_words(app, NULL);
}

void
ui_action_find_sort(UiApp *app)
{
  Finds *finds = finds_list(app)->data;

  finds->by_rank = !finds->by_rank;
  ask(app, finds, FALSE);
}

void
ui_finds_free(UiApp *app)
{
  if (app->goal)
    goal_free(app->goal);
}

/* ---- kept under a name */

static void
name_answered(const char *answer, gpointer data)
{
  UiApp *app = data;
  UiList *list = finds_list(app);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) trial = g_ptr_array_new_with_free_func((GDestroyNotify)ml_saved_free);

  if (!answer || !*answer || !list)
    return;
  const char *words = ((const Finds *)list->data)->words;
  g_autofree char *name = g_strstrip(g_strdup(answer));
  if (ml_saved_find(app->config->searches, name))
    ui_app_complain(app, "There is a search \"%s\" already: give this one another name.", name);
  else if (!ml_saved_add(trial, name, words, &error) ||
           !ml_config_save_search(app->cli->config_path, name, words, &error))
    ui_app_error(app, error);
  else {
    g_ptr_array_add(app->config->searches, g_ptr_array_steal_index(trial, 0)); /* which this thread alone reads */
    ui_app_say(app, "Kept: y lists \"%s\" below the folders.", name);
  }
}

void
ui_action_find_keep(UiApp *app)
{
  const Finds *finds = finds_list(app)->data;

  if (finds->empty)
    ui_app_say(app, "There are no words yet to be kept: Q.");
  else if (ml_saved_is_pattern(finds->words))
    ui_app_say(app, "Kept words that begin with ~ ! ( or = would be a pattern: begin with another one.");
  else
    ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Keep this search under the name", NULL, NULL, name_answered, app);
}
