#ifndef CRYPTO_REVOCATION_H
#define CRYPTO_REVOCATION_H

#include "crypto/chain.h"

/* Asking the network what authorities say of their certificates. This folder opens no socket for it: whoever wants to
 * know hands in a function that fetches. An answer counts only when the certificate's own issuer, or who the issuer
 * named for it, has signed it; what was fetched lies in a cache and is checked again whenever it is read. */
typedef enum {
  CRYPTO_ASK_CRL = 1 << 0,    /* the lists that certificates name (RFC 5280 4.2.1.13) */
  CRYPTO_ASK_OCSP = 1 << 1,   /* RFC 6960; tells the responder which certificate somebody looks at */
  CRYPTO_ASK_ISSUER = 1 << 2, /* an authority's certificate that the message left out (caIssuers) */
} CryptoAskKind;

typedef struct {
  CryptoAskKind kind;
  const char *url;  /* http or https */
  GBytes *post;     /* NULL: fetched by GET */
  gsize limit;      /* octets of the answer */
  gboolean vouched; /* an authority that is trusted for mail named this address; else anybody may have */
} CryptoAsk;

typedef GBytes *(*CryptoAskFunc)(const CryptoAsk *ask, GCancellable *cancellable, gpointer data, GError **error);

typedef struct {
  CryptoAskFunc func;
  gpointer data;
  guint kinds; /* CryptoAskKind bits that may be asked for */
  GCancellable *cancellable; /* may be NULL */
  gboolean insist; /* a person asks: also where asking failed a short while ago */
} CryptoAsker;

/* What was asked, and how it went. */
typedef struct {
  CryptoAskKind kind;
  char *url;
  char *failure; /* a sentence; NULL: it was answered, and the answer counts */
} CryptoAsked;
void crypto_asked_free(CryptoAsked *asked);
const char *crypto_ask_word(CryptoAskKind kind); /* "crl", "ocsp", "issuer" */

/* Where answers are kept, also from run to run; before other threads run. NULL: in memory alone. */
void crypto_revocation_set_cache(const char *folder);

/* Asks about each certificate of @chain whose standing is not known freshly, if the chain ends in a trusted root.
 * Blocks; any thread. Appends what was asked to @log (of CryptoAsked). TRUE: something is new, judge again. */
gboolean crypto_revocation_ask(const CryptoChain *chain, gint64 at, const CryptoAsker *asker, GPtrArray *log);

/* The issuer of the last certificate of a chain that ends nowhere. Candidates only: array of CryptoCert, transfer
 * full; NULL: nothing came. */
GPtrArray *crypto_revocation_find_issuer(const CryptoChain *chain, const CryptoAsker *asker, GPtrArray *log);

/* Fetches the lists of the authorities that chains were judged by since the start, none more often than once a day
 * (one that fails or does not count: once an hour). For a thread of its own. TRUE: something is new, judge again. */
gboolean crypto_revocation_refresh(const CryptoAsker *asker, GPtrArray *log);

#endif
