#include "mail/policy.h"

#include <string.h>

#include "mail/address-private.h"
#include "mail/policy-private.h"

static void
reason_free(gpointer data)
{
  MlPolicyReason *reason = data;
  g_free(reason->because);
  g_free(reason);
}

void
ml_policy_decision_free(MlPolicyDecision *decision)
{
  if (!decision)
    return;
  g_ptr_array_unref(decision->reasons);
  g_free(decision);
}

const char *
ml_policy_default(MlPolicyKey key)
{
  return key == ML_POLICY_REVOCATION ? "soft" : key == ML_POLICY_ONLINE ? "crl" : NULL;
}

const char *
ml_policy_value(const MlPolicy *policy, MlPolicyKey key)
{
  return policy ? policy->values[key].value : NULL;
}

/* --- does a rule fit --- */

/* The entry that @address falls under: an address itself, its domain, or one above it. */
static const char *
under(char **entries, const char *address)
{
  g_autofree char *folded = ml_address_fold(address);
  const char *at = folded ? strrchr(folded, '@') : NULL;
  const char *host = at ? at + 1 : "";
  for (char **entry = entries; entry && *entry; entry++) {
    if (strchr(*entry, '@') ? folded && strcmp(*entry, folded) == 0 : ml_address_in_domain(*entry, host))
      return *entry;
  }
  return NULL;
}

/* An address without a readable domain falls under every rule that is about domains: it may be anybody's. So does an
 * author who cannot be told. */
static gboolean
unreadable(const char *address)
{
  g_autofree char *folded = address ? ml_address_fold(address) : NULL;
  return folded == NULL;
}

/* One recipient that the rule is about. */
static gboolean
recipient_fits(const MlPolicyRule *rule, const char *address, char **because)
{
  const char *entry = rule->domains ? under(rule->domains, address) : NULL;
  if (unreadable(address)) {
    *because = g_strdup_printf("the domain of %s cannot be read", address);
    return TRUE;
  }
  if ((rule->domains && !entry) || (rule->except && under(rule->except, address)))
    return FALSE;
  if (!entry)
    *because = g_strdup_printf("%s is in none of the domains of except-domain", address);
  else if (strcmp(entry, "*") == 0)
    *because = g_strdup_printf("%s is in some domain", address);
  else
    *because = g_strdup_printf("%s is in the domain %s", address, entry);
  return TRUE;
}

/* All that the rule asks for must fit; of recipients one is enough. NULL: it does not. */
static char *
rule_fits(const MlPolicyRule *rule, const MlPolicyFacts *facts)
{
  g_autoptr(GString) all = g_string_new(NULL);
  if (rule->from) {
    if (unreadable(facts->from))
      g_string_append(all, "its author cannot be told");
    else if (under(rule->from, facts->from))
      g_string_append_printf(all, "it is from %s", facts->from);
    else
      return NULL;
  }
  if (rule->domains || rule->except) {
    g_autofree char *because = NULL;
    for (guint i = 0; facts->recipients && facts->recipients[i] && !because; i++)
      recipient_fits(rule, facts->recipients[i], &because);
    if (!because)
      return NULL;
    g_string_append_printf(all, "%s%s", all->len ? ", " : "", because);
  }
  if (rule->subjects) {
    g_autofree char *subject = ml_policy_fold(facts->subject ? facts->subject : "");
    guint i = 0;
    while (rule->subjects[i] && !strstr(subject, rule->subjects[i]))
      i++;
    if (!rule->subjects[i])
      return NULL;
    g_string_append_printf(all, "%sthe subject has \"%s\"", all->len ? ", " : "", rule->subjects[i]);
  }
  return g_string_free(g_steal_pointer(&all), FALSE);
}

/* --- what follows --- */

static void
add_reason(MlPolicyDecision *decision, MlPolicyKey what, const char *rule, const char *where, const char *because)
{
  MlPolicyReason *reason = g_new0(MlPolicyReason, 1);
  *reason = (MlPolicyReason){ what, rule, where, g_strdup(because) };
  g_ptr_array_add(decision->reasons, reason);
  decision->sign |= what == ML_POLICY_SIGN;
  decision->encrypt |= what == ML_POLICY_ENCRYPT;
  decision->no_clear |= what == ML_POLICY_CLEAR;
}

MlPolicyDecision *
ml_policy_decide(const MlPolicy *policy, const MlPolicyFacts *facts)
{
  static const struct {
    MlPolicyKey key;
    const char *word;
  } always[] = { { ML_POLICY_SIGN, "always" }, { ML_POLICY_ENCRYPT, "always" }, { ML_POLICY_CLEAR, "forbid" } };
  MlPolicyDecision *decision = g_new0(MlPolicyDecision, 1);
  decision->reasons = g_ptr_array_new_with_free_func(reason_free);
  for (guint i = 0; policy && i < G_N_ELEMENTS(always); i++) {
    const MlPolicyValue *value = &policy->values[always[i].key];
    if (g_strcmp0(value->value, always[i].word) == 0)
      add_reason(decision, always[i].key, NULL, value->where, NULL);
  }
  for (guint i = 0; policy && i < policy->rules->len; i++) {
    const MlPolicyRule *rule = policy->rules->pdata[i];
    g_autofree char *because = rule_fits(rule, facts);
    if (because && rule->sign)
      add_reason(decision, ML_POLICY_SIGN, rule->name, rule->sign, because);
    if (because && rule->encrypt)
      add_reason(decision, ML_POLICY_ENCRYPT, rule->name, rule->encrypt, because);
    if (because && rule->clear)
      add_reason(decision, ML_POLICY_CLEAR, rule->name, rule->clear, because);
  }
  return decision;
}

