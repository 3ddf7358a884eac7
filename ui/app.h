#ifndef UI_APP_H
#define UI_APP_H

#include "mail/draft.h"
#include "ui/cli.h"

/* The interactive screen: one main loop from here to the end of the program. @folder is what to open first, as
 * "account/folder" or a folder of the account of -A (or of the first); NULL: its INBOX. @draft (may be
 * NULL; taken): a message to begin with, and to end with. Returns the exit code. */
int ui_app_run(UiCli *cli, const char *folder, MlDraft *draft);

#endif
