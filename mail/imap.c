#include "mail/driver-private.h"

/* The IMAP driver lands apart from the local ones; until then such an account says so. */
static gboolean
imap_connected(MlDriver *driver)
{
  (void)driver;
  return FALSE;
}

static gboolean
imap_connect(MlDriver *driver, MlStepFunc step, gpointer user_data, GError **error)
{
  (void)step;
  (void)user_data;
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "This build cannot reach %s: it reads Maildir and mbox only.",
              driver->account->imap.host);
  return FALSE;
}

static void
imap_disconnect(MlDriver *driver)
{
  (void)driver;
}

static void
imap_free(MlDriver *driver)
{
  g_free(driver);
}

static const MlDriverOps ops = {
  .free = imap_free, .connected = imap_connected, .connect = imap_connect, .disconnect = imap_disconnect
};

MlDriver *
ml_imap_new(const MlAccount *account, const MlDriverHooks *hooks)
{
  (void)account;
  (void)hooks;
  MlDriver *driver = g_new0(MlDriver, 1);
  driver->ops = &ops;
  return driver;
}
