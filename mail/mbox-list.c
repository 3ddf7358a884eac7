#include "mail/mbox-private.h"

#include <stdlib.h>
#include <string.h>

/* The messages of an mbox file, wherever what is known of them lies: in the file in which the index is kept, or, as long as
 * it is not written there, in memory. */

MlMboxIndex *
ml_mbox_index_new(void)
{
  MlMboxIndex *index = g_new0(MlMboxIndex, 1);
  index->tail = g_array_new(FALSE, FALSE, sizeof(MlMboxRecord));
  index->uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  index->sip = ml_siphash_key();
  return index;
}

void
ml_mbox_index_free(MlMboxIndex *index)
{
  if (!index)
    return;
  g_clear_pointer(&index->file, g_bytes_unref);
  g_array_unref(index->tail);
  g_array_unref(index->uids);
  g_clear_pointer(&index->sorted, g_array_unref);
  g_free(index);
}

guint
ml_mbox_count(const MlMboxIndex *index)
{
  return index->in_file + index->tail->len;
}

const MlMboxRecord *
ml_mbox_record(const MlMboxIndex *index, guint place)
{
  g_assert(place < ml_mbox_count(index));
  if (place >= index->in_file)
    return &g_array_index(index->tail, MlMboxRecord, place - index->in_file);
  gsize length;
  const char *data = g_bytes_get_data(index->file, &length);
  /* Behind what stands in front of the first of them all. */
  return (const MlMboxRecord *)(const void *)(data + index->records) + place;
}

void
ml_mbox_at(const MlMboxIndex *index, guint place, MlMboxMessage *message)
{
  const MlMboxRecord *record = ml_mbox_record(index, place);
  *message = (MlMboxMessage){ .start = record->start, .header = record->start + record->header, .body = record->body,
                              .end = record->end, .next = index->about.st_size, .flags = record->flags,
                              .received = record->received, .hash = record->hash, .twin = record->twin };
  if (place + 1 < ml_mbox_count(index))
    message->next = ml_mbox_record(index, place + 1)->start;
  if (place < index->uids->len)
    message->uid = g_array_index(index->uids, guint32, place);
  memcpy(message->digest, record->digest, sizeof message->digest);
}

static guint32
uid_at(const MlMboxIndex *index, guint rank)
{
  guint place = index->sorted ? g_array_index(index->sorted, guint32, rank) : rank;
  return g_array_index(index->uids, guint32, place);
}

gboolean
ml_mbox_find(const MlMboxIndex *index, guint32 uid, MlMboxMessage *message)
{
  guint low = 0, high = index->uids->len;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    if (uid_at(index, middle) < uid)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == index->uids->len || uid_at(index, low) != uid)
    return FALSE;
  ml_mbox_at(index, index->sorted ? g_array_index(index->sorted, guint32, low) : low, message);
  return TRUE;
}

void
ml_mbox_add(MlMboxIndex *index, const MlMboxMessage *message)
{
  MlMboxRecord record = { .start = message->start, .body = message->body, .end = message->end,
                          .received = message->received, .hash = message->hash, .twin = message->twin,
                          .flags = (guint16)message->flags, .header = (guint16)(message->header - message->start) };
  memcpy(record.digest, message->digest, sizeof record.digest);
  g_array_append_val(index->tail, record);
}

void
ml_mbox_take_first(MlMboxIndex *index, const MlMboxIndex *from, guint n)
{
  index->sip = from->sip;
  index->records = from->records;
  index->in_file = MIN(n, from->in_file);
  index->file = index->in_file ? g_bytes_ref(from->file) : NULL;
  if (n > index->in_file)
    g_array_append_vals(index->tail, from->tail->data, n - index->in_file);
}

static int
compare_places(gconstpointer a, gconstpointer b, gpointer data)
{
  const GArray *uids = data;
  guint32 one = g_array_index(uids, guint32, *(const guint32 *)a), other = g_array_index(uids, guint32, *(const guint32 *)b);
  return one < other ? -1 : one > other;
}

void
ml_mbox_take_uids(MlMboxIndex *index, const guint32 *uids)
{
  gboolean ascend = TRUE;
  guint n = ml_mbox_count(index);
  g_array_unref(index->uids);
  index->uids = g_array_sized_new(FALSE, FALSE, sizeof(guint32), n);
  g_array_append_vals(index->uids, uids, n);
  g_clear_pointer(&index->sorted, g_array_unref);
  for (guint i = 1; i < n; i++)
    ascend = ascend && uids[i - 1] < uids[i];
  if (ascend)
    return;
  index->sorted = g_array_sized_new(FALSE, FALSE, sizeof(guint32), n);
  for (guint32 i = 0; i < n; i++)
    g_array_append_val(index->sorted, i);
  g_array_sort_with_data(index->sorted, compare_places, index->uids);
}

void
ml_mbox_clear(MlMboxIndex *index)
{
  g_clear_pointer(&index->file, g_bytes_unref);
  index->in_file = 0;
  g_array_set_size(index->tail, 0);
  g_array_set_size(index->uids, 0);
  g_clear_pointer(&index->sorted, g_array_unref);
}

void
ml_mbox_key(const MlMboxMessage *message, char key[ML_MBOX_KEY])
{
  char *at = key;
  for (guint i = 0; i < sizeof message->digest; i++)
    at += g_snprintf(at, 3, "%02x", message->digest[i]);
  if (message->twin > 1)
    g_snprintf(at, (gulong)(ML_MBOX_KEY - (at - key)), "-%u", message->twin);
}
