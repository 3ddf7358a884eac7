/* Certificates chosen for recipients and for ourselves, and drafts sealed with them. Keys of everybody lie in one
 * throw-away database, so that every copy can be read. */
#include <string.h>

#include "crypto/context.h"
#include "crypto/issue.h"
#include "mail/seal.h"
#include "tests/unit/pki.h"

enum { DAY = 86400 };

static char *folder;
static gint64 now;
static CryptoCert *root;

typedef struct {
  const char *name; /* the address is NAME@example.org */
  const char *curve;
  gboolean sign, encrypt;
  int from, to; /* days from now */
  gboolean own_root;
} Person;

static const Person people[] = {
  { "anna", NULL, TRUE, TRUE, -100, 100, FALSE },
  { "anna", NULL, TRUE, TRUE, -10, 200, FALSE }, /* renewed */
  { "anna", NULL, TRUE, TRUE, -5, -1, FALSE },   /* newest, but past its end */
  { "bob", "P-256", TRUE, TRUE, -10, 100, FALSE },
  { "carol", "P-384", TRUE, TRUE, -10, 100, FALSE },
  { "dora", NULL, TRUE, TRUE, -10, -1, FALSE },
  { "emil", NULL, TRUE, FALSE, -10, 100, FALSE },
  { "frida", NULL, TRUE, TRUE, -10, 100, TRUE },
  { "gero", NULL, TRUE, FALSE, -10, 100, FALSE }, /* two certificates, one for each use */
  { "gero", "P-521", FALSE, TRUE, -10, 100, FALSE },
  { "archive", NULL, FALSE, TRUE, -10, 100, FALSE },
  { "jürgen", "P-256", TRUE, TRUE, -10, 100, FALSE }, /* SmtpUTF8Mailbox (RFC 8398) */
};
static CryptoCert *certs[G_N_ELEMENTS(people)];

static CryptoCert *
issue(const Person *person)
{
  g_autofree char *address = g_strconcat(person->name, "@example.org", NULL);
  const char *addresses[] = { address, NULL };
  g_autoptr(GError) error = NULL;
  const CryptoIssue what = { .common_name = person->name,
                             .addresses = addresses,
                             .issuer = person->own_root ? NULL : root,
                             .not_before = now + person->from * DAY,
                             .not_after = now + person->to * DAY,
                             .sign = person->sign,
                             .encrypt = person->encrypt,
                             .curve = person->curve };
  CryptoCert *cert = crypto_issue(&what, NULL, &error);
  g_assert_no_error(error);
  return cert;
}

