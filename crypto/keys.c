#include <sechash.h>
#include <secoid.h>
#include <secasn1.h>
#include <string.h>

#include "crypto/cards-private.h"
#include "crypto/cert-private.h"
#include "crypto/chain-private.h"
#include "crypto/token.h"

/* Which certificates have a private key of ours, where, and how to open it.
 *
 * The list is made without logging in anywhere. What a token hides until then is taken on trust: a certificate
 * on a card that belongs to no authority, or whose public key is there too, has its private key there. */
typedef struct {
  CryptoCert *cert;
  PK11SlotInfo *slot;        /* NULL: a key of this run only, or of a card that was pulled */
  SECKEYPrivateKey *session; /* a key of this run */
  char *token;               /* the name of a card's token; NULL for the others */
  gboolean retired;          /* it lies in a card's place for keys that were replaced */
  GBytes *key_id;            /* subject key identifier, or NULL */
  guint8 key_hash[20];
} KeyEntry;

/* Stamp of one token at the time of listing: something came or went when it differs. */
typedef struct {
  PK11SlotInfo *slot; /* only compared */
  int series;
  gboolean logged_in;
} TokenStamp;

static GMutex lock;        /* everything below; never held while a PIN is asked for */
static GPtrArray *cached;  /* of KeyEntry; NULL: to be listed */
static GArray *stamps;     /* of TokenStamp */
static gint64 looked_at;   /* monotonic time when the stamps were last compared */
static GPtrArray *session; /* of KeyEntry */
static GPtrArray *absent;  /* of KeyEntry without slot: on cards that were seen once, and are not here now */
static char *memory;       /* the file that keeps both kinds; NULL: none */

enum { ABSENT_MAX = CRYPTO_CARDS_MAX, SLOT_CERTS_MAX = 1000 };

static void
entry_free(gpointer data)
{
  KeyEntry *entry = data;
  crypto_cert_unref(entry->cert);
  if (entry->slot)
    PK11_FreeSlot(entry->slot);
  if (entry->session)
    entry->session->pkcs11IsTemp = PR_TRUE; /* goes with its object now */
  SECKEY_DestroyPrivateKey(entry->session);
  g_clear_pointer(&entry->key_id, g_bytes_unref);
  g_free(entry->token);
  g_free(entry);
}

static KeyEntry *
entry_new(CryptoCert *cert, PK11SlotInfo *slot)
{
  KeyEntry *entry = g_new0(KeyEntry, 1);
  entry->cert = crypto_cert_ref(cert);
  entry->slot = slot ? PK11_ReferenceSlot(slot) : NULL;
  if (slot && !PK11_IsInternal(slot))
    entry->token = g_utf8_make_valid(PK11_GetTokenName(slot), -1);
  SECItem id = { siBuffer, NULL, 0 };
  if (CERT_FindSubjectKeyIDExtension(cert->nss, &id) == SECSuccess) {
    entry->key_id = g_bytes_new(id.data, id.len);
    SECITEM_FreeItem(&id, PR_FALSE);
  }
  if (!crypto_cert_key_hash(cert->nss, entry->key_hash))
    memset(entry->key_hash, 0, sizeof entry->key_hash);
  return entry;
}

/* The octets that tell one public key of its kind from another. */
static gboolean
public_octets(const SECKEYPublicKey *key, SECItem *octets, CK_ATTRIBUTE_TYPE *type)
{
  *type = key->keyType == rsaKey ? CKA_MODULUS : CKA_EC_POINT;
  *octets = key->keyType == rsaKey ? key->u.rsa.modulus : key->u.ec.publicValue;
  return key->keyType == rsaKey || key->keyType == ecKey;
}

/* Does the token show this certificate's public key? Then it made the pair. The end is compared: an EC point may
 * be wrapped, a modulus may have a zero in front. */
