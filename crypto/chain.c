#include "crypto/chain.h"

#include "crypto/chain-private.h"

#include <glib.h>

static GMutex chain_mutex;

void
crypto_chain_lock(void)
{
  g_mutex_lock(&chain_mutex);
}

void
crypto_chain_unlock(void)
{
  g_mutex_unlock(&chain_mutex);
}
