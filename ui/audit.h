#ifndef UI_AUDIT_H
#define UI_AUDIT_H

#include "mail/message.h"
#include "ui/cli.h"
#include "ui/json.h"

/* `signet audit`: what is kept of each message, the file that an interrupted one goes on from, and how it is printed.
 * Main thread. */

/* One message. Every text has passed ui_text_json(), so that what is read again from the file is what was printed. */
typedef struct {
  char *account, *folder;
  guint32 uid;
  gint64 received, date; /* 0: not known */
  char *from, *address, *subject; /* @address: of the one author, folded; "": none or several */
  char *signature, *encryption, *indicator; /* the verdict's words; @encryption also "sealed": it was not opened */
  char *signer_address;  /* NULL */
  MlTristate matches;
  gboolean expired_since;
  char **trust_errors, **warnings;
  char *reason;
  char *then_signature, *then_indicator, *then_reason; /* NULL, all: when it came is not known */
  char **then_errors;
  char *error;           /* a sentence: it could not be read, and there is no verdict; NULL */
  gint64 until;          /* the verdict may be repeated so long; 0: it may not */
} UiAuditRecord;
void ui_audit_record_free(UiAuditRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UiAuditRecord, ui_audit_record_free)

UiAuditRecord *ui_audit_record_new(const char *account, const char *folder, guint32 uid);
/* @message: as read with @options. */
void ui_audit_record_fill(UiAuditRecord *record, MlMessage *message, const MlReadOptions *options);
void ui_audit_record_json(const UiAuditRecord *record, JsonBuilder *json, gboolean state); /* into an object */
UiAuditRecord *ui_audit_record_parse(const char *line); /* a line of the file; NULL: it is none */

typedef enum { UI_AUDIT_GOOD, UI_AUDIT_WARN, UI_AUDIT_BAD, UI_AUDIT_UNSIGNED, UI_AUDIT_ENCRYPTED, UI_AUDIT_UNREADABLE,
               UI_AUDIT_KINDS } UiAuditKind;
UiAuditKind ui_audit_kind(const UiAuditRecord *record);

/* data/audit/...: what an audit of one folder has found so far, a line each, ascending. Held by a lock as long as it is
 * open; whoever is killed leaves whole lines and at most one torn, which is cut off. */
typedef struct UiAuditState UiAuditState;
/* @about: all that must be the same for it to count (account, folder, options). @standing: what verdicts rest on.
 * *resume FALSE: begun anew; it becomes FALSE where there is nothing that still counts, and *stale says that there was
 * something. Errors: CRYPTO_ERROR_BUSY: another audit of this folder is at work; STORE. */
UiAuditState *ui_audit_state_open(const UiCli *cli, const char *about, guint32 uidvalidity, const char *standing,
                                  gboolean *resume, gboolean *stale, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ui_audit_state_free(UiAuditState *state); /* what was found stays */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UiAuditState, ui_audit_state_free)
/* The next one that was found before; NULL: there is none left. Read all before the first _add(). */
UiAuditRecord *ui_audit_state_next(UiAuditState *state);
gboolean ui_audit_state_add(UiAuditState *state, const UiAuditRecord *record, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ui_audit_state_done(UiAuditState *state); /* the audit came to its end: the file goes */

/* How it is printed. */
typedef enum { UI_AUDIT_TABLE, UI_AUDIT_CSV, UI_AUDIT_JSON } UiAuditForm;
typedef struct {
  UiAuditForm form;
  gboolean by_sender;
  guint counts[UI_AUDIT_KINDS];
  guint worse, better;  /* than when it came */
  GHashTable *senders;  /* address -> UiAuditSender; by_sender alone */
} UiAuditPrint;
void ui_audit_print_begin(UiAuditPrint *print);
void ui_audit_print_folder(UiAuditPrint *print, const char *account, const char *folder);
void ui_audit_print_record(UiAuditPrint *print, const UiAuditRecord *record);
void ui_audit_print_end(UiAuditPrint *print);
char *ui_audit_csv_cell(const char *text); /* as it stands in a CSV file (RFC 4180), no formula. Transfer full */

#endif
