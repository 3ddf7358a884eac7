#include "ui/commands.h"

#include <stdio.h>
#include <string.h>

#include "ui/json-message.h"
#include "ui/chain.h"
#include "ui/text.h"
#include "ui/verify-options.h"

const char ui_cmd_verify_help[] =
    "signet verify [OPTIONS] FILE|-|FOLDER/UID ...    who signed it, is it unaltered, may it be believed\n"
    "\n"
    "  --explain              the chain as a tree, the rule that each certificate breaks, and what mends it\n"
    "  --trust FILE           trust the authorities in FILE for mail\n"
    "  --certs FILE           further certificates: to build chains with, or a signer's that the mail left "
    "out\n"
    "  --key FILE.p12         a key to decrypt with; --password-file FILE: its password (the n-th for the "
    "n-th key)\n"
    "  --crl FILE             a revocation list (DER or PEM)\n"
    "  --at TIME              judge as at this time (2026-11-22T10:00:00Z) instead of now\n"
    "  --revocation off|soft|hard   whether revocation counts; hard: it must be known\n"
    "  --online               ask responders (OCSP), fetch revocation lists, and authorities that the mail left "
    "out\n"
    "  --pin-file FILE        the PIN of a token or the password of the certificate database\n"
    "\n"
    "All of this is for this run only. Nothing is written but the cache of revocation answers (and, where the account has\n"
    "index-encrypted = yes, what a message says that was decrypted, sealed), and nobody is asked\n"
    "unless --online says so. What the screen remembers of "
    "the\n"
    "sender (people.db in the data folder: signed so far, by which certificates) is read, so that verify "
    "says what\n"
    "the screen says.\n"
    "\n"
    "Exit codes, of several messages the worst (in the order 1 5 8 7 4 3 6 0):\n"
    "  0 signed by the From address, unaltered and trusted    1 altered, or the signature is wrong    2 "
    "usage\n"
    "  3 unaltered and trusted, but look: another signer, ...  4 unaltered, but the certificate is not "
    "trusted\n"
    "  5 the certificate is revoked    6 not signed, or only a part is    7 cannot be decided\n"
    "  8 encrypted, and cannot be decrypted here\n"
    "  65 not a message, 66 no such input, 74 read error, 78 configuration\n";

static const char *
headline(const MlVerdict *verdict)
{
  switch (verdict->signature) {
  case ML_SIGNATURE_VALID:
    return verdict->indicator == ML_INDICATOR_GOOD  ? "SIGNED"
           : verdict->signer_matches_from == ML_YES ? "SIGNED, BUT LOOK"
                                                    : "SIGNED BY SOMEONE ELSE";
  case ML_SIGNATURE_UNTRUSTED:
    return verdict->indicator == ML_INDICATOR_BAD ? "CERTIFICATE REVOKED" : "SIGNED, NOT TRUSTED";
  case ML_SIGNATURE_INVALID:
    return "BAD SIGNATURE";
  case ML_SIGNATURE_UNVERIFIABLE:
    return "SIGNATURE CANNOT BE CHECKED";
  case ML_SIGNATURE_ERRANT:
    return "NOT SIGNED AS A WHOLE";
  case ML_SIGNATURE_UNSIGNED:
    break;
  }
  return "NOT SIGNED";
}

static void G_GNUC_PRINTF(1, 2) line(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *safe = ui_text_line(text);
  puts(safe);
}

static char *
day(gint64 time)
{
  g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(time);
  return date ? g_date_time_format(date, "%Y-%m-%d") : g_strdup("?");
}

static void
explain_signer(const MlSigner *signer, const char *said)
{
  g_autofree char *when = signer->cms->has_signing_time ? day(signer->cms->signing_time) : NULL;
  line("  signer: %s, %s with %s%s%s", signer->cms->identifier,
       signer->cms->algorithm ? signer->cms->algorithm : "?", signer->cms->digest ? signer->cms->digest : "?",
       when ? ", claims to have signed on " : "", when ? when : "");
  if (signer->cms->reason)
    line("    %s", signer->cms->reason);
  if (!signer->now) {
    line("    The signer's certificate is not here: signet cert import FILE keeps it, --certs gives it for once.");
    return;
  }
  g_autoptr(GPtrArray) lines = ui_chain_lines(signer->now);
  for (guint i = 0; i < lines->len; i++)
    line("    %s", (const char *)lines->pdata[i]);
  if (signer->now->sentence && strcmp(signer->now->sentence, said))
    line("    %s", signer->now->sentence);
  CryptoCert *top = signer->now->certs->pdata[signer->now->certs->len - 1];
  if (signer->now->problems & CRYPTO_TRUST_SELF_SIGNED)
    line("    SHA-256 of %s: %s", crypto_cert_common_name(top), crypto_cert_sha256(top));
}

