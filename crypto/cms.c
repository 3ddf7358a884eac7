#include "crypto/cms-private.h"

#include <string.h>

/* Reading the structure. Nothing is copied and no cryptography is done here. */

void
crypto_cms_malformed(GError **error, const char *what)
{
  g_set_error(
      error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED,
      "The S/MIME data cannot be read (%s): it is damaged or cut short. Ask the sender to send it again.",
      what);
}

gboolean
crypto_cms_read_algorithm(const CryptoBerItem *item, CryptoCmsAlgorithm *algorithm)
{
  CryptoBerReader inside = crypto_ber_enter(item);
  *algorithm = (CryptoCmsAlgorithm){ .whole = *item };
  if (!crypto_ber_expect(&inside, CRYPTO_BER_OID, &algorithm->name))
    return FALSE;
  if (!crypto_ber_at_end(&inside) && !crypto_ber_next(&inside, &algorithm->parameters))
    return FALSE;
  algorithm->oid = crypto_oid_find(&algorithm->name);
  return crypto_ber_at_end(&inside);
}

static gboolean
read_algorithm_from(CryptoBerReader *reader, guint8 tag, CryptoCmsAlgorithm *algorithm)
{
  CryptoBerItem item;
  return crypto_ber_expect(reader, tag, &item) && crypto_cms_read_algorithm(&item, algorithm);
}

static gboolean
read_version(CryptoBerReader *reader)
{
  CryptoBerItem item;
  return crypto_ber_expect(reader, CRYPTO_BER_INTEGER, &item) && crypto_ber_small(&item) >= 0;
}

gboolean
crypto_cms_read_id(const CryptoBerItem *sequence, CryptoCmsId *id)
{
  CryptoBerReader inside = crypto_ber_enter(sequence);
  *id = (CryptoCmsId){ .by_key_id = FALSE };
  return crypto_ber_expect(&inside, CRYPTO_BER_SEQUENCE, &id->issuer) &&
         crypto_ber_expect(&inside, CRYPTO_BER_INTEGER, &id->serial) && crypto_ber_at_end(&inside);
}

/* SignerIdentifier and RecipientIdentifier: IssuerAndSerialNumber, or [0] IMPLICIT SubjectKeyIdentifier. */
static gboolean
read_id_from(CryptoBerReader *reader, CryptoCmsId *id)
{
  CryptoBerItem item;
  if (crypto_ber_expect(reader, CRYPTO_BER_SEQUENCE, &item))
    return crypto_cms_read_id(&item, id);
  *id = (CryptoCmsId){ .by_key_id = TRUE };
  return crypto_ber_expect(reader, CRYPTO_BER_CONTEXT, &id->key_id);
}

/* --- SignedData --- */

static gboolean
read_signer(const CryptoBerItem *item, CryptoCmsSignerInfo *info)
{
  CryptoBerReader inside = crypto_ber_enter(item);
  *info = (CryptoCmsSignerInfo){ 0 };
  if (!read_version(&inside) || !read_id_from(&inside, &info->id) ||
      !read_algorithm_from(&inside, CRYPTO_BER_SEQUENCE, &info->digest))
    return FALSE;
  if (crypto_ber_peek(&inside) == CRYPTO_BER_CONTEXT_CONSTRUCTED &&
      (!crypto_ber_next(&inside, &info->attributes) || info->attributes.length > CRYPTO_CMS_ATTRIBUTES_SIZE))
    return FALSE;
  if (!read_algorithm_from(&inside, CRYPTO_BER_SEQUENCE, &info->signature) ||
      !crypto_ber_expect(&inside, CRYPTO_BER_OCTET_STRING, &info->value))
    return FALSE;
  if (!crypto_ber_at_end(&inside) &&
      !crypto_ber_expect(&inside, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, &info->unprotected))
    return FALSE;
  return crypto_ber_at_end(&inside);
}

