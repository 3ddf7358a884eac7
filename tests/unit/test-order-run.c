#include <glib/gstdio.h>
#include <string.h>

#include "ui/app-private.h"

/* Whatever happens in any turn of a sort that goes on between keys, its end is the order that one sort of all makes. The
 * clock is ours: a turn is one piece of work, so that a test counts in which it is. */

enum { MANY = 2110 }; /* as many as make it long, and a few of the others' quarters */

gint64
g_get_monotonic_time(void)
{
  static gint64 now = G_USEC_PER_SEC;

  return now += 3500;
}

static const MlAccount settings = { .name = (char *)"work", .kind = ML_ACCOUNT_IMAP };

typedef struct {
  UiCli cli;
  UiApp app;
  UiAccount account;
  gboolean history; /* what threads come to depends on what went, and on what came first */
} Fixture;

static MlHeader *
header_of(guint32 uid, guint wording)
{
  static const char *const words[] = { "apple", "Birch", "cedar", "", "Elm", "fig" };
  guint32 hash = (uid + wording * 7919) * 2654435761u, parent = 1 + hash % uid;
  g_autofree char *subject = g_strdup_printf("%s%s %s", hash & 64 ? "Re: " : "", words[hash % 6], words[(hash >> 8) % 6]);
  g_autofree char *author = g_strdup_printf("%s %u", words[(hash >> 16) % 6], (hash >> 20) % 40);
  g_autofree char *answers = hash % 3 ? g_strdup("") : g_strdup_printf("In-Reply-To: <%u@x>\n", parent);
  g_autofree char *block =
      g_strdup_printf("From: %s <a@x>\nSubject: %s\nMessage-ID: <%u@x>\n%s\n", author, subject, uid, answers);
  MlHeader *header = ml_header_parse(block, strlen(block));

  header->uid = uid;
  header->date = header->received = 1700000000 + (hash >> 10) % 5000;
  header->flags = ML_FLAG_SEEN;
  return header;
}

static void
told(Fixture *f, MlEventKind kind, guint32 first, guint32 last, guint wording)
{
  MlEvent event = { .kind = kind, .folder = (char *)"INBOX" };

  event.headers = g_ptr_array_new();
  for (guint32 uid = last; uid >= first; uid--)
    g_ptr_array_add(event.headers, header_of(uid, wording));
  g_assert_true(ui_box_event(&f->app, &event));
  g_ptr_array_set_free_func(event.headers, (GDestroyNotify)ml_header_free); /* what was taken is NULL by now */
  g_ptr_array_unref(event.headers);
}

static void
gone(Fixture *f, guint32 first, guint32 last)
{
  MlChanges changes = { .vanished = g_array_new(FALSE, FALSE, sizeof(guint32)) };
  MlEvent event = { .kind = ML_EVENT_CHANGES, .folder = (char *)"INBOX", .changes = &changes };

  for (guint32 uid = first; uid <= last; uid++)
    g_array_append_val(changes.vanished, uid);
  g_assert_true(ui_box_event(&f->app, &event));
  f->history = TRUE;
  g_array_unref(changes.vanished);
  for (guint i = 0; i < ui_box_rows(f->app.box); i++) {
    guint32 uid = ui_box_row(f->app.box, i)->uid;
    g_assert_true(uid < first || uid > last);
  }
}

static void
opened(Fixture *f, guint32 uidvalidity)
{
  MlEvent event = { .kind = ML_EVENT_OPENED, .folder = (char *)"INBOX", .selected = { .uidvalidity = uidvalidity } };

  g_assert_true(ui_box_event(&f->app, &event));
}

static void
turn(void)
{
  g_main_context_iteration(NULL, FALSE);
}

static void
to_end(Fixture *f)
{
  for (guint turns = 0; f->app.box->run; turns++) {
    g_assert_cmpuint(turns, <, 1000);
    turn();
  }
  g_assert_cmpuint(f->app.ops->len, ==, 0);
  g_assert_null(f->app.box->sorter);
  g_assert_false(f->app.box->outdated || f->app.box->to_place);
}

