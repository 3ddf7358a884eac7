#ifndef ML_LEFT_H
#define ML_LEFT_H

#include <glib.h>

/* A part of a message whose content stayed on the server. In the message's bytes its header is there, and nothing
 * behind it. Immutable. Only messages that are not S/MIME have such parts: their verdict is unsigned. */
typedef struct {
  char *section;   /* IMAP's number of the part, to fetch it by: "2.1" */
  gsize at;        /* where in the message's bytes its content would begin */
  guint64 size;    /* octets of it there, encoded */
  gboolean within; /* an inner message that is here but for a part of it, which has an entry of its own */
} MlLeft;
void ml_left_free(MlLeft *left);

#endif
