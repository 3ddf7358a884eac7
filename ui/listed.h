#ifndef UI_LISTED_H
#define UI_LISTED_H

#include "mail/folder.h"
#include "ui/json.h"

/* A message in one line of output, as `signet list` and `signet search` print it. */
void ui_listed_json(JsonBuilder *json, const MlHeader *header); /* uid to message_id, into an object */
/* @place: what it is called, as wide as it is to be. */
void ui_listed_print(const char *place, const MlHeader *header, gint64 now, gboolean size);

#endif