static void
set_up(void)
{
  g_autoptr(GError) error = NULL;
  folder = pki_folder();
  g_autofree char *database = g_build_filename(folder, "nssdb", NULL);
  const CryptoOptions options = { .nssdb = database, .create = TRUE };
  gboolean opened = crypto_open(&options, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
  now = g_get_real_time() / G_USEC_PER_SEC;
  const CryptoIssue what = { .common_name = "Root",
                             .organisation = "Test House",
                             .authority = TRUE,
                             .sign = TRUE,
                             .not_before = now - 1000 * DAY,
                             .not_after = now + 1000 * DAY,
                             .curve = "P-256" };
  root = crypto_issue(&what, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(crypto_certdb_set_trust(root, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error));
  for (guint i = 0; i < G_N_ELEMENTS(people); i++)
    certs[i] = issue(&people[i]);
}

static void
tear_down(void)
{
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < G_N_ELEMENTS(people); i++)
    crypto_cert_unref(certs[i]);
  crypto_cert_unref(root);
  gboolean closed = crypto_close(&error);
  g_assert_no_error(error);
  g_assert_true(closed);
  tree_remove(folder);
  g_free(folder);
}

/* --- which certificate --- */

static CryptoCert *
own(const char *address, const char *fingerprint, CryptoUse use, GError **error)
{
  return ml_recipients_own(NULL, address, fingerprint, use, now, CRYPTO_REVOCATION_SOFT, error);
}

static void
test_own(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCert) signer = own("Anna@Example.ORG", NULL, CRYPTO_USE_SIGN, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(crypto_cert_sha256(signer), ==, crypto_cert_sha256(certs[1])); /* the newest valid one */
  g_autoptr(CryptoCert) older =
      own("anna@example.org", crypto_cert_sha256(certs[0]), CRYPTO_USE_SIGN, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(crypto_cert_sha256(older), ==, crypto_cert_sha256(certs[0]));
  g_autoptr(CryptoCert) first = own("gero@example.org", NULL, CRYPTO_USE_SIGN, &error);
  g_autoptr(CryptoCert) second = own("gero@example.org", NULL, CRYPTO_USE_ENCRYPT, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(crypto_cert_sha256(first), ==, crypto_cert_sha256(certs[8]));
  g_assert_cmpstr(crypto_cert_sha256(second), ==, crypto_cert_sha256(certs[9]));
  static const struct {
    const char *address;
    int cert; /* -1: none is named */
    CryptoUse use;
    const char *words;
  } refused[] = {
    { "nobody@example.org", -1, CRYPTO_USE_SIGN, "none with a private key" },
    { "dora@example.org", -1, CRYPTO_USE_SIGN, "past its end" },
    { "anna@example.org", 2, CRYPTO_USE_SIGN, "past its end" },
    { "emil@example.org", -1, CRYPTO_USE_ENCRYPT, "does not allow this use" },
    { "gero@example.org", 9, CRYPTO_USE_SIGN, "does not allow this use" },
    { "anna@example.org", 3, CRYPTO_USE_SIGN, "not for anna@example.org" },
    { "frida@example.org", -1, CRYPTO_USE_SIGN, "trust it for mail" },
  };
  for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
    g_autoptr(GError) why = NULL;
    int index = refused[i].cert;
    g_assert_null(
        own(refused[i].address, index < 0 ? NULL : crypto_cert_sha256(certs[index]), refused[i].use, &why));
    g_test_message("%s", why->message);
    g_assert_nonnull(strstr(why->message, refused[i].words));
  }
  g_autoptr(CryptoCert) named =
      own("frida@example.org", crypto_cert_sha256(certs[7]), CRYPTO_USE_SIGN, &error);
  g_assert_no_error(error); /* the user says so */
}

static GPtrArray *
mailboxes(const char *const *names)
{
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_mailbox_free);
  for (; *names; names++) {
    MlMailbox *mailbox = g_new0(MlMailbox, 1);
    mailbox->address = g_strconcat(*names, "@Example.ORG", NULL);
    mailbox->display = g_strdup(mailbox->address);
    g_ptr_array_add(all, mailbox);
  }
  return all;
}

static void
test_rows(void)
{
  static const char *const names[] = { "bob", "dora", "emil", "frida", "nobody", "anna", "jürgen", NULL };
  static const struct {
    MlCertState state;
    int cert;
    const char *words;
  } expected[] = {
    { ML_CERT_READY, 3, NULL },          { ML_CERT_UNFIT, 5, "past its end" },
    { ML_CERT_UNFIT, 6, "this use" },    { ML_CERT_UNFIT, 7, "trust it for mail" },
    { ML_CERT_NONE, -1, "signed mail" }, { ML_CERT_READY, 1, NULL },
    { ML_CERT_READY, 11, NULL },
  };
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) who = mailboxes(names);
  g_autofree char *file = g_build_filename(folder, "people.db", NULL);
  g_autoptr(MlPeople) remembered = ml_people_open(file, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) rows = ml_recipients_find(remembered, who, now, CRYPTO_REVOCATION_SOFT, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(rows->len, ==, G_N_ELEMENTS(expected));
  for (guint i = 0; i < rows->len; i++) {
    const MlRecipient *row = rows->pdata[i];
    g_test_message("%s: %s", row->address, row->reason ? row->reason : "ready");
    g_assert_cmpint(row->state, ==, expected[i].state);
    g_assert_cmpint(row->cert != NULL, ==, expected[i].cert >= 0);
    if (row->cert)
      g_assert_cmpstr(crypto_cert_sha256(row->cert), ==, crypto_cert_sha256(certs[expected[i].cert]));
    g_assert_cmpint(row->reason != NULL, ==, expected[i].words != NULL);
    if (expected[i].words)
      g_assert_nonnull(strstr(row->reason, expected[i].words));
  }
  g_assert_cmpuint(((MlRecipient *)rows->pdata[5])->others->len, ==, 2);
  const char *reason;
  g_assert_false(ml_recipients_ready(rows, &reason));
  g_assert_nonnull(strstr(reason, "past its end"));
  /* Frida's is accepted as it is; Dora's would not be. */
  g_assert_true(
      ml_people_accept(remembered, "frida@example.org", crypto_cert_sha256(certs[7]), "", now, &error));
  g_assert_true(
      ml_people_accept(remembered, "dora@example.org", crypto_cert_sha256(certs[5]), "", now, &error));
  g_autoptr(GPtrArray) again = ml_recipients_find(remembered, who, now, CRYPTO_REVOCATION_SOFT, &error);
  g_assert_cmpint(((MlRecipient *)again->pdata[3])->state, ==, ML_CERT_READY);
  g_assert_cmpint(((MlRecipient *)again->pdata[1])->state, ==, ML_CERT_UNFIT);
}

/* --- sealing --- */

static const MlAccount account = { .name = (char *)"test",
                                   .address = (char *)"anna@example.org",
                                   .sign = (char *)"ask",
                                   .encrypt = (char *)"ask" };

static void
set(char **field, const char *value)
{
  g_free(*field);
  *field = g_strdup(value);
}

static MlDraft *
new_draft(const char *to, const char *cc, const char *bcc)
{
  MlDraft *draft = ml_draft_new(&account);
  set(&draft->from, "Anna Keller <anna@example.org>");
  set(&draft->to, to);
  set(&draft->cc, cc);
  set(&draft->bcc, bcc);
  set(&draft->subject, "Vertrag für März");
  set(&draft->text, "Grüße.\n\nFrom here to there \n.\n-- \nAnna\n");
  return draft;
}

static GPtrArray *
rows_of(MlDraft *draft, const MlAccount *whose)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) who = ml_draft_mailboxes(draft, &error);
  g_assert_no_error(error);
  GPtrArray *rows = ml_recipients_find(NULL, who, now, CRYPTO_REVOCATION_SOFT, &error);
  g_assert_no_error(error);
  ml_recipients_add_own(rows, whose, "anna@example.org", now, CRYPTO_REVOCATION_SOFT);
  return rows;
}

