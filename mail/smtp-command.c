#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "crypto/mapping.h"
#include "mail/files.h"
#include "mail/lines-private.h"
#include "mail/smtp-private.h"

enum { WORDS_MAX = 1000, PART = 256 * 1024 };

/* The words of `sendmail =` as a shell would split them, without a shell; -t goes (the recipients are known better
 * here: nobody looks into a Bcc), -f and -- come. */
char **
ml_smtp_command_argv(const char *command, const char *from, GPtrArray *recipients, GError **error)
{
  g_auto(GStrv) words = NULL;
  g_autoptr(GError) why = NULL;
  g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
  gboolean sender = FALSE;
  if (!g_shell_parse_argv(command, NULL, &words, &why)) {
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG, "sendmail = %s in signet.conf cannot be understood: %s", command,
                why->message);
    return NULL;
  }
  for (guint i = 0; words[i]; i++) {
    if (i && (strcmp(words[i], "-t") == 0 || strcmp(words[i], "--") == 0))
      continue;
    sender |= i && (g_str_has_prefix(words[i], "-f") || g_str_has_prefix(words[i], "--from"));
    g_ptr_array_add(argv, g_strdup(words[i]));
  }
  if (!sender && *from) {
    g_ptr_array_add(argv, g_strdup("-f"));
    g_ptr_array_add(argv, g_strdup(from));
  }
  g_ptr_array_add(argv, g_strdup("--"));
  for (guint i = 0; i < recipients->len; i++)
    g_ptr_array_add(argv, g_strdup(((MlSmtpRecipient *)g_ptr_array_index(recipients, i))->address));
  g_ptr_array_add(argv, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&argv), FALSE);
}

static void
all(GPtrArray *recipients, MlSmtpResult result, const char *words)
{
  for (guint i = 0; i < recipients->len; i++)
    ml_smtp_result(g_ptr_array_index(recipients, i), result, words);
}

/* What the command said on standard error, one line. */
static char *
said(int fd)
{
  char buffer[WORDS_MAX];
  gssize n = ml_files_pread(fd, buffer, sizeof buffer, 0, "stderr", NULL);
  char *words = n > 0 ? g_utf8_make_valid(buffer, n) : g_strdup("");
  for (char *p = words; *p; p++)
    if (g_ascii_iscntrl(*p))
      *p = ' ';
  return g_strstrip(words);
}

static gboolean
is_permanent(int code)
{
  return code == EX_USAGE || code == EX_DATAERR || code == EX_NOINPUT || code == EX_NOUSER || code == EX_NOHOST ||
         code == EX_NOPERM || code == EX_CONFIG;
}

static MlSmtpResult
end(GSubprocess *process, const char *name, int errors, gboolean dotted, GPtrArray *recipients, GError **error)
{
  g_autofree char *words = said(errors);
  gboolean exited = g_subprocess_get_if_exited(process);
  int code = exited ? g_subprocess_get_exit_status(process) : -1;
  MlSmtpResult result = code == 0          ? ML_SMTP_SENT
                        : !exited && dotted ? ML_SMTP_UNSURE
                        : is_permanent(code) ? ML_SMTP_REFUSED
                                             : ML_SMTP_LATER;
  g_autofree char *reason = exited ? g_strdup_printf("%s ended with code %d%s%s", name, code, *words ? ": " : "", words)
                                   : g_strdup_printf("%s was killed%s%s", name, *words ? ": " : "", words);
  all(recipients, result, code ? reason : *words ? words : NULL);
  if (code)
    g_set_error(error, ML_ERROR, result == ML_SMTP_REFUSED ? ML_ERROR_FAILED : ML_ERROR_OFFLINE, "%s%s", reason,
                g_str_has_suffix(reason, ".") ? "" : ".");
  return result;
}

static gboolean
feed(GOutputStream *in, GBytes *text, GCancellable *cancellable, GError **error)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(text, &length);
  for (gsize at = 0, part; at < length; at += part) {
    part = MIN(length - at, (gsize)PART);
    if (!g_output_stream_write_all(in, data + at, part, NULL, cancellable, error))
      return FALSE;
    crypto_mapping_release(data + at, data + at + part);
  }
  return TRUE;
}

MlSmtpResult
ml_smtp_command(const char *command, const char *from, GPtrArray *recipients, GBytes *message, MlSmtpDotFunc dot,
                gpointer user_data, GCancellable *cancellable, GError **error)
{
  g_autoptr(GError) why = NULL;
  all(recipients, ML_SMTP_LATER, NULL);
  g_auto(GStrv) argv = ml_smtp_command_argv(command, from, recipients, error);
  if (!argv)
    return ML_SMTP_LATER;
  int errors = memfd_create("stderr", MFD_CLOEXEC);
  if (errors < 0) {
    g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE, "This program has too many open files.");
    return ML_SMTP_LATER;
  }
  g_autoptr(GSubprocessLauncher) launcher =
      g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
  g_subprocess_launcher_take_stderr_fd(launcher, fcntl(errors, F_DUPFD_CLOEXEC, 3));
  g_autoptr(GSubprocess) process = g_subprocess_launcher_spawnv(launcher, (const char *const *)argv, &why);
  if (!process) {
    g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE, "%s cannot be run: %s. Look at sendmail = in signet.conf.", argv[0],
                why->message);
    close(errors);
    return ML_SMTP_LATER;
  }
  g_autoptr(GBytes) text = ml_lines_lf(message);
  GOutputStream *in = g_subprocess_get_stdin_pipe(process);
  gboolean written = feed(in, text, cancellable, &why);
  gboolean gone = !written && !g_error_matches(why, G_IO_ERROR, G_IO_ERROR_CANCELLED); /* it shut its ears */
  gboolean dotted = written && (!dot || dot(user_data, error));
  if (!dotted && !gone)
    g_subprocess_force_exit(process);
  /* The end of its input is what makes it send. */
  g_output_stream_close(in, NULL, NULL);
  MlSmtpResult result = ML_SMTP_LATER;
  if (!g_subprocess_wait(process, dotted ? cancellable : NULL, NULL)) {
    g_subprocess_force_exit(process);
    result = ML_SMTP_UNSURE;
    all(recipients, result, "cancelled while it was being handed over");
    g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
  } else if (dotted || gone) {
    result = end(process, argv[0], errors, dotted, recipients, error);
  } else if (!written) {
    g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
  }
  close(errors);
  return result;
}
