#ifndef UI_VERDICTS_PRIVATE_H
#define UI_VERDICTS_PRIVATE_H

#include "mail/store.h"
#include "ui/app-private.h"

/* What ui/verdicts.c, which keeps the marks, and ui/verdicts-run.c, which judges, share. */
enum { UI_VERDICTS_BATCH = 64 }; /* messages of a step, at most */

typedef struct UiVerdictsStep UiVerdictsStep;
struct UiVerdicts {
  UiApp *app;
  guint64 serial;        /* of the open folder: what was begun for another one is dropped */
  char *standing;        /* what every mark on the screen rests on; NULL: not known yet */
  gboolean changed;      /* it may be another one */
  gboolean running;      /* a step is under way */
  gboolean loaded;       /* what the store has of this folder is on the screen */
  gboolean loaded_early; /* while the list of this machine was still read: it is asked for once more */
  guint32 below;         /* of a server's folder: judged down to this number; 0: from the newest */
  gboolean through;      /* down to the last */
  guint at;              /* of mail on this machine: index in all */
  int top, cursor, rows; /* when the list was drawn last */
  guint shown;
  guint source, expiry_source;
  gint64 expires;        /* when the first of the marks does; G_MAXINT64: none */
  GFileMonitor *monitors[2];
  UiVerdictsStep *gathering; /* messages of this machine that are being read; NULL */
  guint awaited;
  MlStore *store;        /* the verify thread's alone, as the next */
  char *store_account;
};

/* A message of this machine. */
typedef struct {
  guint32 uid;
  char *from, *subject; /* as its line of the list has them */
  gint64 received;
  GBytes *bytes;
  char *digest; /* of all of these, where they lie in an mbox */
} UiVerdictsMail;

/* One step: filled by the UI thread, worked through by the verify thread, taken in by the UI thread. */
struct UiVerdictsStep {
  UiVerdicts *verdicts;
  guint64 serial;
  const MlAccount *account;
  char *directory, *folder, *was;
  guint32 uidvalidity, below;
  gboolean load, range;
  GArray *uids;    /* guint32: in sight */
  GPtrArray *mail; /* of UiVerdictsMail */
  char *standing;  /* from here on: found */
  GArray *found;   /* of MlStoreVerdict */
  gboolean more, through;
};

/* What crypto_job_post() takes: @data is a step. */
void ui_verdicts_run(CryptoPinSource *pin, GCancellable *cancellable, gpointer data);

#endif