gboolean
crypto_keys_shows_public(PK11SlotInfo *slot, CryptoCert *cert)
{
  SECItem wanted;
  CK_ATTRIBUTE_TYPE type;
  gboolean shown = FALSE;
  guint seen = 0;
  SECKEYPublicKey *key = CERT_ExtractPublicKey(cert->nss);
  PK11GenericObject *first =
      key && public_octets(key, &wanted, &type) ? PK11_FindGenericObjects(slot, CKO_PUBLIC_KEY) : NULL;
  for (PK11GenericObject *o = first; o && !shown && seen < SLOT_CERTS_MAX;
       o = PK11_GetNextGenericObject(o), seen++) {
    SECItem have = { siBuffer, NULL, 0 };
    if (PK11_ReadRawAttribute(PK11_TypeGeneric, o, type, &have) != SECSuccess)
      continue;
    gsize length = MIN(have.len, wanted.len);
    shown = length >= 32 && length + 4 >= MAX(have.len, wanted.len) &&
            memcmp(have.data + have.len - length, wanted.data + wanted.len - length, length) == 0;
    SECITEM_FreeItem(&have, PR_FALSE);
  }
  if (first)
    PK11_DestroyGenericObjects(first);
  SECKEY_DestroyPublicKey(key);
  return shown;
}

static gboolean
has_key(PK11SlotInfo *slot, CryptoCert *cert)
{
  CERTCertTrust trust;
  if (PK11_IsInternal(slot) && CERT_GetCertTrust(cert->nss, &trust) == SECSuccess &&
      (trust.emailFlags & CERTDB_USER))
    return TRUE;
  if (PK11_NeedLogin(slot) && !PK11_IsLoggedIn(slot, NULL))
    return !PK11_IsInternal(slot) && (!crypto_cert_is_authority(cert) || crypto_keys_shows_public(slot, cert));
  SECKEYPrivateKey *key = PK11_FindPrivateKeyFromCert(slot, cert->nss, NULL);
  SECKEY_DestroyPrivateKey(key);
  return key != NULL;
}

static gboolean
is_looked_at(PK11SlotInfo *slot)
{
  return PK11_IsPresent(slot) && !PK11_HasRootCerts(slot);
}

/* A PIV card has places for up to 20 keys that were replaced (SP 800-73: retired key management keys), which only ever
 * decrypt. PKCS#11 shows that in the label alone: "Retired Certificate for Key Management 1" of OpenSC, "X.509 Certificate
 * for Retired Key 1" of ykcs11, also through p11-kit. */
static gboolean
is_retired_object(PK11GenericObject *object)
{
  SECItem label = { siBuffer, NULL, 0 };
  if (PK11_ReadRawAttribute(PK11_TypeGeneric, object, CKA_LABEL, &label) != SECSuccess)
    return FALSE;
  g_autofree char *text = g_ascii_strdown((const char *)label.data, (gssize)MIN(label.len, 256u));
  SECITEM_FreeItem(&label, PR_FALSE);
  return strstr(text, "retired") != NULL;
}

/* Of a token's own objects, as they are. NSS's list of them is empty until somebody logs in, for every reader
 * that calls itself hardware; and what it found before a login it would go on finding after it. @retired (may be NULL)
 * gets those of @certs that lie in a place for replaced keys. */
static void
list_token(GPtrArray *certs, GHashTable *retired, PK11SlotInfo *slot)
{
  PK11GenericObject *first = PK11_FindGenericObjects(slot, CKO_CERTIFICATE);
  guint seen = 0;
  for (PK11GenericObject *o = first; o && seen < SLOT_CERTS_MAX; o = PK11_GetNextGenericObject(o), seen++) {
    SECItem der = { siBuffer, NULL, 0 };
    if (PK11_ReadRawAttribute(PK11_TypeGeneric, o, CKA_VALUE, &der) != SECSuccess)
      continue;
    CryptoCert *cert = crypto_cert_new(der.data, der.len, NULL);
    if (cert)
      g_ptr_array_add(certs, cert);
    if (cert && retired && is_retired_object(o))
      g_hash_table_add(retired, cert);
    SECITEM_FreeItem(&der, PR_FALSE);
  }
  if (first)
    PK11_DestroyGenericObjects(first);
}

static GPtrArray *
slot_certs(PK11SlotInfo *slot, GHashTable *retired)
{
  GPtrArray *certs = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  if (!PK11_IsInternal(slot) && !PK11_HasRootCerts(slot)) {
    list_token(certs, retired, slot);
    return certs;
  }
  CERTCertList *list = PK11_ListCertsInSlot(slot);
  if (!list)
    return certs;
  for (CERTCertListNode *node = CERT_LIST_HEAD(list); !CERT_LIST_END(node, list); node = CERT_LIST_NEXT(node))
    g_ptr_array_add(certs, crypto_cert_wrap(node->cert));
  CERT_DestroyCertList(list);
  return certs;
}

