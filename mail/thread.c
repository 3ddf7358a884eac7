#include "mail/thread.h"

#include <string.h>

#include "mail/siphash.h"

/* Nodes are named by their place in one array, 0 being none; what they are known by is a keyed hash, so that a list of
 * 100,000 takes some octets for each, and no mail can make two ids the same. */
typedef guint32 At;

/* A message, or the place of one that is only named. */
typedef struct {
  guint64 id;      /* of the Message-ID; 0: it has none, or another message has it */
  gpointer item;   /* NULL: only named */
  guint64 subject; /* what ml_thread_subject() leaves; with item, as the next three */
  gint64 date;
  gint64 newest;   /* of the branch; while ordering */
  At parent, child, next, previous; /* child: the first; siblings in no order. Of a hole, next is the next hole */
  At guess;                         /* what it answers by its subject; worked out by each ml_threads_order() */
  At guessed, next_guessed;         /* the first whose guess is this one; the next one of the same guess */
  guint16 height; /* levels below it, at least: what was cut off may still count */
  guint used : 1, reply : 1, guessable : 1, within : 1; /* guessable: names nobody, and its subject says something */
} Node;

/* Open addressing; a slot is a node, found by its id or by its item. */
typedef struct {
  At *slots;
  guint size, taken; /* size: a power of two */
  gboolean of_items;
} Table;

struct MlThreads {
  MlSipKey key;
  GArray *nodes; /* the first stands for none */
  At hole;
  Table ids, items;
  const MlThreadEdits *edits; /* NULL: none */
};

static Node *
node_at(const MlThreads *threads, At at)
{
  return &g_array_index(threads->nodes, Node, at);
}

/* ---- tables */

static guint64
key_of(const Table *table, const Node *node)
{
  return table->of_items ? GPOINTER_TO_SIZE(node->item) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15) >> 16 : node->id;
}

static gboolean
is_it(const Table *table, const Node *node, guint64 id, gconstpointer item)
{
  return table->of_items ? node->item == item : node->id == id;
}

/* The slot of it, or the free one where it belongs. */
static guint
slot_of(const MlThreads *threads, const Table *table, guint64 id, gconstpointer item)
{
  Node wanted = { .id = id, .item = (gpointer)item };
  guint slot = (guint)key_of(table, &wanted) & (table->size - 1);

  while (table->slots[slot] && !is_it(table, node_at(threads, table->slots[slot]), id, item))
    slot = (slot + 1) & (table->size - 1);
  return slot;
}

static void
table_init(Table *table, gboolean of_items)
{
  *table = (Table){ g_new0(At, 64), 64, 0, of_items };
}

static At
table_find(const MlThreads *threads, const Table *table, guint64 id, gconstpointer item)
{
  return table->slots[slot_of(threads, table, id, item)];
}

static void
table_add(const MlThreads *threads, Table *table, At at)
{
  const Node *node = node_at(threads, at);

  if ((table->taken + 1) * 4 > table->size * 3) {
    Table larger = { g_new0(At, table->size * 2), table->size * 2, 0, table->of_items };
    for (guint i = 0; i < table->size; i++)
      if (table->slots[i])
        table_add(threads, &larger, table->slots[i]);
    g_free(table->slots);
    *table = larger;
  }
  table->slots[slot_of(threads, table, node->id, node->item)] = at;
  table->taken++;
}

/* What comes behind it moves up, so that no search ends too early. The node is still as it was when it was added. */
static void
table_remove(const MlThreads *threads, Table *table, At at)
{
  const Node *node = node_at(threads, at);
  guint mask = table->size - 1, hole = slot_of(threads, table, node->id, node->item);

  for (guint i = (hole + 1) & mask; table->slots[i]; i = (i + 1) & mask) {
    guint home = (guint)key_of(table, node_at(threads, table->slots[i])) & mask;
    if (((i - home) & mask) < ((i - hole) & mask))
      continue;
    table->slots[hole] = table->slots[i];
    hole = i;
  }
  table->slots[hole] = 0;
  table->taken--;
}

/* ---- nodes */

MlThreads *
ml_threads_new(void)
{
  MlThreads *threads = g_new0(MlThreads, 1);
  threads->key = ml_siphash_key();
  threads->nodes = g_array_new(FALSE, TRUE, sizeof(Node));
  g_array_set_size(threads->nodes, 1);
  table_init(&threads->ids, FALSE);
  table_init(&threads->items, TRUE);
  return threads;
}

