#include <stddef.h>
#include <string.h>

#include "mail/config-private.h"
#include "mail/nearest.h"
#include "mail/policy-private.h"

#define ACCOUNT(field) offsetof(MlAccount, field)
#define CONFIG(field) offsetof(MlConfig, field)
#define DIRECTORY(field) offsetof(MlDirectory, field)

const MlConfigKey ml_config_account_keys[] = {
  { "address", ML_KEY_TEXT, ACCOUNT(address), NULL },
  { "name", ML_KEY_TEXT, ACCOUNT(display_name), NULL },
  { "also", ML_KEY_LIST, ACCOUNT(also), NULL },
  { "imap", ML_KEY_SERVER, ACCOUNT(imap), "imap" },
  { "maildir", ML_KEY_MAILDIR, ACCOUNT(path), NULL },
  { "mbox", ML_KEY_MBOX, ACCOUNT(path), NULL },
  { "smtp", ML_KEY_SERVER, ACCOUNT(smtp), "smtp" },
  { "sendmail", ML_KEY_TEXT, ACCOUNT(sendmail), NULL },
  { "password-command", ML_KEY_TEXT, ACCOUNT(password_command), NULL },
  { "auth", ML_KEY_CHOICE, ACCOUNT(auth), "plain login scram-sha-256 external" },
  { "tls-cert", ML_KEY_TEXT, ACCOUNT(tls_cert), NULL },
  { "compress", ML_KEY_CHOICE, ACCOUNT(compress), "auto always never" },
  { "sign", ML_KEY_CHOICE, ACCOUNT(sign), "never ask always" },
  { "encrypt", ML_KEY_CHOICE, ACCOUNT(encrypt), "never ask when-possible always" },
  { "sign-cert", ML_KEY_TEXT, ACCOUNT(sign_cert), NULL },
  { "encrypt-cert", ML_KEY_TEXT, ACCOUNT(encrypt_cert), NULL },
  { "archive-cert", ML_KEY_TEXT, ACCOUNT(archive_cert), NULL },
  { "sent", ML_KEY_TEXT, ACCOUNT(sent), NULL },
  { "drafts", ML_KEY_TEXT, ACCOUNT(drafts), NULL },
  { "trash", ML_KEY_TEXT, ACCOUNT(trash), NULL },
  { "archive", ML_KEY_TEXT, ACCOUNT(archive), NULL },
  { "keep", ML_KEY_CHOICE, ACCOUNT(keep), "read recent starred all" },
  { "index-encrypted", ML_KEY_BOOL, ACCOUNT(index_encrypted), NULL },
  { "keep-days", ML_KEY_NUMBER, ACCOUNT(keep_days), NULL },
  { "undo-send", ML_KEY_NUMBER, ACCOUNT(undo_send), NULL },
  { "hide-headers", ML_KEY_CHOICE, ACCOUNT(hide_headers), "baseline shy none" },
  { "legacy-display", ML_KEY_BOOL, ACCOUNT(legacy_display), NULL },
  { "signature", ML_KEY_PATH, ACCOUNT(signature), NULL },
  { "format-flowed", ML_KEY_BOOL, ACCOUNT(flowed), NULL },
  { NULL, ML_KEY_TEXT, 0, NULL },
};

const MlConfigKey ml_config_directory_keys[] = {
  { "url", ML_KEY_SERVER, DIRECTORY(server), "ldap" },
  { "tls", ML_KEY_CHOICE, DIRECTORY(tls), "required none" },
  { "base", ML_KEY_TEXT, DIRECTORY(base), NULL },
  { "filter", ML_KEY_TEXT, DIRECTORY(filter), NULL },
  { "bind", ML_KEY_TEXT, DIRECTORY(bind), NULL },
  { "password-command", ML_KEY_TEXT, DIRECTORY(password_command), NULL },
  { "domains", ML_KEY_LIST, DIRECTORY(domains), NULL },
  { "ask", ML_KEY_CHOICE, DIRECTORY(ask), "auto key" },
  { "complete", ML_KEY_BOOL, DIRECTORY(complete), NULL },
  { "timeout", ML_KEY_NUMBER, DIRECTORY(timeout), NULL },
  { NULL, ML_KEY_TEXT, 0, NULL },
};

