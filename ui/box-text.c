#include <string.h>

#include "ui/app-private.h"

/* What the messages of the open folder say. Where the store of the account has it an item does not: ui/lines.c reads it
 * for the rows that are drawn, and ui_box_each() for all of them in passing. */

enum { READ = ML_PATTERN_HEADER | ML_PATTERN_NUMBERS }; /* what a pattern may need of them */

static char empty[] = "";
static const MlHeader nothing = { .from = empty, .from_name = empty, .from_address = empty, .to = empty,
                                  .cc = empty,   .subject = empty,   .message_id = empty,   .references = empty };

const MlHeader *
ui_box_header(const UiBox *box, const UiItem *item)
{
  const MlHeader *header = ui_box_kept(box, item->uid);

  if (!header && box->lines)
    header = ui_lines_get(box->lines, item->uid);
  return header ? header : &nothing;
}

gboolean
ui_box_is_lost(const UiBox *box, const UiItem *item)
{
  return ui_box_header(box, item) == &nothing;
}

UiPlace
ui_box_place(const UiBox *box, const UiItem *item)
{
  return (UiPlace){ box->account->account->name, box->folder, box->uidvalidity, item->uid };
}

const char *
ui_box_read_subject(const UiBox *box, const UiItem *item)
{
  UiPlace place = ui_box_place(box, item);

  return ui_subjects_find(box->subjects, &place);
}

const char *
ui_box_subject(const UiBox *box, const UiItem *item)
{
  const char *subject = ui_box_read_subject(box, item);

  return subject ? subject : ui_box_header(box, item)->subject;
}

void
ui_box_note(UiBox *box, const UiItem *item, const MlMessage *message)
{
  UiPlace place = ui_box_place(box, item);
  gboolean hidden;
  const char *subject = ml_message_listed_subject(message, &hidden);

  if (g_strcmp0(subject, ui_box_read_subject(box, item)) != 0)
    ui_order_reworded(box);
  ui_subjects_note(box->subjects, &place, subject, hidden);
  box->fitted = FALSE;
  if (box->hits)
    ui_hits_reworded(box->hits, FALSE);
}

MlPatternFacts
ui_box_facts_of(const UiBox *box, const UiItem *item, const MlHeader *header)
{
  gboolean files = box->account->account->kind != ML_ACCOUNT_IMAP; /* there RECENT is known */
  const char *subject = ui_box_read_subject(box, item);

  header = header ? header : &nothing;
  return (MlPatternFacts){ .header = header,
                           .uid = item->uid,
                           .subject = subject ? subject : header->subject,
                           .flags = item->flags,
                           .hints = item->hints,
                           .date = header->date,
                           .received = header->received,
                           .size = header->size,
                           .old = files && !(item->flags & ML_FLAG_RECENT),
                           .tagged = item->tagged,
                           .deleted = item->deleted,
                           .verdict = ui_verdicts_mark(item)->verdict };
}

MlPatternFacts
ui_box_facts(const UiBox *box, const UiItem *item)
{
  return ui_box_facts_of(box, item, ui_box_header(box, item));
}

/* ---- all of them in passing */

typedef struct {
  UiBox *box;
  UiBoxEach func;
  gpointer data;
  guint at;    /* of all: the next one to be told */
  guint lines; /* that were read */
} Walk;

static void
tell(Walk *walk, const MlHeader *line)
{
  UiItem *item = ui_items_at(walk->box->all, walk->at++);
  const MlHeader *kept = ui_box_kept(walk->box, item->uid);

  if (!kept && line == &nothing) { /* what is made of it is made again once it is read */
    walk->box->incomplete = TRUE;
    if (walk->box->lines)
      ui_lines_miss(walk->box->lines);
  }
  walk->func(walk->box, item, kept ? kept : line, walk->data);
}

static void
on_line(const MlHeader *line, gpointer data)
{
  Walk *walk = data;
  const UiItems *all = walk->box->all;

  walk->lines++;
  while (walk->at < ui_items_count(all) && ui_items_at(all, walk->at)->uid > line->uid)
    tell(walk, &nothing);
  if (walk->at < ui_items_count(all) && ui_items_at(all, walk->at)->uid == line->uid)
    tell(walk, line);
}

static void
on_numbers(const MlLine *line, gpointer data)
{
  MlHeader header = nothing;

  header.uid = line->uid;
  header.flags = line->flags;
  header.hints = line->hints;
  header.date = line->date;
  header.received = line->received;
  header.size = line->size;
  on_line(&header, data);
}

/* A search has found few of many: then looking for each takes less time than to read all that lies between them. */
static gboolean
is_thin(const UiBox *box)
{
  enum { THIN = 20 };
  guint n = ui_items_count(box->all);

  return box->hits && (guint64)n * THIN < ui_items_at(box->all, 0)->uid - ui_items_at(box->all, n - 1)->uid;
}

static void
look_up(Walk *walk)
{
  enum { FEW = 100 };
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  guint end = MIN(walk->at + FEW, ui_items_count(walk->box->all));

  for (guint i = walk->at; i < end; i++) {
    guint32 uid = ui_items_at(walk->box->all, i)->uid;
    g_array_append_val(uids, uid);
  }
  ui_lines_prefetch(walk->box->lines, uids);
  while (walk->at < end)
    tell(walk, ui_box_header(walk->box, ui_items_at(walk->box->all, walk->at)));
}

/* As the folder lies on the disk: a hundredth of the time that looking for each takes. */
static void
read_on(Walk *walk, guint needs, guint most)
{
  guint32 next = ui_items_at(walk->box->all, walk->at)->uid, below = next < G_MAXUINT32 ? next + 1 : 0;

  if (needs & ML_PATTERN_HEADER)
    ui_lines_each(walk->box->lines, below, most, on_line, walk);
  else
    ui_lines_numbers(walk->box->lines, below, most, on_numbers, walk);
}

