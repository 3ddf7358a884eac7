#include "ui/cmd-rekey-private.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/certdb.h"
#include "mail/rekey-run.h"
#include "ui/cmd-cert-private.h"
#include "ui/json.h"
#include "ui/opened.h"
#include "ui/text.h"

/* One folder of this run. */
typedef struct {
  MlAccount *account;
  MlDriver *driver; /* borrowed */
  char *name;
  guint32 uidvalidity, highest;
  GArray *todo; /* of MlRekeyItem */
  MlRekeyState *state;
} Folder;

typedef struct {
  char *where, *reason;
} Left;

typedef struct {
  UiCli *cli;
  const UiRekeyOptions *options;
  char *dir;
  int lock;
  char *to, *from; /* SHA-256; from: NULL: any */
  gboolean cbc, keep;
  MlRekeyOptions how;
  GPtrArray *rows;    /* of MlRecipient */
  UiRekeyReport *report; /* NULL: not told */
  UiBar bar;
  GPtrArray *folders; /* of Folder */
  Folder *folder;     /* at work */
  GPtrArray *left;    /* of Left */
  guint rekeyed, already, raised, inner, elsewhere;
  gboolean stopped;
} Run;

/* Ctrl-C ends the run between two messages; the second one ends the program, which is no harm either. */
static volatile sig_atomic_t interrupted;

static void
on_interrupt(int number)
{
  static const char words[] = "\nEnding behind this message. Once more ends at once; signet rekey --resume then goes on.\n";
  (void)number;
  interrupted = 1;
  if (write(STDERR_FILENO, words, sizeof words - 1) < 0)
    return;
}

static void
catch_interrupts(void)
{
  struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = SA_RESTART | (int)SA_RESETHAND };
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

static void
folder_free(Folder *folder)
{
  g_free(folder->name);
  g_array_unref(folder->todo);
  ml_rekey_state_free(folder->state);
  g_free(folder);
}

static void
left_free(Left *left)
{
  g_free(left->where);
  g_free(left->reason);
  g_free(left);
}

static void
run_init(Run *run, UiCli *cli, const UiRekeyOptions *options)
{
  *run = (Run){ .cli = cli, .options = options, .lock = -1 };
  run->dir = g_build_filename(cli->data_dir, "rekey", NULL);
  run->folders = g_ptr_array_new_with_free_func((GDestroyNotify)folder_free);
  run->left = g_ptr_array_new_with_free_func((GDestroyNotify)left_free);
  run->bar = ui_bar_new(cli->json);
}

static void
run_clear(Run *run)
{
  if (run->lock >= 0)
    close(run->lock);
  g_free(run->dir);
  g_free(run->to);
  g_free(run->from);
  g_clear_pointer(&run->rows, g_ptr_array_unref);
  g_ptr_array_unref(run->folders);
  g_ptr_array_unref(run->left);
}

static int
fail(Run *run, const char *where, const GError *error)
{
  ui_bar_clear(&run->bar);
  if (g_error_matches(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED)) /* nobody could be asked, and that was said */
    return UI_EXIT_PERMISSION;
  ui_cli_error(run->cli, "%s%s%s", where ? where : "", where ? ": " : "", error->message);
  int code = ui_cli_exit_for(error);
  return code == UI_EXIT_NO ? UI_EXIT_TEMPFAIL : code;
}

static gboolean
hold_lock(Run *run, int *code)
{
  g_autoptr(GError) error = NULL;
  run->lock = ml_rekey_state_lock(run->dir, &error);
  if (run->lock >= 0)
    return TRUE;
  ui_cli_error(run->cli, "%s Does another signet rekey run?", error->message);
  *code = UI_EXIT_TEMPFAIL;
  return FALSE;
}

/* --- told on the way */

static char *
place(const Folder *folder, guint32 uid)
{
  return g_strdup_printf("%s/%s/%u", folder->account->name, folder->name, uid);
}