static gboolean
read_signers(CryptoCms *cms, const CryptoBerItem *set, GError **error)
{
  CryptoBerReader inside = crypto_ber_enter(set);
  while (!crypto_ber_at_end(&inside)) {
    CryptoBerItem item;
    CryptoCmsSignerInfo info;
    if (cms->signers->len >= CRYPTO_CMS_SIGNERS_MAX) {
      crypto_cms_malformed(error, "more than 32 signers");
      return FALSE;
    }
    if (!crypto_ber_expect(&inside, CRYPTO_BER_SEQUENCE, &item) || !read_signer(&item, &info)) {
      crypto_cms_malformed(error, "a signer is malformed");
      return FALSE;
    }
    g_array_append_val(cms->signers, info);
  }
  return TRUE;
}

/* CertificateSet: only X.509 certificates are of use to us; attribute certificates and others are passed by. */
static gboolean
read_certs(CryptoCms *cms, const CryptoBerItem *set, GError **error)
{
  CryptoBerReader inside = crypto_ber_enter(set);
  while (!crypto_ber_at_end(&inside)) {
    CryptoBerItem item;
    if (!crypto_ber_next(&inside, &item) || cms->certs->len >= CRYPTO_CMS_CERTS_MAX) {
      crypto_cms_malformed(error, "its list of certificates");
      return FALSE;
    }
    if (item.tag == CRYPTO_BER_SEQUENCE && !item.indefinite)
      g_array_append_val(cms->certs, item);
  }
  return TRUE;
}

/* EncapsulatedContentInfo, also of CompressedData. */
static gboolean
read_enclosed(CryptoCms *cms, CryptoBerReader *reader)
{
  CryptoBerItem sequence, wrapper;
  if (!crypto_ber_expect(reader, CRYPTO_BER_SEQUENCE, &sequence))
    return FALSE;
  CryptoBerReader inside = crypto_ber_enter(&sequence);
  if (!crypto_ber_expect(&inside, CRYPTO_BER_OID, &cms->content_name))
    return FALSE;
  if (crypto_ber_at_end(&inside))
    return TRUE;
  if (!crypto_ber_expect(&inside, CRYPTO_BER_CONTEXT_CONSTRUCTED, &wrapper) || !crypto_ber_at_end(&inside))
    return FALSE;
  CryptoBerReader explicit = crypto_ber_enter(&wrapper);
  return crypto_ber_next(&explicit, &cms->content) && crypto_ber_at_end(&explicit) &&
         (cms->content.tag & ~CRYPTO_BER_CONSTRUCTED) == CRYPTO_BER_OCTET_STRING;
}

static gboolean
read_signed(CryptoCms *cms, const CryptoBerItem *sequence, GError **error)
{
  CryptoBerReader inside = crypto_ber_enter(sequence);
  CryptoBerItem digests, item;
  if (!read_version(&inside) || !crypto_ber_expect(&inside, CRYPTO_BER_SET, &digests) ||
      !read_enclosed(cms, &inside)) {
    crypto_cms_malformed(error, "its content");
    return FALSE;
  }
  if (crypto_ber_peek(&inside) == CRYPTO_BER_CONTEXT_CONSTRUCTED) {
    if (!crypto_ber_next(&inside, &item)) {
      crypto_cms_malformed(error, "its list of certificates");
      return FALSE;
    }
    if (!read_certs(cms, &item, error))
      return FALSE;
  }
  crypto_ber_optional(&inside, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1,
                      &item); /* revocation lists: not believed */
  if (!crypto_ber_expect(&inside, CRYPTO_BER_SET, &item) || !crypto_ber_at_end(&inside)) {
    crypto_cms_malformed(error, "its list of signers");
    return FALSE;
  }
  if (!read_signers(cms, &item, error))
    return FALSE;
  cms->kind = cms->signers->len > 0 ? CRYPTO_CMS_SIGNED : CRYPTO_CMS_CERTS_ONLY;
  return TRUE;
}

/* --- EnvelopedData, AuthEnvelopedData --- */

static gboolean
add_recipient(CryptoCms *cms, const CryptoCmsRecipient *recipient, GError **error)
{
  if (cms->recipients->len >= CRYPTO_CMS_RECIPIENTS_MAX) {
    crypto_cms_malformed(error, "more than 1,000 recipients");
    return FALSE;
  }
  g_array_append_vals(cms->recipients, recipient, 1);
  return TRUE;
}

