#include "mail/draft.h"

#include <string.h>

static const char *const words[] = {
  "attached", "attachment", "attachments", "attaching",  "attach",    "enclosed", "angehängt",
  "anhang",   "anbei",      "beigefügt",   "beiliegend", "beigelegt", "ci-joint", "ci-jointe",
  "pièce",    "pièces",     "adjunto",     "adjunta",    "adjuntos",  "bijlage",  "bijgevoegd",
  "allegato", "allegati",   "allego",      "anexo",      "anexado",   "em anexo", "bifogat",
  "vedlagt",  "vedhæftet",  "załączniku",  "załącznik",  "вложении",  "вложение", "příloze",
};

/* @word stands alone at @at, in a folded line that begins at @line. */
static gboolean
alone(const char *line, const char *at, gsize length)
{
  gunichar before = at > line ? g_utf8_get_char(g_utf8_prev_char(at)) : ' ';
  gunichar after = g_utf8_get_char(at + length);
  return !g_unichar_isalnum(before) && before != '-' && !g_unichar_isalnum(after) && after != '_';
}

static const char *
word_in(const char *line)
{
  g_autofree char *folded = g_utf8_casefold(line, -1);
  for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
    for (const char *at = strstr(folded, words[i]); at; at = strstr(at + 1, words[i]))
      if (alone(folded, at, strlen(words[i])))
        return words[i];
  return NULL;
}

const char *
ml_draft_missing_attachment(const MlDraft *draft)
{
  if (draft->attachments->len || !draft->text)
    return NULL;
  for (const char *line = draft->text; *line;) {
    const char *end = strchrnul(line, '\n');
    g_autofree char *one = g_strndup(line, MIN((gsize)(end - line), (gsize)100000));
    g_autofree char *valid = g_utf8_make_valid(one, -1);
    if (strcmp(valid, "-- ") == 0)
      return NULL; /* the signature is the last of it */
    const char *found = *valid == '>' ? NULL : word_in(valid);
    if (found)
      return found;
    line = *end ? end + 1 : end;
  }
  return NULL;
}
