/* A PKCS#11 module for tests: SoftHSM2 (named by $REMOVABLE_MODULE) as a card in a reader. Files in the folder
 * $REMOVABLE_FOLDER say what state it is in: "present", "locked", "final-try", "pinpad", "fails-login" (answers a PIN with a device
 * error), with "nobody-types" for as long as its keypad waits, "always" (private keys want their PIN for every use), "pull-on-sign"
 * (the card goes in mid-signature). "logins" gets a line for each PIN that reaches the card: "user" or "again". */
#include <dlfcn.h>
#include <nss.h>
#include <poll.h>
#include <pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static CK_FUNCTION_LIST shown;
static CK_FUNCTION_LIST_PTR real;

static int asked_again; /* the PIN for the operation that was begun is right */

static int
is_set(const char *name)
{
  const char *folder = getenv("REMOVABLE_FOLDER");
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", folder ? folder : ".", name);
  return access(path, F_OK) == 0;
}

static void
note(const char *line)
{
  const char *folder = getenv("REMOVABLE_FOLDER");
  char path[1024];
  snprintf(path, sizeof path, "%s/logins", folder ? folder : ".");
  FILE *file = fopen(path, "a");
  if (file) {
    fprintf(file, "%s\n", line);
    fclose(file);
  }
}

static CK_RV
get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO_PTR info)
{
  CK_RV rv = real->C_GetSlotInfo(slot, info);
  if (rv == CKR_OK) {
    info->flags |= CKF_REMOVABLE_DEVICE | CKF_HW_SLOT;
    if (!is_set("present"))
      info->flags &= ~(CK_FLAGS)CKF_TOKEN_PRESENT;
  }
  return rv;
}

static CK_RV
get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info)
{
  CK_RV rv = !is_set("present") ? CKR_TOKEN_NOT_PRESENT
                                : real->C_GetTokenInfo(slot, info);
  if (rv == CKR_OK) {
    info->flags |= (is_set("locked") ? CKF_USER_PIN_LOCKED : 0) |
                   (is_set("final-try") ? CKF_USER_PIN_FINAL_TRY : 0) |
                   (is_set("pinpad") ? CKF_PROTECTED_AUTHENTICATION_PATH : 0);
  }
  return rv;
}

static CK_RV
get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info)
{
  return is_set("present") ? real->C_GetSessionInfo(session, info) : CKR_DEVICE_REMOVED;
}

static CK_RV
open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR data, CK_NOTIFY notify,
             CK_SESSION_HANDLE_PTR session)
{
  return is_set("present") ? real->C_OpenSession(slot, flags, data, notify, session) : CKR_TOKEN_NOT_PRESENT;
}

static CK_RV
find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR attributes, CK_ULONG count)
{
  return is_set("present") ? real->C_FindObjectsInit(session, attributes, count) : CKR_DEVICE_REMOVED;
}

/* Its keypad types 1234. */
static CK_RV
login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG length)
{
  static CK_UTF8CHAR typed[] = "1234";
  if (!is_set("present"))
    return CKR_DEVICE_REMOVED;
  if (is_set("locked"))
    return CKR_PIN_LOCKED;
  if (is_set("fails-login"))
    return CKR_DEVICE_ERROR;
  while (is_set("pinpad") && !pin && is_set("nobody-types"))
    poll(NULL, 0, 20);
  note(user == CKU_CONTEXT_SPECIFIC ? "again" : "user");
  if (is_set("always") && user == CKU_CONTEXT_SPECIFIC)
    return pin && length == sizeof typed - 1 && memcmp(pin, typed, length) == 0 ? (asked_again = 1, CKR_OK)
                                                                                : CKR_PIN_INCORRECT;
  if (is_set("pinpad") && !pin)
    return real->C_Login(session, user, typed, sizeof typed - 1);
  return real->C_Login(session, user, pin, length);
}

static CK_RV
get_attributes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR attributes, CK_ULONG count)
{
  CK_RV rv = is_set("present") ? real->C_GetAttributeValue(session, object, attributes, count) : CKR_DEVICE_REMOVED;
  for (CK_ULONG i = 0; rv == CKR_OK && i < count && is_set("always"); i++)
    if (attributes[i].type == CKA_ALWAYS_AUTHENTICATE && attributes[i].pValue && attributes[i].ulValueLen == 1)
      *(CK_BBOOL *)attributes[i].pValue = CK_TRUE;
  return rv;
}

static CK_RV
sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
  asked_again = 0;
  return is_set("present") ? real->C_SignInit(session, mechanism, key) : CKR_DEVICE_REMOVED;
}

static CK_RV
sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature, CK_ULONG_PTR room)
{
  char path[1024];
  if (is_set("pull-on-sign")) {
    snprintf(path, sizeof path, "%s/present", getenv("REMOVABLE_FOLDER"));
    unlink(path);
    return CKR_DEVICE_REMOVED;
  }
  if (!is_set("present"))
    return CKR_DEVICE_REMOVED;
  if (is_set("always") && !asked_again)
    return CKR_USER_NOT_LOGGED_IN;
  return real->C_Sign(session, data, length, signature, room);
}

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
  const char *library = getenv("REMOVABLE_MODULE");
  void *handle = real || !library ? NULL : dlopen(library, RTLD_NOW);
  if (handle) {
    CK_C_GetFunctionList get;
    *(void **)&get = dlsym(handle, "C_GetFunctionList");
    if (!get || get(&real) != CKR_OK)
      return CKR_GENERAL_ERROR;
    shown = *real;
    shown.C_GetFunctionList = C_GetFunctionList;
    shown.C_GetSlotInfo = get_slot_info;
    shown.C_GetTokenInfo = get_token_info;
    shown.C_GetSessionInfo = get_session_info;
    shown.C_OpenSession = open_session;
    shown.C_FindObjectsInit = find_objects_init;
    shown.C_Login = login;
    shown.C_GetAttributeValue = get_attributes;
    shown.C_SignInit = sign_init;
    shown.C_Sign = sign;
  }
  *list = &shown;
  return real ? CKR_OK : CKR_GENERAL_ERROR;
}
