#include "ui/cmd-cert-private.h"

#include <stdio.h>
#include <string.h>

#include "ui/commands.h"
#include "ui/text.h"

const char ui_cmd_cert_help[] =
    "signet cert list [--own|--people|--authorities|--candidates] [--builtin] [WORD]\n"
    "    what is in the certificate database and on tokens, with its use and its status; WORD: only what has\n"
    "    it in name, address or issuer. --candidates: what only came with mail or from a directory\n"
    "signet cert accept CANDIDATE | forget CANDIDATE\n"
    "    a candidate (fingerprint or address) is kept for writing to them, or never offered again\n"
    "signet cert use CERT [-A ACCOUNT] [--sign] [--encrypt] | --auto\n"
    "    the account signs with this certificate of yours, and is written to at it (written into signet.conf);\n"
    "    --auto: the newest valid one, which is what happens without any such setting\n"
    "signet cert show CERT|FILE\n"
    "    everything about one, its chain, and what it is good for\n"
    "signet cert expiry [--within 30d] [--own]\n"
    "    what ends soon or has ended: own, correspondents, the authorities above them; nothing that has a\n"
    "    successor. Exit code 1 if there is any: made for cron\n"
    "signet cert import FILE... [--trust] [--tls] [--password-file F] [--name NAME]\n"
    "    PEM, DER, PKCS#7, PKCS#12. --trust: trust the authorities in it for mail; --tls: for servers.\n"
    "    Without them, nothing becomes trusted\n"
    "signet cert import --from-mutt DIR | --from-gpgsm\n"
    "    the certificates of mutt's ~/.smime, or those that gpgsm keeps (their keys: as PKCS#12)\n"
    "signet cert find ADDRESS [--accept|--import [--cert FINGERPRINT]] [--password-file F] [--keep-password]\n"
    "    asks the directories ([directory NAME] in signet.conf) that may be asked about that address. What they\n"
    "    have is a candidate; --accept keeps the newest that a trusted authority issued, or the one that --cert\n"
    "    names; --import shows it with its fingerprint, and asks. --keep-password puts what you type for the directory's bind into the keyring\n"
    "signet cert harvest FOLDER... [--accept]\n"
    "    reads the signed mail of the folders and tells whose certificates it brought: candidates for "
    "writing\n"
    "    to them. --accept: keep those that a trusted authority issued\n"
    "signet cert request ADDRESS... [--name NAME] [--organisation O] [--key rsa-3072|p-256|p-384]\n"
    "        [--token TOKEN] [--for sign|encrypt|both] [--out FILE]\n"
    "    makes a key, in the database or on the token, and a request (PKCS#10) for an authority. What it "
    "sends\n"
    "    back goes to cert import, which joins it with the key\n"
    "signet cert export CERT [--der | --ldif [--dn DN] | --base64 | --p12] [--chain] [--out FILE]\n"
    "        [--password-file F]\n"
    "    PEM to stdout; --ldif and --base64: for a directory; --p12: with the private key and its chain, by\n"
    "    AES-256 under a password (asked for twice, or from F)\n"
    "signet cert trust|distrust [--tls] [--remove] CERT|FILE\n"
    "    trust an authority for mail, or with --tls for servers, or never trust it; --remove takes either "
    "back\n"
    "signet cert delete [--with-key] [--yes] CERT\n"
    "    --with-key is needed where its private key would go with it: mail to it can then never be read\n"
    "    again, and how much of it is here is counted first. --yes answers the question; --batch needs it\n"
    "\n"
    "CERT is a SHA-256 fingerprint (eight digits are enough where they fit one alone) or an address in it.\n"
    "--pin-file F or $SIGNET_PIN give the database's password or the token's PIN. trust and distrust ask "
    "first;\n"
    "with --batch they take the full fingerprint, or a FILE, for an answer.\n"
    "\n"
    "In the list: K we have its key, A authority, M trusted for mail, S for servers, X never to be trusted for\n"
    "mail, x never for servers alone.\n"
    "Exit codes: 0 done, 1 no such certificate, refused, (find) none that could be used, or\n"
    "(expiry) some end, 2 usage, 65 not a certificate, 66 no such file, 69 a directory did not answer, 75 the database is in use, 77 wrong or missing password, 78 the database cannot be "
    "used.\n";