static const MlConfigKey ui_keys[] = {
  { "ascii", ML_KEY_BOOL, CONFIG(ascii), NULL },
  { "hints", ML_KEY_BOOL, CONFIG(hints), NULL },
  { "pager-headers", ML_KEY_TEXT, CONFIG(pager_headers), NULL },
  { "address-book", ML_KEY_PATH, CONFIG(address_book), NULL },
  { "keymap", ML_KEY_CHOICE, CONFIG(keymap), "mutt" },
  { "sort", ML_KEY_CHOICE, CONFIG(sort),
    "arrival date from subject size threads reverse-arrival reverse-date reverse-from reverse-subject reverse-size "
    "reverse-threads" },
  { "browser", ML_KEY_TEXT, CONFIG(browser), NULL },
  { "print-command", ML_KEY_TEXT, CONFIG(print_command), NULL },
  { "editor", ML_KEY_TEXT, CONFIG(editor), NULL },
  { "editor-window", ML_KEY_TEXT, CONFIG(editor_window), NULL },
  { "mark-seen-after", ML_KEY_NUMBER, CONFIG(mark_seen_after), NULL },
  { NULL, ML_KEY_TEXT, 0, NULL },
};

static const MlConfigKey keys_keys[] = {
  { "nssdb", ML_KEY_PATH, CONFIG(nssdb), NULL },
  { "system-tokens", ML_KEY_BOOL, CONFIG(system_tokens), NULL },
  { "pin-timeout", ML_KEY_MINUTES, CONFIG(pin_timeout), NULL },
  { NULL, ML_KEY_TEXT, 0, NULL },
};

static const MlConfigKey policy_keys[] = {
  { "sign", ML_KEY_POLICY, ML_POLICY_SIGN, NULL },
  { "encrypt", ML_KEY_POLICY, ML_POLICY_ENCRYPT, NULL },
  { "clear", ML_KEY_POLICY, ML_POLICY_CLEAR, NULL },
  { "revocation", ML_KEY_POLICY, ML_POLICY_REVOCATION, NULL },
  { "min-digest", ML_KEY_POLICY, ML_POLICY_MIN_DIGEST, NULL },
  { "min-cipher", ML_KEY_POLICY, ML_POLICY_MIN_CIPHER, NULL },
  { "min-rsa", ML_KEY_POLICY, ML_POLICY_MIN_RSA, NULL },
  { "min-ec", ML_KEY_POLICY, ML_POLICY_MIN_EC, NULL },
  { "archive-cert", ML_KEY_POLICY, ML_POLICY_ARCHIVE_CERT, NULL },
  { "trust", ML_KEY_POLICY, ML_POLICY_TRUST, "list" },
  { "online", ML_KEY_POLICY, ML_POLICY_ONLINE, NULL },
  { "internal-hosts", ML_KEY_POLICY, ML_POLICY_INTERNAL_HOSTS, "list" },
  { "journal", ML_KEY_POLICY, ML_POLICY_JOURNAL, NULL },
  { "index-encrypted", ML_KEY_POLICY, ML_POLICY_INDEX, NULL },
  { "locked", ML_KEY_LOCKED, 0, NULL },
  { NULL, ML_KEY_TEXT, 0, NULL },
};

/* Lists, as trust and internal-hosts above: more lines of the same key add to it. */
const MlConfigKey ml_config_rule_keys[] = {
  { "domain", ML_KEY_RULE, ML_RULE_DOMAIN, "list" },
  { "except-domain", ML_KEY_RULE, ML_RULE_EXCEPT, "list" },
  { "subject", ML_KEY_RULE, ML_RULE_SUBJECT, "list" },
  { "from", ML_KEY_RULE, ML_RULE_FROM, "list" },
  { "sign", ML_KEY_RULE, ML_RULE_SIGN, NULL },
  { "encrypt", ML_KEY_RULE, ML_RULE_ENCRYPT, NULL },
  { "clear", ML_KEY_RULE, ML_RULE_CLEAR, NULL },
  { NULL, ML_KEY_TEXT, 0, NULL },
};

/* Its keys are the names of searches. */
static const MlConfigKey searches_keys[] = { { NULL, ML_KEY_TEXT, 0, NULL } };

static const struct {
  const char *name;
  const MlConfigKey *keys;
} sections[] = { { "ui", ui_keys }, { "keys", keys_keys }, { "policy", policy_keys }, { "searches", searches_keys } };

const MlConfigKey *
ml_config_keys(const char *section, const char **nearest)
{
  const char *names[G_N_ELEMENTS(sections) + 1] = { NULL };
  for (guint i = 0; i < G_N_ELEMENTS(sections); i++) {
    names[i] = sections[i].name;
    if (strcmp(section, names[i]) == 0)
      return sections[i].keys;
  }
  *nearest = ml_nearest(section, names);
  return NULL;
}

const MlConfigKey *
ml_config_key(const MlConfigKey *keys, const char *name, const char **nearest)
{
  const char *names[G_N_ELEMENTS(ml_config_account_keys)] = { NULL }; /* no other table is longer */
  for (guint i = 0; keys[i].name; i++) {
    if (strcmp(keys[i].name, name) == 0)
      return &keys[i];
    if (i < G_N_ELEMENTS(names) - 1)
      names[i] = keys[i].name;
  }
  *nearest = ml_nearest(name, names);
  return NULL;
}
