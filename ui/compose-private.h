#ifndef UI_COMPOSE_PRIVATE_H
#define UI_COMPOSE_PRIVATE_H

/* What the files of the composer share. UI thread only, but where a line says otherwise. */
#include "mail/drafts.h"
#include "mail/outbox.h"
#include "ui/app-private.h"

/* What recipients and the sender are found to have, by a job on the verify thread; one whole, never changed. */
typedef struct {
  GPtrArray *
      recipients; /* of MlRecipient: those of the draft, then the sender's own rows; empty: nobody is named */
  guint n;        /* how many of them are the draft's */
  CryptoCert *signer; /* NULL: signer_problem says why not */
  char *signer_problem;
  char *signer_place; /* "database", or a token's name: untrusted text */
  char *problem;      /* an address field that cannot be read; NULL */
} UiFound;
void ui_found_free(UiFound *found);

/* A message that is being written. It lives in app->composers from its beginning until it was sent, postponed or
 * thrown away, whether its view is open or not; jobs and questions that concern it hold a reference. */
struct UiComposer {
  UiApp *app;
  UiAccount *account;
  MlDraft *draft;
  UiFound *found;        /* NULL: not known yet */
  GCancellable *finding; /* the job that finds; NULL: none */
  gboolean find_again;
  MlPolicyDecision *policy;    /* as it stands; NULL: there is none */
  gboolean sign_by_policy, encrypt_by_policy; /* that switch was set by it, not by the person */
  gboolean encrypt_set;        /* the person has set the switch: it follows the recipients no more */
  gboolean fresh;              /* the text was never edited */
  gboolean changed;            /* since it was saved last */
  gboolean editing;            /* an editor has it */
  guint64 keys;                /* app->keys when that began */
  gboolean busy;               /* it is being signed, encrypted and queued */
  gboolean closed;             /* out of app->composers */
  char *draft_id;              /* as it is autosaved; NULL: not yet */
  UiAccount *recalled_account; /* where it was postponed on the server; NULL: nowhere */
  char *recalled_folder;
  guint32 recalled_uid, recalled_validity; /* which folder of that name it lay in */
  guint save_source;
  gboolean saving, save_again, forgotten;
  char *save_problem; /* of the last save; NULL */
  gboolean save_tell; /* it was changed since that was said */
  char *note;         /* below the switches: who has it already; NULL */
  int lock;           /* of draft_id; -1 */
};
UiComposer *ui_composer_ref(UiComposer *composer);
void ui_composer_unref(UiComposer *composer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UiComposer, ui_composer_unref)

/* compose.c */
UiComposer *ui_composer_new(UiApp *app, UiAccount *account, MlDraft *draft); /* takes the draft; borrowed */
void ui_composer_close(UiComposer *composer); /* and its view; the draft is kept by who holds it */
void ui_composer_changed(UiComposer *composer, gboolean recipients); /* saves soon; finds certificates anew */
void ui_composer_look(UiComposer *composer); /* finds certificates anew: others are known now */
void ui_composer_show(UiComposer *composer);                         /* its review screen, on top */
void ui_composer_edit(UiComposer *composer);
UiComposer *ui_composer_top(UiApp *app); /* of the view on top, if it is one's; NULL */
const char *ui_composer_title(const UiComposer *composer);
char *
ui_composer_from_address(const MlDraft *draft); /* any thread; NULL: From does not parse. Transfer full */

/* compose-policy.c */
void ui_composer_follow_policy(UiComposer *composer); /* the draft was changed: sets what is demanded */
/* "by rule NAME", "by policy"; NULL: nothing demands @what. Transfer full. */
char *ui_composer_by_policy(const UiComposer *composer, MlPolicyKey what);
/* TRUE: @what may not be turned off, and the screen says by which rule of which file. */
gboolean ui_composer_forced(UiComposer *composer, MlPolicyKey what);

/* compose-view.c: the review screen */
typedef enum {
  UI_ROW_FROM,
  UI_ROW_TO,
  UI_ROW_CC,
  UI_ROW_BCC,
  UI_ROW_REPLY_TO,
  UI_ROW_SUBJECT,
  UI_ROW_RECIPIENT,
  UI_ROW_ATTACHMENT,
} UiComposeRowKind;
UiView *ui_compose_view_new(UiComposer *composer);
UiComposer *ui_compose_view_composer(const UiView *view);
gboolean ui_compose_view_row(const UiView *view, UiComposeRowKind *kind, guint *index); /* under the cursor */
void ui_compose_view_text(UiView *view);              /* the text was changed */
guint ui_compose_missing(const UiComposer *composer); /* recipients that cannot be encrypted to, now */
const char *
ui_compose_own_problem(const UiComposer *composer);          /* why it cannot be encrypted to oneself; NULL */
char *ui_compose_certificate(CryptoCert *cert, int columns); /* "RSA 2048, until 2027-05-01" */

/* compose-fields.c */
void ui_compose_field(UiComposer *composer, UiComposeRowKind kind);
void ui_compose_ask_plain(UiComposer *composer);                    /* a typed word turns encryption off */
char *ui_compose_complete_address(const char *typed, gpointer app); /* addresses.c */
char *ui_compose_complete_file(const char *typed, gpointer app);

