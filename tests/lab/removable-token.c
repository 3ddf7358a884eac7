/* A PKCS#11 module for tests: SoftHSM2 (named by $REMOVABLE_MODULE) as a card in a reader. Files in the folder
 * $REMOVABLE_FOLDER say what state it is in: "present", "locked", "final-try", "pinpad", "fails-login" (answers a PIN with a device
 * error), with "nobody-types" for as long as its keypad waits, "always" (private keys want their PIN for every use), "pull-on-sign"
 * (the card goes in mid-signature). "logins" gets a line for each PIN that reaches the card: "user", "again", "so", "set" and
 * "init", with "given" behind it for one that did not come from the keypad of a "pinpad". What is typed on that stands in "keypad":
 * the PIN or PUK, the new PIN and the new PIN once more, a line each (1234 where there is none); "keypad-cancel" stands for its
 * red key and for nobody typing until its time is over: as OpenSC does, both end in CKR_FUNCTION_CANCELED. "held" is there
 * while another program holds the card: a line for each place that answers with an error then (slot, token, session, objects,
 * login, sign-init, sign, decrypt), and its number in hexadecimal: "slot 30"; with "cached 1" the reader seems empty; "held-next" becomes "held" when a key is used. */
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

/* What a place of a card that another program holds answers; CKR_OK: it does its work. */
static CK_RV
held(const char *place)
{
  char path[1024], where[32];
  unsigned long rv = CKR_OK, code;
  snprintf(path, sizeof path, "%s/held", getenv("REMOVABLE_FOLDER"));
  FILE *file = fopen(path, "r");
  while (file && fscanf(file, "%31s %lx", where, &code) == 2)
    if (strcmp(where, place) == 0)
      rv = code;
  if (file)
    fclose(file);
  return rv;
}

static CK_RV
get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO_PTR info)
{
  CK_RV rv = held("slot");
  if (rv == CKR_OK)
    rv = real->C_GetSlotInfo(slot, info);
  if (rv == CKR_OK) {
    info->flags |= CKF_REMOVABLE_DEVICE | CKF_HW_SLOT;
    if (!is_set("present") || held("cached"))
      info->flags &= ~(CK_FLAGS)CKF_TOKEN_PRESENT;
  }
  return rv;
}

static CK_RV
get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info)
{
  CK_RV rv = !is_set("present") ? CKR_TOKEN_NOT_PRESENT : held("token");
  if (rv == CKR_OK)
    rv = real->C_GetTokenInfo(slot, info);
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
  CK_RV rv = is_set("present") ? held("session") : CKR_TOKEN_NOT_PRESENT;
  return rv == CKR_OK ? real->C_OpenSession(slot, flags, data, notify, session) : rv;
}

static CK_RV
find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR attributes, CK_ULONG count)
{
  CK_RV rv = is_set("present") ? held("objects") : CKR_DEVICE_REMOVED;
  return rv == CKR_OK ? real->C_FindObjectsInit(session, attributes, count) : rv;
}

/* What is typed on the keypad: FALSE, with @rv, where that is cancelled. */
static int
read_keypad(char lines[3][64], CK_RV *rv)
{
  char path[1024];
  while (is_set("nobody-types"))
    poll(NULL, 0, 20);
  snprintf(path, sizeof path, "%s/keypad", getenv("REMOVABLE_FOLDER"));
  FILE *file = fopen(path, "r");
  for (int i = 0; i < 3; i++) {
    snprintf(lines[i], 64, "1234");
    if (file && fgets(lines[i], 64, file))
      lines[i][strcspn(lines[i], "\n")] = 0;
  }
  if (file)
    fclose(file);
  *rv = is_set("keypad-cancel") ? CKR_FUNCTION_CANCELED : CKR_OK;
  return *rv == CKR_OK;
}

static int
is_typed_there(const char *kind, CK_UTF8CHAR_PTR pin)
{
  char line[32];
  snprintf(line, sizeof line, is_set("pinpad") && pin ? "%s given" : "%s", kind);
  note(line);
  return is_set("pinpad") && !pin;
}

static CK_RV
set_pin(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR old, CK_ULONG old_length, CK_UTF8CHAR_PTR new, CK_ULONG new_length)
{
  char typed[3][64];
  CK_RV rv;
  if (!is_set("present"))
    return CKR_DEVICE_REMOVED;
  if (!is_typed_there("set", old))
    return real->C_SetPIN(session, old, old_length, new, new_length);
  if (!read_keypad(typed, &rv))
    return rv;
  return strcmp(typed[1], typed[2]) ? CKR_PIN_INVALID
                                    : real->C_SetPIN(session, (CK_UTF8CHAR_PTR)typed[0], strlen(typed[0]),
                                                     (CK_UTF8CHAR_PTR)typed[1], strlen(typed[1]));
}

static CK_RV
init_pin(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR new, CK_ULONG length)
{
  char typed[3][64];
  CK_RV rv;
  if (!is_typed_there("init", new))
    return real->C_InitPIN(session, new, length);
  if (!read_keypad(typed, &rv))
    return rv;
  return strcmp(typed[1], typed[2]) ? CKR_PIN_INVALID
                                    : real->C_InitPIN(session, (CK_UTF8CHAR_PTR)typed[1], strlen(typed[1]));
}

static CK_RV
login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG length)
{
  char typed[3][64];
  CK_RV rv;
  if (!is_set("present"))
    return CKR_DEVICE_REMOVED;
  if (is_set("locked") && user != CKU_SO)
    return CKR_PIN_LOCKED;
  if (is_set("fails-login"))
    return CKR_DEVICE_ERROR;
  if (held("login"))
    return held("login");
  if (is_set("pinpad") && !pin && !read_keypad(typed, &rv))
    return rv;
  if (is_typed_there(user == CKU_SO ? "so" : user == CKU_CONTEXT_SPECIFIC ? "again" : "user", pin)) {
    pin = (CK_UTF8CHAR_PTR)typed[0];
    length = strlen(typed[0]);
  }
  if (is_set("always") && user == CKU_CONTEXT_SPECIFIC)
    return pin && length == 4 && memcmp(pin, "1234", length) == 0 ? (asked_again = 1, CKR_OK) : CKR_PIN_INCORRECT;
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

/* Another program takes the card now. */
static void
take_over(void)
{
  char next[1024], now[1024];
  snprintf(next, sizeof next, "%s/held-next", getenv("REMOVABLE_FOLDER"));
  snprintf(now, sizeof now, "%s/held", getenv("REMOVABLE_FOLDER"));
  rename(next, now);
}

static CK_RV
sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
  take_over();
  CK_RV rv = is_set("present") ? held("sign-init") : CKR_DEVICE_REMOVED;
  asked_again = 0;
  return rv == CKR_OK ? real->C_SignInit(session, mechanism, key) : rv;
}

static CK_RV
decrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR plain, CK_ULONG_PTR room)
{
  take_over();
  CK_RV rv = is_set("present") ? held("decrypt") : CKR_DEVICE_REMOVED;
  return rv == CKR_OK ? real->C_Decrypt(session, data, length, plain, room) : rv;
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
  if (held("sign"))
    return held("sign");
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
    shown.C_SetPIN = set_pin;
    shown.C_InitPIN = init_pin;
    shown.C_GetAttributeValue = get_attributes;
    shown.C_SignInit = sign_init;
    shown.C_Sign = sign;
    shown.C_Decrypt = decrypt;
  }
  *list = &shown;
  return real ? CKR_OK : CKR_GENERAL_ERROR;
}
