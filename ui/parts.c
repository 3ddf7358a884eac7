#include <string.h>

#include "ui/app-private.h"
#include "ui/save.h"

/* v: the tree of parts, what covers what, and what can be done with each. */
typedef struct {
  UiView view;
  UiHeld *held;
  char *title;
  int cursor, top, rows;
} Parts;

static GPtrArray *
list_of(const Parts *parts)
{
  return ml_message_parts(parts->held->message);
}

/* What was fetched of a part that stayed on the server; NULL: nothing yet, or it was always here. */
static GBytes *
fetched_of(const UiHeld *held, guint part)
{
  const char *section = ml_message_part_section(held->message, part, NULL);

  return section && held->fetched ? g_hash_table_lookup(held->fetched, section) : NULL;
}

static const char *
cover_words(const UiHeld *held, guint index)
{
  const MlPart *part = ml_message_parts(held->message)->pdata[index];

  if (part->on_server)
    return fetched_of(held, index) ? "fetched" : "on the server";
  if (part->locked)
    return "locked";
  if (part->is_signed)
    return part->encrypted ? "# signed+encrypted" : "| signed";
  return part->encrypted ? "= encrypted" : "";
}

static void
draw_part(const UiHeld *held, guint index, int row, int columns, gboolean current)
{
  const MlPart *part = ml_message_parts(held->message)->pdata[index];
  int cover_width = columns >= 60 ? 19 : 0, name_width = MAX(columns - 11 - cover_width - 7, 8);
  g_autofree char *size = part->leaf ? ui_text_size(part->size) : g_strdup("");
  g_autofree char *raw =
      g_strdup_printf("%*s%s%s%s%s%s%s%s", (int)MIN(part->depth, 20) * 2, "", part->type,
                      part->layer ? " [" : "", part->layer ? part->layer : "", part->layer ? "]" : "",
                      part->name ? "  " : "", part->name ? part->name : "",
                      part->attachment ? ""
                      : part->shown    ? "  (shown)"
                                       : "");
  g_autofree char *safe = ui_text_line(raw);
  g_autofree char *fit = ui_text_fit(safe, name_width);
  g_autofree char *cover = cover_width ? ui_text_fit(cover_words(held, index), cover_width) : g_strdup("");
  g_autofree char *line = g_strdup_printf("%c%3u  %s %6s  %s", current ? '>' : ' ', index + 1, fit, size, cover);

  ui_screen_fill(row, 0, columns,
                 current            ? UI_STYLE_CURSOR
                 : part->attachment ? UI_STYLE_BOLD
                                    : UI_STYLE_NORMAL,
                 line);
}

static void
draw(UiApp *app, UiView *view, int rows, int columns)
{
  Parts *parts = (Parts *)view;
  GPtrArray *list = list_of(parts);
  g_autofree char *title = g_strdup_printf(" Parts of: %s", parts->title);

  ui_screen_fill(0, 0, columns, UI_STYLE_TITLE, title);
  parts->rows = MAX(rows - 1, 1);
  if (parts->cursor < parts->top)
    parts->top = parts->cursor;
  if (parts->cursor >= parts->top + parts->rows)
    parts->top = parts->cursor - parts->rows + 1;
  for (int i = 0; i < parts->rows && parts->top + i < (int)list->len; i++)
    draw_part(parts->held, (guint)(parts->top + i), 1 + i, columns, parts->top + i == parts->cursor);
}

static gboolean
move(UiApp *app, UiView *view, UiMove move)
{
  Parts *parts = (Parts *)view;
  int before = parts->cursor, n = (int)list_of(parts)->len;

  switch (move) {
  case UI_MOVE_UP:
    parts->cursor--;
    break;
  case UI_MOVE_DOWN:
    parts->cursor++;
    break;
  case UI_MOVE_PAGE_UP:
    parts->cursor -= parts->rows;
    break;
  case UI_MOVE_PAGE_DOWN:
    parts->cursor += parts->rows;
    break;
  case UI_MOVE_FIRST:
    parts->cursor = 0;
    break;
  case UI_MOVE_LAST:
    parts->cursor = n - 1;
    break;
  }
  parts->cursor = CLAMP(parts->cursor, 0, MAX(n - 1, 0));
  return parts->cursor != before;
}

static gboolean
search(UiApp *app, UiView *view, const char *pattern, gboolean backwards)
{
  Parts *parts = (Parts *)view;
  GPtrArray *list = list_of(parts);
  g_autofree char *folded = ml_pattern_fold(pattern);
  int n = (int)list->len;

  for (int i = 1; i <= n; i++) {
    int at = ((parts->cursor + (backwards ? -i : i)) % n + n) % n;
    const MlPart *part = list->pdata[at];
    if (!ml_pattern_contains(part->type, folded) && !ml_pattern_contains(part->name, folded))
      continue;
    parts->cursor = at;
    return TRUE;
  }
  return FALSE;
}

