#ifndef ML_SIPHASH_H
#define ML_SIPHASH_H

#include <glib.h>

/* SipHash-2-4 (Aumasson and Bernstein): 64 bits that nobody can make collide who does not know the key. For tables of
 * what mail says; not for secrets. Pure. */
typedef struct {
  guint64 words[2];
} MlSipKey;
MlSipKey ml_siphash_key(void); /* a random one */
guint64 ml_siphash(const MlSipKey *key, const char *data, gsize length);

#endif
