#include <pk11pub.h>
#include <secerr.h>
#include <string.h>

#include "crypto/cert-private.h"
#include "crypto/context.h"
#include "crypto/token-private.h"

/* Changing PINs. What the module answers is asked of it directly where NSS would blur it: whether a try was spent, and
 * how many are left, is what the person needs to know. */

enum { PIN_MAX_BYTES = 255 };

static gboolean
check_new(PK11SlotInfo *slot, const char *new, GError **error)
{
  CK_TOKEN_INFO info;
  gsize least = 1, most = PIN_MAX_BYTES;
  gboolean database = PK11_IsInternal(slot);
  if (!new)
    return TRUE;
  if (database) {
    least = 0;
  } else if (PK11_GetTokenInfo(slot, &info) == SECSuccess) {
    least = MAX(least, info.ulMinPinLen);
    if (info.ulMaxPinLen >= least && info.ulMaxPinLen < most)
      most = info.ulMaxPinLen;
  }
  if (strlen(new) >= least && strlen(new) <= most)
    return TRUE;
  if (database)
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED, "A password has at most %d octets.", (int)most);
  else
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
                "A PIN of “%s” has %d to %d characters. Nothing was changed, and no try was spent.",
                PK11_GetTokenName(slot), (int)least, (int)most);
  return FALSE;
}

static const char *
tries_words(CK_FLAGS flags, gboolean so)
{
  if (flags & (so ? CKF_SO_PIN_LOCKED : CKF_USER_PIN_LOCKED))
    return so ? " It is locked now: only whoever issued the card can help." :
                " It is locked now: unblock it with its PUK (signet token unblock).";
  if (flags & (so ? CKF_SO_PIN_FINAL_TRY : CKF_USER_PIN_FINAL_TRY))
    return " One more wrong one locks it.";
  if (flags & (so ? CKF_SO_PIN_COUNT_LOW : CKF_USER_PIN_COUNT_LOW))
    return " Few tries are left.";
  return "";
}

static gboolean
fail(PK11SlotInfo *slot, gboolean so, CK_RV rv, GError **error)
{
  const char *name = PK11_GetTokenName(slot), *what = so ? "SO PIN or PUK" : "PIN";
  if (rv == CKR_PIN_INVALID && PK11_ProtectedAuthenticationPath(slot)) { /* OpenSC's word for a new one typed in two ways */
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
                "The new PIN typed on the reader of “%s” was not the same twice, or not one that it takes; the PIN stays as "
                "it was. Try again.",
                name);
    return FALSE;
  }
  switch (rv) {
  case CKR_PIN_INCORRECT:
  case CKR_PIN_INVALID:
    if (PK11_IsInternal(slot))
      g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN,
                  "That is not the password of the certificate database; it stays as it was.");
    else
      g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN, "The %s for “%s” is wrong; the PIN stays as it was.%s", what,
                  name, tries_words(crypto_pin_flags(slot), so));
    break;
  case CKR_PIN_LOCKED:
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED, "The %s of “%s” is locked.%s", what, name,
                so ? " Only whoever issued the card can help." : " Unblock it with its PUK (signet token unblock).");
    break;
  case CKR_PIN_LEN_RANGE:
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
                "“%s” does not take a PIN of this length or kind; the PIN stays as it was.", name);
    break;
  case CKR_TOKEN_WRITE_PROTECTED:
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED, "“%s” cannot be written to; its PIN stays as it was.", name);
    break;
  case CKR_FUNCTION_NOT_SUPPORTED:
  case CKR_USER_TYPE_INVALID:
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "The module of “%s” cannot %s: use the program of the card's maker.", name,
                so ? "unblock a PIN" : "change its PIN");
    break;
  case CKR_FUNCTION_CANCELED:
  case CKR_CANCEL:
    crypto_pin_set_reader(error, name);
    break;
  case CKR_TOKEN_NOT_PRESENT:
  case CKR_DEVICE_REMOVED:
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY, "The card was pulled; whether “%s” has a new PIN is not known.",
                name);
    break;
  case CKR_DEVICE_ERROR:
  case CKR_TOKEN_NOT_RECOGNIZED:
    crypto_token_set_mute(slot, error);
    break;
  default:
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
                "“%s” did not take the new PIN (PKCS#11 error 0x%lx). Take the card out, put it back and try again.", name,
                (gulong)rv);
  }
  return FALSE;
}

