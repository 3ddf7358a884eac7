#include "ui/commands.h"

#include <string.h>
#include <unistd.h>

#include "ui/app.h"

const char ui_cmd_compose_help[] =
    "signet compose [OPTION...] [ADDRESS...|mailto:URL]    write a message on the screen\n"
    "\n"
    "  -s, --subject TEXT\n"
    "  -c, --cc ADDRESS         may be repeated; so may -b and -a\n"
    "  -b, --bcc ADDRESS\n"
    "  -a, --attach FILE\n"
    "      --template FILE      begin with this: header lines, an empty line, text\n"
    "\n"
    "A mailto: URL can name recipients, subject and text; what else it asks for (attach) is left out, and "
    "named.\n"
    "From a script use `signet send`.\n"
    "\n"
    "Exit codes: 0, 2 usage, 66 no such file, 78 configuration.\n";

typedef struct {
  char *subject, *template_file;
  GPtrArray *cc, *bcc, *attach;
} Given;

static void
given_clear(Given *given)
{
  g_free(given->subject);
  g_free(given->template_file);
  GPtrArray *lists[] = { given->cc, given->bcc, given->attach };
  for (gsize i = 0; i < G_N_ELEMENTS(lists); i++)
    if (lists[i])
      g_ptr_array_unref(lists[i]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Given, given_clear)

static void
add_addresses(char **field, const char *address)
{
  char *before = *field;

  *field = before && *before ? g_strdup_printf("%s, %s", before, address) : g_strdup(address);
  g_free(before);
}

static gboolean
use_template(UiCli *cli, MlDraft *draft, const char *file, int *code)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = ui_cli_read_file(file, &error);

  if (bytes) {
    gsize size;
    const char *data = g_bytes_get_data(bytes, &size);
    g_autofree char *text = g_utf8_make_valid(data ? data : "", (gssize)size);
    if (ml_draft_from_text(draft, text, &error))
      return TRUE;
  }
  ui_cli_error(cli, "%s", error->message);
  *code = ui_cli_exit_for(error);
  return FALSE;
}

static MlDraft *
from_url(UiCli *cli, const MlAccount *account, const char *url, int *code)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *ignored = NULL;
  MlDraft *draft = ml_draft_mailto(account, url, &ignored, &error);

  if (!draft) {
    ui_cli_error(cli, "%s", error->message);
    *code = UI_EXIT_USAGE;
  } else if (ignored)
    ui_cli_error(cli, "left out of the mailto: URL: %s", ignored);
  return draft;
}

static gboolean
fill(UiCli *cli, MlDraft *draft, const Given *given, char **addresses, int *code)
{
  if (given->template_file && !use_template(cli, draft, given->template_file, code))
    return FALSE;
  for (char **address = addresses; *address; address++)
    if (g_ascii_strncasecmp(*address, "mailto:", 7) != 0)
      add_addresses(&draft->to, *address);
  for (guint i = 0; given->cc && i < given->cc->len; i++)
    add_addresses(&draft->cc, given->cc->pdata[i]);
  for (guint i = 0; given->bcc && i < given->bcc->len; i++)
    add_addresses(&draft->bcc, given->bcc->pdata[i]);
  if (given->subject) {
    g_free(draft->subject);
    draft->subject = g_strdup(given->subject);
  }
  for (guint i = 0; given->attach && i < given->attach->len; i++) {
    g_autoptr(GError) error = NULL;
    MlAttachment *attachment = ml_attachment_open(given->attach->pdata[i], &error);
    if (!attachment) {
      ui_cli_error(cli, "%s", error->message);
      *code = UI_EXIT_NOINPUT;
      return FALSE;
    }
    g_ptr_array_add(draft->attachments, attachment);
  }
  return TRUE;
}

int
ui_cmd_compose(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "compose", NULL, ui_cmd_compose_help, NULL };
  g_auto(Given) given = { 0 };
  const UiOption options[] = {
    { "subject", 's', UI_OPTION_STRING, &given.subject },
    { "cc", 'c', UI_OPTION_LIST, &given.cc },
    { "bcc", 'b', UI_OPTION_LIST, &given.bcc },
    { "attach", 'a', UI_OPTION_LIST, &given.attach },
    { "template", 0, UI_OPTION_STRING, &given.template_file },
    { NULL, 0, 0, NULL },
  };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  const char *url = NULL;

  if (code >= 0)
    return code;
  code = UI_EXIT_OK;
  for (int i = 1; i < argc; i++) {
    if (g_ascii_strncasecmp(argv[i], "mailto:", 7) != 0)
      continue;
    if (url) {
      ui_cli_error(cli, "one mailto: URL at a time: see signet compose --help");
      return UI_EXIT_USAGE;
    }
    url = argv[i];
  }
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || cli->json || cli->batch) {
    ui_cli_error(cli, "signet compose needs a terminal: from a script use signet send");
    return UI_EXIT_USAGE;
  }
  const MlAccount *account = ui_cli_account(cli, &code);
  g_autoptr(MlDraft) draft = !account ? NULL
                             : url    ? from_url(cli, account, url, &code)
                                      : ml_draft_new(account);
  if (!draft || !fill(cli, draft, &given, argv + 1, &code))
    return code;
  return ui_app_run(cli, NULL, g_steal_pointer(&draft));
}
