#include <string.h>

#include "mail/address-private.h"
#include "mail/nearest.h"
#include "mail/policy-private.h"

enum { RULES_MAX = 1000, WORDS_MAX = 1000, FINGERPRINT = 64 };

const char *const ml_policy_names[ML_POLICY_KEYS + 1] = {
  "sign",    "encrypt", "clear",        "revocation", "min-digest", "min-cipher",
  "min-rsa", "min-ec",  "archive-cert", "trust",      "online",     "internal-hosts", "journal",
  "index-encrypted",
};

/* What holds where no file says otherwise, and a user's file could weaken: locked without a value, this is locked. Of
 * the other keys nothing holds then, and whatever a user's file says is more. */
static const char *const built_in[ML_POLICY_KEYS] = {
  [ML_POLICY_REVOCATION] = "soft",
  [ML_POLICY_ONLINE] = "crl",
  [ML_POLICY_INTERNAL_HOSTS] = "",
};

/* From weak to strong. Of ciphers neither bits nor the mode alone decide: ml_policy_ciphers() joins the two. */
static const char *const choices[ML_POLICY_KEYS] = {
  [ML_POLICY_SIGN] = "free always",
  [ML_POLICY_ENCRYPT] = "free always",
  [ML_POLICY_CLEAR] = "allow forbid",
  [ML_POLICY_REVOCATION] = "off soft hard",
  [ML_POLICY_ONLINE] = "off crl ocsp", /* no order: a locked one is the one */
  [ML_POLICY_MIN_DIGEST] = "sha256 sha384 sha512",
  [ML_POLICY_JOURNAL] = "off on required",
  [ML_POLICY_INDEX] = "allow forbid",
  [ML_POLICY_MIN_CIPHER] = "aes-128-cbc aes-256-cbc aes-128-gcm aes-256-gcm",
};

MlPolicy *
ml_policy_new(void)
{
  MlPolicy *policy = g_new0(MlPolicy, 1);
  policy->rules = g_ptr_array_new();
  return policy;
}

static void
rule_free(MlPolicyRule *rule)
{
  g_strfreev(rule->domains);
  g_strfreev(rule->except);
  g_strfreev(rule->subjects);
  g_strfreev(rule->from);
  char *strings[] = { rule->name, rule->where, rule->sign, rule->encrypt, rule->clear };
  for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
    g_free(strings[i]);
  g_free(rule);
}

static void
value_clear(MlPolicyValue *value)
{
  g_free(value->value);
  g_free(value->where);
  g_free(value->overruled);
  *value = (MlPolicyValue){ NULL, NULL, FALSE, NULL };
}

void
ml_policy_free(MlPolicy *policy)
{
  if (!policy)
    return;
  for (guint i = 0; i < ML_POLICY_KEYS; i++)
    value_clear(&policy->values[i]);
  for (guint i = 0; i < policy->rules->len; i++)
    rule_free(policy->rules->pdata[i]);
  g_ptr_array_unref(policy->rules);
  g_free(policy->broken);
  g_free(policy);
}

char *
ml_policy_fold(const char *text)
{
  g_autofree char *normal = g_utf8_normalize(text, -1, G_NORMALIZE_ALL_COMPOSE);
  if (!normal)
    return g_utf8_casefold("", -1);
  GString *one = g_string_new(NULL); /* runs of blanks, a folded header's too, are one */
  for (const char *p = normal; *p; p = g_utf8_next_char(p)) {
    gunichar letter = g_utf8_get_char(p);
    if (!g_unichar_isspace(letter))
      g_string_append_unichar(one, letter);
    else if (one->len && one->str[one->len - 1] != ' ')
      g_string_append_c(one, ' ');
  }
  char *folded = g_utf8_casefold(one->str, -1);
  g_string_free(one, TRUE);
  return g_strchomp(folded);
}

static gboolean G_GNUC_PRINTF(2, 3) wrong(GError **error, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *words = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error_literal(error, ML_ERROR, ML_ERROR_CONFIG, words);
  return FALSE;
}

static char *
words_of(const char *list)
{
  g_auto(GStrv) all = g_strsplit(list, " ", -1);
  return g_strjoinv(", ", all);
}

