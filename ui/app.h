#ifndef UI_APP_H
#define UI_APP_H

#include "ui/cli.h"

/* The interactive screen: one main loop from here to the end of the program. @folder is what to open first, as
 * "account/folder" or a folder of the account of -A (or of the first); NULL: its INBOX. Returns the exit code. */
int ui_app_run(UiCli *cli, const char *folder);

#endif
