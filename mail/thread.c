#include "mail/thread.h"

#include <string.h>

/* A message, or the place of one that is only named. */
typedef struct Node Node;
struct Node {
  char *id;              /* NULL: it has none, or another message has it */
  gpointer item;         /* NULL: only named */
  const MlHeader *header; /* with item */
  Node *parent, *child, *next, *previous; /* child: the first; siblings in no order */
  Node *guess;           /* by subject; worked out by each ml_threads_order() */
  GPtrArray *guessed;    /* of Node, whose guess is this one; or NULL */
  gint64 newest;         /* of the branch; while ordering */
  gboolean within;
};

struct MlThreads {
  GHashTable *by_id;   /* id -> Node */
  GHashTable *by_item; /* item -> Node */
  GPtrArray *nodes;    /* every one, owned; a hole is NULL */
  GArray *holes;       /* of guint */
  GHashTable *places;  /* Node -> its place in nodes */
};

static void
node_free(gpointer data)
{
  Node *node = data;
  if (!node)
    return;
  g_free(node->id);
  g_clear_pointer(&node->guessed, g_ptr_array_unref);
  g_free(node);
}

MlThreads *
ml_threads_new(void)
{
  MlThreads *threads = g_new0(MlThreads, 1);
  threads->by_id = g_hash_table_new(g_str_hash, g_str_equal);
  threads->by_item = g_hash_table_new(NULL, NULL);
  threads->nodes = g_ptr_array_new_with_free_func(node_free);
  threads->holes = g_array_new(FALSE, FALSE, sizeof(guint));
  threads->places = g_hash_table_new(NULL, NULL);
  return threads;
}

void
ml_threads_free(MlThreads *threads)
{
  if (!threads)
    return;
  g_hash_table_unref(threads->by_id);
  g_hash_table_unref(threads->by_item);
  g_hash_table_unref(threads->places);
  g_ptr_array_unref(threads->nodes);
  g_array_unref(threads->holes);
  g_free(threads);
}

static Node *
node_new(MlThreads *threads, const char *id)
{
  Node *node = g_new0(Node, 1);
  node->id = g_strdup(id);
  guint place = threads->nodes->len;
  if (threads->holes->len) {
    place = g_array_index(threads->holes, guint, threads->holes->len - 1);
    g_array_set_size(threads->holes, threads->holes->len - 1);
    threads->nodes->pdata[place] = node;
  } else {
    g_ptr_array_add(threads->nodes, node);
  }
  g_hash_table_insert(threads->places, node, GUINT_TO_POINTER(place));
  if (id)
    g_hash_table_insert(threads->by_id, node->id, node);
  return node;
}

static Node *
node_for(MlThreads *threads, const char *id)
{
  Node *node = g_hash_table_lookup(threads->by_id, id);
  return node ? node : node_new(threads, id);
}

static void
cut(Node *node)
{
  if (!node->parent)
    return;
  if (node->previous)
    node->previous->next = node->next;
  else
    node->parent->child = node->next;
  if (node->next)
    node->next->previous = node->previous;
  node->parent = node->next = node->previous = NULL;
}

/* Would @parent come to lie below @child, or too deep? */
static gboolean
is_wrong(const Node *parent, const Node *child)
{
  guint depth = 0;
  for (const Node *up = parent; up; up = up->parent)
    if (up == child || ++depth >= ML_THREAD_DEPTH)
      return TRUE;
  return FALSE;
}

static void
join(Node *parent, Node *child)
{
  if (child->parent == parent || is_wrong(parent, child))
    return;
  cut(child);
  child->parent = parent;
  child->next = parent->child;
  if (parent->child)
    parent->child->previous = child;
  parent->child = child;
}

/* The ids of a References header, the last ones: array of char *. */
static GPtrArray *
references(const char *text)
{
  enum { ID_MAX = 998 };
  GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
  for (const char *at = text; (at = strchr(at, '<'));) {
    const char *start = at + 1, *end = start + strcspn(start, "<> \t\r\n");
    at = end;
    if (*end != '>' || end == start || end - start > ID_MAX)
      continue;
    if (ids->len >= ML_THREAD_REFERENCES)
      g_ptr_array_remove_index(ids, 1); /* the first names the thread */
    g_ptr_array_add(ids, g_strndup(start, (gsize)(end - start)));
  }
  return ids;
}