static MlMessage *
read_back(GBytes *bytes)
{
  const MlReadOptions options = { .at = now, .received = now, .revocation = CRYPTO_REVOCATION_SOFT };
  g_autoptr(GError) error = NULL;
  MlMessage *message = ml_message_read(bytes, &options, NULL, &error);
  g_assert_no_error(error);
  return message;
}

static gboolean
holds(GBytes *bytes, const char *words)
{
  gsize length;
  gconstpointer data = g_bytes_get_data(bytes, &length);
  return memmem(data, length, words, strlen(words)) != NULL;
}

/* HP-Outer says which fields stand outside as they do inside: without it all would count as hidden (RFC 9788 4.2). */
static void
check_recorded(const MlMessage *message)
{
  GPtrArray *lines = ml_message_headers(message);
  guint hidden = 0;
  for (guint i = 0; i < lines->len; i++) {
    const MlHeaderLine *line = lines->pdata[i];
    hidden += line->encrypted;
    if (!strcmp(line->name, "Subject"))
      g_assert_true(line->encrypted);
    if (!strcmp(line->name, "From") || !strcmp(line->name, "To") || !strcmp(line->name, "Message-ID"))
      g_assert_false(line->encrypted);
  }
  g_assert_cmpuint(hidden, >, 0);
}

