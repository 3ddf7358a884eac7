#include "ui/commands.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/standing.h"
#include "mail/sync.h"
#include "ui/audit.h"
#include "ui/bar.h"
#include "ui/interrupt.h"
#include "ui/opened.h"
#include "ui/text.h"
#include "ui/verify-options.h"

const char ui_cmd_audit_help[] =
    "signet audit [OPTIONS] FOLDER ...    the verdict on every message: when it came, and now\n"
    "\n"
    "  --csv            as CSV (RFC 4180); --json: a line each\n"
    "  --by-sender      counts for each From address instead, the worst first\n"
    "  --resume         go on with an audit of the same folder and options that was interrupted\n"
    "  --decrypt        open encrypted messages too: keys are used, and a PIN or password is asked for once\n"
    "  --trust FILE, --certs FILE, --crl FILE, --key FILE.p12, --password-file FILE, --pin-file FILE, --at TIME,\n"
    "  --revocation off|soft|hard, --online    as of signet verify\n"
    "\n"
    "\"then\" is the verdict at the time of receipt as far as it can be told today: signature, dates and today's trust;\n"
    "revoked where it is known now that it was by then, or not since when. Which lists were at hand then, nobody knows.\n"
    "\n"
    "Of a server's folder the list is brought up to date first, as by signet sync, and what is not here is fetched.\n"
    "With --offline only what is kept here is judged, and the rest is counted. What was found lies under data/audit\n"
    "until the audit has come to its end.\n"
    "\n"
    "Exit codes: 0 nothing is bad or warned of, 1 something is (or could not be read), 2 usage, 66 no such folder,\n"
    "69 server not reached, or with --offline not all is here, 74 read or write error, 75 another audit of the folder is\n"
    "at work, 77 login refused, 78 configuration, 130 interrupted.\n";

typedef struct {
  UiCli *cli;
  UiVerifyOptions options;
  UiAuditPrint print;
  gboolean decrypt, resume;
  gboolean ask;  /* for a PIN: nobody has refused yet */
  char *choices; /* what of the options decides a verdict */
  UiBar bar;
  int code;      /* the worst yet */
} Audit;

/* A folder that is being gone through. */
typedef struct {
  Audit *audit;
  MlAccount *account;
  const char *name;
  MlDriver *driver; /* NULL: --offline, and it is a server's */
  MlStore *store;   /* NULL: it is on this machine */
  guint32 uidvalidity;
  GArray *list;     /* of Listed, ascending */
  UiAuditState *state;
  guint judged, missing;
} Folder;

typedef struct {
  guint32 uid;
  gint64 received;
} Listed;

static gboolean
is_cancelled(const Audit *audit)
{
  return g_cancellable_is_cancelled(audit->cli->cancellable);
}

static int
fail(Folder *folder, const GError *error)
{
  ui_bar_clear(&folder->audit->bar);
  if (is_cancelled(folder->audit))
    return ui_cli_exit_for(error);
  g_autofree char *where = g_strdup_printf("%s/%s", folder->account->name, folder->name);
  return ui_cli_mail_error(folder->audit->cli, folder->account, where, error);
}

/* --- what is there */

static void
on_opened(const MlSelected *selected, gboolean reset, gpointer data)
{
}

static void
on_changes(MlChanges *changes, gpointer data)
{
  ml_changes_free(changes);
}

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer data)
{
  Folder *folder = data;
  for (guint i = 0; !folder->store && i < headers->len; i++) {
    const MlHeader *header = headers->pdata[i];
    const Listed listed = { header->uid, header->received };
    g_array_append_val(folder->list, listed);
  }
  g_ptr_array_unref(headers);
  ui_bar_draw(&folder->audit->bar, "listed", done, total, folder->name);
  return !is_cancelled(folder->audit);
}

static int
compare_listed(gconstpointer a, gconstpointer b)
{
  guint32 x = ((const Listed *)a)->uid, y = ((const Listed *)b)->uid;
  return x < y ? -1 : x > y;
}

static gboolean
list_local(Folder *folder, GError **error)
{
  MlSelected selected;
  if (!ml_driver_select(folder->driver, folder->name, &selected, error) ||
      !ml_driver_headers(folder->driver, 0, 1000, on_headers, folder, error))
    return FALSE;
  folder->uidvalidity = selected.uidvalidity;
  g_array_sort(folder->list, compare_listed);
  return TRUE;
}

