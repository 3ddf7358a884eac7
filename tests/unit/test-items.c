#include <glib.h>

#include "mail/folder.h"
#include "ui/items.h"

/* Held against a plain sorted array, whatever comes and goes. */

static guint
place_in(const GArray *model, guint32 uid)
{
  guint at = 0;

  while (at < model->len && g_array_index(model, guint32, at) > uid)
    at++;
  return at;
}

static void
compare(const UiItems *items, const GArray *model)
{
  guint unread = 0, pending = 0;

  g_assert_cmpuint(ui_items_count(items), ==, model->len);
  for (guint i = 0; i < model->len; i++) {
    guint32 uid = g_array_index(model, guint32, i);
    UiItem *item = ui_items_at(items, i);
    g_assert_cmpuint(item->uid, ==, uid);
    g_assert_true(ui_items_find(items, uid) == item);
    g_assert_cmpuint(ui_items_place(items, uid), ==, i);
    unread += !(item->flags & ML_FLAG_SEEN);
    pending += item->deleted && !(item->flags & ML_FLAG_DELETED);
  }
  g_assert_cmpuint(ui_items_unread(items), ==, unread);
  g_assert_cmpuint(ui_items_pending(items), ==, pending);
}

/* Some are read, flagged, deleted here or by others, and taken back, over and over. */
static void
mark_some(UiItems *items)
{
  for (guint i = 0; i < ui_items_count(items); i += 1 + (guint)g_test_rand_int_range(0, 9)) {
    UiItem *item = ui_items_at(items, i);
    guint flags = (guint)g_test_rand_int_range(0, 256);
    gboolean deleted = g_test_rand_int_range(0, 2);
    if (g_test_rand_int_range(0, 2)) {
      ui_items_set_flags(items, item, flags);
      g_assert_cmpuint(item->flags, ==, flags);
    } else {
      ui_items_set_deleted(items, item, deleted);
      g_assert_cmpint(item->deleted, ==, deleted);
    }
  }
}

/* Those that were there lie where they lay. */
static void
add(UiItems *items, GArray *model, guint32 uid)
{
  guint at = place_in(model, uid);
  UiItem *first = model->len ? ui_items_at(items, 0) : NULL, *last = model->len ? ui_items_at(items, model->len - 1) : NULL;

  g_assert_null(ui_items_find(items, uid));
  g_assert_cmpuint(ui_items_place(items, uid), ==, at);
  UiItem *item = ui_items_add(items, uid);
  g_assert_true(!item->flags && !item->gone && !item->tagged && !item->mark);
  g_array_insert_val(model, at, uid);
  if (first)
    g_assert_true(ui_items_find(items, first->uid) == first && ui_items_find(items, last->uid) == last);
}

static void
drop(UiItems *items, GArray *model, guint one_of)
{
  guint n = 0;

  for (guint i = model->len; i-- > 0;) {
    if (g_test_rand_int_range(0, (gint32)one_of))
      continue;
    ui_items_at(items, i)->gone = TRUE;
    g_array_remove_index(model, i);
    n++;
  }
  g_assert_cmpuint(ui_items_drop_gone(items), ==, n);
}

static void
test_read_as_it_comes(void)
{
  UiItems *items = ui_items_new();
  g_autoptr(GArray) model = g_array_new(FALSE, FALSE, sizeof(guint32));

  compare(items, model);
  g_assert_null(ui_items_find(items, 1));
  for (guint32 uid = 5000; uid > 0; uid -= 2) /* as a list is read */
    add(items, model, uid);
  compare(items, model);
  for (guint32 uid = 5002; uid < 9000; uid += 2) /* as mail comes */
    add(items, model, uid);
  compare(items, model);
  for (guint32 uid = 1; uid < 9000; uid += 6) /* as moves are taken back */
    add(items, model, uid);
  mark_some(items);
  compare(items, model);
  add(items, model, G_MAXUINT32);
  drop(items, model, 1);
  g_assert_cmpuint(ui_items_count(items), ==, 0);
  add(items, model, 7);
  compare(items, model);
  ui_items_clear(items);
  g_array_set_size(model, 0);
  compare(items, model);
  ui_items_free(items);
}

static void
test_at_random(void)
{
  UiItems *items = ui_items_new();
  g_autoptr(GArray) model = g_array_new(FALSE, FALSE, sizeof(guint32));

  for (guint round = 0; round < 60; round++) {
    guint32 newest = model->len ? g_array_index(model, guint32, 0) : 100000;
    for (guint i = 0; i < 60; i++) {
      guint32 uid = round % 3 == 0 ? newest + 1 + i : (guint32)g_test_rand_int_range(1, (gint32)newest);
      if (!ui_items_find(items, uid))
        add(items, model, uid);
    }
    compare(items, model);
    mark_some(items);
    compare(items, model);
    drop(items, model, round % 7 == 6 ? 2 : 12);
    compare(items, model);
  }
  ui_items_free(items);
}

static void
test_small(void)
{
  g_assert_cmpuint(sizeof(UiItem), ==, 8); /* what 100,000 messages on the screen take rests on it */
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/items/as-it-comes", test_read_as_it_comes);
  g_test_add_func("/items/random", test_at_random);
  g_test_add_func("/items/small", test_small);
  return g_test_run();
}
