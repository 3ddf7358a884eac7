#ifndef UI_SUBJECTS_H
#define UI_SUBJECTS_H

#include <glib.h>

/* The protected Subjects (RFC 9788) of messages that were read in this run, for their rows in the index: by where a
 * message lies, so that a folder that is read anew, or opened again, still has them. In memory only; those that came
 * out of a ciphertext are wiped when keys are forgotten. Bounded: the oldest go. UI thread. */
typedef struct UiSubjects UiSubjects;

typedef struct {
  const char *account, *folder;
  guint32 uidvalidity, uid;
} UiPlace;

UiSubjects *ui_subjects_new(void);
void ui_subjects_free(UiSubjects *subjects); /* wipes them; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UiSubjects, ui_subjects_free)
/* NULL: what was known of that message is no longer so. @hidden: it came out of a ciphertext. */
void ui_subjects_note(UiSubjects *subjects, const UiPlace *place, const char *subject, gboolean hidden);
/* NULL: the list's own is the one to show; "": the message has none. Borrowed until the next note or forget. */
const char *ui_subjects_find(const UiSubjects *subjects, const UiPlace *place);
gboolean ui_subjects_forget_hidden(UiSubjects *subjects); /* FALSE: there were none */

#endif