/* A server's: the list that is kept is brought up to date, or taken as it is. */
static gboolean
list_kept(Folder *folder, GError **error)
{
  static const MlSyncFuncs funcs = { .opened = on_opened, .changes = on_changes, .headers = on_headers };
  g_autoptr(GError) store_error = NULL;
  MlStoreFolder about = { 0 };
  MlSynced synced;
  if (folder->driver && !ml_sync_folder(folder->driver, folder->store, folder->name, 1000, &funcs, folder, &synced,
                                        &store_error, error))
    return FALSE;
  if (store_error) {
    g_propagate_error(error, g_steal_pointer(&store_error));
    return FALSE;
  }
  if (!ml_store_folder(folder->store, folder->name, &about, error))
    return FALSE;
  g_autoptr(GArray) uids = ml_store_uids(folder->store, folder->name, error);
  for (guint i = 0; uids && i < uids->len; i++) {
    const Listed listed = { g_array_index(uids, MlFlagChange, i).uid, 0 };
    g_array_append_val(folder->list, listed);
  }
  folder->uidvalidity = about.point.uidvalidity;
  if (uids && !about.point.uidvalidity)
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "It was never read here: run signet sync while %s can be reached.",
                folder->account->imap.host);
  return uids && about.point.uidvalidity;
}

/* --- one message */

/* NULL without an error: it is not here, or gone. */
static GBytes *
fetch(Folder *folder, Listed *listed, gboolean *gone, GError **error)
{
  g_autoptr(GError) why = NULL;
  GBytes *bytes = folder->store ? ml_store_get(folder->store, folder->name, folder->uidvalidity, listed->uid,
                                               &listed->received, error)
                                : NULL;
  if (bytes || *error || !folder->driver)
    return bytes;
  bytes = ml_driver_fetch(folder->driver, listed->uid, &listed->received, NULL, NULL, &why);
  *gone = ml_error_is_absent(why);
  if (why && !*gone)
    g_propagate_error(error, g_steal_pointer(&why));
  return bytes;
}

/* A PIN that was not given, or refused, is not asked for again with the next message. */
static void
note_locked(Audit *audit, const MlMessage *message)
{
  if (!audit->decrypt || !audit->ask || !ml_message_verdict(message)->locked)
    return;
  audit->ask = FALSE;
  ui_bar_clear(&audit->bar);
  ui_cli_error(audit->cli, "a key stays locked: what is encrypted to it is judged from outside");
}

static UiAuditRecord *
judge(Folder *folder, const Listed *listed, GBytes *bytes)
{
  Audit *audit = folder->audit;
  g_autoptr(GError) error = NULL;
  g_autoptr(UiAuditRecord) record = ui_audit_record_new(folder->account->name, folder->name, listed->uid);
  MlReadOptions read = audit->options.read;
  read.at = audit->options.at ? read.at : g_get_real_time() / G_USEC_PER_SEC;
  read.received = ui_verify_options_received(&audit->options, bytes, listed->received);
  read.sealed = !audit->decrypt;
  read.pin = audit->decrypt && audit->ask ? read.pin : NULL;
  gsize length;
  const char *data = g_bytes_get_data(bytes, &length);
  MlHeader *header = ml_header_parse(data, length);
  record->date = header->date;
  record->received = read.received;
  ml_header_free(header);
  g_autoptr(MlMessage) message = ml_message_read(bytes, &read, audit->cli->cancellable, &error);
  if (is_cancelled(audit)) /* what was cut short is no verdict */
    return NULL;
  if (message) {
    note_locked(audit, message);
    if (folder->account->index_encrypted)
      ui_opened_take(audit->cli, folder->account,
                     ml_opened_text(message, folder->name, folder->uidvalidity, listed->uid));
    ui_audit_record_fill(record, message, &read);
    return g_steal_pointer(&record);
  }
  record->from = g_strdup("");
  record->address = g_strdup("");
  record->subject = g_strdup("");
  record->error = ui_text_json(error->message);
  record->until = G_MAXINT64;
  return g_steal_pointer(&record);
}

static void
show(Folder *folder, const UiAuditRecord *record)
{
  Audit *audit = folder->audit;
  UiAuditKind kind = ui_audit_kind(record);
  if (isatty(STDOUT_FILENO))
    ui_bar_clear(&audit->bar);
  ui_audit_print_record(&audit->print, record);
  if (kind == UI_AUDIT_WARN || kind == UI_AUDIT_BAD || kind == UI_AUDIT_UNREADABLE)
    audit->code = UI_EXIT_NO;
  folder->judged++;
}

/* FALSE: the audit ends here. */
static gboolean
take_one(Folder *folder, Listed *listed, GError **error)
{
  gboolean gone = FALSE;
  g_autoptr(GBytes) bytes = fetch(folder, listed, &gone, error);
  if (*error)
    return FALSE;
  if (!bytes) {
    folder->missing += !gone;
    return TRUE;
  }
  g_autoptr(UiAuditRecord) record = judge(folder, listed, bytes);
  if (!record)
    return FALSE;
  show(folder, record);
  /* What a key has opened, or may open the next time, is judged again: nothing decrypted lies on a disk. */
  gboolean kept = !folder->audit->decrypt || g_strcmp0(record->encryption, ml_encryption_word(ML_ENCRYPTION_NONE)) == 0;
  return !kept || ui_audit_state_add(folder->state, record, error);
}

