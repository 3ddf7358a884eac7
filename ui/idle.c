#include "crypto/token.h"
#include "ui/app-private.h"

/* Forgetting PINs and the database's password, and when to do it unasked: when no key was pressed for pin-timeout. The
 * clock starts with the first PIN, since before there is nothing to forget. */

/* Keys were forgotten: what they opened goes with them. */
void
ui_idle_forget_secrets(UiApp *app)
{
  ui_reader_shut(app);
  ui_drafts_forget_titles(app);
  ui_finder_forget(app);
}

static void
run_logout(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  crypto_token_logout_all();
}

static void
logout_done(UiApp *app, gboolean cancelled, gpointer data)
{
  const char *why = data;

  if (cancelled) /* the program ends */
    return;
  ui_idle_forget_secrets(app);
  ui_tokens_refresh(app);
  ui_app_say(app, "%sPINs and the database's password are forgotten.", why ? why : "");
}

/* No Esc stops it: what else is under way may be given up by one, while this waits for the same thread. */
static void
forget(UiApp *app, const char *why)
{
  ui_ops_job_silent(app, CRYPTO_JOB_KEYS, run_logout, logout_done, (gpointer)why);
}

void
ui_action_forget_pins(UiApp *app)
{
  forget(app, NULL);
}

static gboolean on_clock(gpointer data);

static void
start_clock(UiApp *app, gint64 wait)
{
  app->logout_source = g_timeout_add((guint)(MAX(wait, 0) / 1000) + 1, on_clock, app);
}

static gboolean
on_clock(gpointer data)
{
  UiApp *app = data;
  gint64 left = app->last_touch + (gint64)app->config->pin_timeout * G_USEC_PER_SEC - g_get_monotonic_time();

  app->logout_source = 0;
  if (left > 0)
    start_clock(app, left);
  else
    forget(app, "Nothing was pressed for long: ");
  return G_SOURCE_REMOVE;
}

void
ui_idle_touch(UiApp *app)
{
  app->last_touch = g_get_monotonic_time();
}

static gboolean
on_pin(gpointer data)
{
  UiApp *app = data;

  ui_idle_touch(app);
  if (app->config->pin_timeout && !app->logout_source && !app->ending)
    start_clock(app, (gint64)app->config->pin_timeout * G_USEC_PER_SEC);
  return G_SOURCE_REMOVE;
}

void
ui_idle_pin_given(UiApp *app)
{
  if (!app->ending)
    g_idle_add_full(G_PRIORITY_DEFAULT, on_pin, app, NULL);
}
