#include <string.h>

#include "mail/carry-private.h"

/* A copy or a move, carried out: sorted by what an attempt that nobody saw the end of may have done of it. */

/* FRESH: seconds; a change that waited for longer looks first what of its messages is still there. */
enum { FRESH = 10 };

/* uid -> octets */
static gboolean
on_there(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  for (guint i = 0; i < headers->len; i++) {
    const MlHeader *header = headers->pdata[i];
    g_hash_table_insert(user_data, GUINT_TO_POINTER(header->uid), GSIZE_TO_POINTER((gsize)header->size));
  }
  g_ptr_array_unref(headers);
  return TRUE;
}

/* "\"Lunch\" <id@x>", or how many. */
static char *
which_words(const GPtrArray *messages)
{
  const MlPendingMessage *first = messages->pdata[0];
  return messages->len == 1 ? g_strdup_printf("\"%s\"%s%s%s", first->subject, *first->message_id ? " <" : "",
                                              first->message_id, *first->message_id ? ">" : "")
                            : g_strdup_printf("%u messages (\"%s\" is one)", messages->len, first->subject);
}

/* A copy or a move, sorted by what was found before it is asked for. */
typedef struct {
  GArray *todo;      /* uids */
  GArray *there;     /* uids that were copied by an attempt before, and are still here */
  GPtrArray *gone;   /* of MlPendingMessage: in neither folder, as far as it can be told */
  GPtrArray *unsure; /* of MlPendingMessage: may be in the target already, and it cannot be looked for */
} Filing;

static void
filing_clear(Filing *filing)
{
  g_array_unref(filing->todo);
  g_array_unref(filing->there);
  g_ptr_array_unref(filing->gone);
  g_ptr_array_unref(filing->unsure);
}

/* One with its Message-ID is there: the same? An older draft, or a forged one, has the Message-ID alone. */
static gboolean
compare_there(MlCarry *carry, MlPendingMessage *message, gsize size, Filing *filing, GError **error)
{
  MlSelected selected;
  g_autoptr(GHashTable) sizes = g_hash_table_new(NULL, NULL);
  g_autoptr(GArray) uids = ml_carry_open(carry, carry->entry->to, &selected, error)
                               ? ml_carry_find_named(carry, message->message_id, sizes, error)
                               : NULL;
  if (!uids)
    return FALSE;
  if (g_hash_table_contains(sizes, GSIZE_TO_POINTER(size)))
    g_array_append_val(filing->there, message->uid);
  else
    g_ptr_array_add(filing->unsure, message);
  return TRUE;
}

/* Has an attempt that nobody saw the end of put it there? @all_here: as on_there() has them. */
static gboolean
look_there(MlCarry *carry, MlPendingMessage *message, GHashTable *all_here, Filing *filing, GError **error)
{
  gpointer size = NULL;
  gboolean here = g_hash_table_lookup_extended(all_here, GUINT_TO_POINTER(message->uid), NULL, &size);
  gboolean found = FALSE, move = carry->entry->kind == ML_PENDING_MOVE;
  if (move && here && ml_driver_moves_whole(carry->driver)) { /* then it was not moved */
    g_array_append_val(filing->todo, message->uid);
    return TRUE;
  }
  if (!*message->message_id) {
    g_ptr_array_add(filing->unsure, message);
    return TRUE;
  }
  GError *why = NULL;
  if (!ml_driver_has(carry->driver, carry->entry->to, message->message_id, &found, &why)) {
    if (!ml_carry_is_for_good(carry, why)) {
      g_propagate_error(error, why);
      return FALSE;
    }
    g_error_free(why); /* it cannot search */
    g_ptr_array_add(filing->unsure, message);
  } else if (found && here) {
    return compare_there(carry, message, GPOINTER_TO_SIZE(size), filing, error);
  } else if (here) {
    g_array_append_val(filing->todo, message->uid);
  } else if (!found) {
    g_ptr_array_add(filing->gone, message);
  }
  return TRUE;
}