static CK_UTF8CHAR *
octets(const char *pin)
{
  return (CK_UTF8CHAR *)pin;
}

static CK_ULONG
length(const char *pin)
{
  return pin ? strlen(pin) : 0;
}

/* In a session of its own: NSS's stay as they are. */
static CK_RV
set_pin(PK11SlotInfo *slot, const char *old, const char *new)
{
  CK_FUNCTION_LIST *module = crypto_token_functions(slot);
  CK_SESSION_HANDLE session;
  CK_RV rv = module->C_OpenSession(PK11_GetSlotID(slot), CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
  if (rv != CKR_OK)
    return rv;
  rv = module->C_SetPIN(session, octets(old), length(old), octets(new), length(new));
  module->C_CloseSession(session);
  return rv;
}

/* Where no session of a user may be open beside the security officer's, NSS's are closed; it opens new ones. */
static CK_RV
init_pin(PK11SlotInfo *slot, const char *so_pin, const char *new)
{
  CK_FUNCTION_LIST *module = crypto_token_functions(slot);
  CK_SLOT_ID id = PK11_GetSlotID(slot);
  CK_SESSION_HANDLE session;
  PK11_Logout(slot);
  CK_RV rv = module->C_CloseAllSessions(id);
  if (rv == CKR_OK)
    rv = module->C_OpenSession(id, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
  if (rv != CKR_OK)
    return rv;
  rv = module->C_Login(session, CKU_SO, octets(so_pin), length(so_pin));
  if (rv == CKR_OK) {
    rv = module->C_InitPIN(session, octets(new), length(new));
    module->C_Logout(session);
  }
  module->C_CloseSession(session);
  return rv;
}

static gboolean
change_database(PK11SlotInfo *slot, const char *old, const char *new, GError **error)
{
  if (crypto_context_is_read_only()) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE,
                "The certificate database is read-only here. Check the permissions of its folder and its files.");
    return FALSE;
  }
  gboolean first = PK11_NeedUserInit(slot);
  if (!first && PK11_CheckUserPassword(slot, old ? old : "") != SECSuccess) /* softoken wants to be logged in */
    return fail(slot, FALSE, CKR_PIN_INCORRECT, error);
  if ((first ? PK11_InitPin(slot, NULL, new) : PK11_ChangePW(slot, old ? old : "", new)) == SECSuccess)
    return TRUE;
  int code = PORT_GetError();
  crypto_error_set_nss(error, code, "The password of the certificate database stays as it was");
  return FALSE;
}

static gboolean
change(PK11SlotInfo *slot, const char *old, const char *new, GError **error)
{
  if (!check_new(slot, new, error))
    return FALSE;
  if (PK11_IsInternal(slot))
    return change_database(slot, old, new, error);
  if (crypto_pin_flags(slot) & CKF_USER_PIN_LOCKED)
    return fail(slot, FALSE, CKR_PIN_LOCKED, error);
  CK_RV rv = set_pin(slot, old, new);
  return rv == CKR_OK || fail(slot, FALSE, rv, error);
}

gboolean
crypto_token_change_pin(const char *token, const char *old, const char *new, GError **error)
{
  PK11SlotInfo *slot = crypto_token_slot(token, error);
  if (!slot)
    return FALSE;
  gboolean done = change(slot, old, new, error);
  PK11_FreeSlot(slot);
  crypto_keys_forget();
  return done;
}

gboolean
crypto_token_unblock(const char *token, const char *so_pin, const char *new, GError **error)
{
  PK11SlotInfo *slot = crypto_token_slot(token, error);
  gboolean done = FALSE;
  if (!slot)
    return FALSE;
  if (PK11_IsInternal(slot)) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "The certificate database has no PUK: without its password its keys cannot be read.");
  } else if (crypto_pin_flags(slot) & CKF_SO_PIN_LOCKED) {
    fail(slot, TRUE, CKR_PIN_LOCKED, error);
  } else if (check_new(slot, new, error)) {
    CK_RV rv = init_pin(slot, so_pin, new);
    done = rv == CKR_OK || fail(slot, TRUE, rv, error);
  }
  PK11_FreeSlot(slot);
  crypto_keys_forget();
  return done;
}
