#include "mail/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ini.h>

#include "mail/config-private.h"
#include "mail/policy-private.h"
#include "mail/saved.h"

enum { MAX_FILE = 1024 * 1024, MAX_ACCOUNTS = 64, MAX_DIRECTORIES = 16, MAX_SEARCHES = 100 };

/* One run over the file. inih reads lines through next_line(), so that the number of the line is known in
 * every callback, with or without inih's own line numbers compiled in. */
typedef struct {
  MlConfig *config;
  MlPolicy *policy;   /* of this file */
  const char *file;
  gboolean system;    /* policy.conf: [policy] and [rule NAME] alone */
  MlPolicyRule *rule; /* of the section; NULL outside of rules */
  char **lines;
  guint line;         /* the one that inih works on, from 1 */
  guint section_line; /* where an account, a directory or a rule began */
  MlAccount *account; /* of the section; NULL outside of account sections */
  MlDirectory *directory; /* the same */
  const MlConfigKey *keys;    /* of the section; NULL before the first */
  char *section;
  GHashTable *given; /* "section\nkey" of this file */
  GError *error;     /* the first */
} Reading;

static void G_GNUC_PRINTF(3, 4) fail(Reading *reading, guint line, const char *format, ...)
{
  if (reading->error)
    return;
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *words = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  reading->error = g_error_new(ML_ERROR, ML_ERROR_CONFIG, "%s:%u: %s", reading->file, line, words);
}

void
ml_config_free(MlConfig *config)
{
  if (!config)
    return;
  g_clear_pointer(&config->accounts, g_ptr_array_unref);
  g_clear_pointer(&config->directories, g_ptr_array_unref);
  g_clear_pointer(&config->searches, g_ptr_array_unref);
  char *strings[] = { config->file,          config->pager_headers, config->keymap,    config->browser,
                      config->print_command, config->nssdb,         config->revocation, config->address_book,
                      config->editor,        config->editor_window, config->internal_hosts,
                      config->online,        config->sort };
  for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
    g_free(strings[i]);
  ml_policy_free(config->policy);
  g_free(config);
}

static void
finish_account(Reading *reading)
{
  g_autoptr(GError) error = NULL;
  MlAccount *account = reading->account;
  reading->account = NULL;
  if (account && !reading->error && !ml_config_account_whole(account, &error))
    fail(reading, reading->section_line, "[account %s] %s", account->name, error->message);
}

static void
begin_account(Reading *reading, const char *name)
{
  if (!ml_config_valid_name(name)) {
    fail(reading, reading->line,
         "\"%s\" cannot be an account's name: use up to %d letters, digits and . _ - @ +, and begin with a "
         "letter or digit",
         name, ML_CONFIG_NAME);
    return;
  }
  if (ml_config_account(reading->config, name)) {
    fail(reading, reading->line, "there are two sections [account %s]: give one another name", name);
    return;
  }
  if (reading->config->accounts->len >= MAX_ACCOUNTS) {
    fail(reading, reading->line, "more than %d accounts", MAX_ACCOUNTS);
    return;
  }
  reading->account = ml_config_account_new(name);
  reading->section_line = reading->line;
  reading->keys = ml_config_account_keys;
  g_ptr_array_add(reading->config->accounts, reading->account);
}

static void
begin_directory(Reading *reading, const char *name)
{
  for (guint i = 0; i < reading->config->directories->len; i++)
    if (strcmp(((MlDirectory *)reading->config->directories->pdata[i])->name, name) == 0)
      fail(reading, reading->line, "there are two sections [directory %s]: give one another name", name);
  if (!ml_config_valid_name(name))
    fail(reading, reading->line, "\"%s\" cannot be a directory's name: use up to %d letters and digits", name,
         ML_CONFIG_NAME);
  if (reading->config->directories->len >= MAX_DIRECTORIES)
    fail(reading, reading->line, "more than %d directories", MAX_DIRECTORIES);
  if (reading->error)
    return;
  reading->directory = ml_config_directory_new(name);
  reading->section_line = reading->line;
  reading->keys = ml_config_directory_keys;
  g_ptr_array_add(reading->config->directories, reading->directory);
}

