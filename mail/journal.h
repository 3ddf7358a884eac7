#ifndef ML_JOURNAL_H
#define ML_JOURNAL_H

#include "crypto/keyuse.h"
#include "mail/config.h"

/* The journal of key uses: a line of JSON for each, appended to one file (mode 0600) by one write(), so that several
 * processes may share it and logrotate may take it away at any time. Its text is ASCII: what a sender or a card named is
 * escaped, so that no Message-ID can look like a line, or like anything else than itself.
 *
 *   {"schema":1,"at":"2026-11-22T06:30:00.123456Z","act":"decrypt","result":"done","certificate":"<SHA-256>",
 *    "key":"<SHA-256 of SubjectPublicKeyInfo>","name":"Anna Keller","token":"database","about":"<id@example.org>",
 *    "use":"4711-12"}
 *
 * result: "done", "failed" (then "why"), or "begun". REQUIRED writes and syncs that before the key is touched, and the
 * outcome after it: where either cannot be written, the key is not used, or what came of it is thrown away. A line
 * "begun" without another of the same "use" is a use whose end nobody saw. ON writes the outcome alone, and goes on, with a
 * word in the log, where it cannot. "use" is the process and a number of its own. */
typedef enum { ML_JOURNAL_OFF, ML_JOURNAL_ON, ML_JOURNAL_REQUIRED } MlJournalMode;
MlJournalMode ml_journal_mode(const MlConfig *config); /* a system's policy that cannot be understood may have required it */

typedef struct MlJournal MlJournal;
/* @where: who wants it, for sentences ("/etc/signet/policy.conf:3"); NULL. */
MlJournal *ml_journal_new(const char *file, MlJournalMode mode, const char *where);
void ml_journal_free(MlJournal *journal);
extern const CryptoKeyWatch ml_journal_watch; /* user_data: the MlJournal; any thread */

/* Can it be written, now? Nothing is. */
gboolean ml_journal_check(MlJournal *journal, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The line for a use, with its end; for the writer and its test. Transfer full. */
char *ml_journal_line(const CryptoKeyUse *use, const char *result, const char *why, gint64 at_microseconds);

#endif
