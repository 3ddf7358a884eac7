#include "crypto/certdb.h"

#include <secerr.h>
#include <secmod.h>
#include <string.h>

#include "crypto/cards-private.h"
#include "crypto/cert-private.h"
#include "crypto/chain-private.h"
#include "crypto/keyuse-private.h"

enum { FINGERPRINT_MIN = 8, FINGERPRINT_LENGTH = 64 };

void
crypto_cert_entry_free(CryptoCertEntry *entry)
{
  if (!entry)
    return;
  crypto_cert_unref(entry->cert);
  g_free(entry->token);
  g_free(entry->nickname);
  g_free(entry);
}

/* --- listing */

static guint
trust_flags(CERTCertificate *nss)
{
  CERTCertTrust trust;
  if (CERT_GetCertTrust(nss, &trust) != SECSuccess)
    return 0;
  guint flags = 0;
  if (trust.emailFlags & CERTDB_TRUSTED_CA)
    flags |= CRYPTO_CERT_TRUSTED_MAIL;
  if (trust.sslFlags & CERTDB_TRUSTED_CA)
    flags |= CRYPTO_CERT_TRUSTED_SERVER;
  const guint never = CERTDB_TERMINAL_RECORD, ever = CERTDB_TRUSTED | CERTDB_TRUSTED_CA;
  if ((trust.emailFlags & never) && !(trust.emailFlags & ever))
    flags |= CRYPTO_CERT_DISTRUSTED;
  if ((trust.sslFlags & never) && !(trust.sslFlags & ever))
    flags |= CRYPTO_CERT_DISTRUSTED_SERVER;
  return flags;
}

/* "Token:name" is how NSS names what lies on a token; the name alone is wanted. */
static char *
bare_nickname(CERTCertificate *nss, PK11SlotInfo *slot)
{
  const char *name = nss->nickname ? nss->nickname : "";
  gsize length = strlen(PK11_GetTokenName(slot));
  if (strncmp(name, PK11_GetTokenName(slot), length) == 0 && name[length] == ':')
    name += length + 1;
  return g_utf8_make_valid(name, -1);
}

/* @own: crypto_keys_own(). */
static CryptoCertEntry *
entry_new(CryptoCert *cert, PK11SlotInfo *slot, GHashTable *own)
{
  CryptoCertEntry *entry = g_new0(CryptoCertEntry, 1);
  entry->cert = crypto_cert_ref(cert);
  entry->token =
      PK11_IsInternal(slot) ? g_strdup("database") : g_utf8_make_valid(PK11_GetTokenName(slot), -1);
  entry->nickname = bare_nickname(cert->nss, slot);
  entry->flags = trust_flags(cert->nss);
  gpointer retired;
  if (g_hash_table_lookup_extended(own, entry->cert->der, NULL, &retired))
    entry->flags |= CRYPTO_CERT_OWN | (retired ? CRYPTO_CERT_RETIRED : 0);
  if (crypto_cert_is_authority(entry->cert))
    entry->flags |= CRYPTO_CERT_AUTHORITY;
  if (PK11_HasRootCerts(slot))
    entry->flags |= CRYPTO_CERT_BUILTIN;
  return entry;
}

static void
list_slot(GPtrArray *entries, GHashTable *seen, GHashTable *own, PK11SlotInfo *slot)
{
  g_autoptr(GPtrArray) certs = crypto_keys_slot_certs(slot);
  for (guint i = 0; i < certs->len; i++) {
    CryptoCertEntry *entry = entry_new(certs->pdata[i], slot, own);
    if (g_hash_table_add(seen, g_bytes_ref(entry->cert->der)))
      g_ptr_array_add(entries, entry);
    else
      crypto_cert_entry_free(entry);
  }
}

/* The database first, then tokens, then NSS's roots: a certificate is told once, where it was found first. */
static int
slot_rank(PK11SlotInfo *slot)
{
  return PK11_HasRootCerts(slot) ? 2 : PK11_IsInternal(slot) ? 0 : 1;
}

