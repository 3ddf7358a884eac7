#ifndef ML_WIRE_PRIVATE_H
#define ML_WIRE_PRIVATE_H

#include "crypto/tls.h"
#include "mail/error.h"
#include "mail/etpan-private.h"

/* A connection as IMAP and SMTP have it: libetpan's low stream over crypto's TLS. libetpan never reads the server's
 * words, only ours for what they mean (@pass). The first reason that it died of is kept: what fails afterwards fails
 * because of it. One thread. */
typedef struct MlWire {
  CryptoTls *tls;     /* owned */
  mailstream *stream; /* libetpan's; the session closes it, unless libetpan has */
  GString *pass;      /* what libetpan may read */
  gsize passed;
  GError *error; /* why it is dead; NULL: it lives */
  /* libetpan has read all: waits for what the server says, and puts down words for it. FALSE: it died. */
  gboolean (*refill)(gpointer user_data);
  gpointer user_data;
  gboolean dies_closed; /* when libetpan closes it */
  struct MlDeflate *deflate; /* from when it is compressed on; NULL: it is not */
} MlWire;

void ml_wire_init(MlWire *wire, CryptoTls *tls, gboolean (*refill)(gpointer user_data), gpointer user_data);
void ml_wire_clear(MlWire *wire); /* after the session that used it */
void ml_wire_die(MlWire *wire, GError *why);       /* takes @why */
void ml_wire_die_of(MlWire *wire, GError *crypto); /* an error of crypto/, taken */
void ml_wire_close(MlWire *wire); /* everything fails from now on: no farewell on the way out */
gboolean ml_wire_is_dead(const MlWire *wire, GError **error);
/* From now on both directions are; @data was read already, and is not clear text any more. */
void ml_wire_compress(MlWire *wire, const void *data, gsize length);
/* Some of what is here already, without reading; 0: nothing, or it died. */
gsize ml_wire_buffered(MlWire *wire, void *buffer, gsize length);
gboolean ml_wire_pending(const MlWire *wire); /* that may give something */
/* Some octets; 0: it died. */
gsize ml_wire_read(MlWire *wire, void *buffer, gsize length);
gboolean ml_wire_write(MlWire *wire, const char *data, gsize length, GError **error); /* all of it */
gboolean ml_wire_is_clean(const MlWire *wire); /* neither we nor libetpan hold an octet back */

#endif
