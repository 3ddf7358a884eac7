#include "mail/pending.h"

/* One change: made, and in words. */

MlPendingEntry *
ml_pending_entry_new(MlPendingKind kind, const char *folder, guint32 uidvalidity, const char *to)
{
  MlPendingEntry *entry = g_new0(MlPendingEntry, 1);
  entry->kind = kind;
  entry->state = ML_PENDING_WAITING;
  entry->folder = g_strdup(folder);
  entry->uidvalidity = uidvalidity;
  entry->to = g_strdup(to);
  entry->messages = g_ptr_array_new();
  return entry;
}

void
ml_pending_entry_add(MlPendingEntry *entry, guint32 uid, guint flags, const char *message_id, const char *subject)
{
  MlPendingMessage *message = g_new0(MlPendingMessage, 1);
  message->uid = uid;
  message->flags = flags;
  message->message_id = g_strdup(message_id ? message_id : "");
  message->subject = g_strdup(subject ? subject : "");
  g_ptr_array_add(entry->messages, message);
}

void
ml_pending_entry_free(MlPendingEntry *entry)
{
  if (!entry)
    return;
  for (guint i = 0; i < entry->messages->len; i++) {
    MlPendingMessage *message = entry->messages->pdata[i];
    g_free(message->message_id);
    g_free(message->subject);
    g_free(message);
  }
  g_ptr_array_unref(entry->messages);
  g_free(entry->folder);
  g_free(entry->to);
  g_free(entry->error);
  g_clear_pointer(&entry->bytes, g_bytes_unref);
  g_free(entry);
}

const char *
ml_pending_kind_word(MlPendingKind kind)
{
  static const char *const words[] = { "flags", "copy", "move", "expunge", "append", "remove" };
  return words[kind];
}

static char *
flags_words(guint flags)
{
  g_auto(GStrv) words = ml_flags_words(flags);
  return g_strjoinv(", ", words);
}

char *
ml_pending_words(const MlPendingEntry *entry)
{
  const MlPendingMessage *first = entry->messages->len ? entry->messages->pdata[0] : NULL;
  g_autofree char *which = entry->messages->len == 1
                               ? g_strdup_printf("\"%s\" in %s", first->subject, entry->folder)
                               : g_strdup_printf("%u messages in %s", entry->messages->len, entry->folder);
  g_autofree char *add = flags_words(entry->add), *remove = flags_words(entry->remove);
  switch (entry->kind) {
  case ML_PENDING_FLAGS:
    return g_strdup_printf("%s%s%s%s%s: %s", *add ? "set " : "", add, *add && *remove ? ", " : "",
                           *remove ? "clear " : "", remove, which);
  case ML_PENDING_COPY:
    return g_strdup_printf("copy to %s: %s", entry->to, which);
  case ML_PENDING_MOVE:
    return g_strdup_printf("move to %s: %s", entry->to, which);
  case ML_PENDING_EXPUNGE:
    return g_strdup_printf("delete for good: %s", which);
  case ML_PENDING_APPEND:
    return g_strdup_printf("put into %s: \"%s\"", entry->folder, first ? first->subject : "");
  case ML_PENDING_REMOVE:
    return g_strdup_printf("remove an older copy from %s: <%s>", entry->folder, first ? first->message_id : "");
  }
  g_assert_not_reached();
}
