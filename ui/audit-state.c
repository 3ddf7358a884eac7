#include "ui/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "mail/files.h"

enum { LINE_MAX_OCTETS = 4 * 1024 * 1024 };

struct UiAuditState {
  char *path;
  FILE *file;    /* for reading what is there; its descriptor holds the lock, and appends */
  gint64 begins; /* where the next line to be read begins */
  guint32 last;  /* the last that was read, or added */
  gboolean read; /* all that was there */
  char *line;
  size_t size;
};

void
ui_audit_state_free(UiAuditState *state)
{
  if (!state)
    return;
  if (state->file)
    fclose(state->file);
  free(state->line);
  g_free(state->path);
  g_free(state);
}

static char *
path_of(const UiCli *cli, const char *about)
{
  g_autofree char *name = g_compute_checksum_for_string(G_CHECKSUM_SHA256, about, -1);
  g_autofree char *file = g_strconcat(name, ".audit", NULL);
  return g_build_filename(cli->data_dir, "audit", file, NULL);
}

static gboolean
append(UiAuditState *state, JsonBuilder *json, GError **error)
{
  json_builder_end_object(json);
  g_autoptr(JsonNode) root = json_builder_get_root(json);
  g_autofree char *text = json_to_string(root, FALSE);
  g_autofree char *line = g_strconcat(text, "\n", NULL);
  return ml_files_write_all(fileno(state->file), line, strlen(line), state->path, error);
}

/* One whole line without its end; NULL: there is none, or it is torn. */
static const char *
read_line(UiAuditState *state)
{
  ssize_t n = getline(&state->line, &state->size, state->file);
  if (n <= 1 || n > LINE_MAX_OCTETS || state->line[n - 1] != '\n' || memchr(state->line, 0, (size_t)n))
    return NULL;
  state->line[n - 1] = 0;
  state->begins += n;
  return state->line;
}

static char *
head_of(guint32 uidvalidity, const char *standing)
{
  return g_strdup_printf("signet audit 1 " SIGNET_VERSION " %u %s", uidvalidity, standing);
}

static gboolean
begin_anew(UiAuditState *state, const char *head, GError **error)
{
  g_autofree char *line = g_strconcat(head, "\n", NULL);
  state->read = TRUE;
  if (ftruncate(fileno(state->file), 0) != 0) {
    ml_files_error(error, errno, "emptied", state->path);
    return FALSE;
  }
  return ml_files_write_all(fileno(state->file), line, strlen(line), state->path, error);
}

static gboolean
open_file(UiAuditState *state, GError **error)
{
  g_autofree char *folder = g_path_get_dirname(state->path);
  if (g_mkdir_with_parents(folder, 0700) != 0) {
    ml_files_error(error, errno, "made", folder);
    return FALSE;
  }
  int fd = open(state->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    ml_files_error(error, errno, "opened", state->path);
    return FALSE;
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_BUSY,
                        "Another audit of this folder is at work: wait for its end.");
    return FALSE;
  }
  state->file = fdopen(fd, "r");
  if (state->file)
    return TRUE;
  ml_files_error(error, errno, "opened", state->path);
  close(fd);
  return FALSE;
}

UiAuditState *
ui_audit_state_open(const UiCli *cli, const char *about, guint32 uidvalidity, const char *standing, gboolean *resume,
                    gboolean *stale, GError **error)
{
  g_autoptr(UiAuditState) state = g_new0(UiAuditState, 1);
  g_autofree char *head = head_of(uidvalidity, standing);
  state->path = path_of(cli, about);
  if (!open_file(state, error))
    return NULL;
  const char *line = *resume ? read_line(state) : NULL;
  *resume = g_strcmp0(line, head) == 0;
  *stale = line && !*resume;
  if (!*resume && !begin_anew(state, head, error))
    return NULL;
  return g_steal_pointer(&state);
}

UiAuditRecord *
ui_audit_state_next(UiAuditState *state)
{
  if (state->read)
    return NULL;
  gint64 begins = state->begins;
  const char *line = read_line(state);
  UiAuditRecord *record = line ? ui_audit_record_parse(line) : NULL;
  if (record && record->uid > state->last) {
    state->last = record->uid;
    return record;
  }
  ui_audit_record_free(record);
  state->read = TRUE;
  if (ftruncate(fileno(state->file), begins) != 0) /* what is torn would spoil the line behind it */
    state->last = G_MAXUINT32;
  return NULL;
}

gboolean
ui_audit_state_add(UiAuditState *state, const UiAuditRecord *record, GError **error)
{
  if (record->uid <= state->last) /* one that was there and could not be taken over */
    return TRUE;
  g_autoptr(JsonBuilder) json = ui_json_new();
  ui_audit_record_json(record, json, TRUE);
  state->last = record->uid;
  return append(state, json, error);
}

void
ui_audit_state_done(UiAuditState *state)
{
  if (unlink(state->path) != 0)
    g_message("%s stays: %s", state->path, g_strerror(errno));
}
