#ifndef UI_CERTS_PRIVATE_H
#define UI_CERTS_PRIVATE_H

#include "ui/app-private.h"
#include "ui/cert-status.h"

/* The certificate screen. Rows are made on the verify thread and handed over; from then on they are the screen's. */
typedef struct {
  CryptoCertEntry *entry;
  UiCertGroup group;
  char *address; /* the first one, or a name, "+2" behind it where it has more; through the gate */
  char *mail;    /* a candidate's: for whom it came; else the first address. As it is; NULL: none */
  char *issuer, *where; /* through the gate */
  char *source;  /* "mail <id>", "file x.pem", "signed mail of 2026-11-22"; as it is; NULL: not known */
  gboolean accepted;
  UiCertStatus *status; /* NULL: not worked out yet */
  char *word;           /* of status, through the gate */
  char *folded;         /* what words look in */
} UiCertRow;
void ui_cert_row_free(UiCertRow *row);

/* One line of the screen: a certificate, or, without one, the title of a group. */
typedef struct {
  UiCertRow *row;
  UiCertGroup group;
} UiCertLine;

typedef struct {
  UiView view;
  GPtrArray *all;   /* of UiCertRow, in the order of the groups; NULL: not read yet */
  GPtrArray *extra; /* of CryptoCert: candidates for chains; NULL: none */
  GArray *lines;    /* of UiCertLine: those within the limit */
  int cursor, top, height;
  gboolean builtin; /* NSS's own roots too */
  gboolean loading;
  char *problem;    /* why it could not be read; NULL */
  char *limit;      /* as typed; NULL: none */
  int origin;       /* the cursor when a search began */
  guint generation; /* of all: what is worked out for another is dropped */
  guint counts[UI_CERT_GROUPS];
  guint unknown;    /* rows without a status */
  gboolean working; /* a job works out some */
  gboolean reveal;  /* even if that takes the limit away */
  char *keep;       /* the SHA-256 that the cursor goes back to once the list is read; NULL */
} UiCerts;

/* certs.c */
UiCerts *ui_certs_of(UiApp *app);      /* NULL: it is not open */
UiCertRow *ui_certs_current(UiApp *app); /* under the cursor; it says so where there is none */
void ui_certs_refresh(UiApp *app);     /* the database has changed: if the screen is open, it is read anew */
void ui_certs_filter(UiCerts *certs, const char *limit); /* NULL or "": all */
gboolean ui_certs_seek(UiCerts *certs, const char *sha256); /* FALSE: it is not in the lines */
UiStyle ui_certs_style(const UiCertStatus *status);

/* certs-filter.c: words, and ~o own, ~p people, ~a authorities, ~c candidates, ~s signs, ~e can be encrypted to, ~x ends
 * soon or has ended, ~b not good. All must fit; `!` turns one round. Pure. */
gboolean ui_certs_fits(const UiCertRow *row, const char *limit, gint64 now);

/* certs-load.c */
void ui_certs_load(UiApp *app, UiCerts *certs);
void ui_certs_work(UiApp *app, UiCerts *certs); /* some of what is not known yet, what is on the screen first */

/* certs-details.c */
void ui_certs_show(UiApp *app, const UiCertRow *row);

/* certs-own.c: asks whether the account, for which signet.conf names another, shall use this one */
void ui_certs_offer(UiApp *app, const MlAccount *account, CryptoCert *cert);

#endif
