#ifndef ML_PARTIAL_PRIVATE_H
#define ML_PARTIAL_PRIVATE_H

/* How a large message is read without all of its bytes. The server says what parts it has (BODYSTRUCTURE: hostile
 * like everything of a server's and a sender's), we choose what to fetch, and put what came together again with
 * the boundaries that the headers name. What was put together is scanned like any message: only if the tree is the
 * one that was announced, and nothing in it could be S/MIME, is it used; else the message is fetched whole. So
 * leaving bytes away can never make a verdict better: a message with parts left out is unsigned. Pure. */
#include "mail/imap-sieve.h"
#include "mail/left.h"

enum {
  ML_STRUCTURE_PARTS = 300, /* of one message; one with more is fetched whole */
  ML_STRUCTURE_DEPTH = 20,
};

typedef struct MlStructure MlStructure;
struct MlStructure {
  char *type;         /* "text/plain", lower case */
  char *disposition;  /* "attachment", lower case, or NULL */
  char *name;         /* a file's, or NULL */
  char *encoding;     /* lower case */
  guint64 size;       /* octets, encoded */
  GPtrArray *parts;   /* of MlStructure: of a multipart; the one within a message/rfc822; NULL: a leaf */
  char *section;      /* IMAP's number of its content: "2.1"; of a multipart that is a message's whole body NULL */
  char *head_section; /* of its header: "2.MIME", "2.HEADER", "HEADER" */
  gboolean left;      /* its content stays on the server */
  GBytes *head, *content; /* as they came; NULL: not yet */
};

/* @data: what stands behind BODYSTRUCTURE. NULL: not one, or beyond the limits. */
MlStructure *ml_structure_read(const MlNode *data);
void ml_structure_free(MlStructure *structure);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlStructure, ml_structure_free)

/* Decides what stays on the server. FALSE: the message is to be fetched whole, since it needs all its bytes, or
 * there is little to gain. */
gboolean ml_structure_plan(MlStructure *root) G_GNUC_WARN_UNUSED_RESULT;
/* The sections that the plan wants; of char *, borrowed. */
GPtrArray *ml_structure_wanted(const MlStructure *root);
void ml_structure_give(MlStructure *root, const char *section, GBytes *bytes); /* what was not asked for is ignored */

/* The message of what came, and what was left of it (array of MlLeft). NULL: fetch it whole. */
GBytes *ml_structure_build(const MlStructure *root, GPtrArray **left);

#endif
