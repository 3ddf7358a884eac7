#ifndef ML_SYNC_H
#define ML_SYNC_H

#include "mail/store.h"

/* Brings one folder of the store up to what the mailbox has: the newest first, each chunk kept as it comes, so that an
 * interrupted one goes on where it ended. One for the screen's worker and for `signet sync`. Thread: the driver's. */
typedef struct {
  /* The folder is open; with @reset nothing that was told of it before counts. */
  void (*opened)(const MlSelected *selected, gboolean reset, gpointer user_data);
  void (*changes)(MlChanges *changes, gpointer user_data); /* of what was known; takes it */
  MlHeadersFunc headers;                                   /* that are new here */
  /* The text of what is new is kept too, as far as there is room, and the line is made of it: nothing is fetched twice. Of
   * a server alone; it is slower at telling the first lines. */
  gboolean whole;
} MlSyncFuncs;

typedef struct {
  MlSelected selected;
  guint added, changed, vanished, bodies;
  gboolean reset;
  gboolean kept; /* the store has what was told so far */
} MlSynced;

/* @first: as of ml_driver_headers(). Where the store fails on the way, the folder is told to the end all the same, and
 * *store_error says why nothing of it was kept. TRUE with @funcs->headers having stopped it: the rest is fetched by the
 * next one. */
gboolean ml_sync_folder(MlDriver *driver, MlStore *store, const char *folder, guint first, const MlSyncFuncs *funcs,
                        gpointer user_data, MlSynced *synced, GError **store_error,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Does the account want text here that nobody has read (keep = of signet.conf(5))? *@since: of messages from then on, and of
 * those that are flagged, as ml_store_lacking() has it; Unix seconds, as @now. */
gboolean ml_sync_wants(const MlAccount *account, gint64 now, gint64 *since);
/* Is there room for text that nobody has read? Asked first: what is put into a full store takes the place of other text. */
gboolean ml_sync_room(MlStore *store, gboolean *room, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Keeps @bodies (of MlBody), and adds to *@kept how many. *@room: there is some for more; what is full stays full, for the
 * newest come first. */
gboolean ml_sync_keep(MlStore *store, const char *folder, guint32 uidvalidity, const GPtrArray *bodies, guint *kept,
                      gboolean *room, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What the caller has and what is there, both arrays of MlFlagChange, ascending: fills the three lists of @news. Flags
 * that are ML_SYNC_UNKNOWN on either side are no change; what is there without a number is left out. */
#define ML_SYNC_UNKNOWN G_MAXUINT32
void ml_sync_compare(const GArray *had, const GArray *there, MlSyncNews *news);

/* Before a connection that ml_sync_folder() follows on: tells the driver what it will be asked (ml_driver_expect()), by
 * what the store knows. */
void ml_sync_expect(MlDriver *driver, MlStore *store, const char *folder, guint first);
void ml_sync_learn(MlDriver *driver, MlStore *store); /* after it: what is worth knowing the next time is kept */

#endif
