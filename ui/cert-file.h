#ifndef UI_CERT_FILE_H
#define UI_CERT_FILE_H

#include "crypto/certdb.h"

/* Files of certificates: what import takes and what export writes, for the screen and for `signet cert`. Any thread. */
extern const char ui_cert_file_kinds[]; /* the files that import takes, for a sentence */
gboolean ui_cert_file_is_pkcs12(GBytes *file);

/* mutt's ~/.smime: one file a certificate below certificates/, named by its hash. Its keys are apart, each under a
 * password of its own: those come as PKCS#12. Array of CryptoCert; what could not be read is named in @left_out, a line
 * each. */
gboolean ui_cert_file_is_mutt(const char *folder);
GPtrArray *ui_cert_file_mutt(const char *folder, GString *left_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* All that gpgsm keeps; runs it. */
GPtrArray *ui_cert_file_gpgsm(GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* An authority whose issuer is not among @certs: trusting it is enough for those below it. */
gboolean ui_cert_file_is_top(GPtrArray *certs, CryptoCert *cert);

typedef enum { UI_CERT_PEM, UI_CERT_CHAIN, UI_CERT_DER, UI_CERT_BASE64, UI_CERT_LDIF } UiCertForm;
GBytes *ui_cert_file_bytes(CryptoCert *cert, UiCertForm form, const char *dn); /* dn: for LDIF; NULL: its subject */

#endif