int
ml_policy_strength(MlPolicyKey key, const char *value)
{
  if (!value)
    return -1;
  if (!choices[key])
    return (int)g_ascii_strtoull(value, NULL, 10);
  g_auto(GStrv) all = g_strsplit(choices[key], " ", -1);
  for (int i = 0; all[i]; i++)
    if (strcmp(all[i], value) == 0)
      return i;
  return -1;
}

/* "AB:CD ..." as our own name for it. NULL: it is none. */
static char *
fingerprint(const char *text)
{
  GString *hex = g_string_new(NULL);
  for (const char *p = text; *p; p++)
    if (*p != ':' && *p != ' ')
      g_string_append_c(hex, g_ascii_tolower(*p));
  gboolean good = hex->len == FINGERPRINT && strspn(hex->str, "0123456789abcdef") == FINGERPRINT;
  return g_string_free(hex, !good);
}

static char *
fingerprints(const char *value, GError **error)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
  g_auto(GStrv) parts = g_strsplit(value, ",", WORDS_MAX);
  for (char **part = parts; *part; part++) {
    char *one = fingerprint(*part);
    if (!one) {
      wrong(error, "\"%s\" is no fingerprint: give the 64 hexadecimal digits of SHA-256 (signet cert list shows them)",
            g_strstrip(*part));
      return NULL;
    }
    g_ptr_array_add(all, one);
  }
  g_ptr_array_add(all, NULL);
  return g_strjoinv(",", (char **)all->pdata);
}

/* "PKI.Example.org 10.0.0.5" as they are compared: mail/fetch.c takes hosts, not patterns of them. */
static char *
hosts(const char *value, GError **error)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
  g_auto(GStrv) parts = g_strsplit_set(value, " \t,", WORDS_MAX);
  for (char **part = parts; *part; part++) {
    if (!**part)
      continue;
    for (const char *p = *part; *p; p++)
      if (!g_ascii_isalnum(*p) && !strchr("-._:[]", *p)) {
        wrong(error, "\"%s\" is no host: write its name or address alone, as in pki.example.org", *part);
        return NULL;
      }
    g_ptr_array_add(all, g_ascii_strdown(*part, -1));
  }
  g_ptr_array_add(all, NULL);
  return g_strjoinv(",", (char **)all->pdata);
}

gboolean
ml_policy_set(MlPolicy *policy, MlPolicyKey key, const char *value, const char *where, GError **error)
{
  g_autofree char *clean = g_ascii_strdown(value, -1);
  guint64 bits;
  if (choices[key] && ml_policy_strength(key, clean) < 0) {
    g_autofree char *all = words_of(choices[key]);
    return wrong(error, "%s = %s is not known; it can be: %s", ml_policy_names[key], value, all);
  }
  if ((key == ML_POLICY_MIN_RSA && !g_ascii_string_to_unsigned(value, 10, 2048, 16384, &bits, NULL)) ||
      (key == ML_POLICY_MIN_EC && !g_ascii_string_to_unsigned(value, 10, 256, 521, &bits, NULL)))
    return wrong(error, "%s = %s is not a number of bits from %s", ml_policy_names[key], value,
                 key == ML_POLICY_MIN_RSA ? "2048 to 16384" : "256 to 521");
  if (key == ML_POLICY_ARCHIVE_CERT || key == ML_POLICY_TRUST) {
    g_free(clean);
    clean = fingerprints(value, error);
    if (!clean)
      return FALSE;
    if (key == ML_POLICY_ARCHIVE_CERT && strlen(clean) != FINGERPRINT)
      return wrong(error, "archive-cert is one certificate's fingerprint");
  }
  if (key == ML_POLICY_INTERNAL_HOSTS) {
    g_free(clean);
    clean = hosts(value, error);
    if (!clean)
      return FALSE;
  }
  const MlPolicyValue *before = &policy->values[key];
  if (before->value && (key == ML_POLICY_TRUST || key == ML_POLICY_INTERNAL_HOSTS)) { /* one more line of a list */
    char *both = g_strjoin(",", before->value, clean, NULL);
    g_free(clean);
    clean = both;
    where = before->where; /* where it begins */
  }
  MlPolicyValue made = { g_steal_pointer(&clean), g_strdup(where), before->locked, NULL }; /* locked may come first */
  value_clear(&policy->values[key]);
  policy->values[key] = made;
  return TRUE;
}

