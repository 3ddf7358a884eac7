#include "ui/layout.h"

#include <string.h>

#include "ui/strip.h"
#include "ui/text.h"

enum { MAX_TEXT = 4 << 20, MAX_ATTACHMENTS = 500, MAX_HEADERS = 500, FIELD_COLUMNS = 480 };

static char
gutter_of(gboolean is_signed, gboolean encrypted, gboolean any)
{
  if (is_signed)
    return encrypted ? '#' : '|';
  return encrypted ? '=' : any ? ':' : ' ';
}

static const char *
protection_words(char gutter)
{
  switch (gutter) {
  case '|':
    return "signed";
  case '#':
    return "signed and encrypted";
  case '=':
    return "encrypted, not signed";
  case ':':
    return "not signed, not encrypted";
  default:
    return "";
  }
}

static gboolean
is_protected(const MlMessage *message)
{
  const GPtrArray *blocks = ml_message_blocks(message), *parts = ml_message_parts(message);

  for (guint i = 0; i < blocks->len; i++) {
    const MlBlock *block = blocks->pdata[i];
    if (block->is_signed || block->encrypted)
      return TRUE;
  }
  for (guint i = 0; i < parts->len; i++) {
    const MlPart *part = parts->pdata[i];
    if (part->is_signed || part->encrypted)
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_shown(const char *name, const UiLayoutOptions *options)
{
  static const char *const always[] = { "From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", NULL };

  if (options->all_headers)
    return TRUE;
  for (guint i = 0; always[i]; i++)
    if (!g_ascii_strcasecmp(name, always[i]))
      return TRUE;
  g_auto(GStrv) more = g_strsplit(options->more_headers ? options->more_headers : "", ",", 50);
  for (guint i = 0; more[i]; i++)
    if (!g_ascii_strcasecmp(name, g_strstrip(more[i])))
      return TRUE;
  return FALSE;
}

/* Who it is from is never cut: what is real could stand at the end. */
static gboolean
may_cut(const char *name, const UiLayoutOptions *options)
{
  static const char *const whole[] = { "From", "Sender", "Reply-To", NULL };

  for (guint i = 0; whole[i]; i++)
    if (!g_ascii_strcasecmp(name, whole[i]))
      return FALSE;
  return options->cut && !options->all_headers;
}

static void
add_headers(UiPager *pager, const MlMessage *message, const UiLayoutOptions *options)
{
  const GPtrArray *headers = ml_message_headers(message);

  for (guint i = 0; i < headers->len && i < MAX_HEADERS; i++) {
    const MlHeaderLine *header = headers->pdata[i];
    if (!is_shown(header->name, options))
      continue;
    g_autofree char *safe = may_cut(header->name, options) ? ui_text_line(header->value) : NULL;
    gboolean long_one = safe && ui_text_width(safe) > FIELD_COLUMNS;
    g_autofree char *start = long_one ? ui_text_cut(safe, FIELD_COLUMNS) : NULL;
    UiLine *line =
        ui_pager_add_format(pager, UI_STYLE_NORMAL, "%s: %s%s", header->name, start ? start : header->value,
                            start ? " ... (h shows all of it)" : "");
    const char *colon = strchr(line->text, ':');
    line->lead = colon ? (guint)(colon - line->text) + 1 : 0;
    line->indent = 4;
    line->gutter = gutter_of(header->is_signed, header->encrypted, FALSE);
    if (!header->outer)
      continue;
    /* A header that was hidden on the way (RFC 9788) differs by design; the other differences are worth a look. */
    line = ui_pager_add_format(pager, header->encrypted ? UI_STYLE_QUIET : UI_STYLE_WARN,
                               "    outside it says: %s", *header->outer ? header->outer : "(nothing)");
    line->indent = 6;
  }
}

static void
add_text(UiPager *pager, const char *text, UiStyle style, char gutter, gsize *left)
{
  gsize length = strlen(text);
  gboolean whole = length <= *left;
  g_autofree char *cut = whole ? NULL : g_strndup(text, *left);
  g_autofree char *safe = ui_text_lines(whole ? text : cut);

  *left -= MIN(length, *left);
  for (char *at = safe; at;) {
    char *end = strchr(at, '\n');
    if (end)
      *end = 0;
    UiLine *line = ui_pager_add(pager, *at == '>' && style == UI_STYLE_NORMAL ? UI_STYLE_QUOTE : style, at);
    line->gutter = gutter;
    at = end ? end + 1 : NULL;
  }
  if (!whole)
    ui_pager_add(pager, UI_STYLE_WARN,
                 "The text goes on; it is too long to be shown here: v, then s saves all of it.");
}

/* What a rule line above a block says. */
static char *
block_label(const MlMessage *message, const MlBlock *block, char gutter, gboolean other_part)
{
  const GPtrArray *parts = ml_message_parts(message);
  const MlPart *part = block->part < parts->len ? parts->pdata[block->part] : NULL;
  const char *what = !part ? "" : part->name ? part->name : other_part ? part->type : "";
  const char *words = protection_words(gutter);

  return g_strdup_printf("%s%s%s", words, *words && *what ? ": " : "", what);
}

static void
add_blocks(UiPager *pager, const MlMessage *message, gboolean any)
{
  const GPtrArray *blocks = ml_message_blocks(message);
  const MlBlock *before = NULL;
  gsize left = MAX_TEXT;

  for (guint i = 0; i < blocks->len; i++) {
    const MlBlock *block = blocks->pdata[i];
    char gutter = gutter_of(block->is_signed, block->encrypted, any);
    gboolean other_cover =
        before && (before->is_signed != block->is_signed || before->encrypted != block->encrypted);
    gboolean other_part = before && before->part != block->part;
    if (other_cover || other_part) {
      g_autofree char *label = block_label(message, block, gutter, other_part);
      ui_pager_add_rule(pager, label);
    } else
      ui_pager_add(pager, UI_STYLE_NORMAL, "");
    if (block->kind == ML_BLOCK_NOTICE) {
      UiLine *line = ui_pager_add_format(pager, UI_STYLE_QUIET, "[%s]", block->text);
      line->indent = 1;
      line->gutter = gutter;
    } else
      add_text(pager, block->text, UI_STYLE_NORMAL, gutter, &left);
    before = block;
  }
}

static void
add_attachments(UiPager *pager, const MlMessage *message, gboolean any)
{
  const GPtrArray *parts = ml_message_parts(message);
  guint n = 0;

  for (guint i = 0; i < parts->len; i++) {
    const MlPart *part = parts->pdata[i];
    if (!part->attachment)
      continue;
    if (!n)
      ui_pager_add_rule(pager, "attached: v lists, saves and opens");
    if (++n > MAX_ATTACHMENTS)
      break;
    g_autofree char *size = ui_text_size(part->size);
    const char *name = part->name ? part->name : part->save_as ? part->save_as : part->type;
    UiLine *line = ui_pager_add_format(pager, UI_STYLE_NORMAL, "%2u  %s  %s  %s%s", n, name, part->type, size,
                                       part->on_server ? ", on the server" : "");
    line->indent = 4;
    line->gutter = gutter_of(part->is_signed, part->encrypted, any);
  }
}

void
ui_layout_message(UiPager *pager, const MlMessage *message, const UiLayoutOptions *options)
{
  gboolean any = is_protected(message);

  g_ptr_array_set_size(pager->source, 0);
  add_headers(pager, message, options);
  add_blocks(pager, message, any);
  add_attachments(pager, message, any);
}