guint32
ui_box_some(UiBox *box, guint needs, guint32 below, guint most, UiBoxEach func, gpointer data)
{
  Walk walk = { box, func, data, below ? ui_items_place(box->all, below - 1) : 0, 0 };
  guint n = ui_items_count(box->all);
  gboolean reads = (needs & READ) && box->lines && g_hash_table_size(box->kept) < n;

  if (walk.at < n && reads && is_thin(box))
    look_up(&walk);
  else {
    if (walk.at < n && reads)
      read_on(&walk, needs, most);
    while (walk.at < n && (!most || walk.lines < most)) /* no line comes any more */
      if (needs & READ) {
        tell(&walk, &nothing);
        walk.lines++; /* as much work as one that was read */
      } else
        func(box, ui_items_at(box->all, walk.at++), &nothing, data);
  }
  return walk.at < n ? ui_items_at(box->all, walk.at - 1)->uid : 0;
}

void
ui_box_each(UiBox *box, guint needs, UiBoxEach func, gpointer data)
{
  guint32 below = 0;

  do
    below = ui_box_some(box, needs, below, 0, func, data);
  while (below);
}

/* ---- patterns */

typedef struct {
  const MlPattern *pattern;
  gboolean limit, lost; /* lost: there was one that could not be read */
} Asking;

/* Of what cannot be read nobody can say that it fits: neither that it is old enough to be deleted, nor that a word is not
 * in it. */
gboolean
ui_box_matches(const UiBox *box, const UiItem *item, const MlHeader *header, const MlPattern *pattern)
{
  MlPatternFacts facts = ui_box_facts_of(box, item, header);

  return (!(ml_pattern_needs(pattern) & READ) || (header && header != &nothing)) && ml_pattern_matches(pattern, &facts);
}

static void
ask_one(UiBox *box, UiItem *item, const MlHeader *header, gpointer data)
{
  Asking *asking = data;
  gboolean fits = ui_box_matches(box, item, header, asking->pattern);

  asking->lost |= header == &nothing && ml_pattern_needs(asking->pattern) & READ;

  if (asking->limit)
    item->fits = fits;
  else
    item->found = fits;
}

static gboolean
ask(UiBox *box, const MlPattern *pattern, gboolean limit)
{
  Asking asking = { pattern, limit, FALSE };

  ui_box_each(box, ml_pattern_needs(pattern), ask_one, &asking);
  return !asking.lost;
}

guint32
ui_box_find_some(UiBox *box, const MlPattern *pattern, guint32 below, guint most)
{
  Asking asking = { pattern, FALSE, FALSE };

  return ui_box_some(box, ml_pattern_needs(pattern), below, most, ask_one, &asking);
}

gboolean
ui_box_find(UiBox *box, const MlPattern *pattern)
{
  return ask(box, pattern, FALSE);
}

/* What is found by flags and marks is asked anew each time; text does not change by itself. */
void
ui_box_fit(UiBox *box)
{
  const guint changing = ML_PATTERN_FLAGS | ML_PATTERN_SCREEN | ML_PATTERN_VERDICT;

  if (box->limit && (!box->fitted || ml_pattern_needs(box->limit) & changing))
    (void)ask(box, box->limit, TRUE); /* incomplete says what could not be read */
  box->fitted = TRUE;
}

void
ui_box_fit_one(UiBox *box, UiItem *item, const MlHeader *header)
{
  Asking asking = { box->limit, TRUE, FALSE };

  if (!box->limit)
    return;
  if (!header && ml_pattern_needs(box->limit) & READ)
    box->fitted = FALSE;
  else
    ask_one(box, item, header ? header : &nothing, &asking);
}

gboolean
ui_box_within(gpointer item, gpointer box)
{
  return !((const UiBox *)box)->limit || ((const UiItem *)item)->fits;
}

guint
ui_box_fitting(const UiBox *box)
{
  guint n = 0;

  for (guint i = 0; i < ui_items_count(box->all); i++)
    n += ui_box_within(ui_items_at(box->all, i), (gpointer)box);
  return n;
}

/* ---- lines that were missing */

static gboolean
mend(gpointer data)
{
  UiApp *app = data;
  UiBox *box = app->box;

  app->mend_source = 0;
  if (!box || box->loading || box->account->state != ML_STATE_ONLINE)
    return G_SOURCE_REMOVE;
  box->mended = g_get_monotonic_time();
  box->mends += box->incomplete;
  ui_box_reload(app);
  return G_SOURCE_REMOVE;
}

/* Another signet may have taken messages out of the list, or its file may have been damaged: reading the list again mends
 * both. In case it does not: not more than every half minute, but soon for the first times that what a key asked for could
 * not be answered. */
void
ui_box_mend(UiApp *app)
{
  enum { REST = 30, SOON = 2, MOST = 4 };
  UiBox *box = app->box;
  g_autoptr(GError) error = NULL;

  if (!box || !box->lines || !ui_lines_missed(box->lines, &error))
    return;
  if (error)
    ui_app_note(app, UI_STYLE_WARN, "%s: %s", box->account->account->name, error->message);
  if (box->loading || app->mend_source || app->ending || box->account->state != ML_STATE_ONLINE)
    return;
  gint64 rest = box->incomplete && box->mends < MOST ? (gint64)SOON << box->mends : REST;
  gint64 left = box->mended ? box->mended + rest * G_USEC_PER_SEC - g_get_monotonic_time() : 0;
  app->mend_source = left > 0 ? g_timeout_add((guint)(left / 1000) + 1, mend, app) : g_idle_add(mend, app);
}
