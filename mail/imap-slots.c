#include "mail/imap-private.h"

/* The slots of the selected folder: of each message, in the server's order, its number and flags as far as they were told. */
enum { EXISTS_MAX = 10 * 1000 * 1000, EARLIER_MAX = 1000 * 1000 };

gboolean
ml_imap_slots_exists(MlImapSession *session, guint32 number, GError **error)
{
  if (number > EXISTS_MAX)
    return ml_imap_session_refuse(session, error, "a folder of %u messages", number);
  guint had = session->slots->len;
  session->moved += number != had;
  g_array_set_size(session->slots, number);
  for (guint i = had; i < number; i++)
    g_array_index(session->slots, MlImapSlot, i).flags = ML_IMAP_FLAGS_UNKNOWN;
  if (session->listening && number > had)
    session->changes->new_mail = TRUE;
  if (session->listening && number < had)
    session->changes->reset = TRUE; /* no server may do that */
  return TRUE;
}

gboolean
ml_imap_slots_expunge(MlImapSession *session, guint32 number, GError **error)
{
  if (!number || number > session->slots->len)
    return ml_imap_session_refuse(session, error, "message %u of %u went", number, session->slots->len);
  guint32 uid = g_array_index(session->slots, MlImapSlot, number - 1).uid;
  if (uid && session->listening)
    g_array_append_val(session->changes->vanished, uid);
  g_array_remove_index(session->slots, number - 1);
  session->moved++;
  return TRUE;
}

/* Ascending, and none in another (ml_imap_ranges()); of each, how many numbers there are up to its end. */
static GArray *
sum_up(const GArray *ranges)
{
  GArray *sums = g_array_sized_new(FALSE, FALSE, sizeof(guint64), ranges->len);
  guint64 sum = 0;
  for (guint i = 0; i < ranges->len; i++) {
    const MlImapRange *range = &g_array_index(ranges, MlImapRange, i);
    sum += (guint64)range->high - range->low + 1;
    g_array_append_val(sums, sum);
  }
  return sums;
}

/* How many of the numbers are not above @number. */
static guint64
named_up_to(const GArray *ranges, const GArray *sums, guint32 number)
{
  guint low = 0, high = ranges->len;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    if (g_array_index(ranges, MlImapRange, middle).high <= number)
      low = middle + 1;
    else
      high = middle;
  }
  guint64 named = low ? g_array_index(sums, guint64, low - 1) : 0;
  if (low < ranges->len && g_array_index(ranges, MlImapRange, low).low <= number)
    named += number - g_array_index(ranges, MlImapRange, low).low + 1;
  return named;
}

/* What goes now. Where the numbers of slots are not known yet, those beside them say between which they lie, and so how many
 * of them go; each of them may be any. Returns whether something went that cannot be named. */
static gboolean
take_away(MlImapSession *session, const GArray *ranges)
{
  g_autoptr(GArray) sums = sum_up(ranges);
  guint kept = 0, known = 0, unknown = 0;
  guint32 before = 0;
  MlImapSlot *slots = (MlImapSlot *)session->slots->data;
  for (guint i = 0; i < session->slots->len;) {
    guint n = 0;
    while (i + n < session->slots->len && !slots[i + n].uid)
      n++;
    if (n) {
      guint32 last = i + n < session->slots->len ? slots[i + n].uid - 1 : G_MAXUINT32;
      guint64 named = last > before ? named_up_to(ranges, sums, last) - named_up_to(ranges, sums, before) : 0;
      guint gone = (guint)MIN(named, n);
      for (guint k = 0; k < n - gone; k++)
        slots[kept++] = gone ? (MlImapSlot){ 0, ML_IMAP_FLAGS_UNKNOWN } : slots[i + k];
      unknown += n;
      i += n;
      continue;
    }
    MlImapSlot slot = slots[i++];
    before = slot.uid;
    if (!ml_imap_in_ranges(ranges, slot.uid)) {
      slots[kept++] = slot;
      continue;
    }
    known++;
    if (session->listening)
      g_array_append_val(session->changes->vanished, slot.uid);
  }
  session->moved += kept < session->slots->len;
  g_array_set_size(session->slots, kept);
  return unknown && named_up_to(ranges, sums, G_MAXUINT32) > known;
}