const MlPolicyReason *
ml_policy_reason(const MlPolicyDecision *decision, MlPolicyKey what)
{
  for (guint i = 0; i < decision->reasons->len; i++) {
    const MlPolicyReason *reason = decision->reasons->pdata[i];
    if (reason->what == what)
      return reason;
  }
  return what == ML_POLICY_ENCRYPT ? ml_policy_reason(decision, ML_POLICY_CLEAR) : NULL;
}

char *
ml_policy_words(const MlPolicyReason *reason)
{
  const char *name = ml_policy_names[reason->what], *word = reason->what == ML_POLICY_CLEAR ? "forbid" : "always";
  if (!reason->rule)
    return g_strdup_printf("%s = %s, %s", name, word, reason->where);
  return g_strdup_printf("rule %s, %s: %s", reason->rule, reason->where, reason->because);
}

static gboolean
refuse(GError **error, const MlPolicyDecision *decision, MlPolicyKey what, const char *is_not, const char *step)
{
  g_autofree char *words = ml_policy_words(ml_policy_reason(decision, what));
  g_set_error(error, ML_ERROR, ML_ERROR_POLICY, "The message is not %s, and policy demands it (%s). %s", is_not,
              words, step);
  return FALSE;
}

gboolean
ml_policy_allows(const MlPolicy *policy, const MlPolicyFacts *facts, gboolean sign, gboolean encrypt,
                 GError **error)
{
  if (!policy)
    return TRUE;
  if (policy->broken) {
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG,
                "Nothing is sent, because this system's policy cannot be understood: %s. "
                "Whoever administers this computer must mend it.",
                policy->broken);
    return FALSE;
  }
  g_autoptr(MlPolicyDecision) decision = ml_policy_decide(policy, facts);
  if (decision->sign && !sign)
    return refuse(error, decision, ML_POLICY_SIGN, "signed", "Turn signing on (S, or --sign).");
  if ((decision->encrypt || decision->no_clear) && !encrypt)
    return refuse(error, decision, ML_POLICY_ENCRYPT, "encrypted", "Turn encryption on (E, or --encrypt).");
  return TRUE;
}

/* --- algorithms --- */

static gboolean
too_weak(const MlPolicy *policy, MlPolicyKey key, const char *what, GError **error)
{
  g_set_error(error, ML_ERROR, ML_ERROR_POLICY, "%s is weaker than policy allows (%s = %s, %s).", what,
              ml_policy_names[key], policy->values[key].value, policy->values[key].where);
  return FALSE;
}

const char *
ml_policy_digest(const MlPolicy *policy, const char *wanted, gboolean explicit_, GError **error)
{
  const char *least = ml_policy_value(policy, ML_POLICY_MIN_DIGEST);
  if (!least || ml_policy_strength(ML_POLICY_MIN_DIGEST, wanted) >= ml_policy_strength(ML_POLICY_MIN_DIGEST, least))
    return wanted;
  if (!explicit_)
    return least;
  g_autofree char *what = g_strdup_printf("The digest %s", wanted);
  too_weak(policy, ML_POLICY_MIN_DIGEST, what, error);
  return NULL;
}

const char *
ml_policy_cipher(const MlPolicy *policy, const char *wanted, gboolean explicit_, GError **error)
{
  const char *least = ml_policy_value(policy, ML_POLICY_MIN_CIPHER);
  const char *fits = least ? ml_policy_ciphers(wanted, least) : wanted;
  if (!explicit_ || strcmp(fits, wanted) == 0)
    return fits;
  g_autofree char *what = g_strdup_printf("The cipher %s", wanted);
  too_weak(policy, ML_POLICY_MIN_CIPHER, what, error);
  return NULL;
}

gboolean
ml_policy_key(const MlPolicy *policy, const char *key, const char *whose, GError **error)
{
  MlPolicyKey which = g_str_has_prefix(key, "RSA") ? ML_POLICY_MIN_RSA : ML_POLICY_MIN_EC;
  const char *least = ml_policy_value(policy, which), *digits = key + strcspn(key, "0123456789");
  if (!least)
    return TRUE;
  /* "Ed25519" has no size in its name, and is as strong as P-256 */
  guint64 bits = g_str_has_prefix(key, "Ed25519") ? 256 : g_ascii_strtoull(digits, NULL, 10);
  if (bits >= g_ascii_strtoull(least, NULL, 10))
    return TRUE;
  g_autofree char *what = g_strdup_printf("The key of %s (%s)", whose, key);
  return too_weak(policy, which, what, error);
}
