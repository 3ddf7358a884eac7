#include <string.h>

#include "ui/finder-private.h"
#include "ui/hits-private.h"

enum { PIECE_US = 15000, SETTLE = 4 };

const UiHitsRow *
ui_hits_row(const UiHits *found, int at)
{
  return at >= 0 && at < (int)found->shown->len
             ? &g_array_index(found->all, UiHitsRow, g_array_index(found->shown, guint, at))
             : NULL;
}

UiItem *
ui_hits_current(const UiHits *found)
{
  const UiHitsRow *row = ui_hits_row(found, found->cursor);

  return row ? row->item : NULL;
}

/* Where nothing is shown the last folder stays: what was asked about it may still have to be answered. */
void
ui_hits_go(UiHits *found, int at)
{
  UiApp *app = found->app;

  found->cursor = CLAMP(at, 0, MAX((int)found->shown->len - 1, 0));
  if (!found->shown->len)
    return;
  const UiHitsRow *row = ui_hits_row(found, found->cursor);
  gboolean other = app->box != row->box;
  app->box = row->box;
  ui_box_seek(row->box, row->item);
  if (other)
    ui_verdicts_folder(app);
}

/* ---- the rows */

MlPattern *
ui_hits_pattern(UiApp *app, const char *words)
{
  g_autoptr(GError) error = NULL;
  MlPattern *pattern = ml_pattern_parse(words, UI_PATTERNS & ~(guint)ML_PATTERN_TEXT, 0, &error);

  if (!pattern)
    ui_app_error(app, error);
  return pattern;
}

gboolean
ui_hits_reads(const MlPattern *pattern)
{
  return (ml_pattern_needs(pattern) & (ML_PATTERN_HEADER | ML_PATTERN_NUMBERS)) != 0;
}

gboolean
ui_hits_fits(const UiHitsRow *row, const MlPattern *pattern)
{
  const MlHeader *header = ui_hits_reads(pattern) ? ui_box_header(row->box, row->item) : NULL;

  return ui_box_matches(row->box, row->item, header, pattern);
}

static int
newest_first(gconstpointer a, gconstpointer b)
{
  const UiHitsRow *one = a, *other = b;

  if (one->date != other->date)
    return one->date < other->date ? 1 : -1;
  if (one->item->uid != other->item->uid)
    return one->item->uid < other->item->uid ? 1 : -1;
  return one->box < other->box ? -1 : one->box > other->box;
}

/* Those that came go among the others, which are in their order. */
static void
merge(UiHits *found)
{
  guint n = found->all->len, fresh = found->fresh->len;

  g_array_sort(found->fresh, newest_first);
  g_array_set_size(found->all, n + fresh);
  UiHitsRow *all = (UiHitsRow *)(gpointer)found->all->data;
  const UiHitsRow *came = (const UiHitsRow *)(gconstpointer)found->fresh->data;
  for (guint to = n + fresh; fresh; to--) {
    gboolean later = n && newest_first(&all[n - 1], &came[fresh - 1]) > 0;
    all[to - 1] = later ? all[--n] : came[--fresh];
  }
  g_array_set_size(found->fresh, 0);
}

/* By what is known of it: headers are not read for all of them here. */
static gboolean
is_within(const UiHits *found, const UiHitsRow *row)
{
  return !found->limit || (ui_hits_reads(found->limit) ? row->item->fits : ui_hits_fits(row, found->limit));
}

static void
fit_fresh(UiHits *found)
{
  if (!found->limit || !ui_hits_reads(found->limit))
    return;
  found->fit_due |= found->fresh->len > UI_HITS_FEW;
  for (guint i = 0; i < found->fresh->len && found->fresh->len <= UI_HITS_FEW; i++)
    ui_hits_fit_row(found, &g_array_index(found->fresh, UiHitsRow, i));
}

