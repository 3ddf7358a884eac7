#include <dlfcn.h>
#include <errno.h>
#include <ldap.h>
#include <openldap.h>
#include <string.h>
#include <unistd.h>

#include "crypto/context.h"
#include "crypto/tls.h"
#include "mail/address-private.h"
#include "mail/directory-private.h"
#include "mail/headers-write-private.h"
#include "mail/line-private.h"

enum {
  MESSAGE_MAX = 4 * 1024 * 1024, /* one entry */
  ANSWER_MAX = 16 * 1024 * 1024, /* all of them, in octets from the socket */
  CERT_MAX = 64 * 1024,
  BUNDLE_MAX = 256 * 1024,
  WORDS_MAX = 1000,
};

/* libldap knows of no server: should it ever want to connect by itself, it finds nobody here. */
static const char nobody[] = "ldapi://%2Fdev%2Fnull";

/* The few functions that we take from libldap and liblber, by the types of their own headers. */
typedef struct {
  __typeof__(&ldap_init_fd) init_fd;
  __typeof__(&ldap_unbind_ext) unbind;
  __typeof__(&ldap_set_option) set;
  __typeof__(&ldap_get_option) get;
  __typeof__(&ldap_extended_operation_s) extended;
  __typeof__(&ldap_sasl_bind_s) bind;
  __typeof__(&ldap_search_ext) search;
  __typeof__(&ldap_result) result;
  __typeof__(&ldap_parse_result) parse;
  __typeof__(&ldap_msgfree) free_message;
  __typeof__(&ldap_first_attribute) first;
  __typeof__(&ldap_next_attribute) next;
  __typeof__(&ldap_get_values_len) values;
  __typeof__(&ldap_value_free_len) free_values;
  __typeof__(&ldap_get_dn) dn;
  __typeof__(&ldap_memfree) free;
  __typeof__(&ldap_err2string) words;
  __typeof__(&ber_sockbuf_add_io) add_io;
  __typeof__(&ber_sockbuf_ctrl) control;
  __typeof__(&ber_bvfree) free_value;
  __typeof__(&ber_free) free_ber;
} Library;

typedef struct {
  const Library *library;
  const MlDirectory *directory;
  LDAP *ldap;
  CryptoTls *tls;
  gsize received;
  GError *broken; /* why the stream ended; NULL */
} Connection;

static gpointer
load(gpointer unused)
{
  static Library library;
  static const char *const files[] = { "libldap-2.5.so.0", "libldap.so.2" };
  static const struct {
    const char *name;
    gsize offset;
  } functions[] = {
#define FUNCTION(name, field) { #name, G_STRUCT_OFFSET(Library, field) }
    FUNCTION(ldap_init_fd, init_fd),
    FUNCTION(ldap_unbind_ext, unbind),
    FUNCTION(ldap_set_option, set),
    FUNCTION(ldap_get_option, get),
    FUNCTION(ldap_extended_operation_s, extended),
    FUNCTION(ldap_sasl_bind_s, bind),
    FUNCTION(ldap_search_ext, search),
    FUNCTION(ldap_result, result),
    FUNCTION(ldap_parse_result, parse),
    FUNCTION(ldap_msgfree, free_message),
    FUNCTION(ldap_first_attribute, first),
    FUNCTION(ldap_next_attribute, next),
    FUNCTION(ldap_get_values_len, values),
    FUNCTION(ldap_value_free_len, free_values),
    FUNCTION(ldap_get_dn, dn),
    FUNCTION(ldap_memfree, free),
    FUNCTION(ldap_err2string, words),
    FUNCTION(ber_sockbuf_add_io, add_io),
    FUNCTION(ber_sockbuf_ctrl, control),
    FUNCTION(ber_bvfree, free_value),
    FUNCTION(ber_free, free_ber),
#undef FUNCTION
  };
  void *handle = NULL;
  for (guint i = 0; !handle && i < G_N_ELEMENTS(files); i++)
    handle = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
  for (guint i = 0; handle && i < G_N_ELEMENTS(functions); i++) {
    void *function = dlsym(handle, functions[i].name);
    if (!function)
      return NULL;
    memcpy((char *)&library + functions[i].offset, &function, sizeof function);
  }
  return handle ? &library : NULL;
}

