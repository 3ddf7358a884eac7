#ifndef UI_STRIP_H
#define UI_STRIP_H

#include "mail/message.h"
#include "ui/screen.h"

/* The security strip: what is known of a message, who says so and what to do, in our own words, in rows above the
 * mail that never scroll. Good is quiet (one row), bad is not. Pure; all text has passed the gate. */
typedef struct {
  UiStyle style;
  char *text; /* at most as wide as asked for */
  char *hint; /* stands at the right end of the row; NULL: none */
} UiStripRow;
void ui_strip_row_free(UiStripRow *row);

typedef struct {
  const char *from;     /* the address in From that the signer is compared with; NULL: none */
  gboolean can_install; /* the signer's certificate is not yet kept for writing to them */
} UiStripFacts;

/* Array of UiStripRow, between 1 and @rows of them; what does not fit is one key away, and the last row says so. */
GPtrArray *ui_strip_rows(const MlVerdict *verdict, const UiStripFacts *facts, int columns, int rows);

/* For a line of the index: "S+", "SE!", "E"; at most three columns. */
const char *ui_strip_mark(const MlVerdict *verdict);
UiStyle ui_strip_style(const MlVerdict *verdict);

/* Is this text covered by nothing that would show that it was changed on the way? (EFAIL: its links stay shut.) */
gboolean ui_strip_is_malleable(const MlVerdict *verdict);

char *ui_strip_algorithm(const char *name); /* "AES-256-CBC" from "aes-256-cbc", "3DES" from "des-ede3-cbc" */

#endif
