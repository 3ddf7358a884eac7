#ifndef ML_POLICY_PRIVATE_H
#define ML_POLICY_PRIVATE_H

/* For mail/config.c: a policy as it is read from one file, and the two put together. */
#include "mail/policy.h"

MlPolicy *ml_policy_new(void);
void ml_policy_free(MlPolicy *policy); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlPolicy, ml_policy_free)

/* Each: FALSE and a sentence without file and line. */
gboolean ml_policy_set(MlPolicy *policy, MlPolicyKey key, const char *value, const char *where, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_policy_lock(MlPolicy *policy, const char *keys, const char *where, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef enum {
  ML_RULE_DOMAIN,
  ML_RULE_EXCEPT,
  ML_RULE_SUBJECT,
  ML_RULE_FROM,
  ML_RULE_SIGN,
  ML_RULE_ENCRYPT,
  ML_RULE_CLEAR,
} MlRuleKey;
MlPolicyRule *ml_policy_rule(MlPolicy *policy, const char *name, const char *where, GError **error);
gboolean ml_policy_rule_set(MlPolicyRule *rule, MlRuleKey key, const char *value, const char *where,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Does it say what for and what? */
gboolean ml_policy_rule_whole(const MlPolicyRule *rule, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Both consumed. The user's value counts, but where the system's is locked the stronger of the two; rules add up. */
MlPolicy *ml_policy_merge(MlPolicy *system, MlPolicy *user);

/* For comparison: an address or a domain, NFKC and without case. Transfer full; never NULL. */
char *ml_policy_fold(const char *text);
/* -1: not one of the words. The more the stronger; of ciphers see the next. */
int ml_policy_strength(MlPolicyKey key, const char *value);
const char *ml_policy_ciphers(const char *a, const char *b); /* the weakest that is no weaker than either */

#endif