void
ml_threads_free(MlThreads *threads)
{
  if (!threads)
    return;
  g_array_unref(threads->nodes);
  g_free(threads->ids.slots);
  g_free(threads->items.slots);
  g_free(threads);
}

void
ml_threads_set_edits(MlThreads *threads, const MlThreadEdits *edits)
{
  threads->edits = edits;
}

static guint64
hash_of(const MlThreads *threads, const char *text, gsize length)
{
  return MAX(ml_siphash(&threads->key, text, length), 1);
}

/* Nodes that were looked at before may lie elsewhere after it. */
static At
node_new(MlThreads *threads, guint64 id)
{
  At at = threads->hole;
  if (at)
    threads->hole = node_at(threads, at)->next;
  else {
    at = threads->nodes->len;
    g_array_set_size(threads->nodes, at + 1);
  }
  *node_at(threads, at) = (Node){ .id = id, .used = TRUE };
  if (id)
    table_add(threads, &threads->ids, at);
  return at;
}

static At
node_for(MlThreads *threads, guint64 id)
{
  At at = table_find(threads, &threads->ids, id, NULL);
  return at ? at : node_new(threads, id);
}

static void
cut(MlThreads *threads, At at)
{
  Node *node = node_at(threads, at);
  if (!node->parent)
    return;
  if (node->previous)
    node_at(threads, node->previous)->next = node->next;
  else
    node_at(threads, node->parent)->child = node->next;
  if (node->next)
    node_at(threads, node->next)->previous = node->previous;
  node->parent = node->next = node->previous = 0;
}

/* Would @parent come to lie below @child, or what is below @child too deep? */
static gboolean
is_wrong(const MlThreads *threads, At parent, At child)
{
  guint depth = node_at(threads, child)->height;
  for (At up = parent; up; up = node_at(threads, up)->parent)
    if (up == child || ++depth >= ML_THREAD_DEPTH)
      return TRUE;
  return FALSE;
}

static void
join(MlThreads *threads, At parent, At child)
{
  Node *node = node_at(threads, child), *above = node_at(threads, parent);
  if (node->parent == parent || is_wrong(threads, parent, child))
    return;
  cut(threads, child);
  node->parent = parent;
  node->next = above->child;
  if (above->child)
    node_at(threads, above->child)->previous = child;
  above->child = child;
  guint height = node->height + 1u;
  for (At up = parent; up && node_at(threads, up)->height < height; up = node_at(threads, up)->parent)
    node_at(threads, up)->height = (guint16)height++;
}

/* The ids of a References header, the last ones: array of guint64. */
static GArray *
references(const MlThreads *threads, const char *text)
{
  enum { ID_MAX = 998 };
  GArray *ids = g_array_new(FALSE, FALSE, sizeof(guint64));
  for (const char *at = text; (at = strchr(at, '<'));) {
    const char *start = at + 1, *end = start + strcspn(start, "<> \t\r\n");
    at = end;
    if (*end != '>' || end == start || end - start > ID_MAX)
      continue;
    if (ids->len >= ML_THREAD_REFERENCES)
      g_array_remove_index(ids, 1); /* the first names the thread */
    guint64 id = hash_of(threads, start, (gsize)(end - start));
    g_array_append_val(ids, id);
  }
  return ids;
}

static void
fill(MlThreads *threads, At at, gpointer item, const MlHeader *header)
{
  Node *node = node_at(threads, at);
  gboolean reply;
  g_autofree char *subject = ml_thread_subject(header->subject, &reply);
  node->item = item;
  node->date = header->date;
  node->subject = hash_of(threads, subject, strlen(subject));
  node->reply = reply != FALSE;
  /* Hidden subjects (RFC 9788): no two of these are the same. */
  node->guessable = !*header->references && *subject && strcmp(subject, "[...]") != 0;
  table_add(threads, &threads->items, at);
}

void
ml_threads_add(MlThreads *threads, gpointer item, const MlHeader *header)
{
  if (table_find(threads, &threads->items, 0, item))
    return;
  const char *name = header->message_id;
  At at = *name ? node_for(threads, hash_of(threads, name, strlen(name))) : node_new(threads, 0);
  if (node_at(threads, at)->item)
    at = node_new(threads, 0); /* a copy of one that is there */
  fill(threads, at, item, header);
  g_autofree char *decided =
      threads->edits ? ml_thread_edits_references(threads->edits, header->message_id, header->references) : NULL;
  g_autoptr(GArray) ids = references(threads, decided ? decided : header->references);
  At before = 0;
  for (guint i = 0; i < ids->len; i++) {
    At named = node_for(threads, g_array_index(ids, guint64, i));
    if (named == at)
      continue;
    if (before && !node_at(threads, named)->parent)
      join(threads, before, named);
    before = named;
  }
  if (before)
    join(threads, before, at);
}

