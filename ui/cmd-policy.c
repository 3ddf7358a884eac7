#include <string.h>

#include "crypto/certdb.h"
#include "mail/policy.h"
#include "ui/commands.h"
#include "ui/json.h"
#include "ui/text.h"

const char ui_cmd_policy_help[] =
    "signet policy test --to ADDRESS [--subject TEXT] [--from ADDRESS]    what would apply to such a message, and why\n"
    "\n"
    "  --to ADDRESS       a recipient (repeatable)\n"
    "  --subject TEXT\n"
    "  --from ADDRESS     else the address of -A, or of the first account\n"
    "\n"
    "Each line names the rule with its file and line; below them is what settings mean for mail that is read: revocation,\n"
    "whom the screen asks about it, and which authorities may be believed. Rules are in signet.conf and in the system's policy.conf\n"
    "(signet.conf(5)).\n"
    "\n"
    "Exit codes: 0, 2 usage, 78 configuration; 78 too where the system's policy cannot be understood, because then\n"
    "nothing may be sent\n";

typedef struct {
  char *from, *subject;
  GPtrArray *to;
} Given;

static void
given_clear(Given *given)
{
  g_free(given->from);
  g_free(given->subject);
  g_clear_pointer(&given->to, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Given, given_clear)

/* What a setting means for who reads mail; NULL: its name says it. Static. */
static const char *
meaning(MlPolicyKey key, const char *value)
{
  static const struct {
    MlPolicyKey key;
    const char *value, *words;
  } table[] = {
    { ML_POLICY_REVOCATION, "off", "nobody looks whether a certificate was revoked" },
    { ML_POLICY_REVOCATION, "soft", "revoked is bad; where it is not known whether it was, the signature counts" },
    { ML_POLICY_REVOCATION, "hard", "a signature counts only where it is known of the whole chain that it is not revoked" },
    { ML_POLICY_ONLINE, "off", "nobody is asked but by the key O or verify --online" },
    { ML_POLICY_ONLINE, "crl", "the screen fetches authorities' lists in the background, at most once a day" },
    { ML_POLICY_ONLINE, "ocsp", "the screen fetches lists, and asks the authority about each signer of a mail that is opened" },
    { ML_POLICY_TRUST, "", "nobody is believed: the system's file and the user's name no authority that is in both" },
    { ML_POLICY_TRUST, NULL, "of the authorities that are trusted for mail these alone are believed" },
    { ML_POLICY_JOURNAL, "on", "each use of a private key leaves a line (signet journal)" },
    { ML_POLICY_JOURNAL, "required", "no private key is used whose use cannot be written down first (signet journal)" },
    { ML_POLICY_INDEX, "forbid", "what encrypted mail says is not kept for the search, whatever an account says" },
    { ML_POLICY_INTERNAL_HOSTS, NULL, "a certificate that nobody vouches for may send us to these hosts, for its issuer" },
  };
  for (guint i = 0; i < G_N_ELEMENTS(table); i++)
    if (table[i].key == key && (!table[i].value || strcmp(table[i].value, value) == 0))
      return table[i].words;
  return NULL;
}

/* Who it is that a fingerprint in trust names, as far as it is known here. Transfer full. */
static char *
authority(const char *sha256)
{
  g_autoptr(GError) unknown = NULL;
  g_autoptr(CryptoCertEntry) entry = crypto_certdb_find(sha256, &unknown);
  if (!entry)
    return g_strdup("not in the certificate database: nobody is believed because of it");
  const char *name = crypto_cert_common_name(entry->cert);
  if (entry->flags & CRYPTO_CERT_TRUSTED_MAIL)
    return g_strdup_printf("%s, trusted for mail", name);
  return g_strdup_printf("%s, but not trusted for mail here: signet cert trust %.16s", name, sha256);
}

static void
json_reasons(JsonBuilder *json, const MlPolicyDecision *decision)
{
  static const char *const words[] = { [ML_POLICY_SIGN] = "sign", [ML_POLICY_ENCRYPT] = "encrypt",
                                       [ML_POLICY_CLEAR] = "no-clear" };
  ui_json_array(json, "reasons");
  for (guint i = 0; i < decision->reasons->len; i++) {
    const MlPolicyReason *reason = decision->reasons->pdata[i];
    ui_json_object(json, NULL);
    ui_json_string(json, "demands", words[reason->what]);
    ui_json_string(json, "rule", reason->rule);
    ui_json_string(json, "where", reason->where);
    ui_json_string(json, "because", reason->because);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
}

static void
print_json(const MlPolicy *policy, const MlPolicyDecision *decision)
{
  JsonBuilder *json = ui_json_new();
  ui_json_string(json, "broken", policy->broken);
  ui_json_string(json, "sign", decision->sign ? "demanded" : "free");
  ui_json_string(json, "encrypt", decision->encrypt ? "demanded" : "free");
  ui_json_string(json, "clear", decision->encrypt || decision->no_clear ? "forbidden" : "allowed");
  json_reasons(json, decision);
  ui_json_object(json, "settings");
  for (guint i = 0; ml_policy_names[i]; i++) {
    const MlPolicyValue *value = &policy->values[i];
    const char *in_force = value->value ? value->value : ml_policy_default((MlPolicyKey)i);
    if (!in_force)
      continue;
    ui_json_object(json, ml_policy_names[i]);
    ui_json_string(json, "value", in_force);
    ui_json_string(json, "where", value->where);
    ui_json_bool(json, "locked", value->locked);
    ui_json_string(json, "overruled", value->overruled);
    ui_json_string(json, "meaning", meaning((MlPolicyKey)i, in_force));
    json_builder_end_object(json);
  }
  json_builder_end_object(json);
  ui_json_print(json);
}

/* What files say goes through the gate to the terminal. */
static void G_GNUC_PRINTF(1, 2) line(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *raw = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_autofree char *safe = ui_text_line(raw);
  g_print("%s\n", safe);
}

static void
print_setting(const MlPolicyValue *value, MlPolicyKey key)
{
  const char *in_force = value->value ? value->value : ml_policy_default(key);
  if (!in_force)
    return;
  line("%s = %s   %s%s", ml_policy_names[key], *in_force ? in_force : "(none)", value->where ? value->where : "(no file says otherwise)",
       value->locked && value->where ? ", locked" : "");
  if (value->overruled)
    line("  %s would weaken it and does not count", value->overruled);
  if (meaning(key, in_force))
    line("  %s", meaning(key, in_force));
  g_auto(GStrv) prints = g_strsplit(key == ML_POLICY_TRUST ? in_force : "", ",", -1); /* of nothing: none */
  for (char **one = prints; *one; one++) {
    g_autofree char *who = authority(*one);
    line("  %.16s... %s", *one, who);
  }
}

static void
print_text(const MlPolicy *policy, const MlPolicyDecision *decision)
{
  line("sign     %s", decision->sign ? "demanded" : "free");
  line("encrypt  %s", decision->encrypt    ? "demanded"
                      : decision->no_clear ? "free, but it does not leave in clear"
                                           : "free");
  for (guint i = 0; i < decision->reasons->len; i++) {
    const MlPolicyReason *reason = decision->reasons->pdata[i];
    static const char *const words[] = { [ML_POLICY_SIGN] = "signed", [ML_POLICY_ENCRYPT] = "encrypted",
                                         [ML_POLICY_CLEAR] = "not in clear" };
    g_autofree char *why = ml_policy_words(reason);
    line("  %s by %s", words[reason->what], why);
  }
  for (guint i = 0; ml_policy_names[i]; i++)
    print_setting(&policy->values[i], (MlPolicyKey)i);
}

static int
test(UiCli *cli, const Given *given)
{
  int code = UI_EXIT_OK;
  if (!ui_cli_config(cli, &code))
    return code;
  const MlAccount *account = ml_config_account(cli->config, cli->account);
  const MlPolicy *policy = cli->config->policy;
  if (ml_policy_value(policy, ML_POLICY_TRUST) && !ui_cli_crypto(cli, FALSE, TRUE, FALSE, &code))
    return code;
  g_ptr_array_add(given->to, NULL);
  const MlPolicyFacts facts = { given->from ? given->from
                                : account   ? account->address
                                            : NULL,
                                (const char *const *)given->to->pdata, given->subject };
  g_autoptr(MlPolicyDecision) decision = ml_policy_decide(policy, &facts);
  if (cli->json)
    print_json(policy, decision);
  else
    print_text(policy, decision);
  if (!policy->broken)
    return UI_EXIT_OK;
  ui_cli_error(cli, "nothing is sent, because this system's policy cannot be understood: %s", policy->broken);
  return UI_EXIT_CONFIG;
}

int
ui_cmd_policy(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "policy", NULL, ui_cmd_policy_help, NULL };
  g_auto(Given) given = { NULL };
  const UiOption table[] = { { "to", 0, UI_OPTION_LIST, &given.to },
                             { "subject", 's', UI_OPTION_STRING, &given.subject },
                             { "from", 0, UI_OPTION_STRING, &given.from },
                             { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, &self, table, &argc, argv);
  if (code >= 0)
    return code;
  if (argc == 2 && strcmp(argv[1], "test") == 0 && given.to)
    return test(cli, &given);
  ui_cli_error(cli, "say signet policy test --to ADDRESS [--subject TEXT] (signet policy --help)");
  return UI_EXIT_USAGE;
}