/* What went while we were away is collected for whoever asked. Where something goes now that was not listed yet, the folder
 * is read anew: whoever has it from before is to hear that it is gone. */
void
ml_imap_slots_vanished(MlImapSession *session, const MlNode *data)
{
  gboolean earlier = data && data->kind == ML_NODE_LIST && ml_node_is(data->child, "EARLIER");
  g_autoptr(GArray) ranges = ml_imap_ranges(earlier ? data->next : data);
  if (!ranges || (earlier && !session->earlier))
    return;
  if (!earlier) {
    gboolean unnamed = take_away(session, ranges);
    session->changes->reset |= unnamed && session->listening;
  } else if (session->earlier->len + ranges->len > EARLIER_MAX) {
    session->earlier = NULL; /* it is quicker to list what is there */
  } else {
    g_array_append_vals(session->earlier, ranges->data, ranges->len);
  }
}

void
ml_imap_slots_fetch(MlImapSession *session, const MlResponse *response)
{
  if (!response->number || response->number > session->slots->len)
    return;
  MlImapSlot *slot = &g_array_index(session->slots, MlImapSlot, response->number - 1);
  guint64 uid;
  if (ml_node_number(ml_imap_item(response->data, "UID"), G_MAXUINT32, &uid))
    slot->uid = (guint32)uid;
  const MlNode *list = ml_imap_item(response->data, "FLAGS");
  if (!list || list->kind != ML_NODE_LIST)
    return;
  guint flags = ml_imap_flags(list);
  gboolean ours = session->own && g_hash_table_contains(session->own, GUINT_TO_POINTER(slot->uid));
  if (session->listening && slot->uid && !ours && slot->flags != ML_IMAP_FLAGS_UNKNOWN &&
      slot->flags != flags) {
    MlFlagChange change = { slot->uid, flags };
    g_array_append_val(session->changes->flag_changes, change);
  }
  slot->flags = (guint8)flags;
}

/* ---- packed, while nothing is said */

enum { WORTH = 4096, SLOTS_A_RUN = 8 }; /* fewer slots, or on the average, are not packed */

/* From slot @at on the numbers follow each other, or are not known. */
typedef struct {
  guint32 at, uid;
} Run;

struct MlImapPacked {
  GArray *runs;
  guint n;
  guint8 flags[];
};

static gboolean
goes_on(const Run *run, guint32 at, guint32 uid)
{
  return run->uid ? uid == run->uid + (at - run->at) : !uid;
}

/* NULL: there are too many. */
static GArray *
runs_of(const GArray *slots)
{
  g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(Run));
  Run run = { 0, 0 };
  for (guint32 i = 0; i < slots->len; i++) {
    guint32 uid = g_array_index(slots, MlImapSlot, i).uid;
    if (i && goes_on(&run, i, uid))
      continue;
    run = (Run){ i, uid };
    g_array_append_val(runs, run);
    if (runs->len > slots->len / SLOTS_A_RUN)
      return NULL;
  }
  return g_steal_pointer(&runs);
}

MlImapPacked *
ml_imap_slots_pack(MlImapSession *session)
{
  guint n = session->slots->len;
  GArray *runs = n >= WORTH ? runs_of(session->slots) : NULL;
  if (!runs)
    return NULL;
  MlImapPacked *packed = g_malloc(sizeof *packed + n);
  packed->runs = runs;
  packed->n = n;
  for (guint i = 0; i < n; i++)
    packed->flags[i] = g_array_index(session->slots, MlImapSlot, i).flags;
  g_array_unref(session->slots);
  session->slots = g_array_new(FALSE, TRUE, sizeof(MlImapSlot));
  return packed;
}

void
ml_imap_slots_unpack(MlImapSession *session, MlImapPacked *packed)
{
  if (!packed)
    return;
  g_array_set_size(session->slots, packed->n);
  MlImapSlot *slots = (MlImapSlot *)session->slots->data;
  for (guint k = 0; k < packed->runs->len; k++) {
    const Run *run = &g_array_index(packed->runs, Run, k);
    guint32 end = k + 1 < packed->runs->len ? run[1].at : packed->n;
    for (guint32 i = run->at; i < end; i++)
      slots[i] = (MlImapSlot){ run->uid ? run->uid + (i - run->at) : 0, packed->flags[i] };
  }
  g_array_unref(packed->runs);
  g_free(packed);
}
