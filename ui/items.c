#include "ui/items.h"

#include <string.h>

#include "mail/folder.h"

/* Items lie in slabs, which are filled towards the end with what is older than all, and from the end with what is newer.
 * Spans are runs of them that follow each other in the list and in memory: some for a list as it is read, one more for
 * each place where something came between or was taken out. What was dropped is used again where nothing else fits. */
enum { SLAB = 1024 };

typedef struct {
  UiItem *first;
  guint n;
  guint before; /* so many come before it; right for the first UiItems.counted */
} Span;

/* The same place as it is read, as it is written here, and as it waits to be used again. */
typedef union Hole {
  UiItem item;
  struct {
    UI_ITEM_FIELDS()
  } open;
  union Hole *next;
} Hole;
G_STATIC_ASSERT(sizeof(Hole) == sizeof(UiItem));

struct UiItems {
  GArray *spans; /* of Span, none of them empty */
  GPtrArray *slabs;
  UiItem *newer, *older;     /* the next room for one that is newer, or older, than all: below newer, from older on */
  guint newer_left, older_left;
  Hole *holes;
  guint n, counted;
  guint unread, pending;
};

UiItems *
ui_items_new(void)
{
  UiItems *items = g_new0(UiItems, 1);

  items->spans = g_array_new(FALSE, FALSE, sizeof(Span));
  items->slabs = g_ptr_array_new_with_free_func(g_free);
  return items;
}

void
ui_items_free(UiItems *items)
{
  if (!items)
    return;
  g_array_unref(items->spans);
  g_ptr_array_unref(items->slabs);
  g_free(items);
}

void
ui_items_clear(UiItems *items)
{
  g_array_set_size(items->spans, 0);
  g_ptr_array_set_size(items->slabs, 0);
  items->newer = items->older = NULL;
  items->newer_left = items->older_left = 0;
  items->holes = NULL;
  items->n = items->counted = 0;
  items->unread = items->pending = 0;
}

guint
ui_items_count(const UiItems *items)
{
  return items->n;
}

static Span *
span_at(const UiItems *items, guint at)
{
  return &g_array_index(items->spans, Span, at);
}

/* The counts that were put off: adding at the newer end would have to write all of them each time. */
static void
count(UiItems *items)
{
  for (guint i = items->counted; i < items->spans->len; i++)
    span_at(items, i)->before = i ? span_at(items, i - 1)->before + span_at(items, i - 1)->n : 0;
  items->counted = items->spans->len;
}

UiItem *
ui_items_at(const UiItems *items, guint at)
{
  guint low = 0, high = items->spans->len;

  if (items->counted < items->spans->len)
    count((UiItems *)items);
  while (high - low > 1) {
    guint middle = low + (high - low) / 2;
    if (span_at(items, middle)->before > at)
      high = middle;
    else
      low = middle;
  }
  return span_at(items, low)->first + (at - span_at(items, low)->before);
}

/* The last span that begins with @uid or a newer one; spans->len: there is none. */
static guint
span_of(const UiItems *items, guint32 uid)
{
  guint low = 0, high = items->spans->len;

  while (low < high) {
    guint middle = low + (high - low) / 2;
    if (span_at(items, middle)->first->uid >= uid)
      low = middle + 1;
    else
      high = middle;
  }
  return low ? low - 1 : items->spans->len;
}

