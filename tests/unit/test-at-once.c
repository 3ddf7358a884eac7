#include <glib/gstdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/pending.h"
#include "mail/people.h"
#include "mail/store.h"

/* Two signets that are started in the same moment, where nothing is yet, both begin: SQLite refuses one of two that turn
 * a new file to the write-ahead log, and asks no busy handler first. */
static const MlAccount account = { .name = (char *)"far",
                                   .kind = ML_ACCOUNT_IMAP,
                                   .imap = { .host = (char *)"mail.example.org", .user = (char *)"anna", .port = 993 } };

static gboolean
begin_journal(const char *dir, GError **error)
{
  g_autoptr(MlPending) pending = ml_pending_open(dir, &account, TRUE, error);
  return pending != NULL;
}

static gboolean
begin_store(const char *dir, GError **error)
{
  g_autoptr(MlStore) store = ml_store_open(dir, &account, error);
  return store != NULL;
}

static gboolean
begin_people(const char *dir, GError **error)
{
  g_autofree char *file = g_build_filename(dir, "people.db", NULL);
  g_autoptr(MlPeople) people = ml_people_open(file, error);
  return people != NULL;
}

typedef gboolean (*Begin)(const char *dir, GError **error);

static pid_t
start(Begin begin, const char *dir, const int gate[2])
{
  g_autoptr(GError) error = NULL;
  char octet;
  pid_t pid = fork();
  g_assert_cmpint(pid, >=, 0);
  if (pid > 0)
    return pid;
  close(gate[1]);
  gboolean open = read(gate[0], &octet, 1) == 0 && begin(dir, &error); /* it ends when the other end is closed */
  if (error)
    g_printerr("%s\n", error->message);
  _exit(open ? 0 : 1);
}

static void
remove_folder(const char *dir)
{
  g_autoptr(GDir) names = g_dir_open(dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name(names));) {
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_assert_cmpint(g_unlink(path), ==, 0);
  }
  g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static void
test_begun(gconstpointer begin)
{
  enum { ROUNDS = 60 };
  for (guint i = 0; i < ROUNDS; i++) {
    g_autofree char *dir = g_dir_make_tmp("signet-at-once-XXXXXX", NULL);
    pid_t pids[2];
    int gate[2];
    g_assert_cmpint(pipe(gate), ==, 0);
    for (guint j = 0; j < G_N_ELEMENTS(pids); j++)
      pids[j] = start((Begin)begin, dir, gate);
    close(gate[0]);
    close(gate[1]);
    for (guint j = 0; j < G_N_ELEMENTS(pids); j++) {
      int status;
      g_assert_cmpint(waitpid(pids[j], &status, 0), ==, pids[j]);
      g_assert_cmpint(status, ==, 0);
    }
    remove_folder(dir);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_data_func("/at-once/journal", (gconstpointer)begin_journal, test_begun);
  g_test_add_data_func("/at-once/store", (gconstpointer)begin_store, test_begun);
  g_test_add_data_func("/at-once/people", (gconstpointer)begin_people, test_begun);
  return g_test_run();
}