static const struct {
  const char *name;
  int (*run)(UiCli *cli, int argc, char **argv);
} verbs[] = {
  { "list", ui_cmd_cert_list },       { "show", ui_cmd_cert_show },     { "import", ui_cmd_cert_import },
  { "export", ui_cmd_cert_export },   { "trust", ui_cmd_cert_trust },   { "distrust", ui_cmd_cert_distrust },
  { "delete", ui_cmd_cert_delete },   { "expiry", ui_cmd_cert_expiry }, { "harvest", ui_cmd_cert_harvest },
  { "request", ui_cmd_cert_request }, { "find", ui_cmd_cert_find_in_directories },
  { "use", ui_cmd_cert_use },         { "accept", ui_cmd_cert_accept }, { "forget", ui_cmd_cert_forget },
};

/* The verb is the first word that is no option: options may stand before it. */
int
ui_cmd_cert(UiCli *cli, int argc, char **argv)
{
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
    for (gsize v = 0; v < G_N_ELEMENTS(verbs); v++)
      if (strcmp(argv[i], verbs[v].name) == 0) {
        memmove(&argv[i], &argv[i + 1], (gsize)(argc - i) * sizeof *argv); /* the NULL at the end too */
        return verbs[v].run(cli, argc - 1, argv);
      }
  static const UiCommand self = { "cert", NULL, ui_cmd_cert_help, NULL };
  int code = ui_cli_options(cli, &self, NULL, &argc, argv);
  if (code >= 0)
    return code;
  ui_cli_error(cli, "say signet cert list, show, expiry, import, find, harvest, accept, forget, use, request, export, "
                    "trust, distrust or delete (signet cert --help)");
  return UI_EXIT_USAGE;
}

int
ui_cmd_cert_fail(UiCli *cli, const GError *error)
{
  if (g_error_matches(error, CRYPTO_ERROR,
                      CRYPTO_ERROR_CANCELLED)) /* nobody could be asked, and that was said */
    return UI_EXIT_PERMISSION;
  ui_cli_error(cli, "%s", error->message);
  return ui_cli_exit_for(error);
}

char *
ui_cmd_cert_fingerprint(CryptoCert *cert)
{
  g_autofree char *upper = g_ascii_strup(crypto_cert_sha256(cert), -1);
  GString *text = g_string_new(NULL);
  for (gsize i = 0; upper[i] && upper[i + 1]; i += 2)
    g_string_append_printf(text, "%s%.2s", i ? ":" : "", upper + i);
  return g_string_free(text, FALSE);
}

char *
ui_cmd_cert_plain_fingerprint(const char *what)
{
  g_autoptr(GString) digits = g_string_new(NULL);
  for (; *what; what++)
    if (g_ascii_isxdigit(*what))
      g_string_append_c(digits, g_ascii_tolower(*what));
    else if (*what != ':' && *what != ' ')
      return NULL;
  return digits->len >= 8 && digits->len <= 64 ? g_strdup(digits->str) : NULL;
}

gboolean
ui_cmd_cert_is_full_fingerprint(const char *what)
{
  gsize digits = 0;
  for (; *what; what++) {
    if (g_ascii_isxdigit(*what))
      digits++;
    else if (*what != ':' && *what != ' ')
      return FALSE;
  }
  return digits == 64;
}

CryptoCertEntry *
ui_cmd_cert_find(UiCli *cli, const char *what, gboolean *from_file, int *code)
{
  g_autoptr(GError) error = NULL;
  *from_file = g_file_test(what, G_FILE_TEST_EXISTS);
  CryptoCertEntry *entry = NULL;
  if (!*from_file) {
    entry = crypto_certdb_find(what, &error);
  } else {
    g_autoptr(GBytes) bytes = ui_cli_read_file(what, &error);
    g_autoptr(GPtrArray) certs = bytes ? crypto_certs_parse(bytes, &error) : NULL;
    if (certs && certs->len != 1) {
      ui_cli_error(cli, "%s holds %u certificates: name one of them by its fingerprint", what, certs->len);
      *code = UI_EXIT_USAGE;
      return NULL;
    }
    if (certs) {
      entry = crypto_certdb_find(crypto_cert_sha256(certs->pdata[0]), NULL);
      if (!entry) {
        entry = g_new0(CryptoCertEntry, 1);
        entry->cert = crypto_cert_ref(certs->pdata[0]);
        entry->flags = crypto_cert_is_authority(entry->cert) ? CRYPTO_CERT_AUTHORITY : 0;
      }
    }
  }
  if (!entry)
    *code = ui_cmd_cert_fail(cli, error);
  return entry;
}