static void
leave(Run *run, guint32 uid, const char *reason)
{
  Left *left = g_new0(Left, 1);
  left->where = place(run->folder, uid);
  left->reason = g_strdup(reason);
  g_ptr_array_add(run->left, left);
  if (!run->cli->json)
    return;
  JsonBuilder *json = ui_json_new();
  ui_json_string(json, "kind", "left");
  ui_json_string(json, "message", left->where);
  ui_json_string(json, "reason", reason);
  ui_json_print(json);
}

static void
on_told(const MlRekeyTold *told, gpointer user_data)
{
  Run *run = user_data;
  if (told->reason) {
    leave(run, told->uid, told->reason);
    return;
  }
  run->rekeyed++;
  run->raised += told->raised;
  run->inner += told->inner;
  if (!run->cli->json)
    return;
  g_autofree char *old = place(run->folder, told->uid), *copy = place(run->folder, told->copy);
  JsonBuilder *json = ui_json_new();
  ui_json_string(json, "kind", "rekeyed");
  ui_json_string(json, "message", old);
  ui_json_string(json, "copy", copy);
  ui_json_string(json, "cipher", told->cipher);
  ui_json_bool(json, "raised", told->raised);
  ui_json_bool(json, "inner", told->inner);
  ui_json_print(json);
}

static gboolean
on_step(guint done, guint total, gpointer user_data)
{
  Run *run = user_data;
  ui_bar_draw(&run->bar, "", done, total, run->folder->name);
  return !interrupted;
}

/* --- what there is to do */

static gboolean
has_key(const CryptoEnvelope *envelope, const char *sha256)
{
  for (guint i = 0; i < envelope->keys->len; i++)
    if (strcmp(crypto_cert_sha256(envelope->keys->pdata[i]), sha256) == 0)
      return TRUE;
  return FALSE;
}

static void
plan(Run *run, const MlRekeyItem *item, const MlRekeyLook *look)
{
  const CryptoEnvelope *envelope = look->envelope;
  if (run->folder->state && ml_rekey_state_knows(run->folder->state, item->uid))
    return;
  if (look->form == ML_REKEY_CLEAR || (look->form == ML_REKEY_BROKEN && !(item->hints & ML_HINT_ENCRYPTED)))
    return;
  if (look->form == ML_REKEY_PART)
    leave(run, item->uid, "Only a part of it is encrypted.");
  else if (look->form == ML_REKEY_BROKEN)
    leave(run, item->uid, look->reason ? look->reason : "Its encryption cannot be read.");
  else if (has_key(envelope, run->to))
    run->already++;
  else if (!envelope->keys->len)
    leave(run, item->uid, "No key that is here reads it.");
  else if (run->from && !has_key(envelope, run->from))
    run->elsewhere++;
  else if (look->form == ML_REKEY_WRAPPED)
    leave(run, item->uid, "It is signed around its encryption, and that signature would break.");
  else if (item->flags & ML_FLAG_DELETED)
    leave(run, item->uid, "It is marked as deleted.");
  else
    g_array_append_val(run->folder->todo, *item);
}

static gboolean
on_message(const MlRekeyItem *item, const MlRekeyLook *look, guint done, guint total, gpointer user_data)
{
  Run *run = user_data;
  if (run->report)
    ui_cmd_rekey_report_add(run->report, item, look);
  plan(run, item, look);
  ui_bar_draw(&run->bar, "", done, total, run->folder->name);
  return !interrupted;
}

static int
walk(Run *run, Folder *folder)
{
  g_autoptr(GError) error = NULL;
  MlSelected selected = { 0 };
  g_autofree char *where = g_strdup_printf("%s/%s", folder->account->name, folder->name);
  run->folder = folder;
  if (run->report)
    ui_cmd_rekey_report_folder(run->report, folder->account->name, folder->name);
  gboolean ok =
      ml_rekey_walk(folder->driver, folder->name, &selected, &folder->highest, on_message, run, &error);
  ui_bar_clear(&run->bar);
  folder->uidvalidity = selected.uidvalidity;
  if (ok && folder->state) /* what waits there has its numbers by now, or nothing waits */
    folder->state->uidvalidity = selected.uidvalidity;
  if (!ok)
    return fail(run, where, error);
  if (!selected.read_only || !folder->todo->len)
    return UI_EXIT_OK;
  ui_cli_error(run->cli, "%s can only be read: nothing was done", where);
  return UI_EXIT_PERMISSION;
}

