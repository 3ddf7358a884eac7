#include <glib/gstdio.h>
#include <secerr.h>
#include <string.h>
#include <unistd.h>

#include "crypto/cert-private.h"
#include "crypto/token-private.h"

/* A card that another program holds by itself looks to NSS as if it were not there: PC/SC refuses to connect (a sharing
 * violation), and the module answers with an error where it should describe the reader (OpenSC 0.23: CKR_DEVICE_ERROR
 * from C_GetSlotInfo, seen with scdaemon on a virtual card). So the module is asked directly. Who holds it, PKCS#11 does
 * not say; what can be known is whether the one program that is known to do so runs: GnuPG's scdaemon keeps a card until
 * it is told to let it go. */
enum { PROCESSES_MAX = 100000 };

char *
crypto_token_holder(void)
{
  g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
  const char *name;
  for (guint i = 0; proc && i < PROCESSES_MAX && (name = g_dir_read_name(proc)); i++) {
    if (!g_ascii_isdigit(*name))
      continue;
    g_autofree char *folder = g_build_filename("/proc", name, NULL);
    g_autofree char *file = g_build_filename(folder, "comm", NULL);
    g_autofree char *comm = NULL;
    GStatBuf info;
    if (g_stat(folder, &info) == 0 && info.st_uid == geteuid() && g_file_get_contents(file, &comm, NULL, NULL) &&
        strcmp(g_strchomp(comm), "scdaemon") == 0)
      return g_strdup_printf("gpg's scdaemon (process %s)", name);
  }
  return NULL;
}

char *
crypto_token_holder_hint(void)
{
  g_autofree char *holder = crypto_token_holder();
  return holder ? g_strdup_printf(" If it is in its reader, %s may hold it: gpgconf --kill scdaemon lets it go.", holder)
                : g_strdup("");
}

char *
crypto_token_mute_words(void)
{
  g_autofree char *holder = crypto_token_holder();
  return holder ? g_strdup_printf("%s may hold it; gpgconf --kill scdaemon lets it go", holder)
                : g_strdup("another program may hold it, or its module does not know it; close that program, or take the card "
                           "out and put it back");
}

static gboolean
is_device_trouble(CK_RV rv)
{
  return rv == CKR_DEVICE_ERROR || rv == CKR_TOKEN_NOT_RECOGNIZED || rv == CKR_GENERAL_ERROR ||
         rv == CKR_FUNCTION_FAILED || rv == CKR_DEVICE_MEMORY;
}

gboolean
crypto_token_is_mute(PK11SlotInfo *slot)
{
  CK_FUNCTION_LIST *module = PK11_IsInternal(slot) ? NULL : crypto_token_functions(slot);
  CK_SLOT_ID id = PK11_GetSlotID(slot);
  CK_SLOT_INFO reader;
  CK_TOKEN_INFO token;
  CK_SESSION_HANDLE session;
  if (!module)
    return FALSE;
  CK_RV rv = module->C_GetSlotInfo(id, &reader);
  gboolean seen = rv == CKR_OK && (reader.flags & CKF_TOKEN_PRESENT);
  if (rv == CKR_OK)
    rv = module->C_GetTokenInfo(id, &token);
  if (!seen) /* OpenSC goes on for a second with what it found of the reader before */
    return rv == CKR_DEVICE_ERROR;
  if (rv == CKR_OK && (token.flags & CKF_TOKEN_INITIALIZED))
    rv = module->C_OpenSession(id, CKF_SERIAL_SESSION, NULL, NULL, &session);
  else if (rv == CKR_OK)
    return FALSE;
  if (rv == CKR_OK)
    module->C_CloseSession(session);
  return is_device_trouble(rv);
}

void
crypto_token_set_mute(PK11SlotInfo *slot, GError **error)
{
  g_autofree char *words = crypto_token_mute_words();
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED, "The card “%s” does not answer: %s. Then try again.",
              PK11_GetTokenName(slot), words);
}

void
crypto_token_set_failed(PK11SlotInfo *slot, int code, const char *what, GError **error)
{
  gboolean card = slot && !PK11_IsInternal(slot);
  if (card && PK11_ProtectedAuthenticationPath(slot) && code == SEC_ERROR_LIBRARY_FAILURE)
    crypto_pin_set_reader(error, PK11_GetTokenName(slot)); /* where the key itself wants its PIN */
  else if (card && (code == SEC_ERROR_IO || code == SEC_ERROR_PKCS11_DEVICE_ERROR || crypto_token_is_mute(slot)))
    crypto_token_set_mute(slot, error);
  else
    crypto_error_set_nss(error, code, what);
}