GPtrArray *
crypto_keys_slot_certs(PK11SlotInfo *slot)
{
  return slot_certs(slot, NULL);
}

static void
list_slot(GPtrArray *entries, PK11SlotInfo *slot)
{
  g_autoptr(GPtrArray) own = PK11_IsInternal(slot) ? crypto_keys_database(slot) : NULL;
  for (guint i = 0; own && i < own->len; i++)
    g_ptr_array_add(entries, entry_new(own->pdata[i], slot));
  if (own)
    return;
  g_autoptr(GHashTable) retired = g_hash_table_new(NULL, NULL);
  g_autoptr(GPtrArray) certs = slot_certs(slot, retired);
  for (guint i = 0; i < certs->len; i++) {
    if (!has_key(slot, certs->pdata[i]))
      continue;
    KeyEntry *entry = entry_new(certs->pdata[i], slot);
    entry->retired = g_hash_table_contains(retired, certs->pdata[i]);
    g_ptr_array_add(entries, entry);
  }
}

static const KeyEntry *
find_cert(GPtrArray *entries, CryptoCert *cert)
{
  for (guint i = 0; entries && i < entries->len; i++)
    if (g_bytes_equal(((KeyEntry *)entries->pdata[i])->cert->der, cert->der))
      return entries->pdata[i];
  return NULL;
}

/* What lies on cards goes to the absent ones, without its slot: the next listing takes back what is still there. */
static void
forget_locked(void)
{
  if (!absent)
    absent = g_ptr_array_new_with_free_func(entry_free);
  while (cached && cached->len) {
    KeyEntry *entry = g_ptr_array_steal_index_fast(cached, cached->len - 1);
    g_clear_pointer(&entry->slot, PK11_FreeSlot);
    if (entry->token && absent->len < ABSENT_MAX && !find_cert(absent, entry->cert))
      g_ptr_array_add(absent, entry);
    else
      entry_free(entry);
  }
  g_clear_pointer(&cached, g_ptr_array_unref);
  g_clear_pointer(&stamps, g_array_unref);
}

static void
take_back_locked(void)
{
  for (guint i = absent ? absent->len : 0; i-- > 0;)
    if (find_cert(cached, ((KeyEntry *)absent->pdata[i])->cert))
      g_ptr_array_remove_index_fast(absent, i);
}

static gboolean
is_kept(GPtrArray *cards, const KeyEntry *entry)
{
  for (guint i = 0; i < cards->len; i++) {
    const CryptoCard *card = cards->pdata[i];
    if (!strcmp(card->token, entry->token) && card->retired == entry->retired &&
        g_bytes_equal(card->cert->der, entry->cert->der))
      return TRUE;
  }
  return FALSE;
}

/* What is new on the cards that are here goes to the front of the file; the oldest fall off its end. */
static void
remember_locked(void)
{
  g_autoptr(GPtrArray) cards = NULL;
  gboolean changed = FALSE;
  for (guint i = 0; memory && i < cached->len; i++) {
    const KeyEntry *entry = cached->pdata[i];
    if (!entry->token)
      continue;
    if (!cards)
      cards = crypto_cards_load(memory); /* another run may have written it */
    if (is_kept(cards, entry))
      continue;
    CryptoCard *card = g_new0(CryptoCard, 1);
    *card = (CryptoCard){ crypto_cert_ref(entry->cert), g_strdup(entry->token), entry->retired };
    g_ptr_array_insert(cards, 0, card);
    changed = TRUE;
  }
  if (changed)
    crypto_cards_save(memory, cards);
}

void
crypto_keys_remember(const char *file)
{
  g_autoptr(GPtrArray) cards = crypto_cards_load(file);
  g_mutex_lock(&lock);
  g_free(memory);
  memory = g_strdup(file);
  if (!absent)
    absent = g_ptr_array_new_with_free_func(entry_free);
  for (guint i = 0; i < cards->len && absent->len < ABSENT_MAX; i++) {
    const CryptoCard *card = cards->pdata[i];
    KeyEntry *entry = entry_new(card->cert, NULL);
    entry->token = g_strdup(card->token);
    entry->retired = card->retired;
    g_ptr_array_add(absent, entry);
  }
  g_mutex_unlock(&lock);
}

