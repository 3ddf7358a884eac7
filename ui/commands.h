#ifndef UI_COMMANDS_H
#define UI_COMMANDS_H

#include "ui/cli.h"

/* The subcommands, one file each (ui/cmd-NAME.c), gathered in ui/main.c's table. Main thread. Each returns the
 * exit code; @argv[0] is the subcommand's name. */
#define UI_COMMAND(name)                                                                                               \
  extern const char ui_cmd_##name##_help[];                                                                            \
  int ui_cmd_##name(UiCli *cli, int argc, char **argv)

UI_COMMAND(account);
UI_COMMAND(audit);
UI_COMMAND(cert);
UI_COMMAND(compose);
UI_COMMAND(decrypt);
UI_COMMAND(demo);
UI_COMMAND(doctor);
UI_COMMAND(encrypt);
UI_COMMAND(folders);
UI_COMMAND(journal);
UI_COMMAND(list);
UI_COMMAND(outbox);
UI_COMMAND(pending);
UI_COMMAND(policy);
UI_COMMAND(rekey);
UI_COMMAND(search);
UI_COMMAND(send);
UI_COMMAND(sendmail);
UI_COMMAND(show);
UI_COMMAND(sign);
UI_COMMAND(sync);
UI_COMMAND(token);
UI_COMMAND(verify);

#endif