static gboolean
sort_out(MlCarry *carry, Filing *filing, GError **error)
{
  const MlPendingEntry *entry = carry->entry;
  gboolean again = entry->tries > 0, fresh = g_get_real_time() / G_USEC_PER_SEC - entry->at < FRESH;
  g_autoptr(GArray) uids = ml_carry_uids(entry);
  if (!again && fresh) { /* it was on the screen just now */
    g_array_append_vals(filing->todo, uids->data, uids->len);
    return TRUE;
  }
  g_autoptr(GHashTable) here = g_hash_table_new(NULL, NULL);
  if (!ml_driver_headers_of(carry->driver, uids, on_there, here, error))
    return FALSE;
  for (guint i = 0; i < entry->messages->len; i++) {
    MlPendingMessage *message = entry->messages->pdata[i];
    if (again) {
      if (!look_there(carry, message, here, filing, error))
        return FALSE;
    } else if (g_hash_table_contains(here, GUINT_TO_POINTER(message->uid))) {
      g_array_append_val(filing->todo, message->uid);
    } else {
      g_ptr_array_add(filing->gone, message);
    }
  }
  return !again || ml_carry_select(carry, error); /* to look there has left it */
}

/* Those that the server did not tell of. So it does where there was none any more, and for a folder whose numbers do not
 * last: then they have gone there. What has no Message-ID, or cannot be looked for, counts as done: no second copy comes of
 * it. */
static gboolean
look_after(MlCarry *carry, Filing *filing, GError **error)
{
  g_autoptr(GHashTable) todo = g_hash_table_new(NULL, NULL), here = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < filing->todo->len; i++)
    g_hash_table_add(todo, GUINT_TO_POINTER(g_array_index(filing->todo, guint32, i)));
  if (!ml_driver_headers_of(carry->driver, filing->todo, on_there, here, error))
    return FALSE;
  for (guint i = 0; i < carry->entry->messages->len; i++) {
    MlPendingMessage *message = carry->entry->messages->pdata[i];
    gpointer uid = GUINT_TO_POINTER(message->uid);
    gboolean found = FALSE;
    g_autoptr(GError) why = NULL;
    if (message->there || !g_hash_table_contains(todo, uid) || g_hash_table_contains(here, uid) || !*message->message_id)
      continue;
    if (ml_driver_has(carry->driver, carry->entry->to, message->message_id, &found, &why)) {
      if (!found)
        g_ptr_array_add(filing->gone, message);
    } else if (!ml_carry_is_for_good(carry, why)) {
      g_propagate_error(error, g_steal_pointer(&why));
      return FALSE;
    }
  }
  return ml_carry_select(carry, error); /* to look there has left it */
}

/* What the server told of where they are now, unless it is one number for two. */
static gboolean
note_copied(MlCarry *carry, Filing *filing, GError **error)
{
  guint32 validity;
  GHashTable *copied = ml_driver_copied(carry->driver, &validity);
  if (!copied)
    return TRUE;
  g_autoptr(GHashTable) numbers = g_hash_table_new(NULL, NULL);
  gboolean all = TRUE, apart = TRUE;
  for (guint i = 0; i < carry->entry->messages->len; i++) {
    MlPendingMessage *message = carry->entry->messages->pdata[i];
    message->there = GPOINTER_TO_UINT(g_hash_table_lookup(copied, GUINT_TO_POINTER(message->uid)));
    all = all && message->there;
    apart = apart && (!message->there || g_hash_table_add(numbers, GUINT_TO_POINTER(message->there)));
  }
  for (guint i = 0; !apart && i < carry->entry->messages->len; i++)
    ((MlPendingMessage *)carry->entry->messages->pdata[i])->there = 0;
  carry->entry->to_validity = apart ? validity : 0;
  return (all && apart) || look_after(carry, filing, error);
}

/* What was done of it is done; what was not must be known. */
static gboolean
say_rest(MlCarry *carry, const Filing *filing, GError **error)
{
  const char *verb = carry->entry->kind == ML_PENDING_COPY ? "copied" : "moved";
  if (filing->unsure->len) {
    carry->partly = TRUE;
    g_autofree char *which = which_words(filing->unsure);
    return ml_carry_for_good(carry, error,
                    "%s may have been %s to %s already, and was not %s a second time: look there.",
                    which, verb, carry->entry->to, verb);
  }
  if (!filing->gone->len)
    return TRUE;
  carry->partly &= filing->gone->len < carry->entry->messages->len;
  gboolean one = filing->gone->len == 1;
  g_autofree char *which = which_words(filing->gone);
  return ml_carry_for_good(carry, error,
                  "%s %s not in %s any more, and could not be %s to %s: another program has deleted or moved %s.", which,
                  one ? "is" : "are", carry->entry->folder, verb, carry->entry->to, one ? "it" : "them");
}