static GArray *
take_stamps(PK11SlotList *slots)
{
  GArray *array = g_array_new(FALSE, TRUE, sizeof(TokenStamp));
  for (PK11SlotListElement *e = slots ? PK11_GetFirstSafe(slots) : NULL; e;
       e = PK11_GetNextSafe(slots, e, PR_FALSE)) {
    if (!is_looked_at(e->slot))
      continue;
    TokenStamp stamp = { .slot = e->slot, .series = PK11_GetSlotSeries(e->slot) };
    stamp.logged_in = PK11_IsLoggedIn(e->slot, NULL);
    g_array_append_val(array, stamp);
  }
  return array;
}

static gboolean
same_stamps(GArray *a, GArray *b)
{
  if (!a || a->len != b->len)
    return FALSE;
  for (guint i = 0; i < a->len; i++) {
    const TokenStamp *x = &g_array_index(a, TokenStamp, i), *y = &g_array_index(b, TokenStamp, i);
    if (x->slot != y->slot || x->series != y->series || x->logged_in != y->logged_in)
      return FALSE;
  }
  return TRUE;
}

/* Looks for tokens that came or went at most once a second: on a reader that is a question over the wire. */
static void
refresh_locked(void)
{
  gint64 now = g_get_monotonic_time();
  if (cached && now - looked_at < G_USEC_PER_SEC)
    return;
  looked_at = now;
  PK11SlotList *slots = PK11_GetAllTokens(CKM_INVALID_MECHANISM, PR_FALSE, PR_FALSE, NULL);
  GArray *fresh = take_stamps(slots);
  if (cached && same_stamps(stamps, fresh)) {
    g_array_unref(fresh);
  } else {
    forget_locked();
    stamps = fresh;
    cached = g_ptr_array_new_with_free_func(entry_free);
    for (PK11SlotListElement *e = slots ? PK11_GetFirstSafe(slots) : NULL; e;
         e = PK11_GetNextSafe(slots, e, PR_FALSE))
      if (is_looked_at(e->slot))
        list_slot(cached, e->slot);
    take_back_locked();
    remember_locked();
  }
  if (slots)
    PK11_FreeSlotList(slots);
}

void
crypto_keys_forget(void)
{
  g_mutex_lock(&lock);
  forget_locked();
  g_mutex_unlock(&lock);
  crypto_chain_forget(); /* trust and authorities may have changed as well */
}

void
crypto_keys_close(void)
{
  g_mutex_lock(&lock);
  forget_locked();
  g_clear_pointer(&session, g_ptr_array_unref);
  g_clear_pointer(&absent, g_ptr_array_unref);
  g_clear_pointer(&memory, g_free);
  g_mutex_unlock(&lock);
}

void
crypto_keys_add_session(CryptoCert *cert, SECKEYPrivateKey *key)
{
  KeyEntry *entry = entry_new(cert, NULL);
  entry->session = key;
  /* The entry lives to the end of the session, so those who are given the key share its object. NSS would copy that,
   * and check all its numbers again, at 0.4 ms a mail. */
  key->pkcs11IsTemp = PR_FALSE;
  g_mutex_lock(&lock);
  if (!session)
    session = g_ptr_array_new_with_free_func(entry_free);
  g_ptr_array_add(session, entry);
  g_mutex_unlock(&lock);
}

/* --- finding */

static gboolean
same_number(const SECItem *a, const SECItem *b)
{
  const guint8 *x = a->data, *y = b->data;
  gsize n = a->len, m = b->len;
  for (; n > 1 && *x == 0; x++, n--)
    ;
  for (; m > 1 && *y == 0; y++, m--)
    ;
  return n == m && n && memcmp(x, y, n) == 0;
}

/* Byte for byte; else as names, since some senders write the issuer's strings in another type. */
static gboolean
same_issuer(CERTCertificate *nss, const SECItem *issuer)
{
  if (SECITEM_ItemsAreEqual(&nss->derIssuer, issuer))
    return TRUE;
  if (issuer->len > 64 * 1024)
    return FALSE;
  PLArenaPool *arena = PORT_NewArena(DER_DEFAULT_CHUNKSIZE);
  CERTName name = { 0 };
  SECItem copy = { siBuffer, NULL, 0 };
  gboolean same =
      arena && SECITEM_CopyItem(arena, &copy, issuer) == SECSuccess &&
      SEC_QuickDERDecodeItem(arena, &name, SEC_ASN1_GET(CERT_NameTemplate), &copy) == SECSuccess &&
      CERT_CompareName(&nss->issuer, &name) == SECEqual;
  if (arena)
    PORT_FreeArena(arena, PR_FALSE);
  return same;
}

