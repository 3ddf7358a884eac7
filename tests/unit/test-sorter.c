#include "ui/sorter.h"

#include <stdlib.h>
#include <string.h>

/* Whatever comes between the pieces, the order is that of one sort of all. */
typedef struct {
  guint32 uid;
  gint64 date;
  guint64 number;
  char text[8];
} Line;

static int
by_all(const void *a, const void *b)
{
  const Line *one = a, *other = b;
  int text = strcmp(one->text, other->text);

  if (text)
    return text;
  if (one->number != other->number)
    return one->number < other->number ? -1 : 1;
  if (one->date != other->date)
    return one->date < other->date ? -1 : 1;
  return one->uid < other->uid ? -1 : one->uid > other->uid;
}

static void
add(UiSorter *sorter, GArray *lines, GRand *rand)
{
  Line line = { .uid = lines->len + 1, .date = g_rand_int_range(rand, -3, 3), .number = g_rand_int_range(rand, 0, 3) };

  for (guint i = 0, n = (guint)g_rand_int_range(rand, 0, 4); i < n; i++) /* many have the same, and some have none */
    line.text[i] = (char)g_rand_int_range(rand, 'a', 'e');
  ui_sorter_add(sorter, line.uid, line.date, line.number, line.text);
  g_array_append_val(lines, line);
}

static void
same(UiSorter *sorter, GArray *lines)
{
  g_autoptr(GArray) wanted = g_array_copy(lines);

  if (wanted->len)
    qsort(wanted->data, wanted->len, sizeof(Line), by_all);
  g_assert_cmpuint(ui_sorter_count(sorter), ==, wanted->len);
  g_assert_cmpuint(ui_sorter_waiting(sorter), ==, 0);
  for (guint i = 0; i < wanted->len; i++)
    g_assert_cmpuint(ui_sorter_uid(sorter, i), ==, g_array_index(wanted, Line, i).uid);
}

static void
test_pieces(void)
{
  static const guint firsts[] = { 0, 1, 2, 1023, 1024, 1025, 5000, 20000 }, mosts[] = { 1, 7, 1000, G_MAXUINT };

  for (guint i = 0; i < G_N_ELEMENTS(firsts); i++)
    for (guint k = 0; k < G_N_ELEMENTS(mosts); k++) {
      g_autoptr(GRand) rand = g_rand_new_with_seed(i * 10 + k);
      g_autoptr(UiSorter) sorter = ui_sorter_new();
      g_autoptr(GArray) lines = g_array_new(FALSE, TRUE, sizeof(Line));
      for (guint n = 0; n < firsts[i]; n++)
        add(sorter, lines, rand);
      while (ui_sorter_some(sorter, mosts[k]))
        if (lines->len < firsts[i] + 4000 && g_rand_int_range(rand, 0, 3) == 0)
          for (guint n = 0; n < 50; n++) /* they come while it goes on */
            add(sorter, lines, rand);
      same(sorter, lines);
    }
}

/* A list of which each piece is put in its place as it comes. */
static void
test_comes_in_pieces(void)
{
  g_autoptr(GRand) rand = g_rand_new_with_seed(1);
  g_autoptr(UiSorter) sorter = ui_sorter_new();
  g_autoptr(GArray) lines = g_array_new(FALSE, TRUE, sizeof(Line));

  for (guint piece = 1; piece < 3000; piece = piece * 5 / 4 + 1) {
    for (guint n = 0; n < piece; n++)
      add(sorter, lines, rand);
    g_assert_cmpuint(ui_sorter_waiting(sorter), ==, piece);
    ui_sorter_all(sorter);
    same(sorter, lines);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sorter/pieces", test_pieces);
  g_test_add_func("/sorter/comes-in-pieces", test_comes_in_pieces);
  return g_test_run();
}
