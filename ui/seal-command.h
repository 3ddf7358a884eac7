#ifndef UI_SEAL_COMMAND_H
#define UI_SEAL_COMMAND_H

#include "ui/cli.h"

/* What `signet sign` and `signet encrypt` share: a message in, the same message sealed out. Main thread. */
typedef struct {
  char *output, *cert, *digest, *hide, *cipher; /* NULL: not given */
  gboolean opaque, sign, encrypt, no_self;
  GPtrArray *to, *files; /* of char *; NULL: not given */
} UiSealOptions;
void ui_seal_options_clear(UiSealOptions *given);

/* @argv: as ui_cli_options() left it. Returns the exit code. */
int ui_seal_command(UiCli *cli, const char *name, const UiSealOptions *given, int argc, char **argv);

#endif
