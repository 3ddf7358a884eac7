#include "mail/recipients.h"

#include <string.h>

#include "crypto/cms-write.h"
#include "mail/address-private.h"

/* What the user's own word stands in for: nobody else who is trusted vouches for the certificate. */
enum { UNVOUCHED = CRYPTO_TRUST_UNKNOWN_ISSUER | CRYPTO_TRUST_SELF_SIGNED };

/* A certificate and where it came from. */
typedef struct {
  CryptoCert *cert;
  char *source;
  guint flags;     /* CryptoCertFlags */
  gboolean stored; /* in the database or on a token, not only seen in mail */
  guint problems;
  char *finding; /* what is wrong with it; NULL: nothing */
} Known;

static void
known_free(Known *known)
{
  if (!known)
    return;
  crypto_cert_unref(known->cert);
  g_free(known->source);
  g_free(known->finding);
  g_free(known);
}

static Known *
known_new(CryptoCert *cert, char *source, guint flags, gboolean stored)
{
  Known *known = g_new0(Known, 1);
  *known = (Known){ .cert = crypto_cert_ref(cert), .source = source, .flags = flags, .stored = stored };
  return known;
}

void
ml_recipient_free(MlRecipient *recipient)
{
  if (!recipient)
    return;
  g_free(recipient->address);
  g_free(recipient->display);
  crypto_cert_unref(recipient->cert);
  g_ptr_array_unref(recipient->others);
  g_free(recipient->source);
  g_free(recipient->reason);
  g_clear_pointer(&recipient->capabilities, g_bytes_unref);
  g_free(recipient);
}

static MlRecipient *
row_new(const char *address, const char *display)
{
  MlRecipient *row = g_new0(MlRecipient, 1);
  row->address = g_strdup(address);
  row->display = g_strdup(display ? display : address);
  row->state = ML_CERT_NONE;
  row->others = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  return row;
}

static gboolean
names_address(CryptoCert *cert, const char *address)
{
  const char *const *addresses = crypto_cert_addresses(cert);
  for (guint i = 0; addresses[i]; i++)
    if (ml_address_equal(addresses[i], address))
      return TRUE;
  return FALSE;
}

/* --- judging one certificate --- */

static gboolean
key_is_usable(CryptoCert *cert, CryptoUse use)
{
  static const char *const curves[] = { "EC P-256", "EC P-384", "EC P-521", NULL };
  const char *key = crypto_cert_key_name(cert);
  return g_str_has_prefix(key, "RSA ") || g_strv_contains(curves, key) ||
         (use == CRYPTO_USE_SIGN && g_str_has_prefix(key, "RSA-PSS"));
}

static void
judge(Known *known, CryptoUse use, gint64 at, CryptoRevocationMode revocation, GPtrArray *extra)
{
  g_autoptr(CryptoChain) chain = crypto_chain_check(known->cert, use, at, revocation, extra);
  known->problems = chain->problems;
  g_clear_pointer(&known->finding, g_free);
  if (!key_is_usable(known->cert, use)) {
    known->problems |= CRYPTO_TRUST_OTHER;
    known->finding =
        g_strdup_printf("The certificate of %s has a key of a kind that cannot be used here (%s).",
                        crypto_cert_common_name(known->cert), crypto_cert_key_name(known->cert));
  } else if (known->problems) {
    known->finding = crypto_trust_finding(chain->sentence ? chain->sentence : "");
  }
}

/* The newest first: by its beginning, then by its end; the name only makes the order the same every time. */
static int
newer(CryptoCert *a, CryptoCert *b)
{
  gint64 by_start = crypto_cert_not_before(b) - crypto_cert_not_before(a);
  gint64 by_end = crypto_cert_not_after(b) - crypto_cert_not_after(a);
  return by_start ? (by_start > 0 ? 1 : -1)
         : by_end ? (by_end > 0 ? 1 : -1)
                  : strcmp(crypto_cert_sha256(a), crypto_cert_sha256(b));
}

static int
by_age(gconstpointer a, gconstpointer b)
{
  const Known *x = *(Known *const *)a, *y = *(Known *const *)b;
  return newer(x->cert, y->cert);
}

/* What is here comes before what lies on a card that is away. */
static int
by_presence(gconstpointer a, gconstpointer b)
{
  const Known *x = *(Known *const *)a, *y = *(Known *const *)b;
  gboolean away = (x->flags & CRYPTO_CERT_ABSENT) != 0, other_away = (y->flags & CRYPTO_CERT_ABSENT) != 0;
  return away != other_away ? (away ? 1 : -1) : by_age(a, b);
}