/* Those that were judged before the interruption stand in the same place as in one that was not interrupted. */
static gboolean
go_through(Folder *folder, GError **error)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(UiAuditRecord) known = ui_audit_state_next(folder->state);
  for (guint i = 0; i < folder->list->len && !is_cancelled(folder->audit); i++) {
    Listed *listed = &g_array_index(folder->list, Listed, i);
    while (known && known->uid < listed->uid) {
      ui_audit_record_free(known);
      known = ui_audit_state_next(folder->state);
    }
    /* A file on this machine may be changed and keep its number: what was good in it is judged again. */
    gboolean holds = known && (folder->store || ui_audit_kind(known) != UI_AUDIT_GOOD);
    if (holds && known->uid == listed->uid && known->until >= now)
      show(folder, known);
    else if (!take_one(folder, listed, error))
      return FALSE;
    ui_bar_draw(&folder->audit->bar, "judged", i + 1, folder->list->len, folder->name);
  }
  return !is_cancelled(folder->audit);
}

/* --- a folder */

static gboolean
open_state(Folder *folder, GError **error)
{
  Audit *audit = folder->audit;
  gboolean resume = audit->resume, stale = FALSE;
  g_autofree char *standing = crypto_standing(!audit->options.online);
  g_autofree char *about = g_strjoin("\n", folder->account->name, folder->name, audit->choices, NULL);
  folder->state = ui_audit_state_open(audit->cli, about, folder->uidvalidity, standing, &resume, &stale, error);
  if (folder->state && stale)
    ui_cli_error(audit->cli, "%s/%s: trust, revocation or the folder has changed since it was interrupted: it is begun anew",
                 folder->account->name, folder->name);
  return folder->state != NULL;
}

static void
sum_up(Folder *folder)
{
  UiCli *cli = folder->audit->cli;
  if (folder->missing)
    ui_cli_error(cli, "%s/%s: %u message%s on the server and not here: without --offline %s fetched", folder->account->name,
                 folder->name, folder->missing, folder->missing == 1 ? " is" : "s are",
                 folder->missing == 1 ? "it is" : "they are");
  if (folder->missing && folder->audit->code == UI_EXIT_OK)
    folder->audit->code = UI_EXIT_UNAVAILABLE;
}

static int
audit_opened(Folder *folder)
{
  Audit *audit = folder->audit;
  g_autoptr(GError) error = NULL;
  if (!(folder->store ? list_kept(folder, &error) : list_local(folder, &error)) || !open_state(folder, &error))
    return error ? fail(folder, error) : UI_EXIT_NO;
  ui_bar_clear(&audit->bar);
  ui_audit_print_folder(&audit->print, folder->account->name, folder->name);
  gboolean all = go_through(folder, &error);
  ui_bar_clear(&audit->bar);
  if (all) {
    ui_audit_state_done(folder->state);
    sum_up(folder);
    return UI_EXIT_OK;
  }
  int code = error ? fail(folder, error) : UI_EXIT_NO;
  ui_cli_error(audit->cli, "%s/%s: interrupted after %u of %u messages: the same command with --resume goes on",
               folder->account->name, folder->name, folder->judged, folder->list->len);
  return code;
}

static int
audit_folder(Audit *audit, MlAccount *account, const char *name)
{
  int code = UI_EXIT_OK;
  gboolean server = account->kind == ML_ACCOUNT_IMAP, kept = server && audit->cli->offline;
  g_autoptr(GError) error = NULL;
  Folder folder = { .audit = audit, .account = account, .name = name };
  g_autofree char *directory = g_build_filename(audit->cli->data_dir, "store", NULL);
  g_autoptr(MlDriver) driver = kept ? NULL : ui_cli_driver(audit->cli, account, &code);
  if (!driver && !kept)
    return code;
  g_autoptr(MlStore) store = !server ? NULL
                             : kept  ? ml_store_open_to_read(directory, account, &error)
                                     : ml_store_open(directory, account, &error);
  if (server && !store) {
    ui_cli_error(audit->cli, "%s/%s: %s", account->name, name,
                 error ? error->message : "it was never read here: run signet sync first");
    return error ? ui_cli_exit_for(error) : UI_EXIT_NOINPUT;
  }
  folder.driver = driver;
  folder.store = store;
  folder.list = g_array_new(FALSE, FALSE, sizeof(Listed));
  ui_interrupt_driver(driver);
  code = audit_opened(&folder);
  ui_interrupt_driver(NULL);
  g_array_unref(folder.list);
  ui_audit_state_free(folder.state);
  return code;
}

