#include "crypto/keyuse-private.h"

#include <pk11pub.h>
#include <string.h>

/* Set while no job runs, and only read by jobs. */
static struct {
  const CryptoKeyWatch *watch;
  gpointer user_data;
} watcher;

static guint64 last_number; /* atomic */

static void
abouts_free(gpointer data)
{
  g_ptr_array_unref(data);
}
static GPrivate abouts = G_PRIVATE_INIT(abouts_free); /* of this thread: GPtrArray of char * */

void
crypto_keyuse_watch(const CryptoKeyWatch *watch, gpointer user_data)
{
  watcher.watch = watch;
  watcher.user_data = user_data;
}

void
crypto_keyuse_push(const char *about)
{
  GPtrArray *stack = g_private_get(&abouts);
  if (!stack) {
    stack = g_ptr_array_new_with_free_func(g_free);
    g_private_set(&abouts, stack);
  }
  g_ptr_array_add(stack, g_strdup(about ? about : ""));
}

void
crypto_keyuse_pop(void)
{
  GPtrArray *stack = g_private_get(&abouts);
  g_assert(stack && stack->len);
  g_ptr_array_set_size(stack, (int)stack->len - 1);
}

const char *
crypto_keyuse_word(CryptoKeyAct act)
{
  static const char *const words[] = {
    [CRYPTO_KEY_SIGN] = "sign",   [CRYPTO_KEY_DECRYPT] = "decrypt", [CRYPTO_KEY_LOGIN] = "login",   [CRYPTO_KEY_REQUEST] = "request",
    [CRYPTO_KEY_ISSUE] = "issue", [CRYPTO_KEY_IMPORT] = "import",   [CRYPTO_KEY_EXPORT] = "export", [CRYPTO_KEY_DELETE] = "delete",
  };
  return words[act];
}

static void
put_digest(char hex[65], const SECItem *spki)
{
  g_autofree char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, spki->data, spki->len);
  memcpy(hex, digest, 65);
}

static char *
place_of(SECKEYPrivateKey *key)
{
  if (!key->pkcs11Slot)
    return g_strdup("this run");
  if (!PK11_IsInternal(key->pkcs11Slot))
    return g_strdup(PK11_GetTokenName(key->pkcs11Slot));
  return g_strdup(PK11_HasAttributeSet(key->pkcs11Slot, key->pkcs11ID, CKA_TOKEN, PR_FALSE) ? "database" : "this run");
}

gboolean
crypto_keyuse_begin(CryptoKeyUsing *using, CryptoKeyAct act, CryptoCert *cert, SECKEYPrivateKey *key, const char *token,
                    const char *name, GError **error)
{
  memset(using, 0, sizeof *using);
  if (!watcher.watch)
    return TRUE;
  GPtrArray *stack = g_private_get(&abouts);
  const char *about = stack && stack->len ? stack->pdata[stack->len - 1] : "";
  using->token = key ? place_of(key) : g_strdup(token);
  using->about = *about ? g_strdup(about) : NULL;
  using->name = g_strdup(cert ? cert->common_name : name);
  if (cert)
    put_digest(using->key, &cert->nss->derPublicKey);
  using->use = (CryptoKeyUse){ act,         cert ? cert->sha256 : NULL, *using->key ? using->key : NULL, using->name, using->token,
                               using->about, __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED) };
  using->begun = TRUE;
  if (watcher.watch->begin(&using->use, watcher.user_data, error))
    return TRUE;
  using->begun = FALSE;
  g_clear_pointer(&using->token, g_free);
  g_clear_pointer(&using->about, g_free);
  g_clear_pointer(&using->name, g_free);
  return FALSE;
}

void
crypto_keyuse_made(CryptoKeyUsing *using, SECKEYPublicKey *public)
{
  SECItem *spki = using->begun ? SECKEY_EncodeDERSubjectPublicKeyInfo(public) : NULL;
  if (!spki)
    return;
  put_digest(using->key, spki);
  using->use.key = using->key;
  SECITEM_FreeItem(spki, PR_TRUE);
}

gboolean
crypto_keyuse_end(CryptoKeyUsing *using, GError *failed, GError **error)
{
  gboolean written =
      !using->begun || watcher.watch->end(&using->use, failed, watcher.user_data, failed ? NULL : error);
  using->begun = FALSE;
  g_clear_pointer(&using->token, g_free);
  g_clear_pointer(&using->about, g_free);
  g_clear_pointer(&using->name, g_free);
  if (failed)
    g_propagate_error(error, failed);
  return written && !failed;
}