static gboolean
fits(const KeyEntry *entry, const SECItem *issuer, const SECItem *serial, const SECItem *key_id)
{
  CERTCertificate *nss = entry->cert->nss;
  if (issuer && serial)
    return same_number(&nss->serialNumber, serial) && same_issuer(nss, issuer);
  if (!key_id || !key_id->len)
    return FALSE;
  if (entry->key_id) {
    gsize length = 0;
    const void *id = g_bytes_get_data(entry->key_id, &length);
    return length == key_id->len && memcmp(id, key_id->data, length) == 0;
  }
  return key_id->len == sizeof entry->key_hash && memcmp(entry->key_hash, key_id->data, key_id->len) == 0;
}

static gboolean
opens_without_login(const KeyEntry *entry)
{
  return !entry->slot || !PK11_NeedLogin(entry->slot) || PK11_IsLoggedIn(entry->slot, NULL);
}

/* The best of @entries that fits: one that opens without a question, then the database's, then a token's. */
static const KeyEntry *
best(GPtrArray *entries, const SECItem *issuer, const SECItem *serial, const SECItem *key_id)
{
  const KeyEntry *found = NULL;
  for (guint i = 0; entries && i < entries->len; i++) {
    const KeyEntry *entry = entries->pdata[i];
    if (!fits(entry, issuer, serial, key_id))
      continue;
    if (opens_without_login(entry))
      return entry;
    if (!found || (PK11_IsInternal(entry->slot) && !PK11_IsInternal(found->slot)))
      found = entry;
  }
  return found;
}

CryptoCert *
crypto_keys_find(const SECItem *issuer, const SECItem *serial, const SECItem *key_id)
{
  g_mutex_lock(&lock);
  const KeyEntry *entry = best(session, issuer, serial, key_id);
  if (!entry) {
    refresh_locked();
    entry = best(cached, issuer, serial, key_id);
  }
  if (!entry)
    entry = best(absent, issuer, serial, key_id);
  CryptoCert *cert = entry ? crypto_cert_ref(entry->cert) : NULL;
  g_mutex_unlock(&lock);
  return cert;
}

/* --- opening */

/* The places of this certificate's key, those that need no login first; a session key ends the search. */
static GPtrArray *
places(CryptoCert *cert, SECKEYPrivateKey **key)
{
  GPtrArray *slots = g_ptr_array_new_with_free_func((GDestroyNotify)PK11_FreeSlot);
  *key = NULL;
  g_mutex_lock(&lock);
  for (guint i = 0; session && i < session->len && !*key; i++) {
    const KeyEntry *entry = session->pdata[i];
    if (g_bytes_equal(entry->cert->der, cert->der))
      *key = SECKEY_CopyPrivateKey(entry->session);
  }
  if (!*key)
    refresh_locked();
  for (int pass = 0; pass < 2 && !*key; pass++)
    for (guint i = 0; cached && i < cached->len; i++) {
      const KeyEntry *entry = cached->pdata[i];
      if (g_bytes_equal(entry->cert->der, cert->der) && opens_without_login(entry) == (pass == 0))
        g_ptr_array_add(slots, PK11_ReferenceSlot(entry->slot));
    }
  g_mutex_unlock(&lock);
  return slots;
}

char *
crypto_keys_absent(CryptoCert *cert)
{
  g_mutex_lock(&lock);
  refresh_locked();
  const KeyEntry *entry = find_cert(cached, cert) ? NULL : find_cert(absent, cert);
  char *token = entry ? g_strdup(entry->token) : NULL;
  g_mutex_unlock(&lock);
  return token;
}

GPtrArray *
crypto_keys_absent_cards(void)
{
  GPtrArray *cards = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_card_free);
  g_mutex_lock(&lock);
  refresh_locked();
  for (guint i = 0; absent && i < absent->len; i++) {
    const KeyEntry *entry = absent->pdata[i];
    CryptoCard *card = g_new0(CryptoCard, 1);
    *card = (CryptoCard){ crypto_cert_ref(entry->cert), g_strdup(entry->token), entry->retired };
    g_ptr_array_add(cards, card);
  }
  g_mutex_unlock(&lock);
  return cards;
}

