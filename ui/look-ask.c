#include <stdlib.h>

#include "ui/app-private.h"

/* A limit that looks into messages which are not here: the server is asked what ~b and ~B find in the open folder, one of
 * them after the other, and the limit learns it. What is encrypted says nothing to a server either. */
typedef struct {
  UiApp *app;
  UiBox *box;         /* and what it was then: */
  MlPattern *pattern; /* its limit */
  guint32 uidvalidity;
  guint at;           /* the test of the pattern that is asked about */
  guint32 newest;     /* of the messages that were in the list then: of what came since the server may not speak */
  gboolean answered;  /* that one */
  UiAsking *asking;
} Ask;

static void
ask_free(Ask *ask)
{
  ui_asking_drop(ask->asking);
  ml_pattern_free(ask->pattern);
  g_free(ask);
}

void
ui_look_ask_free(UiApp *app)
{
  if (app->look_ask)
    ask_free(g_steal_pointer(&app->look_ask));
}

/* Where the server knows it: RFC 3501 has no key for all of the header alone, nor need it know Sender. */
static gboolean
can_ask(const MlPattern *pattern, guint at, MlQueryField *field, const char **word)
{
  char letter = ml_pattern_text(pattern, at, word);

  *field = letter == 'b' ? ML_QUERY_BODY : ML_QUERY_ALL;
  return letter == 'b' || letter == 'B';
}

typedef struct {
  MlPattern *pattern;
  const GArray *found; /* guint32, newest first, of @at; NULL: they are only counted */
  guint at, n;
  guint32 newest;
} Learning;

static int
newest_first(gconstpointer a, gconstpointer b)
{
  guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;

  return one < other ? 1 : one > other ? -1 : 0;
}

static void
learn(UiBox *box, UiItem *item, const MlHeader *header, gpointer data)
{
  Learning *learning = data;
  MlPatternFacts facts = ui_box_facts_of(box, item, header);

  if (item->hints & ML_HINT_ENCRYPTED || ml_pattern_ask(learning->pattern, &facts) != ML_PATTERN_OPEN)
    return;
  learning->n++;
  if (!learning->found)
    return;
  MlPatternSeen seen = ml_pattern_learnt(learning->pattern, item->uid);
  guint32 bit = 1u << learning->at;
  if (seen.known & bit)
    return;
  seen.known |= bit;
  if (learning->found->len &&
      bsearch(&item->uid, learning->found->data, learning->found->len, sizeof(guint32), newest_first))
    seen.yes |= bit;
  else if (item->uid > learning->newest)
    return;
  ml_pattern_learn(learning->pattern, item->uid, seen);
}

static void
learn_all(UiBox *box, Learning *learning)
{
  ui_box_each(box, ml_pattern_needs(learning->pattern), learn, learning);
}

guint
ui_look_askable(UiApp *app)
{
  UiBox *box = app->hits ? NULL : app->box;
  const char *word;
  MlQueryField field;
  gboolean any = FALSE;

  if (!box || !box->limit || box->account->account->kind != ML_ACCOUNT_IMAP)
    return 0;
  for (guint i = 0; i < ml_pattern_texts(box->limit); i++)
    any |= can_ask(box->limit, i, &field, &word);
  Learning counting = { box->limit, NULL, 0, 0, 0 };
  if (any)
    learn_all(box, &counting);
  return counting.n;
}

static gboolean
is_there(const Ask *ask)
{
  const UiApp *app = ask->app;

  return !app->hits && app->box == ask->box && ask->box->limit == ask->pattern && ask->box->uidvalidity == ask->uidvalidity;
}

static void
on_found(UiApp *app, UiAccount *account, const MlEvent *event, gpointer data)
{
  Ask *ask = data;

  if (!is_there(ask) || event->selected.uidvalidity != ask->uidvalidity)
    return;
  Learning learning = { ask->pattern, event->uids, ask->at, 0, ask->newest };
  learn_all(ask->box, &learning);
  ask->answered = TRUE;
}

static void
say_end(Ask *ask)
{
  UiApp *app = ask->app;
  guint left = ui_look_askable(app);

  ask->box->fitted = FALSE;
  ui_box_arrange(ask->box, NULL);
  if (left)
    ui_app_say(app, "The server was asked: %u fit; of %u it cannot tell.", ui_box_fitting(ask->box), left);
  else
    ui_app_say(app, "The server was asked: %u fit.", ui_box_fitting(ask->box));
}

static void ask_next(Ask *ask);

static void
on_news(UiApp *app, gpointer data)
{
  Ask *ask = data;

  if (!ui_asking_is_over(ask->asking))
    return;
  if (ask->answered && is_there(ask)) {
    ui_asking_drop(g_steal_pointer(&ask->asking));
    ask->at++;
    ask_next(ask);
  } else
    ui_look_ask_free(app); /* why was said */
}

static void
ask_next(Ask *ask)
{
  const UiAskingFuncs funcs = { on_found, on_news, ask };
  g_autoptr(GPtrArray) accounts = g_ptr_array_new();
  const char *word;
  MlQueryField field;

  while (ask->at < ml_pattern_texts(ask->pattern) && !can_ask(ask->pattern, ask->at, &field, &word))
    ask->at++;
  if (ask->at == ml_pattern_texts(ask->pattern)) {
    say_end(ask);
    ui_look_ask_free(ask->app);
    return;
  }
  g_autoptr(MlQuery) query = ml_query_literal(field, word);
  g_ptr_array_add(accounts, ask->box->account);
  ask->answered = FALSE;
  ask->newest = ui_items_count(ask->box->all) ? ui_items_at(ask->box->all, 0)->uid : 0;
  ask->asking = ui_asking_start(ask->app, accounts, ask->box->folder, query, 0, &funcs);
}

void
ui_action_ask(UiApp *app)
{
  UiBox *box = app->box;

  if (box && box->account->account->kind != ML_ACCOUNT_IMAP) {
    ui_app_say(app, "All mail of %s is on this machine: there is no server to ask.", box->account->account->name);
    return;
  }
  if (app->hits && box) {
    ui_app_say(app, "A limit here does not look into messages: open the folder for that, or Q for words in all folders of %s.",
               box->account->account->name);
    return;
  }
  if (!box || !box->limit || !(ml_pattern_needs(box->limit) & ML_PATTERN_TEXT)) {
    ui_app_say(app, "Nothing to ask the server: l with ~b or ~B first, or Q for words in all folders.");
    return;
  }
  if (!ui_look_askable(app)) {
    ui_app_say(app, "Nothing to ask the server: what it can tell of these messages is known.");
    return;
  }
  ui_look_ask_free(app);
  Ask *ask = g_new0(Ask, 1);
  *ask = (Ask){ .app = app, .box = box, .pattern = ml_pattern_ref(box->limit), .uidvalidity = box->uidvalidity };
  app->look_ask = ask;
  ask_next(ask);
}
