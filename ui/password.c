#include "ui/password.h"

#include <string.h>

#include "crypto/pin.h"
#include "keyring/keyring.h"
#include "mail/directory.h"

enum { COMMAND_SECONDS = 60, LONGEST_PASSWORD = 4096 };

char *
ui_password_server(const MlServer *server, const char *scheme)
{
  return g_strdup_printf("%s%s://%s%s%s:%u", scheme, server->tls == ML_TLS_IMPLICIT ? "s" : "",
                         server->user ? server->user : "", server->user ? "@" : "", server->host, server->port);
}

/* One run of the command, in a main context of its own: this is no main thread. */
typedef struct {
  GSubprocess *process;
  GBytes *out;
  GError *error;
  gboolean ended;
} Run;

static gboolean
on_time_out(gpointer data)
{
  Run *run = data;

  g_subprocess_force_exit(run->process);
  return G_SOURCE_REMOVE;
}

static void
on_output(GObject *source, GAsyncResult *result, gpointer data)
{
  Run *run = data;

  g_subprocess_communicate_finish(G_SUBPROCESS(source), result, &run->out, NULL, &run->error);
  run->ended = TRUE;
}

/* The first line, the rest wiped. */
static char *
take_first_line(GBytes *out)
{
  gsize size, length = 0;
  char *text = g_bytes_unref_to_data(out, &size);

  while (length < size && length < LONGEST_PASSWORD && text[length] != '\n' && text[length] != '\r')
    length++;
  char *line = length ? g_strndup(text, length) : NULL;
  explicit_bzero(text, size);
  g_free(text);
  return line;
}

/* It is given to the shell, as users of mutt and aerc expect. */
static char *
run_command(const char *command, GCancellable *cancellable, GError **error)
{
  const char *argv[] = { "/bin/sh", "-c", command, NULL };
  g_autoptr(GMainContext) context = g_main_context_new();
  Run run = { NULL };
  char *password = NULL;

  g_main_context_push_thread_default(context);
  run.process = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                                  &run.error);
  if (run.process) {
    g_autoptr(GSource) timer = g_timeout_source_new_seconds(COMMAND_SECONDS);
    g_source_set_callback(timer, on_time_out, &run, NULL);
    g_source_attach(timer, context);
    g_subprocess_communicate_async(run.process, NULL, cancellable, on_output, &run);
    while (!run.ended)
      g_main_context_iteration(context, TRUE);
    g_source_destroy(timer);
    if (run.error)
      g_subprocess_force_exit(run.process); /* cancelled: do not leave it behind */
    char *line = run.out ? take_first_line(run.out) : NULL;
    if (line && g_subprocess_get_if_exited(run.process) && g_subprocess_get_exit_status(run.process) == 0)
      password = g_steal_pointer(&line);
    crypto_pin_wipe(line);
    g_object_unref(run.process);
  }
  g_main_context_pop_thread_default(context);
  if (!password)
    g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "password-command gave no password%s%s: run it by hand to see why",
                run.error ? ": " : "", run.error ? run.error->message : "");
  g_clear_error(&run.error);
  return password;
}

const char *
ui_password_source_words(UiPasswordSource source)
{
  static const char *const words[] = { [UI_PASSWORD_TYPED] = "typed",
                                       [UI_PASSWORD_ENVIRONMENT] = "from $SIGNET_PASSWORD",
                                       [UI_PASSWORD_COMMAND] = "from password-command",
                                       [UI_PASSWORD_KEYRING] = "from the keyring" };
  return words[source];
}

char *
ui_password_stored(const MlAccount *account, const MlServer *server, UiPasswordSource *source,
                   GCancellable *cancellable, GError **error)
{
  const char *given = g_getenv("SIGNET_PASSWORD");

  *source = UI_PASSWORD_ENVIRONMENT;
  if (given && *given)
    return g_strdup(given);
  *source = UI_PASSWORD_COMMAND;
  if (account->password_command)
    return run_command(account->password_command, cancellable, error);
  g_autofree char *name = ui_password_server(server, server == &account->smtp ? "smtp" : "imap");
  g_autoptr(GError) local = NULL;
  char *stored = keyring_lookup(account->name, name, cancellable, &local);
  *source = stored ? UI_PASSWORD_KEYRING : UI_PASSWORD_TYPED;
  /* No keyring here is no error: the person is asked. */
  if (local && !g_error_matches(local, KEYRING_ERROR, KEYRING_ERROR_ABSENT))
    g_propagate_error(error, g_steal_pointer(&local));
  return stored;
}

char *
ui_password_directory_account(const MlDirectory *directory)
{
  return g_strdup_printf("directory %s", directory->name);
}

char *
ui_password_directory(const MlDirectory *directory, GCancellable *cancellable, GError **error)
{
  if (directory->password_command)
    return run_command(directory->password_command, cancellable, error);
  g_autofree char *account = ui_password_directory_account(directory), *url = ml_directory_url(directory);
  g_autoptr(GError) local = NULL;
  char *stored = keyring_lookup(account, url, cancellable, &local);
  if (local && !g_error_matches(local, KEYRING_ERROR, KEYRING_ERROR_ABSENT))
    g_propagate_error(error, g_steal_pointer(&local));
  return stored;
}

char *
ui_password_for_directory(const MlDirectory *directory, GCancellable *cancellable, gpointer unused, GError **error)
{
  g_autoptr(GError) local = NULL;
  char *password = ui_password_directory(directory, cancellable, &local);

  if (!password)
    g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "The directory %s wants a password: %s", directory->name,
                local ? local->message
                      : "none is kept. Run signet cert find ADDRESS --keep-password once, or set password-command in signet.conf.");
  return password;
}
