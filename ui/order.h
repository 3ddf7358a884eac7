#ifndef UI_ORDER_H
#define UI_ORDER_H

#include <glib.h>

/* In what order the message list stands. On the screen the greatest (the newest, Z, the largest) is at the bottom, unless
 * it is reversed. */
typedef enum {
  UI_ORDER_ARRIVAL,
  UI_ORDER_DATE,
  UI_ORDER_FROM,
  UI_ORDER_SUBJECT,
  UI_ORDER_SIZE,
  UI_ORDER_THREADS, /* by the newest message of each; within one, answers below what they answer */
} UiOrderBy;
typedef struct {
  UiOrderBy by;
  gboolean reverse;
} UiOrder;

/* "date", "reverse-date", or the first letter of one ("z" is size, "r" arrival). FALSE: it is none. */
gboolean ui_order_parse(const char *words, UiOrder *order);
char *ui_order_words(UiOrder order); /* "reverse-date"; transfer full */

#endif