static void
check_message(GBytes *bytes, const MlDraft *draft)
{
  g_autoptr(MlMessage) message = read_back(bytes);
  const MlVerdict *verdict = ml_message_verdict(message);
  g_test_message("%s / %s: %s", ml_signature_word(verdict->signature),
                 ml_encryption_word(verdict->encryption), verdict->reason);
  g_assert_cmpint(verdict->encryption, ==, draft->encrypt ? ML_ENCRYPTION_DECRYPTED : ML_ENCRYPTION_NONE);
  g_assert_cmpint(verdict->signature, ==, draft->sign ? ML_SIGNATURE_VALID : ML_SIGNATURE_UNSIGNED);
  g_assert_cmpint(verdict->indicator, ==, draft->sign ? ML_INDICATOR_GOOD : ML_INDICATOR_NONE);
  g_assert_cmpint(verdict->protected_headers, ==,
                  draft->sign && draft->encrypt ? ML_PROTECTED_BOTH
                  : draft->sign                 ? ML_PROTECTED_SIGNED
                  : draft->encrypt              ? ML_PROTECTED_ENCRYPTED
                                                : ML_PROTECTED_NONE);
  g_assert_cmpstr(ml_message_header(message, "Subject"), ==, "Vertrag für März");
  g_assert_nonnull(strstr(ml_message_text(message), "Grüße."));
  g_assert_null(ml_message_outer_differs(message)[0]);
  g_assert_cmpint(holds(bytes, "Subject: [...]"), ==, draft->encrypt);
  if (draft->encrypt)
    check_recorded(message);
}