static guint
count_todo(const Run *run)
{
  guint n = 0;
  for (guint i = 0; i < run->folders->len; i++)
    n += ((const Folder *)run->folders->pdata[i])->todo->len;
  return n;
}

static Folder *
add_folder(Run *run, MlAccount *account, MlDriver *driver, const char *name)
{
  Folder *folder = g_new0(Folder, 1);
  folder->account = account;
  folder->driver = driver;
  folder->name = g_strdup(name);
  folder->todo = g_array_new(FALSE, FALSE, sizeof(MlRekeyItem));
  g_ptr_array_add(run->folders, folder);
  return folder;
}

/* --- doing it */

static int
settle(Run *run, Folder *folder, gboolean remove)
{
  const MlRekeyFuncs funcs = { .told = on_told, .user_data = run };
  g_autoptr(GError) error = NULL;
  g_autofree char *where = g_strdup_printf("%s/%s", folder->account->name, folder->name);
  run->folder = folder;
  return ml_rekey_settle(folder->driver, folder->state, remove, &funcs, &error) ? UI_EXIT_OK
                                                                               : fail(run, where, error);
}

static int
end_state(Run *run, Folder *folder)
{
  g_autoptr(GError) error = NULL;
  if (!folder->state || ml_rekey_state_waiting(folder->state) || ml_rekey_state_end(folder->state, &error))
    return UI_EXIT_OK;
  return fail(run, NULL, error);
}

static int
do_folder(Run *run, Folder *folder)
{
  const MlRekeyFuncs funcs = { on_told, on_step, run };
  g_autoptr(GError) error = NULL;
  gboolean stopped = FALSE;
  g_autofree char *where = g_strdup_printf("%s/%s", folder->account->name, folder->name);
  run->folder = folder;
  gboolean ok =
      ml_rekey_run(folder->driver, folder->state, folder->todo, folder->highest, &run->how, &funcs, &stopped, &error);
  ui_bar_clear(&run->bar);
  run->stopped = run->stopped || stopped || !ok;
  if (!ok)
    return fail(run, where, error);
  return stopped ? UI_EXIT_TEMPFAIL : end_state(run, folder);
}

/* Notes for all of them first, so that --resume knows of those that were not begun. */
static int
begin_states(Run *run)
{
  for (guint i = 0; i < run->folders->len; i++) {
    Folder *folder = run->folders->pdata[i];
    g_autoptr(GError) error = NULL;
    const MlRekeyState like = { .account = folder->account->name,
                                .folder = folder->name,
                                .uidvalidity = folder->uidvalidity,
                                .to = run->to,
                                .from = run->from,
                                .cbc = run->cbc,
                                .keep = run->keep };
    if (folder->state || !folder->todo->len)
      continue;
    folder->state = ml_rekey_state_begin(run->dir, &like, &error);
    if (!folder->state)
      return fail(run, NULL, error);
  }
  return UI_EXIT_OK;
}

static int
do_all(Run *run)
{
  int code = begin_states(run);
  for (guint i = 0; i < run->folders->len && code == UI_EXIT_OK; i++) {
    Folder *folder = run->folders->pdata[i];
    code = folder->todo->len ? do_folder(run, folder) : end_state(run, folder);
  }
  return code;
}

/* Under its old number: the search finds the copy by its Message-ID. */
static void
on_opened(const MlMessage *message, guint32 uid, gpointer data)
{
  const Run *run = data;
  const Folder *folder = run->folder;
  if (folder->account->index_encrypted)
    ui_opened_take(run->cli, folder->account, ml_opened_text(message, folder->name, folder->uidvalidity, uid));
}