/* --- everybody's certificates, by address --- */

typedef struct {
  GPtrArray *all;         /* of Known */
  GHashTable *by_address; /* folded address -> GPtrArray of borrowed Known */
} Index;

static void
index_free(Index *index)
{
  if (!index)
    return;
  g_hash_table_unref(index->by_address);
  g_ptr_array_unref(index->all);
  g_free(index);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Index, index_free)

static void
index_add(Index *index, Known *known)
{
  const char *const *addresses = crypto_cert_addresses(known->cert);
  g_ptr_array_add(index->all, known);
  for (guint i = 0; addresses[i]; i++) {
    g_autofree char *folded = ml_address_fold(addresses[i]);
    if (!folded)
      continue;
    GPtrArray *list = g_hash_table_lookup(index->by_address, folded);
    if (!list) {
      list = g_ptr_array_new();
      g_hash_table_insert(index->by_address, g_steal_pointer(&folded), list);
    }
    if (!g_ptr_array_find(list, known, NULL))
      g_ptr_array_add(list, known);
  }
}

static Index *
index_new(gboolean own, GError **error)
{
  g_autoptr(GPtrArray) entries = crypto_certdb_list(FALSE, error);
  if (!entries)
    return NULL;
  if (own)
    crypto_certdb_add_absent(entries);
  Index *index = g_new0(Index, 1);
  index->all = g_ptr_array_new_with_free_func((GDestroyNotify)known_free);
  index->by_address =
      g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
  for (guint i = 0; i < entries->len; i++) {
    const CryptoCertEntry *entry = entries->pdata[i];
    gboolean database = strcmp(entry->token, "database") == 0;
    if ((entry->flags & (CRYPTO_CERT_AUTHORITY | CRYPTO_CERT_RETIRED)) || (own && !(entry->flags & CRYPTO_CERT_OWN)))
      continue;
    index_add(index, known_new(entry->cert,
                               database ? g_strdup("database") : g_strdup_printf("token %s", entry->token),
                               entry->flags, TRUE));
  }
  return index;
}

static GPtrArray *
index_find(const Index *index, const char *address)
{
  g_autofree char *folded = ml_address_fold(address);
  return folded ? g_hash_table_lookup(index->by_address, folded) : NULL;
}

/* --- rows --- */

static void
set_cert(MlRecipient *row, const Known *known, MlCertState state)
{
  crypto_cert_unref(row->cert);
  row->cert = crypto_cert_ref(known->cert);
  g_free(row->source);
  row->source = g_strdup(known->source);
  row->state = state;
  g_clear_pointer(&row->reason, g_free);
}

static void
say_unfit(MlRecipient *row, const Known *known)
{
  const char *advice =
      (known->problems & ~UNVOUCHED) == 0
          ? "If you know the authority, trust it for mail (signet cert trust FILE); or accept this "
            "certificate after comparing its fingerprint with them."
          : "Ask them for another certificate, or leave them out.";
  row->reason = g_strdup_printf("%s %s", known->finding, advice);
}

static char *
say_not_for(CryptoCert *cert, const char *address)
{
  return g_strdup_printf("The certificate of %s is not for %s. Ask them which one is theirs.", crypto_cert_common_name(cert),
                         address);
}

static gboolean
is_accepted(GPtrArray *accepted, CryptoCert *cert)
{
  return accepted && g_ptr_array_find_with_equal_func(accepted, crypto_cert_sha256(cert), g_str_equal, NULL);
}

/* The best of @candidates (newest first): what may be used now, then what one key would make so, then the one that is
 * nearest to it, to say why not. */
static void
choose(MlRecipient *row, GPtrArray *candidates, GPtrArray *accepted)
{
  const Known *ready = NULL, *candidate = NULL, *unfit = NULL;
  for (guint i = 0; i < candidates->len; i++) {
    const Known *known = candidates->pdata[i];
    gboolean said_yes = is_accepted(accepted, known->cert);
    guint problems = said_yes ? known->problems & ~UNVOUCHED : known->problems;
    if (problems == 0 && (known->stored || said_yes))
      ready = ready ? ready : known;
    else if (problems == 0)
      candidate = candidate ? candidate : known;
    else if (!unfit || __builtin_popcount(known->problems) < __builtin_popcount(unfit->problems))
      unfit = known;
  }
  const Known *chosen = ready ? ready : candidate ? candidate : unfit;
  if (!chosen) {
    row->reason = g_strdup_printf("No certificate of %s is here. Ask them for a signed mail, import one "
                                  "(signet cert import FILE), leave them out, or do not encrypt.",
                                  row->address);
    return;
  }
  set_cert(row, chosen, ready ? ML_CERT_READY : candidate ? ML_CERT_CANDIDATE : ML_CERT_UNFIT);
  if (chosen == candidate)
    row->reason = g_strdup_printf("A certificate %s %s (%s, from %s). Accept it to write to them.",
                                  g_str_has_prefix(chosen->source, "directory ") ? "is in the" : "came with", chosen->source, crypto_cert_common_name(chosen->cert),
                                  crypto_cert_issuer_name(chosen->cert));
  else if (chosen == unfit)
    say_unfit(row, chosen);
  for (guint i = 0; i < candidates->len; i++)
    if (candidates->pdata[i] != chosen)
      g_ptr_array_add(row->others, crypto_cert_ref(((Known *)candidates->pdata[i])->cert));
}

