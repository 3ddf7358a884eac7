#ifndef UI_CERT_ACCOUNT_H
#define UI_CERT_ACCOUNT_H

#include "crypto/certdb.h"
#include "mail/config.h"

/* Which of our certificates an account signs and is written to with. Any thread but where a line says otherwise. */
gboolean ui_cert_account_has(const MlAccount *account, CryptoCert *cert); /* one of its addresses is in it */

/* What a new certificate of ours means for one account. */
typedef struct {
  const MlAccount *account;
  gboolean takes;         /* it is the newest valid one: the account uses it from now on by itself */
  gboolean names_another; /* signet.conf names one, for something that this can do too: the account stays with that */
  char *why_not;          /* it is not used: which rule it breaks; NULL */
} UiCertAccount;
void ui_cert_account_free(UiCertAccount *move);
/* Array of UiCertAccount: of the accounts that have one of its addresses. Asks nobody. */
GPtrArray *ui_cert_accounts_for(const MlConfig *config, CryptoCert *cert, gint64 now);

/* Writes sign-cert and encrypt-cert (as far as @cert has the use, and @sign and @encrypt want it) of [account] into the
 * configuration's file; @cert NULL: "auto". What is loaded stays as it is. */
gboolean ui_cert_account_write(const MlConfig *config, const MlAccount *account, CryptoCert *cert, gboolean sign,
                               gboolean encrypt, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
