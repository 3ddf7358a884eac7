#include "ui/sorter.h"

#include <stdlib.h>
#include <string.h>

enum { RUN = 1024 }; /* so many are sorted in one go */

typedef struct {
  gint64 date;
  guint64 number, text; /* text: where it begins in texts */
  guint32 uid;
} Entry;

/* Entries lie in runs that follow each other, each of them in order, and behind the last one those that wait. The last two
 * runs may be about to become one: then what is left of the second lies aside, and the greatest of both go to the end. */
struct UiSorter {
  GArray *entries;
  GString *texts; /* behind each other; the first is empty */
  GHashTable *removed; /* of uids; NULL: none was */
  GArray *runs;   /* of guint: how long each is */
  guint sorted;   /* all runs together */
  Entry *aside;
  guint first, left, second; /* where the first run begins; what is left of it, and of that aside */
};

UiSorter *
ui_sorter_new(void)
{
  UiSorter *sorter = g_new0(UiSorter, 1);

  sorter->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
  sorter->texts = g_string_new(NULL);
  g_string_append_c(sorter->texts, '\0');
  sorter->runs = g_array_new(FALSE, FALSE, sizeof(guint));
  return sorter;
}

void
ui_sorter_free(UiSorter *sorter)
{
  if (!sorter)
    return;
  g_array_unref(sorter->entries);
  g_array_unref(sorter->runs);
  g_clear_pointer(&sorter->removed, g_hash_table_unref);
  g_string_free(sorter->texts, TRUE);
  g_free(sorter->aside);
  g_free(sorter);
}

void
ui_sorter_add(UiSorter *sorter, guint32 uid, gint64 date, guint64 number, const char *text)
{
  const Entry entry = { date, number, text && *text ? sorter->texts->len : 0, uid };

  if (entry.text)
    g_string_append_len(sorter->texts, text, (gssize)strlen(text) + 1);
  g_array_append_val(sorter->entries, entry);
}

void
ui_sorter_remove(UiSorter *sorter, guint32 uid)
{
  if (!sorter->removed)
    sorter->removed = g_hash_table_new(NULL, NULL);
  g_hash_table_add(sorter->removed, GUINT_TO_POINTER(uid));
}

gboolean
ui_sorter_is_removed(const UiSorter *sorter, guint32 uid)
{
  return sorter->removed && g_hash_table_contains(sorter->removed, GUINT_TO_POINTER(uid));
}

guint
ui_sorter_count(const UiSorter *sorter)
{
  return sorter->entries->len;
}

guint
ui_sorter_waiting(const UiSorter *sorter)
{
  return sorter->entries->len - sorter->sorted;
}

guint32
ui_sorter_uid(const UiSorter *sorter, guint at)
{
  return g_array_index(sorter->entries, Entry, at).uid;
}

static int
compare(const void *a, const void *b, void *texts)
{
  const Entry *one = a, *other = b;
  int result = one->text == other->text ? 0 : strcmp((const char *)texts + one->text, (const char *)texts + other->text);

  if (result)
    return result;
  if (one->number != other->number)
    return one->number < other->number ? -1 : 1;
  if (one->date != other->date)
    return one->date < other->date ? -1 : 1;
  return one->uid < other->uid ? -1 : one->uid > other->uid;
}

static guint *
run_at(const UiSorter *sorter, guint from_end)
{
  return &g_array_index(sorter->runs, guint, sorter->runs->len - from_end);
}

static void
sort_run(UiSorter *sorter)
{
  guint n = MIN(ui_sorter_waiting(sorter), RUN);

  qsort_r(&g_array_index(sorter->entries, Entry, sorter->sorted), n, sizeof(Entry), compare, sorter->texts->str);
  sorter->sorted += n;
  g_array_append_val(sorter->runs, n);
}

static void
begin_merge(UiSorter *sorter)
{
  sorter->left = *run_at(sorter, 2);
  sorter->second = *run_at(sorter, 1);
  sorter->first = sorter->sorted - sorter->left - sorter->second;
  sorter->aside = g_memdup2(&g_array_index(sorter->entries, Entry, sorter->first + sorter->left),
                            sorter->second * sizeof(Entry));
}

static void
merge(UiSorter *sorter, guint most)
{
  Entry *entries = &g_array_index(sorter->entries, Entry, sorter->first);

  for (; sorter->second && most; most--) {
    guint at = sorter->left + sorter->second - 1;
    const Entry *aside = &sorter->aside[sorter->second - 1];
    if (sorter->left && compare(&entries[sorter->left - 1], aside, sorter->texts->str) > 0)
      entries[at] = entries[--sorter->left];
    else {
      entries[at] = *aside;
      sorter->second--;
    }
  }
  if (sorter->second)
    return;
  *run_at(sorter, 2) += *run_at(sorter, 1);
  g_array_set_size(sorter->runs, sorter->runs->len - 1);
  g_clear_pointer(&sorter->aside, g_free);
}

gboolean
ui_sorter_some(UiSorter *sorter, guint most)
{
  gboolean two = sorter->runs->len > 1;

  if (sorter->aside)
    merge(sorter, most);
  else if (two && (!ui_sorter_waiting(sorter) || *run_at(sorter, 2) <= *run_at(sorter, 1)))
    begin_merge(sorter);
  else if (ui_sorter_waiting(sorter))
    sort_run(sorter);
  return sorter->aside || sorter->runs->len > 1 || ui_sorter_waiting(sorter);
}

void
ui_sorter_all(UiSorter *sorter)
{
  while (ui_sorter_some(sorter, G_MAXUINT))
    ;
}
