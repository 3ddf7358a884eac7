#ifndef ML_ETPAN_PRIVATE_H
#define ML_ETPAN_PRIVATE_H

#include <glib.h>
#include <libetpan/libetpan.h>

/* libetpan, loaded with the first connection: it and the nine libraries that it brings are a third of what a start takes
 * before main(), and a list that is kept is on the screen before any server is asked. By any thread.
 * ml_line_open() asks for it first: who has a line has it. */
#define ML_ETPAN_FUNCTIONS(FUNCTION) \
  FUNCTION(mailesmtp_starttls) \
  FUNCTION(mailimap_capability) \
  FUNCTION(mailimap_capability_data_free) \
  FUNCTION(mailimap_connect) \
  FUNCTION(mailimap_free) \
  FUNCTION(mailimap_new) \
  FUNCTION(mailimap_noop) \
  FUNCTION(mailimap_starttls) \
  FUNCTION(mailsmtp_connect) \
  FUNCTION(mailsmtp_free) \
  FUNCTION(mailsmtp_new) \
  FUNCTION(mailsmtp_quit) \
  FUNCTION(mailsmtp_reset) \
  FUNCTION(mailstream_close) \
  FUNCTION(mailstream_flush) \
  FUNCTION(mailstream_low_new) \
  FUNCTION(mailstream_new)

/* Each by its own name and type: ml_etpan(NULL)->mailimap_noop(imap). */
#define ML_ETPAN_FIELD(name) __typeof__(&name) name;
typedef struct {
  ML_ETPAN_FUNCTIONS(ML_ETPAN_FIELD)
} MlEtpan;
#undef ML_ETPAN_FIELD

const MlEtpan *ml_etpan(GError **error); /* NULL: it cannot be loaded, which is said */

#endif