GPtrArray *
crypto_certdb_list(gboolean builtin, GError **error)
{
  PK11SlotList *slots = PK11_GetAllTokens(CKM_INVALID_MECHANISM, PR_FALSE, PR_FALSE, NULL);
  if (!slots) {
    crypto_error_set_nss(error, PORT_GetError(), "The certificates cannot be listed");
    return NULL;
  }
  GPtrArray *entries = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_entry_free);
  g_autoptr(GHashTable) own = crypto_keys_own();
  g_autoptr(GHashTable) seen =
      g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
  for (int rank = 0; rank < (builtin ? 3 : 2); rank++)
    for (PK11SlotListElement *e = PK11_GetFirstSafe(slots); e; e = PK11_GetNextSafe(slots, e, PR_FALSE))
      if (slot_rank(e->slot) == rank && PK11_IsPresent(e->slot))
        list_slot(entries, seen, own, e->slot);
  PK11_FreeSlotList(slots);
  return entries;
}

void
crypto_certdb_add_absent(GPtrArray *entries)
{
  g_autoptr(GPtrArray) cards = crypto_keys_absent_cards();
  for (guint i = 0; i < cards->len; i++) {
    CryptoCard *card = cards->pdata[i];
    CryptoCertEntry *entry = NULL;
    for (guint j = 0; j < entries->len && !entry; j++)
      if (g_bytes_equal(((CryptoCertEntry *)entries->pdata[j])->cert->der, card->cert->der))
        entry = entries->pdata[j];
    if (!entry) {
      entry = g_new0(CryptoCertEntry, 1);
      entry->cert = crypto_cert_ref(card->cert);
      entry->nickname = g_strdup("");
      entry->flags = trust_flags(card->cert->nss);
      g_ptr_array_add(entries, entry);
    }
    if (entry->flags & CRYPTO_CERT_OWN)
      continue;
    entry->flags |= CRYPTO_CERT_OWN | CRYPTO_CERT_ABSENT | (card->retired ? CRYPTO_CERT_RETIRED : 0);
    g_free(entry->token);
    entry->token = g_utf8_make_valid(card->token, -1);
  }
}

/* Hex digits alone, lower case; NULL: @what is no fingerprint. */
static char *
fingerprint_digits(const char *what)
{
  g_autofree char *digits = g_malloc(strlen(what) + 1);
  gsize length = 0;
  for (; *what; what++) {
    if (g_ascii_isxdigit(*what))
      digits[length++] = g_ascii_tolower(*what);
    else if (*what != ':' && *what != ' ')
      return NULL;
  }
  digits[length] = 0;
  return length >= FINGERPRINT_MIN && length <= FINGERPRINT_LENGTH ? g_steal_pointer(&digits) : NULL;
}

static gboolean
has_address(CryptoCert *cert, const char *address)
{
  for (char **a = cert->addresses; *a; a++)
    if (g_ascii_strcasecmp(*a, address) == 0)
      return TRUE;
  return FALSE;
}

static void
fail_find(const char *what, GPtrArray *fitting, GError **error)
{
  if (!fitting->len) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
                "No certificate here fits “%s”. Give its SHA-256 fingerprint (eight digits or more) or an "
                "address in it; "
                "signet cert list shows what is here.",
                what);
    return;
  }
  g_autoptr(GString) names = g_string_new(NULL);
  for (guint i = 0; i < fitting->len && i < 5; i++)
    g_string_append_printf(names, "%s%.16s", i ? ", " : "",
                           ((CryptoCertEntry *)fitting->pdata[i])->cert->sha256);
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
              "%u certificates fit “%s”: %s%s. Name one by its fingerprint.", fitting->len, what, names->str,
              fitting->len > 5 ? ", ..." : "");
}

