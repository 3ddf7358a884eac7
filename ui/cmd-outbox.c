#include "ui/commands.h"

#include <stdio.h>
#include <string.h>

#include "ui/json.h"
#include "ui/save.h"
#include "ui/submit.h"
#include "ui/text.h"

const char ui_cmd_outbox_help[] =
    "signet outbox list                    what is to leave, or could not\n"
    "signet outbox flush [--now] [ID...]   send what is due; --now: what waits for its time or its next try too;\n"
    "                                      ID: this one, though it was refused or may have been sent\n"
    "signet outbox cancel [-o FILE] ID...  take it back; -o writes the message to a file\n"
    "signet outbox add [OPTIONS] FILE...   put whole messages in, to those in To, Cc and Bcc; flush sends them\n"
    "\n"
    "  --sign, --encrypt, --cert FINGERPRINT, --pin-file FILE, --notify WHEN    (add) as in signet send\n"
    "\n"
    "An ID may be cut short as long as it fits only one. \"unsure\" may have been sent: the server had all of the\n"
    "message and signet did not hear its answer. It is never sent again by itself.\n"
    "\n"
    "Exit codes: 0, 2 usage, 66 no such entry, 69 a recipient was refused for good, 75 something is still to be sent,\n"
    "78 configuration\n";

enum { HELD = 64 };

typedef struct {
  UiCli *cli;
  MlOutbox *outbox;
  gboolean now, refused;
  char *output;
  UiSubmitOptions options;
} Command;

static char *
time_text(gint64 when)
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(when);
  return time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : g_strdup("");
}

static char *
recipient_words(const MlOutboxEntry *entry)
{
  GString *out = g_string_new(NULL);
  for (guint i = 0; i < entry->recipients->len && i < 20; i++) {
    const MlOutboxRecipient *recipient = entry->recipients->pdata[i];
    const char *mark = recipient->state == ML_RCPT_SENT      ? " (sent)"
                       : recipient->state == ML_RCPT_REFUSED ? " (refused)"
                                                             : "";
    g_string_append_printf(out, "%s%s%s", i ? ", " : "", recipient->address, mark);
  }
  if (entry->recipients->len > 20)
    g_string_append_printf(out, " and %u more", entry->recipients->len - 20);
  return g_string_free(out, FALSE);
}

static void
print_entry(const MlOutboxEntry *entry)
{
  static const char *const words[] = { [ML_OUTBOX_QUEUED] = "queued",
                                       [ML_OUTBOX_SENDING] = "sending",
                                       [ML_OUTBOX_UNSURE] = "unsure",
                                       [ML_OUTBOX_FAILED] = "failed",
                                       [ML_OUTBOX_SENT] = "sent" };
  const char *state = ml_outbox_is_partial(entry)                        ? "sent to some"
                      : entry->state == ML_OUTBOX_SENT && entry->copy_due ? "sent, copy due"
                      : entry->state == ML_OUTBOX_SENT && entry->mark_due ? "sent, mark due"
                                                                          : words[entry->state];
  g_autofree char *when = time_text(entry->queued), *to = recipient_words(entry);
  g_autofree char *due = entry->state == ML_OUTBOX_QUEUED ? time_text(entry->due) : NULL;
  g_autofree char *head = g_strdup_printf("%s  %-7s  %s  %s", entry->id, state, when, entry->subject);
  g_autofree char *line =
      g_strdup_printf("    %s: to %s%s%s", entry->account, to, due ? "; next try " : "", due ? due : "");
  g_autofree char *safe_head = ui_text_line(head), *safe_line = ui_text_line(line);
  g_autofree char *outcome = ml_outbox_outcome(entry), *safe_outcome = outcome ? ui_text_line(outcome) : NULL;
  g_autofree char *reason = entry->words && g_strcmp0(entry->words, outcome) ? ui_text_line(entry->words) : NULL;
  printf("%s\n%s\n", safe_head, safe_line);
  if (outcome)
    printf("    %s\n", safe_outcome);
  if (reason)
    printf("    %s\n", reason);
}

