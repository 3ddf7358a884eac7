#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ui/compose-private.h"

enum { LOOK_SECONDS = 3, MAX_TEXT = 32 << 20, NO_WINDOW = 111 /* exit code: tmux opened none */ };

/* One run of an editor. Its file lies alone in a folder, so that what the editor puts beside it goes with it. */
typedef struct {
  UiApp *app;
  char *folder, *file, *before, *editor;
  struct timespec written_at;
  guint look_source;
  gboolean own_window;
  UiEditorWritten written;
  UiEditorDone done;
  gpointer data;
} Edit;

static gboolean
is_private(const char *path)
{
  struct stat info;

  return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
         !(info.st_mode & 077);
}

static gboolean
is_memory(const char *path)
{
  enum { TMPFS = 0x01021994, RAMFS = 0x858458f6 };
  struct statfs info;

  return statfs(path, &info) == 0 && ((guint64)info.f_type == TMPFS || (guint64)info.f_type == RAMFS);
}

/* What is written here is gone when the session ends: DESIGN's rule for plaintext. Transfer full. */
static char *
private_place(gboolean make, GError **error)
{
  const char *runtime = g_getenv("XDG_RUNTIME_DIR");
  g_autofree char *place = NULL;

  if (runtime && *runtime && is_private(runtime))
    place = g_build_filename(runtime, "signet", NULL);
  else if (is_memory("/dev/shm"))
    place = g_strdup_printf("/dev/shm/signet-%u", (unsigned)geteuid());
  if (place && make)
    g_mkdir(place, 0700);
  if (place && is_private(place))
    return g_steal_pointer(&place);
  g_set_error(
      error, ML_ERROR, ML_ERROR_FAILED,
      "There is no place for the text that does not outlive the session: log in so that $XDG_RUNTIME_DIR "
      "names a folder of yours with mode 700, or mount a tmpfs at /dev/shm.");
  return NULL;
}

static void
remove_folder(const char *folder)
{
  GDir *dir = g_dir_open(folder, 0, NULL);

  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_unlink(path);
  }
  if (dir)
    g_dir_close(dir);
  g_rmdir(folder);
}

static char *
read_text(const char *file)
{
  struct stat info;
  g_autofree char *text = NULL;
  gsize length;

  if (stat(file, &info) || info.st_size > MAX_TEXT || !g_file_get_contents(file, &text, &length, NULL))
    return NULL;
  return g_utf8_make_valid(text, (gssize)length);
}

char *
ui_editor_left(const char *name, gint64 since)
{
  g_autofree char *place = private_place(FALSE, NULL);
  struct stat info;

  if (!place || !name || strchr(name, '/'))
    return NULL;
  g_autofree char *folder = g_strconcat(place, "/edit-", name, NULL);
  g_autofree char *file = g_build_filename(folder, "message.eml", NULL);
  if (!is_private(folder) || stat(file, &info) || info.st_mtime < since)
    return NULL;
  char *text = read_text(file);
  if (text)
    remove_folder(folder);
  return text;
}

static void
edit_free(Edit *edit)
{
  if (edit->look_source)
    g_source_remove(edit->look_source);
  if (edit->folder)
    remove_folder(edit->folder);
  g_free(edit->folder);
  g_free(edit->file);
  g_free(edit->before);
  g_free(edit->editor);
  g_free(edit);
}

static gboolean
on_look(gpointer data)
{
  Edit *edit = data;
  struct stat info;

  if (stat(edit->file, &info) ||
      (info.st_mtim.tv_sec == edit->written_at.tv_sec && info.st_mtim.tv_nsec == edit->written_at.tv_nsec))
    return G_SOURCE_CONTINUE;
  edit->written_at = info.st_mtim;
  g_autofree char *text = read_text(edit->file);
  if (text && *text)
    edit->written(edit->app, text, edit->data);
  return G_SOURCE_CONTINUE;
}

static gboolean start(Edit *edit);

/* Was there no window, or no such program to open one? */
static gboolean
no_window(const Edit *edit, int status)
{
  return edit->own_window && WIFEXITED(status) &&
         (WEXITSTATUS(status) == NO_WINDOW || WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127);
}

static void
edit_ended(UiApp *app, int status, gpointer data)
{
  Edit *edit = data;

  if (status > 0 && no_window(edit, status)) {
    edit->own_window = FALSE;
    ui_app_complain(app, "No window could be opened (editor-window = %s): it is edited in this terminal.",
                    app->config->editor_window);
    if (start(edit))
      return;
  }
  g_autofree char *text = status < 0 ? NULL : read_text(edit->file);

  if (status > 0)
    ui_app_complain(app, "The editor ended with an error: what it had written is kept.");
  else if (!status && !text)
    ui_app_complain(app, "The editor left no file behind: the text is as it was before.");
  edit->done(app,
             text         ? text
             : status < 0 ? NULL
                          : edit->before,
             text && strcmp(text, edit->before) != 0, edit->data);
  edit_free(edit);
}