void
ui_hits_settle(UiHits *found, const UiItem *current)
{
  const UiItem *keep = current ? current : found->placed ? ui_hits_current(found) : NULL;
  int before = found->cursor, top = found->cursor - found->window.top;

  if (found->fresh->len) {
    fit_fresh(found);
    merge(found);
  }
  ui_hits_fit_changed(found);
  g_array_set_size(found->shown, found->all->len);
  guint n = 0;
  found->cursor = -1;
  for (guint i = 0; i < found->all->len; i++) {
    const UiHitsRow *row = &g_array_index(found->all, UiHitsRow, i);
    gboolean stays = row->item == keep && !found->refit; /* what is read, also where a key made it not fit */
    if (!stays && !is_within(found, row))
      continue;
    if (row->item == keep)
      found->cursor = (int)n;
    g_array_index(found->shown, guint, n++) = i;
  }
  g_array_set_size(found->shown, n);
  found->refit = FALSE;
  ui_hits_go(found, found->cursor >= 0 ? found->cursor : found->placed ? before : 0);
  found->window.top = found->cursor - top;
  ui_app_dirty(found->app);
}

/* Out of @rows, and of the places in it that are shown: those that follow move up. TRUE: one that was shown went. */
static gboolean
drop_gone(UiHits *found, GArray *rows)
{
  GArray *shown = rows == found->all ? found->shown : NULL;
  guint kept = 0, places = 0, at = 0, n = shown ? shown->len : 0;
  int before = found->cursor;

  for (guint i = 0; i < rows->len; i++) {
    UiHitsRow row = g_array_index(rows, UiHitsRow, i);
    gboolean was_shown = at < n && g_array_index(shown, guint, at) == i;
    if (!row.item->gone) {
      if (was_shown)
        g_array_index(shown, guint, places++) = kept;
      g_array_index(rows, UiHitsRow, kept++) = row;
    } else if (was_shown && (int)at < before)
      found->cursor--;
    at += was_shown;
  }
  g_array_set_size(rows, kept);
  if (shown)
    g_array_set_size(shown, places);
  return places < n;
}

static char *
key_of(const UiBox *box, guint32 uid)
{
  return g_strdup_printf("%" G_GUINT64_FORMAT " %u", box->life, uid);
}

void
ui_hits_dropped(UiHits *found, const UiBox *box, const GArray *uids)
{
  for (guint i = 0; i < uids->len; i++)
    g_hash_table_add(found->left, key_of(box, g_array_index(uids, guint32, i)));
  (void)drop_gone(found, found->fresh);
  if (drop_gone(found, found->all))
    ui_hits_go(found, found->cursor);
}

gboolean
ui_hits_has(const UiApp *app, const UiBox *box)
{
  return app->hits && box && g_ptr_array_find(app->hits->boxes, box, NULL);
}

UiBox *
ui_app_box(const UiApp *app, guint64 life)
{
  UiBox *folder = ui_app_folder(app);

  for (guint i = 0; app->hits && i < app->hits->boxes->len; i++) {
    UiBox *box = app->hits->boxes->pdata[i];
    if (box->life == life)
      return box;
  }
  return folder && folder->life == life ? folder : NULL;
}

gboolean
ui_app_in_box(const UiApp *app, guint64 life)
{
  return app->box && app->box->life == life;
}

UiBox *
ui_app_folder(const UiApp *app)
{
  return app->hits ? app->hits->home : app->box;
}

void
ui_app_each_box(UiApp *app, void (*func)(UiBox *box, gpointer data), gpointer data)
{
  for (guint i = 0; app->hits && i < app->hits->boxes->len; i++)
    func(app->hits->boxes->pdata[i], data);
  if (ui_app_folder(app))
    func(ui_app_folder(app), data);
}

static UiBox *
box_of(UiHits *found, UiAccount *account, const char *folder, guint32 uidvalidity)
{
  for (guint i = 0; i < found->boxes->len; i++) {
    UiBox *box = found->boxes->pdata[i];
    if (box->account == account && box->uidvalidity == uidvalidity && !strcmp(box->folder, folder))
      return box;
  }
  return NULL;
}