static GArray *
rows_of(UiBox *box)
{
  GArray *uids = g_array_new(FALSE, FALSE, sizeof(guint32));

  for (guint i = 0; i < ui_box_rows(box); i++)
    g_array_append_val(uids, ui_box_row(box, i)->uid);
  return uids;
}

static void
same(const GArray *one, const GArray *other)
{
  for (guint i = 0, shown = 0; i < one->len && i < other->len; i++)
    if (g_array_index(one, guint32, i) != g_array_index(other, guint32, i) && shown++ < 5)
      g_test_message("row %u: %u, not %u", i, g_array_index(one, guint32, i), g_array_index(other, guint32, i));
  g_assert_cmpmem(one->data, one->len * sizeof(guint32), other->data, other->len * sizeof(guint32));
}

static int
by_number(gconstpointer a, gconstpointer b)
{
  guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;

  return one < other ? -1 : one > other;
}

/* As they stand is as one sort of all puts them. Threads know still what only those
 * said that went, which one sort of all does not: then only that each is there once. */
static void
rows_are_right(Fixture *f)
{
  UiBox *box = f->app.box;
  UiOrder order = box->order;
  g_autoptr(GArray) rows = rows_of(box);

  g_assert_null(box->run);
  g_assert_cmpuint(rows->len, ==, ui_box_fitting(box));
  g_clear_pointer(&box->threads, ml_threads_free);
  box->fitted = FALSE;
  ui_box_arrange_now(box, order, NULL);
  g_autoptr(GArray) wanted = rows_of(box);
  if (order.by == UI_ORDER_THREADS && f->history) {
    g_array_sort(rows, by_number);
    g_array_sort(wanted, by_number);
  }
  same(rows, wanted);
}

static void
in_order(Fixture *f, UiOrder order)
{
  const UiBox *box = f->app.box;

  g_assert_true(box->order.by == order.by && box->order.reverse == order.reverse);
  g_assert_true(f->app.order.by == order.by && f->app.order.reverse == order.reverse);
  rows_are_right(f);
}

static void
limit(Fixture *f, const char *words)
{
  g_autoptr(GError) error = NULL;
  MlPattern *pattern = words ? ml_pattern_parse(words, UI_PATTERNS, 0, &error) : NULL;

  g_assert_no_error(error);
  ui_box_set_limit(f->app.box, pattern, words);
}

static void
set_up(Fixture *f)
{
  *f = (Fixture){ 0 };
  f->cli.data_dir = g_dir_make_tmp("signet-order-XXXXXX", NULL);
  f->app.cli = &f->cli;
  f->app.ops = g_ptr_array_new();
  f->app.accounts = g_ptr_array_new();
  f->app.log = g_ptr_array_new();
  f->app.subjects = ui_subjects_new();
  f->app.draw_source = f->app.tick_source = G_MAXUINT; /* there is no screen: they are not begun */
  f->account = (UiAccount){ .app = &f->app, .account = &settings, .store_dir = f->cli.data_dir, .state = ML_STATE_OFFLINE };
  f->app.box = ui_box_new(&f->app, &f->account, "INBOX");
  opened(f, 1);
  told(f, ML_EVENT_HEADERS, 1, MANY, 0);
  g_assert_cmpuint(ui_box_rows(f->app.box), ==, MANY);
}

static void
take_down(Fixture *f)
{
  ui_box_free(f->app.box);
  g_assert_cmpuint(f->app.ops->len, ==, 0);
  g_assert_false(g_main_context_pending(NULL));
  g_ptr_array_unref(f->app.ops);
  g_ptr_array_unref(f->app.accounts);
  for (guint i = 0; i < f->app.log->len; i++) {
    UiLogLine *line = f->app.log->pdata[i];
    g_free(line->text);
    g_free(line);
  }
  g_ptr_array_unref(f->app.log);
  ui_subjects_free(f->app.subjects);
  ml_thread_edits_free(f->app.thread_edits);
  g_free(f->app.status);
  g_rmdir(f->cli.data_dir);
  g_free(f->cli.data_dir);
}

