#ifndef UI_CMD_REKEY_PRIVATE_H
#define UI_CMD_REKEY_PRIVATE_H

#include "mail/rekey.h"
#include "ui/bar.h"
#include "ui/cli.h"

/* What the files of `signet rekey` share. */
typedef struct {
  gboolean all, yes, keep_old, resume, finish;
  char *to, *from, *cipher; /* NULL: not given */
} UiRekeyOptions;

/* The report: which key reads how much, by envelopes alone. (ui/cmd-rekey-report.c) */
typedef struct UiRekeyReport UiRekeyReport;
UiRekeyReport *ui_cmd_rekey_report_new(UiCli *cli);
void ui_cmd_rekey_report_free(UiRekeyReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UiRekeyReport, ui_cmd_rekey_report_free)
void ui_cmd_rekey_report_folder(UiRekeyReport *report, const char *account, const char *folder); /* what is added next */
void ui_cmd_rekey_report_add(UiRekeyReport *report, const MlRekeyItem *item, const MlRekeyLook *look);
void ui_cmd_rekey_report_print(const UiRekeyReport *report);
gboolean ui_cmd_rekey_report_all_read(const UiRekeyReport *report); /* is there a key here for each? */

/* --to, --resume, --finish: the exit code. @names: folders (array of char *). (ui/cmd-rekey-run.c) */
int ui_cmd_rekey_run(UiCli *cli, const UiRekeyOptions *options, MlAccount *account, MlDriver *driver, GPtrArray *names);
int ui_cmd_rekey_run_again(UiCli *cli, const UiRekeyOptions *options);

#endif
