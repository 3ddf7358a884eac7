#include "mail/mbox-private.h"

#include <stdlib.h>
#include <string.h>

/* Which number a message of an mbox file has: that of its key, in the table that Maildir folders have too. */

static int
compare_uids(const void *a, const void *b)
{
  guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;
  return one < other ? -1 : one > other;
}

/* Those that have a number in the table keep it; the others' places go to @fresh, in file order. */
static void
find_numbers(MlMbox *mbox, const MlMboxIndex *index, guint32 *uids, GArray *fresh)
{
  for (guint i = 0, n = ml_mbox_count(index); i < n; i++) {
    MlMboxMessage message;
    char key[ML_MBOX_KEY];
    ml_mbox_at(index, i, &message);
    ml_mbox_key(&message, key);
    uids[i] = ml_numbers_find(mbox->numbers, key, strlen(key));
    if (!uids[i])
      g_array_append_val(fresh, i);
  }
}

static gboolean
give_numbers(MlMbox *mbox, const MlMboxIndex *index, guint32 *uids, const GArray *fresh, GError **error)
{
  g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < fresh->len; i++) {
    MlMboxMessage message;
    char key[ML_MBOX_KEY];
    ml_mbox_at(index, g_array_index(fresh, guint, i), &message);
    ml_mbox_key(&message, key);
    g_ptr_array_add(keys, g_strdup(key));
  }
  g_autofree guint32 *given = g_new(guint32, keys->len + 1);
  if (keys->len && !ml_numbers_assign(mbox->numbers, keys, given, error))
    return FALSE;
  for (guint i = 0; i < fresh->len; i++)
    uids[g_array_index(fresh, guint, i)] = given[i];
  return TRUE;
}

/* The keys of what is gone are forgotten some day. @below: the first number that nothing had before the look. */
static void
keep_numbers(MlMbox *mbox, const guint32 *uids, guint n, guint32 below)
{
  g_autoptr(GError) why = NULL;
  g_autofree guint32 *sorted = g_memdup2(uids, (n + 1) * sizeof *uids);
  qsort(sorted, n, sizeof *sorted, compare_uids);
  if (!ml_numbers_keep(mbox->numbers, sorted, n, below, &why))
    g_debug("old keys of %s stay: %s", mbox->path, why->message);
}

/* Where they are lost in between, none of those that were found is one. */
static gboolean
number_all(MlMbox *mbox, const MlMboxIndex *index, guint32 *uids, GError **error)
{
  for (guint tries = 0; tries < 3; tries++) {
    g_autoptr(GArray) fresh = g_array_new(FALSE, FALSE, sizeof(guint));
    if (!ml_numbers_look(mbox->numbers, error))
      return FALSE;
    guint32 validity = ml_numbers_validity(mbox->numbers);
    find_numbers(mbox, index, uids, fresh);
    if (!give_numbers(mbox, index, uids, fresh, error))
      return FALSE;
    if (validity == ml_numbers_validity(mbox->numbers))
      return TRUE;
  }
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "The numbers of %s are lost again and again: something takes their file away.",
              mbox->path);
  return FALSE;
}

gboolean
ml_mbox_number_index(MlMbox *mbox, MlMboxIndex *index, GError **error)
{
  guint n = ml_mbox_count(index);
  g_autofree guint32 *uids = g_new0(guint32, n + 1);
  guint32 below = ml_numbers_next(mbox->numbers), before = ml_numbers_validity(mbox->numbers);
  gboolean ok = number_all(mbox, index, uids, error);
  guint32 validity = ml_numbers_validity(mbox->numbers);
  if (ok)
    ml_mbox_take_uids(index, uids);
  if (ok && validity == before)
    keep_numbers(mbox, uids, n, below);
  ml_numbers_rest(mbox->numbers);
  mbox->validity = mbox->validity ? mbox->validity : validity;
  if (ok && mbox->validity != validity) { /* a new number is not what the caller means by it */
    mbox->pending->reset = TRUE;
    ml_mbox_clear(index);
  }
  return ok;
}