/* NULL: the numbers are those of a folder that this screen knows as another one, and nothing may be done by them. */
static UiBox *
need_box(UiHits *found, UiAccount *account, const char *folder, guint32 uidvalidity)
{
  UiBox *box = box_of(found, account, folder, uidvalidity);

  if (box || !ml_worker_expect(account->worker, folder, uidvalidity))
    return box;
  box = ui_box_new(found->app, account, folder);
  box->uidvalidity = uidvalidity;
  box->order = (UiOrder){ 0 }; /* its rows stand in the search's order, and nothing arranges it */
  ui_box_rows_clear(box);
  ui_lines_clear(box->lines, uidvalidity);
  box->placed = TRUE;
  box->hits = found;
  g_ptr_array_add(found->boxes, box);
  return box;
}

static void
add_item(UiHits *found, UiBox *box, UiItem *item, gint64 date)
{
  const UiHitsRow row = { box, item, date, 0 };

  found->fit_due |= found->ask != NULL;
  g_array_append_val(found->fresh, row);
}

/* ---- searching, a piece after the other */

typedef struct {
  UiApp *app;
  UiFinderMail *mail;
  guint serial, account;
  char *text;
  MlDriverHooks hooks;
  const MlAccount *config;
  MlSavedRun *run; /* made by the first piece */
  MlSavedFound *found;
  gboolean more;
  GError *error;
} Piece;

static void
piece_free(Piece *piece)
{
  ml_saved_run_free(piece->run);
  ml_saved_found_free(piece->found);
  g_clear_error(&piece->error);
  g_free(piece->text);
  g_free(piece);
}

/* Verify thread. */
static void
run_piece(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Piece *piece = data;

  if (!ui_finder_open(piece->mail, &piece->error))
    return;
  if (!piece->run)
    ui_finder_join(piece->mail, ml_config_revocation(piece->app->config), cancellable, NULL);
  if (!piece->run)
    piece->run = ml_saved_run_new(piece->text, piece->config, &piece->hooks, ui_finder_store(piece->mail),
                                  ui_finder_index(piece->mail), &piece->error);
  if (piece->run && !ml_saved_run_on(piece->run, g_get_monotonic_time() + PIECE_US, cancellable, &piece->found, &piece->more,
                                     &piece->error))
    piece->more = FALSE;
}

static void
take_found(UiHits *found, UiAccount *account, const MlSavedFound *some)
{
  UiBox *box = need_box(found, account, some->folder, some->uidvalidity);

  if (!box) {
    ui_app_note(found->app, UI_STYLE_WARN, "%s in %s was replaced by another folder: open it, then search again.", some->folder,
                account->account->name);
    return;
  }
  for (guint i = 0; i < some->lines->len; i++) {
    const MlLine *line = &g_array_index(some->lines, MlLine, i);
    g_autofree char *key = g_hash_table_size(found->left) ? key_of(box, line->uid) : NULL;
    UiItem *added = key && g_hash_table_contains(found->left, key) ? NULL : ui_box_add_line(box, line);
    if (added)
      add_item(found, box, added, line->date);
  }
  if (found->fresh->len * SETTLE > found->all->len)
    ui_hits_settle(found, NULL);
}

/* What the search found before and not this time goes, unless the person is at it. */
static void
forget_untold(UiHits *found, const UiAccount *account)
{
  for (guint i = 0; i < found->boxes->len; i++) {
    UiBox *box = found->boxes->pdata[i];
    g_autoptr(GArray) untold = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (guint k = 0; box->account == account && k < ui_items_count(box->all); k++) {
      const UiItem *item = ui_items_at(box->all, k);
      if (!item->told && !item->tagged && !item->deleted && item != ui_hits_current(found))
        g_array_append_val(untold, item->uid);
    }
    ui_box_forget(box, untold);
    for (guint k = 0; k < untold->len; k++) { /* it may fit again */
      g_autofree char *key = key_of(box, g_array_index(untold, guint32, k));
      g_hash_table_remove(found->left, key);
    }
  }
}

static void start_next(UiHits *found);

