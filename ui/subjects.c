#include "ui/subjects.h"

#include <string.h>

enum { MOST = 10000, LENGTH = 2000 /* octets of one */ };

typedef struct {
  UiPlace place; /* the key: its strings are this entry's own */
  char *subject;
  gboolean hidden;
  GList link; /* in order of age */
} Entry;

struct UiSubjects {
  GHashTable *entries; /* UiPlace -> Entry, both the same memory */
  GQueue order;        /* of Entry, the oldest first */
};

/* Numbers alone: a list of many thousands is looked up on each limit, and folders share few numbers. */
static guint
place_hash(gconstpointer key)
{
  const UiPlace *place = key;
  return place->uid ^ place->uidvalidity;
}

static gboolean
place_equal(gconstpointer one, gconstpointer two)
{
  const UiPlace *a = one, *b = two;
  return a->uid == b->uid && a->uidvalidity == b->uidvalidity && !strcmp(a->folder, b->folder) &&
         !strcmp(a->account, b->account);
}

static void
entry_free(gpointer data)
{
  Entry *entry = data;

  explicit_bzero(entry->subject, strlen(entry->subject));
  g_free(entry->subject);
  g_free((char *)entry->place.account);
  g_free((char *)entry->place.folder);
  g_free(entry);
}

UiSubjects *
ui_subjects_new(void)
{
  UiSubjects *subjects = g_new0(UiSubjects, 1);

  subjects->entries = g_hash_table_new_full(place_hash, place_equal, NULL, entry_free);
  g_queue_init(&subjects->order);
  return subjects;
}

void
ui_subjects_free(UiSubjects *subjects)
{
  if (!subjects)
    return;
  g_hash_table_unref(subjects->entries);
  g_free(subjects);
}

static void
drop(UiSubjects *subjects, Entry *entry)
{
  g_queue_unlink(&subjects->order, &entry->link);
  g_hash_table_remove(subjects->entries, &entry->place);
}

void
ui_subjects_note(UiSubjects *subjects, const UiPlace *place, const char *subject, gboolean hidden)
{
  Entry *entry = g_hash_table_lookup(subjects->entries, place);

  if (entry)
    drop(subjects, entry);
  if (!subject)
    return;
  if (subjects->order.length >= MOST)
    drop(subjects, g_queue_peek_head(&subjects->order));
  entry = g_new0(Entry, 1);
  entry->place = *place;
  entry->place.account = g_strdup(place->account);
  entry->place.folder = g_strdup(place->folder);
  gsize length = strlen(subject);
  if (length > LENGTH)
    length =
        (gsize)(g_utf8_find_prev_char(subject, subject + LENGTH + 1) - subject); /* where a letter begins */
  entry->subject = g_strndup(subject, length);
  entry->hidden = hidden;
  entry->link.data = entry;
  g_queue_push_tail_link(&subjects->order, &entry->link);
  g_hash_table_insert(subjects->entries, &entry->place, entry);
}

const char *
ui_subjects_find(const UiSubjects *subjects, const UiPlace *place)
{
  const Entry *entry = subjects->order.length ? g_hash_table_lookup(subjects->entries, place) : NULL;

  return entry ? entry->subject : NULL;
}

gboolean
ui_subjects_forget_hidden(UiSubjects *subjects)
{
  gboolean any = FALSE;

  for (GList *at = subjects->order.head, *next; at; at = next) {
    next = at->next;
    if (!((Entry *)at->data)->hidden)
      continue;
    drop(subjects, at->data);
    any = TRUE;
  }
  return any;
}
