/* Who answers whom. Each test writes a list as "name subject references...", and reads the threads as an outline. */
#include <string.h>

#include "mail/folder-private.h"
#include "mail/thread.h"

typedef struct {
  MlThreads *threads;
  GPtrArray *headers;
  GHashTable *names; /* id -> header */
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
  fixture->threads = ml_threads_new();
  fixture->headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  fixture->names = g_hash_table_new(g_str_hash, g_str_equal);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  ml_threads_free(fixture->threads);
  g_hash_table_unref(fixture->names);
  g_ptr_array_unref(fixture->headers);
}

static MlSpan
span_of(const char *text)
{
  return (MlSpan){ text, strlen(text) };
}

static MlHeader *
add(Fixture *fixture, const char *id, gint64 date, const char *subject, const char *references)
{
  MlHeader *header = ml_header_new(&(MlHeader){ .date = date }, (MlSpan[ML_HEADER_TEXTS]){ [5] = span_of(subject), [6] = span_of(id),
                                                                                           [7] = span_of(references) });
  g_ptr_array_add(fixture->headers, header);
  g_hash_table_insert(fixture->names, header->message_id, header);
  ml_threads_add(fixture->threads, header, header);
  return header;
}

static gboolean
is_not_b(gpointer item, gpointer user_data)
{
  return strcmp(((const MlHeader *)item)->message_id, "b") != 0;
}

/* "a(3) .b ..c | d(1)" */
static char *
outline(Fixture *fixture, MlThreadFilter within)
{
  g_autoptr(GArray) order = ml_threads_order(fixture->threads, within, NULL);
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < order->len; i++) {
    const MlThreaded *one = &g_array_index(order, MlThreaded, i);
    const MlHeader *header = one->item;
    g_string_append(text, !i ? "" : one->depth ? " " : " | ");
    for (guint j = 0; j < MIN(one->depth, 10); j++)
      g_string_append_c(text, '.');
    g_string_append(text, header->message_id);
    if (!one->depth)
      g_string_append_printf(text, "(%u)", one->size);
    g_assert_true(one->depth || one->size);
  }
  return g_string_free(text, FALSE);
}

static void
assert_outline(Fixture *fixture, const char *want)
{
  g_autofree char *got = outline(fixture, NULL);
  g_assert_cmpstr(got, ==, want);
}

static void
test_tree(Fixture *fixture, gconstpointer data)
{
  add(fixture, "a", 1, "Plan", "");
  add(fixture, "x", 4, "Other", "");
  add(fixture, "c", 3, "Re: Plan", "<a> <b>");
  add(fixture, "b", 2, "Re: Plan", "<a>");
  add(fixture, "d", 5, "Re: Plan", "<a>");
  assert_outline(fixture, "x(1) | a(4) .b ..c .d");
  g_autoptr(GArray) order = ml_threads_order(fixture->threads, NULL, NULL);
  const MlThreaded *b = &g_array_index(order, MlThreaded, 2), *c = &g_array_index(order, MlThreaded, 3),
                   *d = &g_array_index(order, MlThreaded, 4);
  g_assert_cmpuint(b->more, ==, 1); /* d follows below */
  g_assert_cmpuint(c->more, ==, 1);
  g_assert_cmpuint(d->more, ==, 0);
  g_assert_true(b->same_subject);
  /* What is left out does not break the thread. */
  g_autofree char *without = outline(fixture, is_not_b);
  g_assert_cmpstr(without, ==, "x(1) | a(3) .c .d");
}

static void
test_order_of_arrival_is_no_matter(Fixture *fixture, gconstpointer data)
{
  static const char *const refs[] = { "", "<m0>", "<m0> <m1>", "<m1>", "<m0> <m1> <m3>", "<lost> <m0>" };
  g_autofree char *first = NULL;
  for (guint round = 0; round < 60; round++) {
    guint places[G_N_ELEMENTS(refs)];
    for (guint i = 0; i < G_N_ELEMENTS(refs); i++)
      places[i] = i;
    for (guint i = G_N_ELEMENTS(refs) - 1; round && i > 0; i--) {
      guint j = (guint)g_test_rand_int_range(0, (int)i + 1), kept = places[i];
      places[i] = places[j];
      places[j] = kept;
    }
    for (guint i = 0; i < G_N_ELEMENTS(refs); i++) {
      g_autofree char *id = g_strdup_printf("m%u", places[i]);
      add(fixture, id, places[i], "S", refs[places[i]]);
    }
    char *got = outline(fixture, NULL);
    if (!first)
      first = got;
    else {
      g_assert_cmpstr(got, ==, first);
      g_free(got);
    }
    tear_down(fixture, NULL);
    set_up(fixture, NULL);
  }
  g_assert_true(g_str_has_prefix(first, "m0(6)"));
}

static void
test_missing(Fixture *fixture, gconstpointer data)
{
  add(fixture, "p", 2, "Re: S", "<gone>");
  add(fixture, "q", 1, "Re: S", "<gone>");
  add(fixture, "r", 3, "Re: S", "<gone> <q>");
  assert_outline(fixture, "q(3) .r .p");
}

