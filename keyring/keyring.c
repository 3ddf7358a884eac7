#include "keyring/keyring.h"

#include <dlfcn.h>
#include <libsecret/secret.h>
#include <string.h>

/* The few functions that we take from libsecret, by the types of its own header. */
typedef struct {
  __typeof__(&secret_password_lookup_sync) lookup;
  __typeof__(&secret_password_store_sync) store;
  __typeof__(&secret_password_clear_sync) clear;
  __typeof__(&secret_password_free) free;
  __typeof__(&secret_service_get_sync) service;
  __typeof__(&secret_error_get_quark) quark;
  __typeof__(&secret_collection_for_alias_sync) collection;
  __typeof__(&secret_collection_get_locked) locked;
} Secret;

static const SecretSchema schema = {
  "org.signet.Password",
  SECRET_SCHEMA_NONE,
  { { "account", SECRET_SCHEMA_ATTRIBUTE_STRING }, { "server", SECRET_SCHEMA_ATTRIBUTE_STRING }, { NULL, 0 } },
  0, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
};

GQuark
keyring_error_quark(void)
{
  return g_quark_from_static_string("signet-keyring-error");
}

static gpointer
load(gpointer unused)
{
  static Secret secret;
  void *library = dlopen("libsecret-1.so.0", RTLD_NOW | RTLD_LOCAL);

  if (!library)
    return NULL;
  *(void **)&secret.lookup = dlsym(library, "secret_password_lookup_sync");
  *(void **)&secret.store = dlsym(library, "secret_password_store_sync");
  *(void **)&secret.clear = dlsym(library, "secret_password_clear_sync");
  *(void **)&secret.free = dlsym(library, "secret_password_free");
  *(void **)&secret.service = dlsym(library, "secret_service_get_sync");
  *(void **)&secret.quark = dlsym(library, "secret_error_get_quark");
  *(void **)&secret.collection = dlsym(library, "secret_collection_for_alias_sync");
  *(void **)&secret.locked = dlsym(library, "secret_collection_get_locked");
  if (!secret.collection || !secret.locked || !secret.lookup || !secret.store || !secret.clear || !secret.free || !secret.service || !secret.quark)
    return NULL;
  return &secret;
}

/* The library, or NULL with ABSENT. A session bus is looked for first: libsecret would try to start one. */
static const Secret *
get_library(GError **error)
{
  static GOnce once = G_ONCE_INIT;
  g_autofree char *runtime_bus = g_build_filename(g_get_user_runtime_dir(), "bus", NULL);

  if (!g_getenv("DBUS_SESSION_BUS_ADDRESS") && !g_file_test(runtime_bus, G_FILE_TEST_EXISTS)) {
    g_set_error(error, KEYRING_ERROR, KEYRING_ERROR_ABSENT,
                "There is no D-Bus session here, so no keyring: use password-command in signet.conf");
    return NULL;
  }
  const Secret *secret = g_once(&once, load, NULL);
  if (!secret)
    g_set_error(error, KEYRING_ERROR, KEYRING_ERROR_ABSENT,
                "libsecret is not installed: install libsecret-1-0, or use password-command in signet.conf");
  return secret;
}

static void
translate(const Secret *secret, GError *from, GError **error)
{
  KeyringError code = KEYRING_ERROR_FAILED;

  if (g_error_matches(from, secret->quark(), SECRET_ERROR_IS_LOCKED))
    code = KEYRING_ERROR_LOCKED;
  else if (from->domain == G_DBUS_ERROR || from->domain == G_IO_ERROR)
    code = KEYRING_ERROR_ABSENT;
  g_set_error(error, KEYRING_ERROR, code, "The keyring does not answer: %s", from->message);
  g_error_free(from);
}

static void
set_locked(GError **error)
{
  g_set_error(error, KEYRING_ERROR, KEYRING_ERROR_LOCKED,
              "The desktop's keyring is locked, and was not unlocked: log in to the desktop, or use password-command "
              "in signet.conf");
}

char *
keyring_lookup(const char *account, const char *server, GCancellable *cancellable, GError **error)
{
  GError *local = NULL;
  const Secret *secret = get_library(error);

  if (!secret)
    return NULL;
  char *stored = secret->lookup(&schema, cancellable, &local, "account", account, "server", server, NULL);
  if (local) {
    translate(secret, local, error);
    return NULL;
  }
  char *password = g_strdup(stored);
  secret->free(stored);
  if (!password && keyring_is_locked(cancellable))
    set_locked(error);
  return password;
}

gboolean
keyring_store(const char *account, const char *server, const char *password, GCancellable *cancellable,
              GError **error)
{
  GError *local = NULL;
  const Secret *secret = get_library(error);
  g_autofree char *label = g_strdup_printf("signet: %s at %s", account, server);

  if (!secret)
    return FALSE;
  if (secret->store(&schema, SECRET_COLLECTION_DEFAULT, label, password, cancellable, &local, "account", account,
                    "server", server, NULL))
    return TRUE;
  if (keyring_is_locked(cancellable)) {
    g_error_free(local);
    set_locked(error);
  } else
    translate(secret, local, error);
  return FALSE;
}

gboolean
keyring_forget(const char *account, const char *server, GCancellable *cancellable, GError **error)
{
  GError *local = NULL;
  const Secret *secret = get_library(error);

  if (!secret)
    return FALSE;
  secret->clear(&schema, cancellable, &local, "account", account, "server", server, NULL);
  if (!local)
    return TRUE;
  translate(secret, local, error);
  return FALSE;
}

gboolean
keyring_available(GCancellable *cancellable, GError **error)
{
  GError *local = NULL;
  const Secret *secret = get_library(error);

  if (!secret)
    return FALSE;
  SecretService *service = secret->service(SECRET_SERVICE_OPEN_SESSION, cancellable, &local);
  if (!service) {
    translate(secret, local, error);
    return FALSE;
  }
  g_object_unref(service);
  return TRUE;
}

gboolean
keyring_is_locked(GCancellable *cancellable)
{
  const Secret *secret = get_library(NULL);
  SecretService *service = secret ? secret->service(SECRET_SERVICE_OPEN_SESSION, cancellable, NULL) : NULL;
  SecretCollection *collection =
      service ? secret->collection(service, SECRET_COLLECTION_DEFAULT, SECRET_COLLECTION_NONE, cancellable, NULL) : NULL;
  gboolean locked = collection && secret->locked(collection);

  g_clear_object(&collection);
  g_clear_object(&service);
  return locked;
}

void
keyring_wipe(char *password)
{
  if (password)
    explicit_bzero(password, strlen(password));
  g_free(password);
}
