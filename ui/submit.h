#ifndef UI_SUBMIT_H
#define UI_SUBMIT_H

#include "mail/outbox.h"
#include "mail/submission.h"
#include "ui/cli.h"

/* What `send`, `sendmail` and `outbox add` share: the account's policy with the options of this run, sealing, and the
 * way through the outbox. Main thread. */
typedef struct {
  gboolean sign, encrypt, queue;
  char *cert, *notify;
  MlOutbox *outbox; /* to use; NULL: opened for each */
  GPtrArray *ids;   /* of char *: where the ids of held entries go; NULL: told at once */
} UiSubmitOptions;
enum { UI_SUBMIT_OPTIONS = 6 };
void ui_submit_table(UiSubmitOptions *options, UiCli *cli, UiOption *table); /* UI_SUBMIT_OPTIONS long */
void ui_submit_clear(UiSubmitOptions *options);

MlOutbox *ui_submit_outbox(UiCli *cli, int *code); /* printed; NULL */

/* Each prints its error and returns NULL with the code. */
MlSealed *ui_submit_draft(UiCli *cli, const MlAccount *account, MlDraft *draft, const UiSubmitOptions *options,
                          int *code);
/* A whole message on its way, as ml_submission_read() made it ready. */
MlSealed *ui_submit_message(UiCli *cli, const MlAccount *account, const MlSubmission *message,
                            const UiSubmitOptions *options, int *code);

/* Into the outbox, and out of it at once unless it is only to be queued. The exit code. */
int ui_submit(UiCli *cli, MlOutbox *outbox, const MlAccount *account, const MlSealed *sealed,
              const UiSubmitOptions *options);

/* A whole message with its header, however it came. */
int ui_submit_input(UiCli *cli, GBytes *input, const MlSubmissionOptions *how, const UiSubmitOptions *options);
/* A file as a whole message, to those in its header. The exit code; what is wrong was printed. */
int ui_submit_file(UiCli *cli, const char *file, const UiSubmitOptions *options);

/* -A, else the account that has @address (NULL: none is known), else the first. NULL: printed. */
const MlAccount *ui_submit_account(UiCli *cli, const char *address, int *code);

/* Says what became of an entry: a line on stderr, or with --json an object on stdout. */
void ui_submit_tell(UiCli *cli, const MlOutboxEntry *entry);
void ui_submit_tell_queued(UiCli *cli, const char *id);
gboolean ui_submit_needs_network(const MlAccount *account);

#endif