static void
test_subjects(Fixture *fixture, gconstpointer data)
{
  add(fixture, "a", 1, "[list] Plan", "");
  add(fixture, "b", 2, "AW: [list] plan", "");
  add(fixture, "c", 3, "Plan", ""); /* no answer: another thread of that name */
  add(fixture, "d", 4, "Re: Unheard of", "");
  add(fixture, "e", 5, "[...]", ""); /* hidden subjects say nothing */
  add(fixture, "f", 6, "Re: [...]", "");
  add(fixture, "g", 0, "Re: Plan", ""); /* before what it would answer */
  assert_outline(fixture, "g(1) | a(2) .b | c(1) | d(1) | e(1) | f(1)");
  add(fixture, "i", 9, "Plan", "");
  add(fixture, "h", 8, "Re: plan", ""); /* of three it answers the last one before it */
  assert_outline(fixture, "g(1) | a(2) .b | d(1) | e(1) | f(1) | c(2) .h | i(1)");
  static const struct {
    const char *subject, *bare;
    gboolean reply;
  } cases[] = { { "Re: Re[2]: x", "x", TRUE }, { "Fwd: Re: X", "x", TRUE },     { "Reply", "reply", FALSE },
                { "[a] [b] Y", "y", FALSE },   { "[only]", "[only]", FALSE },   { "Re:", "", TRUE },
                { "  ", "", FALSE },           { "\xc3\x84", "\xc3\xa4", FALSE }, { "Re[", "re[", FALSE } };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    gboolean reply;
    g_autofree char *bare = ml_thread_subject(cases[i].subject, &reply);
    g_assert_cmpstr(bare, ==, cases[i].bare);
    g_assert_cmpint(reply, ==, cases[i].reply);
  }
}

static void
test_removal(Fixture *fixture, gconstpointer data)
{
  MlHeader *a = add(fixture, "a", 1, "S", ""), *b = add(fixture, "b", 2, "S", "<a>");
  add(fixture, "c", 3, "S", "<a> <b>");
  ml_threads_remove(fixture->threads, b);
  assert_outline(fixture, "a(2) .c");
  ml_threads_remove(fixture->threads, a);
  assert_outline(fixture, "c(1)");
  ml_threads_remove(fixture->threads, a); /* once more: nothing */
  ml_threads_add(fixture->threads, a, a);
  ml_threads_add(fixture->threads, b, b);
  assert_outline(fixture, "a(3) .b ..c");
}

/* Circles, copies, oneself, and a chain of 20,000. */
static void
test_hostile(Fixture *fixture, gconstpointer data)
{
  add(fixture, "a", 1, "S", "<b>");
  add(fixture, "b", 2, "S", "<a>");
  add(fixture, "s", 3, "S", "<s>");
  add(fixture, "s", 4, "S", "");
  add(fixture, "", 5, "S", "");
  add(fixture, "", 6, "S", "<> < > <<x> <y");
  g_autoptr(GArray) order = ml_threads_order(fixture->threads, NULL, NULL);
  g_assert_cmpuint(order->len, ==, 6);
  for (guint i = 0; i < 20000; i++) {
    g_autofree char *id = g_strdup_printf("n%u", i);
    g_autofree char *refs = g_strdup_printf("<n%u>", i - 1);
    add(fixture, id, 10 + i, "S", i ? refs : "");
  }
  g_autoptr(GArray) deep = ml_threads_order(fixture->threads, NULL, NULL);
  g_assert_cmpuint(deep->len, ==, 20006);
  for (guint i = 0; i < deep->len; i++)
    g_assert_cmpuint(g_array_index(deep, MlThreaded, i).depth, <=, ML_THREAD_DEPTH + 1);
  GString *many = g_string_new(NULL);
  for (guint i = 0; i < 100000; i++)
    g_string_append_printf(many, "<z%u>", i);
  add(fixture, "many", 1, "S", many->str);
  g_string_free(many, TRUE);
  g_autoptr(GArray) all = ml_threads_order(fixture->threads, NULL, NULL);
  g_assert_cmpuint(all->len, ==, 20007);
}

static void
assert_not_deep(Fixture *fixture, guint n)
{
  g_autoptr(GArray) order = ml_threads_order(fixture->threads, NULL, NULL);
  g_assert_cmpuint(order->len, ==, n);
  for (guint i = 0; i < order->len; i++)
    g_assert_cmpuint(g_array_index(order, MlThreaded, i).depth, <=, ML_THREAD_DEPTH + 1);
}

/* A list is filled from its newest message on: what is hung below another one has grown already. */
static void
test_hostile_newest_first(Fixture *fixture, gconstpointer data)
{
  for (guint i = 20000; i > 0; i--) {
    g_autofree char *id = g_strdup_printf("n%u", i);
    g_autofree char *refs = g_strdup_printf("<n%u>", i - 1);
    add(fixture, id, i, "S", refs);
  }
  assert_not_deep(fixture, 20000);
  for (guint i = 5000; i > 50; i--) {
    g_autofree char *id = g_strdup_printf("m%u", i);
    g_autoptr(GString) refs = g_string_new(NULL);
    for (guint j = 50; j > 0; j--)
      g_string_append_printf(refs, "<m%u> ", i - j);
    add(fixture, id, i, "S", refs->str);
  }
  assert_not_deep(fixture, 24950);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, test) g_test_add("/thread/" name, Fixture, NULL, set_up, test, tear_down)
  ADD("tree", test_tree);
  ADD("any-order", test_order_of_arrival_is_no_matter);
  ADD("missing", test_missing);
  ADD("subjects", test_subjects);
  ADD("removal", test_removal);
  ADD("hostile", test_hostile);
  ADD("hostile-newest-first", test_hostile_newest_first);
  return g_test_run();
}