static const UiOrder arrival = { UI_ORDER_ARRIVAL, FALSE };
static const UiOrder orders[] = { { UI_ORDER_SUBJECT, FALSE }, { UI_ORDER_FROM, TRUE }, { UI_ORDER_THREADS, FALSE } };

/* ---- what happens in a turn, and how it ends */

typedef void (*Happens)(Fixture *f, UiOrder order);

static void
nothing_happens(Fixture *f, UiOrder order)
{
  to_end(f);
  in_order(f, order);
}

static void
some_go(Fixture *f, UiOrder order)
{
  gone(f, 1, 3); /* read at last, in the middle, and at once */
  gone(f, 1000, 1015);
  gone(f, MANY, MANY);
  nothing_happens(f, order);
}

static void
all_go(Fixture *f, UiOrder order)
{
  gone(f, 1, MANY);
  nothing_happens(f, order);
}

static void
some_come(Fixture *f, UiOrder order)
{
  told(f, ML_EVENT_NEW, MANY + 1, MANY + 30, 0);
  gone(f, MANY + 7, MANY + 9);
  nothing_happens(f, order);
}

/* With other words, and the addresses of items that went. */
static void
some_come_again(Fixture *f, UiOrder order)
{
  static const guint32 which[] = { 1, 700, 1400, MANY - 1 };

  for (guint i = 0; i < G_N_ELEMENTS(which); i++)
    gone(f, which[i], which[i]);
  for (guint i = G_N_ELEMENTS(which); i-- > 0;)
    told(f, ML_EVENT_NEW, which[i], which[i], 1);
  nothing_happens(f, order);
  told(f, ML_EVENT_NEW, MANY + 1, MANY + 1, 0);
  nothing_happens(f, order);
}

/* Its text is in the store, which has to be read for it. */
static void
one_comes_without_text(Fixture *f, UiOrder order)
{
  const MlLine line = { .uid = MANY + 1, .flags = ML_FLAG_SEEN, .date = 1700000001 };

  ui_box_add_line(f->app.box, &line);
  ui_box_keep(f->app.box, line.uid, header_of(line.uid, 0));
  nothing_happens(f, order);
}

/* It is no long list any more. */
static void
it_gets_short(Fixture *f, UiOrder order)
{
  gone(f, 100, 400);
  ui_box_arrange(f->app.box, NULL);
  g_assert_null(f->app.box->run);
  g_assert_true(g_str_has_prefix(f->app.status, "Sorted by "));
  nothing_happens(f, order);
}

static void
esc(Fixture *f, UiOrder order)
{
  g_autoptr(GArray) before = rows_of(f->app.box);

  (void)order;
  ui_action_cancel(&f->app);
  ui_action_cancel(&f->app);
  to_end(f);
  g_autoptr(GArray) after = rows_of(f->app.box);
  same(before, after);
  in_order(f, arrival);
}

static void
esc_after_more(Fixture *f, UiOrder order)
{
  (void)order;
  told(f, ML_EVENT_NEW, MANY + 1, MANY + 5, 0);
  gone(f, 5, 9);
  ui_action_cancel(&f->app);
  to_end(f);
  in_order(f, arrival);
}

static void
left(Fixture *f, UiOrder order)
{
  ui_box_free(f->app.box);
  g_assert_cmpuint(f->app.ops->len, ==, 0);
  f->app.box = ui_box_new(&f->app, &f->account, "INBOX");
  opened(f, 1);
  told(f, ML_EVENT_HEADERS, 1, MANY + 100, 0);
  nothing_happens(f, order);
}

