#include "crypto/token.h"

#include <secerr.h>
#include <secmod.h>
#include <secmodt.h>
#include <string.h>

#include "crypto/cert-private.h"
#include "crypto/context.h"
#include "crypto/token-private.h"

enum { NAME_MAX_BYTES = 64, BARE_KEYS_MAX = 100 };

void
crypto_token_free(CryptoToken *token)
{
  if (!token)
    return;
  g_free(token->token);
  g_free(token->slot);
  g_free(token->module);
  g_free(token->manufacturer);
  g_free(token->model);
  g_free(token->serial);
  g_free(token);
}

CryptoToken *
crypto_token_copy(const CryptoToken *token)
{
  CryptoToken *copy = g_memdup2(token, sizeof *token);
  char **strings[] = { &copy->token, &copy->slot, &copy->module, &copy->manufacturer, &copy->model, &copy->serial };
  for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
    *strings[i] = g_strdup(*strings[i]);
  return copy;
}

/* PKCS#11 pads its fields with blanks and ends them with nothing. */
char *
crypto_token_field(const CK_UTF8CHAR *text, gsize size)
{
  while (size && (text[size - 1] == ' ' || text[size - 1] == 0))
    size--;
  return g_utf8_make_valid((const char *)text, size);
}

static CryptoToken *
describe(PK11SlotInfo *slot)
{
  CryptoToken *token = g_new0(CryptoToken, 1);
  CK_TOKEN_INFO info;
  token->slot = g_utf8_make_valid(PK11_GetSlotName(slot), -1);
  token->module = g_utf8_make_valid(PK11_GetModule(slot)->commonName, -1);
  token->database = PK11_IsInternalKeySlot(slot);
  token->mute = crypto_token_is_mute(slot);
  token->present = !token->mute && PK11_IsPresent(slot);
  if (token->present && PK11_GetTokenInfo(slot, &info) == SECSuccess) {
    token->token = token->database ? g_strdup("database") : crypto_token_field(info.label, sizeof info.label);
    token->manufacturer = crypto_token_field(info.manufacturerID, sizeof info.manufacturerID);
    token->model = crypto_token_field(info.model, sizeof info.model);
    token->serial = crypto_token_field((const CK_UTF8CHAR *)info.serialNumber, sizeof info.serialNumber);
    token->count_low = (info.flags & CKF_USER_PIN_COUNT_LOW) != 0;
    token->final_try = (info.flags & CKF_USER_PIN_FINAL_TRY) != 0;
    token->locked = (info.flags & CKF_USER_PIN_LOCKED) != 0;
    token->pinpad = PK11_ProtectedAuthenticationPath(slot);
    token->needs_login = PK11_NeedLogin(slot);
    token->logged_in = token->needs_login && PK11_IsLoggedIn(slot, NULL);
    token->certificates = crypto_keys_count(slot, &token->retired);
  } else {
    token->token = token->mute ? g_utf8_make_valid(PK11_GetTokenName(slot), -1) : g_strdup(""); /* "": never read */
    token->manufacturer = g_strdup("");
    token->model = g_strdup("");
    token->serial = g_strdup("");
  }
  return token;
}