static gboolean
make_file(Edit *edit, const UiEditorTask *task, GError **error)
{
  g_autofree char *place = private_place(TRUE, error);

  if (!place)
    return FALSE;
  if (task->name && !strchr(task->name, '/')) {
    edit->folder = g_strconcat(place, "/edit-", task->name, NULL);
    if (is_private(edit->folder))
      remove_folder(edit->folder);
    if (g_mkdir(edit->folder, 0700) != 0)
      g_clear_pointer(&edit->folder, g_free);
  }
  if (!edit->folder) {
    edit->folder = g_strconcat(place, "/edit-XXXXXX", NULL);
    if (!g_mkdtemp_full(edit->folder, 0700)) {
      g_set_error(error, ML_ERROR, ML_ERROR_STORE, "No file for the editor can be made in %s: %s", place,
                  g_strerror(errno));
      g_clear_pointer(&edit->folder, g_free);
      return FALSE;
    }
  }
  edit->file = g_build_filename(edit->folder, "message.eml", NULL);
  return g_file_set_contents_full(edit->file, edit->before, -1, G_FILE_SET_CONTENTS_NONE, 0600, error);
}

static const char *
editor_command(const UiApp *app)
{
  const char *names[] = { app->config->editor, g_getenv("VISUAL"), g_getenv("EDITOR") };

  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    if (names[i] && *names[i])
      return names[i];
  static const char *const usual[] = { "sensible-editor", "editor", "nano", "vi" };
  for (gsize i = 0; i < G_N_ELEMENTS(usual); i++) {
    g_autofree char *path = g_find_program_in_path(usual[i]);
    if (path)
      return usual[i];
  }
  return NULL;
}

/* The command line for sh. tmux comes back at once: what runs in its window holds a pipe open, and the shell here waits
 * until nobody does. So an editor that is killed, and a window that is closed, is an end like any other. */
static char *
command_line(const Edit *edit)
{
  const char *window = edit->app->config->editor_window, *editor = edit->editor;
  g_autofree char *file = g_shell_quote(edit->file);

  if (!edit->own_window)
    return g_strdup_printf("%s %s", editor, file);
  gboolean split = !strcmp(window, "tmux-split");
  if (!split && strcmp(window, "tmux") != 0) {
    g_autofree char *inner = g_strdup_printf("exec %s %s", editor, file), *quoted = g_shell_quote(inner);
    return g_strdup_printf("%s sh -c %s", window, quoted);
  }
  g_autofree char *pipe = g_build_filename(edit->folder, "end", NULL), *held = g_shell_quote(pipe);
  g_autofree char *inner = g_strdup_printf("exec 9>%s; %s %s; echo $? >&9", held, editor, file);
  g_autofree char *quoted = g_shell_quote(inner);
  g_autofree char *directory = g_get_current_dir(), *where = g_shell_quote(directory);
  return g_strdup_printf("mkfifo -m 600 %s && tmux %s -c %s %s || exit %d; code=$(cat %s); exit ${code:-1}", held,
                         split ? "split-window" : "new-window -n signet", where, quoted, NO_WINDOW, held);
}

gboolean
ui_editor_beside(const UiApp *app)
{
  const char *window = app->config->editor_window;

  if (!window || !*window)
    return FALSE;
  return (strcmp(window, "tmux") != 0 && strcmp(window, "tmux-split") != 0) || g_getenv("TMUX");
}

static gboolean
start(Edit *edit)
{
  g_autofree char *command = command_line(edit);

  return ui_shell_edit(edit->app, command, edit->own_window, edit_ended, edit);
}

gboolean
ui_editor_run(UiApp *app, const UiEditorTask *task)
{
  const char *editor = editor_command(app);
  g_autoptr(GError) error = NULL;
  Edit *edit = g_new0(Edit, 1);
  struct stat info;

  *edit = (Edit){ .app = app, .written = task->written, .done = task->done, .data = task->data };
  edit->before = g_strdup(task->text);
  edit->own_window = ui_editor_beside(app);
  if (!editor)
    g_set_error(&error, ML_ERROR, ML_ERROR_CONFIG,
                "There is no editor: set $EDITOR, or `editor =` in [ui] of signet.conf.");
  if (editor && make_file(edit, task, &error)) {
    if (stat(edit->file, &info) == 0)
      edit->written_at = info.st_mtim;
    edit->editor = g_strdup(editor);
    if (start(edit)) {
      if (edit->written)
        edit->look_source = g_timeout_add_seconds(LOOK_SECONDS, on_look, edit);
      return TRUE;
    }
    edit_free(edit);
    return FALSE;
  }
  ui_app_error(app, error);
  edit_free(edit);
  return FALSE;
}