/* --- showing */

static void
flag_letters(guint flags, char letters[6])
{
  static const struct {
    guint flag;
    char letter;
  } table[] = { { CRYPTO_CERT_OWN, 'K' },
                { CRYPTO_CERT_AUTHORITY, 'A' },
                { CRYPTO_CERT_TRUSTED_MAIL, 'M' },
                { CRYPTO_CERT_TRUSTED_SERVER, 'S' },
                { CRYPTO_CERT_DISTRUSTED | CRYPTO_CERT_DISTRUSTED_SERVER, 'X' } };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
    letters[i] = flags & table[i].flag ? table[i].letter : '-';
  if (letters[4] == 'X' && !(flags & CRYPTO_CERT_DISTRUSTED))
    letters[4] = 'x';
  letters[5] = 0;
}

static char *
date(gint64 when)
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(when);
  return time ? g_date_time_format(time, "%Y-%m-%d") : g_strdup("?");
}

void
ui_cmd_cert_line(const CryptoCertEntry *entry, const char *word)
{
  ui_cmd_cert_line_with(entry, word, NULL);
}

void
ui_cmd_cert_line_with(const CryptoCertEntry *entry, const char *word, const char *behind)
{
  char letters[6];
  flag_letters(entry->flags, letters);
  const char *const *addresses = crypto_cert_addresses(entry->cert);
  g_autofree char *until = date(crypto_cert_not_after(entry->cert));
  g_autofree char *line = g_strdup_printf(
      "%.16s %s until %s  %s%s%s%s%s%s%s%s", crypto_cert_sha256(entry->cert), letters, until,
      crypto_cert_common_name(entry->cert), addresses[0] ? " <" : "", addresses[0] ? addresses[0] : "",
      addresses[0] ? ">" : "", addresses[0] && addresses[1] ? " and more" : "",
      entry->token && strcmp(entry->token, "database") != 0 ? "  on " : "",
      entry->token && strcmp(entry->token, "database") != 0 ? entry->token : "",
      entry->flags & CRYPTO_CERT_ABSENT ? " (not in its reader)" : "");
  g_autofree char *first = word ? g_strdup_printf("%-14s ", word) : g_strdup("");
  g_autofree char *whole =
      g_strdup_printf("%s%s%s%s", first, line, behind ? "  " : "", behind ? behind : "");
  g_autofree char *safe = ui_text_line(whole);
  puts(safe);
}

void
ui_cmd_cert_fields(JsonBuilder *json, const CryptoCertEntry *entry)
{
  CryptoCert *cert = entry->cert;
  ui_json_string(json, "sha256", crypto_cert_sha256(cert));
  ui_json_string(json, "name", crypto_cert_common_name(cert));
  ui_json_strings(json, "addresses", crypto_cert_addresses(cert));
  ui_json_string(json, "subject", crypto_cert_subject(cert));
  ui_json_string(json, "issuer", crypto_cert_issuer(cert));
  ui_json_string(json, "serial", crypto_cert_serial(cert));
  ui_json_time(json, "not_before", crypto_cert_not_before(cert));
  ui_json_time(json, "not_after", crypto_cert_not_after(cert));
  ui_json_string(json, "key", crypto_cert_key_name(cert));
  ui_json_string(json, "signature", crypto_cert_signature_name(cert));
  ui_json_bool(json, "own", (entry->flags & CRYPTO_CERT_OWN) != 0);
  ui_json_bool(json, "authority", (entry->flags & CRYPTO_CERT_AUTHORITY) != 0);
  ui_json_bool(json, "trusted_mail", (entry->flags & CRYPTO_CERT_TRUSTED_MAIL) != 0);
  ui_json_bool(json, "trusted_server", (entry->flags & CRYPTO_CERT_TRUSTED_SERVER) != 0);
  ui_json_bool(json, "distrusted", (entry->flags & CRYPTO_CERT_DISTRUSTED) != 0);
  ui_json_bool(json, "distrusted_server", (entry->flags & CRYPTO_CERT_DISTRUSTED_SERVER) != 0);
  ui_json_bool(json, "builtin", (entry->flags & CRYPTO_CERT_BUILTIN) != 0);
  ui_json_string(json, "token", entry->token);
  ui_json_bool(json, "absent", (entry->flags & CRYPTO_CERT_ABSENT) != 0);
  ui_json_string(json, "nickname", entry->nickname);
}