static int
list(Command *command)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) entries = ml_outbox_list(command->outbox, &error);
  if (!entries) {
    ui_cli_error(command->cli, "%s", error->message);
    return UI_EXIT_IO;
  }
  for (guint i = 0; i < entries->len; i++) {
    if (command->cli->json)
      ui_submit_tell(command->cli, entries->pdata[i]);
    else
      print_entry(entries->pdata[i]);
  }
  return UI_EXIT_OK;
}

/* The only entry whose id begins with @word. NULL: printed. */
static char *
find(Command *command, const char *word)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) entries = ml_outbox_list(command->outbox, &error);
  const char *found = NULL;
  guint count = 0;
  for (guint i = 0; entries && i < entries->len; i++) {
    const MlOutboxEntry *entry = entries->pdata[i];
    if (!g_str_has_prefix(entry->id, word))
      continue;
    found = entry->id;
    count++;
  }
  if (count == 1 && *word)
    return g_strdup(found);
  if (error)
    ui_cli_error(command->cli, "%s", error->message);
  else if (count > 1)
    ui_cli_error(command->cli, "%s fits %u entries: write more of it (signet outbox list)", word, count);
  else
    ui_cli_error(command->cli, "there is no %s in the outbox: it has left, or was cancelled", word);
  return NULL;
}

static void
on_entry(const MlOutboxEntry *entry, gpointer data)
{
  Command *command = data;
  if (entry->state == ML_OUTBOX_SENDING || (entry->state == ML_OUTBOX_SENT && entry->copy_due && !entry->words))
    return;
  if (entry->state == ML_OUTBOX_FAILED && !entry->copy_due && command->refused)
    return; /* told before its copy was stored */
  command->refused |= entry->state == ML_OUTBOX_FAILED;
  ui_submit_tell(command->cli, entry);
}

/* What stays after a pass, told where the pass itself said nothing of it. */
static int
remains(Command *command)
{
  g_autoptr(GPtrArray) entries = ml_outbox_list(command->outbox, NULL);
  gboolean waiting = FALSE;
  for (guint i = 0; entries && i < entries->len; i++) {
    const MlOutboxEntry *entry = entries->pdata[i];
    waiting |= entry->state == ML_OUTBOX_QUEUED || entry->state == ML_OUTBOX_SENDING ||
               entry->state == ML_OUTBOX_UNSURE;
    if (entry->state == ML_OUTBOX_UNSURE)
      ui_submit_tell(command->cli, entry);
  }
  return command->refused ? UI_EXIT_UNAVAILABLE : waiting ? UI_EXIT_TEMPFAIL : UI_EXIT_OK;
}

static gboolean
hasten(Command *command)
{
  g_autoptr(GPtrArray) entries = ml_outbox_list(command->outbox, NULL);
  for (guint i = 0; entries && i < entries->len; i++) {
    const MlOutboxEntry *entry = entries->pdata[i];
    g_autoptr(GError) error = NULL;
    if ((entry->state == ML_OUTBOX_QUEUED || entry->state == ML_OUTBOX_SENT) &&
        !ml_outbox_retry(command->outbox, entry->id, &error))
      ui_cli_error(command->cli, "%s: %s", entry->id, error->message);
  }
  return TRUE;
}

static int
flush(Command *command, char **ids)
{
  UiCli *cli = command->cli;
  int code = UI_EXIT_OK;
  gboolean network = FALSE, tokens = FALSE;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(GError) error = NULL;
  if (cli->offline) {
    ui_cli_error(cli, "--offline was given: nothing is sent");
    return UI_EXIT_TEMPFAIL;
  }
  for (guint i = 0; i < cli->config->accounts->len; i++) {
    network |= ui_submit_needs_network(cli->config->accounts->pdata[i]);
    tokens |= ((MlAccount *)cli->config->accounts->pdata[i])->tls_cert != NULL;
  }
  const MlDriverHooks *hooks = ui_cli_hooks(cli, network, tokens, &code);
  if (!hooks)
    return code;
  if (command->now)
    hasten(command);
  for (char **word = ids; *word; word++) {
    g_autofree char *id = find(command, *word);
    if (!id)
      return UI_EXIT_NOINPUT;
    if (!ml_outbox_retry(command->outbox, id, &error)) {
      ui_cli_error(cli, "%s: %s", id, error->message);
      return UI_EXIT_TEMPFAIL;
    }
    ml_outbox_flush_one(command->outbox, id, cli->config, hooks, now, on_entry, command, cli->cancellable, NULL);
  }
  if (!*ids &&
      ml_outbox_flush(command->outbox, cli->config, hooks, now, on_entry, command, cli->cancellable, &error) < 0) {
    ui_cli_error(cli, "%s", error->message);
    return UI_EXIT_IO;
  }
  return remains(command);
}