/* Whom for, and how; the key is tried out. */
static int
prepare(Run *run, CryptoCert *to, const MlAccount *account)
{
  g_autoptr(GError) error = NULL;
  run->how = (MlRekeyOptions){ .at = g_get_real_time() / G_USEC_PER_SEC,
                               .revocation = ml_config_revocation(run->cli->config),
                               .cbc = run->cbc,
                               .rules = run->cli->config->policy,
                               .pin = ui_cli_pin_source(run->cli),
                               .cancellable = run->cli->cancellable,
                               .opened = on_opened,
                               .user_data = run };
  g_clear_pointer(&run->rows, g_ptr_array_unref);
  run->rows = ml_rekey_rows(to, account, run->how.rules, run->how.at, run->how.revocation, &error);
  run->how.rows = run->rows;
  if (run->rows)
    return UI_EXIT_OK;
  ui_cli_error(run->cli, "%s", error->message);
  return ui_cli_exit_for(error);
}

static int
try_key(Run *run)
{
  g_autoptr(GError) error = NULL;
  if (ml_rekey_try(run->rows->pdata[0], run->how.pin, &error))
    return UI_EXIT_OK;
  if (g_error_matches(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED))
    return UI_EXIT_PERMISSION;
  ui_cli_error(run->cli, "the new key cannot be used, so nothing was done: %s", error->message);
  return ui_cli_exit_for(error);
}

static CryptoCertEntry *
own_cert(Run *run, const char *what, int *code)
{
  gboolean from_file;
  CryptoCertEntry *entry = ui_cmd_cert_find(run->cli, what, &from_file, code);
  if (!entry || entry->flags & CRYPTO_CERT_OWN)
    return entry;
  ui_cli_error(run->cli,
               "%s has no private key here: new copies must be read back before the old ones go. Import the key, or "
               "insert its card.",
               crypto_cert_common_name(entry->cert));
  *code = UI_EXIT_NO;
  crypto_cert_entry_free(entry);
  return NULL;
}

/* --- at the end */

static guint
count_waiting(const Run *run)
{
  guint n = 0;
  for (guint i = 0; i < run->folders->len; i++) {
    const Folder *folder = run->folders->pdata[i];
    n += folder->state ? ml_rekey_state_waiting(folder->state) : 0;
  }
  return n;
}

static void
print_json(const Run *run)
{
  JsonBuilder *json = ui_json_new();
  ui_json_string(json, "kind", "summary");
  ui_json_int(json, "rekeyed", run->rekeyed);
  ui_json_int(json, "already", run->already);
  ui_json_int(json, "left", run->left->len);
  ui_json_int(json, "other_key", run->elsewhere);
  ui_json_int(json, "raised", run->raised);
  ui_json_int(json, "inner", run->inner);
  ui_json_int(json, "waiting", count_waiting(run));
  ui_json_bool(json, "stopped", run->stopped);
  ui_json_print(json);
}

static void
print_summary(const Run *run)
{
  guint waiting = count_waiting(run);
  if (run->cli->json) {
    print_json(run);
    return;
  }
  printf("%u message%s written anew, %u could be read with that key already, %u left as they are.\n", run->rekeyed,
         run->rekeyed == 1 ? "" : "s", run->already, run->left->len);
  if (run->elsewhere)
    printf("%u need another key than the one given with --from.\n", run->elsewhere);
  if (run->raised)
    printf("%u had a cipher that is too weak today, and have AES now.\n", run->raised);
  if (run->inner)
    printf("%u hold another encrypted message within, which keeps its own key: do not throw the old one away.\n",
           run->inner);
  for (guint i = 0; i < run->left->len; i++) {
    const Left *left = run->left->pdata[i];
    g_autofree char *line = g_strdup_printf("%s: %s", left->where, left->reason);
    g_autofree char *safe = ui_text_line(line);
    printf("  %s\n", safe);
  }
  if (waiting && run->keep && !run->stopped)
    printf("%u old cop%s there still: signet rekey --finish takes them away.\n", waiting,
           waiting == 1 ? "y is" : "ies are");
  if (run->stopped)
    printf("It was not done to its end. Nothing is lost: signet rekey %s goes on.\n",
           run->options->finish ? "--finish" : "--resume");
}