static gboolean
index_has(const Index *index, const char *address, CryptoCert *cert)
{
  GPtrArray *known = index_find(index, address);
  for (guint i = 0; known && i < known->len; i++)
    if (g_bytes_equal(crypto_cert_der(((Known *)known->pdata[i])->cert), crypto_cert_der(cert)))
      return TRUE;
  return FALSE;
}

static void
add_brought(Index *index, MlPeople *people, const char *address)
{
  g_autoptr(GPtrArray) brought = ml_people_brought(people, address, NULL);
  for (guint i = 0; brought && i < brought->len; i++) {
    const MlBrought *one = brought->pdata[i];
    if (index_has(index, address, one->cert))
      continue;
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(one->at);
    char *source = when ? g_date_time_format(when, "signed mail of %Y-%m-%d") : g_strdup("signed mail");
    index_add(index, known_new(one->cert, source, 0, FALSE));
  }
}

static void
add_offered(Index *index, MlPeople *people, const char *address)
{
  g_autoptr(GPtrArray) offered = ml_people_offered(people, address, NULL);
  for (guint i = 0; offered && i < offered->len; i++) {
    const MlOffered *one = offered->pdata[i];
    if (!index_has(index, address, one->cert))
      index_add(index, known_new(one->cert, g_strdup(one->source), 0, FALSE));
  }
}

GPtrArray *
ml_recipients_find(MlPeople *people, GPtrArray *mailboxes, gint64 at, CryptoRevocationMode revocation,
                   GError **error)
{
  g_autoptr(Index) index = index_new(FALSE, error);
  if (!index)
    return NULL;
  g_autoptr(GPtrArray) extra = people ? ml_people_issuers(people) : NULL;
  GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)ml_recipient_free);
  for (guint i = 0; i < mailboxes->len; i++) {
    const MlMailbox *mailbox = mailboxes->pdata[i];
    MlRecipient *row = row_new(mailbox->address, mailbox->display);
    g_ptr_array_add(rows, row);
    if (people) {
      add_brought(index, people, mailbox->address);
      add_offered(index, people, mailbox->address);
    }
    GPtrArray *found = index_find(index, mailbox->address);
    g_autoptr(GPtrArray) candidates = found ? g_ptr_array_copy(found, NULL, NULL) : g_ptr_array_new();
    for (guint k = 0; k < candidates->len; k++)
      judge(candidates->pdata[k], CRYPTO_USE_ENCRYPT, at, revocation, extra);
    g_ptr_array_sort(candidates, by_age);
    g_autoptr(GPtrArray) accepted = people ? ml_people_accepted(people, mailbox->address, NULL) : NULL;
    choose(row, candidates, accepted);
    row->capabilities = people ? ml_people_capabilities(people, mailbox->address) : NULL;
  }
  return rows;
}

MlRecipient *
ml_recipients_judge(CryptoCert *cert, const char *address, const char *source, GPtrArray *accepted, GPtrArray *extra, gint64 at,
                    CryptoRevocationMode revocation)
{
  MlRecipient *row = row_new(address, NULL);
  g_autoptr(GPtrArray) one = g_ptr_array_new_with_free_func((GDestroyNotify)known_free);
  Known *known = known_new(cert, g_strdup(source), 0, FALSE);
  g_ptr_array_add(one, known);
  judge(known, CRYPTO_USE_ENCRYPT, at, revocation, extra);
  choose(row, one, accepted);
  if (!names_address(cert, address)) {
    row->state = ML_CERT_UNFIT;
    g_free(row->reason);
    row->reason = say_not_for(cert, address);
  }
  return row;
}