static void
finish_directory(Reading *reading)
{
  g_autoptr(GError) error = NULL;
  MlDirectory *directory = reading->directory;
  reading->directory = NULL;
  if (directory && !reading->error && !ml_config_directory_whole(directory, &error))
    fail(reading, reading->section_line, "[directory %s] %s", directory->name, error->message);
}

static void
finish_rule(Reading *reading)
{
  g_autoptr(GError) error = NULL;
  MlPolicyRule *rule = reading->rule;
  reading->rule = NULL;
  if (rule && !reading->error && !ml_policy_rule_whole(rule, &error))
    fail(reading, reading->section_line, "%s", error->message);
}

static char *
where(const Reading *reading)
{
  return g_strdup_printf("%s:%u", reading->file, reading->line);
}

static void
begin_rule(Reading *reading, const char *name)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *place = where(reading);
  reading->rule = ml_policy_rule(reading->policy, name, place, &error);
  reading->section_line = reading->line;
  reading->keys = ml_config_rule_keys;
  if (!reading->rule)
    fail(reading, reading->line, "%s", error->message);
}

/* The name behind "account " or "rule "; NULL: the section is no such one. */
static const char *
section_name(const char *section, const char *kind)
{
  gsize length = strlen(kind);
  if (!g_str_has_prefix(section, kind) || !g_ascii_isspace(section[length]))
    return NULL;
  return section + length + strspn(section + length, " \t");
}

/* inih cuts long section names and never speaks of an empty section, so sections are read here. */
static void
begin_section(Reading *reading, const char *line)
{
  const char *end = strchr(line, ']');
  if (!end) {
    fail(reading, reading->line, "the section's closing ] is missing");
    return;
  }
  finish_account(reading);
  finish_directory(reading);
  finish_rule(reading);
  g_free(reading->section);
  reading->section = g_strstrip(g_strndup(line + 1, (gsize)(end - line - 1)));
  reading->keys = NULL;
  const char *account = section_name(reading->section, "account"), *rule = section_name(reading->section, "rule");
  const char *directory = section_name(reading->section, "directory");
  if (reading->system && !rule && strcmp(reading->section, "policy") != 0) {
    fail(reading, reading->line, "there are [policy] and [rule NAME] in a system's policy, and no [%s]",
         reading->section);
    return;
  }
  if (account || rule || directory) {
    if (account)
      begin_account(reading, account);
    else if (rule)
      begin_rule(reading, rule);
    else
      begin_directory(reading, directory);
    return;
  }
  const char *nearest = NULL;
  reading->keys = ml_config_keys(reading->section, &nearest);
  if (reading->keys)
    return;
  if (g_str_has_prefix(reading->section, "account"))
    fail(reading, reading->line, "an account needs a name: [account work]");
  else if (strcmp(reading->section, "directory") == 0)
    fail(reading, reading->line, "a directory needs a name: [directory work]");
  else if (strcmp(reading->section, "rule") == 0)
    fail(reading, reading->line, "a rule needs a name: [rule partners]");
  else if (nearest)
    fail(reading, reading->line, "unknown section [%s]; did you mean [%s]?", reading->section, nearest);
  else
    fail(reading, reading->line, "unknown section [%s]; there are [account NAME], [directory NAME], [ui], [keys], "
         "[searches], [policy] and [rule NAME]",
         reading->section);
}

/* inih's fgets. Blanks at the front go, or inih would take the line for the last one's continuation. */
static char *
next_line(char *buffer, int size, void *data)
{
  Reading *reading = data;
  const char *line = reading->lines[reading->line];
  if (!line || reading->error)
    return NULL;
  reading->line++;
  line += strspn(line, " \t");
  gsize length = strlen(line);
  while (length && g_ascii_isspace(line[length - 1]))
    length--;
  if (length + 3 > (gsize)size) {
    if (*line != '#' && *line != ';')
      fail(reading, reading->line, "the line is longer than %d characters", size - 3);
    length = 0;
  }
  memcpy(buffer, line, length);
  buffer[length] = '\n';
  buffer[length + 1] = '\0';
  if (*line == '[')
    begin_section(reading, line);
  return buffer;
}

