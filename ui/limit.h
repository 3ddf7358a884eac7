#ifndef UI_LIMIT_H
#define UI_LIMIT_H

#include "mail/folder.h"

/* The patterns of `l`, `/` and `T`, a subset of mutt's, over headers that are loaded. Words match the author or the
 * subject; ~f author, ~t recipient, ~c copy, ~s subject, ~N new, ~R read, ~F flagged, ~D deleted, ~T tagged,
 * ~Q answered, ~g signed, ~G encrypted, ~V verified, ~A all; `!` not, `|` or, parentheses, "quotes". Letters match
 * whatever their case. Pure. */
typedef struct UiLimit UiLimit;

typedef struct {
  const MlHeader *header;
  const char *subject; /* as it is on the screen */
  guint flags; /* as they are on the screen, pending ones included */
  gboolean tagged, deleted, verified;
} UiLimitItem;

/* NULL with a sentence in *why (transfer full) where the pattern breaks off or has an unknown letter. */
UiLimit *ui_limit_parse(const char *pattern, char **why);
void ui_limit_free(UiLimit *limit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UiLimit, ui_limit_free)
gboolean ui_limit_matches(const UiLimit *limit, const UiLimitItem *item);

/* Does @text hold @needle, whatever the case of the letters? The needle is given by ui_limit_fold(). */
gboolean ui_limit_contains(const char *text, const char *needle);
char *ui_limit_fold(const char *text);

#endif