static int
cancel(Command *command, char **ids)
{
  UiCli *cli = command->cli;
  if (!*ids || (command->output && ids[1])) {
    ui_cli_error(cli, "say which: signet outbox cancel ID (signet outbox list); -o takes one");
    return UI_EXIT_USAGE;
  }
  for (; *ids; ids++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) copy = NULL;
    g_autofree char *id = find(command, *ids);
    if (!id)
      return UI_EXIT_NOINPUT;
    if (!ml_outbox_cancel(command->outbox, id, &copy, &error) ||
        (command->output && !ui_save_replace(command->output, copy, FALSE, &error))) {
      ui_cli_error(cli, "%s: %s", id, error->message);
      return UI_EXIT_NO;
    }
    if (cli->verbose)
      ui_cli_error(cli, "%s is cancelled", id);
  }
  return UI_EXIT_OK;
}

/* Up to HELD at a time: one wait for the disk for all of them. */
static int
add_some(Command *command, char **files, guint count)
{
  int worst = UI_EXIT_OK;
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
  command->options.ids = ids;
  ml_outbox_hold(command->outbox);
  for (guint i = 0; i < count; i++) {
    int code = ui_submit_file(command->cli, files[i], &command->options);
    if (code)
      ui_cli_error(command->cli, "%s is not queued", files[i]);
    worst = MAX(worst, code);
  }
  if (!ml_outbox_release(command->outbox, &error)) {
    ui_cli_error(command->cli, "none of %s and the %u after it is queued: %s", files[0], count - 1, error->message);
    return UI_EXIT_TEMPFAIL;
  }
  for (guint i = 0; i < ids->len; i++)
    ui_submit_tell_queued(command->cli, ids->pdata[i]);
  return worst;
}

static int
add(Command *command, char **files)
{
  int worst = UI_EXIT_OK;
  guint count = g_strv_length(files);
  command->options.queue = TRUE;
  command->options.outbox = command->outbox;
  if (!count) {
    ui_cli_error(command->cli, "say which messages: signet outbox add FILE...");
    return UI_EXIT_USAGE;
  }
  for (guint at = 0; at < count; at += HELD) {
    int code = add_some(command, files + at, MIN(HELD, count - at));
    worst = MAX(worst, code);
  }
  return worst;
}

int
ui_cmd_outbox(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "outbox", NULL, ui_cmd_outbox_help, NULL };
  static const char *const words[] = { "list", "flush", "cancel", "add", NULL };
  Command command = { .cli = cli };
  UiOption table[UI_SUBMIT_OPTIONS + 3] = { { "now", 0, UI_OPTION_FLAG, &command.now },
                                            { "output", 'o', UI_OPTION_STRING, &command.output } };
  ui_submit_table(&command.options, cli, table + 2);
  int code = ui_cli_options(cli, &self, table, &argc, argv);
  if (code < 0 && (argc < 2 || !g_strv_contains(words, argv[1]) || (!strcmp(argv[1], "list") && argc > 2))) {
    ui_cli_error(cli, "say signet outbox list, flush, cancel ID or add FILE; see signet outbox --help");
    code = UI_EXIT_USAGE;
  }
  if (code < 0)
    command.outbox = ui_submit_outbox(cli, &code);
  if (command.outbox)
    code = !strcmp(argv[1], "list")     ? list(&command)
           : !strcmp(argv[1], "flush")  ? flush(&command, argv + 2)
           : !strcmp(argv[1], "cancel") ? cancel(&command, argv + 2)
                                        : add(&command, argv + 2);
  ml_outbox_free(command.outbox);
  g_free(command.output);
  ui_submit_clear(&command.options);
  return code;
}