static int
end_code(const Run *run, int code)
{
  return code != UI_EXIT_OK ? code : run->left->len ? UI_EXIT_NO : UI_EXIT_OK;
}

/* --- --to */

/* What an earlier run left of this folder is ended first, if it was to the same end. */
static int
take_state(Run *run, Folder *folder)
{
  g_autoptr(GError) error = NULL;
  folder->state = ml_rekey_state_find(run->dir, folder->account->name, folder->name, &error);
  if (error)
    return fail(run, NULL, error);
  if (!folder->state)
    return UI_EXIT_OK;
  gboolean same = strcmp(folder->state->to, run->to) == 0 && folder->state->keep == run->keep;
  if (!same && ml_rekey_state_waiting(folder->state)) {
    ui_cli_error(run->cli, "an earlier signet rekey of %s/%s is not ended: %s first", folder->account->name, folder->name,
                 folder->state->keep ? "signet rekey --finish" : "signet rekey --resume");
    return UI_EXIT_TEMPFAIL;
  }
  if (same)
    return settle(run, folder, !folder->state->keep);
  int code = end_state(run, folder);
  g_clear_pointer(&folder->state, ml_rekey_state_free);
  return code;
}

static gboolean
confirm(Run *run, CryptoCert *to, guint n)
{
  g_autofree char *question =
      g_strdup_printf("Write %u message%s anew for %s (%.16s)? %s [y/N]", n, n == 1 ? "" : "s",
                      crypto_cert_common_name(to), crypto_cert_sha256(to),
                      run->keep ? "The old ones stay until signet rekey --finish."
                                : "An old one goes once the new one was read back.");
  return run->options->yes || ui_cli_confirm(run->cli, question);
}

static gboolean
can_be_asked(const Run *run, int *code)
{
  const UiCli *cli = run->cli;
  if (run->options->yes || (!cli->batch && !cli->json && isatty(STDIN_FILENO)))
    return TRUE;
  ui_cli_error(run->cli, "nobody can be asked here: give --yes, or look at the report first (without --to)");
  *code = UI_EXIT_USAGE;
  return FALSE;
}

static int
run_to(Run *run, CryptoCert *to, MlAccount *account, MlDriver *driver, GPtrArray *names)
{
  int code = prepare(run, to, account);
  for (guint i = 0; i < names->len && code == UI_EXIT_OK; i++) {
    Folder *folder = add_folder(run, account, driver, names->pdata[i]);
    code = take_state(run, folder);
    if (code == UI_EXIT_OK)
      code = walk(run, folder);
  }
  if (code != UI_EXIT_OK)
    return code;
  guint n = count_todo(run);
  ui_cmd_rekey_report_print(run->report);
  if (n && !confirm(run, to, n)) {
    ui_cli_error(run->cli, "nothing was done");
    return UI_EXIT_NO;
  }
  code = n ? try_key(run) : UI_EXIT_OK;
  if (code != UI_EXIT_OK)
    return code;
  catch_interrupts();
  code = do_all(run);
  print_summary(run);
  return end_code(run, code);
}

int
ui_cmd_rekey_run(UiCli *cli, const UiRekeyOptions *options, MlAccount *account, MlDriver *driver, GPtrArray *names)
{
  Run run;
  int code = UI_EXIT_OK;
  run_init(&run, cli, options);
  g_autoptr(CryptoCertEntry) to = own_cert(&run, options->to, &code);
  gboolean from_file;
  g_autoptr(CryptoCertEntry) from =
      to && options->from ? ui_cmd_cert_find(cli, options->from, &from_file, &code) : NULL;
  if (to && (from || !options->from) && can_be_asked(&run, &code) && hold_lock(&run, &code)) {
    g_autoptr(UiRekeyReport) report = ui_cmd_rekey_report_new(cli);
    run.report = report;
    run.to = g_strdup(crypto_cert_sha256(to->cert));
    run.from = from ? g_strdup(crypto_cert_sha256(from->cert)) : NULL;
    run.cbc = options->cipher && strcmp(options->cipher, "aes-256-cbc") == 0;
    run.keep = options->keep_old;
    code = run_to(&run, to->cert, account, driver, names);
  }
  run_clear(&run);
  return code;
}