static void
replaced(Fixture *f, UiOrder order)
{
  opened(f, 2);
  g_assert_null(f->app.box->run);
  g_assert_cmpuint(ui_box_rows(f->app.box), ==, 0);
  turn();
  f->history = TRUE;
  told(f, ML_EVENT_HEADERS, 1, 300, 1);
  told(f, ML_EVENT_HEADERS, 301, MANY, 1);
  nothing_happens(f, order);
}

static void
another_order(Fixture *f, UiOrder order)
{
  const UiOrder other = { order.by == UI_ORDER_SUBJECT ? UI_ORDER_THREADS : UI_ORDER_SUBJECT, !order.reverse };

  ui_box_set_order(&f->app, other);
  turn();
  order.reverse = !order.reverse;
  ui_box_set_order(&f->app, order);
  turn();
  ui_box_set_order(&f->app, other);
  nothing_happens(f, other);
}

static void
another_and_esc(Fixture *f, UiOrder order)
{
  ui_box_set_order(&f->app, (UiOrder){ order.by == UI_ORDER_SUBJECT ? UI_ORDER_FROM : UI_ORDER_SUBJECT, FALSE });
  turn();
  esc(f, order);
}

static void
limited(Fixture *f, UiOrder order)
{
  limit(f, "~s birch");
  g_assert_cmpuint(ui_box_rows(f->app.box), ==, ui_box_fitting(f->app.box));
  turn();
  told(f, ML_EVENT_NEW, MANY + 1, MANY + 20, 0);
  limit(f, "~s cedar");
  nothing_happens(f, order);
  limit(f, NULL);
  nothing_happens(f, order);
}

/* At the cursor stays what was there. */
static void
cursor_stays(Fixture *f, UiOrder order)
{
  UiBox *box = f->app.box;

  g_assert_true(ui_box_seek(box, ui_box_by_uid(box, 1234)));
  told(f, ML_EVENT_NEW, MANY + 1, MANY + 3, 0);
  gone(f, 1233, 1233);
  to_end(f);
  g_assert_cmpuint(ui_box_item(box)->uid, ==, 1234);
  in_order(f, order);
}

static const struct {
  const char *name;
  Happens happens;
} cases[] = {
  { "nothing", nothing_happens },
  { "some-go", some_go },
  { "all-go", all_go },
  { "some-come", some_come },
  { "some-come-again", some_come_again },
  { "one-comes-without-text", one_comes_without_text },
  { "it-gets-short", it_gets_short },
  { "esc", esc },
  { "esc-after-more", esc_after_more },
  { "left", left },
  { "replaced", replaced },
  { "another-order", another_order },
  { "another-and-esc", another_and_esc },
  { "limited", limited },
  { "cursor-stays", cursor_stays },
};

/* In each turn of it, from before the first to after the last but one. */
static void
test_case(gconstpointer data)
{
  Happens happens = cases[GPOINTER_TO_UINT(data)].happens;

  for (guint i = 0; i < G_N_ELEMENTS(orders); i++) {
    gboolean goes_on = TRUE;
    guint at;
    for (at = 0; goes_on; at++) {
      Fixture f;
      set_up(&f);
      ui_box_set_order(&f.app, orders[i]);
      for (guint k = 0; k < at && f.app.box->run; k++)
        turn();
      goes_on = f.app.box->run != NULL;
      g_test_message("order %u, turn %u", orders[i].by, at);
      if (goes_on)
        happens(&f, orders[i]);
      take_down(&f);
    }
    g_assert_cmpuint(at, >, MANY / 200);
  }
}

/* ---- on a list that stands in such an order already */

static void
set_up_sorted(Fixture *f, UiOrder order)
{
  set_up(f);
  ui_box_set_order(&f->app, order);
  nothing_happens(f, order);
}

