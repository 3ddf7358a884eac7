#ifndef UI_LAYOUT_H
#define UI_LAYOUT_H

#include "mail/message.h"
#include "ui/pager.h"

/* A message as lines for the reader: headers, text in blocks of one protection with the gutter beside them, and
 * what is attached. Pure; the job that read the message does it, since text may be long. */
typedef struct {
  gboolean all_headers;
  const char *more_headers; /* names, comma separated; NULL: none */
  gboolean cut; /* thousands of recipients do not push the text off the screen: h shows them all */
} UiLayoutOptions;
void ui_layout_message(UiPager *pager, const MlMessage *message, const UiLayoutOptions *options);

#endif