static void
hint(UiApp *app, UiView *view, GString *hint)
{
  g_string_append(hint, "Enter view  s save  | pipe  q back  ? help");
}

static void
view_free(UiApp *app, UiView *view)
{
  Parts *parts = (Parts *)view;

  ui_held_unref(parts->held);
  g_free(parts->title);
  g_free(parts);
}

UiView *
ui_parts_new(UiApp *app, UiReader *reader)
{
  static const UiViewType type = { UI_IN_PARTS, "the list of parts", draw, move, search, hint, view_free };
  Parts *parts = g_new0(Parts, 1);
  const char *subject = ml_message_header(reader->message, "Subject");

  parts->view.type = &type;
  parts->held = ui_held_ref(reader->held);
  parts->title = ui_text_line(subject ? subject : "(no subject)");
  GPtrArray *list = list_of(parts);
  for (guint i = 0; i < list->len; i++) {
    const MlPart *part = list->pdata[i];
    if (part->attachment) {
      parts->cursor = (int)i;
      break;
    }
  }
  return &parts->view;
}

/* What is done with a part is done by a job: decoding a hundred megabytes takes a while. */
typedef enum { PART_TEXT, PART_MESSAGE, PART_SAVE, PART_PIPE } PartAct;
typedef struct {
  UiApp *app;
  PartAct act;
  UiHeld *held;
  guint part;
  char *name; /* of the part, for a title */
  char *save_as;
  char *where; /* path or command */
  char *what;      /* it is called while it runs */
  GBytes *fetched; /* of a part that stayed on the server; NULL: it is here */
  GBytes *content;
  UiPane *pane;
  GError *error;
} PartJob;

static void
part_job_free(PartJob *job)
{
  ui_held_unref(job->held);
  g_free(job->name);
  g_free(job->save_as);
  g_free(job->where);
  g_free(job->what);
  if (job->pane)
    job->pane->view.type->free(job->app, &job->pane->view);
  g_clear_pointer(&job->fetched, g_bytes_unref);
  g_clear_pointer(&job->content, g_bytes_unref);
  g_clear_error(&job->error);
  g_free(job);
}

enum { MAX_SHOWN = 4 << 20 };

/* The pane is filled on the job's thread and handed over. */
static void
fill_pane(PartJob *job)
{
  const MlMessage *message = job->held->message;
  g_autofree char *text = job->fetched
                              ? ml_message_left_text(message, job->part, job->fetched, &job->error)
                              : ml_message_part_text(message, job->part, &job->error);

  if (!text)
    return;
  gboolean cut = strlen(text) > MAX_SHOWN;
  if (cut)
    text[MAX_SHOWN] = 0;
  g_autofree char *safe = ui_text_lines(text);
  for (char *at = safe; at;) {
    char *end = strchr(at, '\n');
    if (end)
      *end = 0;
    ui_pager_add(&job->pane->pager, UI_STYLE_NORMAL, at);
    at = end ? end + 1 : NULL;
  }
  if (cut)
    ui_pager_add(&job->pane->pager, UI_STYLE_WARN,
                 "The text goes on: s in the list of parts saves all of it.");
}

static void
run_part(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  PartJob *job = data;

  if (job->act == PART_TEXT) {
    fill_pane(job);
    return;
  }
  const MlMessage *message = job->held->message;
  job->content = job->fetched ? ml_message_left_content(message, job->part, job->fetched, &job->error)
                              : ml_message_part_content(message, job->part, &job->error);
  if (job->content && job->act == PART_SAVE && !ui_save_file(job->where, job->content, &job->error))
    g_clear_pointer(&job->content, g_bytes_unref);
}

static void
part_done(UiApp *app, gboolean cancelled, gpointer data)
{
  PartJob *job = data;
  const Parts *parts = (Parts *)ui_app_view(app, UI_IN_PARTS);
  gboolean wanted = parts && parts->held == job->held; /* else it was closed meanwhile */
  gboolean ok = !job->error && !cancelled && wanted;

  if (job->error)
    ui_app_error(app, job->error);
  else if (job->act == PART_SAVE && job->content)
    ui_app_say(app, "Saved as %s.", job->where);
  else if (ok && job->act == PART_PIPE)
    ui_shell_pipe(app, job->where, job->content);
  else if (ok && job->act == PART_MESSAGE)
    ui_reader_open_bytes(app, job->content, job->name);
  if (job->pane && ok) {
    ui_app_push(app, &job->pane->view);
    job->pane = NULL;
  }
  part_job_free(job);
}

