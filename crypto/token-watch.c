#include <string.h>

#include "crypto/cert-private.h"
#include "crypto/context.h"
#include "crypto/token-private.h"

/* Looks at the readers once a second, on a thread of its own: a driver may take seconds to answer. Where nothing can come
 * or go (no module but NSS's own and one of system-wide roots, say) it looks once and never wakes again. The cards that are
 * here are told from those that were by module-independent names, since two modules may show one card. */
enum { LOOK_MS = 1000 };

static struct {
  GThread *thread; /* of the thread that owns the program */
  GMutex lock;
  GCond wake;
  gboolean end; /* under the lock */
  CryptoTokenEvent func;
  gpointer user_data;
} watch;

typedef struct {
  char *token;
  GPtrArray *slots; /* of PK11SlotInfo, references: more than one where two modules show it */
} Seen;

static void
seen_free(gpointer data)
{
  Seen *seen = data;
  g_free(seen->token);
  g_ptr_array_unref(seen->slots);
  g_free(seen);
}

/* What @slot's card is called: name and serial. One that NSS takes to be there and that does not answer is what it was:
 * only when NSS itself has noticed that it is gone are its sessions closed. Transfer full; NULL: none to speak of. */
static char *
card_key(PK11SlotInfo *slot, GHashTable *before)
{
  CK_TOKEN_INFO info;
  GHashTableIter iter;
  gpointer key, value;
  if (PK11_IsInternal(slot) || !PK11_IsPresent(slot))
    return NULL;
  if (PK11_GetTokenInfo(slot, &info) == SECSuccess) {
    if (!(info.flags & CKF_TOKEN_INITIALIZED))
      return NULL;
    g_autofree char *name = crypto_token_field(info.label, sizeof info.label);
    g_autofree char *serial = crypto_token_field((const CK_UTF8CHAR *)info.serialNumber, sizeof info.serialNumber);
    return g_strconcat(name, "\n", serial, NULL);
  }
  g_hash_table_iter_init(&iter, before);
  while (g_hash_table_iter_next(&iter, &key, &value))
    if (g_ptr_array_find(((Seen *)value)->slots, slot, NULL))
      return g_strdup(key);
  return NULL;
}

/* Name and serial -> Seen. */
static GHashTable *
look(GHashTable *before)
{
  GHashTable *cards = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, seen_free);
  g_autoptr(GPtrArray) slots = crypto_token_slots();
  for (guint i = 0; i < slots->len; i++) {
    PK11SlotInfo *slot = slots->pdata[i];
    g_autofree char *key = card_key(slot, before ? before : cards);
    if (!key)
      continue;
    Seen *seen = g_hash_table_lookup(cards, key);
    if (!seen) {
      seen = g_new(Seen, 1);
      *seen = (Seen){ g_strndup(key, strcspn(key, "\n")), g_ptr_array_new_with_free_func((GDestroyNotify)PK11_FreeSlot) };
      g_hash_table_insert(cards, g_steal_pointer(&key), seen);
    }
    g_ptr_array_add(seen->slots, PK11_ReferenceSlot(slot));
  }
  return cards;
}

/* The card has forgotten its PIN; its module may not have. */
static void
close_card(const Seen *seen)
{
  for (guint i = 0; i < seen->slots->len; i++) {
    crypto_pin_removed(seen->slots->pdata[i]);
    PK11_Logout(seen->slots->pdata[i]);
  }
}

/* Has another program taken it, so that NSS takes it to be gone? */
static gboolean
is_mute(const Seen *seen)
{
  for (guint i = 0; i < seen->slots->len; i++)
    if (crypto_token_is_mute(seen->slots->pdata[i]))
      return TRUE;
  return FALSE;
}

static gboolean
tell(GHashTable *from, GHashTable *others, gboolean inserted)
{
  GHashTableIter iter;
  gpointer key, value;
  gboolean told = FALSE;
  g_hash_table_iter_init(&iter, from);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    if (g_hash_table_contains(others, key))
      continue;
    CryptoCardNews news = inserted ? CRYPTO_CARD_HERE : is_mute(value) ? CRYPTO_CARD_MUTE : CRYPTO_CARD_PULLED;
    if (!inserted)
      close_card(value);
    crypto_keys_forget();
    watch.func(((Seen *)value)->token, news, watch.user_data);
    told = TRUE;
  }
  return told;
}

static gboolean
is_reader(void)
{
  g_autoptr(GPtrArray) slots = crypto_token_slots();
  for (guint i = 0; i < slots->len; i++)
    if (!PK11_IsInternal(slots->pdata[i]) && (PK11_IsRemovable(slots->pdata[i]) || !PK11_IsPresent(slots->pdata[i])))
      return TRUE;
  return FALSE;
}

static gboolean
wait_a_little(gboolean readers)
{
  g_mutex_lock(&watch.lock);
  gint64 until = g_get_monotonic_time() + LOOK_MS * 1000;
  while (!watch.end && !readers)
    g_cond_wait(&watch.wake, &watch.lock);
  while (!watch.end && g_cond_wait_until(&watch.wake, &watch.lock, until))
    ;
  gboolean go_on = !watch.end;
  g_mutex_unlock(&watch.lock);
  return go_on;
}

static gpointer
run(gpointer unused)
{
  if (!crypto_open_wait(NULL, NULL))
    return NULL;
  GHashTable *before = look(NULL);
  gboolean fresh = FALSE, readers = is_reader();
  while (wait_a_little(readers)) {
    GHashTable *now = look(before);
    if (fresh)
      crypto_keys_forget(); /* somebody may have listed a card that was not quite ready, and found nothing */
    tell(before, now, FALSE);
    fresh = tell(now, before, TRUE);
    g_hash_table_unref(before);
    before = now;
  }
  g_hash_table_unref(before);
  return NULL;
}

void
crypto_token_watch(CryptoTokenEvent func, gpointer user_data)
{
  g_assert(!watch.thread);
  watch.func = func;
  watch.user_data = user_data;
  watch.end = FALSE;
  watch.thread = g_thread_new("readers", run, NULL);
}

void
crypto_token_unwatch(void)
{
  if (!watch.thread)
    return;
  g_mutex_lock(&watch.lock);
  watch.end = TRUE;
  g_cond_signal(&watch.wake);
  g_mutex_unlock(&watch.lock);
  g_thread_join(g_steal_pointer(&watch.thread));
}
