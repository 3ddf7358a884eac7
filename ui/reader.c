#include <string.h>

#include "mail/fetch.h"
#include "mail/opened.h"
#include "ui/app-private.h"
#include "ui/layout.h"
#include "ui/strip.h"

enum { PATIENCE = G_USEC_PER_SEC / 2 };

/* One reading of a message on a crypto thread. It belongs to the job; @reader is taken away when the view closes. */
typedef struct {
  UiApp *app;
  UiReader *reader;
  CryptoJobThread thread;
  GBytes *raw;
  GPtrArray *left;
  gint64 received;
  char *message_id;
  UiAccount *account; /* whose search is to have what it says; NULL: nobody's */
  char *folder;
  guint32 uidvalidity, uid;
  MlOpenedText *opened;
  guint forgets; /* the app's, when it was begun */
  gboolean open_errant, all_headers;
  guint ask; /* CryptoAskKind bits; 0: of what is here already */
  gboolean by_key;
  MlMessage *message;
  UiPager pager; /* its source is made by the job */
  gboolean can_install;
  char *standing; /* before it was judged */
  gint64 until;   /* the verdict holds */
  GError *error;
} Reading;

/* The reading that is under way for a reader, so that it can be told that nobody waits any more. */
static GPtrArray *
readings(void)
{
  static GPtrArray *all;

  if (!all)
    all = g_ptr_array_new();
  return all;
}

UiHeld *
ui_held_ref(UiHeld *held)
{
  return g_rc_box_acquire(held);
}

static void
held_clear(UiHeld *held)
{
  ml_message_free(held->message);
  g_free(held->folder);
  g_clear_pointer(&held->fetched, g_hash_table_unref);
}

void
ui_held_unref(UiHeld *held)
{
  if (held)
    g_rc_box_release_full(held, (GDestroyNotify)held_clear);
}

static void
drop_message(UiApp *app, UiReader *reader)
{
  ui_reader_after_now(app, reader);
  reader->message = NULL;
  g_clear_pointer(&reader->held, ui_held_unref);
}

/* Is there a certificate of an intact signature that was not yet accepted for its address? */
static gboolean
is_installable(MlPeople *people, const MlMessage *message)
{
  const MlVerdict *verdict = ml_message_verdict(message);

  if (verdict->signature != ML_SIGNATURE_VALID || !verdict->signer_address)
    return FALSE;
  for (guint i = 0; i < verdict->signers->len; i++) {
    const MlSigner *signer = verdict->signers->pdata[i];
    if (!signer->cms->cert)
      continue;
    g_autoptr(GPtrArray) accepted = people ? ml_people_accepted(people, verdict->signer_address, NULL) : NULL;
    gboolean known = FALSE;
    for (guint j = 0; accepted && j < accepted->len && !known; j++)
      known = !strcmp(accepted->pdata[j], crypto_cert_sha256(signer->cms->cert));
    if (!known)
      return TRUE;
  }
  return FALSE;
}

static void
read_message(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Reading *reading = data;
  MlPeople *people = ui_app_people(reading->app, reading->thread);
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  MlReadOptions options = {
    .at = now,
    .received = reading->received,
    .revocation = ml_config_revocation(reading->app->config),
    .pin = pin,
    .open_errant = reading->open_errant,
    .people = people,
    .left = reading->left,
  };
  CryptoAsker asker = ml_fetch_asker(reading->app->config, reading->ask, cancellable);
  asker.insist = reading->by_key;
  options.asker = asker.kinds ? &asker : NULL;

  if (!options.received && people && reading->message_id)
    options.received = ml_people_first_seen(people, reading->message_id, reading->raw);
  reading->standing = ml_message_standing(options.revocation);
  reading->message = ml_message_read(reading->raw, &options, cancellable, &reading->error);
  if (!reading->message)
    return;
  reading->until = ml_message_until(reading->message, &options);
  if (reading->account)
    reading->opened = ml_opened_text(reading->message, reading->folder, reading->uidvalidity, reading->uid);
  reading->can_install = is_installable(people, reading->message);
  UiLayoutOptions layout = { reading->all_headers, reading->app->config->pager_headers, TRUE };
  ui_layout_message(&reading->pager, reading->message, &layout);
}