static void
drop(MlThreads *threads, At at)
{
  cut(threads, at);
  if (node_at(threads, at)->id)
    table_remove(threads, &threads->ids, at);
  *node_at(threads, at) = (Node){ .next = threads->hole };
  threads->hole = at;
}

void
ml_threads_remove(MlThreads *threads, gpointer item)
{
  At at = item ? table_find(threads, &threads->items, 0, item) : 0;
  if (!at)
    return;
  table_remove(threads, &threads->items, at);
  node_at(threads, at)->item = NULL;
  /* What nobody names any more goes, and what only stood for it. */
  while (at && !node_at(threads, at)->item && !node_at(threads, at)->child) {
    At up = node_at(threads, at)->parent;
    drop(threads, at);
    at = up;
  }
}

/* ---- subjects */

static gboolean
skip_prefix(const char **at)
{
  static const char *const words[] = { "re", "fwd", "fw", "aw", "wg", "sv", "vs", "antw", "rif", "tr", "odp", NULL };
  for (guint i = 0; words[i]; i++) {
    gsize length = strlen(words[i]);
    if (g_ascii_strncasecmp(*at, words[i], length) != 0)
      continue;
    const char *end = *at + length;
    if (*end == '[') { /* Re[2]: */
      end += 1 + strspn(end + 1, "0123456789");
      end += *end == ']';
    }
    if (*end != ':')
      continue;
    *at = end + 1;
    return TRUE;
  }
  return FALSE;
}

char *
ml_thread_subject(const char *subject, gboolean *reply)
{
  const char *at = subject;
  *reply = FALSE;
  for (;;) {
    at += strspn(at, " \t");
    const char *close = *at == '[' ? strchr(at, ']') : NULL;
    if (skip_prefix(&at))
      *reply = TRUE;
    else if (close && close[1])
      at = close + 1;
    else
      break;
  }
  g_autofree char *bare = g_strdup(at);
  return g_utf8_casefold(g_strstrip(bare), -1);
}

/* ---- order */

typedef struct {
  MlThreads *threads;
  MlThreadFilter within;
  gpointer user_data;
  GArray *out; /* of MlThreaded */
} Order;

/* What can be answered by its subject. */
typedef struct {
  guint64 subject;
  gint64 date;
  At at;
} Answerable;

static int
by_subject(gconstpointer a, gconstpointer b)
{
  const Answerable *one = a, *other = b;
  if (one->subject != other->subject)
    return one->subject < other->subject ? -1 : 1;
  if (one->date != other->date)
    return one->date < other->date ? -1 : 1;
  return one->at < other->at ? -1 : one->at > other->at;
}

/* The last of its subject that is not later than @date; 0: there is none. */
static At
last_before(const GArray *answerable, guint64 subject, gint64 date)
{
  Answerable wanted = { subject, date, G_MAXUINT32 };
  guint low = 0, high = answerable->len;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    if (by_subject(&g_array_index(answerable, Answerable, middle), &wanted) <= 0)
      low = middle + 1;
    else
      high = middle;
  }
  const Answerable *last = low ? &g_array_index(answerable, Answerable, low - 1) : NULL;
  return last && last->subject == subject ? last->at : 0;
}

/* An answer without references belongs to the last message before it that has its subject. */
static void
guess(MlThreads *threads)
{
  g_autoptr(GArray) answerable = g_array_new(FALSE, FALSE, sizeof(Answerable));
  for (At at = 1; at < threads->nodes->len; at++) {
    Node *node = node_at(threads, at);
    node->guess = node->guessed = node->next_guessed = 0;
    Answerable one = { node->subject, node->date, at };
    if (node->item && !node->parent && node->guessable && !node->reply)
      g_array_append_val(answerable, one);
  }
  g_array_sort(answerable, by_subject);
  for (At at = threads->nodes->len; --at > 0;) {
    Node *node = node_at(threads, at);
    if (!node->item || node->parent || !node->guessable || !node->reply)
      continue;
    node->guess = last_before(answerable, node->subject, node->date);
    if (!node->guess)
      continue;
    node->next_guessed = node_at(threads, node->guess)->guessed;
    node_at(threads, node->guess)->guessed = at;
  }
}

