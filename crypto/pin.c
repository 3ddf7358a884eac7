#include "crypto/pin.h"

#include <pk11pub.h>
#include <secerr.h>
#include <secmodt.h>
#include <string.h>

#include "crypto/cert-private.h"
#include "crypto/token-private.h"

/* The token whose last login was refused, so that the next job's question can say so. Only compared, never
 * followed. */
static GMutex refused_lock;
static const void *refused_last;

void
crypto_pin_wipe(char *pin)
{
  if (!pin)
    return;
  explicit_bzero(pin, strlen(pin));
  g_free(pin);
}

void
crypto_pin_source_clear(CryptoPinSource *source)
{
  crypto_pin_wipe(g_steal_pointer(&source->kept));
  source->kept_slot = NULL;
}

static void
remember_refused(const void *slot, gboolean refused)
{
  g_mutex_lock(&refused_lock);
  if (refused)
    refused_last = slot;
  else if (refused_last == slot)
    refused_last = NULL;
  g_mutex_unlock(&refused_lock);
}

static gboolean
was_refused(const void *slot)
{
  g_mutex_lock(&refused_lock);
  gboolean refused = refused_last == slot;
  g_mutex_unlock(&refused_lock);
  return refused;
}

CK_FLAGS
crypto_pin_flags(PK11SlotInfo *slot)
{
  CK_TOKEN_INFO info;
  return PK11_GetTokenInfo(slot, &info) == SECSuccess ? info.flags : 0;
}

/* --- the question that is open, so that it ends when its card is pulled */

static GMutex open_lock;
static const void *open_slot;      /* only compared */
static GCancellable *open_question;

void
crypto_pin_removed(const void *slot)
{
  g_mutex_lock(&open_lock);
  GCancellable *ended = open_question && open_slot == slot ? g_object_ref(open_question) : NULL;
  g_mutex_unlock(&open_lock);
  if (ended) {
    g_cancellable_cancel(ended);
    g_object_unref(ended);
  }
}

static void
on_cancelled(GCancellable *unused, gpointer question)
{
  g_cancellable_cancel(question);
}

static char *
put_question(PK11SlotInfo *slot, CryptoPinSource *source, const CryptoPinQuestion *question)
{
  g_autoptr(GCancellable) ended = g_cancellable_new();
  gulong handler = g_cancellable_connect(source->cancellable, G_CALLBACK(on_cancelled), ended, NULL);
  g_mutex_lock(&open_lock);
  open_slot = slot;
  open_question = ended;
  g_mutex_unlock(&open_lock);
  char *pin = source->func(question, ended, source->user_data);
  g_mutex_lock(&open_lock);
  open_question = NULL;
  g_mutex_unlock(&open_lock);
  g_cancellable_disconnect(source->cancellable, handler);
  if (g_cancellable_is_cancelled(ended) && !g_cancellable_is_cancelled(source->cancellable))
    source->removed = TRUE;
  if (pin && !g_cancellable_is_cancelled(ended))
    return pin;
  crypto_pin_wipe(pin);
  return NULL;
}

/* NSS's one callback. It is called again, with @retry, for as long as it answers: a wrong PIN must end here, or
 * one slip of a finger locks a card. Every lookup of one operation may log in again, hence the memory in the
 * source. */
static char *
ask(PK11SlotInfo *slot, PRBool retry, void *wincx)
{
  CryptoPinSource *source = wincx;

  if (!source || !source->func)
    return NULL;
  if (retry) {
    crypto_pin_source_clear(source);
    source->refused = TRUE;
    source->refused_slot = slot;
    remember_refused(slot, TRUE);
    return NULL;
  }
  if (source->cancelled || source->removed || g_cancellable_is_cancelled(source->cancellable) ||
      (source->refused && source->refused_slot == slot))
    return NULL;

  gboolean always = !PK11_IsInternal(slot) && PK11_IsLoggedIn(slot, NULL);
  if (always && source->kept && source->kept_slot == slot)
    return PORT_Strdup(source->kept);
  CK_FLAGS flags = crypto_pin_flags(slot);
  CryptoPinQuestion question = {
    .token = PK11_GetTokenName(slot),
    .database = PK11_IsInternal(slot),
    .retry = was_refused(slot),
    .pinpad = PK11_ProtectedAuthenticationPath(slot),
    .count_low = (flags & CKF_USER_PIN_COUNT_LOW) != 0,
    .final_try = (flags & CKF_USER_PIN_FINAL_TRY) != 0,
    .locked = (flags & CKF_USER_PIN_LOCKED) != 0,
    .always = always,
  };
  source->asked = TRUE;
  char *pin = put_question(slot, source, &question);
  if (!pin) {
    source->cancelled = !source->removed; /* with the card put back the job may go on: crypto_pin_login() asks anew */
    return NULL;
  }
  if (source->keeping && !always && !question.database && !question.pinpad) {
    crypto_pin_source_clear(source);
    source->kept = g_strdup(pin);
    source->kept_slot = slot;
  }
  char *answer = PORT_Strdup(question.pinpad ? PK11_PW_TRY : pin); /* NSS wipes and frees this copy */
  crypto_pin_wipe(pin);
  return answer;
}