CryptoCertEntry *
crypto_certdb_find(const char *what, GError **error)
{
  g_autofree char *digits = fingerprint_digits(what);
  g_autoptr(GPtrArray) entries = crypto_certdb_list(digits != NULL, error);
  if (!entries)
    return NULL;
  crypto_certdb_add_absent(entries);
  g_autoptr(GPtrArray) fitting = g_ptr_array_new();
  for (guint i = 0; i < entries->len; i++) {
    CryptoCertEntry *entry = entries->pdata[i];
    if (digits ? g_str_has_prefix(entry->cert->sha256, digits) : has_address(entry->cert, what))
      g_ptr_array_add(fitting, entry);
  }
  if (fitting->len != 1) {
    fail_find(what, fitting, error);
    return NULL;
  }
  CryptoCertEntry *found = fitting->pdata[0];
  guint index = 0;
  g_assert(g_ptr_array_find(entries, found, &index));
  return g_ptr_array_steal_index_fast(entries, index);
}

/* --- changing */

static gboolean
check_writable(GError **error)
{
  if (!crypto_context_is_read_only())
    return TRUE;
  g_set_error(
      error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE,
      "The certificate database is read-only here. Check the permissions of its folder and its files.");
  return FALSE;
}

/* Is @cert in the database itself, now? Not by PK11_FindCertFromDERCertItem(): it makes NSS forget, for as long as the
 * process runs, that the certificate is marked as never to be trusted. */
static gboolean
is_stored(PK11SlotInfo *slot, CryptoCert *cert)
{
  CERTCertificate *alone = crypto_cert_alone(cert->der);
  if (!alone)
    return FALSE;
  gboolean stored = PK11_FindCertInSlot(slot, alone, NULL) != CK_INVALID_HANDLE;
  CERT_DestroyCertificate(alone);
  return stored;
}

/* The copy of @cert in the database, with its trust; NULL: it is not there. CERT_DestroyCertificate() it. */
static CERTCertificate *
find_stored(PK11SlotInfo *slot, CryptoCert *cert)
{
  CERTCertList *list = PK11_ListCertsInSlot(slot);
  CERTCertificate *found = NULL;
  if (!list)
    return NULL;
  for (CERTCertListNode *node = CERT_LIST_HEAD(list); !found && !CERT_LIST_END(node, list); node = CERT_LIST_NEXT(node))
    if (SECITEM_ItemsAreEqual(&node->cert->derCert, &cert->nss->derCert))
      found = CERT_DupCertificate(node->cert);
  CERT_DestroyCertList(list);
  return found;
}

/* NSS wants one name for all certificates of one subject, and another for each other subject. */
char *
crypto_certdb_nickname(CryptoCert *cert, const char *wanted)
{
  const char *base = wanted && *wanted ? wanted : cert->common_name;
  g_autofree char *clean = g_strndup(base, 200);
  char *valid = g_utf8_make_valid(clean, -1);
  for (char *p = valid; *p; p++)
    if (*p == ':' || (guchar)*p < 0x20 || *p == 0x7f)
      *p = ' ';
  for (int i = 2;
       i < 10000 && SEC_CertNicknameConflict(valid, &cert->nss->derSubject, CERT_GetDefaultCertDB()); i++) {
    g_free(valid);
    valid = g_strdup_printf("%s (%d)", clean, i);
  }
  return valid;
}

/* Runs @change, and again after a login where the database has a password and wants it for this. */
typedef SECStatus (*Change)(PK11SlotInfo *slot, CryptoCert *cert, gconstpointer data);

static gboolean
change(PK11SlotInfo *slot, Change func, CryptoCert *cert, gconstpointer data, CryptoPinSource *pin,
       const char *what, GError **error)
{
  SECStatus rv = func(slot, cert, data);
  if (rv != SECSuccess && PK11_NeedLogin(slot) && !PK11_IsLoggedIn(slot, NULL)) {
    if (!crypto_pin_login(slot, pin, error))
      return FALSE;
    rv = func(slot, cert, data);
  }
  if (rv != SECSuccess) {
    crypto_error_set_nss(error, PORT_GetError(), what);
    return FALSE;
  }
  crypto_keys_forget();
  return TRUE;
}

static SECStatus
do_import(PK11SlotInfo *slot, CryptoCert *cert, gconstpointer nickname)
{
  return PK11_ImportCert(slot, cert->nss, CK_INVALID_HANDLE, nickname, PR_FALSE);
}