void
ml_threads_add(MlThreads *threads, gpointer item, const MlHeader *header)
{
  if (g_hash_table_contains(threads->by_item, item))
    return;
  Node *node = *header->message_id ? node_for(threads, header->message_id) : node_new(threads, NULL);
  if (node->item)
    node = node_new(threads, NULL); /* a copy of one that is there */
  node->item = item;
  node->header = header;
  g_hash_table_insert(threads->by_item, item, node);
  g_autoptr(GPtrArray) ids = references(header->references);
  Node *before = NULL;
  for (guint i = 0; i < ids->len; i++) {
    Node *named = node_for(threads, g_ptr_array_index(ids, i));
    if (named == node)
      continue;
    if (before && !named->parent)
      join(before, named);
    before = named;
  }
  if (before)
    join(before, node);
}

static void
drop(MlThreads *threads, Node *node)
{
  guint place = GPOINTER_TO_UINT(g_hash_table_lookup(threads->places, node));
  cut(node);
  if (node->id)
    g_hash_table_remove(threads->by_id, node->id);
  g_hash_table_remove(threads->places, node);
  threads->nodes->pdata[place] = NULL;
  g_array_append_val(threads->holes, place);
  node_free(node);
}

void
ml_threads_remove(MlThreads *threads, gpointer item)
{
  Node *node = g_hash_table_lookup(threads->by_item, item);
  if (!node)
    return;
  g_hash_table_remove(threads->by_item, item);
  node->item = NULL;
  node->header = NULL;
  /* What nobody names any more goes, and what only stood for it. */
  while (node && !node->item && !node->child) {
    Node *up = node->parent;
    drop(threads, node);
    node = up;
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
  MlThreadFilter within;
  gpointer user_data;
  GArray *out; /* of MlThreaded */
} Order;

static gint64
date_of(const Node *node)
{
  return node->header ? node->header->date : G_MININT64;
}

/* An answer without references belongs to the last message before it that has its subject. */
static void
guess(MlThreads *threads)
{
  g_autoptr(GHashTable) by_subject = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GPtrArray) answers = g_ptr_array_new();
  for (guint i = 0; i < threads->nodes->len; i++) {
    Node *node = threads->nodes->pdata[i];
    if (!node)
      continue;
    node->guess = NULL;
    g_clear_pointer(&node->guessed, g_ptr_array_unref);
    if (!node->item || node->parent || *node->header->references)
      continue;
    gboolean reply;
    g_autofree char *subject = ml_thread_subject(node->header->subject, &reply);
    if (strcmp(subject, "[...]") == 0) /* hidden (RFC 9788): no two of these are the same */
      continue;
    if (reply && *subject) {
      g_ptr_array_add(answers, node);
    } else if (*subject) {
      Node *first = g_hash_table_lookup(by_subject, subject);
      if (!first || date_of(node) < date_of(first))
        g_hash_table_replace(by_subject, g_steal_pointer(&subject), node);
    }
  }
  for (guint i = 0; i < answers->len; i++) {
    Node *node = answers->pdata[i];
    gboolean reply;
    g_autofree char *subject = ml_thread_subject(node->header->subject, &reply);
    Node *first = g_hash_table_lookup(by_subject, subject);
    if (!first || first == node || date_of(first) > date_of(node))
      continue;
    node->guess = first;
    if (!first->guessed)
      first->guessed = g_ptr_array_new();
    g_ptr_array_add(first->guessed, node);
  }
}

static GPtrArray *
children_of(const Node *node)
{
  GPtrArray *children = g_ptr_array_new();
  for (Node *child = node->child; child; child = child->next)
    g_ptr_array_add(children, child);
  for (guint i = 0; node->guessed && i < node->guessed->len; i++)
    g_ptr_array_add(children, node->guessed->pdata[i]);
  return children;
}