/* A card that two modules show (its own and p11-kit's) is one card. */
static gboolean
is_told_already(GPtrArray *tokens, const CryptoToken *token)
{
  for (guint i = 0; i < tokens->len && token->present; i++) {
    const CryptoToken *other = tokens->pdata[i];
    if (other->present && *token->serial && strcmp(other->serial, token->serial) == 0 &&
        strcmp(other->token, token->token) == 0 && strcmp(other->manufacturer, token->manufacturer) == 0)
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_shown(PK11SlotInfo *slot)
{
  if (PK11_IsInternal(slot))
    return PK11_IsInternalKeySlot(slot) && crypto_context_has_database();
  return !PK11_HasRootCerts(slot);
}

/* References on every slot worth showing: NSS's lock on its list is not held while tokens are talked to. */
GPtrArray *
crypto_token_slots(void)
{
  GPtrArray *slots = g_ptr_array_new_with_free_func((GDestroyNotify)PK11_FreeSlot);
  SECMODListLock *list_lock = SECMOD_GetDefaultModuleListLock();
  SECMOD_GetReadLock(list_lock);
  for (SECMODModuleList *m = SECMOD_GetDefaultModuleList(); m; m = m->next)
    for (int i = 0; m->module->loaded && i < m->module->slotCount; i++)
      if (is_shown(m->module->slots[i]))
        g_ptr_array_add(slots, PK11_ReferenceSlot(m->module->slots[i]));
  SECMOD_ReleaseReadLock(list_lock);
  return slots;
}

GPtrArray *
crypto_token_list(GError **error)
{
  GPtrArray *tokens = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_token_free);
  g_autoptr(GPtrArray) slots = crypto_token_slots();
  crypto_keys_forget(); /* what was inserted since is to be seen at once */
  for (guint i = 0; i < slots->len; i++) {
    CryptoToken *token = describe(slots->pdata[i]);
    if (is_told_already(tokens, token))
      crypto_token_free(token);
    else
      g_ptr_array_add(tokens, token);
  }
  return tokens;
}

PK11SlotInfo *
crypto_token_slot(const char *token, GError **error)
{
  g_autoptr(GPtrArray) slots = crypto_token_slots();
  for (guint i = 0; i < slots->len; i++) {
    PK11SlotInfo *slot = slots->pdata[i];
    const char *name = PK11_IsInternalKeySlot(slot) ? "database" : PK11_GetTokenName(slot);
    if (PK11_IsPresent(slot) && strcmp(name, token) == 0)
      return PK11_ReferenceSlot(slot);
  }
  for (guint i = 0; i < slots->len; i++) {
    if (!crypto_token_is_mute(slots->pdata[i]))
      continue;
    g_autofree char *words = crypto_token_mute_words();
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY,
                "There is no token “%s” to be seen, but a card is in a reader and does not answer: %s. Then try again.", token,
                words);
    return NULL;
  }
  g_autofree char *hint = crypto_token_holder_hint();
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY,
              "There is no token “%s”. Insert the card; signet token list shows what is there.%s", token, hint);
  return NULL;
}

CK_FUNCTION_LIST *
crypto_token_functions(PK11SlotInfo *slot)
{
  return PK11_GetModule(slot)->functionList;
}

CryptoToken *
crypto_token_find(const char *token, GError **error)
{
  PK11SlotInfo *slot = crypto_token_slot(token, error);
  CryptoToken *found = slot ? describe(slot) : NULL;
  if (found && found->mute) {
    crypto_token_set_mute(slot, error);
    g_clear_pointer(&found, crypto_token_free);
  }
  if (slot)
    PK11_FreeSlot(slot);
  return found;
}

gboolean
crypto_token_login(const char *token, CryptoPinSource *pin, GError **error)
{
  PK11SlotInfo *slot = crypto_token_slot(token, error);
  gboolean done = slot && crypto_pin_login(slot, pin, error);
  if (slot)
    PK11_FreeSlot(slot);
  return done;
}

void
crypto_token_logout_all(void)
{
  PK11_LogoutAll();
  crypto_keys_forget();
}

gboolean
crypto_token_logout(const char *token, GError **error)
{
  PK11SlotInfo *slot = crypto_token_slot(token, error);
  if (!slot)
    return FALSE;
  PK11_Logout(slot);
  PK11_FreeSlot(slot);
  crypto_keys_forget();
  return TRUE;
}

static char *
key_words(SECKEYPrivateKey *key)
{
  char *label = PK11_GetPrivateKeyNickname(key);
  g_autofree char *name = g_utf8_make_valid(label ? label : "", -1);
  int octets = PK11_GetPrivateModulusLen(key);
  PORT_Free(label);
  g_autofree char *kind = key->keyType == rsaKey && octets > 0 ? g_strdup_printf("RSA %d", octets * 8)
                                                              : g_strdup(key->keyType == ecKey    ? "EC"
                                                                         : key->keyType == rsaKey ? "RSA"
                                                                                                  : "other");
  return g_strdup_printf("%s%s%s", kind, *name ? "  " : "", name);
}