/* --- show */

typedef struct {
  const char *name, *words;
  CryptoUse use;
} Purpose;

static const Purpose purposes[] = { { "sign", "signing mail", CRYPTO_USE_SIGN },
                                    { "encrypt", "being written to", CRYPTO_USE_ENCRYPT },
                                    { "authority", "issuing for mail", CRYPTO_USE_AUTHORITY } };

static gboolean
has_purpose(CryptoCert *cert, CryptoUse use)
{
  return (use == CRYPTO_USE_AUTHORITY) == crypto_cert_is_authority(cert);
}

static void
show_line(const char *label, const char *value)
{
  g_autofree char *line = g_strdup_printf("%-12s %s", label, value);
  g_autofree char *safe = ui_text_line(line);
  puts(safe);
}

static void
show_times(CryptoCert *cert, gint64 now)
{
  g_autofree char *from = date(crypto_cert_not_before(cert)), *until = date(crypto_cert_not_after(cert));
  gint64 days = (crypto_cert_not_after(cert) - now) / 86400;
  g_autofree char *rest = now < crypto_cert_not_before(cert) ? g_strdup("not valid yet")
                          : now > crypto_cert_not_after(cert)
                              ? g_strdup("expired")
                              : g_strdup_printf("%" G_GINT64_FORMAT " days left", days);
  g_autofree char *line = g_strdup_printf("%s to %s, %s", from, until, rest);
  show_line("valid", line);
}

static void
show_text(const CryptoCertEntry *entry, CryptoRevocationMode revocation, GPtrArray *extra)
{
  CryptoCert *cert = entry->cert;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autofree char *fingerprint = ui_cmd_cert_fingerprint(cert);
  show_line("name", crypto_cert_common_name(cert));
  for (const char *const *a = crypto_cert_addresses(cert); *a; a++)
    show_line("address", *a);
  show_line("sha256", fingerprint);
  show_line("subject", crypto_cert_subject(cert));
  show_line("issuer", crypto_cert_issuer(cert));
  show_line("serial", crypto_cert_serial(cert));
  show_times(cert, now);
  show_line("key", crypto_cert_key_name(cert));
  show_line("signed with", crypto_cert_signature_name(cert));
  show_line("lies in", !entry->token                           ? "the file only"
                       : entry->flags & CRYPTO_CERT_BUILTIN    ? "NSS's own roots"
                       : strcmp(entry->token, "database") == 0 ? "the certificate database"
                                                               : entry->token);
  show_line("private key", entry->flags & CRYPTO_CERT_OWN ? "ours" : "not here");
  if (entry->flags & CRYPTO_CERT_AUTHORITY)
    show_line("trusted for",
              entry->flags & CRYPTO_CERT_TRUSTED_MAIL
                  ? (entry->flags & CRYPTO_CERT_TRUSTED_SERVER ? "mail and servers" : "mail")
                  : (entry->flags & CRYPTO_CERT_TRUSTED_SERVER ? "servers" : "nothing by itself"));
  if (entry->flags & (CRYPTO_CERT_DISTRUSTED | CRYPTO_CERT_DISTRUSTED_SERVER))
    show_line("never for", !(entry->flags & CRYPTO_CERT_DISTRUSTED_SERVER) ? "mail"
                           : entry->flags & CRYPTO_CERT_DISTRUSTED         ? "mail and servers"
                                                                           : "servers");
  for (gsize i = 0; i < G_N_ELEMENTS(purposes); i++) {
    if (!has_purpose(cert, purposes[i].use))
      continue;
    g_autoptr(CryptoChain) chain =
        crypto_chain_check(cert, purposes[i].use, now, revocation, extra);
    g_autofree char *line =
        g_strdup_printf("%s: %s", purposes[i].words, chain->problems ? chain->sentence : "yes");
    show_line("good for", line);
    for (guint k = 0; i == 0 && k < chain->certs->len; k++) {
      g_autofree char *step =
          g_strdup_printf("%*s%s", (int)(2 * k), "", crypto_cert_common_name(chain->certs->pdata[k]));
      show_line(k ? "" : "chain", step);
    }
  }
}

