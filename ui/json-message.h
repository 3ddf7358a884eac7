#ifndef UI_JSON_MESSAGE_H
#define UI_JSON_MESSAGE_H

#include "mail/message.h"
#include "ui/json.h"

/* A read message as one JSON object (doc/signet.1, "signet verify"). @input: as the user named it. */
void ui_json_message(JsonBuilder *json, const char *input, const MlMessage *message);

#endif
