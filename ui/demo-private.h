#ifndef UI_DEMO_PRIVATE_H
#define UI_DEMO_PRIVATE_H

#include "crypto/cms-write.h"
#include "crypto/issue.h"
#include "ui/demo.h"

#define UI_DEMO_YOU "you@demo.example"

enum { UI_DEMO_DAY = 24 * 60 * 60 };

/* Everybody in the demonstration. The first failure stays in @error and all later steps do nothing. */
typedef struct {
  gint64 now;
  char *maildir;
  guint delivered;
  GError *error;
  CryptoCert *root, *mail_ca, *stranger_ca;                 /* authorities: two of ours, one nobody knows */
  CryptoCert *you, *you_ec;                                 /* the reader: RSA and P-256 */
  CryptoCert *anna, *carol, *accounts, *mallory;            /* RSA, P-256, RSA, RSA */
  CryptoCert *erin, *oskar, *wendy, *stranger, *hermit;     /* revoked, expired since, weak, unknown, self-signed */
  CryptoCert *dave;                                         /* to whom a mail is encrypted that is not for us */
} UiDemo;

/* One message into the Maildir: delivered @hours before now, with these flags. @entity (taken): the MIME entity from
 * its Content-Type on, CRLF. @headers: further header lines or "". */
typedef struct {
  const char *from, *subject, *headers;
  const char *flags;      /* Maildir's: "S", "FS", "" for unread */
  guint hours;
  const char *id;         /* left of the Message-ID's @; NULL: a number */
} UiDemoMail;
void ui_demo_deliver(UiDemo *demo, const UiDemoMail *mail, char *entity);

void ui_demo_write_mail(UiDemo *demo); /* ui/demo-mail.c: all of them */

#endif
