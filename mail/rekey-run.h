#ifndef ML_REKEY_RUN_H
#define ML_REKEY_RUN_H

#include "mail/rekey.h"

/* A folder's encrypted messages written anew, each in two steps, so that a crash at any point leaves each message once, or
 * twice and noted, and never none: the new copy is noted, stored, fetched back and compared; then the old one goes. What
 * is noted lies in a file a folder (below @dir), one line a step, on the disk before the step is taken. Subcommands. */
typedef struct {
  guint32 old, copy;  /* their numbers; 0: not known */
  guint32 above;      /* the copy's number is greater */
  char *old_digest, *new_digest; /* ml_rekey_digest() */
  gboolean done;      /* nothing is left to do about it */
  gboolean checked;   /* in this run: the copy is there, known by its ciphertext */
  gboolean mangled;   /* in this run: ... and its header is another than was stored, or than the old one's */
  char *fields;       /* ... ml_rekey_fields() of it, where an earlier run stored it */
  gboolean ended;     /* in this run: it was told of, and has its flags */
  GBytes *given;      /* in this run: what was stored; NULL: an earlier one did */
  const char *cipher; /* in this run */
  gboolean raised, inner;
} MlRekeyEntry;

typedef struct {
  char *path, *account, *folder;
  guint32 uidvalidity;
  char *to, *from;    /* SHA-256 of certificates; from: "" for any */
  gboolean cbc, keep; /* keep: the old ones stay until they are told to go */
  GPtrArray *entries; /* of MlRekeyEntry */
  int fd;
} MlRekeyState;

/* One run at a time: held until closed. -1: error. */
int ml_rekey_state_lock(const char *dir, GError **error);
/* What an earlier run left of this folder. NULL without error: nothing. */
MlRekeyState *ml_rekey_state_find(const char *dir, const char *account, const char *folder, GError **error);
GPtrArray *ml_rekey_state_all(const char *dir, GError **error); /* of MlRekeyState; transfer full */
/* Begins one, which must not be there: @like gives account to keep; a copy is made. */
MlRekeyState *ml_rekey_state_begin(const char *dir, const MlRekeyState *like, GError **error);
gboolean ml_rekey_state_end(MlRekeyState *state, GError **error); /* all is done: the file goes */
guint ml_rekey_state_waiting(const MlRekeyState *state); /* messages whose old copy is there still */
/* Does @uid have a copy already, or is it one? Or had it one in this run, whose header was another? */
gboolean ml_rekey_state_knows(const MlRekeyState *state, guint32 uid);
void ml_rekey_state_free(MlRekeyState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlRekeyState, ml_rekey_state_free)

/* What came of one message. @reason: why it was left as it is; NULL: @copy is its number now (@cipher NULL: an earlier run
 * wrote it). */
typedef struct {
  guint32 uid, copy;
  const char *cipher, *reason;
  gboolean raised, inner;
} MlRekeyTold;

typedef struct {
  void (*told)(const MlRekeyTold *told, gpointer user_data);
  gboolean (*step)(guint done, guint total, gpointer user_data); /* before each message; FALSE: stop here */
  gpointer user_data;
} MlRekeyFuncs;

/* What an earlier run began: whatever was stored is looked for by its ciphertext; where it is there, its old copy goes
 * (@remove), else it counts as not begun. Uses no key. */
gboolean ml_rekey_settle(MlDriver *driver, MlRekeyState *state, gboolean remove, const MlRekeyFuncs *funcs,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* @todo: array of MlRekeyItem. @highest: of ml_rekey_walk(). *@stopped: step() said so. On FALSE something stopped it in
 * the midst; what was begun is noted. */
gboolean ml_rekey_run(MlDriver *driver, MlRekeyState *state, const GArray *todo, guint32 highest,
                      const MlRekeyOptions *options, const MlRekeyFuncs *funcs, gboolean *stopped,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