static UiItem *
item_of(UiApp *app, const UiReader *reader)
{
  return reader->box && ui_app_in_box(app, reader->life) ? ui_box_by_uid(app->box, reader->uid) : NULL;
}

static void
mark_seen(UiApp *app, UiReader *reader)
{
  UiItem *item = item_of(app, reader);

  if (!item || item->flags & ML_FLAG_SEEN || app->box->read_only)
    return;
  g_autoptr(GPtrArray) items = g_ptr_array_new();
  g_ptr_array_add(items, item);
  ml_worker_by_itself(app->box->account->worker);
  ui_box_set_flags(app, items, ML_FLAG_SEEN, 0);
}

typedef struct {
  UiApp *app;
  UiReader *reader;
} SeenTimer;

static gboolean
on_seen(gpointer data)
{
  SeenTimer *timer = data;

  timer->reader->seen_source = 0;
  mark_seen(timer->app, timer->reader);
  return G_SOURCE_REMOVE;
}

static void
start_seen_timer(UiApp *app, UiReader *reader)
{
  guint seconds = app->config->mark_seen_after;

  if (!reader->box || reader->seen_source)
    return;
  if (!seconds) {
    mark_seen(app, reader);
    return;
  }
  SeenTimer *timer = g_new(SeenTimer, 1);
  *timer = (SeenTimer){ app, reader };
  reader->seen_source = g_timeout_add_seconds_full(G_PRIORITY_DEFAULT, seconds, on_seen, timer, g_free);
}

static void
note_verdict(UiApp *app, UiReader *reader, const Reading *reading)
{
  const MlVerdict *verdict = ml_message_verdict(reader->message);
  UiItem *item = item_of(app, reader);

  if (!item)
    return;
  ui_verdicts_read(app, item, reader->message, reading->standing, reading->until, ui_strip_mark(verdict));
  ui_box_note(app->box, item, reader->message);
}

static void fetch(UiApp *app, UiReader *reader, gboolean whole);

static UiHeld *
held_new(const UiApp *app, const UiReader *reader, MlMessage *message)
{
  UiHeld *held = g_rc_box_new0(UiHeld);
  const UiBox *box = reader->box ? ui_app_box(app, reader->life) : NULL;

  held->message = message;
  if (!reader->left || !box)
    return held;
  held->account = box->account;
  held->folder = g_strdup(box->folder);
  held->uid = reader->uid;
  held->fetched = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
  return held;
}

/* How much of it is encrypted and was not opened. */
static guint
count_locked(const MlMessage *message)
{
  const MlVerdict *verdict = ml_message_verdict(message);
  GPtrArray *parts = ml_message_parts(message);
  gboolean open = verdict->encryption == ML_ENCRYPTION_NONE || verdict->encryption == ML_ENCRYPTION_DECRYPTED ||
                  verdict->encryption == ML_ENCRYPTION_LEGACY || verdict->encryption == ML_ENCRYPTION_ERRANT;
  guint n = open ? 0 : 1;

  for (guint i = 0; i < parts->len; i++)
    n += ((const MlPart *)parts->pdata[i])->locked ? 1 : 0;
  return n;
}

/* Asking reads it without a PIN: where the key wants one each time what was opened stays as it is, on the screen. */
static gboolean
would_shut(UiApp *app, const UiReader *reader, const Reading *reading)
{
  if (!reading->ask || !reader->message || count_locked(reading->message) <= count_locked(reader->message))
    return FALSE;
  ui_online_tell(app, reading->message, FALSE);
  if (reading->by_key)
    ui_app_complain(app, "Its signature was not judged anew: that needs the key once more, which asks for its PIN.");
  return TRUE;
}

