#include "mail/line-private.h"

#include <string.h>

/* SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding: the server learns no password, and proves
 * that it knows it too. Keys are wiped; GLib's own hash states are not ours to wipe. */
enum { HASH = 32, ITERATIONS_MIN = 4096, ITERATIONS_MAX = 1000000, MESSAGE_MAX = 4096 };

struct MlScram {
  char *user, *nonce, *password;
  char *first_bare, *auth_message;
  guint8 server_signature[HASH];
};

void
ml_scram_free(MlScram *scram)
{
  if (!scram)
    return;
  crypto_pin_wipe(scram->password);
  g_free(scram->user);
  g_free(scram->nonce);
  g_free(scram->first_bare);
  g_free(scram->auth_message);
  explicit_bzero(scram, sizeof *scram);
  g_free(scram);
}

static void
hmac(const guint8 *key, gsize key_length, const void *data, gsize length, guint8 *out)
{
  gsize size = HASH;
  GHmac *mac = g_hmac_new(G_CHECKSUM_SHA256, key, key_length);
  g_hmac_update(mac, data, (gssize)length);
  g_hmac_get_digest(mac, out, &size);
  g_hmac_unref(mac);
}

/* PBKDF2 with one block: RFC 5802's Hi(). */
static void
salted_password(const char *password, const guint8 *salt, gsize salt_length, guint iterations, guint8 *out)
{
  guint8 round[HASH];
  gsize size;
  GHmac *keyed = g_hmac_new(G_CHECKSUM_SHA256, (const guchar *)password, strlen(password));
  GHmac *mac = g_hmac_copy(keyed);
  g_hmac_update(mac, salt, (gssize)salt_length);
  g_hmac_update(mac, (const guchar *)"\0\0\0\1", 4);
  for (guint i = 0; i < iterations; i++) {
    size = HASH;
    g_hmac_get_digest(mac, round, &size);
    g_hmac_unref(mac);
    for (guint j = 0; j < HASH; j++)
      out[j] = i ? out[j] ^ round[j] : round[j];
    mac = g_hmac_copy(keyed);
    g_hmac_update(mac, round, HASH);
  }
  g_hmac_unref(mac);
  g_hmac_unref(keyed);
  explicit_bzero(round, sizeof round);
}

/* , and = have a meaning in the messages. */
static char *
escaped(const char *name)
{
  GString *out = g_string_new(NULL);
  for (const char *p = name; *p; p++) {
    if (*p == ',' || *p == '=')
      g_string_append(out, *p == ',' ? "=2C" : "=3D");
    else
      g_string_append_c(out, *p);
  }
  return g_string_free(out, FALSE);
}

/* What SASLprep does to nearly all passwords: compatibility forms become the plain ones. */
static char *
prepared(const char *text)
{
  char *normal = g_utf8_validate(text, -1, NULL) ? g_utf8_normalize(text, -1, G_NORMALIZE_ALL_COMPOSE) : NULL;
  return normal ? normal : g_strdup(text);
}

MlScram *
ml_scram_new(const char *user, const char *nonce)
{
  MlScram *scram = g_new0(MlScram, 1);
  scram->user = prepared(user);
  scram->nonce = g_strdup(nonce);
  return scram;
}

void
ml_scram_set_password(MlScram *scram, const char *password)
{
  crypto_pin_wipe(scram->password);
  scram->password = prepared(password);
}

char *
ml_scram_first(MlScram *scram)
{
  g_autofree char *name = escaped(scram->user);
  g_free(scram->first_bare);
  scram->first_bare = g_strdup_printf("n=%s,r=%s", name, scram->nonce);
  return g_strconcat("n,,", scram->first_bare, NULL);
}

static gboolean
wrong(GError **error, const char *what)
{
  g_set_error(error, ML_ERROR, ML_ERROR_PROTOCOL, "The mail server's answer to the login is wrong: %s.",
              what);
  return FALSE;
}

