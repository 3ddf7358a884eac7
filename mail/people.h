#ifndef ML_PEOPLE_H
#define ML_PEOPLE_H

#include "mail/message.h"

/* data/people.db: what decides a verdict or a recipient and cannot be fetched again: who signed with what and how
 * often, when a mail was first seen, what correspondents' programs can read, where accepted certificates came
 * from. It is apart from the mail store and survives every rebuild of it. SQLite in WAL mode; one handle a
 * thread; several signets on one profile work together. Implemented in mail/store-people.c. */
MlPeople *ml_people_open(const char *file, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* made if missing */
/* To look only. NULL without an error: there is none yet. */
MlPeople *ml_people_open_to_read(const char *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_people_free(MlPeople *people);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlPeople, ml_people_free)

/* Remembers one judged message, once per Message-ID and content. Only intact and trusted signatures that match
 * From count as signed. Returns the time this message was first seen here. */
gint64 ml_people_note(MlPeople *people, const MlMessage *message, const char *message_id, gint64 now, GError **error);
gint64 ml_people_first_seen(MlPeople *people, const char *message_id, GBytes *raw); /* 0: never */

/* What was seen from @address, the message of the octets @except (may be NULL) not counted; and of @cert (may be
 * NULL), whether it and its authority signed for that address before. */
MlHistory *ml_people_history(MlPeople *people, const char *address, CryptoCert *cert, GBytes *except, GError **error);
void ml_history_free(MlHistory *history);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlHistory, ml_history_free)

/* A certificate that the user accepted for writing to @address. Several may be. */
gboolean ml_people_accept(MlPeople *people, const char *address, const char *sha256, const char *source, gint64 now,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
GPtrArray *ml_people_accepted(MlPeople *people, const char *address, GError **error); /* of char *: sha256 */

/* Every yes that was said, the newest first. (mail/store-certs.c) */
typedef struct {
  char *address, *sha256;
  char *source; /* "file x.pem", "signed mail of 2026-11-02", a Message-ID; "": not known */
  gint64 at;
} MlAccepted;
GPtrArray *ml_people_accepted_all(MlPeople *people, GError **error);

/* Certificates for writing to @address (NULL: to anybody, at most 5,000) that its own verified mail brought, the newest
 * mail first, at most 20 an address: array of MlBrought. Candidates: nothing is trusted or used because it arrived. */
typedef struct {
  CryptoCert *cert;
  char *address;
  gint64 at; /* of the mail */
} MlBrought;
GPtrArray *ml_people_brought(MlPeople *people, const char *address, GError **error);
/* No: it is offered no more, whatever mail or directory brings it again, and a yes said before is taken back. */
gboolean ml_people_forget(MlPeople *people, const char *address, const char *sha256, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The yes alone is taken back (@address NULL: each that was said to it): what mail brought is a candidate again. */
gboolean ml_people_unaccept(MlPeople *people, const char *address, const char *sha256, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Was @address written to, or heard of, since? */
gboolean ml_people_is_current(MlPeople *people, const char *address, gint64 since);
GPtrArray *ml_people_issuers(MlPeople *people); /* of CryptoCert: intermediates that came with those; never NULL */

/* Certificates that @source ("directory corp") offers for writing to @address, in place of what it offered before: those of
 * @certs that name it, at most 32, and what of @issuers stands above them. Candidates too. (store-offered.c) */
typedef struct {
  CryptoCert *cert;
  char *source, *address;
  gint64 at;
} MlOffered;
gboolean ml_people_offer(MlPeople *people, const char *address, const char *source, GPtrArray *certs, GPtrArray *issuers,
                         gint64 now, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Of MlOffered, the newest first; @address NULL: to anybody, at most 5,000. */
GPtrArray *ml_people_offered(MlPeople *people, const char *address, GError **error);

/* SMIMECapabilities (DER) last announced by @address in a verified message. */
GBytes *ml_people_capabilities(MlPeople *people, const char *address);

#endif