GPtrArray *
crypto_token_bare_keys(const char *token, GError **error)
{
  PK11SlotInfo *slot = crypto_token_slot(token, error);
  SECKEYPrivateKeyList *list = slot ? PK11_ListPrivKeysInSlot(slot, NULL, NULL) : NULL;
  GPtrArray *keys = slot ? g_ptr_array_new_with_free_func(g_free) : NULL;
  for (SECKEYPrivateKeyListNode *node = list ? PRIVKEY_LIST_HEAD(list) : NULL;
       list && !PRIVKEY_LIST_END(node, list) && keys->len < BARE_KEYS_MAX; node = PRIVKEY_LIST_NEXT(node)) {
    CERTCertificate *cert = PK11_GetCertFromPrivateKey(node->key);
    if (cert)
      CERT_DestroyCertificate(cert);
    else
      g_ptr_array_add(keys, key_words(node->key));
  }
  if (list)
    SECKEY_DestroyPrivateKeyList(list);
  if (slot)
    PK11_FreeSlot(slot);
  return keys;
}

/* --- modules */

static gboolean
check_names(const char *name, const char *library, GError **error)
{
  gboolean good = *name && strlen(name) <= NAME_MAX_BYTES;
  for (const char *p = name; *p; p++)
    good &= (guchar)*p >= 0x20 && *p != 0x7f && !strchr("\"'\\", *p);
  if (!good)
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
                "A module's name has 1 to %d characters, no quotes and no control characters.",
                NAME_MAX_BYTES);
  else if (library && strpbrk(library, "\"'\n\r"))
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
                "The path of a module may not hold quotes or line ends.");
  else
    return TRUE;
  return FALSE;
}

static gboolean
check_database(GError **error)
{
  PK11SlotInfo *slot = crypto_context_database(error);
  if (!slot)
    return FALSE;
  PK11_FreeSlot(slot);
  if (!crypto_context_is_read_only())
    return TRUE;
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE, "The certificate database is read-only here.");
  return FALSE;
}

gboolean
crypto_token_add_module(const char *name, const char *library, GError **error)
{
  if (!check_names(name, library, error) || !check_database(error))
    return FALSE;
  if (strchr(library, '/') && !g_file_test(library, G_FILE_TEST_EXISTS)) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED, "There is no file %s.", library);
    return FALSE;
  }
  SECMODModule *there = SECMOD_FindModule(name);
  if (there) {
    SECMOD_DestroyModule(there);
    g_set_error(
        error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
        "A module “%s” is there already. Remove it first (signet token remove), or choose another name.",
        name);
    return FALSE;
  }
  PORT_SetError(0);
  if (SECMOD_AddNewModule(name, library, 0, 0) != SECSuccess) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
                "The module %s cannot be used (%s). It must be a PKCS#11 library for this system.", library,
                crypto_error_sentence(PORT_GetError()));
    return FALSE;
  }
  crypto_keys_forget();
  return TRUE;
}

gboolean
crypto_token_remove_module(const char *name, GError **error)
{
  int type = 0;
  if (!check_names(name, NULL, error) || !check_database(error))
    return FALSE;
  SECMODModule *module = SECMOD_FindModule(name);
  if (!module) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED, "There is no module “%s” (signet token list).",
                name);
    return FALSE;
  }
  gboolean internal = module->internal || crypto_context_is_own_module(module);
  SECMOD_DestroyModule(module);
  if (internal) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED, "“%s” belongs to NSS or the system and stays.",
                name);
    return FALSE;
  }
  crypto_keys_forget(); /* it holds references on the module's slots */
  if (SECMOD_DeleteModule(name, &type) == SECSuccess)
    return TRUE;
  crypto_error_set_nss(error, PORT_GetError(), "The module cannot be removed");
  return FALSE;
}