/* A token that made this certificate's key pair, for a certificate that was asked for and now came. */
static PK11SlotInfo *
token_of_key(CryptoCert *cert)
{
  PK11SlotInfo *found = NULL;
  PK11SlotList *slots = crypto_cert_is_authority(cert)
                            ? NULL
                            : PK11_GetAllTokens(CKM_INVALID_MECHANISM, PR_FALSE, PR_FALSE, NULL);
  if (!slots)
    return NULL;
  for (PK11SlotListElement *e = PK11_GetFirstSafe(slots); e; e = PK11_GetNextSafe(slots, e, PR_FALSE))
    if (!found && !PK11_IsInternal(e->slot) && !PK11_HasRootCerts(e->slot) && PK11_IsPresent(e->slot) &&
        !PK11_IsReadOnly(e->slot) && crypto_keys_shows_public(e->slot, cert))
      found = PK11_ReferenceSlot(e->slot);
  PK11_FreeSlotList(slots);
  return found;
}

/* Beside its key. FALSE with no error: no token has it, or the certificate is there already. */
static gboolean
import_on_token(CryptoCert *cert, const char *nickname, CryptoPinSource *pin, GError **error)
{
  PK11SlotInfo *slot = token_of_key(cert);
  if (!slot)
    return FALSE;
  g_autoptr(GPtrArray) there = crypto_keys_slot_certs(slot);
  gboolean known = FALSE, done = FALSE;
  for (guint i = 0; i < there->len && !known; i++)
    known = g_bytes_equal(((CryptoCert *)there->pdata[i])->der, cert->der);
  if (!known && crypto_pin_login(slot, pin, error)) {
    g_autofree char *name = crypto_certdb_nickname(cert, nickname);
    done = change(slot, do_import, cert, name, pin, "The certificate cannot be stored on the token", error);
  }
  PK11_FreeSlot(slot);
  return done;
}

static gboolean
import_in_database(CryptoCert *cert, const char *nickname, gboolean *was_there, CryptoPinSource *pin, GError **error)
{
  PK11SlotInfo *slot = check_writable(error) ? crypto_context_database(error) : NULL;
  if (!slot)
    return FALSE;
  gboolean there = is_stored(slot, cert), done = TRUE;
  if (was_there)
    *was_there = there;
  CERTIssuerAndSN id = { .derIssuer = cert->nss->derIssuer,
                         .issuer = cert->nss->issuer,
                         .serialNumber = cert->nss->serialNumber };
  CERTCertificate *twin = there ? NULL : CERT_FindCertByIssuerAndSN(CERT_GetDefaultCertDB(), &id);
  if (twin && !SECITEM_ItemsAreEqual(&twin->derCert, &cert->nss->derCert)) {
    crypto_error_set_nss(error, SEC_ERROR_REUSED_ISSUER_AND_SERIAL, "The certificate cannot be stored");
    done = FALSE;
  } else if (!there) {
    g_autofree char *name = crypto_certdb_nickname(cert, nickname);
    done = change(slot, do_import, cert, name, pin, "The certificate cannot be stored", error);
  }
  if (twin)
    CERT_DestroyCertificate(twin);
  PK11_FreeSlot(slot);
  return done;
}

gboolean
crypto_certdb_import(CryptoCert *cert, const char *nickname, gboolean *was_there, CryptoPinSource *pin,
                     GError **error)
{
  g_autoptr(GError) problem = NULL;
  if (import_on_token(cert, nickname, pin, &problem)) {
    if (was_there)
      *was_there = FALSE;
    return TRUE;
  }
  if (problem) {
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
  }
  return import_in_database(cert, nickname, was_there, pin, error);
}

static SECStatus
do_delete(PK11SlotInfo *slot, CryptoCert *cert, gconstpointer unused)
{
  CERTCertificate *stored = find_stored(slot, cert);
  if (!stored)
    return SECFailure;
  SECStatus rv = SEC_DeletePermCertificate(stored);
  CERT_DestroyCertificate(stored);
  return rv;
}

