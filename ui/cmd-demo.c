#include "ui/commands.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ui/app.h"
#include "ui/demo.h"

const char ui_cmd_demo_help[] =
    "signet demo [--make DIR]    read a throw-away mailbox with every verdict in it\n"
    "\n"
    "Makes an authority, keys, certificates and some forty messages on the spot and opens the screen on them. No\n"
    "account, no network. Everything is deleted at the end.\n"
    "\n"
    "  --make DIR   only make the profile, in DIR (which must be new or empty), and keep it:\n"
    "               signet --profile DIR opens it\n"
    "\n"
    "Exit codes: 0, 2 usage, 74 the profile cannot be written.\n";

/* Never follows a link: it deletes only what we made. */
static void
remove_tree(const char *path)
{
  struct stat info;

  if (lstat(path, &info) != 0)
    return;
  if (S_ISDIR(info.st_mode)) {
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
      g_autofree char *inner = g_build_filename(path, name, NULL);
      remove_tree(inner);
    }
    g_rmdir(path);
  } else {
    g_unlink(path);
  }
}

static gboolean
is_empty(const char *path)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

  return dir && !g_dir_read_name(dir);
}

static int
make_only(UiCli *cli, const char *folder)
{
  g_autoptr(GError) error = NULL;

  if (g_mkdir_with_parents(folder, 0700) != 0 || !is_empty(folder)) {
    ui_cli_error(cli, "%s: %s", folder, errno && !g_file_test(folder, G_FILE_TEST_IS_DIR)
                 ? g_strerror(errno) : "the demonstration needs a folder that is new or empty");
    return UI_EXIT_USAGE;
  }
  if (ui_demo_make(folder, &error))
    return UI_EXIT_OK;
  ui_cli_error(cli, "the demonstration cannot be made: %s", error->message);
  return UI_EXIT_IO;
}

/* In memory where the system has such a place: it is quicker, and what was never on a disk need not be wiped. */
static char *
make_folder(GError **error)
{
  static const char *const shared = "/dev/shm";
  const char *runtime = g_getenv("XDG_RUNTIME_DIR");
  const char *base = runtime && access(runtime, W_OK) == 0 ? runtime
                     : access(shared, W_OK) == 0           ? shared
                                                           : g_get_tmp_dir();
  g_autofree char *folder = g_build_filename(base, "signet-demo-XXXXXX", NULL);

  if (g_mkdtemp_full(folder, 0700))
    return g_steal_pointer(&folder);
  g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(errno), "%s: %s", base, g_strerror(errno));
  return NULL;
}

int
ui_cmd_demo(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "demo", NULL, ui_cmd_demo_help, NULL };
  g_autofree char *make = NULL;
  const UiOption options[] = { { "make", 0, UI_OPTION_STRING, &make }, { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  g_autoptr(GError) error = NULL;

  if (code >= 0)
    return code;
  if (argc > 1) {
    ui_cli_error(cli, "signet demo takes no names: see signet demo --help");
    return UI_EXIT_USAGE;
  }
  if (make)
    return make_only(cli, make);
  g_autofree char *folder = make_folder(&error);
  if (!folder || (puts("signet: making keys and a mailbox ..."), fflush(stdout), !ui_demo_make(folder, &error))) {
    ui_cli_error(cli, "the demonstration cannot be made: %s", error->message);
    code = UI_EXIT_IO;
  } else {
    g_free(cli->profile);
    cli->profile = g_strdup(folder);
    code = ui_app_run(cli, NULL, NULL);
  }
  if (folder)
    remove_tree(folder);
  return code;
}