/* Depth is limited by join(), and by one level of guesses. */
static gint64
measure(const Order *order, At at)
{
  Node *node = node_at(order->threads, at);
  node->within = node->item && (!order->within || order->within(node->item, order->user_data));
  node->newest = node->within ? node->date : G_MININT64;
  for (At child = node->child; child; child = node_at(order->threads, child)->next) {
    gint64 newest = measure(order, child); /* MAX() would ask twice, and so on down */
    node->newest = MAX(node->newest, newest);
  }
  for (At child = node->guessed; child; child = node_at(order->threads, child)->next_guessed) {
    gint64 newest = measure(order, child);
    node->newest = MAX(node->newest, newest);
  }
  return node->newest;
}

static int
by_newest(gconstpointer a, gconstpointer b, gpointer threads)
{
  const Node *one = node_at(threads, *(const At *)a), *other = node_at(threads, *(const At *)b);
  return one->newest < other->newest ? -1 : one->newest > other->newest ? 1 : 0;
}

/* Of messages that are there; the one with the older branch first where they are of one date. */
static int
by_beginning(gconstpointer a, gconstpointer b, gpointer threads)
{
  const Node *one = node_at(threads, *(const At *)a), *other = node_at(threads, *(const At *)b);
  return one->date < other->date ? -1 : one->date > other->date ? 1 : by_newest(a, b, threads);
}

static void add_shown(const MlThreads *threads, At at, GArray *shown);

static void
add_branch(const MlThreads *threads, At at, GArray *shown)
{
  const Node *node = node_at(threads, at);
  if (node->newest == G_MININT64)
    return;
  if (node->within)
    g_array_append_val(shown, at);
  else
    add_shown(threads, at, shown);
}

/* What is shown below it, itself not: those that are not there are replaced by what is below them. */
static void
add_shown(const MlThreads *threads, At at, GArray *shown)
{
  for (At child = node_at(threads, at)->child; child; child = node_at(threads, child)->next)
    add_branch(threads, child, shown);
  for (At child = node_at(threads, at)->guessed; child; child = node_at(threads, child)->next_guessed)
    add_branch(threads, child, shown);
}

/* In the order in which they are read; array of At. NULL: there is nothing below it. */
static GArray *
shown_below(const MlThreads *threads, At at)
{
  const Node *node = node_at(threads, at);
  if (!node->child && !node->guessed)
    return NULL;
  GArray *shown = g_array_new(FALSE, FALSE, sizeof(At));
  add_shown(threads, at, shown);
  g_array_sort_with_data(shown, by_beginning, (gpointer)threads);
  return shown;
}

static void
tell(const Order *order, At at, At above, guint depth, guint64 more)
{
  const Node *node = node_at(order->threads, at);
  MlThreaded threaded = { .item = node->item, .depth = depth, .more = more,
                          .same_subject = above && node->subject == node_at(order->threads, above)->subject };
  g_array_append_val(order->out, threaded);
  g_autoptr(GArray) below = shown_below(order->threads, at);
  guint64 bit = depth < 64 ? (guint64)1 << depth : 0;
  for (guint i = 0; below && i < below->len; i++)
    tell(order, g_array_index(below, At, i), at, depth + 1, i + 1 < below->len ? more | bit : more & ~bit);
}

/* Where the first message of a thread is not there, the earliest that is stands for it. */
static void
tell_thread(const Order *order, At root)
{
  guint start = order->out->len;
  if (node_at(order->threads, root)->within) {
    tell(order, root, 0, 0, 0);
  } else {
    g_autoptr(GArray) heads = shown_below(order->threads, root);
    for (guint i = 0; heads && i < heads->len; i++)
      tell(order, g_array_index(heads, At, i), i ? g_array_index(heads, At, 0) : 0, i ? 1 : 0,
           i && i + 1 < heads->len ? 1 : 0);
  }
  if (order->out->len > start)
    g_array_index(order->out, MlThreaded, start).size = order->out->len - start;
}

GArray *
ml_threads_order(MlThreads *threads, MlThreadFilter within, gpointer user_data)
{
  Order order = { threads, within, user_data, g_array_new(FALSE, TRUE, sizeof(MlThreaded)) };
  g_autoptr(GArray) roots = g_array_new(FALSE, FALSE, sizeof(At));
  guess(threads);
  for (At at = 1; at < threads->nodes->len; at++) {
    const Node *node = node_at(threads, at);
    if (node->used && !node->parent && !node->guess && measure(&order, at) > G_MININT64)
      g_array_append_val(roots, at);
  }
  g_array_sort_with_data(roots, by_newest, threads);
  for (guint i = 0; i < roots->len; i++)
    tell_thread(&order, g_array_index(roots, At, i));
  return order.out;
}