/* Takes the key along, unless another certificate (an older or newer one) has the same. */
static SECStatus
do_delete_own(PK11SlotInfo *slot, CryptoCert *cert, gconstpointer unused)
{
  SECKEYPrivateKey *key = PK11_FindPrivateKeyFromCert(slot, cert->nss, NULL);
  guint users = 0;
  g_autoptr(GPtrArray) own = crypto_keys_list();
  for (guint i = 0; i < own->len; i++)
    users +=
        SECITEM_ItemsAreEqual(&((CryptoCert *)own->pdata[i])->nss->derPublicKey, &cert->nss->derPublicKey);
  SECStatus rv = do_delete(slot, cert, NULL);
  if (rv == SECSuccess && key && users <= 1)
    return PK11_DeleteTokenPrivateKey(key, PR_TRUE); /* frees it too */
  SECKEY_DestroyPrivateKey(key);
  return rv;
}

static gboolean
fail_elsewhere(CryptoCert *cert, GError **error)
{
  g_autoptr(GPtrArray) entries = crypto_certdb_list(TRUE, NULL);
  for (guint i = 0; entries && i < entries->len; i++) {
    const CryptoCertEntry *entry = entries->pdata[i];
    if (!g_bytes_equal(entry->cert->der, cert->der))
      continue;
    if (entry->flags & CRYPTO_CERT_BUILTIN)
      g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
                  "“%s” is one of NSS's own roots: it cannot be deleted, but trust in it can be taken away.",
                  cert->common_name);
    else
      g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
                  "“%s” lies on the token “%s”: delete it there, with the card's own program.",
                  cert->common_name, entry->token);
    return FALSE;
  }
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED, "“%s” is not in the certificate database.",
              cert->common_name);
  return FALSE;
}

gboolean
crypto_certdb_delete(CryptoCert *cert, CryptoPinSource *pin, GError **error)
{
  PK11SlotInfo *slot = check_writable(error) ? crypto_context_database(error) : NULL;
  if (!slot)
    return FALSE;
  g_autoptr(GHashTable) own = crypto_keys_own();
  gboolean mine = g_hash_table_contains(own, cert->der), done;
  CryptoKeyUsing using = { .begun = FALSE };
  g_autoptr(GError) failed = NULL;
  g_clear_pointer(&own, g_hash_table_unref);
  if (!is_stored(slot, cert))
    done = fail_elsewhere(cert, error);
  else if (mine && !crypto_pin_login(slot, pin, error)) /* without it the key could not be deleted with it */
    done = FALSE;
  else if (mine && !crypto_keyuse_begin(&using, CRYPTO_KEY_DELETE, cert, NULL, "database", NULL, error))
    done = FALSE;
  else {
    done = change(slot, mine ? do_delete_own : do_delete, cert, NULL, pin, "The certificate cannot be deleted", &failed);
    done = crypto_keyuse_end(&using, g_steal_pointer(&failed), error) && done;
  }
  PK11_FreeSlot(slot);
  return done;
}

typedef struct {
  CryptoTrustWish mail, server;
} Trust;

static gboolean
is_authority(CryptoCert *cert)
{
  return crypto_cert_is_authority(cert) || (crypto_cert_self_signed(cert) && !cert->nss->extensions);
}

/* CERTDB_VALID_CA makes NSS take a certificate for an authority whatever it says of itself: only for one that is. */
static guint
column(guint old, CryptoTrustWish wish, gboolean authority)
{
  const guint trusted = CERTDB_VALID_CA | CERTDB_TRUSTED_CA, valid = authority ? CERTDB_VALID_CA : 0;
  switch (wish) {
  case CRYPTO_TRUST_KEEP:
    return old & CERTDB_TRUSTED_CA ? old : (old & ~(guint)CERTDB_VALID_CA) | (old & valid);
  case CRYPTO_TRUST_NEVER:
    return (old & CERTDB_USER) | CERTDB_TERMINAL_RECORD;
  case CRYPTO_TRUST_TRUSTED:
    return (old & CERTDB_USER) | trusted;
  default:
    return (old & CERTDB_USER) | valid;
  }
}

/* What is kept is what the database says now: NSS may remember what another program has changed since, or what holds for
 * this run alone. */