static void
test_seal(gconstpointer data)
{
  guint form = GPOINTER_TO_UINT(data);
  g_autoptr(MlDraft) draft = new_draft("Bob <bob@example.org>", "carol@example.org", NULL);
  draft->sign = form & 1;
  draft->encrypt = (form & 2) != 0;
  draft->opaque = (form & 4) != 0;
  g_autoptr(GPtrArray) rows = rows_of(draft, &account);
  const MlSealOptions options = {
    .now = now, .signer = certs[1], .recipients = rows, .revocation = CRYPTO_REVOCATION_SOFT
  };
  g_autoptr(GError) error = NULL;
  g_autoptr(MlSealed) sealed = ml_seal(draft, &options, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(sealed->outgoing->len, ==, 1);
  const MlOutgoing *outgoing = sealed->outgoing->pdata[0];
  g_assert_cmpstr(outgoing->from, ==, "anna@example.org");
  g_assert_cmpuint(outgoing->recipients->len, ==, 2);
  g_assert_cmpstr(sealed->subject, ==, draft->encrypt ? "[...]" : "Vertrag für März");
  g_assert_cmpstr(sealed->message_id, ==, draft->message_id);
  check_message(outgoing->bytes, draft);
  check_message(sealed->copy, draft);
  g_assert_cmpint(holds(outgoing->bytes, "multipart/signed"), ==,
                  draft->sign && !draft->opaque && !draft->encrypt);
}

/* What the answered mail had only inside stays out of the outbox's head too, where the answer leaves in clear. */
static void
test_secret_subject(void)
{
  g_autoptr(MlDraft) draft = new_draft("Bob <bob@example.org>", NULL, NULL);
  set(&draft->subject, "Re: Vertrag für März");
  draft->sign = draft->encrypt = FALSE;
  draft->secret_subject = g_strdup("vertrag für märz");
  const MlSealOptions options = { .now = now, .revocation = CRYPTO_REVOCATION_SOFT };
  g_autoptr(GError) error = NULL;
  g_autoptr(MlSealed) sealed = ml_seal(draft, &options, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(sealed->subject, ==, "Re: [...]");
  g_assert_true(holds(((MlOutgoing *)sealed->outgoing->pdata[0])->bytes, "Subject: Re: [...]"));
}

static GBytes *
labelled(const char *second)
{
  g_autofree char *text = g_strdup_printf(
      "From: anna@example.org\r\nTo: bob@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
      "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=b\r\n\r\n"
      "--b\r\nContent-Type: text/plain\r\n\r\nHello.\r\n%s--b--\r\n",
      second);
  return g_bytes_new(text, strlen(text));
}

/* For policy a signature is one by what it holds, not by its label. */
static void
test_labels(void)
{
  static const char *const seconds[] = {
    "",
    "--b\r\nContent-Type: text/plain\r\n\r\nnone\r\n",
    "--b\r\nContent-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\nMAA=\r\n",
  };
  gboolean is_signed = TRUE, encrypted = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS(seconds); i++) {
    g_autoptr(GBytes) bytes = labelled(seconds[i]);
    g_assert_true(ml_seal_layers(bytes, &is_signed, &encrypted));
    g_assert_false(is_signed || encrypted);
    is_signed = encrypted = TRUE;
  }
  g_autoptr(MlDraft) draft = new_draft("Bob <bob@example.org>", NULL, NULL);
  draft->sign = TRUE;
  draft->encrypt = FALSE;
  const MlSealOptions options = { .now = now, .signer = certs[1], .revocation = CRYPTO_REVOCATION_SOFT };
  g_autoptr(GError) error = NULL;
  g_autoptr(MlSealed) sealed = ml_seal(draft, &options, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(ml_seal_layers(((MlOutgoing *)sealed->outgoing->pdata[0])->bytes, &is_signed, &encrypted));
  g_assert_true(is_signed && !encrypted);
}

/* Nobody but the one Bcc recipient and the sender can tell that there was one. */
static void
test_bcc(gconstpointer data)
{
  guint form = GPOINTER_TO_UINT(data);
  g_autoptr(MlDraft) draft =
      new_draft("bob@example.org", NULL, "Carol <carol@example.org>, gero@example.org");
  draft->sign = form & 1;
  draft->encrypt = (form & 2) != 0;
  g_autoptr(GPtrArray) rows = rows_of(draft, &account);
  const MlSealOptions options = {
    .now = now, .signer = certs[1], .recipients = rows, .revocation = CRYPTO_REVOCATION_SOFT
  };
  g_autoptr(GError) error = NULL;
  g_autoptr(MlSealed) sealed = ml_seal(draft, &options, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(sealed->outgoing->len, ==, draft->encrypt ? 3 : 1);
  for (guint i = 0; i < sealed->outgoing->len; i++) {
    const MlOutgoing *outgoing = sealed->outgoing->pdata[i];
    g_assert_cmpuint(outgoing->recipients->len, ==, draft->encrypt ? 1 : 3);
    check_message(outgoing->bytes, draft);
    g_assert_false(holds(outgoing->bytes, "carol"));
    g_autoptr(MlMessage) message = read_back(outgoing->bytes);
    g_assert_null(ml_message_header(message, "Bcc"));
    const CryptoEnvelope *envelope = ml_message_verdict(message)->envelope;
    if (!draft->encrypt)
      continue;
    g_assert_cmpuint(envelope->recipients->len, ==, 2); /* the sender and one more */
    for (guint r = 0; r < 2; r++) {
      g_test_message("copy %u: %s", i, (char *)envelope->recipients->pdata[r]);
      const char *other = i == 0 ? "bob" : i == 1 ? "carol" : "gero", *name = envelope->recipients->pdata[r];
      g_assert_true(strstr(name, other) || strstr(name, "anna"));
    }
  }
  check_message(sealed->copy, draft);
  g_autoptr(MlMessage) copy = read_back(sealed->copy);
  g_assert_nonnull(strstr(ml_message_header(copy, "Bcc"), "carol@example.org"));
  g_assert_nonnull(strstr(ml_message_header(copy, "Bcc"), "gero@example.org"));
  g_assert_cmpint(holds(sealed->copy, "carol"), ==, !draft->encrypt);
}

static void
test_archive(void)
{
  MlAccount archived = account;
  archived.archive_cert = (char *)crypto_cert_sha256(certs[10]);
  g_autoptr(MlDraft) draft = new_draft("bob@example.org", NULL, NULL);
  draft->sign = draft->encrypt = TRUE;
  g_autoptr(GPtrArray) rows = rows_of(draft, &archived);
  g_assert_cmpuint(rows->len, ==, 3);
  g_assert_true(((MlRecipient *)rows->pdata[2])->archive);
  g_assert_cmpint(((MlRecipient *)rows->pdata[2])->state, ==, ML_CERT_READY);
  const MlSealOptions options = {
    .now = now, .signer = certs[1], .recipients = rows, .revocation = CRYPTO_REVOCATION_SOFT
  };
  g_autoptr(GError) error = NULL;
  g_autoptr(MlSealed) sealed = ml_seal(draft, &options, NULL, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(MlMessage) message = read_back(((MlOutgoing *)sealed->outgoing->pdata[0])->bytes);
  g_assert_cmpuint(ml_message_verdict(message)->envelope->recipients->len, ==, 3);
  archived.archive_cert = (char *)crypto_cert_sha256(certs[6]); /* one for signing */
  g_autoptr(GPtrArray) unfit = rows_of(draft, &archived);
  g_assert_cmpint(((MlRecipient *)unfit->pdata[2])->state, ==, ML_CERT_UNFIT);
}

/* AES-GCM only where everybody announced it. */
static void
test_cipher(void)
{
  g_autoptr(MlDraft) draft = new_draft("bob@example.org", "anna@example.org", NULL);
  draft->encrypt = TRUE;
  g_autoptr(GPtrArray) rows = rows_of(draft, &account);
  const MlSealOptions options = { .now = now, .recipients = rows, .revocation = CRYPTO_REVOCATION_SOFT };
  for (guint round = 0; round < 2; round++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(MlSealed) sealed = ml_seal(draft, &options, NULL, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(MlMessage) message = read_back(((MlOutgoing *)sealed->outgoing->pdata[0])->bytes);
    const CryptoEnvelope *envelope = ml_message_verdict(message)->envelope;
    g_assert_cmpstr(envelope->algorithm, ==, round ? "aes-256-gcm" : "aes-256-cbc");
    for (guint i = 0; i < rows->len; i++) {
      MlRecipient *row = rows->pdata[i];
      g_clear_pointer(&row->capabilities, g_bytes_unref);
      row->capabilities = crypto_cms_own_capabilities(NULL);
    }
  }
}

/* RSA-PSS only where everybody announced it. */
static void
test_pss(void)
{
  g_autoptr(MlDraft) draft = new_draft("bob@example.org", NULL, NULL);
  draft->sign = TRUE;
  g_autoptr(GPtrArray) rows = rows_of(draft, &account);
  const MlSealOptions options = {
    .now = now, .signer = certs[1], .recipients = rows, .revocation = CRYPTO_REVOCATION_SOFT
  };
  for (guint round = 0; round < 2; round++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(MlSealed) sealed = ml_seal(draft, &options, NULL, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(MlMessage) message = read_back(sealed->copy);
    const MlSigner *signer = ml_message_verdict(message)->signers->pdata[0];
    g_assert_cmpstr(signer->cms->algorithm, ==, round ? "RSA-PSS" : "RSA");
    MlRecipient *bob = rows->pdata[0];
    bob->capabilities = crypto_cms_own_capabilities(NULL);
  }
}

static void
test_refused(void)
{
  static const struct {
    int signer;
    gboolean encrypt;
    const char *to, *words;
  } cases[] = {
    { 2, FALSE, "bob@example.org", "past its end" },
    { 9, FALSE, "bob@example.org", "not for anna@example.org" },
    { -1, FALSE, "bob@example.org", "no certificate to sign with" },
    { 1, TRUE, "dora@example.org", "past its end" },
    { 1, TRUE, "nobody@example.org", "No certificate of nobody@example.org" },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(MlDraft) draft = new_draft(cases[i].to, NULL, NULL);
    draft->sign = TRUE;
    draft->encrypt = cases[i].encrypt;
    g_autoptr(GPtrArray) rows = rows_of(draft, &account);
    const MlSealOptions options = { .now = now,
                                    .signer = cases[i].signer < 0 ? NULL : certs[cases[i].signer],
                                    .recipients = rows,
                                    .revocation = CRYPTO_REVOCATION_SOFT };
    g_autoptr(GError) error = NULL;
    g_assert_null(ml_seal(draft, &options, NULL, NULL, &error));
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, cases[i].words));
  }
}

/* A certificate that came with verified mail is a candidate until the user says yes; what its sender can read is
 * known from then on. */
static void
test_candidate(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlDraft) draft = new_draft("bob@example.org", NULL, NULL);
  set(&draft->from, "gero@example.org");
  draft->sign = TRUE;
  const MlSealOptions options = {
    .now = now, .signer = certs[8], .encryption = certs[9], .revocation = CRYPTO_REVOCATION_SOFT
  };
  g_autoptr(MlSealed) sealed = ml_seal(draft, &options, NULL, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(MlMessage) message = read_back(sealed->copy);
  g_autofree char *file = g_build_filename(folder, "seen.db", NULL);
  g_autoptr(MlPeople) remembered = ml_people_open(file, &error);
  g_assert_no_error(error);
  ml_people_note(remembered, message, draft->message_id, now, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) brought = ml_people_brought(remembered, "Gero@example.org", &error);
  g_assert_cmpuint(brought->len, ==, 1);
  const MlBrought *one = brought->pdata[0];
  g_assert_cmpstr(crypto_cert_sha256(one->cert), ==, crypto_cert_sha256(certs[9]));
  g_assert_cmpint(one->at, ==, now);
  g_autoptr(GBytes) capabilities = ml_people_capabilities(remembered, "gero@example.org");
  g_assert_true(crypto_cms_capabilities(capabilities) & CRYPTO_CAN_AES256_GCM);
  /* In a database that does not have it: */
  g_assert_true(crypto_certdb_delete(certs[9], NULL, &error));
  static const char *const names[] = { "gero", NULL };
  g_autoptr(GPtrArray) who = mailboxes(names);
  g_autoptr(GPtrArray) rows = ml_recipients_find(remembered, who, now, CRYPTO_REVOCATION_SOFT, &error);
  MlRecipient *row = rows->pdata[0];
  g_test_message("%s", row->reason);
  g_assert_cmpint(row->state, ==, ML_CERT_CANDIDATE);
  g_assert_true(g_str_has_prefix(row->source, "signed mail of 2"));
  g_assert_true(ml_recipients_accept(remembered, row, now, NULL, &error));
  g_assert_cmpint(row->state, ==, ML_CERT_READY);
  g_autoptr(GPtrArray) again = ml_recipients_find(remembered, who, now, CRYPTO_REVOCATION_SOFT, &error);
  g_assert_cmpint(((MlRecipient *)again->pdata[0])->state, ==, ML_CERT_READY);
  g_assert_cmpstr(((MlRecipient *)again->pdata[0])->source, ==, "database");
  /* A no holds, whatever mail brings it again. */
  g_assert_true(crypto_certdb_delete(certs[9], NULL, &error));
  g_assert_true(ml_people_forget(remembered, "Gero@example.org", crypto_cert_sha256(certs[9]), &error));
  ml_people_note(remembered, message, "another-one@example.org", now, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) none = ml_people_brought(remembered, NULL, &error);
  g_assert_cmpuint(none->len, ==, 0);
  g_autoptr(GPtrArray) nobody = ml_recipients_find(remembered, who, now, CRYPTO_REVOCATION_SOFT, &error);
  g_assert_cmpint(((MlRecipient *)nobody->pdata[0])->state, !=, ML_CERT_CANDIDATE);
  gboolean there;
  g_assert_true(crypto_certdb_import(certs[9], NULL, &there, NULL, &error)); /* the other tests want it */
}

/* A new certificate for the same address: it is taken by itself, and what came to the old one is still read. */
static void
test_renewal(void)
{
  static const Person old = { "renate", "P-256", TRUE, TRUE, -300, 20, FALSE };
  static const Person new = { "renate", NULL, TRUE, TRUE, -1, 300, FALSE };
  static const Person later = { "renate", "P-384", TRUE, TRUE, 5, 600, FALSE };
  static const char *const names[] = { "renate", NULL };
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCert) first = issue(&old);
  g_autoptr(CryptoCert) before = own("renate@example.org", NULL, CRYPTO_USE_ENCRYPT, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(crypto_cert_sha256(before), ==, crypto_cert_sha256(first));
  g_autoptr(MlDraft) draft = new_draft("renate@example.org", NULL, NULL);
  set(&draft->from, "renate@example.org");
  draft->sign = draft->encrypt = TRUE;
  g_autoptr(GPtrArray) who = mailboxes(names);
  g_autoptr(GPtrArray) rows = ml_recipients_find(NULL, who, now, CRYPTO_REVOCATION_SOFT, &error);
  ml_recipients_add_own(rows, NULL, "renate@example.org", now, CRYPTO_REVOCATION_SOFT);
  const MlSealOptions options = {
    .now = now, .signer = first, .recipients = rows, .revocation = CRYPTO_REVOCATION_SOFT
  };
  g_autoptr(MlSealed) sealed = ml_seal(draft, &options, NULL, NULL, &error);
  g_assert_no_error(error);

  g_autoptr(CryptoCert) second = issue(&new), third = issue(&later);
  static const CryptoUse uses[] = { CRYPTO_USE_SIGN, CRYPTO_USE_ENCRYPT };
  for (guint i = 0; i < G_N_ELEMENTS(uses); i++) {
    g_autoptr(CryptoCert) taken = own("renate@example.org", NULL, uses[i], &error);
    g_assert_no_error(error);
    g_assert_cmpstr(crypto_cert_sha256(taken), ==, crypto_cert_sha256(second)); /* the third has not begun */
  }
  g_autoptr(GPtrArray) again = ml_recipients_find(NULL, who, now, CRYPTO_REVOCATION_SOFT, &error);
  const MlRecipient *row = again->pdata[0];
  g_assert_cmpint(row->state, ==, ML_CERT_READY);
  g_assert_cmpstr(crypto_cert_sha256(row->cert), ==, crypto_cert_sha256(second));
  const MlOutgoing *outgoing = sealed->outgoing->pdata[0];
  check_message(outgoing->bytes, draft);
  check_message(sealed->copy, draft);
  g_autoptr(MlMessage) message = read_back(outgoing->bytes);
  g_assert_cmpstr(crypto_cert_sha256(ml_message_verdict(message)->envelope->ours), ==, crypto_cert_sha256(first));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  set_up();
  g_test_add_func("/recipients/own", test_own);
  g_test_add_func("/recipients/rows", test_rows);
  g_test_add_func("/recipients/renewal", test_renewal);
  static const char *const forms[] = {
    "plain",       "signed",        "encrypted", "signed-encrypted",
    "plain-again", "opaque-signed", "",          "opaque-signed-encrypted"
  };
  for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
    g_autofree char *path = g_strconcat("/seal/", forms[i], NULL),
                    *bcc = g_strconcat("/seal/bcc/", forms[i], NULL);
    if (i != 6 && i != 4)
      g_test_add_data_func(path, GUINT_TO_POINTER(i), test_seal);
    if (i < 4)
      g_test_add_data_func(bcc, GUINT_TO_POINTER(i), test_bcc);
  }
  g_test_add_func("/seal/secret-subject", test_secret_subject);
  g_test_add_func("/seal/labels", test_labels);
  g_test_add_func("/seal/archive", test_archive);
  g_test_add_func("/seal/cipher", test_cipher);
  g_test_add_func("/seal/pss", test_pss);
  g_test_add_func("/seal/refused", test_refused);
  g_test_add_func("/seal/candidate", test_candidate);
  int result = g_test_run();
  tear_down();
  return result;
}
