#ifndef ML_LINES_PRIVATE_H
#define ML_LINES_PRIVATE_H

#include <glib.h>

/* Line ends of whole messages: CRLF on the wire and in what is signed, LF in the files of a Unix mailbox. Pure
 * functions; each returns a new reference, to @bytes itself where there is nothing to change. Large mappings
 * (crypto/mapping.h) stay out of memory, and so does what is made of them. */
GBytes *ml_lines_crlf(GBytes *bytes); /* a lone LF becomes CRLF; a lone CR stays */
GBytes *ml_lines_lf(GBytes *bytes);   /* only where every LF has its CR: the way back is then known */

/* Is one of these in it? */
typedef enum { ML_OCTETS_NUL, ML_OCTETS_8BIT } MlOctets;
gboolean ml_lines_have(GBytes *bytes, MlOctets octets);

#endif