static void
print_text(const char *input, const MlMessage *message, gboolean explain)
{
  const MlVerdict *verdict = ml_message_verdict(message);
  line("%s: %s", input, headline(verdict));
  line("  %s", verdict->reason);
  if (verdict->next_step)
    line("  %s", verdict->next_step);
  for (guint i = 0; i < verdict->warnings->len; i++)
    line("  %s", (const char *)verdict->warnings->pdata[i]);
  for (guint i = 0; i < verdict->notices->len; i++)
    line("  %s", (const char *)verdict->notices->pdata[i]);
  if (verdict->envelope &&
      (verdict->encryption == ML_ENCRYPTION_DECRYPTED || verdict->encryption == ML_ENCRYPTION_LEGACY))
    line("  Decrypted: %s, %s.", verdict->envelope->algorithm, verdict->envelope->key_transport);
  GPtrArray *asked = ml_message_asked(message);
  for (guint i = 0; asked && i < asked->len; i++) {
    const CryptoAsked *one = asked->pdata[i];
    line("  Asked %s: %s", one->url, one->failure ? one->failure : "answered.");
  }
  char **differs = ml_message_outer_differs(message);
  if (*differs) {
    g_autofree char *names = g_strjoinv(", ", differs);
    line("  On the way these header fields were changed: %s.", names);
  }
  if (!explain)
    return;
  for (guint i = 0; i < verdict->signers->len; i++)
    explain_signer(verdict->signers->pdata[i], verdict->reason);
  for (guint i = 0;
       verdict->envelope && verdict->envelope->recipients && i < verdict->envelope->recipients->len; i++)
    line("  recipient: %s", (const char *)verdict->envelope->recipients->pdata[i]);
}

/* The worse of two codes; what could not be read at all is worse than any verdict. */
static int
worse(int a, int b)
{
  static const int order[] = { 1, 5, 8, 7, 4, 3, 6, 0 };
  guint at_a = 0, at_b = 0;
  if (a >= UI_EXIT_DATA || b >= UI_EXIT_DATA)
    return MAX(a, b);
  for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
    if (order[i] == a)
      at_a = i;
    if (order[i] == b)
      at_b = i;
  }
  return at_a < at_b ? a : b;
}

static int
verify_one(UiCli *cli, const UiVerifyOptions *options, const char *input, gboolean explain)
{
  int code = UI_EXIT_OK;
  gint64 received = 0;
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = ui_cli_message(cli, input, &received, &code);
  if (!bytes)
    return code ? code : UI_EXIT_NOINPUT;
  g_autoptr(MlMessage) message = ui_verify_options_read(options, cli, bytes, received, &error);
  if (!message) {
    ui_cli_error(cli, "%s: %s", input, error->message);
    return ui_cli_exit_for(error);
  }
  if (cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_message(json, input, message);
    ui_json_print(json);
  } else {
    print_text(input, message, explain);
  }
  return ml_verdict_exit_code(ml_message_verdict(message));
}

int
ui_cmd_verify(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "verify", NULL, ui_cmd_verify_help, NULL };
  UiVerifyOptions options = { .trust = NULL };
  gboolean explain = FALSE;
  UiOption table[UI_VERIFY_OPTIONS + 2] = { { "explain", 0, UI_OPTION_FLAG, &explain },
                                            { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file } };
  ui_verify_options_table(&options, table + 2);
  int code = ui_cli_options(cli, &self, table, &argc, argv);
  if (code < 0 && argc < 2) {
    ui_cli_error(cli, "verify which message? A file, - or FOLDER/UID; see signet verify --help");
    code = UI_EXIT_USAGE;
  }
  if (code < 0 && ui_verify_options_apply(&options, cli, &code)) {
    code = verify_one(cli, &options, argv[1], explain);
    for (int i = 2; i < argc; i++)
      code = worse(code, verify_one(cli, &options, argv[i], explain));
  }
  ui_verify_options_clear(&options);
  return code;
}
