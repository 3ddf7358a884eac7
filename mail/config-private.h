#ifndef ML_CONFIG_PRIVATE_H
#define ML_CONFIG_PRIVATE_H

#include "mail/config.h"

/* Reads "imaps://user@host:port" into @server. @service is "imap", "smtp" or "ldap": its plain scheme means
 * STARTTLS, the one with an s implicit TLS. The error's message is a sentence without file and line. */
gboolean ml_config_server(const char *url, const char *service, MlServer *server, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* config-keys.c: what a section may say. Tables end without a name. */
typedef enum {
  ML_KEY_TEXT,
  ML_KEY_BOOL,
  ML_KEY_NUMBER,
  ML_KEY_MINUTES,
  ML_KEY_CHOICE,
  ML_KEY_SERVER,
  ML_KEY_LIST,
  ML_KEY_PATH,
  ML_KEY_MAILDIR,
  ML_KEY_MBOX,
  ML_KEY_POLICY,
  ML_KEY_LOCKED,
  ML_KEY_RULE,
} MlKeyKind;

typedef struct {
  const char *name;
  MlKeyKind kind;
  size_t offset;       /* into MlAccount, MlDirectory or MlConfig; or an MlPolicyKey, an MlRuleKey */
  const char *choices; /* ML_KEY_CHOICE: words separated by blanks; ML_KEY_SERVER: the schemes */
} MlConfigKey;
extern const MlConfigKey ml_config_account_keys[], ml_config_directory_keys[], ml_config_rule_keys[];
/* Of a section that has no name of its own. NULL: there is no such section; *@nearest is the most like it, or NULL. */
const MlConfigKey *ml_config_keys(const char *section, const char **nearest);
/* The same for a key. */
const MlConfigKey *ml_config_key(const MlConfigKey *keys, const char *name, const char **nearest);

/* config-value.c. Words that belong into no file; names of accounts; "a, b" appended to a list; and a path made absolute:
 * ~ is the home, what is relative is so to the configuration's folder (transfer full). */
enum { ML_CONFIG_NAME = 40 };
gboolean ml_config_is_secret(const char *name);
gboolean ml_config_valid_name(const char *name);
void ml_config_add_list(char ***field, const char *value);
char *ml_config_path(const char *config_file, const char *value);

MlAccount *ml_config_account_new(const char *name);
void ml_config_account_free(MlAccount *account); /* NULL is fine */
/* All of its section was read; FALSE and a sentence without file and line. */
gboolean ml_config_account_whole(const MlAccount *account, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* config-directory.c. @whole: all of its section was read; FALSE and a sentence without file and line. */
MlDirectory *ml_config_directory_new(const char *name);
void ml_config_directory_free(MlDirectory *directory);
gboolean ml_config_directory_whole(MlDirectory *directory, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