void
ml_recipients_use(MlRecipient *row, CryptoCert *cert, const char *source, gint64 at,
                  CryptoRevocationMode revocation)
{
  Known *known = known_new(cert, g_strdup(source), 0, TRUE);
  judge(known, CRYPTO_USE_ENCRYPT, at, revocation, NULL);
  gboolean fits = (known->problems & ~UNVOUCHED) == 0;
  gboolean names = !*row->address || names_address(cert, row->address);
  if (row->cert && !g_bytes_equal(crypto_cert_der(row->cert), crypto_cert_der(cert)))
    g_ptr_array_add(row->others, crypto_cert_ref(row->cert));
  set_cert(row, known, fits && names ? ML_CERT_READY : ML_CERT_UNFIT);
  if (!fits)
    say_unfit(row, known);
  else if (!names)
    row->reason = say_not_for(cert, row->address);
  known_free(known);
}

MlRecipient *
ml_recipients_from_cert(CryptoCert *cert, const char *source, gint64 at, CryptoRevocationMode revocation)
{
  const char *address = crypto_cert_addresses(cert)[0];
  MlRecipient *row = row_new(address ? address : "", crypto_cert_common_name(cert));
  ml_recipients_use(row, cert, source, at, revocation);
  return row;
}

gboolean
ml_recipients_ready(GPtrArray *rows, const char **reason)
{
  for (guint i = 0; i < rows->len; i++) {
    const MlRecipient *row = rows->pdata[i];
    if (row->state != ML_CERT_READY) {
      *reason = row->reason;
      return FALSE;
    }
  }
  *reason = NULL;
  return TRUE;
}

gboolean
ml_recipients_accept(MlPeople *people, MlRecipient *row, gint64 now, CryptoPinSource *pin, GError **error)
{
  gboolean was_there;
  if (!row->cert)
    return g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "No certificate of %s is here.", row->address),
           FALSE;
  g_autoptr(GPtrArray) issuers = ml_people_issuers(people);
  g_autoptr(CryptoChain) chain =
      crypto_chain_check(row->cert, CRYPTO_USE_ENCRYPT, now, CRYPTO_REVOCATION_OFF, issuers);
  if (!crypto_certdb_import(row->cert, row->address, &was_there, pin, error))
    return FALSE;
  for (guint i = 1; i < chain->certs->len; i++) {
    CryptoCert *cert = chain->certs->pdata[i];
    if (!crypto_cert_self_signed(cert) &&
        !crypto_certdb_import(cert, crypto_cert_common_name(cert), &was_there, pin, error))
      return FALSE;
  }
  if (!ml_people_accept(people, row->address, crypto_cert_sha256(row->cert), row->source, now, error))
    return FALSE;
  row->state = ML_CERT_READY;
  g_clear_pointer(&row->reason, g_free);
  return TRUE;
}

/* --- our own --- */

static CryptoCert *
own_named(const char *fingerprint, const char *address, CryptoUse use, gint64 at,
          CryptoRevocationMode revocation, GError **error)
{
  g_autoptr(CryptoCertEntry) entry = crypto_certdb_find(fingerprint, error);
  if (!entry)
    return NULL;
  CryptoCert *cert = entry->cert;
  if (!(entry->flags & CRYPTO_CERT_OWN)) {
    g_set_error(
        error, ML_ERROR, ML_ERROR_FAILED,
        "The private key of %s is not here. Import it (signet cert import FILE.p12) or insert its card.",
        crypto_cert_common_name(cert));
    return NULL;
  }
  if (use == CRYPTO_USE_SIGN && !names_address(cert, address)) {
    g_autofree char *all = g_strjoinv(", ", (char **)crypto_cert_addresses(cert));
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "The certificate of %s is for %s, not for %s: every reader would be warned. Take another "
                "certificate, or write from an address in it.",
                crypto_cert_common_name(cert), *all ? all : "no address", address);
    return NULL;
  }
  Known *known = known_new(cert, NULL, entry->flags, TRUE);
  judge(known, use, at, revocation, NULL);
  gboolean fits = (known->problems & ~UNVOUCHED) == 0;
  if (!fits)
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "%s It cannot be used to %s. Take another certificate.",
                known->finding, use == CRYPTO_USE_SIGN ? "sign" : "read the copy that is kept for you");
  known_free(known);
  return fits ? crypto_cert_ref(cert) : NULL;
}