static void
read_trust(CryptoCert *cert, CERTCertificate *stored, CERTCertTrust *trust)
{
  guint mail, server;
  memset(trust, 0, sizeof *trust);
  if (CERT_GetCertTrust(stored, trust) != SECSuccess)
    memset(trust, 0, sizeof *trust);
  crypto_chain_lock();
  gboolean known = crypto_anchors_read(cert, &mail, &server) || !crypto_anchors_builtin(cert);
  crypto_chain_unlock();
  if (!known)
    return;
  trust->emailFlags = (trust->emailFlags & CERTDB_USER) | mail;
  trust->sslFlags = (trust->sslFlags & CERTDB_USER) | server;
}

static SECStatus
do_trust(PK11SlotInfo *slot, CryptoCert *cert, gconstpointer data)
{
  const Trust *wanted = data;
  CERTCertificate *stored = find_stored(slot, cert);
  if (!stored)
    return SECFailure;
  CERTCertTrust trust;
  gboolean authority = is_authority(cert);
  read_trust(cert, stored, &trust);
  trust.emailFlags = column(trust.emailFlags, wanted->mail, authority);
  trust.sslFlags = column(trust.sslFlags, wanted->server, authority);
  SECStatus rv = CERT_ChangeCertTrust(CERT_GetDefaultCertDB(), stored, &trust);
  CERT_DestroyCertificate(stored);
  return rv;
}

gboolean
crypto_certdb_set_trust(CryptoCert *cert, CryptoTrustWish mail, CryptoTrustWish server, CryptoPinSource *pin,
                        GError **error)
{
  if ((mail == CRYPTO_TRUST_TRUSTED || server == CRYPTO_TRUST_TRUSTED) && !is_authority(cert)) {
    g_set_error(
        error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
        "“%s” is no authority: only the certificate of one that issues others can be trusted to do so. Trust "
        "its issuer, %s, instead.",
        cert->common_name, cert->issuer_name);
    return FALSE;
  }
  const Trust wanted = { mail, server };
  PK11SlotInfo *slot = NULL;
  if (!import_in_database(cert, NULL, NULL, pin, error) || !(slot = crypto_context_database(error)))
    return FALSE;
  gboolean done = change(slot, do_trust, cert, &wanted, pin, "The trust cannot be changed", error);
  PK11_FreeSlot(slot);
  return done;
}

char *
crypto_cert_pem(CryptoCert *cert)
{
  gsize length = 0;
  const guint8 *der = g_bytes_get_data(cert->der, &length);
  g_autofree char *base64 = g_base64_encode(der, length);
  GString *pem = g_string_new("-----BEGIN CERTIFICATE-----\n");
  for (gsize at = 0, size = strlen(base64); at < size; at += 64)
    g_string_append_printf(pem, "%.64s\n", base64 + at);
  g_string_append(pem, "-----END CERTIFICATE-----\n");
  return g_string_free(pem, FALSE);
}

char *
crypto_certdb_server_roots(GError **error)
{
  g_autoptr(GPtrArray) entries = crypto_certdb_list(TRUE, error);
  g_autoptr(GString) all = g_string_new(NULL);
  for (guint i = 0; entries && i < entries->len; i++) {
    const CryptoCertEntry *entry = entries->pdata[i];
    if (!(entry->flags & CRYPTO_CERT_TRUSTED_SERVER) || (entry->flags & CRYPTO_CERT_DISTRUSTED_SERVER))
      continue;
    g_autofree char *pem = crypto_cert_pem(entry->cert);
    g_string_append(all, pem);
  }
  if (entries && !all->len)
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_UNTRUSTED,
                        "No authority is trusted for servers here. Import one (signet cert import --tls FILE), or install "
                        "libnss3, which brings its own.");
  return all->len ? g_string_free(g_steal_pointer(&all), FALSE) : NULL;
}

gboolean
crypto_certdb_unlock(CryptoCert *cert, CryptoPinSource *pin, GError **error)
{
  SECKEYPrivateKey *key = crypto_cards_open(cert, pin, error);
  if (key)
    SECKEY_DestroyPrivateKey(key);
  return key != NULL;
}