static gboolean
read_transport(const CryptoBerItem *item, CryptoCmsRecipient *recipient)
{
  CryptoBerReader inside = crypto_ber_enter(item);
  return read_version(&inside) && read_id_from(&inside, &recipient->id) &&
         read_algorithm_from(&inside, CRYPTO_BER_SEQUENCE, &recipient->algorithm) &&
         crypto_ber_expect(&inside, CRYPTO_BER_OCTET_STRING, &recipient->key) && crypto_ber_at_end(&inside);
}

/* KeyAgreeRecipientIdentifier: IssuerAndSerialNumber, or [0] IMPLICIT RecipientKeyIdentifier. */
static gboolean
read_agreement_id(CryptoBerReader *reader, CryptoCmsId *id)
{
  CryptoBerItem item;
  if (crypto_ber_expect(reader, CRYPTO_BER_SEQUENCE, &item))
    return crypto_cms_read_id(&item, id);
  *id = (CryptoCmsId){ .by_key_id = TRUE };
  if (!crypto_ber_expect(reader, CRYPTO_BER_CONTEXT_CONSTRUCTED, &item))
    return FALSE;
  CryptoBerReader inside = crypto_ber_enter(&item);
  return crypto_ber_expect(&inside, CRYPTO_BER_OCTET_STRING, &id->key_id);
}