static void
fail_own(const Known *nearest, const char *address, CryptoUse use, GError **error)
{
  const char *what = use == CRYPTO_USE_SIGN ? "to sign with" : "to keep a copy that you can read";
  if (!nearest)
    g_set_error(
        error, ML_ERROR, ML_ERROR_FAILED,
        "There is no certificate %s: none with a private key here is for %s. Import yours (signet cert "
        "import FILE.p12) or insert your card; signet cert list shows what is here.",
        what, address);
  else if ((nearest->problems & ~UNVOUCHED) == 0)
    g_set_error(
        error, ML_ERROR, ML_ERROR_FAILED,
        "There is no certificate %s: %s Import its authority and trust it for mail (signet cert trust "
        "FILE), or name it (sign-cert or encrypt-cert = %.16s) to use it as it is.",
        what, nearest->finding, crypto_cert_sha256(nearest->cert));
  else
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "There is no certificate %s: %s Get a new one and import it (signet cert import FILE.p12).",
                what, nearest->finding);
}

CryptoCert *
ml_recipients_own(const MlAccount *account, const char *address, const char *fingerprint, CryptoUse use,
                  gint64 at, CryptoRevocationMode revocation, GError **error)
{
  if (!fingerprint && account)
    fingerprint = use == CRYPTO_USE_SIGN ? account->sign_cert : account->encrypt_cert;
  if (fingerprint && g_ascii_strcasecmp(fingerprint, "auto") != 0)
    return own_named(fingerprint, address, use, at, revocation, error);
  g_autoptr(Index) index = index_new(TRUE, error);
  if (!index)
    return NULL;
  GPtrArray *found = index_find(index, address);
  const Known *nearest = NULL;
  if (found)
    g_ptr_array_sort(found, by_presence);
  for (guint i = 0; found && i < found->len; i++) {
    Known *known = found->pdata[i];
    judge(known, use, at, revocation, NULL);
    if (known->problems == 0)
      return crypto_cert_ref(known->cert);
    if (!nearest || __builtin_popcount(known->problems) < __builtin_popcount(nearest->problems))
      nearest = known;
  }
  fail_own(nearest, address, use, error);
  return NULL;
}

static void
add_self(GPtrArray *rows, const MlAccount *account, const char *address, gint64 at,
         CryptoRevocationMode revocation)
{
  MlRecipient *row = row_new(address, NULL);
  g_autoptr(GError) error = NULL;
  row->self = TRUE;
  row->cert = ml_recipients_own(account, address, NULL, CRYPTO_USE_ENCRYPT, at, revocation, &error);
  row->capabilities = crypto_cms_own_capabilities(row->cert);
  if (row->cert) {
    row->state = ML_CERT_READY;
    row->source = g_strdup("own");
  } else {
    row->reason = g_strdup(error->message);
  }
  g_ptr_array_add(rows, row);
}

void
ml_recipients_add_archive(GPtrArray *rows, const char *fingerprint, gint64 at, CryptoRevocationMode revocation)
{
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < rows->len; i++) {
    const MlRecipient *there = rows->pdata[i];
    if (there->archive && there->cert && strcmp(crypto_cert_sha256(there->cert), fingerprint) == 0)
      return;
  }
  g_autoptr(CryptoCertEntry) entry = crypto_certdb_find(fingerprint, &error);
  MlRecipient *row;
  if (entry) {
    row = ml_recipients_from_cert(entry->cert, "archive-cert", at, revocation);
  } else {
    row = row_new("", "archive");
    row->reason = g_strdup_printf("The archive's certificate (archive-cert) is not here: %s", error->message);
  }
  row->archive = TRUE;
  g_ptr_array_add(rows, row);
}

void
ml_recipients_add_own(GPtrArray *rows, const MlAccount *account, const char *address, gint64 at,
                      CryptoRevocationMode revocation)
{
  add_self(rows, account, address, at, revocation);
  if (account && account->archive_cert)
    ml_recipients_add_archive(rows, account->archive_cert, at, revocation);
  if (account && account->policy_archive)
    ml_recipients_add_archive(rows, account->policy_archive, at, revocation);
}

GPtrArray *
ml_recipients_readers(MlPeople *people, GPtrArray *mailboxes, const MlAccount *account, const char *address, gint64 at,
                      CryptoRevocationMode revocation)
{
  GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)ml_recipient_free);
  for (guint i = 0; i < mailboxes->len; i++) {
    const MlMailbox *mailbox = mailboxes->pdata[i];
    MlRecipient *row = row_new(mailbox->address, mailbox->display);
    row->capabilities = people ? ml_people_capabilities(people, mailbox->address) : NULL;
    g_ptr_array_add(rows, row);
  }
  add_self(rows, account, address, at, revocation);
  return rows;
}
