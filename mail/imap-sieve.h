#ifndef ML_IMAP_SIEVE_H
#define ML_IMAP_SIEVE_H

#include "mail/error.h"

/* Cuts what an IMAP server sends into responses, and each response into values, within limits: the first
 * reader of bytes that may be hostile. It allocates no more than it was sent, and skips what of a literal
 * is beyond the caller's wish. Pure: no input or output of its own. One thread. */
typedef struct MlSieve MlSieve;

MlSieve *ml_sieve_new(void);
void ml_sieve_free(MlSieve *sieve);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlSieve, ml_sieve_free)

/* Of each literal @keep octets are kept; one that says it is longer than @most ends the connection. What makes a
 * response larger than ML_SIEVE_HEAP lies in a spool (crypto/spool.h), outside this process's memory. */
enum { ML_SIEVE_HEAP = 4 * 1024 * 1024 };
void ml_sieve_set_literals(MlSieve *sieve, gsize keep, gsize most);

/* While one response may be as large as a hostile mail makes it (BODYSTRUCTURE): its text may have @text octets, and
 * if it has too many values, or too deep ones, it is MALFORMED, and the connection goes on. 0: as before. */
void ml_sieve_set_lenient(MlSieve *sieve, gsize text);

typedef enum { ML_NODE_ATOM, ML_NODE_STRING, ML_NODE_NIL, ML_NODE_LIST } MlNodeKind;

/* A value, borrowed until the next ml_sieve_next(). @text is not terminated and may hold anything. */
typedef struct MlNode {
  MlNodeKind kind;
  const char *text;
  gsize length;
  gsize full; /* of a literal: what the server said; more than @length where it was cut */
  GBytes *bytes; /* of a literal in a spool: all of @text, to be kept by a reference; else NULL */
  const struct MlNode *next, *child;
} MlNode;

typedef enum {
  ML_RESPONSE_CONTINUE, /* + */
  ML_RESPONSE_TAGGED,
  ML_RESPONSE_OK, /* untagged from here */
  ML_RESPONSE_NO,
  ML_RESPONSE_BAD,
  ML_RESPONSE_BYE,
  ML_RESPONSE_PREAUTH,
  ML_RESPONSE_CAPABILITY,
  ML_RESPONSE_LIST,
  ML_RESPONSE_STATUS,
  ML_RESPONSE_EXISTS,
  ML_RESPONSE_EXPUNGE,
  ML_RESPONSE_FETCH,
  ML_RESPONSE_VANISHED,
  ML_RESPONSE_SEARCH,
  ML_RESPONSE_ESEARCH,
  ML_RESPONSE_OTHER,     /* what we have no use for */
  ML_RESPONSE_MALFORMED, /* readable as a line, but not as what it begins to be */
} MlResponseKind;

typedef struct {
  MlResponseKind kind;
  MlResponseKind status; /* of ML_RESPONSE_TAGGED: OK, NO or BAD */
  char tag[16];
  guint32 number;        /* of EXISTS, EXPUNGE, FETCH */
  const MlNode *data;    /* the values */
  const MlNode *code;    /* of OK, NO, ...: "[CODE value ...]", or NULL */
  gboolean broken_code;  /* @code is what could be read of it */
  const char *text;      /* the words for a person, terminated; the challenge behind "+"; never NULL */
} MlResponse;

/* The next complete response, borrowed until the next call. NULL without an error: more bytes are needed.
 * An error (ML_ERROR_PROTOCOL) is final. */
const MlResponse *ml_sieve_next(MlSieve *sieve, GError **error);
void ml_sieve_feed(MlSieve *sieve, const void *data, gsize length);
GBytes *ml_sieve_rest(MlSieve *sieve); /* takes back what was fed and not read, between two responses; transfer full */
gboolean ml_sieve_is_empty(const MlSieve *sieve); /* no byte waits, no response has begun */

/* Words, case ignored; NULL is no word. */
gboolean ml_node_is(const MlNode *node, const char *word);
gboolean ml_node_number(const MlNode *node, guint64 most, guint64 *number);
char *ml_node_dup(const MlNode *node); /* atom or string as valid UTF-8 without NUL; "" for anything else */

#endif
