#ifndef ML_FETCH_H
#define ML_FETCH_H

#include "crypto/revocation.h"
#include "mail/config.h"

/* HTTP, for what certificates name: revocation lists, OCSP responders, issuers. Blocks; any thread but the UI's.
 *
 * Only http and https; at most three redirects, to those two again; 5 seconds to connect, 10 for an answer, 60 for a
 * list; never more octets than the caller takes; of https, TLS 1.2 and the authorities that our trust store trusts for
 * servers; no cookies, no passwords, no user name in an address; no proxy, whatever http_proxy and its kin say.
 * What an authority that is trusted for mail names may lie on any host. An address that anybody may have named
 * (@vouched is FALSE), or that a redirect leads to (but from a private address that such an authority named), is refused
 * where it means this machine or a private network, unless the configuration lists the host itself as internal: looked at
 * when the connection is made, after the name was resolved. */
GBytes *ml_fetch(const CryptoAsk *ask, const char *internal_hosts, GCancellable *cancellable, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* Asks as the configuration allows; @config is borrowed. */
CryptoAsker ml_fetch_asker(const MlConfig *config, guint kinds, GCancellable *cancellable);

#endif
