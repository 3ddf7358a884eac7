#include <string.h>

#include "mail/look.h"
#include "ui/app-private.h"

/* Patterns of the list of messages. What one wants to know of the messages themselves is looked up on the verify thread,
 * in pieces, so that a mail that is opened meanwhile waits for one piece at most; what was found is kept for the next
 * time that the same words are given here. */
enum { PIECE_US = 40000, KEPT_US = 60 * G_USEC_PER_SEC };

typedef struct {
  guint32 uid;
  guint hints;
  MlPatternSeen seen;
} Wanted;

typedef struct {
  UiApp *app;
  MlPattern *pattern;
  char *words;
  char *account, *folder;
  guint32 uidvalidity;
  GArray *wanted; /* of Wanted; the job's while it runs */
  guint done;     /* of these */
  MlPattern *own; /* the job's */
  MlLook *look;   /* the job's */
  GError *error;
  UiOp *op;
  GCancellable *cancellable;
  UiLooked then;
  gpointer data;
  GDestroyNotify free_data;
} Looking;

/* The app's: the last pattern that had to look, and where it did. */
struct UiLooks {
  Looking *running; /* NULL */
  MlPattern *pattern;
  char *words, *account, *folder;
  guint32 uidvalidity;
  gint64 at;
};

static void
forget(struct UiLooks *looks)
{
  g_clear_pointer(&looks->pattern, ml_pattern_free);
  g_clear_pointer(&looks->words, g_free);
  g_clear_pointer(&looks->account, g_free);
  g_clear_pointer(&looks->folder, g_free);
}

void
ui_look_free(UiApp *app)
{
  ui_look_ask_free(app);
  if (!app->looks)
    return;
  forget(app->looks);
  g_clear_pointer(&app->looks, g_free);
}

static void
looking_free(Looking *looking)
{
  if (looking->free_data)
    looking->free_data(looking->data);
  ml_pattern_free(looking->pattern);
  ml_pattern_free(looking->own);
  ml_look_free(looking->look);
  g_array_unref(looking->wanted);
  g_clear_error(&looking->error);
  g_object_unref(looking->cancellable);
  g_free(looking->words);
  g_free(looking->account);
  g_free(looking->folder);
  g_free(looking);
}

static gboolean
is_here(const UiBox *box, const char *account, const char *folder, guint32 uidvalidity)
{
  return box && box->uidvalidity == uidvalidity && !strcmp(box->folder, folder) &&
         !strcmp(box->account->account->name, account);
}

/* Verify thread. */
static void
look_on(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Looking *looking = data;
  gint64 until = g_get_monotonic_time() + PIECE_US;

  while (looking->done < looking->wanted->len && !looking->error && g_get_monotonic_time() < until) {
    Wanted *one = &g_array_index(looking->wanted, Wanted, looking->done);
    if (ml_look_at(looking->look, looking->own, one->uid, one->hints, looking->cancellable, &one->seen, &looking->error))
      looking->done++;
  }
}

static guint
learn(Looking *looking)
{
  guint open = 0;

  for (guint i = 0; i < looking->wanted->len; i++) {
    const Wanted *one = &g_array_index(looking->wanted, Wanted, i);
    ml_pattern_learn(looking->pattern, one->uid, one->seen);
    open += one->seen.known != (1ull << ml_pattern_texts(looking->pattern)) - 1;
  }
  return open;
}

/* What was done is told already; this comes behind it, and not behind what was said while it was looked. */
static void
say_open(UiApp *app, const char *before, guint open, gboolean ask)
{
  g_autofree char *said = g_strcmp0(app->status, before) ? g_strdup(app->status) : NULL;

  if (open)
    ui_app_say(app, "%s%s%u could not be looked into: encrypted, or not kept here%s.", said ? said : "", said ? " " : "",
               open, ask ? "; a asks the server" : "");
}

static void
finish(Looking *looking)
{
  UiApp *app = looking->app;

  if (looking->error)
    ui_app_error(app, looking->error);
  else if (is_here(app->box, looking->account, looking->folder, looking->uidvalidity)) {
    g_autofree char *before = g_strdup(app->status);
    guint open = learn(looking);
    forget(app->looks);
    app->looks->pattern = ml_pattern_ref(looking->pattern);
    app->looks->words = g_strdup(looking->words);
    app->looks->account = g_strdup(looking->account);
    app->looks->folder = g_strdup(looking->folder);
    app->looks->uidvalidity = looking->uidvalidity;
    app->looks->at = g_get_monotonic_time();
    looking->then(app, looking->pattern, looking->data);
    say_open(app, before, open, app->box->limit == looking->pattern && ui_look_askable(app));
  }
}

