#include <string.h>

#include "crypto/chain.h"
#include "ui/certs-private.h"
#include "ui/chain.h"

/* Enter: one certificate in full, with its chain as a tree. Chains are built on the verify thread. */
typedef struct {
  UiApp *app;
  CryptoCertEntry entry; /* a copy of the row's, with strings of its own */
  UiCertGroup group;
  char *source, *mail;
  GPtrArray *extra; /* of CryptoCert */
  struct {
    const char *words;
    CryptoUse use;
    CryptoChain *chain; /* NULL: not asked for */
  } uses[2];
} Details;

static void
details_free(Details *details)
{
  crypto_cert_unref(details->entry.cert);
  g_free(details->entry.token);
  g_free(details->entry.nickname);
  g_free(details->source);
  g_free(details->mail);
  g_clear_pointer(&details->extra, g_ptr_array_unref);
  for (guint i = 0; i < G_N_ELEMENTS(details->uses); i++)
    if (details->uses[i].chain)
      crypto_chain_free(details->uses[i].chain);
  g_free(details);
}

static void
run_details(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Details *details = data;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;

  for (guint i = 0; i < G_N_ELEMENTS(details->uses); i++)
    if (details->uses[i].words)
      details->uses[i].chain = crypto_chain_check(details->entry.cert, details->uses[i].use, now,
                                                  ml_config_revocation(details->app->config), details->extra);
}

static void G_GNUC_PRINTF(4, 5)
add(UiPager *pager, UiStyle style, const char *label, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *value = g_strdup_vprintf(format, args);
  va_end(args);
  UiLine *line = ui_pager_add_format(pager, style, "%-12s %s", label, value);
  line->lead = 12;
  line->indent = 13;
}

/* In two lines of a width that a person can compare with what is printed elsewhere. */
static void
add_fingerprint(UiPager *pager, const char *label, const char *hex)
{
  g_autofree char *upper = g_ascii_strup(hex, -1);
  g_autoptr(GString) line = g_string_new(NULL);

  for (gsize i = 0, n = strlen(upper); i + 1 < n; i += 2) {
    g_string_append_printf(line, "%s%.2s", line->len ? ":" : "", upper + i);
    if (line->len < 47 && i + 2 < n)
      continue;
    add(pager, UI_STYLE_BOLD, i < 32 ? label : "", "%s", line->str);
    g_string_set_size(line, 0);
  }
}

static const char *
trust_words(guint flags)
{
  return flags & CRYPTO_CERT_TRUSTED_MAIL ? (flags & CRYPTO_CERT_TRUSTED_SERVER ? "mail and servers" : "mail")
         : flags & CRYPTO_CERT_TRUSTED_SERVER ? "servers, not mail"
                                              : "nothing by itself";
}

static void
add_times(UiPager *pager, CryptoCert *cert)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC, left = crypto_cert_not_after(cert) - now;
  g_autofree char *from = ui_details_date(crypto_cert_not_before(cert)), *to = ui_details_date(crypto_cert_not_after(cert));
  g_autofree char *rest =
      now < crypto_cert_not_before(cert) ? g_strdup("not valid yet") : ui_cert_end_words(left);

  add(pager, left <= UI_CERT_SOON ? UI_STYLE_WARN : UI_STYLE_NORMAL, "valid", "%s to %s, %s", from, to, rest);
}

static void
add_place(UiPager *pager, const Details *details)
{
  guint flags = details->entry.flags;

  add(pager, UI_STYLE_NORMAL, "lies in", "%s",
      details->group == UI_CERT_CANDIDATE                  ? "no database: a candidate (A accepts it)"
      : flags & CRYPTO_CERT_BUILTIN                        ? "NSS's own roots"
      : strcmp(details->entry.token, "database") == 0      ? "the certificate database"
                                                           : details->entry.token);
  if (details->source)
    add(pager, UI_STYLE_NORMAL, "came from", "%s", details->source);
  add(pager, UI_STYLE_NORMAL, "private key", "%s", flags & CRYPTO_CERT_OWN ? "yours" : "not here");
  if (flags & (CRYPTO_CERT_AUTHORITY | CRYPTO_CERT_BUILTIN))
    add(pager, UI_STYLE_NORMAL, "trusted for", "%s", trust_words(flags));
  if (flags & (CRYPTO_CERT_DISTRUSTED | CRYPTO_CERT_DISTRUSTED_SERVER))
    add(pager, UI_STYLE_BAD, "never for", "%s",
        !(flags & CRYPTO_CERT_DISTRUSTED_SERVER) ? "mail"
        : flags & CRYPTO_CERT_DISTRUSTED         ? "mail and servers"
                                                 : "servers");
}

