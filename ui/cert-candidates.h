#ifndef UI_CERT_CANDIDATES_H
#define UI_CERT_CANDIDATES_H

#include "mail/people.h"

/* Certificates that mail or a directory brought and nobody has accepted: trusted for nothing. On @people's thread. */
typedef struct {
  CryptoCert *cert;
  char *address; /* for writing to whom */
  char *source;  /* "signed mail of 2026-11-22", "directory corp" */
} UiCertCandidate;

/* Array of UiCertCandidate, each once for an address; without those whose SHA-256 is a key of @kept (may be NULL). */
GPtrArray *ui_cert_candidates(MlPeople *people, GHashTable *kept);

#endif