/* "r=...,s=...,i=..." in that order; what follows is for extensions. */
static gboolean
parse_first(const MlScram *scram, const char *text, char **nonce, guchar **salt, gsize *salt_length,
            guint *iterations, GError **error)
{
  guint64 number;
  if (strlen(text) > MESSAGE_MAX)
    return wrong(error, "it is too long");
  g_auto(GStrv) parts = g_strsplit(text, ",", -1);
  if (g_strv_length(parts) < 3 || !g_str_has_prefix(parts[0], "r=") || !g_str_has_prefix(parts[1], "s=") ||
      !g_str_has_prefix(parts[2], "i="))
    return wrong(error, "a part is missing");
  if (!g_str_has_prefix(parts[0] + 2, scram->nonce) || strlen(parts[0] + 2) <= strlen(scram->nonce))
    return wrong(error, "it was made for somebody else");
  if (!g_ascii_string_to_unsigned(parts[2] + 2, 10, ITERATIONS_MIN, ITERATIONS_MAX, &number, NULL))
    return wrong(error, "the number of rounds is out of bounds");
  *iterations = (guint)number;
  *salt = g_base64_decode(parts[1] + 2, salt_length);
  if (!*salt_length)
    return wrong(error, "the salt is missing");
  *nonce = g_strdup(parts[0] + 2);
  return TRUE;
}

char *
ml_scram_final(MlScram *scram, const char *server_first, GError **error)
{
  g_autofree char *nonce = NULL;
  g_autofree guchar *salt = NULL;
  gsize salt_length = 0;
  guint iterations = 0;
  if (!parse_first(scram, server_first, &nonce, &salt, &salt_length, &iterations, error))
    return NULL;
  guint8 salted[HASH], client_key[HASH], stored_key[HASH], server_key[HASH], proof[HASH];
  g_autofree char *without_proof = g_strdup_printf("c=biws,r=%s", nonce);
  g_free(scram->auth_message);
  scram->auth_message = g_strdup_printf("%s,%s,%s", scram->first_bare, server_first, without_proof);
  salted_password(scram->password, salt, salt_length, iterations, salted);
  hmac(salted, HASH, "Client Key", 10, client_key);
  hmac(salted, HASH, "Server Key", 10, server_key);
  GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
  gsize size = HASH;
  g_checksum_update(sum, client_key, HASH);
  g_checksum_get_digest(sum, stored_key, &size);
  g_checksum_free(sum);
  hmac(stored_key, HASH, scram->auth_message, strlen(scram->auth_message), proof);
  hmac(server_key, HASH, scram->auth_message, strlen(scram->auth_message), scram->server_signature);
  for (guint i = 0; i < HASH; i++)
    proof[i] ^= client_key[i];
  g_autofree char *text = g_base64_encode(proof, HASH);
  explicit_bzero(salted, sizeof salted);
  explicit_bzero(client_key, sizeof client_key);
  explicit_bzero(stored_key, sizeof stored_key);
  explicit_bzero(server_key, sizeof server_key);
  return g_strconcat(without_proof, ",p=", text, NULL);
}

gboolean
ml_scram_verify(MlScram *scram, const char *server_final, GError **error)
{
  if (g_str_has_prefix(server_final, "e=")) {
    g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "The mail server refuses the login: %s.", server_final + 2);
    return FALSE;
  }
  gsize length = 0;
  g_autofree guchar *signature =
      g_str_has_prefix(server_final, "v=") ? g_base64_decode(server_final + 2, &length) : NULL;
  guint8 differs = 0;
  for (guint i = 0; length == HASH && i < HASH; i++)
    differs |= signature[i] ^ scram->server_signature[i];
  if (length == HASH && !differs)
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_UNTRUSTED,
              "The mail server does not prove that it knows your password, as the real one would. The "
              "connection was closed.");
  return FALSE;
}