static void
set_number(Reading *reading, guint *field, const char *name, const char *value)
{
  guint64 number;
  if (!g_ascii_string_to_unsigned(value, 10, 0, 86400, &number, NULL))
    fail(reading, reading->line, "%s = %s is not a number from 0 to 86400", name, value);
  else
    *field = (guint)number;
}

/* Minutes, or seconds with an s behind; kept in seconds. */
static void
set_minutes(Reading *reading, guint *field, const char *name, const char *value)
{
  guint64 number;
  gboolean seconds = g_str_has_suffix(value, "s");
  g_autofree char *digits = g_strndup(value, strlen(value) - (seconds || g_str_has_suffix(value, "m")));
  if (!g_ascii_string_to_unsigned(digits, 10, 0, 86400, &number, NULL))
    fail(reading, reading->line, "%s = %s is not a number of minutes from 0 to 86400 (or of seconds: 90s)", name, value);
  else
    *field = (guint)number * (seconds ? 1 : 60);
}

static void
set_bool(Reading *reading, gboolean *field, const char *name, const char *value)
{
  static const char *const yes[] = { "yes", "true", "on", "1", NULL };
  static const char *const no[] = { "no", "false", "off", "0", NULL };
  g_autofree char *lower = g_ascii_strdown(value, -1);
  if (g_strv_contains(yes, lower))
    *field = TRUE;
  else if (g_strv_contains(no, lower))
    *field = FALSE;
  else
    fail(reading, reading->line, "%s = %s is neither yes nor no", name, value);
}

static void
set_choice(Reading *reading, char **field, const MlConfigKey *key, const char *value)
{
  g_auto(GStrv) choices = g_strsplit(key->choices, " ", -1);
  g_autofree char *lower = g_ascii_strdown(value, -1);
  if (g_strv_contains((const char *const *)choices, lower)) {
    g_free(*field);
    *field = g_steal_pointer(&lower);
    return;
  }
  g_autofree char *all = g_strjoinv(", ", choices);
  fail(reading, reading->line, "%s = %s is not known; it can be: %s", key->name, value, all);
}

static void
set_path(Reading *reading, const MlConfigKey *key, char **field, const char *value)
{
  if (*field && key->kind != ML_KEY_PATH) {
    fail(reading, reading->line, "[%s] has both maildir and mbox: keep one", reading->section);
    return;
  }
  *field = ml_config_path(reading->config->file, value);
  if (key->kind != ML_KEY_PATH)
    reading->account->kind = key->kind == ML_KEY_MAILDIR ? ML_ACCOUNT_MAILDIR : ML_ACCOUNT_MBOX;
}

static void
set_policy(Reading *reading, const MlConfigKey *key, const char *value)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *place = where(reading);
  gboolean good = key->kind == ML_KEY_POLICY
                      ? ml_policy_set(reading->policy, (MlPolicyKey)key->offset, value, place, &error)
                  : key->kind == ML_KEY_RULE
                      ? ml_policy_rule_set(reading->rule, (MlRuleKey)key->offset, value, place, &error)
                      : ml_policy_lock(reading->policy, value, place, &error);
  if (key->kind == ML_KEY_LOCKED && !reading->system)
    fail(reading, reading->line, "locked is for the system's policy: %s", ml_config_system_policy());
  else if (!good)
    fail(reading, reading->line, "%s", error->message);
}