/* directory.c: LDAP directories, on threads of their own. How many recipients are being asked about: of @by_itself only
 * where a directory says ask = auto, and nobody twice within ten minutes. */
guint ui_directory_find(UiComposer *composer, gboolean by_itself);
/* Of char *: whom directories have for what was typed; NULL: not known, and now being asked. Borrowed. */
GPtrArray *ui_directory_complete(UiApp *app, const char *typed);

/* compose-missing.c: the table of recipients without a certificate */
void ui_missing_open(UiComposer *composer);
UiComposer *ui_missing_composer(UiApp *app); /* of the open table; NULL: none is */
typedef gboolean (*UiDropFunc)(const UiComposer *composer, const char *address, gpointer data);
void ui_compose_drop(MlDraft *draft, const UiComposer *composer, UiDropFunc drop,
                     gpointer data);           /* recipients for whom it says so */
void ui_missing_refresh(UiComposer *composer); /* its recipients were looked at again */

/* send.c */
void ui_send_start(UiComposer *composer);
/* Sends two messages: encrypted to those who can read it, in clear to the others. */
void ui_send_apart(UiComposer *composer);

/* outbox.c: the thread that sends, and what is on its way. */
char *ui_outbox_folder(const UiApp *app); /* any thread; transfer full */
/* The draft of @composer went into the outbox as @ids (takes them), to leave at @due. */
void ui_outbox_queued(UiComposer *composer, GPtrArray *ids, gint64 due);
void ui_outbox_poke(UiApp *app);          /* look again at what is due */
GPtrArray *ui_outbox_leaving(UiApp *app); /* of UiLeaving, not sent yet as far as known; borrowed */
typedef struct {
  UiComposer *composer; /* closed; its draft comes back if it is taken back */
  GPtrArray *ids;       /* of char *: entries of the outbox that have not left */
  GPtrArray *got;       /* of char *: who has it already, of all its entries */
  gint64 due;
  gboolean held; /* refused, or perhaps sent: nothing is done with it until the person decides in the outbox */
} UiLeaving;
guint ui_outbox_waiting(UiApp *app); /* how many leave by themselves */
UiLeaving *ui_outbox_leaving_of(UiApp *app, const char *id); /* NULL: it is none of this run's. Borrowed */
void ui_outbox_forget(UiApp *app, const char *id);           /* it has left, or came back */
void ui_outbox_send_now(UiApp *app, UiThen then);     /* what this run queued; @then once it has left */

/* outbox-back.c */
void ui_outbox_take_back(UiApp *app, const char *id); /* from the outbox to the review screen */
/* Takes those of @got (char *: they have it) out, and says so in the review screen. @unsure: the others may have it. */
void ui_outbox_readdress(UiComposer *composer, GPtrArray *got, gboolean unsure);
void ui_outbox_say_back(UiApp *app, gboolean some, gboolean unsure);

/* outbox-view.c */
void ui_outbox_view_refresh(UiApp *app); /* if it is open */

/* compose-source.c */
void ui_compose_recall(UiApp *app); /* the message under the cursor, of the Drafts folder */

/* editor.c: $VISUAL or $EDITOR on a text in a place that does not outlive the session. @done runs once; @text NULL:
 * it could not be edited, and that was said. @changed: the editor wrote something else. */
typedef void (*UiEditorDone)(UiApp *app, const char *text, gboolean changed, gpointer data);
typedef void (*UiEditorWritten)(UiApp *app, const char *text, gpointer data);
typedef struct {
  const char *text, *name; /* name: of its folder; NULL: any */
  UiEditorWritten written; /* the file was written while the editor runs; may be NULL */
  UiEditorDone done;
  gpointer data;
} UiEditorTask;
gboolean ui_editor_run(UiApp *app, const UiEditorTask *task); /* FALSE: said why; @done does not run */
gboolean ui_editor_beside(const UiApp *app);          /* in a window of its own: this screen goes on */
char *ui_editor_left(const char *name, gint64 since); /* what an editor wrote that outlived its signet */

/* compose-start.c */
void ui_compose_begin(UiApp *app);        /* a new message: asks for To and Subject */
void ui_compose_end_if_alone(UiApp *app); /* `signet compose`: its message is done with */

/* drafts.c */
typedef void (*UiDraftsThen)(UiComposer *composer, const MlDraftsSaved *saved, const GError *error);
void ui_drafts_save(UiComposer *composer, UiDraftsThen then); /* now */
void ui_drafts_save_soon(UiComposer *composer);
void ui_drafts_save_text(UiComposer *composer, const char *text); /* as it stands in the editor */
void ui_drafts_save_last(UiComposer *composer);                   /* the program ends; blocks */
void ui_drafts_postpone(UiComposer *composer);                    /* closes it once it is safe */
void ui_drafts_forget(UiComposer *composer);                      /* sent or thrown away: everywhere */
void ui_drafts_unlock(UiComposer *composer);

/* recall.c */
/* An outbox's copy, to be edited again, but not for those of @got (char *). */
void ui_drafts_open_copy(UiApp *app, GBytes *copy, const MlOutboxEntry *entry, GPtrArray *got);

#endif
