#ifndef UI_OPENED_H
#define UI_OPENED_H

#include "mail/opened.h"
#include "ui/cli.h"

/* Subcommands that decrypt a message anyway put what it says into the search, where its account wants that
 * (mail/opened.h). Main thread. */

/* @message is the one that ui_cli_message() read last; one from a file goes nowhere. */
void ui_opened_note(UiCli *cli, const MlMessage *message);
void ui_opened_take(UiCli *cli, const MlAccount *account, MlOpenedText *text); /* takes it; NULL is fine */
void ui_opened_end(UiCli *cli); /* seals what was noted; before crypto/ closes */
/* The account does not want it (any more): what is there is deleted, and that is said. */
void ui_opened_settle(UiCli *cli, const MlAccount *account);

#endif