static const Library *
library(GError **error)
{
  static GOnce once = G_ONCE_INIT;
  const Library *loaded = g_once(&once, load, NULL);
  if (!loaded)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                        "libldap is not installed: install libldap-2.5-0 to ask directories.");
  return loaded;
}

/* --- our stream, below libldap. It always says that there is something to read: then libldap waits in our read, which
 * a cancel ends, and never in a poll() of its own. */

static int
on_setup(Sockbuf_IO_Desc *stream, void *connection)
{
  stream->sbiod_pvt = connection;
  return 0;
}

static int
on_nothing(Sockbuf_IO_Desc *stream)
{
  return 0;
}

static int
on_control(Sockbuf_IO_Desc *stream, int option, void *argument)
{
  return option == LBER_SB_OPT_DATA_READY ? 1 : 0;
}

static ber_slen_t
on_read(Sockbuf_IO_Desc *stream, void *buffer, ber_len_t length)
{
  Connection *connection = stream->sbiod_pvt;
  if (!connection->broken && connection->received >= ANSWER_MAX)
    connection->broken = g_error_new(ML_ERROR, ML_ERROR_PROTOCOL, "The directory %s sends more than %d MiB for one question.",
                                     connection->directory->name, ANSWER_MAX / (1024 * 1024));
  gssize got = connection->broken || !length ? -1 : crypto_tls_read(connection->tls, buffer, length, &connection->broken);
  if (got <= 0) {
    errno = ECONNRESET;
    return -1;
  }
  connection->received += (gsize)got;
  return got;
}

static ber_slen_t
on_write(Sockbuf_IO_Desc *stream, void *buffer, ber_len_t length)
{
  Connection *connection = stream->sbiod_pvt;
  gssize sent = connection->broken || !length ? -1 : crypto_tls_write(connection->tls, buffer, length, &connection->broken);
  if (sent > 0)
    return sent;
  errno = EPIPE;
  return -1;
}

static Sockbuf_IO our_stream = { .sbi_setup = on_setup,
                                 .sbi_remove = on_nothing,
                                 .sbi_ctrl = on_control,
                                 .sbi_read = on_read,
                                 .sbi_write = on_write,
                                 .sbi_close = on_nothing };

/* Options of /etc/ldap/ldap.conf and of $LDAP... that would mean something here are set over. */
static gboolean
begin(Connection *connection, int fd, GError **error)
{
  const Library *l = connection->library;
  Sockbuf *buffer = NULL;
  ber_len_t largest = MESSAGE_MAX;
  const int version = LDAP_VERSION3, never = LDAP_DEREF_NEVER, limit = ML_DIRECTORY_ENTRIES,
            seconds = (int)connection->directory->timeout;
  gboolean good = l->init_fd(fd, LDAP_PROTO_EXT, nobody, &connection->ldap) == LDAP_SUCCESS &&
                  l->get(connection->ldap, LDAP_OPT_SOCKBUF, &buffer) == LDAP_SUCCESS && buffer &&
                  l->add_io(buffer, &our_stream, LBER_SBIOD_LEVEL_PROVIDER, connection) == 0 &&
                  l->control(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &largest) == 1 &&
                  l->set(connection->ldap, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_SUCCESS &&
                  l->set(connection->ldap, LDAP_OPT_DEREF, &never) == LDAP_SUCCESS &&
                  l->set(connection->ldap, LDAP_OPT_SIZELIMIT, &limit) == LDAP_SUCCESS &&
                  l->set(connection->ldap, LDAP_OPT_TIMELIMIT, &seconds) == LDAP_SUCCESS &&
                  l->set(connection->ldap, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_SUCCESS &&
                  l->set(connection->ldap, LDAP_OPT_RESTART, LDAP_OPT_OFF) == LDAP_SUCCESS;
  if (!good)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED, "libldap cannot be set up.");
  return good;
}

/* --- what went wrong */

/* FALSE, always: @code is libldap's, or the server's answer. */
static gboolean
fail(Connection *connection, int code, GError **error)
{
  const char *name = connection->directory->name;
  const char *words = connection->library->words(code);
  if (connection->broken)
    ml_line_error(g_steal_pointer(&connection->broken), error);
  else if (code == LDAP_INVALID_CREDENTIALS)
    g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "The directory %s refuses the login of %s: look at bind and at the password.",
                name, connection->directory->bind ? connection->directory->bind : "nobody");
  else if (code == LDAP_INSUFFICIENT_ACCESS || code == LDAP_STRONG_AUTH_REQUIRED || code == LDAP_INAPPROPRIATE_AUTH ||
           code == LDAP_CONFIDENTIALITY_REQUIRED)
    g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "The directory %s does not answer this (%s): set bind = DN for a login that may "
                "search it.", name, words);
  else if (code == LDAP_NO_SUCH_OBJECT || code == LDAP_INVALID_DN_SYNTAX)
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG, "The directory %s has nothing at %s: look at its base in signet.conf.", name,
                connection->directory->base);
  else if (code == LDAP_FILTER_ERROR)
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG, "The filter of the directory %s cannot be read: %s.", name,
                connection->directory->filter);
  else if (code == LDAP_REFERRAL)
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG, "The directory %s sends us to another server, which is not followed: name that "
                "one in its url.", name);
  else
    g_set_error(error, ML_ERROR, ML_ERROR_PROTOCOL, "The directory %s did not answer: %s.", name, words);
  return FALSE;
}