static void
piece_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Piece *piece = data;
  UiHits *found = app->hits;

  if (app->ending || !found || found->serial != piece->serial) {
    piece_free(piece);
    return;
  }
  UiAccount *account = app->accounts->pdata[piece->account];
  if (piece->error && !cancelled)
    ui_app_error(app, piece->error);
  if (piece->found)
    take_found(found, account, piece->found);
  g_clear_pointer(&piece->found, ml_saved_found_free);
  if (piece->more && !piece->error && !cancelled) {
    ui_ops_job_silent(app, CRYPTO_JOB_VERIFY, run_piece, piece_done, piece);
    return;
  }
  if (!piece->error && !cancelled && found->prune >> piece->account & 1)
    forget_untold(found, account);
  found->prune &= ~(G_GUINT64_CONSTANT(1) << piece->account);
  found->open += piece->run ? ml_saved_run_open(piece->run) : 0;
  found->running = FALSE;
  piece_free(piece);
  start_next(found);
}

static void
start_next(UiHits *found)
{
  UiApp *app = found->app;

  for (found->account = 0; found->account < app->accounts->len; found->account++)
    if (found->again >> found->account & 1)
      break;
  UiAccount *account = found->account < app->accounts->len ? app->accounts->pdata[found->account] : NULL;
  UiFinderMail *mail = account ? ui_finder_mail(app, account) : NULL;
  if (account && !mail) { /* not looked after yet: ui_hits_news() comes */
    found->again &= ~(G_GUINT64_CONSTANT(1) << found->account);
    start_next(found);
    return;
  }
  if (!account) {
    found->complete = TRUE;
    ui_hits_settle(found, NULL);
    if (found->fit_due && !found->ask) /* what is asked now is refitted at its end */
      ui_hits_refit(found);
    return;
  }
  found->again &= ~(G_GUINT64_CONSTANT(1) << found->account);
  found->running = TRUE;
  for (guint i = 0; i < found->boxes->len; i++) {
    UiBox *box = found->boxes->pdata[i];
    for (guint k = 0; box->account == account && k < ui_items_count(box->all); k++)
      ui_items_at(box->all, k)->told = FALSE;
  }
  Piece *piece = g_new0(Piece, 1);
  *piece = (Piece){ .app = app, .mail = mail, .serial = found->serial, .account = found->account,
                    .text = g_strdup(found->text), .config = account->account,
                    .hooks = { .state_dir = account->hooks.state_dir, .store_dir = account->hooks.store_dir } };
  ui_ops_job_silent(app, CRYPTO_JOB_VERIFY, run_piece, piece_done, piece);
}

static void
search_account(UiHits *found, guint account)
{
  found->again |= G_GUINT64_CONSTANT(1) << account;
  if (!found->running)
    start_next(found);
}

void
ui_hits_news(UiApp *app, const UiAccount *account)
{
  guint at;

  if (!app->hits || !g_ptr_array_find(app->accounts, account, &at))
    return;
  search_account(app->hits, at);
  ui_app_dirty(app);
}

void
ui_hits_again(UiApp *app)
{
  UiHits *found = app->hits;

  found->open = 0;
  found->complete = FALSE;
  for (guint i = 0; i < app->accounts->len; i++)
    found->prune |= G_GUINT64_CONSTANT(1) << i;
  for (guint i = 0; i < app->accounts->len; i++)
    search_account(found, i);
}

/* ---- opening and closing */

void
ui_hits_free(UiApp *app)
{
  UiHits *found = g_steal_pointer(&app->hits);

  if (!found)
    return;
  app->box = found->home;
  ui_hits_ask_stop(found);
  for (guint i = 0; i < found->boxes->len; i++) {
    UiBox *box = found->boxes->pdata[i];
    if (!app->ending)
      ui_ops_forget(app, box);
    ui_box_free(box);
  }
  g_ptr_array_unref(found->boxes);
  g_hash_table_unref(found->left);
  g_array_unref(found->all);
  g_array_unref(found->shown);
  g_array_unref(found->fresh);
  g_array_unref(found->waiting);
  ml_pattern_free(found->limit);
  g_free(found->limit_words);
  g_free(found->name);
  g_free(found->text);
  g_free(found);
}

