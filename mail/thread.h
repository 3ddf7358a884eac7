#ifndef ML_THREAD_H
#define ML_THREAD_H

#include "mail/folder.h"
#include "mail/thread-edits.h"

/* Who answers whom among the messages of a list: by References and In-Reply-To (RFC 5322 3.6.4, as RFC 5256 REFERENCES
 * reads them), and, for an answer that names nothing ("Re: ..."), by its subject. Messages come and go one at a time;
 * nothing is asked of a server. Pure; one thread.
 *
 * Headers are hostile: what would make a circle is not believed, nor what would make a thread deeper than
 * ML_THREAD_DEPTH. */
enum { ML_THREAD_DEPTH = 500, ML_THREAD_REFERENCES = 50 };

typedef struct MlThreads MlThreads;
MlThreads *ml_threads_new(void);
void ml_threads_free(MlThreads *threads);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlThreads, ml_threads_free)

/* What the person has decided counts before what mail says; for those that are added from then on. It must outlive them. */
void ml_threads_set_edits(MlThreads *threads, const MlThreadEdits *edits);
/* @item names it from then on; nothing of @header is kept. One that is there already is left alone. */
void ml_threads_add(MlThreads *threads, gpointer item, const MlHeader *header);
void ml_threads_remove(MlThreads *threads, gpointer item);

/* A message in the order in which threads are read: threads by their newest message, the newest thread last; within
 * one, an answer behind what it answers, answers to the same by their date. */
typedef struct {
  gpointer item;
  guint64 more;       /* bit i: another message at depth i + 1 of the same branch follows below; for drawing */
  guint size;         /* depth 0: messages in the thread; else 0 */
  guint depth : 16;   /* 0: the first of its thread */
  guint same_subject : 1;    /* as the message above it in the thread has, but for "Re:" */
} MlThreaded;
/* Those for which @within (NULL: all) says so; what is left out is passed over as if it were not there. Array of
 * MlThreaded. */
typedef gboolean (*MlThreadFilter)(gpointer item, gpointer user_data);
GArray *ml_threads_order(MlThreads *threads, MlThreadFilter within, gpointer user_data);

/* A subject without "Re:", "Fwd:", "[list]" before it, folded, for comparing; transfer full. *reply: there was one. */
char *ml_thread_subject(const char *subject, gboolean *reply);

#endif