static gboolean
is_message(const MlPart *part)
{
  return !strcmp(part->type, "message/rfc822") || !strcmp(part->type, "message/global");
}

static PartJob *
part_job_new(UiApp *app, PartAct act)
{
  Parts *parts = (Parts *)ui_app_view(app, UI_IN_PARTS);
  GPtrArray *list = parts ? list_of(parts) : NULL;

  if (!list || parts->cursor >= (int)list->len)
    return NULL;
  const MlPart *part = list->pdata[parts->cursor];
  if (!part->leaf && !is_message(part)) {
    ui_app_say(app, "This is only a frame around other parts.");
    return NULL;
  }
  PartJob *job = g_new0(PartJob, 1);
  job->app = app;
  job->act = act;
  job->held = ui_held_ref(parts->held);
  job->part = (guint)parts->cursor;
  job->name = ui_text_line(part->name ? part->name : part->type);
  job->save_as = ui_text_line(part->save_as ? part->save_as : "part");
  return job;
}

static void
on_fetched(UiApp *app, MlEvent *event, gpointer data)
{
  PartJob *job = data;

  if (event->kind == ML_EVENT_PART)
    job->fetched = g_steal_pointer(&event->bytes);
}

static void
fetch_done(UiApp *app, const GError *error, gpointer data)
{
  PartJob *job = data;

  if (error || !job->fetched) {
    if (error && job->act == PART_SAVE && !g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED))
      ui_app_complain(app, "%s was not saved: %s", job->where, error->message);
    else if (error)
      ui_app_error(app, error);
    part_job_free(job);
    return;
  }
  const char *section = ml_message_part_section(job->held->message, job->part, NULL);
  g_hash_table_insert(job->held->fetched, g_strdup(section), g_bytes_ref(job->fetched));
  ui_ops_job(app, CRYPTO_JOB_VERIFY, job->what, run_part, part_done, job);
}

/* What stayed on the server is fetched first, once. */
static void
start(PartJob *job, const char *what)
{
  UiHeld *held = job->held;
  guint64 size = 0;
  const char *section = ml_message_part_section(held->message, job->part, &size);
  GBytes *fetched = fetched_of(held, job->part);

  job->what = g_strdup(what);
  if (!section || fetched || !held->account) {
    job->fetched = fetched ? g_bytes_ref(fetched) : NULL;
    ui_ops_job(job->app, CRYPTO_JOB_VERIFY, what, run_part, part_done, job);
    return;
  }
  guint64 id = ml_worker_fetch_part(held->account->worker, held->folder, held->uid, section, size);
  UiOp *op = ui_ops_command(job->app, held->account, id, "Fetching the part");
  op->event = on_fetched;
  op->finished = fetch_done;
  op->data = job;
}

void
ui_parts_show(UiApp *app)
{
  Parts *parts = (Parts *)ui_app_view(app, UI_IN_PARTS);
  const MlPart *part =
      parts && parts->cursor < (int)list_of(parts)->len ? list_of(parts)->pdata[parts->cursor] : NULL;

  if (!part)
    return;
  if (part->locked) {
    ui_app_say(app, "This part is encrypted by itself: D in the reader opens it.");
    return;
  }
  gboolean message = is_message(part);
  if (!message && part->leaf && !g_str_has_prefix(part->type, "text/") &&
      !g_str_has_prefix(part->type, "message/")) {
    ui_app_say(app, "%s cannot be shown as text: s saves it, | gives it to a program.", part->type);
    return;
  }
  PartJob *job = part_job_new(app, message ? PART_MESSAGE : PART_TEXT);
  if (!job)
    return;
  if (!message)
    job->pane = ui_pane_new(UI_IN_TEXT, "a part", job->name);
  start(job, "Decoding");
}

static void
save_answered(const char *answer, gpointer data)
{
  PartJob *job = data;

  if (!answer || !*answer) {
    part_job_free(job);
    return;
  }
  job->where = ui_save_path(answer, job->save_as);
  start(job, "Saving");
}

void
ui_parts_save(UiApp *app)
{
  PartJob *job = part_job_new(app, PART_SAVE);

  if (!job)
    return;
  g_autofree char *name = ui_save_free_name(NULL, job->save_as);
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Save as", name, NULL, save_answered, job);
}

static void
pipe_answered(const char *answer, gpointer data)
{
  PartJob *job = data;

  if (!answer || !*answer) {
    part_job_free(job);
    return;
  }
  job->where = g_strdup(answer);
  start(job, "Decoding");
}

void
ui_parts_pipe(UiApp *app)
{
  PartJob *job = part_job_new(app, PART_PIPE);

  if (job)
    ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Pipe this part to", NULL, NULL, pipe_answered, job);
}