static void
take_reading(UiApp *app, UiReader *reader, Reading *reading)
{
  gboolean again = reader->message != NULL;
  int top = reader->pager.top;

  reader->job = NULL;
  reader->asking = FALSE;
  g_clear_pointer(&reader->problem, g_free);
  if (reading->error && reading->left && reader->box && ui_app_in_box(app, reader->life)) {
    fetch(app, reader, TRUE); /* it needs all of its bytes after all */
    return;
  }
  if (reading->error && !reader->message)
    reader->problem = g_strdup(reading->error->message);
  if (reading->error)
    ui_app_error(app, reading->error);
  if (!reading->message || would_shut(app, reader, reading))
    return;
  drop_message(app, reader);
  reader->message = g_steal_pointer(&reading->message);
  reader->held = held_new(app, reader, reader->message);
  ui_reader_after(app, reader, reading->message_id, !reading->ask);
  reader->open_errant = reading->open_errant;
  reader->can_install = reading->can_install;
  ui_pager_clear(&reader->pager);
  reader->pager = reading->pager;
  ui_pager_init(&reading->pager, TRUE);
  if (reading->all_headers != reader->all_headers)
    ui_reader_lay_out(app, reader);
  if (again)
    reader->pager.top = top;
  note_verdict(app, reader, reading);
  start_seen_timer(app, reader);
  ui_details_refresh(app, reader);
  if (reading->ask)
    ui_online_tell(app, reader->message, reading->by_key);
  guint kinds = reader->asked ? 0 : ui_online_kinds(app, reader->message);
  if (kinds)
    reader->asked = ui_reader_ask(app, reader, kinds, FALSE);
}

static void
reading_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Reading *reading = data;
  UiReader *reader = reading->reader;

  g_ptr_array_remove_fast(readings(), reading);
  if (reader && cancelled && !reading->message) {
    reader->job = NULL;
    reader->asking = FALSE;
    if (!reader->message)
      reader->problem = g_strdup("Cancelled. Ctrl-R reads it again.");
  } else if (reader)
    take_reading(app, reader, reading);
  if (reader)
    ui_app_release(app);
  if (reading->message)
    ml_message_free(reading->message);
  ui_pager_clear(&reading->pager);
  g_clear_error(&reading->error);
  g_bytes_unref(reading->raw);
  g_clear_pointer(&reading->left, g_ptr_array_unref);
  if (reading->account && reading->forgets == app->forgets)
    ui_finder_note(app, reading->account, reading->opened);
  else
    ml_opened_text_free(reading->opened);
  g_free(reading->message_id);
  g_free(reading->folder);
  g_free(reading->standing);
  g_free(reading);
}

static void
start_reading(UiApp *app, UiReader *reader, CryptoJobThread thread, gboolean open_errant, guint ask, gboolean by_key)
{
  Reading *reading = g_new0(Reading, 1);
  reading->app = app;
  reading->reader = reader;
  reading->thread = thread;
  reading->raw = g_bytes_ref(reader->raw);
  reading->left = reader->left ? g_ptr_array_ref(reader->left) : NULL;
  reading->received = reader->received;
  reading->message_id = g_strdup(reader->message_id);
  const UiBox *box = reader->box ? ui_app_box(app, reader->life) : NULL;
  if (box && box->uidvalidity && box->account->account->index_encrypted) {
    reading->account = box->account;
    reading->folder = g_strdup(box->folder);
    reading->uidvalidity = box->uidvalidity;
    reading->uid = reader->uid;
    reading->forgets = app->forgets;
  }
  reading->open_errant = open_errant;
  reading->ask = ask;
  reading->by_key = by_key;
  reading->all_headers = reader->all_headers;
  ui_pager_init(&reading->pager, TRUE);
  g_ptr_array_add(readings(), reading);
  static const char *const words[] = { [CRYPTO_JOB_VERIFY] = "Checking",
                                       [CRYPTO_JOB_KEYS] = "Decrypting",
                                       [CRYPTO_JOB_NETWORK] = "Asking about revocation" };
  reader->job = ui_ops_job(app, thread, words[thread], read_message, reading_done, reading);
  reader->asking = reader->job && ask;
}

