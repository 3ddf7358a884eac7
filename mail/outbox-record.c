#include <string.h>

#include "mail/outbox-private.h"

/* The lines of an entry: fields parted by tabs, and a check sum. */
enum { MESSAGES_MAX = 10000 };

void
ml_outbox_add_field(GString *out, const char *text)
{
  g_autofree char *escaped = text ? g_strescape(text, NULL) : NULL;
  g_string_append_printf(out, "\t%s%s", text ? "=" : "", text ? escaped : "");
}

void
ml_outbox_add_sum(GString *out, const char *from)
{
  g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, from, -1);
  g_string_append_printf(out, "\t%.*s\n", ML_OUTBOX_SUM, sum);
}

/* A line of its own before the record, for as long as the mark is due: a signet that does not know it passes over it. */
static void
add_source(GString *out, const MlSource *source)
{
  g_autoptr(GString) line = g_string_new("A");
  ml_outbox_add_field(line, source->account);
  ml_outbox_add_field(line, source->folder);
  g_string_append_printf(line, "\t%u\t%u\t%d", source->uidvalidity, source->uid, source->forwarded);
  g_string_append(out, line->str);
  ml_outbox_add_sum(out, line->str);
}

char *
ml_outbox_record_text(const MlOutboxEntry *entry, int dot)
{
  g_autoptr(GString) all = g_string_new(NULL);
  GString *out = g_string_new(NULL);
  if (entry->source && entry->mark_due)
    add_source(all, entry->source);
  g_string_append_printf(out, "R\t%d\t%" G_GINT64_FORMAT "\t%u\t%d\t%d", entry->state, entry->due, entry->attempts,
                         entry->copy_due, dot);
  ml_outbox_add_field(out, entry->words);
  for (guint i = 0; i < entry->recipients->len; i++) {
    const MlOutboxRecipient *recipient = g_ptr_array_index(entry->recipients, i);
    g_string_append_printf(out, "\t%d", recipient->state);
    ml_outbox_add_field(out, recipient->words);
  }
  g_autofree char *line = g_strdup(out->str);
  ml_outbox_add_sum(out, line);
  g_string_prepend_len(out, all->str, (gssize)all->len);
  return g_string_free(out, FALSE);
}

gboolean
ml_outbox_number(const char *text, gint64 least, gint64 most, gint64 *value)
{
  return g_ascii_string_to_signed(text, 10, least, most, value, NULL);
}

char *
ml_outbox_field(const char *text)
{
  if (*text != '=')
    return NULL;
  g_autofree char *plain = g_strcompress(text + 1);
  return g_utf8_make_valid(plain, -1);
}

/* Its fields, without the check sum. NULL: torn. */
static char **
fields_of(const char *line, gsize length)
{
  g_autofree char *text = g_strndup(line, length);
  char *tab = strrchr(text, '\t');
  if (!tab || strlen(tab + 1) != ML_OUTBOX_SUM)
    return NULL;
  *tab = '\0';
  g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
  return strncmp(sum, tab + 1, ML_OUTBOX_SUM) == 0 ? g_strsplit(text, "\t", -1) : NULL;
}

/* NULL: the line is none, or torn. */
MlSource *
ml_outbox_take_source(const char *line, gsize length)
{
  g_auto(GStrv) fields = fields_of(line, length);
  gint64 validity, uid, forwarded;
  if (!fields || g_strv_length(fields) != 6 || strcmp(fields[0], "A") != 0 ||
      !ml_outbox_number(fields[3], 1, G_MAXUINT32, &validity) || !ml_outbox_number(fields[4], 1, G_MAXUINT32, &uid) ||
      !ml_outbox_number(fields[5], 0, 1, &forwarded))
    return NULL;
  g_autofree char *account = ml_outbox_field(fields[1]), *folder = ml_outbox_field(fields[2]);
  return ml_source_new(account, folder, (guint32)validity, (guint32)uid, forwarded != 0);
}

/* FALSE: torn, or of another entry; nothing was changed. */
gboolean
ml_outbox_take_record(MlOutboxFile *file, const char *line, gsize length)
{
  MlOutboxEntry *entry = file->entry;
  guint count = entry->recipients->len;
  g_auto(GStrv) fields = fields_of(line, length);
  gint64 state, due, attempts, copy, dot, each;
  if (!fields || g_strv_length(fields) != 7 + 2 * count || strcmp(fields[0], "R") != 0 ||
      !ml_outbox_number(fields[1], 0, ML_OUTBOX_SENT, &state) || !ml_outbox_number(fields[2], 0, G_MAXINT64, &due) ||
      !ml_outbox_number(fields[3], 0, G_MAXINT, &attempts) || !ml_outbox_number(fields[4], 0, 1, &copy) ||
      !ml_outbox_number(fields[5], -1, MESSAGES_MAX, &dot))
    return FALSE;
  for (guint i = 0; i < count; i++)
    if (!ml_outbox_number(fields[7 + 2 * i], 0, ML_RCPT_REFUSED, &each))
      return FALSE;
  entry->state = (MlOutboxState)state;
  entry->due = due;
  entry->attempts = (guint)attempts;
  entry->copy_due = copy != 0;
  file->dot = (int)dot;
  g_free(entry->words);
  entry->words = ml_outbox_field(fields[6]);
  for (guint i = 0; i < count; i++) {
    MlOutboxRecipient *recipient = g_ptr_array_index(entry->recipients, i);
    ml_outbox_number(fields[7 + 2 * i], 0, ML_RCPT_REFUSED, &each);
    recipient->state = (int)each;
    g_free(recipient->words);
    recipient->words = ml_outbox_field(fields[8 + 2 * i]);
  }
  return TRUE;
}
