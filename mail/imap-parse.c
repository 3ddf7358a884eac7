#include "mail/imap-private.h"

#include <stdio.h>
#include <string.h>

#include "mail/headers-private.h"
#include "mail/utf7.h"

static const struct {
  const char *word;
  guint flag;
} flag_words[] = {
  { "\\Seen", ML_FLAG_SEEN },         { "\\Answered", ML_FLAG_ANSWERED }, { "\\Flagged", ML_FLAG_FLAGGED },
  { "\\Deleted", ML_FLAG_DELETED },   { "\\Draft", ML_FLAG_DRAFT },       { "$Forwarded", ML_FLAG_FORWARDED },
  { "Forwarded", ML_FLAG_FORWARDED },
};

guint
ml_imap_flags(const MlNode *list)
{
  guint flags = 0;
  for (const MlNode *node = list ? list->child : NULL; node; node = node->next)
    for (guint i = 0; i < G_N_ELEMENTS(flag_words); i++)
      if (ml_node_is(node, flag_words[i].word))
        flags |= flag_words[i].flag;
  return flags;
}

char *
ml_imap_flags_text(guint flags)
{
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(flag_words) - 1; i++)
    if (flags & flag_words[i].flag)
      g_string_append_printf(text, "%s%s", text->len ? " " : "", flag_words[i].word);
  return g_string_free(text, FALSE);
}

/* As RFC 3501 writes it, of which there is one with each message. */
static gboolean
plain_date(const char *text, gint64 *when)
{
  int century = ml_two_digits(text + 7), year = ml_two_digits(text + 9);
  int day = text[0] == ' ' ? ml_two_digits((char[]){ '0', text[1] }) : ml_two_digits(text);
  int zone_hours = ml_two_digits(text + 22), zone_minutes = ml_two_digits(text + 24);
  if (text[2] != '-' || text[6] != '-' || text[11] != ' ' || text[14] != ':' || text[17] != ':' || text[20] != ' ' ||
      (text[21] != '+' && text[21] != '-') || century < 0 || year < 0 || zone_hours < 0 || zone_minutes < 0 ||
      !ml_unix_time(century * 100 + year, ml_month_of(text + 3), day, ml_two_digits(text + 12), ml_two_digits(text + 15),
                    ml_two_digits(text + 18), when))
    return FALSE;
  *when -= (text[21] == '-' ? -1 : 1) * (zone_hours * 3600 + zone_minutes * 60);
  return TRUE;
}

/* "13-Sep-2020 12:26:40 +0200"; a blank or a missing zero before the day is common, a bad zone counts as
 * UTC. */
gboolean
ml_imap_date(const MlNode *node, gint64 *when)
{
  enum { PLAIN = 26 };
  if (node && node->kind == ML_NODE_STRING && node->length == PLAIN && plain_date(node->text, when))
    return TRUE;
  g_autofree char *text = ml_node_dup(node);
  char month[4] = "", sign = '+';
  int day, year, hour, minute, second, zone = 0;
  int n = sscanf(text, " %2d-%3[A-Za-z]-%4d %2d:%2d:%2d %c%4d", &day, month, &year, &hour, &minute, &second,
                 &sign, &zone);
  if (n < 6 || !ml_unix_time(year, ml_month_of(month), day, hour, minute, second, when))
    return FALSE;
  if (n == 8 && (sign == '+' || sign == '-'))
    *when -= (sign == '-' ? -1 : 1) * (zone / 100 * 3600 + zone % 100 * 60);
  return TRUE;
}

const MlNode *
ml_imap_item(const MlNode *items, const char *name)
{
  for (const MlNode *node = items ? items->child : NULL; node && node->next; node = node->next->next)
    if (node->kind == ML_NODE_ATOM && ml_node_is(node, name))
      return node->next;
  return NULL;
}

static gboolean
is_body(const MlNode *name)
{
  return name->kind == ML_NODE_ATOM && name->length > 5 && (name->text[0] | 0x20) == 'b' &&
         g_ascii_strncasecmp(name->text, "BODY[", 5) == 0;
}

const MlNode *
ml_imap_body(const MlNode *items)
{
  for (const MlNode *node = items ? items->child : NULL; node && node->next; node = node->next->next)
    if (is_body(node))
      return node->next;
  return NULL;
}

MlHeader *
ml_imap_header(const MlNode *items)
{
  guint64 uid, size = 0;
  if (!ml_node_number(ml_imap_item(items, "UID"), G_MAXUINT32, &uid) || !uid)
    return NULL;
  const MlNode *body = ml_imap_body(items);
  gboolean text = body && body->kind == ML_NODE_STRING;
  /* Of a whole message what is above the first empty line. */
  MlHeader *header = ml_header_parse(text ? body->text : "", text ? ml_header_block_length(body->text, body->length) : 0);
  header->uid = (guint32)uid;
  header->flags = ml_imap_flags(ml_imap_item(items, "FLAGS"));
  if (ml_node_number(ml_imap_item(items, "RFC822.SIZE"), G_MAXINT64, &size))
    header->size = size;
  if (!ml_imap_date(ml_imap_item(items, "INTERNALDATE"), &header->received))
    header->received = 0;
  if (!header->date)
    header->date = header->received;
  return header;
}

/* (\HasNoChildren \Sent) "/" "Sent": levels are told apart by / whatever the server uses; a / of the name
 * itself cannot be shown then, and such a folder is left out, unless / is what parts them. */