static void abandon_readings(UiReader *reader);

void
ui_reader_read_again(UiApp *app, UiReader *reader, CryptoJobThread thread, gboolean open_errant)
{
  if (reader->asking)
    abandon_readings(reader);
  if (reader->raw && !reader->job)
    start_reading(app, reader, thread, open_errant, 0, FALSE);
}

gboolean
ui_reader_ask(UiApp *app, UiReader *reader, guint kinds, gboolean by_key)
{
  if (reader->asking && by_key)
    abandon_readings(reader);
  if (!reader->raw || reader->job)
    return FALSE;
  start_reading(app, reader, CRYPTO_JOB_NETWORK, reader->open_errant, kinds, by_key);
  return TRUE;
}

static void
on_message(UiApp *app, MlEvent *event, gpointer data)
{
  UiReader *reader = data;

  g_clear_pointer(&reader->raw, g_bytes_unref);
  reader->raw = g_steal_pointer(&event->bytes);
  g_clear_pointer(&reader->left, g_ptr_array_unref);
  reader->left = g_steal_pointer(&event->left);
  if (event->received)
    reader->received = event->received;
}

static void
fetched(UiApp *app, const GError *error, gpointer data)
{
  UiReader *reader = data;

  if (!error && reader->raw) {
    ui_reader_read_again(app, reader, CRYPTO_JOB_VERIFY, FALSE);
    return;
  }
  reader->problem = g_strdup(!error || g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED)
                                 ? "Cancelled. Ctrl-R reads it again."
                                 : error->message);
  if (error)
    ui_app_error(app, error);
}

static void
abandon_readings(UiReader *reader)
{
  for (guint i = 0; i < readings()->len; i++) {
    Reading *reading = readings()->pdata[i];
    if (reading->reader == reader) {
      reading->reader = NULL;
      g_cancellable_cancel(reader->job);
    }
  }
  reader->job = NULL;
  reader->asking = FALSE;
}

/* Leaves the reader as new: what runs for it is told to stop, and will not be heard of any more. */
static void
forget_message(UiApp *app, UiReader *reader)
{
  ui_ops_forget(app, reader);
  abandon_readings(reader);
  if (reader->seen_source)
    g_source_remove(reader->seen_source);
  reader->seen_source = 0;
  drop_message(app, reader);
  g_clear_pointer(&reader->raw, g_bytes_unref);
  g_clear_pointer(&reader->left, g_ptr_array_unref);
  g_clear_pointer(&reader->problem, g_free);
  g_clear_pointer(&reader->title, g_free);
  g_clear_pointer(&reader->message_id, g_free);
  ui_pager_clear(&reader->pager);
  ui_pager_init(&reader->pager, TRUE);
  reader->can_install = reader->asked = FALSE;
  reader->since = g_get_monotonic_time();
}

/* What of a large message is not shown stays on the server, unless all of it is wanted. */
static void
fetch(UiApp *app, UiReader *reader, gboolean whole)
{
  UiAccount *account = reader->box->account;
  guint64 size = whole ? 0 : reader->size;
  gint64 received = 0;
  GBytes *kept = !whole && reader->box->lines ? ui_lines_message(reader->box->lines, reader->uid, &received) : NULL;

  ui_app_hold(app);
  if (kept) {
    reader->raw = kept;
    reader->received = received ? received : reader->received;
    fetched(app, NULL, reader);
    return;
  }
  guint64 id = ml_worker_fetch_shown(account->worker, reader->box->folder, reader->uid, size);
  UiOp *op = ui_ops_command(app, account, id, "Fetching the message");

  op->event = on_message;
  op->finished = fetched;
  op->data = reader;
}