/* --- raising to TLS, logging in */

static gboolean
start_tls(Connection *connection, GError **error)
{
  const Library *l = connection->library;
  char *oid = NULL;
  struct berval *data = NULL;
  int code = l->extended(connection->ldap, LDAP_EXOP_START_TLS, NULL, NULL, NULL, &oid, &data);
  l->free(oid);
  if (data)
    l->free_value(data);
  if (connection->broken)
    return fail(connection, code, error);
  if (code != LDAP_SUCCESS) {
    g_set_error(error, ML_ERROR, ML_ERROR_UNTRUSTED,
                "The directory %s does not do StartTLS (%s), or somebody on the way took it out. Nothing was asked: it would "
                "have gone in clear. Try url = ldaps://%s, or ask its operator.",
                connection->directory->name, l->words(code), connection->directory->server.host);
    return FALSE;
  }
  if (crypto_tls_wait(connection->tls, 0, -1) == CRYPTO_TLS_DATA) {
    g_set_error(error, ML_ERROR, ML_ERROR_PROTOCOL,
                "The directory %s sent something in clear after its yes to StartTLS: somebody may sit on the way. Nothing was "
                "asked.", connection->directory->name);
    return FALSE;
  }
  return TRUE;
}

static gboolean
secure(Connection *connection, GError **error)
{
  const MlDirectory *directory = connection->directory;
  GError *why = NULL;
  if (strcmp(directory->tls, "none") == 0)
    return TRUE;
  if (directory->server.tls == ML_TLS_STARTTLS && !start_tls(connection, error))
    return FALSE;
  if (crypto_tls_start(connection->tls, &why))
    return TRUE;
  ml_line_error(why, error);
  return FALSE;
}

static gboolean
log_in(Connection *connection, const char *password, GError **error)
{
  const MlDirectory *directory = connection->directory;
  if (!directory->bind)
    return TRUE;
  /* An empty one would be no login at all, and the server would say yes (RFC 4513 5.1.2). */
  if (!password || !*password) {
    g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "The directory %s wants a password for %s, and none is known.", directory->name,
                directory->bind);
    return FALSE;
  }
  struct berval secret = { strlen(password), (char *)password };
  int code = connection->library->bind(connection->ldap, directory->bind, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
  return code == LDAP_SUCCESS || fail(connection, code, error);
}

/* --- entries */

static gboolean
is_attribute(const char *given, const char *name)
{
  gsize length = strlen(name);
  return g_ascii_strncasecmp(given, name, length) == 0 && (!given[length] || given[length] == ';');
}

static void
add_cert(MlDirectoryAnswer *answer, CryptoCert *cert, gboolean bundled, const char *entry)
{
  if (bundled && crypto_cert_is_authority(cert)) {
    if (answer->issuers->len < ML_DIRECTORY_CERTS)
      g_ptr_array_add(answer->issuers, crypto_cert_ref(cert));
    return;
  }
  for (guint i = 0; i < answer->certs->len; i++)
    if (g_bytes_equal(crypto_cert_der(((MlDirectoryCert *)answer->certs->pdata[i])->cert), crypto_cert_der(cert)))
      return;
  MlDirectoryCert *found = g_new0(MlDirectoryCert, 1);
  *found = (MlDirectoryCert){ crypto_cert_ref(cert), g_strdup(entry) };
  g_ptr_array_add(answer->certs, found);
}