static void
fill(UiPager *pager, const Details *details)
{
  CryptoCert *cert = details->entry.cert;
  gsize length = 0;
  const guint8 *der = g_bytes_get_data(crypto_cert_der(cert), &length);
  g_autofree char *sha1 = g_compute_checksum_for_data(G_CHECKSUM_SHA1, der, length);

  add(pager, UI_STYLE_BOLD, "name", "%s", crypto_cert_common_name(cert));
  for (const char *const *address = crypto_cert_addresses(cert); *address; address++)
    add(pager, UI_STYLE_NORMAL, address == crypto_cert_addresses(cert) ? "for" : "", "%s", *address);
  add_fingerprint(pager, "SHA-256", crypto_cert_sha256(cert));
  add_fingerprint(pager, "SHA-1", sha1);
  add(pager, UI_STYLE_QUIET, "", "Compare one of them with what its owner says by another way than mail.");
  add_times(pager, cert);
  add(pager, UI_STYLE_NORMAL, "use", "%s", ui_cert_use_word(cert));
  for (guint i = 0; i < G_N_ELEMENTS(details->uses); i++) {
    const CryptoChain *chain = details->uses[i].chain;
    if (chain)
      add(pager, chain->problems ? UI_STYLE_WARN : UI_STYLE_GOOD, i ? "" : "good for", "%s: %s",
          details->uses[i].words, chain->problems ? chain->sentence : "yes");
  }
  add_place(pager, details);
  add(pager, UI_STYLE_NORMAL, "subject", "%s", crypto_cert_subject(cert));
  add(pager, UI_STYLE_NORMAL, "issuer", "%s", crypto_cert_issuer(cert));
  add(pager, UI_STYLE_NORMAL, "serial", "%s", crypto_cert_serial(cert));
  add(pager, UI_STYLE_NORMAL, "key", "%s", crypto_cert_key_name(cert));
  add(pager, UI_STYLE_NORMAL, "signed with", "%s", crypto_cert_signature_name(cert));
  ui_pager_add_rule(pager, "Chain");
  g_autoptr(GPtrArray) lines = details->uses[0].chain ? ui_chain_lines(details->uses[0].chain) : NULL;
  for (guint i = 0; lines && i < lines->len; i++) {
    const char *line = lines->pdata[i];
    const char *bang = strstr(line, "! ");
    UiLine *added = ui_pager_add_format(pager, bang && strspn(line, " ") == (gsize)(bang - line) ? UI_STYLE_WARN : UI_STYLE_NORMAL, "%s", line);
    added->indent = (guint)MIN(strspn(line, " `-") + 3, 40);
  }
}

static void
details_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Details *details = data;

  if (!cancelled && ui_app_top(app)->type->context == UI_IN_CERTS) {
    g_autofree char *name = ui_text_line(details->mail ? details->mail : crypto_cert_common_name(details->entry.cert));
    g_autofree char *short_name = ui_text_cut(name, 60);
    g_autofree char *title = g_strdup_printf("Certificate: %s", short_name);
    UiPane *pane = ui_pane_new(UI_IN_TEXT, "certificate", title);
    fill(&pane->pager, details);
    ui_app_push(app, &pane->view);
  }
  details_free(details);
}

void
ui_certs_show(UiApp *app, const UiCertRow *row)
{
  const UiCerts *certs = ui_certs_of(app);
  Details *details = g_new0(Details, 1);
  CryptoCert *cert = row->entry->cert;
  guint n = 0;

  details->app = app;
  details->entry = (CryptoCertEntry){ .cert = crypto_cert_ref(cert),
                                      .flags = row->entry->flags,
                                      .token = g_strdup(row->entry->token),
                                      .nickname = g_strdup(row->entry->nickname) };
  details->group = row->group;
  details->source = g_strdup(row->source);
  details->mail = g_strdup(row->mail);
  details->extra = certs->extra ? g_ptr_array_ref(certs->extra) : NULL;
  if (crypto_cert_is_authority(cert)) {
    details->uses[0].words = "issuing for mail";
    details->uses[0].use = CRYPTO_USE_AUTHORITY;
  } else {
    if (crypto_cert_can_sign(cert) || !crypto_cert_can_encrypt(cert)) {
      details->uses[n].words = "signing mail";
      details->uses[n++].use = CRYPTO_USE_SIGN;
    }
    if (crypto_cert_can_encrypt(cert)) {
      details->uses[n].words = "being written to";
      details->uses[n].use = CRYPTO_USE_ENCRYPT;
    }
  }
  ui_ops_job(app, CRYPTO_JOB_VERIFY, "Building the chain", run_details, details_done, details);
}

void
ui_certs_show_current(UiApp *app)
{
  const UiCertRow *row = ui_certs_current(app);

  if (row)
    ui_certs_show(app, row);
}