/* The limit has ended, or was another one, while an order that Esc takes back was worked out. */
static void
test_limit_ends_before_esc(void)
{
  static const char *const limits[] = { NULL, "~s cedar" };

  for (guint i = 0; i < G_N_ELEMENTS(orders) * 2; i++) {
    Fixture f;
    UiOrder order = orders[i / 2], other = { order.by == UI_ORDER_FROM ? UI_ORDER_SUBJECT : UI_ORDER_FROM, FALSE };
    set_up_sorted(&f, order);
    limit(&f, "~s birch");
    nothing_happens(&f, order);
    ui_box_set_order(&f.app, other);
    turn();
    limit(&f, limits[i % 2]);
    ui_action_cancel(&f.app);
    to_end(&f);
    in_order(&f, order);
    take_down(&f);
  }
}

/* What acts on all that is shown has all of it. */
static void
test_now(void)
{
  Fixture f;
  set_up_sorted(&f, orders[0]);
  limit(&f, "~s birch");
  nothing_happens(&f, orders[0]);
  limit(&f, "~s cedar");
  g_assert_nonnull(f.app.box->run);
  turn();
  ui_order_now(f.app.box);
  in_order(&f, orders[0]);
  ui_box_set_order(&f.app, orders[1]);
  ui_order_now(f.app.box); /* nothing is missing there */
  g_assert_nonnull(f.app.box->run);
  nothing_happens(&f, orders[1]);
  take_down(&f);
}

/* A limit that nothing fits: back to the message from where it was set. */
static void
test_back_from_nothing(void)
{
  Fixture f;
  set_up_sorted(&f, orders[0]);
  UiBox *box = f.app.box;
  g_assert_true(ui_box_seek(box, ui_box_by_uid(box, 77)));
  limit(&f, "~s nowhere");
  g_assert_cmpuint(ui_box_rows(box), ==, 0);
  nothing_happens(&f, orders[0]);
  limit(&f, NULL);
  nothing_happens(&f, orders[0]);
  g_assert_cmpuint(ui_box_item(box)->uid, ==, 77);
  take_down(&f);
}

/* Until the order is there the rows stand, but the cursor is where a fold has put it. */
static void
test_cursor_asked_for(void)
{
  Fixture f;
  set_up_sorted(&f, orders[0]);
  UiBox *box = f.app.box;
  ui_box_arrange(box, ui_box_by_uid(box, 500));
  g_assert_nonnull(box->run);
  g_assert_cmpuint(ui_box_item(box)->uid, ==, 500);
  to_end(&f);
  g_assert_cmpuint(ui_box_item(box)->uid, ==, 500);
  take_down(&f);
}

/* The first cursor is set once more when the order is there; not where a key was pressed. */
static void
test_first_cursor(void)
{
  for (guint key = 0; key < 2; key++) {
    Fixture f;
    set_up(&f);
    ui_box_free(f.app.box);
    f.app.order = orders[0];
    f.app.box = ui_box_new(&f.app, &f.account, "INBOX");
    opened(&f, 1);
    told(&f, ML_EVENT_HEADERS, 1, MANY, 0);
    g_assert_nonnull(f.app.box->run);
    g_assert_cmpuint(ui_box_item(f.app.box)->uid, ==, MANY);
    f.app.keys += key;
    to_end(&f);
    if (key)
      g_assert_cmpuint(ui_box_item(f.app.box)->uid, ==, MANY);
    else
      g_assert_cmpint(f.app.box->cursor, ==, 0);
    in_order(&f, orders[0]);
    take_down(&f);
  }
}

/* So is the one that was set by the first that came of a list. */
static void
test_first_cursor_of_pieces(void)
{
  static const MlAccount local = { .name = (char *)"work", .kind = ML_ACCOUNT_MAILDIR };
  Fixture f;
  set_up(&f);
  ui_box_free(f.app.box);
  f.account.account = &local;
  f.app.order = orders[0];
  f.app.box = ui_box_new(&f.app, &f.account, "INBOX");
  f.app.box->loading = TRUE;
  opened(&f, 1);
  told(&f, ML_EVENT_HEADERS, 1, 40, 0);
  g_assert_null(f.app.box->run);
  g_assert_cmpint(f.app.box->cursor, ==, 0);
  told(&f, ML_EVENT_HEADERS, 41, MANY, 0);
  g_assert_nonnull(f.app.box->run);
  f.app.box->loading = FALSE;
  to_end(&f);
  g_assert_cmpint(f.app.box->cursor, ==, 0);
  in_order(&f, orders[0]);
  take_down(&f);
}