/* Depth is limited by join(), and by one level of guesses. */
static gint64
measure(const Order *order, Node *node)
{
  node->within = node->item && (!order->within || order->within(node->item, order->user_data));
  node->newest = node->within ? date_of(node) : G_MININT64;
  for (Node *child = node->child; child; child = child->next) {
    gint64 newest = measure(order, child); /* MAX() would ask twice, and so on down */
    node->newest = MAX(node->newest, newest);
  }
  for (guint i = 0; node->guessed && i < node->guessed->len; i++) {
    gint64 newest = measure(order, node->guessed->pdata[i]);
    node->newest = MAX(node->newest, newest);
  }
  return node->newest;
}

static int
by_newest(gconstpointer a, gconstpointer b)
{
  const Node *one = *(Node *const *)a, *other = *(Node *const *)b;
  return one->newest < other->newest ? -1 : one->newest > other->newest ? 1 : 0;
}

/* The first date in a branch: of its head, or of the first below one that is not there. */
static gint64
beginning(const Node *node)
{
  if (node->within)
    return date_of(node);
  gint64 first = G_MAXINT64;
  for (const Node *child = node->child; child; child = child->next) {
    if (child->newest > G_MININT64) {
      gint64 begins = beginning(child);
      first = MIN(first, begins);
    }
  }
  return first;
}

static int
by_beginning(gconstpointer a, gconstpointer b)
{
  gint64 one = beginning(*(Node *const *)a), other = beginning(*(Node *const *)b);
  return one < other ? -1 : one > other ? 1 : by_newest(a, b);
}

/* What is shown below @node, itself not: those that are not there are replaced by what is below them. */
static void
add_shown(const Node *node, GPtrArray *shown)
{
  g_autoptr(GPtrArray) children = children_of(node);
  for (guint i = 0; i < children->len; i++) {
    Node *child = children->pdata[i];
    if (child->newest == G_MININT64)
      continue;
    if (child->within)
      g_ptr_array_add(shown, child);
    else
      add_shown(child, shown);
  }
}

static gboolean
has_same_subject(const Node *node, const Node *above)
{
  gboolean reply;
  if (!above)
    return FALSE;
  if (strcmp(node->header->subject, above->header->subject) == 0)
    return TRUE;
  g_autofree char *one = ml_thread_subject(node->header->subject, &reply);
  g_autofree char *other = ml_thread_subject(above->header->subject, &reply);
  return strcmp(one, other) == 0;
}

static void
tell(const Order *order, Node *node, const Node *above, guint depth, guint64 more)
{
  MlThreaded threaded = { .item = node->item, .depth = depth, .more = more,
                          .same_subject = has_same_subject(node, above) };
  g_array_append_val(order->out, threaded);
  g_autoptr(GPtrArray) below = g_ptr_array_new();
  add_shown(node, below);
  g_ptr_array_sort(below, by_beginning);
  guint64 bit = depth < 64 ? (guint64)1 << depth : 0;
  for (guint i = 0; i < below->len; i++)
    tell(order, below->pdata[i], node, depth + 1, i + 1 < below->len ? more | bit : more & ~bit);
}

/* Where the first message of a thread is not there, the earliest that is stands for it. */
static void
tell_thread(const Order *order, Node *root)
{
  guint start = order->out->len;
  if (root->within) {
    tell(order, root, NULL, 0, 0);
  } else {
    g_autoptr(GPtrArray) heads = g_ptr_array_new();
    add_shown(root, heads);
    g_ptr_array_sort(heads, by_beginning);
    for (guint i = 0; i < heads->len; i++)
      tell(order, heads->pdata[i], i ? heads->pdata[0] : NULL, i ? 1 : 0, i && i + 1 < heads->len ? 1 : 0);
  }
  g_array_index(order->out, MlThreaded, start).size = order->out->len - start;
}

GArray *
ml_threads_order(MlThreads *threads, MlThreadFilter within, gpointer user_data)
{
  Order order = { within, user_data, g_array_new(FALSE, TRUE, sizeof(MlThreaded)) };
  g_autoptr(GPtrArray) roots = g_ptr_array_new();
  guess(threads);
  for (guint i = 0; i < threads->nodes->len; i++) {
    Node *node = threads->nodes->pdata[i];
    if (node && !node->parent && !node->guess && measure(&order, node) > G_MININT64)
      g_ptr_array_add(roots, node);
  }
  g_ptr_array_sort(roots, by_newest);
  for (guint i = 0; i < roots->len; i++)
    tell_thread(&order, roots->pdata[i]);
  return order.out;
}