static gboolean
read_agreement(CryptoCms *cms, const CryptoBerItem *item, GError **error)
{
  CryptoCmsRecipient recipient = { .kind = CRYPTO_CMS_AGREEMENT };
  CryptoBerReader inside = crypto_ber_enter(item);
  CryptoBerItem wrapper, keys;
  gboolean good = read_version(&inside) &&
                  crypto_ber_expect(&inside, CRYPTO_BER_CONTEXT_CONSTRUCTED, &recipient.originator);
  if (good && crypto_ber_peek(&inside) == CRYPTO_BER_CONTEXT_CONSTRUCTED + 1) {
    good = crypto_ber_next(&inside, &wrapper);
    CryptoBerReader explicit = crypto_ber_enter(&wrapper);
    good = good && crypto_ber_expect(&explicit, CRYPTO_BER_OCTET_STRING, &recipient.ukm);
  }
  if (!good || !read_algorithm_from(&inside, CRYPTO_BER_SEQUENCE, &recipient.algorithm) ||
      !crypto_ber_expect(&inside, CRYPTO_BER_SEQUENCE, &keys) || !crypto_ber_at_end(&inside)) {
    crypto_cms_malformed(error, "a recipient is malformed");
    return FALSE;
  }
  CryptoBerReader each = crypto_ber_enter(&keys);
  while (!crypto_ber_at_end(&each)) {
    CryptoBerItem entry;
    gboolean read = crypto_ber_expect(&each, CRYPTO_BER_SEQUENCE, &entry);
    CryptoBerReader fields = read ? crypto_ber_enter(&entry) : each;
    if (!read || !read_agreement_id(&fields, &recipient.id) ||
        !crypto_ber_expect(&fields, CRYPTO_BER_OCTET_STRING, &recipient.key)) {
      crypto_cms_malformed(error, "a recipient is malformed");
      return FALSE;
    }
    if (!add_recipient(cms, &recipient, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_recipient(CryptoCms *cms, const CryptoBerItem *item, GError **error)
{
  CryptoCmsRecipient recipient = { .kind = CRYPTO_CMS_OTHER_RECIPIENT };
  switch (item->tag) {
  case CRYPTO_BER_SEQUENCE:
    recipient.kind = CRYPTO_CMS_TRANSPORT;
    if (!read_transport(item, &recipient)) {
      crypto_cms_malformed(error, "a recipient is malformed");
      return FALSE;
    }
    return add_recipient(cms, &recipient, error);
  case CRYPTO_BER_CONTEXT_CONSTRUCTED + 1:
    return read_agreement(cms, item, error);
  case CRYPTO_BER_CONTEXT_CONSTRUCTED + 2:
    recipient.what = "a key agreed beforehand";
    return add_recipient(cms, &recipient, error);
  case CRYPTO_BER_CONTEXT_CONSTRUCTED + 3:
    recipient.what = "a password";
    return add_recipient(cms, &recipient, error);
  default:
    recipient.what = "a kind of recipient that is not known here";
    return add_recipient(cms, &recipient, error);
  }
}

/* EncryptedContentInfo. */
static gboolean
read_encrypted(CryptoCms *cms, CryptoBerReader *reader)
{
  CryptoBerItem sequence;
  if (!crypto_ber_expect(reader, CRYPTO_BER_SEQUENCE, &sequence))
    return FALSE;
  CryptoBerReader inside = crypto_ber_enter(&sequence);
  if (!crypto_ber_expect(&inside, CRYPTO_BER_OID, &cms->content_name) ||
      !read_algorithm_from(&inside, CRYPTO_BER_SEQUENCE, &cms->cipher))
    return FALSE;
  if (crypto_ber_at_end(&inside))
    return TRUE;
  return crypto_ber_next(&inside, &cms->content) && crypto_ber_at_end(&inside) &&
         (cms->content.tag & ~CRYPTO_BER_CONSTRUCTED) == CRYPTO_BER_CONTEXT;
}

static gboolean
read_enveloped(CryptoCms *cms, const CryptoBerItem *sequence, GError **error)
{
  CryptoBerReader inside = crypto_ber_enter(sequence);
  CryptoBerItem item, set;
  gboolean good = read_version(&inside);
  if (good && crypto_ber_peek(&inside) == CRYPTO_BER_CONTEXT_CONSTRUCTED)
    good = crypto_ber_next(&inside, &item); /* the originator's certificates */
  if (!good || !crypto_ber_expect(&inside, CRYPTO_BER_SET, &set)) {
    crypto_cms_malformed(error, "its list of recipients");
    return FALSE;
  }
  CryptoBerReader each = crypto_ber_enter(&set);
  while (!crypto_ber_at_end(&each)) {
    if (!crypto_ber_next(&each, &item)) {
      crypto_cms_malformed(error, "its list of recipients");
      return FALSE;
    }
    if (!read_recipient(cms, &item, error))
      return FALSE;
  }
  good = read_encrypted(cms, &inside);
  if (good && cms->type == CRYPTO_OID_AUTH_ENVELOPED_DATA) {
    if (crypto_ber_peek(&inside) == CRYPTO_BER_CONTEXT_CONSTRUCTED + 1)
      good = crypto_ber_next(&inside, &cms->attributes);
    good = good && crypto_ber_expect(&inside, CRYPTO_BER_OCTET_STRING, &cms->mac);
    crypto_ber_optional(&inside, CRYPTO_BER_CONTEXT_CONSTRUCTED + 2, &item);
  } else if (good) {
    crypto_ber_optional(&inside, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, &item);
  }
  if (!good || !crypto_ber_at_end(&inside)) {
    crypto_cms_malformed(error, "its encrypted content");
    return FALSE;
  }
  cms->kind = cms->type == CRYPTO_OID_ENVELOPED_DATA ? CRYPTO_CMS_ENVELOPED : CRYPTO_CMS_AUTH_ENVELOPED;
  return TRUE;
}

static gboolean
read_compressed(CryptoCms *cms, const CryptoBerItem *sequence, GError **error)
{
  CryptoBerReader inside = crypto_ber_enter(sequence);
  if (!read_version(&inside) || !read_algorithm_from(&inside, CRYPTO_BER_SEQUENCE, &cms->cipher) ||
      !read_enclosed(cms, &inside) || !crypto_ber_at_end(&inside)) {
    crypto_cms_malformed(error, "its compressed content");
    return FALSE;
  }
  cms->kind = CRYPTO_CMS_COMPRESSED;
  return TRUE;
}

/* --- ContentInfo --- */

static gboolean
only_padding(const guint8 *at, const guint8 *end)
{
  while (at < end && (*at == 0 || *at == '\r' || *at == '\n'))
    at++;
  return at == end;
}

static char *
content_type_name(const CryptoBerItem *name)
{
  char *text = crypto_oid_describe(name);
  text[0] = g_ascii_tolower(text[0]);
  return text;
}

static gboolean
read_content_info(CryptoCms *cms, GError **error)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(cms->bytes, &length);
  CryptoBerReader reader = crypto_ber_reader(data, length);
  reader.ends = &cms->ends;
  CryptoBerItem sequence, name, wrapper, inner;
  if (!crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &sequence)) {
    crypto_cms_malformed(error, length == 0 ? "it is empty"
                                            : "it does not begin like S/MIME data, or ends too soon");
    return FALSE;
  }
  if (!only_padding(reader.at, reader.end)) {
    crypto_cms_malformed(error, "something follows its end");
    return FALSE;
  }
  CryptoBerReader inside = crypto_ber_enter(&sequence);
  if (!crypto_ber_expect(&inside, CRYPTO_BER_OID, &name)) {
    crypto_cms_malformed(error, "it does not say what it is");
    return FALSE;
  }
  cms->type = crypto_oid_find(&name);
  cms->type_name = crypto_oid_describe(&name);
  gboolean ours = cms->type == CRYPTO_OID_SIGNED_DATA || cms->type == CRYPTO_OID_ENVELOPED_DATA ||
                  cms->type == CRYPTO_OID_AUTH_ENVELOPED_DATA || cms->type == CRYPTO_OID_COMPRESSED_DATA;
  if (!ours)
    return TRUE;
  gboolean good =
      crypto_ber_expect(&inside, CRYPTO_BER_CONTEXT_CONSTRUCTED, &wrapper) && crypto_ber_at_end(&inside);
  CryptoBerReader explicit = good ? crypto_ber_enter(&wrapper) : inside;
  if (!good || !crypto_ber_expect(&explicit, CRYPTO_BER_SEQUENCE, &inner) || !crypto_ber_at_end(&explicit)) {
    crypto_cms_malformed(error, "its outer structure");
    return FALSE;
  }
  if (cms->type == CRYPTO_OID_SIGNED_DATA)
    return read_signed(cms, &inner, error);
  if (cms->type == CRYPTO_OID_COMPRESSED_DATA)
    return read_compressed(cms, &inner, error);
  return read_enveloped(cms, &inner, error);
}

CryptoCms *
crypto_cms_parse(GBytes *bytes, GError **error)
{
  g_autoptr(CryptoCms) cms = g_new0(CryptoCms, 1);
  cms->bytes = g_bytes_ref(bytes);
  cms->kind = CRYPTO_CMS_OTHER;
  cms->certs = g_array_new(FALSE, FALSE, sizeof(CryptoBerItem));
  cms->signers = g_array_new(FALSE, FALSE, sizeof(CryptoCmsSignerInfo));
  cms->recipients = g_array_new(FALSE, FALSE, sizeof(CryptoCmsRecipient));
  if (!read_content_info(cms, error))
    return NULL;
  if (cms->content_name.tag != 0)
    cms->content_type = content_type_name(&cms->content_name);
  return g_steal_pointer(&cms);
}

void
crypto_cms_free(CryptoCms *cms)
{
  if (!cms)
    return;
  g_bytes_unref(cms->bytes);
  g_free(cms->type_name);
  g_free(cms->content_type);
  g_array_unref(cms->certs);
  g_array_unref(cms->signers);
  g_array_unref(cms->recipients);
  g_free(cms);
}

CryptoCmsKind
crypto_cms_kind(CryptoCms *cms)
{
  return cms->kind;
}

const char *
crypto_cms_type_name(CryptoCms *cms)
{
  return cms->type_name;
}

const char *
crypto_cms_content_type(CryptoCms *cms)
{
  return cms->content_type;
}

GBytes *
crypto_cms_content(CryptoCms *cms)
{
  if (cms->content.tag == 0 || (cms->kind != CRYPTO_CMS_SIGNED && cms->kind != CRYPTO_CMS_CERTS_ONLY))
    return NULL;
  return crypto_ber_octets(cms->bytes, &cms->content, G_MAXINT32);
}

GPtrArray *
crypto_cms_certs(CryptoCms *cms)
{
  GPtrArray *certs = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  for (guint i = 0; i < cms->certs->len; i++) {
    const CryptoBerItem *item = &g_array_index(cms->certs, CryptoBerItem, i);
    CryptoCert *cert = crypto_cert_new(item->start, item->total, NULL);
    if (cert)
      g_ptr_array_add(certs, cert);
  }
  return certs;
}
