#ifndef ML_MIME_PRIVATE_H
#define ML_MIME_PRIVATE_H

/* For mail/ alone: one reading of a message's structure. The scanner (scan.c) cuts one immutable buffer into a
 * tree of byte ranges without copying; verification, display and saving all take their bytes from that tree, so
 * that no two of them can see different messages. mime.c says what a range means and decodes it. */
#include <glib.h>

#include "mail/error.h"
#include "mail/left.h"

enum {
  ML_MIME_DEPTH = 100,             /* nesting of multiparts and messages */
  ML_MIME_PARTS = 10000,           /* entities in one buffer */
  ML_MIME_FIELDS = 20000,          /* header fields of one entity */
  ML_MIME_HEADER = 8 * 1024 * 1024, /* octets of one entity's header */
  ML_MIME_PARAMETERS = 4096,       /* of one header field */
  ML_MIME_BOUNDARY = 250,          /* octets; RFC 2046 allows 70 */
};

/* Offsets into the entity's buffer. The value begins after the colon and holds its folds. */
typedef struct {
  gsize name, value;
  guint32 name_length, value_length;
} MlField;

typedef enum {
  ML_TRANSFER_IDENTITY, /* 7bit, 8bit, binary, and what is unknown where it does not matter */
  ML_TRANSFER_BASE64,
  ML_TRANSFER_QUOTED,
  ML_TRANSFER_UU,
  ML_TRANSFER_UNKNOWN,  /* named, but nobody knows it: never decoded, never shown as text */
} MlTransfer;

typedef struct {
  char *name;  /* lower case, without RFC 2231's marks */
  char *value; /* UTF-8 where it could be told; a boundary keeps its octets */
} MlParam;

typedef struct MlEntity MlEntity;
struct MlEntity {
  GBytes *source; /* a reference of its own */
  MlEntity *parent; /* borrowed; NULL: the root of its buffer */
  guint depth;
  gsize start, body, end; /* header is start..body, content body..end */
  GArray *fields;         /* MlField */
  char *type;             /* "text/plain": lower case, never NULL */
  GPtrArray *params;      /* of MlParam, of Content-Type; the first of a name counts */
  char *disposition;      /* "attachment", lower case, or NULL */
  char *filename;         /* as the sender gave it, decoded; or NULL */
  MlTransfer transfer;
  GPtrArray *children;    /* of MlEntity; NULL: a leaf */
  gboolean beyond;        /* there was more inside than our limits read */
  MlEntity *opened;       /* what a cryptographic layer held; owned */
  const MlLeft *left;     /* its content is not here; borrowed from the message. NULL: it is */
  gboolean incomplete;    /* it, or something within it, is not here */
  guint rank;             /* layout.c's, once ranked is set */
  gboolean ranked;
};

/* scan.c. Errors: MALFORMED when @source has no header at all and @message asks for one, or a header beyond our
 * limits. @message: an e-mail (its header must be one); else a MIME entity (RFC 2045), whose header may be
 * missing: then all of it is the content. */
MlEntity *ml_scan(GBytes *source, gboolean message, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_entity_free(MlEntity *entity);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlEntity, ml_entity_free)

/* The entity's exact octets (header, blank line, content) as the buffer has them: what a detached signature
 * covers. Canonical: the same where every line end is CRLF; else a copy with CRLF, but only where the buffer has
 * LF throughout, since a mixture is as the sender signed it. */
GBytes *ml_scan_exact(const MlEntity *entity);
GBytes *ml_scan_canonical(const MlEntity *entity, GError **error); /* NULL: no memory for the copy */

/* mime.c: fills type, params, disposition, filename and transfer from the fields. */
void ml_mime_describe(MlEntity *entity);
const char *ml_mime_param(const MlEntity *entity, const char *name);
gboolean ml_mime_is(const MlEntity *entity, const char *type); /* "text/" matches every text */
const MlField *ml_mime_field(const MlEntity *entity, const char *name, guint index); /* the index-th of that name */
guint ml_mime_field_count(const MlEntity *entity, const char *name);
char *ml_mime_field_raw(const MlEntity *entity, const MlField *field); /* unfolded octets; NULs become U+FFFD */
char *ml_mime_field_name(const MlEntity *entity, const MlField *field);

/* A structured field ("text/plain; charset=x; name=y"): its value in lower case, without comments; @params is
 * filled with MlParam (RFC 2231 joined and decoded). */
char *ml_mime_parse_value(const char *raw, GPtrArray *params);
void ml_param_free(MlParam *param);

/* The content without its transfer encoding, at most @limit octets (0: no limit); *cut tells whether it was
 * more. Identity is a slice, not a copy. */
GBytes *ml_mime_decode(const MlEntity *entity, gsize limit, gboolean *cut);
gsize ml_mime_decoded_size(const MlEntity *entity); /* near enough for a list, without decoding */

/* partial.c: what was left of the message whose root this is (array of MlLeft) is marked in the tree. */
void ml_left_mark(MlEntity *entity, GPtrArray *left);
gsize ml_left_decoded_size(const MlEntity *entity); /* near enough for a list */
/* @filled becomes @entity with @content, which was fetched since; it borrows from both and is not freed. */
void ml_left_fill(MlEntity *filled, const MlEntity *entity, GBytes *content);

#endif
