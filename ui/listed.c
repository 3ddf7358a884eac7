#include "ui/listed.h"

#include <stdio.h>

#include "ui/text.h"

void
ui_listed_json(JsonBuilder *json, const MlHeader *header)
{
  g_auto(GStrv) flags = ml_flags_words(header->flags);

  ui_json_int(json, "uid", header->uid);
  ui_json_string(json, "from", header->from);
  ui_json_string(json, "to", header->to);
  ui_json_string(json, "subject", header->subject);
  ui_json_time(json, "date", header->date);
  ui_json_time(json, "received", header->received);
  ui_json_strings(json, "flags", (const char *const *)flags);
  ui_json_int(json, "size", (gint64)header->size);
  ui_json_string(json, "message_id", header->message_id);
}

void
ui_listed_print(const char *place, const MlHeader *header, gint64 now, gboolean size)
{
  enum { FROM = 22, DATE = 10 };
  g_autofree char *date = ui_text_date(header->date, now, DATE);
  g_autofree char *octets = size ? ui_text_size(header->size) : NULL;
  g_autofree char *size_words = octets ? g_strdup_printf(" %5s", octets) : g_strdup("");
  g_autofree char *safe_from = ui_text_line(header->from_name);
  g_autofree char *from = ui_text_fit(safe_from, FROM);
  g_autofree char *subject = ui_text_line(header->subject);

  printf("%s %c%c%c %-10s %s%s  %s\n", place,
         header->flags & ML_FLAG_DELETED ? 'D'
         : header->flags & ML_FLAG_SEEN  ? ' '
                                         : 'N',
         header->flags & ML_FLAG_FLAGGED    ? 'F'
         : header->flags & ML_FLAG_ANSWERED ? 'r'
                                            : ' ',
         header->hints & ML_HINT_ENCRYPTED ? 'E'
         : header->hints & ML_HINT_SIGNED  ? 'S'
                                           : ' ',
         date, from, size_words, subject);
}