MlFolder *
ml_imap_folder(const MlNode *list_data)
{
  static const struct {
    const char *word;
    MlFolderRole role;
  } roles[] = { { "\\Drafts", ML_ROLE_DRAFTS },   { "\\Sent", ML_ROLE_SENT },
                { "\\Trash", ML_ROLE_TRASH },     { "\\Junk", ML_ROLE_JUNK },
                { "\\Archive", ML_ROLE_ARCHIVE }, { "\\All", ML_ROLE_ALL },
                { "\\Flagged", ML_ROLE_FLAGGED } };
  const MlNode *flags = list_data, *delimiter = flags ? flags->next : NULL,
               *name = delimiter ? delimiter->next : NULL;
  if (!name || flags->kind != ML_NODE_LIST || (name->kind != ML_NODE_STRING && name->kind != ML_NODE_ATOM) ||
      !name->length || name->length > 1000 || memchr(name->text, '\0', name->length))
    return NULL;
  g_autofree char *raw = g_strndup(name->text, name->length);
  g_autofree char *text = ml_utf7_decode(raw);
  if (!text) {
    if (!g_utf8_validate(raw, -1, NULL))
      return NULL; /* no name that we could send back */
    text = g_steal_pointer(&raw);
  }
  for (const char *p = text; *p; p++)
    if ((guchar)*p < 0x20 || *p == 0x7f)
      return NULL;
  char part = delimiter->kind == ML_NODE_STRING && delimiter->length == 1 ? delimiter->text[0] : '\0';
  if (part && part != '/') {
    if (strchr(text, '/'))
      return NULL;
    g_strdelimit(text, (char[]){ part, '\0' }, '/');
  }
  MlFolderRole role = g_ascii_strcasecmp(text, "INBOX") == 0 ? ML_ROLE_INBOX : ML_ROLE_NONE;
  gboolean selectable = TRUE;
  for (const MlNode *flag = flags->child; flag; flag = flag->next) {
    if (ml_node_is(flag, "\\Noselect") || ml_node_is(flag, "\\NonExistent"))
      selectable = FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(roles) && !role; i++)
      if (ml_node_is(flag, roles[i].word))
        role = roles[i].role;
  }
  return ml_folder_new(role == ML_ROLE_INBOX ? "INBOX" : text, role, selectable);
}

static int
compare_ranges(gconstpointer a, gconstpointer b)
{
  guint32 one = ((const MlImapRange *)a)->low, other = ((const MlImapRange *)b)->low;
  return one < other ? -1 : one > other ? 1 : 0;
}

void
ml_imap_ranges_sort(GArray *ranges)
{
  guint kept = 0;
  g_array_sort(ranges, compare_ranges);
  for (guint i = 0; i < ranges->len; i++) {
    MlImapRange range = g_array_index(ranges, MlImapRange, i);
    MlImapRange *last = kept ? &g_array_index(ranges, MlImapRange, kept - 1) : NULL;
    if (last && range.low <= last->high)
      last->high = MAX(last->high, range.high);
    else
      g_array_index(ranges, MlImapRange, kept++) = range;
  }
  g_array_set_size(ranges, kept);
}

GArray *
ml_imap_ranges(const MlNode *node)
{
  if (!node || node->kind != ML_NODE_ATOM)
    return NULL;
  g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
  g_autofree char *text = g_strndup(node->text, node->length);
  char *at = text;
  for (;;) {
    guint64 low = g_ascii_strtoull(at, &at, 10), high = low;
    if (*at == ':')
      high = g_ascii_strtoull(at + 1, &at, 10);
    if (!low || !high || low > G_MAXUINT32 || high > G_MAXUINT32 || (*at && *at != ','))
      return NULL;
    MlImapRange range = { (guint32)MIN(low, high), (guint32)MAX(low, high) };
    g_array_append_val(ranges, range);
    if (!*at)
      break;
    at++;
  }
  ml_imap_ranges_sort(ranges);
  return g_steal_pointer(&ranges);
}

GArray *
ml_imap_numbers(const MlNode *node, guint most)
{
  if (!node || node->kind != ML_NODE_ATOM)
    return NULL;
  g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_autofree char *text = g_strndup(node->text, node->length);
  for (char *at = text;; at++) {
    guint64 first = g_ascii_strtoull(at, &at, 10), last = first;
    if (*at == ':')
      last = g_ascii_strtoull(at + 1, &at, 10);
    if (!first || !last || first > G_MAXUINT32 || last > G_MAXUINT32 || (*at && *at != ',') ||
        numbers->len + (MAX(first, last) - MIN(first, last)) + 1 > most)
      return NULL;
    for (guint64 i = 0; i <= MAX(first, last) - MIN(first, last); i++) {
      guint32 number = (guint32)(first <= last ? first + i : first - i);
      g_array_append_val(numbers, number);
    }
    if (!*at)
      return g_steal_pointer(&numbers);
  }
}

gboolean
ml_imap_in_ranges(const GArray *ranges, guint32 uid)
{
  guint low = 0, high = ranges->len;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    const MlImapRange *range = &g_array_index(ranges, MlImapRange, middle);
    if (uid < range->low)
      high = middle;
    else if (uid > range->high)
      low = middle + 1;
    else
      return TRUE;
  }
  return FALSE;
}

static int
compare_uids(gconstpointer a, gconstpointer b)
{
  guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;
  return one < other ? -1 : one > other ? 1 : 0;
}

char *
ml_imap_uid_set(GArray *uids)
{
  GString *set = g_string_new(NULL);
  g_array_sort(uids, compare_uids);
  for (guint i = 0; i < uids->len;) {
    guint32 first = g_array_index(uids, guint32, i), last = first;
    while (++i < uids->len && g_array_index(uids, guint32, i) <= last + 1)
      last = g_array_index(uids, guint32, i);
    g_string_append_printf(set, "%s%u", set->len ? "," : "", first);
    if (last != first)
      g_string_append_printf(set, ":%u", last);
  }
  return g_string_free(set, FALSE);
}
