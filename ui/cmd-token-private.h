#ifndef UI_CMD_TOKEN_PRIVATE_H
#define UI_CMD_TOKEN_PRIVATE_H

/* For ui/cmd-token*.c alone. */
#include "crypto/token.h"
#include "ui/cli.h"

typedef struct {
  char *new_pin_file, *puk_file;
  gboolean write, tls; /* of setup */
} UiTokenOptions;

int ui_cmd_token_fail(UiCli *cli, const GError *error);
int ui_cmd_token_change_pin(UiCli *cli, const UiTokenOptions *options, const char *token);
int ui_cmd_token_setup(UiCli *cli, const UiTokenOptions *options, const char *token);
int ui_cmd_token_unblock(UiCli *cli, const UiTokenOptions *options, const char *token);

#endif