static void
set_value(Reading *reading, const MlConfigKey *key, const char *value)
{
  void *base = reading->account     ? (void *)reading->account
               : reading->directory ? (void *)reading->directory
                                    : (void *)reading->config;
  void *field = (char *)base + key->offset;
  g_autoptr(GError) error = NULL;
  switch (key->kind) {
  case ML_KEY_TEXT:
    g_free(*(char **)field);
    *(char **)field = g_strdup(value);
    break;
  case ML_KEY_BOOL:
    set_bool(reading, field, key->name, value);
    break;
  case ML_KEY_NUMBER:
    set_number(reading, field, key->name, value);
    break;
  case ML_KEY_MINUTES:
    set_minutes(reading, field, key->name, value);
    break;
  case ML_KEY_CHOICE:
    set_choice(reading, field, key, value);
    break;
  case ML_KEY_LIST:
    ml_config_add_list(field, value);
    break;
  case ML_KEY_SERVER:
    if (!ml_config_server(value, key->choices, field, &error))
      fail(reading, reading->line, "%s", error->message);
    break;
  case ML_KEY_PATH:
  case ML_KEY_MAILDIR:
  case ML_KEY_MBOX:
    set_path(reading, key, field, value);
    break;
  case ML_KEY_POLICY:
  case ML_KEY_LOCKED:
  case ML_KEY_RULE:
    set_policy(reading, key, value);
    break;
  }
}

/* inih strips what follows " ;": harmless in a name, a trap in a command. */
static gboolean
cut_by_comment(Reading *reading, const char *value)
{
  const char *line = reading->lines[reading->line - 1];
  const char *comment = strchr(line, ';');
  while (comment && !(comment > line && g_ascii_isspace(comment[-1])))
    comment = strchr(comment + 1, ';');
  return comment && *value;
}

static void
on_search(Reading *reading, const char *name, const char *value)
{
  g_autoptr(GError) error = NULL;
  if (cut_by_comment(reading, value))
    fail(reading, reading->line, "in a search, \" ;\" would begin a comment: leave it out");
  else if (!g_hash_table_add(reading->given, g_strconcat("searches\n", name, NULL)))
    fail(reading, reading->line, "there are two searches \"%s\": give one another name", name);
  else if (reading->config->searches->len >= MAX_SEARCHES)
    fail(reading, reading->line, "more than %d searches", MAX_SEARCHES);
  else if (!ml_saved_add(reading->config->searches, name, value, &error))
    fail(reading, reading->line, "%s", error->message);
}

static int
on_value(void *data, const char *section, const char *name, const char *value)
{
  Reading *reading = data;
  (void)section;
  if (reading->error)
    return 1;
  if (reading->keys && strcmp(reading->section, "searches") == 0) { /* its keys are the names of searches */
    on_search(reading, name, value);
    return 1;
  }
  if (ml_config_is_secret(name)) {
    fail(reading, reading->line,
         "passwords do not belong in signet.conf: use password-command = ... or let signet ask once and keep "
         "it in the keyring");
    return 1;
  }
  if (!reading->keys) {
    fail(reading, reading->line,
         "%s stands before any section: begin with [account NAME], [ui], [keys] or [policy]", name);
    return 1;
  }
  const char *nearest = NULL;
  const MlConfigKey *key = ml_config_key(reading->keys, name, &nearest);
  if (key) {
    if (!*value)
      fail(reading, reading->line, "%s has no value", name);
    else if (!g_hash_table_add(reading->given, g_strconcat(reading->section, "\n", name, NULL)) &&
             key->kind != ML_KEY_LIST && !((key->kind == ML_KEY_RULE || key->kind == ML_KEY_POLICY) && key->choices))
      fail(reading, reading->line, "%s is given twice in [%s]", name, reading->section);
    else if (cut_by_comment(reading, value) && (strstr(name, "command") || strcmp(name, "sendmail") == 0))
      fail(reading, reading->line, "in %s, \" ;\" would begin a comment: put the command into a script",
           name);
    else
      set_value(reading, key, value);
    return 1;
  }
  if (nearest)
    fail(reading, reading->line, "unknown key \"%s\" in [%s]; did you mean \"%s\"?", name, reading->section,
         nearest);
  else
    fail(reading, reading->line, "unknown key \"%s\" in [%s]; signet.conf(5) lists what there is", name,
         reading->section);
  return 1;
}

static MlConfig *
config_new(const char *file)
{
  MlConfig *config = g_new0(MlConfig, 1);
  config->file = g_strdup(file);
  config->accounts = g_ptr_array_new_with_free_func((GDestroyNotify)ml_config_account_free);
  config->directories = g_ptr_array_new_with_free_func((GDestroyNotify)ml_config_directory_free);
  config->searches = g_ptr_array_new_with_free_func((GDestroyNotify)ml_saved_free);
  config->hints = TRUE;
  config->system_tokens = TRUE;
  config->keymap = g_strdup("mutt");
  return config;
}