/* Certificates of one attribute; @room: how many more of this entry are taken. */
static void
take_certs(MlDirectoryAnswer *answer, struct berval **values, gboolean bundle, const char *entry, guint *room)
{
  for (guint i = 0; values && values[i]; i++) {
    if (!*room) {
      answer->more = TRUE;
      return;
    }
    if (!values[i]->bv_len || values[i]->bv_len > (bundle ? BUNDLE_MAX : CERT_MAX)) {
      answer->unreadable++;
      continue;
    }
    g_autoptr(GBytes) bytes = g_bytes_new(values[i]->bv_val, values[i]->bv_len);
    g_autoptr(GPtrArray) certs = crypto_certs_parse(bytes, NULL);
    if (!certs || !certs->len)
      answer->unreadable++;
    for (guint k = 0; certs && k < certs->len && *room; k++, --*room)
      if (g_bytes_get_size(crypto_cert_der(certs->pdata[k])) <= CERT_MAX)
        add_cert(answer, certs->pdata[k], bundle, entry);
  }
}

static char *
text_of(const struct berval *value)
{
  return value && value->bv_len ? g_utf8_make_valid(value->bv_val, (gssize)MIN(value->bv_len, (ber_len_t)WORDS_MAX)) : NULL;
}

/* A name as it may be typed: what does not print is a blank. */
static char *
name_of(const struct berval *value)
{
  g_autofree char *text = text_of(value);
  g_autoptr(GString) name = g_string_new(NULL);
  for (const char *p = text; p && *p; p = g_utf8_next_char(p))
    g_string_append_unichar(name, g_unichar_isprint(g_utf8_get_char(p)) ? g_utf8_get_char(p) : ' ');
  return g_strstrip(g_strdup(name->str));
}

static void
add_people(MlDirectoryAnswer *answer, struct berval **mails, const char *name)
{
  for (guint i = 0; mails && mails[i] && i < ML_DIRECTORY_CERTS; i++) {
    g_autofree char *address = text_of(mails[i]), *folded = address ? ml_address_fold(address) : NULL;
    if (!folded)
      continue;
    MlDirectoryPerson *person = g_new0(MlDirectoryPerson, 1);
    *person = (MlDirectoryPerson){ g_strdup(address), ml_headers_write_mailbox(name ? name : "", address) };
    g_ptr_array_add(answer->people, person);
  }
}

static void
take_entry(Connection *connection, LDAPMessage *message, MlDirectoryAnswer *answer)
{
  const Library *l = connection->library;
  char *dn = l->dn(connection->ldap, message);
  g_autofree char *entry = g_utf8_make_valid(dn ? dn : "", (gssize)MIN(strlen(dn ? dn : ""), (gsize)WORDS_MAX)), *name = NULL;
  struct berval **mails = NULL;
  BerElement *at = NULL;
  guint room = ML_DIRECTORY_CERTS;
  answer->entries++;
  for (char *attribute = l->first(connection->ldap, message, &at); attribute;
       attribute = l->next(connection->ldap, message, at)) {
    struct berval **values = l->values(connection->ldap, message, attribute);
    if (is_attribute(attribute, "userCertificate"))
      take_certs(answer, values, FALSE, entry, &room);
    else if (is_attribute(attribute, "userSMIMECertificate"))
      take_certs(answer, values, TRUE, entry, &room);
    else if (is_attribute(attribute, "cn") && !name)
      name = name_of(values ? values[0] : NULL);
    else if (is_attribute(attribute, "mail") && !mails)
      mails = g_steal_pointer(&values);
    if (values)
      l->free_values(values);
    l->free(attribute);
  }
  add_people(answer, mails, name);
  if (mails)
    l->free_values(mails);
  if (at)
    l->free_ber(at, 0);
  l->free(dn);
}

/* --- the question */