gboolean
ml_policy_lock(MlPolicy *policy, const char *keys, const char *where, GError **error)
{
  g_auto(GStrv) all = g_strsplit(keys, ",", WORDS_MAX);
  for (char **name = all; *name; name++) {
    int key = 0;
    if (!*g_strstrip(*name))
      continue;
    while (ml_policy_names[key] && strcmp(ml_policy_names[key], *name) != 0)
      key++;
    const char *nearest = ml_nearest(*name, ml_policy_names);
    if (!ml_policy_names[key])
      return wrong(error, "locked names \"%s\", which is no key of [policy]%s%s%s", *name,
                   nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    MlPolicyValue *value = &policy->values[key];
    value->locked = TRUE;
    if (!value->where) /* until a value comes, or for the one that is built in */
      value->where = g_strdup(where);
  }
  return TRUE;
}

/* --- rules --- */

MlPolicyRule *
ml_policy_rule(MlPolicy *policy, const char *name, const char *where, GError **error)
{
  for (guint i = 0; i < policy->rules->len; i++)
    if (strcmp(((MlPolicyRule *)policy->rules->pdata[i])->name, name) == 0) {
      wrong(error, "there are two sections [rule %s]: give one another name", name);
      return NULL;
    }
  if (!*name || strlen(name) > 80 || policy->rules->len >= RULES_MAX) {
    wrong(error, *name ? "a rule's name has at most 80 characters, and there are at most 1000 rules"
                       : "a rule needs a name: [rule partners]");
    return NULL;
  }
  MlPolicyRule *rule = g_new0(MlPolicyRule, 1);
  rule->name = g_strdup(name);
  rule->where = g_strdup(where);
  g_ptr_array_add(policy->rules, rule);
  return rule;
}

/* One entry of a list, made ready to be compared. */
static char *
entry(MlRuleKey key, const char *text, GError **error)
{
  char *made = key == ML_RULE_SUBJECT                          ? ml_policy_fold(text)
               : key == ML_RULE_FROM && strchr(text, '@') != NULL ? ml_address_fold(text)
                                                               : ml_address_domain(text);
  if (!made)
    wrong(error, "\"%s\" is no %s: write example.org, .example.org for all below it too, or *%s", text,
          key == ML_RULE_FROM ? "address or domain" : "domain", key == ML_RULE_FROM ? "" : ", without an @");
  return made;
}

static gboolean
add_list(char ***list, MlRuleKey key, const char *value, GError **error)
{
  GPtrArray *all = g_ptr_array_new();
  for (char **p = *list; p && *p; p++)
    g_ptr_array_add(all, *p);
  g_auto(GStrv) parts = g_strsplit(value, ",", WORDS_MAX);
  gboolean good = TRUE;
  for (char **part = parts; *part && good; part++) {
    char *made = *g_strstrip(*part) ? entry(key, *part, error) : NULL;
    good = made || !**part;
    if (made)
      g_ptr_array_add(all, made);
  }
  g_ptr_array_add(all, NULL);
  g_free(*list);
  *list = (char **)g_ptr_array_free(all, FALSE);
  return good;
}

static gboolean
set_demand(char **field, const char *name, const char *word, const char *value, const char *where, GError **error)
{
  if (g_ascii_strcasecmp(value, word) != 0)
    return wrong(error, "%s = %s is not known; in a rule it can be: %s", name, value, word);
  g_free(*field);
  *field = g_strdup(where);
  return TRUE;
}

gboolean
ml_policy_rule_set(MlPolicyRule *rule, MlRuleKey key, const char *value, const char *where, GError **error)
{
  switch (key) {
  case ML_RULE_DOMAIN:
    return add_list(&rule->domains, key, value, error);
  case ML_RULE_EXCEPT:
    return add_list(&rule->except, key, value, error);
  case ML_RULE_SUBJECT:
    return add_list(&rule->subjects, key, value, error);
  case ML_RULE_FROM:
    return add_list(&rule->from, key, value, error);
  case ML_RULE_SIGN:
    return set_demand(&rule->sign, "sign", "demand", value, where, error);
  case ML_RULE_ENCRYPT:
    return set_demand(&rule->encrypt, "encrypt", "demand", value, where, error);
  case ML_RULE_CLEAR:
    return set_demand(&rule->clear, "clear", "forbid", value, where, error);
  }
  return FALSE;
}

gboolean
ml_policy_rule_whole(const MlPolicyRule *rule, GError **error)
{
  if (!rule->domains && !rule->except && !rule->subjects && !rule->from)
    return wrong(error, "[rule %s] does not say what mail it is for: give domain, except-domain, subject or from",
                 rule->name);
  if (!rule->sign && !rule->encrypt && !rule->clear)
    return wrong(error,
                 "[rule %s] demands nothing: give sign = demand, encrypt = demand or clear = forbid", rule->name);
  return TRUE;
}

/* --- the system's and the user's --- */

/* Those of @a that are in @b too. An empty list is one that nobody is on. */
static char *
common(const char *a, const char *b)
{
  g_auto(GStrv) all = g_strsplit(a, ",", -1), others = g_strsplit(b, ",", -1);
  GString *both = g_string_new(NULL);
  for (char **one = all; *one; one++)
    if (g_strv_contains((const char *const *)others, *one))
      g_string_append_printf(both, "%s%s", both->len ? "," : "", *one);
  return g_string_free(both, FALSE);
}

/* Bits by one, authentication by the other. */
const char *
ml_policy_ciphers(const char *a, const char *b)
{
  gboolean long_ = strstr(a, "256") || strstr(b, "256"), gcm = strstr(a, "gcm") || strstr(b, "gcm");
  return long_ ? gcm ? "aes-256-gcm" : "aes-256-cbc" : gcm ? "aes-128-gcm" : "aes-128-cbc";
}

/* What holds of a locked value and the user's, and whether the user's would have weakened it. Transfer full. */
static char *
stronger(MlPolicyKey key, const char *locked, const char *user, gboolean *weaker)
{
  *weaker = TRUE;
  if (key == ML_POLICY_ARCHIVE_CERT || key == ML_POLICY_ONLINE) {
    *weaker = strcmp(locked, user) != 0;
    return g_strdup(locked);
  }
  char *made = key == ML_POLICY_TRUST || key == ML_POLICY_INTERNAL_HOSTS ? common(locked, user)
               : key == ML_POLICY_MIN_CIPHER ? g_strdup(ml_policy_ciphers(locked, user))
               : ml_policy_strength(key, user) >= ml_policy_strength(key, locked) ? g_strdup(user)
                                                                                  : g_strdup(locked);
  *weaker = strcmp(made, user) != 0;
  return made;
}

static void
merge_value(MlPolicyKey key, MlPolicyValue *system, MlPolicyValue *user)
{
  gboolean weaker = FALSE;
  if (system->locked && !system->value)
    system->value = g_strdup(built_in[key]);
  if (!user->value)
    return;
  if (!system->locked || !system->value) {
    gboolean locked = system->locked;
    value_clear(system);
    *system = *user;
    system->locked = locked;
    *user = (MlPolicyValue){ NULL, NULL, FALSE, NULL };
    return;
  }
  char *made = stronger(key, system->value, user->value, &weaker);
  if (weaker)
    system->overruled = g_steal_pointer(&user->where);
  else if (strcmp(made, system->value) != 0) {
    g_free(system->where);
    system->where = g_steal_pointer(&user->where);
  }
  g_free(system->value);
  system->value = made;
}

MlPolicy *
ml_policy_merge(MlPolicy *system, MlPolicy *user)
{
  for (guint i = 0; i < ML_POLICY_KEYS; i++)
    merge_value((MlPolicyKey)i, &system->values[i], &user->values[i]);
  for (guint i = 0; i < user->rules->len; i++)
    g_ptr_array_add(system->rules, user->rules->pdata[i]);
  g_ptr_array_set_size(user->rules, 0);
  ml_policy_free(user);
  return system;
}
