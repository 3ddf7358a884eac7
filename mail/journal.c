#include "mail/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/error.h"

enum { WORDS_MAX = 1000 }; /* of one value */

struct MlJournal {
  char *file, *where;
  MlJournalMode mode;
  gint told; /* atomic: the log has heard that it cannot be written */
};

MlJournalMode
ml_journal_mode(const MlConfig *config)
{
  const char *value = ml_policy_value(config->policy, ML_POLICY_JOURNAL);
  if (config->policy->broken || g_strcmp0(value, "required") == 0)
    return ML_JOURNAL_REQUIRED;
  return g_strcmp0(value, "on") == 0 ? ML_JOURNAL_ON : ML_JOURNAL_OFF;
}

MlJournal *
ml_journal_new(const char *file, MlJournalMode mode, const char *where)
{
  MlJournal *journal = g_new0(MlJournal, 1);
  *journal = (MlJournal){ g_strdup(file), g_strdup(where), mode, 0 };
  return journal;
}

void
ml_journal_free(MlJournal *journal)
{
  if (!journal)
    return;
  g_free(journal->file);
  g_free(journal->where);
  g_free(journal);
}

/* --- a line */

/* JSON's string, of ASCII alone; what is no UTF-8 is U+FFFD. */
static void
put_string(GString *line, const char *name, const char *value)
{
  if (!value)
    return;
  g_autofree char *valid = g_utf8_make_valid(value, (gssize)MIN(strlen(value), (gsize)WORDS_MAX));
  g_string_append_printf(line, "%s\"%s\":\"", line->str[line->len - 1] == '{' ? "" : ",", name);
  for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
    gunichar c = g_utf8_get_char(p);
    if (c == '"' || c == '\\')
      g_string_append_printf(line, "\\%c", (char)c);
    else if (c >= 0x20 && c < 0x7f)
      g_string_append_c(line, (char)c);
    else if (c < 0x10000)
      g_string_append_printf(line, "\\u%04x", c);
    else
      g_string_append_printf(line, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
  }
  g_string_append_c(line, '"');
}

char *
ml_journal_line(const CryptoKeyUse *use, const char *result, const char *why, gint64 at)
{
  g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(at / G_USEC_PER_SEC);
  g_autofree char *stamp = g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S");
  g_autofree char *time = g_strdup_printf("%s.%06dZ", stamp, (int)(at % G_USEC_PER_SEC));
  g_autofree char *number = g_strdup_printf("%d-%" G_GUINT64_FORMAT, (int)getpid(), use->number);
  GString *line = g_string_new("{\"schema\":1");
  put_string(line, "at", time);
  put_string(line, "act", crypto_keyuse_word(use->act));
  put_string(line, "result", result);
  put_string(line, "why", why);
  put_string(line, "certificate", use->certificate);
  put_string(line, "key", use->key);
  put_string(line, "name", use->name);
  put_string(line, "token", use->token);
  put_string(line, "about", use->about);
  put_string(line, "use", number);
  g_string_append(line, "}\n");
  return g_string_free(line, FALSE);
}

/* --- the file, opened anew for each line: it may have been rotated away */

static int
open_file(const MlJournal *journal, GError **error)
{
  g_autofree char *folder = g_path_get_dirname(journal->file);
  struct stat about;
  g_mkdir_with_parents(folder, 0700);
  int fd = open(journal->file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (fd < 0) {
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL, g_strerror(errno));
  } else if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL, "it is no file");
    close(fd);
    fd = -1;
  }
  return fd;
}

/* One that a full disk cut short must not become one with ours. */
static gboolean
ends_in_a_line(int fd)
{
  struct stat about;
  char last = '\n';
  return fstat(fd, &about) != 0 || !about.st_size || pread(fd, &last, 1, about.st_size - 1) != 1 || last == '\n';
}

static gboolean
append(const MlJournal *journal, const char *line, GError **error)
{
  int fd = open_file(journal, error);
  if (fd < 0)
    return FALSE;
  g_autofree char *whole = ends_in_a_line(fd) ? g_strdup(line) : g_strconcat("\n", line, NULL);
  gsize length = strlen(whole);
  gssize done;
  do
    done = write(fd, whole, length);
  while (done < 0 && errno == EINTR);
  gboolean good = done == (gssize)length;
  if (!good)
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL, done < 0 ? g_strerror(errno) : "the disk is full");
  else if (journal->mode == ML_JOURNAL_REQUIRED && fsync(fd) != 0) {
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL, g_strerror(errno));
    good = FALSE;
  }
  close(fd);
  return good;
}

/* --- who is told of each use */

static gboolean
refuse(const MlJournal *journal, const char *what, GError *why, GError **error)
{
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL,
              "%s: policy%s%s wants every use of a key in the journal, and %s cannot be written (%s). Mend that, or ask whoever "
              "looks after this system.",
              what, journal->where ? " at " : "", journal->where ? journal->where : "", journal->file, why->message);
  g_error_free(why);
  return FALSE;
}

static gboolean
on_begin(const CryptoKeyUse *use, gpointer data, GError **error)
{
  const MlJournal *journal = data;
  GError *why = NULL;
  if (journal->mode != ML_JOURNAL_REQUIRED)
    return TRUE;
  g_autofree char *line = ml_journal_line(use, "begun", NULL, g_get_real_time());
  return append(journal, line, &why) || refuse(journal, "The key was not used", why, error);
}

static gboolean
on_end(const CryptoKeyUse *use, const GError *failed, gpointer data, GError **error)
{
  MlJournal *journal = data;
  g_autofree char *line = ml_journal_line(use, failed ? "failed" : "done", failed ? failed->message : NULL, g_get_real_time());
  GError *why = NULL;
  if (journal->mode == ML_JOURNAL_OFF || append(journal, line, &why))
    return TRUE;
  if (journal->mode == ML_JOURNAL_REQUIRED)
    return refuse(journal, "What the key made was thrown away", why, error);
  if (g_atomic_int_compare_and_exchange(&journal->told, 0, 1))
    g_message("Uses of keys are not in the journal: %s cannot be written (%s).", journal->file, why->message);
  g_error_free(why);
  return TRUE;
}

const CryptoKeyWatch ml_journal_watch = { on_begin, on_end };

gboolean
ml_journal_check(MlJournal *journal, GError **error)
{
  g_autoptr(GError) why = NULL;
  int fd = open_file(journal, &why);
  if (fd >= 0) {
    close(fd);
    return TRUE;
  }
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL, "%s cannot be written (%s)", journal->file, why->message);
  return FALSE;
}