static void
piece_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Looking *looking = data;

  cancelled = cancelled || g_cancellable_is_cancelled(looking->cancellable);
  if (!cancelled && !looking->error && looking->done < looking->wanted->len) {
    looking->op->done = looking->done;
    ui_ops_job_silent(app, CRYPTO_JOB_VERIFY, look_on, piece_done, looking);
    return;
  }
  if (app->looks->running == looking)
    app->looks->running = NULL;
  ui_ops_end(app, looking->op, NULL);
  if (!cancelled)
    finish(looking);
  looking_free(looking);
  ui_app_dirty(app);
}

typedef struct {
  const MlPattern *pattern;
  GHashTable *shown; /* of UiItem; NULL: all */
  GArray *wanted;
} Wanting;

static void
want(UiBox *box, UiItem *item, const MlHeader *header, gpointer data)
{
  Wanting *wanting = data;
  MlPatternFacts facts = ui_box_facts_of(box, item, header);
  Wanted one = { item->uid, item->hints, { 0, 0 } };

  if (wanting->shown && !g_hash_table_contains(wanting->shown, item))
    return;
  if (ml_pattern_ask(wanting->pattern, &facts) == ML_PATTERN_OPEN && !ml_pattern_has_learnt(wanting->pattern, item->uid))
    g_array_append_val(wanting->wanted, one);
}

/* Those whose texts decide, newest first. */
static GArray *
wanted_of(UiBox *box, const MlPattern *pattern, gboolean all)
{
  if (!all)
    ui_order_now(box);
  g_autoptr(GHashTable) shown = all || ui_box_rows(box) == ui_items_count(box->all) ? NULL : g_hash_table_new(NULL, NULL);
  Wanting wanting = { pattern, shown, g_array_new(FALSE, FALSE, sizeof(Wanted)) };

  for (guint i = 0; shown && i < ui_box_rows(box); i++)
    g_hash_table_add(shown, ui_box_row(box, i));
  ui_box_each(box, ml_pattern_needs(pattern), want, &wanting);
  return wanting.wanted;
}

/* New, or the one that has looked here with these words before. */
static MlPattern *
pattern_for(UiApp *app, const char *words, GError **error)
{
  const struct UiLooks *looks = app->looks;

  if (looks->pattern && !strcmp(looks->words, words) && g_get_monotonic_time() - looks->at < KEPT_US &&
      is_here(app->box, looks->account, looks->folder, looks->uidvalidity))
    return ml_pattern_ref(looks->pattern);
  return ml_pattern_parse(words, UI_PATTERNS, 0, error);
}

void
ui_look(UiApp *app, const char *words, gboolean all, UiLooked then, gpointer data, GDestroyNotify free_data)
{
  g_autoptr(GError) error = NULL;
  UiBox *box = app->box;

  if (!app->looks)
    app->looks = g_new0(struct UiLooks, 1);
  if (app->looks->running)
    g_cancellable_cancel(app->looks->running->cancellable);
  g_autoptr(MlPattern) pattern = pattern_for(app, words, &error);
  g_autoptr(GArray) wanted =
      pattern && box && ml_pattern_needs(pattern) & ML_PATTERN_TEXT ? wanted_of(box, pattern, all) : NULL;
  if (!wanted || !wanted->len) {
    if (pattern)
      then(app, pattern, data);
    else
      ui_app_error(app, error);
    if (free_data)
      free_data(data);
    return;
  }
  Looking *looking = g_new(Looking, 1);
  *looking = (Looking){ .app = app,
                        .pattern = g_steal_pointer(&pattern),
                        .words = g_strdup(words),
                        .account = g_strdup(box->account->account->name),
                        .folder = g_strdup(box->folder),
                        .uidvalidity = box->uidvalidity,
                        .wanted = g_steal_pointer(&wanted),
                        .own = ml_pattern_parse(words, UI_PATTERNS, 0, NULL),
                        .look = ml_look_new(box->account->account, &box->account->hooks, box->folder, box->uidvalidity),
                        .cancellable = g_cancellable_new(),
                        .then = then,
                        .data = data,
                        .free_data = free_data };
  looking->op = ui_ops_command(app, box->account, 0, "Looking into the messages");
  looking->op->cancellable = g_object_ref(looking->cancellable);
  looking->op->total = looking->wanted->len;
  app->looks->running = looking;
  ui_ops_job_silent(app, CRYPTO_JOB_VERIFY, look_on, piece_done, looking);
}