static void
show_purpose_json(JsonBuilder *json, CryptoCert *cert, const Purpose *purpose, CryptoRevocationMode revocation,
                  GPtrArray *extra)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(CryptoChain) chain = crypto_chain_check(cert, purpose->use, now, revocation, extra);
  ui_json_object(json, purpose->name);
  ui_json_bool(json, "good", chain->problems == 0);
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  for (guint bit = 0; bit < 32; bit++)
    if (chain->problems & (1u << bit))
      g_ptr_array_add(words, (char *)crypto_trust_word(1u << bit));
  g_ptr_array_add(words, NULL);
  ui_json_strings(json, "trust_errors", (const char *const *)words->pdata);
  ui_json_string(json, "reason", chain->problems ? chain->sentence : NULL);
  g_ptr_array_set_size(words, 0);
  for (guint i = 0; i < chain->certs->len; i++)
    g_ptr_array_add(words, (char *)crypto_cert_sha256(chain->certs->pdata[i]));
  g_ptr_array_add(words, NULL);
  ui_json_strings(json, "chain", (const char *const *)words->pdata);
  json_builder_end_object(json);
}

static void
show_one(UiCli *cli, const CryptoCertEntry *entry, GPtrArray *extra)
{
  if (!cli->json) {
    show_text(entry, ml_config_revocation(cli->config), extra);
    return;
  }
  JsonBuilder *json = ui_json_new();
  ui_cmd_cert_fields(json, entry);
  for (gsize i = 0; i < G_N_ELEMENTS(purposes); i++)
    if (has_purpose(entry->cert, purposes[i].use))
      show_purpose_json(json, entry->cert, &purposes[i], ml_config_revocation(cli->config), extra);
  ui_json_print(json);
}

/* Every certificate of a file, each with what the database says of it. */
static int
show_file(UiCli *cli, const char *file)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = ui_cli_read_file(file, &error);
  g_autoptr(GPtrArray) certs = bytes ? crypto_certs_parse(bytes, &error) : NULL;
  if (!certs)
    return ui_cmd_cert_fail(cli, error);
  for (guint i = 0; i < certs->len; i++) {
    g_autoptr(CryptoCertEntry) entry = crypto_certdb_find(crypto_cert_sha256(certs->pdata[i]), NULL);
    if (!entry) {
      entry = g_new0(CryptoCertEntry, 1);
      entry->cert = crypto_cert_ref(certs->pdata[i]);
      entry->flags = crypto_cert_is_authority(entry->cert) ? CRYPTO_CERT_AUTHORITY : 0;
    }
    if (i && !cli->json)
      puts("");
    show_one(cli, entry, certs);
  }
  return UI_EXIT_OK;
}

int
ui_cmd_cert_show(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "cert show", NULL, ui_cmd_cert_help, NULL };
  int code = ui_cli_options(cli, &self, NULL, &argc, argv);
  if (code >= 0)
    return code;
  if (argc != 2) {
    ui_cli_error(cli, "say which: signet cert show FINGERPRINT, ADDRESS or FILE");
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_crypto(cli, FALSE, TRUE, TRUE, &code))
    return code;
  if (g_file_test(argv[1], G_FILE_TEST_EXISTS) || strcmp(argv[1], "-") == 0)
    return show_file(cli, argv[1]);
  gboolean from_file;
  g_autoptr(CryptoCertEntry) entry = ui_cmd_cert_find(cli, argv[1], &from_file, &code);
  if (!entry)
    return code;
  show_one(cli, entry, NULL);
  return UI_EXIT_OK;
}
