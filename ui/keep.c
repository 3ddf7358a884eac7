#include <string.h>

#include "keyring/keyring.h"
#include "ui/app-private.h"

/* A password that was typed and let us in: it goes to the keyring only if there is one and the person says so. The
 * keyring may take its time, so it is spoken to on a thread of its own. "Never" is remembered in a file. */
typedef struct {
  UiApp *app;
  char *account, *server, *password;
  gboolean store; /* else: look whether a keyring answers */
} Keep;

static void
keep_free(gpointer data)
{
  Keep *keep = data;

  g_free(keep->account);
  g_free(keep->server);
  crypto_pin_wipe(keep->password);
  g_free(keep);
}

static char *
never_file(const UiApp *app)
{
  return g_build_filename(app->cli->state_dir, "keep-no-password", NULL);
}

static gboolean
is_never(const UiApp *app, const char *server)
{
  g_autofree char *file = never_file(app), *text = NULL;

  if (!g_file_get_contents(file, &text, NULL, NULL))
    return FALSE;
  g_auto(GStrv) lines = g_strsplit(text, "\n", 10000);
  return g_strv_contains((const char *const *)lines, server);
}

static void
never_again(UiApp *app, const char *server)
{
  g_autofree char *file = never_file(app), *before = NULL;
  g_autoptr(GError) error = NULL;

  g_file_get_contents(file, &before, NULL, NULL);
  g_autofree char *text = g_strdup_printf("%s%s\n", before ? before : "", server);
  if (!g_file_set_contents_full(file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
    ui_app_complain(app, "It will be asked again: %s", error->message);
}

static void run(GTask *task, gpointer unused, gpointer data, GCancellable *cancellable);
static void finished(GObject *unused, GAsyncResult *result, gpointer data);

static void
start(Keep *keep)
{
  g_autoptr(GTask) task = g_task_new(NULL, NULL, finished, keep->app);

  g_task_set_task_data(task, keep, keep_free);
  g_task_run_in_thread(task, run);
}

static void
run(GTask *task, gpointer unused, gpointer data, GCancellable *cancellable)
{
  const Keep *keep = data;
  GError *error = NULL;
  gboolean ok = keep->store
                    ? keyring_store(keep->account, keep->server, keep->password, cancellable, &error)
                    : keyring_available(cancellable, &error);

  if (ok)
    g_task_return_boolean(task, TRUE);
  else
    g_task_return_error(task, error);
}

static void
answered(const char *answer, gpointer data)
{
  Keep *keep = data;

  if (answer && *answer == 'y') {
    keep->store = TRUE;
    start(keep);
    return;
  }
  if (answer && !strcmp(answer, "never"))
    never_again(keep->app, keep->server);
  keep_free(keep);
}

static void
finished(GObject *unused, GAsyncResult *result, gpointer data)
{
  UiApp *app = data;
  const Keep *keep = g_task_get_task_data(G_TASK(result));
  g_autoptr(GError) error = NULL;
  gboolean ok = g_task_propagate_boolean(G_TASK(result), &error);

  if (app->ending)
    return;
  if (keep->store && ok)
    ui_app_say(app, "The password is in the keyring now.");
  else if (keep->store)
    ui_app_complain(app, "The password was not kept: %s", error->message);
  else if (ok) { /* no keyring here: nothing is asked */
    Keep *next = g_new0(Keep, 1);
    *next = (Keep){ app, g_strdup(keep->account), g_strdup(keep->server), g_strdup(keep->password), FALSE };
    g_autofree char *name = ui_text_line(keep->account);
    g_autofree char *question = g_strdup_printf("Keep the password of %s in the keyring", name);
    ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO_NEVER, NULL, question, NULL, NULL, answered, next);
  }
}

void
ui_keep_offer(UiApp *app, const char *account, const char *server, char *password)
{
  Keep *keep = g_new0(Keep, 1);

  *keep = (Keep){ app, g_strdup(account), g_strdup(server), password, FALSE };
  if (is_never(app, server))
    keep_free(keep);
  else
    start(keep);
}