static void
draw_strip(UiApp *app, UiReader *reader, int *row, int rows, int columns)
{
  char **from = ml_message_from_addresses(reader->message);
  UiStripFacts facts = { .from = from[0], .can_install = reader->can_install };
  g_autoptr(GPtrArray) strip =
      ui_strip_rows(ml_message_verdict(reader->message), &facts, columns - 2, CLAMP(rows / 3, 1, 6));

  for (guint i = 0; i < strip->len && *row < rows; i++, (*row)++) {
    const UiStripRow *line = strip->pdata[i];
    g_autofree char *text = g_strdup_printf(" %s", line->text);
    ui_screen_fill(*row, 0, columns, line->style, text);
    if (!line->hint)
      continue;
    int width = ui_text_width(line->hint);
    ui_screen_put(*row, columns - width - 1, width,
                  line->style == UI_STYLE_BAD ? UI_STYLE_BAD : UI_STYLE_QUIET, line->hint);
  }
}

/* Where we are, in the rule under the strip. */
static void
draw_place(UiApp *app, const UiReader *reader, int row, int columns)
{
  ui_screen_rule(row, 0, columns, UI_STYLE_RULE);
  UiItem *item = item_of(app, reader);
  g_autofree char *folder = ui_text_line(item ? app->box->folder : reader->title);
  g_autofree char *place =
      item && app->hits ? ui_hits_place(app, item)
      : item ? g_strdup_printf(" %s %u of %u%s ", folder, ui_box_number(app->box, item),
                             MAX(app->box->total, ui_items_count(app->box->all)), item->deleted ? ", to be deleted" : "")
           : g_strdup_printf(" %s ", folder);
  g_autofree char *cut = ui_text_cut(place, MAX(columns - 12, 1));
  ui_screen_put(row, 2, columns - 12, UI_STYLE_RULE, cut);
  if (!reader->message || columns < 20)
    return;
  int percent = ui_pager_percent(&reader->pager);
  g_autofree char *words =
      percent == 100 ? g_strdup(reader->pager.top ? " end " : " all ") : g_strdup_printf(" %d%% ", percent);
  ui_screen_put(row, columns - 8, 7, UI_STYLE_RULE, words);
}

static void
draw(UiApp *app, UiView *view, int rows, int columns)
{
  UiReader *reader = (UiReader *)view;
  int row = 0;

  if (reader->message)
    draw_strip(app, reader, &row, rows - 1, columns);
  else if (reader->problem) {
    g_autofree char *safe = ui_text_line(reader->problem);
    g_autoptr(GPtrArray) lines = ui_text_wrap(safe, MAX(columns - 2, 1));
    for (guint i = 0; i < lines->len && row < rows - 1 && row < 6; i++)
      ui_screen_put(row++, 1, columns - 1, UI_STYLE_WARN, lines->pdata[i]);
  } else {
    gboolean late = g_get_monotonic_time() - reader->since > PATIENCE;
    ui_screen_put(row++, 1, columns - 1, UI_STYLE_QUIET,
                  !late         ? ""
                  : reader->raw ? "Checking..."
                                : "Fetching...");
  }
  if (row < rows)
    draw_place(app, reader, row++, columns);
  if (row < rows && reader->message)
    ui_pager_draw(&reader->pager, row, rows - row, columns);
}

static gboolean
move(UiApp *app, UiView *view, UiMove move)
{
  return ui_pager_move(&((UiReader *)view)->pager, move);
}

static gboolean
search(UiApp *app, UiView *view, const char *pattern, gboolean backwards)
{
  g_autofree char *folded = ml_pattern_fold(pattern);
  return ui_pager_search(&((UiReader *)view)->pager, folded, backwards);
}

static void
hint(UiApp *app, UiView *view, GString *hint)
{
  const UiReader *reader = (UiReader *)view;

  g_string_append(hint, reader->box
                            ? "Space page  j next  r reply  f forward  d delete  v parts  V security  q back  ? help"
                            : "Space page  v parts  V security  q back  ? help");
}

static void
view_free(UiApp *app, UiView *view)
{
  UiReader *reader = (UiReader *)view;

  forget_message(app, reader);
  ui_pager_clear(&reader->pager);
  g_free(reader);
}

