#include "crypto/chain-private.h"

#include <secerr.h>
#include <string.h>

/* Name constraints (RFC 5280 4.2.1.10). Mail addresses are compared here, wherever the certificate carries them
 * (rfc822Name, SmtpUTF8Mailbox, emailAddress of the subject); all names but those are left to NSS. */
enum { COMPARISONS_MAX = 20000, NAMES_MAX = 2000 };

/* A host as constraints compare it: A-labels, lower case. */
static char *
host_of(const char *text)
{
  char *host = g_hostname_to_ascii(text);
  if (!host)
    return g_ascii_strdown(text, -1);
  for (char *c = host; *c; c++)
    *c = g_ascii_tolower(*c);
  return host;
}

/* "a@b" names a mailbox, "b" every mailbox at that host, ".b" at every host below it. */
static gboolean
address_matches(const char *address, const char *constraint)
{
  if (!*constraint)
    return TRUE;
  const char *at = strrchr(address, '@');
  if (!at)
    return FALSE;
  g_autofree char *host = host_of(at + 1);
  const char *rule_at = strrchr(constraint, '@');
  const char *rule_host = rule_at ? rule_at + 1 : constraint;
  if (*rule_host == '.') {
    g_autofree char *suffix = host_of(rule_host + 1);
    gsize length = strlen(host), tail = strlen(suffix);
    return length > tail + 1 && host[length - tail - 1] == '.' && strcmp(host + length - tail, suffix) == 0;
  }
  g_autofree char *wanted = host_of(rule_host);
  if (strcmp(host, wanted) != 0)
    return FALSE;
  return !rule_at || (rule_at - constraint == at - address &&
                      g_ascii_strncasecmp(address, constraint, (gsize)(at - address)) == 0);
}

static char *
rule_text(const CERTNameConstraint *rule)
{
  const SECItem *item = &rule->name.name.other;
  return memchr(item->data, 0, item->len) ? NULL : g_strndup((const char *)item->data, item->len);
}

/* TRUE if @address fits one of @list; *any tells whether the list speaks of addresses at all. */
static gboolean
listed(const char *address, CERTNameConstraint *list, gboolean *any)
{
  CERTNameConstraint *rule = list;
  gboolean fits = FALSE;
  *any = FALSE;
  if (!rule)
    return FALSE;
  do {
    if (rule->name.type == certRFC822Name) {
      g_autofree char *text = rule_text(rule);
      *any = TRUE;
      fits = fits || (text && address_matches(address, text));
    }
    rule = CERT_GetNextNameConstraint(rule);
  } while (rule != list);
  return fits;
}

static guint
count_rules(CERTNameConstraint *list)
{
  guint count = 0;
  CERTNameConstraint *rule = list;
  if (rule) {
    do {
      count++;
      rule = CERT_GetNextNameConstraint(rule);
    } while (rule != list);
  }
  return count;
}

/* A rule of a kind that is not understood forbids every name of that kind. */
static gboolean
understood(CERTNameConstraint *list, CERTGeneralNameType kind)
{
  CERTNameConstraint *rule = list;
  if (rule) {
    do {
      if (rule->name.type == kind)
        return FALSE;
      rule = CERT_GetNextNameConstraint(rule);
    } while (rule != list);
  }
  return TRUE;
}

static gboolean
addresses_allowed(CryptoCert *cert, const CERTNameConstraints *rules)
{
  for (const char *const *address = crypto_cert_addresses(cert); *address; address++) {
    gboolean any;
    if (listed(*address, rules->excluded, &any))
      return FALSE;
    if (!listed(*address, rules->permited, &any) && any)
      return FALSE;
  }
  return TRUE;
}

static gboolean
name_allowed(PLArenaPool *arena, const CERTNameConstraints *rules, CERTGeneralName *name)
{
  switch (name->type) {
  case certOtherName:
  case certX400Address:
  case certEDIPartyName:
  case certRegisterID:
    return understood(rules->permited, name->type) && understood(rules->excluded, name->type);
  default:
    return CERT_CheckNameSpace(arena, rules, name) == SECSuccess;
  }
}

static gboolean
alternative_names_allowed(PLArenaPool *arena, const CERTNameConstraints *rules, CERTCertificate *nss,
                          guint rule_count)
{
  SECItem item = { siBuffer, NULL, 0 };
  if (CERT_FindCertExtension(nss, SEC_OID_X509_SUBJECT_ALT_NAME, &item) != SECSuccess)
    return PORT_GetError() == SEC_ERROR_EXTENSION_NOT_FOUND;
  CERTGeneralName *first = CERT_DecodeAltNameExtension(arena, &item), *name = first;
  gboolean allowed = first != NULL;
  guint count = 0;
  while (allowed && name) {
    count++;
    allowed = count <= NAMES_MAX && count * rule_count <= COMPARISONS_MAX && name_allowed(arena, rules, name);
    name = CERT_GetNextGeneralName(name);
    if (name == first)
      break;
  }
  SECITEM_FreeItem(&item, PR_FALSE);
  return allowed;
}

static gboolean
subject_allowed(PLArenaPool *arena, const CERTNameConstraints *rules, CERTCertificate *nss)
{
  if (!nss->subject.rdns || !nss->subject.rdns[0])
    return TRUE;
  CERTGeneralName name;
  memset(&name, 0, sizeof name);
  name.type = certDirectoryName;
  name.name.directoryName = nss->subject;
  name.derDirectoryName = nss->derSubject;
  PR_INIT_CLIST(&name.l);
  return CERT_CheckNameSpace(arena, rules, &name) == SECSuccess;
}

gboolean
crypto_names_allowed(CryptoCert *authority, CryptoCert *cert)
{
  PLArenaPool *arena = PORT_NewArena(DER_DEFAULT_CHUNKSIZE);
  g_assert(arena);
  CERTNameConstraints *rules = NULL;
  gboolean allowed = CERT_FindNameConstraintsExten(arena, authority->nss, &rules) == SECSuccess;
  if (allowed && rules) {
    guint count = count_rules(rules->permited) + count_rules(rules->excluded);
    allowed = count * g_strv_length(cert->addresses) <= COMPARISONS_MAX && addresses_allowed(cert, rules) &&
              subject_allowed(arena, rules, cert->nss) &&
              alternative_names_allowed(arena, rules, cert->nss, count);
  }
  PORT_FreeArena(arena, PR_FALSE);
  return allowed;
}