/* Esc takes back the order that a key asked for, and not one that was asked for elsewhere meanwhile. */
static void
test_order_asked_elsewhere(void)
{
  Fixture f;
  set_up(&f);
  ui_box_set_order(&f.app, orders[0]);
  f.app.order = orders[1];
  ui_action_cancel(&f.app);
  to_end(&f);
  g_assert_cmpint(f.app.order.by, ==, orders[1].by);
  take_down(&f);
}

/* ---- all of it, in any order */

static void
load_ends(Fixture *f)
{
  UiBox *box = f->app.box;

  box->loading = FALSE; /* as opened() of ui/box.c */
  if (box->unarranged)
    ui_box_arrange(box, NULL);
  ui_order_rest(box);
}

static void
anything(Fixture *f, guint32 *most)
{
  UiBox *box = f->app.box;
  guint32 at = (guint32)g_test_rand_int_range(1, (int)*most), n = (guint32)g_test_rand_int_range(1, 40);

  switch (g_test_rand_int_range(0, 16)) {
  case 0:
    told(f, ML_EVENT_NEW, *most + 1, *most + n * 8, 0);
    *most += n * 8;
    break;
  case 1:
    gone(f, at, MIN(at + n, *most));
    f->history = TRUE;
    break;
  case 2:
    gone(f, at, at);
    told(f, ML_EVENT_NEW, at, at, n);
    break;
  case 3:
    limit(f, n & 1 ? "~s birch" : "~s cedar");
    break;
  case 4:
    limit(f, NULL);
    break;
  case 5:
  case 6:
    ui_box_set_order(&f->app, (UiOrder){ (UiOrderBy)(n % 6), n > 20 });
    break;
  case 7:
    (void)ui_ops_cancel(&f->app);
    break;
  case 8:
    if (n > 30)
      opened(f, f->app.box->uidvalidity + 1);
    f->history = TRUE;
    break;
  case 9:
    told(f, ML_EVENT_HEADERS, at, MIN(at + n * 50, *most), 0); /* some are there, and say something else */
    f->history = TRUE;
    break;
  case 10:
    box->loading = TRUE;
    break;
  case 11:
    load_ends(f);
    break;
  case 12:
    if (ui_box_rows(box))
      (void)ui_box_seek(box, ui_box_row(box, at % ui_box_rows(box)));
    break;
  case 13:
    ui_order_reworded(box);
    break;
  default:
    for (guint i = 0; i < n / 3; i++)
      turn();
  }
}

static void
test_anything(void)
{
  for (guint i = 0; i < 20; i++) {
    guint32 most = MANY;
    Fixture f;
    set_up(&f);
    for (guint k = 0; k < 80; k++)
      anything(&f, &most);
    limit(&f, NULL);
    load_ends(&f);
    to_end(&f);
    rows_are_right(&f);
    take_down(&f);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *path = g_strconcat("/order-run/in-each-turn/", cases[i].name, NULL);
    g_test_add_data_func(path, GUINT_TO_POINTER(i), test_case);
  }
  g_test_add_func("/order-run/limit-ends-before-esc", test_limit_ends_before_esc);
  g_test_add_func("/order-run/now", test_now);
  g_test_add_func("/order-run/back-from-nothing", test_back_from_nothing);
  g_test_add_func("/order-run/cursor-asked-for", test_cursor_asked_for);
  g_test_add_func("/order-run/first-cursor", test_first_cursor);
  g_test_add_func("/order-run/first-cursor-of-pieces", test_first_cursor_of_pieces);
  g_test_add_func("/order-run/order-asked-elsewhere", test_order_asked_elsewhere);
  g_test_add_func("/order-run/anything", test_anything);
  return g_test_run();
}