static const char *const *
attributes_of(MlLdapWhat what)
{
  static const char *const certs[] = { "userCertificate;binary", "userSMIMECertificate;binary", "userSMIMECertificate", "mail", "cn",
                                       NULL };
  static const char *const people[] = { "mail", "cn", NULL };
  static const char *const none[] = { LDAP_NO_ATTRS, NULL };
  return what == ML_LDAP_CERTS ? certs : what == ML_LDAP_PEOPLE ? people : none;
}

static gboolean
search(Connection *connection, const MlLdapQuestion *question, MlDirectoryAnswer *answer, GError **error)
{
  const Library *l = connection->library;
  int id = 0, type, code = LDAP_SUCCESS;
  int scope = question->what == ML_LDAP_BASE ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE;
  struct timeval limit = { (time_t)question->directory->timeout, 0 };
  LDAPMessage *message = NULL;
  code = l->search(connection->ldap, question->directory->base, scope, question->filter, (char **)attributes_of(question->what), 0,
                   NULL, NULL, &limit, ML_DIRECTORY_ENTRIES, &id);
  if (code != LDAP_SUCCESS)
    return fail(connection, code, error);
  while ((type = l->result(connection->ldap, id, LDAP_MSG_ONE, NULL, &message)) == LDAP_RES_SEARCH_ENTRY ||
         type == LDAP_RES_SEARCH_REFERENCE || type == LDAP_RES_INTERMEDIATE) {
    answer->more |= type == LDAP_RES_SEARCH_ENTRY && answer->entries >= ML_DIRECTORY_ENTRIES;
    if (type == LDAP_RES_SEARCH_ENTRY && !answer->more)
      take_entry(connection, message, answer);
    l->free_message(g_steal_pointer(&message));
    if (answer->entries >= ML_DIRECTORY_ENTRIES && answer->more)
      return TRUE; /* a server that knows no end */
  }
  if (type != LDAP_RES_SEARCH_RESULT) {
    if (message)
      l->free_message(message);
    return fail(connection, LDAP_SERVER_DOWN, error);
  }
  int parsed = l->parse(connection->ldap, message, &code, NULL, NULL, NULL, NULL, 1);
  if (parsed != LDAP_SUCCESS)
    return fail(connection, parsed, error);
  if (code == LDAP_SIZELIMIT_EXCEEDED || code == LDAP_ADMINLIMIT_EXCEEDED || code == LDAP_TIMELIMIT_EXCEEDED) {
    answer->more = TRUE;
    return TRUE;
  }
  return code == LDAP_SUCCESS || fail(connection, code, error);
}

static void
on_cancelled(GCancellable *cancellable, gpointer tls)
{
  crypto_tls_interrupt(tls);
}

gboolean
ml_directory_ldap_ask(const MlLdapQuestion *question, MlDirectoryAnswer *answer, char **protocol, GCancellable *cancellable,
                      GError **error)
{
  const MlDirectory *directory = question->directory;
  Connection connection = { .library = library(error), .directory = directory };
  GError *why = NULL;
  int fd = connection.library ? ml_line_dial(&directory->server, cancellable, error) : -1;
  if (fd < 0)
    return FALSE;
  if (!crypto_open_wait(cancellable, &why)) {
    close(fd);
    ml_line_error(why, error);
    return FALSE;
  }
  const CryptoTlsOptions options = { .host = directory->server.host,
                                     .port = directory->server.port,
                                     .timeout_ms = directory->timeout * 1000,
                                     .handshake_ms = directory->timeout * 1000 };
  connection.tls = crypto_tls_new(fd, &options);
  gulong handler = g_cancellable_connect(cancellable, G_CALLBACK(on_cancelled), connection.tls, NULL);
  gboolean implicit = directory->server.tls == ML_TLS_IMPLICIT;
  gboolean good = (!implicit || secure(&connection, error)) && begin(&connection, fd, error) &&
                  (implicit || secure(&connection, error)) && log_in(&connection, question->password, error) &&
                  search(&connection, question, answer, error);
  if (good && protocol)
    *protocol = g_strdup(crypto_tls_protocol(connection.tls));
  if (connection.ldap)
    connection.library->unbind(connection.ldap, NULL, NULL);
  g_cancellable_disconnect(cancellable, handler);
  crypto_tls_free(connection.tls);
  g_clear_error(&connection.broken);
  return good;
}