/* It was refused. Has another program taken one of them away since it was looked for? For that one all are refused (RFC 9051
 * 6.4.7; RFC 5530 EXPUNGEISSUED): *any, and what is still here is left to do. */
static gboolean
leave_out_gone(MlCarry *carry, Filing *filing, gboolean *any, GError **error)
{
  g_autoptr(GHashTable) asked = g_hash_table_new(NULL, NULL), here = g_hash_table_new(NULL, NULL);
  g_autoptr(GArray) uids = g_array_copy(filing->todo);
  guint gone = filing->gone->len;
  for (guint i = 0; i < uids->len; i++)
    g_hash_table_add(asked, GUINT_TO_POINTER(g_array_index(uids, guint32, i)));
  if (!ml_driver_headers_of(carry->driver, uids, on_there, here, error))
    return FALSE;
  *any = g_hash_table_size(here) < g_hash_table_size(asked);
  if (!*any)
    return TRUE;
  g_array_set_size(filing->todo, 0);
  for (guint i = 0; i < carry->entry->messages->len; i++) {
    MlPendingMessage *message = carry->entry->messages->pdata[i];
    gpointer uid = GUINT_TO_POINTER(message->uid);
    if (!g_hash_table_contains(asked, uid))
      continue;
    if (g_hash_table_contains(here, uid))
      g_array_append_val(filing->todo, message->uid);
    else if (carry->entry->kind == ML_PENDING_COPY)
      g_ptr_array_add(filing->gone, message);
    else if (!look_there(carry, message, here, filing, error)) /* some may have been moved (RFC 6851 3.3) */
      return FALSE;
  }
  carry->partly |= filing->todo->len + filing->gone->len - gone < uids->len;
  return ml_carry_select(carry, error); /* to look there has left it */
}

static gboolean
ask(MlCarry *carry, GArray *todo, GError **error)
{
  return carry->entry->kind == ML_PENDING_MOVE ? ml_driver_move(carry->driver, todo, carry->entry->to, error)
                                               : ml_driver_copy(carry->driver, todo, carry->entry->to, error);
}

/* Asks for it, and again without what has gone in between: there is less of it each time. A server may refuse a move when it
 * has moved some (RFC 6851 3.3), and the second of several commands. */
static gboolean
file_todo(MlCarry *carry, Filing *filing, GError **error)
{
  while (filing->todo->len) {
    g_autoptr(GError) why = NULL, fault = NULL;
    gboolean any = FALSE;
    if (ask(carry, filing->todo, &why)) {
      carry->partly = TRUE;
      return note_copied(carry, filing, error);
    }
    if (!ml_carry_is_for_good(carry, why)) {
      /* It is asked for again another time. */
    } else if (ml_driver_unsure(carry->driver) || filing->todo->len > ML_CARRY_ONE_COMMAND) {
      carry->partly |= filing->todo->len > 1;
    } else if (leave_out_gone(carry, filing, &any, &fault)) {
      if (any)
        continue;
    } else if (carry->ours || !ml_carry_is_for_good(carry, fault)) {
      g_propagate_error(error, g_steal_pointer(&fault));
      return FALSE;
    } else { /* it cannot be looked for: the refusal is told */
      carry->partly |= carry->entry->kind == ML_PENDING_MOVE && carry->entry->messages->len > 1;
    }
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  return TRUE;
}

static gboolean
file_all(MlCarry *carry, Filing *filing, GError **error)
{
  if (!sort_out(carry, filing, error) || !ml_carry_begin(carry, error) || !file_todo(carry, filing, error))
    return FALSE;
  carry->partly |= filing->there->len > 0;
  if (carry->entry->kind == ML_PENDING_MOVE && !ml_driver_delete(carry->driver, filing->there, error))
    return FALSE;
  return say_rest(carry, filing, error);
}

gboolean
ml_carry_file(MlCarry *carry, GError **error)
{
  Filing filing = { g_array_new(FALSE, FALSE, sizeof(guint32)), g_array_new(FALSE, FALSE, sizeof(guint32)),
                    g_ptr_array_new(), g_ptr_array_new() };
  gboolean ok = file_all(carry, &filing, error);
  filing_clear(&filing);
  return ok;
}

