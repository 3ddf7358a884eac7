#include <string.h>

#include "ui/app-private.h"

/* | gives text to a program: of the message that is read, or in the list of the one under the cursor, or of all tagged
 * ones after `;`. Those are fetched and read one after the other, without a key; Esc stops it. */
enum { MOST = 1000, MOST_OCTETS = 64 * 1024 * 1024 };

typedef struct {
  UiApp *app;
  UiAccount *account;
  char *folder, *command;
  guint32 validity; /* of folder, as uids are meant */
  GArray *uids; /* guint32, as they are to be told */
  guint at;
  guint closed, gone; /* were left out: encrypted; not there any more */
  GString *text;
  /* of the one that is read */
  GBytes *raw;
  gint64 received;
  char *one; /* NULL: it cannot be read, or not without a key */
} Piping;

static void
piping_free(Piping *piping)
{
  g_free(piping->folder);
  g_free(piping->command);
  g_array_unref(piping->uids);
  g_string_free(piping->text, TRUE);
  g_clear_pointer(&piping->raw, g_bytes_unref);
  g_free(piping->one);
  g_free(piping);
}

static void
finish(Piping *piping)
{
  UiApp *app = piping->app;

  if (piping->text->len) {
    g_autoptr(GBytes) input = g_bytes_new(piping->text->str, piping->text->len);
    ui_shell_pipe(app, piping->command, input);
  }
  if (piping->closed)
    ui_app_complain(app, "%u left out: encrypted, or not to be read. Enter and D open one, and | there gives its text.",
                    piping->closed);
  else if (piping->gone)
    ui_app_complain(app, "%u left out: not there any more.", piping->gone);
  piping_free(piping);
}

/* Verify thread. */
static void
read_one(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Piping *piping = data;
  const MlReadOptions options = { .at = g_get_real_time() / G_USEC_PER_SEC,
                                  .received = piping->received,
                                  .revocation = ml_config_revocation(piping->app->config),
                                  .sealed = TRUE };
  g_autoptr(MlMessage) message = ml_message_read(piping->raw, &options, cancellable, NULL);

  (void)pin;
  if (message && ml_message_mark(message, "") != ML_MARK_CLOSED)
    piping->one = ui_reader_text_of(message);
}

static void next(Piping *piping);

static void
read_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Piping *piping = data;

  if (cancelled) {
    piping_free(piping);
    return;
  }
  if (piping->one)
    g_string_append_printf(piping->text, "%s%s", piping->text->len ? "\n" : "", piping->one);
  else
    piping->closed++;
  g_clear_pointer(&piping->one, g_free);
  g_clear_pointer(&piping->raw, g_bytes_unref);
  if (piping->text->len > MOST_OCTETS) {
    ui_app_complain(app, "That is more text than can be given to a program at once: tag fewer messages.");
    piping_free(piping);
    return;
  }
  next(piping);
}

static void
on_message(UiApp *app, MlEvent *event, gpointer data)
{
  Piping *piping = data;

  (void)app;
  g_clear_pointer(&piping->raw, g_bytes_unref);
  piping->raw = g_steal_pointer(&event->bytes);
  piping->received = event->received;
}

static void
fetched(UiApp *app, const GError *error, gpointer data)
{
  Piping *piping = data;

  if (piping->raw && !error) {
    ui_ops_job(app, CRYPTO_JOB_VERIFY, "Reading the messages", read_one, read_done, piping);
    return;
  }
  if (!error || ml_error_is_absent(error)) {
    piping->gone++;
    next(piping);
    return;
  }
  ui_app_error(app, error);
  piping_free(piping);
}

static void
next(Piping *piping)
{
  if (piping->at == piping->uids->len) {
    finish(piping);
    return;
  }
  g_autoptr(GError) error = NULL;
  if (!ui_account_still(piping->account, piping->folder, piping->validity, &error)) {
    ui_app_complain(piping->app, "Stopped: %s.", error->message);
    piping_free(piping);
    return;
  }
  guint32 uid = g_array_index(piping->uids, guint32, piping->at++);
  UiOp *op = ui_ops_command(piping->app, piping->account,
                            ml_worker_fetch(piping->account->worker, piping->folder, uid), "Fetching the messages");
  op->done = piping->at;
  op->total = piping->uids->len;
  op->event = on_message;
  op->finished = fetched;
  op->data = piping;
}

static void
list_answered(const char *answer, gpointer data)
{
  Piping *piping = data;

  if (!answer || !*answer) {
    piping_free(piping);
    return;
  }
  piping->command = g_strdup(answer);
  next(piping);
}

static void
pipe_listed(UiApp *app)
{
  g_autoptr(GPtrArray) items = ui_actions_chosen(app);

  if (!items->len)
    return;
  if (items->len > MOST) {
    ui_app_complain(app, "%u messages are tagged, and | takes %u at once: tag fewer.", items->len, (guint)MOST);
    return;
  }
  Piping *piping = g_new0(Piping, 1);
  *piping = (Piping){ .app = app,
                      .account = app->box->account,
                      .folder = g_strdup(app->box->folder),
                      .validity = app->box->uidvalidity,
                      .uids = g_array_new(FALSE, FALSE, sizeof(guint32)),
                      .text = g_string_new(NULL) };
  for (guint i = items->len; i-- > 0;) /* the oldest first */
    g_array_append_val(piping->uids, ((UiItem *)items->pdata[i])->uid);
  g_autofree char *question = items->len == 1 ? g_strdup("Pipe the text to")
                                              : g_strdup_printf("Pipe the text of %u messages to", items->len);
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, question, NULL, NULL, list_answered, piping);
}

static UiReader *
read_reader(UiApp *app)
{
  UiReader *reader = ui_reader_top(app);

  return reader && reader->message ? reader : NULL;
}

static void
reader_answered(const char *answer, gpointer data)
{
  UiApp *app = data;
  UiReader *reader = read_reader(app);

  if (!answer || !*answer || !reader)
    return;
  char *text = ui_reader_text_of(reader->message);
  g_autoptr(GBytes) input = g_bytes_new_take(text, strlen(text));
  ui_shell_pipe(app, answer, input);
}

void
ui_action_pipe(UiApp *app)
{
  if (read_reader(app))
    ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Pipe the text to", NULL, NULL, reader_answered, app);
  else if (ui_reader_top(app))
    ui_app_say(app, "The message is not there yet.");
  else
    pipe_listed(app);
}
