#ifndef ML_ADDRESS_PRIVATE_H
#define ML_ADDRESS_PRIVATE_H

#include <glib.h>

/* For mail/ alone: who a From names (RFC 5322 3.4 and its obsolete forms, RFC 6532), read without recursion and
 * strictly enough to hang a verdict on it. */
typedef struct {
  char *name;    /* display name, decoded; NULL: none */
  char *address; /* local@domain, unquoted where that needs no quotes; never NULL, may be empty */
} MlAddress;
void ml_address_one_free(MlAddress *mailbox);

typedef struct {
  GPtrArray *mailboxes; /* of MlAddress, at most ML_ADDRESS_LIMIT */
  gboolean group;       /* group syntax was used */
  gboolean broken;      /* an open quote, comment or bracket, or words that are no address */
} MlAddresses;

enum { ML_ADDRESS_LIMIT = 10000 };

MlAddresses *ml_address_parse(const char *raw);
void ml_address_free(MlAddresses *addresses);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlAddresses, ml_address_free)

/* For comparison: ASCII letters in lower case, domain as A-labels where it has others. NULL: not an address
 * (no '@', blanks, controls, or a domain that cannot be). Transfer full. */
char *ml_address_fold(const char *address);
gboolean ml_address_equal(const char *a, const char *b);

/* An entry of a list of domains, as a person writes it, made ready to be compared: "example.org" (that one alone),
 * ".example.org" or "*.example.org" (and all below it), "*" (every one). NULL: it is no domain. Transfer full. */
char *ml_address_domain(const char *text);
/* Is @host, as ml_address_fold() leaves it, in @entry of ml_address_domain()? */
gboolean ml_address_in_domain(const char *entry, const char *host);

/* Does this text (a display name) hold something that looks like an address other than @address? */
gboolean ml_address_other_in(const char *text, const char *address);


/* Does a label of it mix Latin with Cyrillic or Greek letters? Nobody's does, but an imitation's. */
gboolean ml_address_mixes_scripts(const char *address);

#endif
