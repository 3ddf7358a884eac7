#ifndef CRYPTO_BER_H
#define CRYPTO_BER_H

#include <gio/gio.h>

/* BER read and DER written (X.690), as far as CMS and certificates need it. The reader copies nothing: items
 * point into the caller's bytes and live as long as they do. It takes definite and indefinite lengths and
 * constructed strings; it never recurses deeper than CRYPTO_BER_DEPTH and never reads outside its range. Tag
 * numbers of 31 and above do not occur in CMS and are malformed here. Pure functions, any thread. */
enum { CRYPTO_BER_DEPTH = 24 };

enum {
  CRYPTO_BER_BOOLEAN = 0x01,
  CRYPTO_BER_INTEGER = 0x02,
  CRYPTO_BER_BIT_STRING = 0x03,
  CRYPTO_BER_OCTET_STRING = 0x04,
  CRYPTO_BER_NULL = 0x05,
  CRYPTO_BER_OID = 0x06,
  CRYPTO_BER_UTC_TIME = 0x17,
  CRYPTO_BER_GENERALIZED_TIME = 0x18,
  CRYPTO_BER_SEQUENCE = 0x30,
  CRYPTO_BER_SET = 0x31,
  CRYPTO_BER_CONSTRUCTED = 0x20,
  CRYPTO_BER_CONTEXT = 0x80,
  CRYPTO_BER_CONTEXT_CONSTRUCTED = 0xa0, /* + the number */
};

/* Where large values of indefinite length in one buffer end: each has to be walked to know, and encloses the next in
 * every streamed message, so that without it the innermost is walked once for each level. The owner of the buffer keeps
 * it for as long as items of it are in use; readers and items that have it are used by one thread at a time. */
typedef struct {
  guint n;
  struct {
    const guint8 *start;
    gsize length, total;
  } of[CRYPTO_BER_DEPTH];
} CryptoBerEnds;

typedef struct {
  const guint8 *data; /* the contents, without the end-of-contents octets of an indefinite length */
  gsize length;
  const guint8 *start; /* the identifier octet */
  gsize total;         /* from start to the end of the item */
  guint8 tag;
  guint8 depth;
  gboolean indefinite;
  CryptoBerEnds *ends;
} CryptoBerItem;

typedef struct {
  const guint8 *at, *end;
  guint8 depth;
  CryptoBerEnds *ends; /* NULL: nothing is remembered */
} CryptoBerReader;

CryptoBerReader crypto_ber_reader(const guint8 *data, gsize length);
CryptoBerReader crypto_ber_enter(const CryptoBerItem *item); /* to read what a constructed item holds */

/* FALSE: nothing left, or malformed. Only a reader that is at its end has been read without a fault. */
gboolean crypto_ber_next(CryptoBerReader *reader, CryptoBerItem *item);
gboolean crypto_ber_expect(CryptoBerReader *reader, guint8 tag, CryptoBerItem *item); /* and it has this tag */
gboolean crypto_ber_optional(CryptoBerReader *reader, guint8 tag, CryptoBerItem *item); /* FALSE: not there */
gboolean crypto_ber_at_end(const CryptoBerReader *reader);
int crypto_ber_peek(const CryptoBerReader *reader); /* the next tag; -1 at the end */

gboolean crypto_ber_is(const CryptoBerItem *item, const guint8 *data, gsize length); /* contents are equal */
gboolean crypto_ber_equal(const CryptoBerItem *a, const CryptoBerItem *b);           /* whole items are equal */

/* An OCTET STRING (or an implicitly tagged one) piece by piece, as it was chopped up. FALSE: malformed, or
 * @func said so. Calls with a length of zero do not occur. */
typedef gboolean (*CryptoBerPieceFunc)(const guint8 *data, gsize length, gpointer user_data);
gboolean crypto_ber_pieces(const CryptoBerItem *item, CryptoBerPieceFunc func, gpointer user_data);

/* The same with small pieces put together first (a string in pieces of one octet costs little more than a whole one),
 * and long ones in runs of at most 1 MiB, behind which the pages of a mapping are given back (crypto/mapping.h). */
gboolean crypto_ber_runs(const CryptoBerItem *item, CryptoBerPieceFunc func, gpointer user_data);

/* The same as one run of bytes; @owner holds the item's memory. A slice of it where the string is primitive,
 * else a copy of at most @limit bytes. Transfer full; NULL: malformed or beyond the limit. */
GBytes *crypto_ber_octets(GBytes *owner, const CryptoBerItem *item, gsize limit);

/* An INTEGER of no more than 31 bits that is not negative; -1: it is not one. */
int crypto_ber_small(const CryptoBerItem *item);

/* UTCTime or GeneralizedTime in the form that RFC 5280 and RFC 5652 demand: with seconds, with Z, without
 * fractions; Unix seconds. */
gboolean crypto_ber_time(const CryptoBerItem *item, gint64 *seconds);

/* An object identifier in dots; transfer full. NULL: malformed or absurdly long. */
char *crypto_ber_oid_dots(const CryptoBerItem *item);

/* Writing. Each appends to @out, or changes it in place; the result is DER if what is put in is. */
void crypto_ber_put(GByteArray *out, guint8 tag, gconstpointer data, gsize length);
void crypto_ber_put_header(GByteArray *out, guint8 tag, gsize length); /* the contents follow */
void crypto_ber_put_array(GByteArray *out, guint8 tag, const GByteArray *contents);
void crypto_ber_put_small(GByteArray *out, guint value); /* INTEGER */
void crypto_ber_put_time(GByteArray *out, gint64 seconds);
void crypto_ber_wrap(GByteArray *out, guint8 tag); /* makes all of it the contents of one item */
gsize crypto_ber_header_size(gsize length);
/* The items of @set (array of GBytes) in the order of a DER SET OF, with header. */
void crypto_ber_put_set(GByteArray *out, guint8 tag, GPtrArray *items);

#endif
