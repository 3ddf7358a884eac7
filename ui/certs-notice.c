#include <string.h>

#include "crypto/expiry.h"
#include "ui/certs-private.h"

/* Once after the start: which of our certificates, or of those we are in touch with, end soon. It stays in the status
 * line, behind whatever else is said there, until the certificates are looked at. */
enum { IN_TOUCH = 180 * 86400, LONG_OVER = 30 * 86400 };

typedef struct {
  UiApp *app;
  guint own, others;
  char *who; /* the first to end, one of ours before others */
  gint64 seconds;
} Notice;

static gboolean
is_in_touch(MlPeople *people, CryptoCert *cert, gint64 since)
{
  const char *const *addresses = crypto_cert_addresses(cert);
  for (guint i = 0; people && addresses[i]; i++)
    if (ml_people_is_current(people, addresses[i], since))
      return TRUE;
  return FALSE;
}

static void
run_notice(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Notice *notice = data;
  MlPeople *people = ui_app_people_if_any(notice->app, CRYPTO_JOB_NETWORK);
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(GPtrArray) found = crypto_expiry_find(now, UI_CERT_SOON, CRYPTO_EXPIRY_LEAVES, NULL);

  for (guint i = 0; found && i < found->len && !g_cancellable_is_cancelled(cancellable); i++) {
    const CryptoExpiry *expiry = found->pdata[i];
    CryptoCert *cert = expiry->entry->cert;
    gboolean own = (expiry->entry->flags & CRYPTO_CERT_OWN) != 0;
    const char *address = crypto_cert_addresses(cert)[0];
    if (expiry->seconds < -LONG_OVER || (!own && !is_in_touch(people, cert, now - IN_TOUCH)))
      continue;
    if (!notice->who || (own && !notice->own)) {
      g_free(notice->who);
      notice->who = g_strdup(address ? address : crypto_cert_common_name(cert));
      notice->seconds = expiry->seconds;
    }
    notice->own += own ? 1 : 0;
    notice->others += own ? 0 : 1;
  }
}

/* "ends in 12 days", "has expired" */
static char *
end_words(gint64 seconds)
{
  int days = (int)(seconds / 86400);
  return seconds < 0  ? g_strdup("has expired")
         : days == 0  ? g_strdup("ends today")
                      : g_strdup_printf("ends in %d day%s", days, days == 1 ? "" : "s");
}

static void
notice_done(UiApp *app, gboolean cancelled, gpointer data)
{
  g_autofree Notice *notice = data;
  g_autofree char *who = notice->who;
  guint n = notice->own + notice->others;

  if (cancelled || !n || ui_certs_of(app))
    return;
  g_autofree char *ends = end_words(notice->seconds);
  g_autofree char *short_who = g_utf8_substring(who, 0, MIN(g_utf8_strlen(who, -1), 60));
  g_autofree char *more = n > 1 ? g_strdup_printf(", %u more too", n - 1) : g_strdup("");
  g_autofree char *words =
      g_strdup_printf("%s %s %s%s: S shows %s.", notice->own ? "Your certificate for" : "The certificate of", short_who,
                      ends, more, n > 1 ? "them" : "it");
  g_free(app->notice);
  app->notice = ui_text_line(words);
  ui_app_note(app, UI_STYLE_WARN, "%s", words);
  ui_app_dirty(app);
}

static gboolean
on_idle(gpointer data)
{
  UiApp *app = data;
  Notice *notice = g_new0(Notice, 1);

  app->notice_source = 0;
  notice->app = app;
  /* not the verify thread: where thousands of certificates are kept the first mail to be opened would wait */
  ui_ops_job_silent(app, CRYPTO_JOB_NETWORK, run_notice, notice_done, notice);
  return G_SOURCE_REMOVE;
}

/* At a priority below drawing: the first screen is there before the certificates are looked at. */
void
ui_certs_notice_start(UiApp *app)
{
  app->notice_source = g_idle_add_full(G_PRIORITY_LOW, on_idle, app, NULL);
}
