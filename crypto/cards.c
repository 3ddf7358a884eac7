#include "crypto/cards-private.h"

#include <string.h>

enum { LOOK_MS = 300, FILE_MAX = 4 * 1024 * 1024, NAME_MAX_BYTES = 256 };

void
crypto_card_free(CryptoCard *card)
{
  crypto_cert_unref(card->cert);
  g_free(card->token);
  g_free(card);
}

/* --- the file: a line a key: the certificate in base64, the token's name, and behind a tab what else is known */

static CryptoCard *
read_line(const char *line)
{
  const char *blank = strchr(line, ' ');
  if (!blank || blank == line)
    return NULL;
  const char *tab = strchr(blank, '\t'); /* one in a name is escaped */
  g_autofree char *base64 = g_strndup(line, (gsize)(blank - line));
  g_autofree char *escaped = tab ? g_strndup(blank + 1, (gsize)(tab - blank - 1)) : g_strdup(blank + 1);
  g_autofree char *name = g_strcompress(escaped);
  gsize size = 0;
  g_autofree guchar *der = g_base64_decode(base64, &size);
  CryptoCert *cert = size ? crypto_cert_new(der, size, NULL) : NULL;
  if (!cert)
    return NULL;
  CryptoCard *card = g_new0(CryptoCard, 1);
  *card = (CryptoCard){ cert, g_utf8_make_valid(name, (gssize)MIN(strlen(name), NAME_MAX_BYTES)),
                        tab && !strcmp(tab + 1, "retired") };
  return card;
}

GPtrArray *
crypto_cards_load(const char *file)
{
  GPtrArray *cards = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_card_free);
  g_autofree char *text = NULL;
  gsize length;
  if (!g_file_get_contents(file, &text, &length, NULL) || length > FILE_MAX)
    return cards;
  g_auto(GStrv) lines = g_strsplit(text, "\n", CRYPTO_CARDS_MAX + 1);
  for (guint i = 0; lines[i] && cards->len < CRYPTO_CARDS_MAX; i++) {
    CryptoCard *card = read_line(lines[i]);
    if (card)
      g_ptr_array_add(cards, card);
  }
  return cards;
}

void
crypto_cards_save(const char *file, GPtrArray *cards)
{
  g_autoptr(GString) text = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < cards->len && i < CRYPTO_CARDS_MAX; i++) {
    const CryptoCard *card = cards->pdata[i];
    gsize size;
    const void *der = g_bytes_get_data(card->cert->der, &size);
    g_autofree char *base64 = g_base64_encode(der, size), *name = g_strescape(card->token, NULL);
    g_string_append_printf(text, "%s %s%s\n", base64, name, card->retired ? "\tretired" : "");
  }
  g_autofree char *folder = g_path_get_dirname(file);
  g_mkdir_with_parents(folder, 0700);
  if (!g_file_set_contents_full(file, text->str, (gssize)text->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                &error))
    g_message("Which keys lie on cards is not remembered: %s", error->message);
}

/* --- waiting for one */

/* Shared by the one who waits and the thread that looks; both hold a reference. */
typedef struct {
  CryptoCert *cert;
  GCancellable *there; /* cancelled by the thread when the card is there: ends the question */
  GMutex lock;
  GCond ended;
  gboolean end, found; /* under the lock */
} Wait;

static GMutex looking_lock;
static GCond looking_none;
static guint looking; /* threads; under looking_lock */

static void
wait_clear(gpointer data)
{
  Wait *wait = data;
  crypto_cert_unref(wait->cert);
  g_object_unref(wait->there);
  g_mutex_clear(&wait->lock);
  g_cond_clear(&wait->ended);
}

static void
wait_unref(Wait *wait)
{
  g_atomic_rc_box_release_full(wait, wait_clear);
}

static gboolean
is_here(CryptoCert *cert)
{
  g_autofree char *token = crypto_keys_token(cert);
  return token != NULL;
}

static gpointer
look(gpointer data)
{
  Wait *wait = data;
  g_mutex_lock(&wait->lock);
  while (!wait->end && !wait->found) {
    g_mutex_unlock(&wait->lock);
    gboolean found = is_here(wait->cert); /* may take as long as a driver likes */
    g_mutex_lock(&wait->lock);
    wait->found = found;
    if (!found && !wait->end)
      g_cond_wait_until(&wait->ended, &wait->lock, g_get_monotonic_time() + LOOK_MS * 1000);
  }
  gboolean found = wait->found;
  g_mutex_unlock(&wait->lock);
  if (found)
    g_cancellable_cancel(wait->there);
  wait_unref(wait);
  g_mutex_lock(&looking_lock);
  if (--looking == 0)
    g_cond_broadcast(&looking_none);
  g_mutex_unlock(&looking_lock);
  return NULL;
}

static Wait *
start_looking(CryptoCert *cert)
{
  Wait *wait = g_atomic_rc_box_new0(Wait);
  wait->cert = crypto_cert_ref(cert);
  wait->there = g_cancellable_new();
  g_mutex_init(&wait->lock);
  g_cond_init(&wait->ended);
  g_mutex_lock(&looking_lock);
  looking++;
  g_mutex_unlock(&looking_lock);
  g_thread_unref(g_thread_new("cards", look, g_atomic_rc_box_acquire(wait)));
  return wait;
}

static void
on_cancelled(GCancellable *unused, gpointer there)
{
  g_cancellable_cancel(there);
}

gboolean
crypto_cards_await(CryptoCert *cert, CryptoPinSource *pin, GError **error)
{
  g_autofree char *token = crypto_keys_absent(cert);
  if (!token || !pin || !pin->func) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED, "The card that holds the key is not in its reader.");
    return FALSE;
  }
  Wait *wait = start_looking(cert);
  gulong handler = g_cancellable_connect(pin->cancellable, G_CALLBACK(on_cancelled), wait->there, NULL);
  const CryptoPinQuestion question = { .token = token, .absent = TRUE };
  char *answer = pin->func(&question, wait->there, pin->user_data);
  g_cancellable_disconnect(pin->cancellable, handler);
  crypto_pin_wipe(answer);
  g_mutex_lock(&wait->lock);
  gboolean found = wait->found;
  wait->end = TRUE;
  g_cond_broadcast(&wait->ended);
  g_mutex_unlock(&wait->lock);
  wait_unref(wait);
  if (found && !g_cancellable_is_cancelled(pin->cancellable))
    return TRUE;
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "Cancelled.");
  return FALSE;
}

SECKEYPrivateKey *
crypto_cards_open(CryptoCert *cert, CryptoPinSource *pin, GError **error)
{
  g_autoptr(GError) problem = NULL;
  SECKEYPrivateKey *key = crypto_keys_open(cert, pin, &problem);
  g_autofree char *away = key ? NULL : crypto_keys_absent(cert);
  if (away && pin && pin->func) {
    g_clear_error(&problem);
    if (crypto_cards_await(cert, pin, &problem))
      key = crypto_keys_open(cert, pin, &problem);
  }
  if (!key)
    g_propagate_error(error, g_steal_pointer(&problem));
  return key;
}

void
crypto_cards_close(void)
{
  g_mutex_lock(&looking_lock);
  while (looking)
    g_cond_wait(&looking_none, &looking_lock);
  g_mutex_unlock(&looking_lock);
}
