#ifndef UI_INTERRUPT_H
#define UI_INTERRUPT_H

#include "ui/cli.h"

/* Ctrl-C and SIGTERM for a subcommand that is long at work and wants to end in good order. From _begin() to _end() the
 * first signal cancels the run, and the call that the driver is at; the second ends the program. Main thread. */
void ui_interrupt_begin(UiCli *cli);
void ui_interrupt_driver(MlDriver *driver); /* that is at work from now on; NULL: none, before it is freed */
int ui_interrupt_end(void);                 /* the signal that came; 0: none */

#endif