/* --- --resume, --finish */

static int
resume_folder(Run *run, Folder *folder)
{
  int code = UI_EXIT_OK;
  const MlRekeyState *state = folder->state;
  g_free(run->to);
  g_free(run->from);
  run->to = g_strdup(state->to);
  run->from = *state->from ? g_strdup(state->from) : NULL;
  run->cbc = state->cbc;
  run->keep = state->keep;
  code = settle(run, folder, run->options->finish || !state->keep);
  if (code != UI_EXIT_OK || run->options->finish)
    return code != UI_EXIT_OK ? code : end_state(run, folder);
  g_autoptr(CryptoCertEntry) to = own_cert(run, state->to, &code);
  if (to)
    code = prepare(run, to->cert, folder->account);
  if (code == UI_EXIT_OK)
    code = walk(run, folder);
  if (code == UI_EXIT_OK && interrupted) /* what was not looked at yet may have to be done: the notes stay */
    code = UI_EXIT_TEMPFAIL;
  if (code == UI_EXIT_OK && folder->todo->len)
    code = try_key(run);
  if (code != UI_EXIT_OK)
    return code;
  return folder->todo->len ? do_folder(run, folder) : end_state(run, folder);
}

static int
resume_state(Run *run, MlRekeyState *state)
{
  int code = UI_EXIT_OK;
  MlAccount *account = ml_config_account(run->cli->config, state->account);
  if (!account) {
    ui_cli_error(run->cli, "there is no account %s any more, whose folder %s an earlier signet rekey was at", state->account,
                 state->folder);
    ml_rekey_state_free(state);
    return UI_EXIT_CONFIG;
  }
  g_autoptr(MlDriver) driver = ui_cli_driver(run->cli, account, &code);
  Folder *folder = add_folder(run, account, driver, state->folder);
  folder->state = state;
  if (driver)
    code = resume_folder(run, folder);
  if (code == UI_EXIT_NOINPUT)
    ui_cli_error(run->cli, "if that folder is gone for good, remove %s", state->path);
  run->stopped = run->stopped || code != UI_EXIT_OK;
  return code;
}

int
ui_cmd_rekey_run_again(UiCli *cli, const UiRekeyOptions *options)
{
  Run run;
  int code = UI_EXIT_OK;
  g_autoptr(GError) error = NULL;
  if (!ui_cli_config(cli, &code))
    return code;
  run_init(&run, cli, options);
  g_autoptr(GPtrArray) states = NULL;
  if (hold_lock(&run, &code)) {
    states = ml_rekey_state_all(run.dir, &error);
    code = states ? UI_EXIT_OK : fail(&run, NULL, error);
  }
  if (states && !states->len && !cli->json)
    puts("There is nothing to go on with.");
  if (states && states->len)
    catch_interrupts();
  while (states && states->len && code == UI_EXIT_OK) {
    MlRekeyState *state = g_ptr_array_steal_index(states, 0);
    gboolean meant = !cli->account || strcmp(cli->account, state->account) == 0;
    if (meant && !interrupted) {
      code = resume_state(&run, state);
      continue;
    }
    ml_rekey_state_free(state);
    if (meant) { /* there is more, and it was not begun */
      run.stopped = TRUE;
      code = UI_EXIT_TEMPFAIL;
    }
  }
  if (run.folders->len || run.stopped)
    print_summary(&run);
  code = states ? end_code(&run, code) : code;
  run_clear(&run);
  return code;
}
