#include "ui/commands.h"

#include <string.h>

#include "mail/draft.h"
#include "ui/submit.h"

const char ui_cmd_send_help[] =
    "signet send [-s SUBJECT] [-c CC] [-b BCC] [-a FILE] [-r FROM] [OPTIONS] [--] TO... < TEXT\n"
    "\n"
    "A message from a script, with mailx's letters: its text on standard input, sent at once.\n"
    "\n"
    "  -s, --subject TEXT     the subject\n"
    "  -c, --cc ADDRESS       a copy (may be repeated)\n"
    "  -b, --bcc ADDRESS      a blind copy (may be repeated)\n"
    "  -a, --attach FILE      attach a file (may be repeated)\n"
    "  -r, --from ADDRESS     From; chooses the account too. Else the account's (-A, or the first)\n"
    "  --sign, --encrypt      sign, encrypt it; the account's sign = and encrypt = in signet.conf hold anyway\n"
    "  --opaque               sign as application/pkcs7-mime\n"
    "  --cert FINGERPRINT     sign with this certificate of yours\n"
    "  --pin-file FILE        the PIN of a token or the password of the certificate database (else $SIGNET_PIN)\n"
    "  --queue                only into the outbox: signet outbox flush sends it\n"
    "  --notify WHEN          ask for delivery reports: success,failure,delay or never, where the server can\n"
    "\n"
    "Exit codes: 0 sent or safely queued, 2 usage, 65 an address or the text cannot be sent, 69 a recipient was refused\n"
    "for good (the message stays in the outbox), 75 not queued (no certificate, no PIN, full disk), 77 policy forbids it,\n"
    "78 configuration\n";

/* Words after each other, as in a header. */
static char *
join(char **words, GPtrArray *list)
{
  GString *out = g_string_new(NULL);
  for (; words && *words; words++)
    g_string_append_printf(out, "%s%s", out->len ? ", " : "", *words);
  for (guint i = 0; list && i < list->len; i++)
    g_string_append_printf(out, "%s%s", out->len ? ", " : "", (char *)list->pdata[i]);
  return g_string_free(out, FALSE);
}

/* UTF-8, or what programs wrote before it. */
static char *
read_text(UiCli *cli, int *code)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) input = ui_cli_read_file("-", &error);
  if (!input) {
    ui_cli_error(cli, "%s", error->message);
    *code = UI_EXIT_TEMPFAIL;
    return NULL;
  }
  gsize length;
  const char *data = g_bytes_get_data(input, &length);
  if (length && memchr(data, '\0', length)) {
    ui_cli_error(cli, "the text holds NUL octets: attach it as a file (-a)");
    *code = UI_EXIT_DATA;
    return NULL;
  }
  g_autofree char *raw =
      g_utf8_validate(data, (gssize)length, NULL)
          ? g_strndup(data, length)
          : g_convert_with_fallback(data, (gssize)length, "UTF-8", "WINDOWS-1252", "?", NULL, NULL, NULL);
  if (!raw)
    raw = g_utf8_make_valid(data, (gssize)length);
  g_auto(GStrv) lines = g_strsplit(raw, "\r\n", -1);
  return g_strjoinv("\n", lines);
}

typedef struct {
  char *subject, *from;
  GPtrArray *cc, *bcc, *attach;
  gboolean opaque;
} Letters;

static void
letters_clear(Letters *letters)
{
  g_free(letters->subject);
  g_free(letters->from);
  g_clear_pointer(&letters->cc, g_ptr_array_unref);
  g_clear_pointer(&letters->bcc, g_ptr_array_unref);
  g_clear_pointer(&letters->attach, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Letters, letters_clear)

static gboolean
attach(UiCli *cli, MlDraft *draft, GPtrArray *files, int *code)
{
  for (guint i = 0; files && i < files->len; i++) {
    g_autoptr(GError) error = NULL;
    MlAttachment *attachment = ml_attachment_open(files->pdata[i], &error);
    if (!attachment) {
      ui_cli_error(cli, "%s", error->message);
      *code = UI_EXIT_NOINPUT;
      return FALSE;
    }
    g_ptr_array_add(draft->attachments, attachment);
  }
  return TRUE;
}

static void
set(char **field, char *value)
{
  g_free(*field);
  *field = value;
}

/* The bare address of what was typed after -r, to find its account. */
static const char *
bare(const char *from)
{
  const char *open = from ? strrchr(from, '<') : NULL;
  return open ? open + 1 : from;
}

static int
run(UiCli *cli, char **to, const Letters *letters, const UiSubmitOptions *options)
{
  int code = UI_EXIT_OK;
  g_autofree char *address = g_strdup(bare(letters->from));
  if (address)
    address[strcspn(address, "> ")] = '\0';
  const MlAccount *account = ui_submit_account(cli, address, &code);
  g_autoptr(MlOutbox) outbox = account ? ui_submit_outbox(cli, &code) : NULL;
  g_autofree char *text = outbox ? read_text(cli, &code) : NULL;
  if (!text)
    return code;
  if (!letters->from && !account->address) {
    ui_cli_error(cli, "[account %s] has no address = in %s, and there is no -r", account->name, cli->config_path);
    return UI_EXIT_CONFIG;
  }
  g_autoptr(MlDraft) draft = ml_draft_new(account);
  set(&draft->to, join(to, NULL));
  set(&draft->cc, join(NULL, letters->cc));
  set(&draft->bcc, join(NULL, letters->bcc));
  set(&draft->subject, g_strdup(letters->subject ? letters->subject : ""));
  set(&draft->text, g_steal_pointer(&text));
  if (letters->from)
    set(&draft->from, g_strdup(letters->from));
  draft->flowed = FALSE; /* lines of a script mean what they are */
  draft->opaque = letters->opaque;
  draft->sign_cert = g_strdup(options->cert);
  if (!attach(cli, draft, letters->attach, &code))
    return code;
  g_autoptr(MlSealed) sealed = ui_submit_draft(cli, account, draft, options, &code);
  return sealed ? ui_submit(cli, outbox, account, sealed, options) : code;
}

int
ui_cmd_send(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "send", NULL, ui_cmd_send_help, NULL };
  UiSubmitOptions options = { FALSE };
  g_auto(Letters) letters = { NULL };
  UiOption table[UI_SUBMIT_OPTIONS + 7] = {
    { "subject", 's', UI_OPTION_STRING, &letters.subject }, { "cc", 'c', UI_OPTION_LIST, &letters.cc },
    { "bcc", 'b', UI_OPTION_LIST, &letters.bcc },           { "attach", 'a', UI_OPTION_LIST, &letters.attach },
    { "from", 'r', UI_OPTION_STRING, &letters.from },       { "opaque", 0, UI_OPTION_FLAG, &letters.opaque }
  };
  ui_submit_table(&options, cli, table + 6);
  int code = ui_cli_options(cli, &self, table, &argc, argv);
  if (code < 0 && argc < 2 && !letters.cc && !letters.bcc) {
    ui_cli_error(cli, "say to whom: signet send -s SUBJECT ADDRESS < TEXT; see signet send --help");
    code = UI_EXIT_USAGE;
  }
  if (code < 0)
    code = run(cli, argv + 1, &letters, &options);
  ui_submit_clear(&options);
  return code;
}