void
ui_hits_close(UiApp *app, UiContext context)
{
  if (!app->hits)
    return;
  ui_app_pop_to(app, context);
  ui_hits_free(app);
  ui_verdicts_folder(app);
  ui_app_dirty(app);
}

void
ui_hits_open(UiApp *app, const MlSaved *saved)
{
  static guint serial;
  UiBox *home = ui_app_folder(app);

  ui_app_pop_to(app, UI_IN_INDEX);
  ui_hits_free(app);
  UiHits *found = g_new0(UiHits, 1);
  found->app = app;
  found->serial = ++serial;
  found->name = g_strdup(saved->name);
  found->text = g_strdup(saved->text);
  found->home = home;
  found->boxes = g_ptr_array_new();
  found->left = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  found->all = g_array_new(FALSE, FALSE, sizeof(UiHitsRow));
  found->shown = g_array_new(FALSE, FALSE, sizeof(guint));
  found->fresh = g_array_new(FALSE, FALSE, sizeof(UiHitsRow));
  found->waiting = g_array_new(FALSE, FALSE, sizeof(int));
  app->hits = found;
  app->box = NULL;
  ui_verdicts_folder(app);
  ui_hits_again(app);
  ui_app_dirty(app);
}

/* ---- news of the folders */

/* A message that had gone out of the list is told again: it was taken back, or refused. */
static gboolean
bring_back(UiHits *found, UiBox *box, const MlHeader *header)
{
  const MlLine line = { header->uid,  (guint16)header->flags, (guint16)header->hints,
                        header->date, header->received,       header->size };
  g_autofree char *key = key_of(box, header->uid);
  UiItem *item = g_hash_table_remove(found->left, key) ? ui_box_add_line(box, &line) : NULL;

  if (item)
    add_item(found, box, item, header->date);
  return item != NULL;
}

static void
hear(UiHits *found, UiBox *box, const MlEvent *event)
{
  gboolean back = FALSE;

  for (guint i = 0; event->headers && i < event->headers->len; i++) {
    const MlHeader *header = event->headers->pdata[i];
    if (!ui_box_told(box, header->uid, header->flags))
      back |= g_hash_table_size(found->left) && bring_back(found, box, header);
  }
  if (back)
    ui_hits_settle(found, NULL);
  for (guint i = 0; event->lines && i < event->lines->len; i++) {
    const MlLine *line = &g_array_index(event->lines, MlLine, i);
    ui_box_told(box, line->uid, line->flags);
  }
  for (guint i = 0; event->changes && i < event->changes->flag_changes->len; i++) {
    const MlFlagChange *change = &g_array_index(event->changes->flag_changes, MlFlagChange, i);
    ui_box_told(box, change->uid, change->flags);
  }
  if (event->changes)
    ui_box_forget(box, event->changes->vanished);
}

/* Its numbers mean nothing any more. */
static void
drop_folder(UiHits *found, UiBox *box)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));

  for (guint i = 0; i < ui_items_count(box->all); i++)
    g_array_append_val(uids, ui_items_at(box->all, i)->uid);
  ui_box_new_life(box);
  box->uidvalidity = 0;
  box->read_only = TRUE; /* whatever was asked about them is not done */
  ui_box_forget(box, uids);
  ui_app_complain(found->app, "%s in %s was replaced by another folder: its messages are looked for anew.", box->folder,
                  box->account->account->name);
}

void
ui_hits_event(UiApp *app, const UiAccount *account, const MlEvent *event)
{
  UiHits *found = app->hits;

  for (guint i = 0; found && event->folder && i < found->boxes->len; i++) {
    UiBox *box = found->boxes->pdata[i];
    if (box->account != account || !box->uidvalidity || strcmp(box->folder, event->folder) != 0)
      continue;
    if (event->kind != ML_EVENT_OPENED)
      hear(found, box, event);
    else if (event->selected.uidvalidity != box->uidvalidity)
      drop_folder(found, box);
  }
}