/* The policy that is in @text; NULL: error. */
static MlPolicy *
parse(MlConfig *config, const char *file, gboolean is_system, const char *text, GError **error)
{
  g_autoptr(MlPolicy) policy = ml_policy_new();
  Reading reading = { .config = config,
                      .policy = policy,
                      .file = file,
                      .system = is_system,
                      .lines = g_strsplit(text, "\n", -1) };
  reading.given = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  int bad = ini_parse_stream(next_line, &reading, on_value, &reading);
  if (bad > 0)
    fail(&reading, (guint)bad, "neither a [section], a \"key = value\", nor a comment");
  else if (bad < 0)
    fail(&reading, reading.line, "not enough memory");
  finish_account(&reading);
  finish_directory(&reading);
  finish_rule(&reading);
  g_strfreev(reading.lines);
  g_hash_table_unref(reading.given);
  g_free(reading.section);
  if (reading.error)
    g_propagate_error(error, reading.error);
  return reading.error ? NULL : g_steal_pointer(&policy);
}

/* NULL: error; a file that is not there gives a policy that says nothing. */
static MlPolicy *
read_file(MlConfig *config, const char *file, gboolean is_system, GError **error)
{
  g_autofree char *text = NULL;
  gsize length;
  g_autoptr(GError) why = NULL;
  if (!g_file_get_contents(file, &text, &length, &why)) {
    if (g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT))
      return ml_policy_new();
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG, "%s cannot be read: %s", file, why->message);
    return NULL;
  }
  if (length > MAX_FILE || memchr(text, '\0', length) || !g_utf8_validate(text, (gssize)length, NULL)) {
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG,
                "%s is no configuration: it must be UTF-8 text of at most 1 MiB", file);
    return NULL;
  }
  return parse(config, file, is_system, g_str_has_prefix(text, "\xef\xbb\xbf") ? text + 3 : text, error);
}

/* What other rooms look for in their own places. */
static void
apply_policy(MlConfig *config)
{
  const char *revocation = ml_policy_value(config->policy, ML_POLICY_REVOCATION);
  const char *online = ml_policy_value(config->policy, ML_POLICY_ONLINE);
  const char *archive = ml_policy_value(config->policy, ML_POLICY_ARCHIVE_CERT);
  config->revocation = g_strdup(revocation ? revocation : ml_policy_default(ML_POLICY_REVOCATION));
  config->online = g_strdup(online ? online : ml_policy_default(ML_POLICY_ONLINE));
  config->internal_hosts = g_strdup(ml_policy_value(config->policy, ML_POLICY_INTERNAL_HOSTS));
  const char *index = ml_policy_value(config->policy, ML_POLICY_INDEX);
  for (guint i = 0; i < config->accounts->len; i++) {
    MlAccount *account = config->accounts->pdata[i];
    account->policy_archive = g_strdup(archive);
    if (config->policy->broken || g_strcmp0(index, "forbid") == 0)
      account->index_encrypted = FALSE;
  }
}

MlConfig *
ml_config_load_with(const char *file, const char *system, GError **error)
{
  g_autoptr(GError) broken = NULL;
  g_autoptr(MlConfig) config = config_new(file);
  MlPolicy *user = read_file(config, file, FALSE, error);
  if (!user)
    return NULL;
  MlPolicy *above = system ? read_file(config, system, TRUE, &broken) : ml_policy_new();
  if (!above) {
    above = ml_policy_new();
    above->broken = g_strdup(broken->message);
  }
  config->policy = ml_policy_merge(above, user);
  apply_policy(config);
  return g_steal_pointer(&config);
}

const char *
ml_config_system_policy(void)
{
  return SIGNET_SYSCONFDIR "/signet/policy.conf";
}

MlConfig *
ml_config_load(const char *file, GError **error)
{
  return ml_config_load_with(file, ml_config_system_policy(), error);
}
