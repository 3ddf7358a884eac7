#ifndef ML_LISTS_H
#define ML_LISTS_H

#include "mail/config.h"

/* A thread that fetches the revocation lists of the authorities that certificates were judged by since the start,
 * none more often than once a day. It looks at times of its own, so that no reading waits for it, and who serves the
 * lists learns that an authority's certificates are in use here, not which, and of what mail.
 * NULL: the configuration says that nobody is asked. UI thread; @config must outlive it; stop it before crypto_close().
 * @news is called in the default main context whenever a list came that counts, and not after ml_lists_stop(). */
typedef struct MlLists MlLists;
typedef void (*MlListsNews)(gpointer data);
MlLists *ml_lists_start(const MlConfig *config, MlListsNews news, gpointer data);
void ml_lists_stop(MlLists *lists); /* NULL is fine; waits for the thread, which gives up at once */

#endif
