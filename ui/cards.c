#include "crypto/token.h"
#include "ui/app-private.h"

/* What the thread that looks at the readers has seen, on its way to the UI thread. */
typedef struct {
  UiApp *app;
  char *token;
  CryptoCardNews news;
  char *why; /* of one that does not answer; else NULL */
} Event;

static void
event_free(gpointer data)
{
  Event *event = data;

  g_free(event->token);
  g_free(event->why);
  g_free(event);
}

static gboolean
on_event(gpointer data)
{
  Event *event = data;

  if (event->app->ending)
    return G_SOURCE_REMOVE;
  if (event->news != CRYPTO_CARD_HERE)
    ui_idle_forget_secrets(event->app);
  if (event->news == CRYPTO_CARD_HERE)
    ui_app_say(event->app, "The card \"%s\" is here.", event->token);
  else if (event->news == CRYPTO_CARD_PULLED)
    ui_app_say(event->app, "The card \"%s\" was pulled: its PIN is forgotten.", event->token);
  else
    ui_app_say(event->app, "The card \"%s\" does not answer: %s. Its PIN is forgotten.", event->token, event->why);
  ui_app_note(event->app, UI_STYLE_NORMAL, "%s", event->app->status);
  ui_tokens_refresh(event->app);
  return G_SOURCE_REMOVE;
}

/* On the thread that looks. */
static void
on_card(const char *token, CryptoCardNews news, gpointer data)
{
  Event *event = g_new(Event, 1);

  *event = (Event){ data, g_strdup(token), news, news == CRYPTO_CARD_MUTE ? crypto_token_mute_words() : NULL };
  g_idle_add_full(G_PRIORITY_DEFAULT, on_event, event, event_free);
}

static void
on_forget(GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event, gpointer data)
{
  if (event == G_FILE_MONITOR_EVENT_CHANGES_DONE_HINT || event == G_FILE_MONITOR_EVENT_CREATED ||
      event == G_FILE_MONITOR_EVENT_RENAMED || event == G_FILE_MONITOR_EVENT_MOVED_IN)
    ui_action_forget_pins(data);
}

void
ui_cards_start(UiApp *app)
{
  g_autofree char *name = g_build_filename(app->cli->state_dir, "forget-pins", NULL);
  g_autoptr(GFile) file = g_file_new_for_path(name);
  GFileMonitor *monitor = g_file_monitor_file(file, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);

  if (monitor)
    g_signal_connect(monitor, "changed", G_CALLBACK(on_forget), app);
  app->forget_monitor = monitor;
  crypto_token_watch(on_card, app);
}

void
ui_cards_stop(UiApp *app)
{
  GFileMonitor *monitor = app->forget_monitor;

  if (monitor)
    g_file_monitor_cancel(monitor);
  g_clear_object(&monitor);
  app->forget_monitor = NULL;
  crypto_token_unwatch();
}