void
crypto_pin_install(void)
{
  PK11_SetPasswordFunc(ask);
}

void
crypto_pin_forget(void)
{
  g_mutex_lock(&refused_lock);
  refused_last = NULL;
  g_mutex_unlock(&refused_lock);
}

static gboolean
fail_locked(PK11SlotInfo *slot, GError **error)
{
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED,
              "The token “%s” is locked after too many wrong PINs. Unblock it with its PUK, or ask whoever "
              "issued it.",
              PK11_GetTokenName(slot));
  return FALSE;
}

static gboolean
fail_refused(PK11SlotInfo *slot, GError **error)
{
  if (crypto_pin_flags(slot) & CKF_USER_PIN_LOCKED)
    return fail_locked(slot, error);
  if (PK11_IsInternal(slot))
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN,
                "That is not the password of the certificate database.");
  else
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN, "The PIN for “%s” is wrong.%s",
                PK11_GetTokenName(slot),
                crypto_pin_flags(slot) & CKF_USER_PIN_FINAL_TRY ? " One more wrong PIN locks it." : "");
  return FALSE;
}

void
crypto_pin_set_reader(GError **error, const char *token)
{
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED,
              "Nothing was typed on the reader of “%s”: it was cancelled there, or waited too long. No try is spent; try "
              "again.",
              token);
}

/* The reader or the module failed: nothing is said of the PIN. */
static gboolean
is_no_answer(int code)
{
  return code == SEC_ERROR_PKCS11_DEVICE_ERROR || code == SEC_ERROR_PKCS11_GENERAL_ERROR ||
         code == SEC_ERROR_PKCS11_FUNCTION_FAILED || code == SEC_ERROR_IO || code == SEC_ERROR_NO_TOKEN;
}

gboolean
crypto_pin_login(PK11SlotInfo *slot, CryptoPinSource *pin, GError **error)
{
  if (pin)
    pin->removed = FALSE;
  if (!PK11_NeedLogin(slot) || PK11_IsLoggedIn(slot, pin))
    return TRUE;
  if (!pin || !pin->func) {
    if (PK11_IsInternal(slot))
      g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED, "The certificate database needs its password.");
    else
      g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED, "The token “%s” needs its PIN.",
                  PK11_GetTokenName(slot));
    return FALSE;
  }
  if (crypto_token_is_mute(slot)) { /* a PIN would be asked for in vain */
    crypto_token_set_mute(slot, error);
    return FALSE;
  }
  if (crypto_pin_flags(slot) & CKF_USER_PIN_LOCKED)
    return fail_locked(slot, error);
  if (pin->refused && pin->refused_slot == slot)
    return fail_refused(slot, error);

  pin->asked = FALSE;
  SECStatus rv = PK11_Authenticate(slot, PR_TRUE, pin);
  int code = PORT_GetError();
  if (rv == SECSuccess) {
    remember_refused(slot, FALSE);
    crypto_keys_forget(); /* some cards show their certificates only now */
    return TRUE;
  }
  crypto_pin_source_clear(pin);
  if (pin->removed) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED,
                "The card “%s” was pulled while its PIN was asked for. Insert it and try again.", PK11_GetTokenName(slot));
    return FALSE;
  }
  if (pin->cancelled || g_cancellable_is_cancelled(pin->cancellable)) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "Cancelled.");
    return FALSE;
  }
  if (pin->asked && !pin->refused && PK11_ProtectedAuthenticationPath(slot) && code == SEC_ERROR_LIBRARY_FAILURE) {
    pin->cancelled = TRUE; /* NSS's word for CKR_FUNCTION_CANCELED: the same job does not ask at the reader again */
    crypto_pin_set_reader(error, PK11_GetTokenName(slot));
    return FALSE;
  }
  if (pin->asked && !pin->refused && is_no_answer(code)) {
    g_autofree char *hint = crypto_token_holder_hint();
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED,
                "“%s” did not answer the PIN: whether it is right is not known. Another program may be using the card; take "
                "it out, put it back and try again.%s",
                PK11_GetTokenName(slot), hint);
    return FALSE;
  }
  if (pin->refused || pin->asked) {
    pin->refused = TRUE;
    pin->refused_slot = slot;
    remember_refused(slot, TRUE);
    return fail_refused(slot, error);
  }
  g_autofree char *what = g_strdup_printf("Logging in to “%s” failed", PK11_GetTokenName(slot));
  crypto_token_set_failed(slot, code, what, error);
  return FALSE;
}