/* On a card that is away it is ours all the same, and locked until the card is there. */
static void
fail_no_key(CryptoCert *cert, GError **error)
{
  g_autofree char *token = crypto_keys_absent(cert);
  if (token) {
    g_autofree char *hint = crypto_token_holder_hint();
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED,
                "The private key of “%s” is on the card “%s”: insert it and try again.%s", cert->common_name,
                token, hint);
  } else
    g_set_error(
        error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY,
        "The private key of “%s” is not here. Import it (signet cert import FILE.p12) or insert its card.",
        cert->common_name);
}

/* crypto_pin_login(), and the key. A PIN is kept for the rest of the job only where the key itself wants it too. */
static SECKEYPrivateKey *
open_in(PK11SlotInfo *slot, CryptoCert *cert, CryptoPinSource *pin, GError **error)
{
  if (pin)
    pin->keeping = TRUE;
  SECKEYPrivateKey *key =
      crypto_pin_login(slot, pin, error) ? PK11_FindPrivateKeyFromCert(slot, cert->nss, pin) : NULL;
  if (pin) {
    pin->keeping = FALSE;
    if (!key || !pin->kept || !PK11_HasAttributeSet(slot, key->pkcs11ID, CKA_ALWAYS_AUTHENTICATE, PR_FALSE))
      crypto_pin_source_clear(pin);
  }
  return key;
}

SECKEYPrivateKey *
crypto_keys_open(CryptoCert *cert, CryptoPinSource *pin, GError **error)
{
  SECKEYPrivateKey *key = NULL;
  g_autoptr(GError) problem = NULL;
  GPtrArray *slots = places(cert, &key);
  for (guint i = 0; i < slots->len && !key; i++) {
    g_autoptr(GError) failed = NULL;
    key = open_in(slots->pdata[i], cert, pin, &failed);
    if (failed && !problem)
      problem = g_steal_pointer(&failed);
    /* The same card may be shown by two modules: a refused PIN must not be asked for again there. */
    if (problem && (problem->code == CRYPTO_ERROR_CANCELLED || problem->code == CRYPTO_ERROR_PIN))
      break;
  }
  g_ptr_array_unref(slots);
  if (key)
    return key;
  if (problem)
    g_propagate_error(error, g_steal_pointer(&problem));
  else
    fail_no_key(cert, error);
  return NULL;
}

/* The name of the token that holds the key of @cert; NULL: the database, or this run's memory. */
char *
crypto_keys_token(CryptoCert *cert)
{
  SECKEYPrivateKey *key = NULL;
  GPtrArray *slots = places(cert, &key);
  char *name = NULL;
  if (!key && slots->len && !PK11_IsInternal(slots->pdata[0]))
    name = g_strdup(PK11_GetTokenName(slots->pdata[0]));
  SECKEY_DestroyPrivateKey(key);
  g_ptr_array_unref(slots);
  return name;
}

guint
crypto_keys_count(PK11SlotInfo *slot, guint *retired)
{
  guint count = 0;
  *retired = 0;
  g_mutex_lock(&lock);
  refresh_locked();
  for (guint i = 0; i < cached->len; i++) {
    const KeyEntry *entry = cached->pdata[i];
    count += entry->slot == slot;
    *retired += entry->slot == slot && entry->retired;
  }
  g_mutex_unlock(&lock);
  return count;
}

GHashTable *
crypto_keys_own(void)
{
  GHashTable *own = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
  g_mutex_lock(&lock);
  refresh_locked();
  GPtrArray *const lists[] = { session, cached };
  for (gsize l = 0; l < G_N_ELEMENTS(lists); l++)
    for (guint i = 0; lists[l] && i < lists[l]->len; i++) {
      const KeyEntry *entry = lists[l]->pdata[i];
      if (!entry->retired || !g_hash_table_contains(own, entry->cert->der))
        g_hash_table_replace(own, g_bytes_ref(entry->cert->der), GINT_TO_POINTER(entry->retired));
    }
  g_mutex_unlock(&lock);
  return own;
}

GPtrArray *
crypto_keys_list(void)
{
  GPtrArray *certs = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  g_mutex_lock(&lock);
  refresh_locked();
  for (guint i = 0; session && i < session->len; i++)
    g_ptr_array_add(certs, crypto_cert_ref(((KeyEntry *)session->pdata[i])->cert));
  for (guint i = 0; i < cached->len; i++)
    g_ptr_array_add(certs, crypto_cert_ref(((KeyEntry *)cached->pdata[i])->cert));
  g_mutex_unlock(&lock);
  return certs;
}