/* --- options */

static void
add_files(GChecksum *sum, GPtrArray *files)
{
  for (guint i = 0; files && i < files->len; i++) {
    GStatBuf about = { 0 };
    (void)!g_stat(files->pdata[i], &about);
    g_autofree char *facts = g_strdup_printf("%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", (char *)files->pdata[i],
                                             (gint64)about.st_size, (gint64)about.st_mtime);
    g_checksum_update(sum, (const guchar *)facts, -1);
  }
  g_checksum_update(sum, (const guchar *)"\n", 1);
}

static char *
choices_of(const Audit *audit)
{
  const UiVerifyOptions *o = &audit->options;
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  GPtrArray *const files[] = { o->trust, o->certs, o->keys, o->crls };
  for (guint i = 0; i < G_N_ELEMENTS(files); i++)
    add_files(sum, files[i]);
  return g_strdup_printf("%s at %s revocation %d%s%s%s", g_checksum_get_string(sum), o->at ? o->at : "now",
                         (int)o->read.revocation, o->online ? " online" : "", audit->decrypt ? " decrypt" : "",
                         audit->cli->offline ? " offline" : "");
}

static int
run(Audit *audit, char **folders)
{
  int code = UI_EXIT_OK;
  MlAccount *account = ui_cli_account(audit->cli, &code);
  if (!account || !ui_verify_options_apply(&audit->options, audit->cli, &code))
    return code;
  audit->choices = choices_of(audit);
  audit->ask = TRUE;
  audit->bar = ui_bar_new(FALSE);
  ui_interrupt_begin(audit->cli);
  ui_audit_print_begin(&audit->print);
  for (; *folders && !is_cancelled(audit); folders++) {
    int one = audit_folder(audit, account, *folders);
    code = code ? code : one;
  }
  int number = ui_interrupt_end();
  if (!number)
    ui_audit_print_end(&audit->print);
  g_free(audit->choices);
  return number ? 128 + number : code ? code : audit->code;
}

static void
say_counts(const Audit *audit)
{
  const guint *counts = audit->print.counts;
  guint all = 0;
  for (guint i = 0; i < UI_AUDIT_KINDS; i++)
    all += counts[i];
  ui_cli_error(audit->cli, "%u message%s: %u good, %u to be looked at, %u bad, %u not signed, %u encrypted, %u unreadable; "
               "%u worse now than when they came, %u better", all, all == 1 ? "" : "s", counts[UI_AUDIT_GOOD],
               counts[UI_AUDIT_WARN], counts[UI_AUDIT_BAD], counts[UI_AUDIT_UNSIGNED], counts[UI_AUDIT_ENCRYPTED],
               counts[UI_AUDIT_UNREADABLE], audit->print.worse, audit->print.better);
}

static int
check_options(const Audit *audit, gboolean csv, int argc)
{
  if (argc < 2) {
    ui_cli_error(audit->cli, "audit which folder? signet folders lists them");
    return UI_EXIT_USAGE;
  }
  if (csv && audit->cli->json) {
    ui_cli_error(audit->cli, "--csv and --json: which of the two?");
    return UI_EXIT_USAGE;
  }
  if (audit->options.keys && !audit->decrypt) {
    ui_cli_error(audit->cli, "--key opens nothing without --decrypt");
    return UI_EXIT_USAGE;
  }
  return -1;
}

int
ui_cmd_audit(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "audit", NULL, ui_cmd_audit_help, NULL };
  Audit audit = { .cli = cli };
  gboolean csv = FALSE;
  UiOption table[UI_VERIFY_OPTIONS + 5] = { { "csv", 0, UI_OPTION_FLAG, &csv },
                                            { "by-sender", 0, UI_OPTION_FLAG, &audit.print.by_sender },
                                            { "resume", 0, UI_OPTION_FLAG, &audit.resume },
                                            { "decrypt", 0, UI_OPTION_FLAG, &audit.decrypt },
                                            { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file } };
  ui_verify_options_table(&audit.options, table + 5);
  int code = ui_cli_options(cli, &self, table, &argc, argv);
  if (code < 0)
    code = check_options(&audit, csv, argc);
  if (code < 0) {
    audit.print.form = csv ? UI_AUDIT_CSV : cli->json ? UI_AUDIT_JSON : UI_AUDIT_TABLE;
    code = run(&audit, argv + 1);
    if (code <= UI_EXIT_NO && (cli->verbose || isatty(STDERR_FILENO)))
      say_counts(&audit);
  }
  ui_verify_options_clear(&audit.options);
  return code;
}