/* How many in it are newer than @uid. */
static guint
newer_in(const Span *span, guint32 uid)
{
  guint low = 0, high = span->n;

  while (low < high) {
    guint middle = low + (high - low) / 2;
    if (span->first[middle].uid > uid)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

guint
ui_items_place(const UiItems *items, guint32 uid)
{
  guint at = span_of(items, uid);

  if (at == items->spans->len)
    return 0;
  if (items->counted < items->spans->len)
    count((UiItems *)items);
  return span_at(items, at)->before + newer_in(span_at(items, at), uid);
}

UiItem *
ui_items_find(const UiItems *items, guint32 uid)
{
  guint at = span_of(items, uid);

  if (at == items->spans->len)
    return NULL;
  const Span *span = span_at(items, at);
  guint in = newer_in(span, uid);
  return in < span->n && span->first[in].uid == uid ? span->first + in : NULL;
}

/* ---- counts */

guint
ui_items_unread(const UiItems *items)
{
  return items->unread;
}

guint
ui_items_pending(const UiItems *items)
{
  return items->pending;
}

/* Each change of an item that they speak of lies between the two. */
static void
uncount(UiItems *items, const UiItem *item)
{
  items->unread -= !(item->flags & ML_FLAG_SEEN);
  items->pending -= item->deleted && !(item->flags & ML_FLAG_DELETED);
}

static void
count_in(UiItems *items, const UiItem *item)
{
  items->unread += !(item->flags & ML_FLAG_SEEN);
  items->pending += item->deleted && !(item->flags & ML_FLAG_DELETED);
}

void
ui_items_set_flags(UiItems *items, UiItem *item, guint flags)
{
  g_assert(ui_items_find(items, item->uid) == item);
  uncount(items, item);
  ((Hole *)item)->open.flags = (guint8)flags;
  count_in(items, item);
}

void
ui_items_set_deleted(UiItems *items, UiItem *item, gboolean deleted)
{
  g_assert(ui_items_find(items, item->uid) == item);
  uncount(items, item);
  ((Hole *)item)->open.deleted = deleted != FALSE;
  count_in(items, item);
}

/* ---- adding */

static UiItem *
slab_new(UiItems *items)
{
  UiItem *slab = g_new(UiItem, SLAB);

  g_ptr_array_add(items->slabs, slab);
  return slab;
}

static UiItem *
take_older(UiItems *items)
{
  if (!items->older_left) {
    items->older = slab_new(items);
    items->older_left = SLAB;
  }
  items->older_left--;
  return items->older++;
}

static UiItem *
take_newer(UiItems *items)
{
  if (!items->newer_left) {
    items->newer = slab_new(items) + SLAB;
    items->newer_left = SLAB;
  }
  items->newer_left--;
  return --items->newer;
}

static UiItem *
take_any(UiItems *items)
{
  Hole *hole = items->holes;

  if (!hole)
    return take_older(items);
  items->holes = hole->next;
  return &hole->item;
}

/* As span number @at, a span of its own, unless it fits to that before it or to that behind. */
static void
insert_span(UiItems *items, guint at, UiItem *item)
{
  Span *before = at ? span_at(items, at - 1) : NULL, *behind = at < items->spans->len ? span_at(items, at) : NULL;

  items->counted = MIN(items->counted, at);
  if (before && before->first + before->n == item) {
    before->n++;
  } else if (behind && item + 1 == behind->first) {
    behind->first = item;
    behind->n++;
  } else {
    const Span own = { item, 1, 0 };
    g_array_insert_val(items->spans, at, own);
  }
}

static void
split(UiItems *items, guint at, guint n)
{
  Span *span = span_at(items, at);
  const Span rest = { span->first + n, span->n - n, 0 };

  span->n = n;
  items->counted = MIN(items->counted, at + 1);
  g_array_insert_val(items->spans, at + 1, rest);
}

UiItem *
ui_items_add(UiItems *items, guint32 uid)
{
  guint at = span_of(items, uid), in = at < items->spans->len ? newer_in(span_at(items, at), uid) : 0;
  gboolean inside = at < items->spans->len && in < span_at(items, at)->n;
  UiItem *item;

  if (at == items->spans->len) { /* newer than all; or the first */
    at = 0;
    item = items->n ? take_newer(items) : take_older(items);
  } else if (inside) {
    split(items, at, in);
    at++;
    item = take_any(items);
  } else {
    at++;
    item = at == items->spans->len ? take_older(items) : take_any(items);
  }
  memset(item, 0, sizeof *item);
  item->uid = uid;
  insert_span(items, at, item);
  items->n++;
  count_in(items, item);
  return item;
}

/* ---- dropping */

static void
keep_run(GArray *kept, const Span *run)
{
  Span *last = kept->len ? &g_array_index(kept, Span, kept->len - 1) : NULL;

  if (run->n && last && last->first + last->n == run->first)
    last->n += run->n;
  else if (run->n)
    g_array_append_vals(kept, run, 1);
}

static void
drop_from(UiItems *items, const Span *span, GArray *kept)
{
  Span run = { NULL, 0, 0 };

  for (guint i = 0; i < span->n; i++) {
    UiItem *item = span->first + i;
    if (!item->gone) {
      run.first = run.n ? run.first : item;
      run.n++;
      continue;
    }
    keep_run(kept, &run);
    run.n = 0;
    uncount(items, item);
    Hole *hole = (Hole *)item;
    hole->next = items->holes;
    items->holes = hole;
  }
  keep_run(kept, &run);
}

guint
ui_items_drop_gone(UiItems *items)
{
  GArray *kept = g_array_new(FALSE, FALSE, sizeof(Span));
  guint before = items->n;

  for (guint i = 0; i < items->spans->len; i++)
    drop_from(items, span_at(items, i), kept);
  g_array_unref(items->spans);
  items->spans = kept;
  items->counted = 0;
  count(items);
  const Span *last = kept->len ? span_at(items, kept->len - 1) : NULL;
  items->n = last ? last->before + last->n : 0;
  if (!items->n)
    ui_items_clear(items);
  return before - items->n;
}
