#include "ui/compose-private.h"

/* What [policy] and the rules make of the message as it stands. Whether it may leave is mail/seal.c's to say; here it
 * is shown beforehand, and a switch that is forbidden says so when it is pressed, not when the message is sent. */

static MlPolicyDecision *
decide(const UiComposer *composer)
{
  g_autoptr(GPtrArray) mailboxes = ml_draft_mailboxes(composer->draft, NULL);
  g_autofree char *from = ui_composer_from_address(composer->draft);
  g_autofree const char **to = ml_seal_addresses(mailboxes);

  const MlPolicyFacts facts = { from, to, composer->draft->subject };
  return ml_policy_decide(composer->app->config->policy, &facts);
}

/* Sets a switch that is demanded, and takes back what it set once nothing demands it any more. */
static void
follow(gboolean demanded, gboolean *on, gboolean *set)
{
  if (demanded && !*on)
    *on = *set = TRUE;
  else if (!demanded && *set)
    *on = *set = FALSE;
}

void
ui_composer_follow_policy(UiComposer *composer)
{
  MlDraft *draft = composer->draft;

  if (!composer->app->config->policy)
    return;
  ml_policy_decision_free(composer->policy);
  composer->policy = decide(composer);
  follow(composer->policy->sign, &draft->sign, &composer->sign_by_policy);
  follow(composer->policy->encrypt, &draft->encrypt, &composer->encrypt_by_policy);
}

static const MlPolicyReason *
reason_for(const UiComposer *composer, MlPolicyKey what)
{
  return composer->policy ? ml_policy_reason(composer->policy, what) : NULL;
}

char *
ui_composer_by_policy(const UiComposer *composer, MlPolicyKey what)
{
  const MlPolicyReason *reason = reason_for(composer, what);

  if (!reason)
    return NULL;
  return reason->rule ? g_strdup_printf("by rule %s", reason->rule) : g_strdup("by policy");
}

gboolean
ui_composer_forced(UiComposer *composer, MlPolicyKey what)
{
  const MlPolicyReason *reason = reason_for(composer, what);

  if (!reason)
    return FALSE;
  g_autofree char *words = ml_policy_words(reason);
  ui_app_complain(composer->app, "It must be %s, by %s.", what == ML_POLICY_SIGN ? "signed" : "encrypted", words);
  return TRUE;
}
