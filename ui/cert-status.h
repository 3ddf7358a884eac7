#ifndef UI_CERT_STATUS_H
#define UI_CERT_STATUS_H

#include "crypto/certdb.h"

/* A certificate in words: the same on the screen and in `signet cert list`. Any thread. */
typedef enum { UI_CERT_OWN, UI_CERT_PERSON, UI_CERT_AUTHORITY, UI_CERT_CANDIDATE, UI_CERT_GROUPS } UiCertGroup;
UiCertGroup ui_cert_group(const CryptoCertEntry *entry); /* of what is kept: never CANDIDATE */
const char *ui_cert_group_word(UiCertGroup group);  /* "own", "person", "authority", "candidate" */
const char *ui_cert_group_title(UiCertGroup group); /* "Own", "People", ... */

/* "sign", "encrypt", "both", "issue", or "other": not for mail */
const char *ui_cert_use_word(CryptoCert *cert);

enum { UI_CERT_SOON = 30 * 86400 }; /* what ends within this is said to end soon */

typedef enum { UI_CERT_GOOD, UI_CERT_LOOK, UI_CERT_BAD } UiCertJudgement;
typedef struct {
  UiCertJudgement judgement;
  guint problems; /* CryptoTrustProblem bits: what its chain lacks */
  char *word;     /* "good", "expired", "not trusted: unknown authority"; not through the gate */
  char *sentence; /* what it means and what to do; NULL where `word` says it all */
} UiCertStatus;

/* Asks nobody and calls nobody. @accepted: the user said yes to it. @revocation: ml_config_revocation(). @extra (may be
 * NULL): candidates to build with. */
UiCertStatus *ui_cert_status(const CryptoCertEntry *entry, gboolean accepted, gint64 now, CryptoRevocationMode revocation,
                             GPtrArray *extra);
void ui_cert_status_free(UiCertStatus *status); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UiCertStatus, ui_cert_status_free)
CryptoUse ui_cert_main_use(CryptoCert *cert); /* that its status is about */

char *ui_cert_end_words(gint64 seconds);    /* until its end: "12 days left", "expired today"; transfer full */
char *ui_cert_source_words(const char *source); /* of MlAccepted: "file x.pem", "mail <id>"; transfer full */

#endif