static UiReader *
reader_new(UiApp *app)
{
  static const UiViewType type = { UI_IN_READER, "the reader", draw, move, search, hint, view_free };
  UiReader *reader = g_new0(UiReader, 1);

  reader->view.type = &type;
  ui_pager_init(&reader->pager, TRUE);
  reader->since = g_get_monotonic_time();
  ui_app_push(app, &reader->view);
  return reader;
}

void
ui_reader_open(UiApp *app, UiItem *item)
{
  UiReader *reader = ui_reader_top(app);

  if (reader && reader->box && (app->hits || reader->box == app->box) && ui_app_top(app) == &reader->view) {
    gboolean all_headers = reader->all_headers;
    forget_message(app, reader);
    reader->all_headers = all_headers;
  } else
    reader = reader_new(app);
  reader->box = app->box;
  reader->life = app->box->life;
  reader->account = app->box->account;
  reader->uid = item->uid;
  const MlHeader *header = ui_box_header(app->box, item);
  reader->received = header->received;
  reader->size = header->uid || !item->large ? header->size : ML_STORE_BODY + 1;
  reader->title = g_strdup(header->subject);
  reader->message_id = *header->message_id ? g_strdup(header->message_id) : NULL;
  ui_box_seek(app->box, item);
  fetch(app, reader, FALSE);
  ui_app_dirty(app);
}

void
ui_reader_open_bytes(UiApp *app, GBytes *raw, const char *title)
{
  UiReader *reader = reader_new(app);

  reader->raw = g_bytes_ref(raw);
  reader->title = g_strdup(title);
  ui_reader_read_again(app, reader, CRYPTO_JOB_VERIFY, FALSE);
}

/* Or is about to: a reading that is under way may have opened it before the key was forgotten. */
static gboolean
shows_secrets(const UiReader *reader)
{
  return reader->job ||
         (reader->message && ml_message_verdict(reader->message)->encryption != ML_ENCRYPTION_NONE);
}

static void
shut(UiApp *app, UiReader *reader)
{
  abandon_readings(reader);
  drop_message(app, reader);
  ui_pager_clear(&reader->pager);
  ui_pager_init(&reader->pager, TRUE);
  reader->since = g_get_monotonic_time();
  ui_reader_read_again(app, reader, CRYPTO_JOB_VERIFY, FALSE);
}

/* What was opened from such a message goes with it, but no mail that is being written above it. */
void
ui_reader_shut(UiApp *app)
{
  g_autoptr(GPtrArray) readers = g_ptr_array_new();
  gboolean writing = FALSE;

  ui_box_forget_hidden(app);
  for (guint i = 0; i < app->views->len; i++) {
    UiView *view = app->views->pdata[i];
    if (view->type->context == UI_IN_READER && shows_secrets((UiReader *)view))
      g_ptr_array_add(readers, view);
    writing |= (view->type->context & UI_IN_WRITING) != 0;
  }
  if (!readers->len)
    return;
  while (!writing && ui_app_top(app) != readers->pdata[0])
    ui_app_pop(app);
  for (guint i = 0; i < (writing ? readers->len : 1); i++)
    shut(app, readers->pdata[i]);
}

UiReader *
ui_reader_top(UiApp *app)
{
  return (UiReader *)ui_app_view(app, UI_IN_READER);
}

void
ui_reader_lay_out(UiApp *app, UiReader *reader)
{
  UiLayoutOptions options = { reader->all_headers, app->config->pager_headers, TRUE };

  if (!reader->message)
    return;
  ui_layout_message(&reader->pager, reader->message, &options);
  ui_pager_changed(&reader->pager);
}

char *
ui_reader_text_of(const MlMessage *message)
{
  static const char *const names[] = { "From", "To", "Cc", "Subject", "Date" };
  g_autoptr(GString) text = g_string_new(NULL);

  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    const char *value = ml_message_header(message, names[i]);
    if (value)
      g_string_append_printf(text, "%s: %s\n", names[i], value);
  }
  g_string_append_printf(text, "\n%s\n", ml_message_text(message));
  return ui_text_json(text->str);
}
