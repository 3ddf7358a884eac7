#ifndef ML_DRAFTS_H
#define ML_DRAFTS_H

#include "mail/draft.h"

/* Drafts that wait on disk: data/drafts/ID.eml, each written whole to a file beside it, synced, renamed into place, and
 * the folder synced, so that at any moment the old draft or the new one is there. Each is a mail that other programs
 * show too, with all of the draft in it (every header as typed, text and attachments octet for octet, the
 * switches). Encrypted to the sender once there is a certificate to do it with. Where there is none, a draft that asks
 * for encryption goes to $XDG_RUNTIME_DIR instead, which ends with the session; any other lies in plain text. Any
 * thread, one handle each; saving needs no PIN, loading an encrypted one may: keys thread. */
typedef struct MlDrafts MlDrafts;
MlDrafts *ml_drafts_open(const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* made if missing */
void ml_drafts_free(MlDrafts *drafts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlDrafts, ml_drafts_free)

typedef struct {
  char *id;
  gint64 saved;              /* Unix seconds */
  char *from, *to, *subject; /* as far as they lie in clear; NULL */
  gsize size;
  gboolean encrypted;
  gboolean session; /* in $XDG_RUNTIME_DIR: gone after logout */
} MlDraftsEntry;
void ml_drafts_entry_free(MlDraftsEntry *entry);

typedef struct {
  char *id;
  GBytes *bytes; /* the same mail, for the account's Drafts folder; NULL where it must stay here (session) */
  gboolean encrypted, session;
} MlDraftsSaved;
void ml_drafts_saved_free(MlDraftsSaved *saved);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlDraftsSaved, ml_drafts_saved_free)

/* @id: the draft's that is saved again; NULL: a new one. @self: certificate of the sender to encrypt to; NULL: there is
 * none. Errors: STORE; FAILED where it may lie nowhere, with a next step. */
MlDraftsSaved *ml_drafts_save(MlDrafts *drafts, const char *id, MlDraft *draft, CryptoCert *self, gint64 now,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
GPtrArray *ml_drafts_list(MlDrafts *drafts,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT; /* of MlDraftsEntry, newest first */
MlDraft *ml_drafts_load(MlDrafts *drafts, const char *id, CryptoPinSource *pin, GCancellable *cancellable,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Errors: NOT_FOUND. */
gboolean ml_drafts_delete(MlDrafts *drafts, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A message of the account's Drafts folder (of no other: a stranger's switches are not ours), decrypted if it had to
 * be. NOT_FOUND: not one of signet's; ml_draft_edit() takes it then. */
MlDraft *ml_drafts_read(const MlMessage *message, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
