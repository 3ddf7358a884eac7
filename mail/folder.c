#include "mail/folder-private.h"

#include <string.h>

#include <gmime/gmime.h>

#include "mail/address-private.h"
#include "mail/headers-private.h"
#include "mail/init.h"

enum { MAX_VALUE = 64 * 1024, MAX_BLOCK = 1024 * 1024 };

MlFolder *
ml_folder_new(const char *name, MlFolderRole role, gboolean selectable)
{
  MlFolder *folder = g_new0(MlFolder, 1);
  folder->name = g_strdup(name);
  folder->role = role;
  folder->selectable = selectable;
  folder->total = folder->unseen = -1;
  return folder;
}

void
ml_folder_free(MlFolder *folder)
{
  if (!folder)
    return;
  g_free(folder->name);
  g_free(folder);
}

MlFolder *
ml_folder_copy(const MlFolder *folder)
{
  MlFolder *copy = g_memdup2(folder, sizeof *folder);
  copy->name = g_strdup(folder->name);
  return copy;
}

static gboolean
is_trash(const MlFolder *folder)
{
  return folder->role == ML_ROLE_TRASH || folder->role == ML_ROLE_JUNK;
}

GPtrArray *
ml_folder_trashes(const GPtrArray *folders)
{
  GPtrArray *trashes = g_ptr_array_new();
  for (guint i = 0; i < folders->len; i++)
    if (is_trash(folders->pdata[i]))
      g_ptr_array_add(trashes, folders->pdata[i]);
  return trashes;
}

gboolean
ml_folder_is_aside(const GPtrArray *trashes, const MlFolder *folder)
{
  for (guint i = 0; i < trashes->len; i++) {
    const MlFolder *one = trashes->pdata[i];
    gsize length = strlen(one->name);
    if (g_str_has_prefix(folder->name, one->name) && (!folder->name[length] || folder->name[length] == '/'))
      return TRUE;
  }
  return FALSE;
}

static int
compare_folders(gconstpointer a, gconstpointer b)
{
  const MlFolder *one = *(MlFolder *const *)a, *other = *(MlFolder *const *)b;
  int rank = one->role ? (int)one->role : 100, other_rank = other->role ? (int)other->role : 100;
  if (rank != other_rank)
    return rank - other_rank;
  g_autofree char *key = g_utf8_casefold(one->name, -1), *other_key = g_utf8_casefold(other->name, -1);
  int order = strcmp(key, other_key);
  return order ? order : strcmp(one->name, other->name);
}

void
ml_folder_sort(GPtrArray *folders)
{
  g_ptr_array_sort(folders, compare_folders);
}

MlFolderRole
ml_folder_guess_role(const MlAccount *account, const char *name)
{
  static const struct {
    const char *name;
    MlFolderRole role;
  } usual[] = {
    { "Drafts", ML_ROLE_DRAFTS },      { "Sent", ML_ROLE_SENT },   { "Sent Items", ML_ROLE_SENT },
    { "Sent Messages", ML_ROLE_SENT }, { "Trash", ML_ROLE_TRASH }, { "Deleted Items", ML_ROLE_TRASH },
    { "Junk", ML_ROLE_JUNK },          { "Spam", ML_ROLE_JUNK },   { "Archive", ML_ROLE_ARCHIVE },
    { "Archives", ML_ROLE_ARCHIVE },
  };
  const struct {
    const char *name;
    MlFolderRole role;
  } chosen[] = { { account->drafts, ML_ROLE_DRAFTS },
                 { account->sent, ML_ROLE_SENT },
                 { account->trash, ML_ROLE_TRASH },
                 { account->archive, ML_ROLE_ARCHIVE } };
  if (g_ascii_strcasecmp(name, "INBOX") == 0)
    return ML_ROLE_INBOX;
  for (guint i = 0; i < G_N_ELEMENTS(chosen); i++)
    if (chosen[i].name && strcmp(chosen[i].name, name) == 0)
      return chosen[i].role;
  for (guint i = 0; i < G_N_ELEMENTS(usual); i++) {
    if (g_ascii_strcasecmp(usual[i].name, name) != 0)
      continue;
    for (guint j = 0; j < G_N_ELEMENTS(chosen); j++)
      if (chosen[j].role == usual[i].role && chosen[j].name)
        return ML_ROLE_NONE; /* the account names another one */
    return usual[i].role;
  }
  return ML_ROLE_NONE;
}

MlHeader *
ml_header_new(const MlHeader *like, const MlSpan texts[ML_HEADER_TEXTS])
{
  gsize size = sizeof *like;
  for (guint i = 0; i < ML_HEADER_TEXTS; i++)
    size += texts[i].length + 1;
  MlHeader *header = g_malloc(size);
  *header = *like;
  char **to[] = { &header->from, &header->from_name, &header->from_address, &header->to,
                  &header->cc,   &header->subject,   &header->message_id,   &header->references };
  G_STATIC_ASSERT(G_N_ELEMENTS(to) == ML_HEADER_TEXTS);
  char *at = (char *)(header + 1);
  for (guint i = 0; i < ML_HEADER_TEXTS; i++) {
    *to[i] = at;
    if (texts[i].length)
      memcpy(at, texts[i].at, texts[i].length);
    at[texts[i].length] = '\0';
    at += texts[i].length + 1;
  }
  return header;
}

void
ml_header_free(MlHeader *header)
{
  g_free(header);
}

gsize
ml_header_block_length(const char *data, gsize length)
{
  gsize at = 0;
  while (at < length) {
    const char *newline = memchr(data + at, '\n', length - at);
    if (!newline)
      return length;
    gsize next = (gsize)(newline - data) + 1;
    if (newline == data + at || (newline == data + at + 1 && data[at] == '\r'))
      return next;
    at = next;
  }
  return length;
}

/* One header with its continuation lines: [*at, the result). */
static gsize
field_end(const char *block, gsize length, gsize at)
{
  for (;;) {
    const char *newline = memchr(block + at, '\n', length - at);
    if (!newline)
      return length;
    at = (gsize)(newline - block) + 1;
    if (at >= length || (block[at] != ' ' && block[at] != '\t'))
      return at;
  }
}

static MlSpan
trimmed(const char *text, gsize length)
{
  length = MIN(length, MAX_VALUE);
  while (length && g_ascii_isspace(text[length - 1]))
    length--;
  for (; length && g_ascii_isspace(*text); text++)
    length--;
  return (MlSpan){ text, length };
}

/* Line ends go, the blanks after them stay: RFC 5322 2.2.3. NUL and lone CR become blanks. */
static char *
unfold(MlSpan raw)
{
  const char *text = raw.at;
  char *out = g_malloc(raw.length + 1);
  gsize n = 0;
  for (gsize i = 0; i < raw.length; i++) {
    if (text[i] == '\n' || (text[i] == '\r' && (i + 1 == raw.length || text[i + 1] == '\n')))
      continue;
    out[n++] = text[i] == '\0' || text[i] == '\r' ? ' ' : text[i];
  }
  out[n] = '\0';
  return g_strstrip(out);
}

/* Where the value begins if the header in [at, end) has this name, else 0. */
static gsize
value_of(const char *block, gsize at, gsize end, const char *name, gsize name_length)
{
  if (end - at <= name_length || g_ascii_strncasecmp(block + at, name, name_length) != 0)
    return 0;
  gsize colon = at + name_length;
  while (colon < end && (block[colon] == ' ' || block[colon] == '\t'))
    colon++;
  return colon < end && block[colon] == ':' ? colon + 1 : 0;
}

char *
ml_header_value(const char *block, gsize length, const char *name)
{
  gsize name_length = strlen(name);
  for (gsize at = 0, end; at < length; at = end) {
    end = field_end(block, length, at);
    gsize value = value_of(block, at, end, name, name_length);
    if (value)
      return unfold(trimmed(block + value, end - value));
  }
  return NULL;
}

/* Encoded words decoded, bytes that are no UTF-8 guessed at, one line. Takes @raw; never NULL. */
static char *
decode(char *raw)
{
  char *valid = raw ? raw : g_strdup("");
  if (!g_str_is_ascii(valid) || strstr(valid, "=?")) { /* nearly all stands as it is */
    valid = ml_headers_decode(raw);
    g_free(raw);
  }
  for (char *p = valid; *p; p++)
    if (*p == '\n' || *p == '\r' || *p == '\t')
      *p = ' ';
  return g_strstrip(valid);
}

/* Of what was decoded already. */
static char *
one_line(const char *text)
{
  char *line = ml_headers_plain(text ? text : "");
  for (char *p = line; *p; p++)
    if (*p == '\t')
      *p = ' ';
  return line;
}

/* The first author's name, if that author is @address. GMime joins the words of a name before it decodes them: what follows
 * the padding of the first is lost. NULL: it stands otherwise. */
static char *
encoded_name(const char *raw, const char *address)
{
  g_autoptr(MlAddresses) list = ml_address_parse(raw);
  const MlAddress *first = list->mailboxes->len && !list->broken ? list->mailboxes->pdata[0] : NULL;
  return first && first->name && strcmp(first->address, address) == 0 ? g_strdup(first->name) : NULL;
}

/* ---- a line of the index: texts that need nothing done to them go into it from where they stand */

typedef struct {
  MlSpan raw; /* without the white space around it; at: NULL where there is no such field */
  gboolean plain; /* printable ASCII in one line, without encoded words: it stands for itself */
} Value;

/* Eight octets at a time. */
static gboolean
is_plain(MlSpan text)
{
  const guint64 each = G_GUINT64_CONSTANT(0x0101010101010101), high = each << 7;
  gboolean sign = FALSE;
  gsize i = 0;
  for (; i + 8 <= text.length; i += 8) {
    guint64 eight, signs;
    memcpy(&eight, text.at + i, 8);
    if ((eight | ((eight - each * ' ') & ~eight)) & high)
      return FALSE;
    signs = eight ^ each * '=';
    sign |= ((signs - each) & ~signs & high) != 0;
  }
  for (; i < text.length; i++) {
    if ((guchar)text.at[i] < ' ' || (guchar)text.at[i] >= 0x80)
      return FALSE;
    sign |= text.at[i] == '=';
  }
  return !sign || !memmem(text.at, text.length, "=?", 2);
}

/* What it says, as long as *own is not freed. */
static MlSpan
span_of(char *text, char **own)
{
  *own = text;
  return (MlSpan){ text, strlen(text) };
}

static MlSpan
decoded(const Value *value, char **own)
{
  return value->plain || !value->raw.at ? value->raw : span_of(decode(unfold(value->raw)), own);
}

typedef struct {
  MlSpan name, address;
  char *own_name, *own_address, *own_raw;
} Author;

/* By GMime. A group without members is a name only. */
static void
parse_author(const char *raw, MlSpan from, Author *author)
{
  InternetAddressList *list = *raw ? internet_address_list_parse(NULL, raw) : NULL;
  InternetAddress *first =
      list && internet_address_list_length(list) > 0 ? internet_address_list_get_address(list, 0) : NULL;
  const char *name = first ? internet_address_get_name(first) : NULL;
  g_autofree char *group = NULL;
  if (first && INTERNET_ADDRESS_IS_GROUP(first)) {
    group = g_strdup(name);
    InternetAddressList *members = internet_address_group_get_members(INTERNET_ADDRESS_GROUP(first));
    InternetAddress *member = members && internet_address_list_length(members) > 0
                                  ? internet_address_list_get_address(members, 0)
                                  : NULL;
    first = member;
    name = member ? internet_address_get_name(member) : group;
  }
  const char *address = first && INTERNET_ADDRESS_IS_MAILBOX(first)
                            ? internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first))
                            : NULL;
  author->address = span_of(one_line(address), &author->own_address);
  g_autofree char *encoded = strstr(raw, "=?") && address ? encoded_name(raw, address) : NULL;
  author->name = span_of(one_line(encoded ? encoded : name), &author->own_name);
  if (!author->name.length)
    author->name = author->address.length ? author->address : from;
  if (list)
    g_object_unref(list);
}

/* The first author. @from: the decoded field. */
static void
parse_from(const Value *value, MlSpan from, Author *author)
{
  MlSpan raw = value->raw;
  if (raw.at && !value->plain)
    raw = span_of(unfold(raw), &author->own_raw);
  if (!raw.length)
    return;
  if (ml_header_quick_from(raw, &author->name, &author->address)) {
    if (!author->name.at)
      author->name = author->address;
    return;
  }
  if (ml_header_quick_encoded(raw, &author->name, &author->address)) {
    g_autofree char *words = g_strndup(author->name.at, author->name.length), *name = ml_headers_decode(words);
    author->name = span_of(one_line(name), &author->own_name);
    if (*name)
      return;
    g_clear_pointer(&author->own_name, g_free);
  }
  g_autofree char *whole = g_strndup(raw.at, raw.length);
  parse_author(whole, from, author);
}

/* Not decoded: in @buffer, or in *own where that is too small. */
static const char *
unfolded(const Value *value, char *buffer, gsize size, char **own)
{
  if (!value->plain || value->raw.length >= size)
    return *own = unfold(value->raw);
  memcpy(buffer, value->raw.at, value->raw.length);
  buffer[value->raw.length] = '\0';
  return buffer;
}

static gint64
parse_date(const Value *value)
{
  char buffer[64];
  g_autofree char *own = NULL;
  gint64 when;
  if (!value->raw.length)
    return 0;
  const char *raw = unfolded(value, buffer, sizeof buffer, &own);
  if (ml_header_quick_date(raw, &when))
    return when;
  GDateTime *date = *raw ? g_mime_utils_header_decode_date(raw) : NULL;
  if (!date)
    return 0;
  when = g_date_time_to_unix(date);
  g_date_time_unref(date);
  return when;
}

/* As it stands but for octets that are no UTF-8. */
static MlSpan
valid(const Value *value, char **own)
{
  if (value->plain || !value->raw.at)
    return value->raw;
  g_autofree char *text = unfold(value->raw);
  return span_of(g_utf8_make_valid(text, -1), own);
}

static MlSpan
bare_id(const Value *value, char **own)
{
  MlSpan all = valid(value, own);
  const char *open = all.length ? memchr(all.at, '<', all.length) : NULL;
  const char *close = open ? memrchr(open, '>', (gsize)(all.at + all.length - open)) : NULL;
  return close ? trimmed(open + 1, (gsize)(close - open - 1)) : all;
}

static guint
pkcs7_hint(GMimeContentType *type)
{
  const char *kind = g_mime_content_type_get_parameter(type, "smime-type");
  if (!kind)
    return ML_HINT_ENCRYPTED; /* nearly always; the verdict will tell */
  if (g_ascii_strcasecmp(kind, "signed-data") == 0)
    return ML_HINT_SIGNED;
  if (g_ascii_strcasecmp(kind, "certs-only") == 0 || g_ascii_strcasecmp(kind, "compressed-data") == 0)
    return 0;
  return ML_HINT_ENCRYPTED;
}

static guint
parse_hints(const Value *value)
{
  char buffer[256];
  g_autofree char *own = NULL;
  if (!value->raw.length || (value->raw.length >= 5 && g_ascii_strncasecmp(value->raw.at, "text/", 5) == 0))
    return 0;
  const char *raw = unfolded(value, buffer, sizeof buffer, &own);
  if (!*raw || g_ascii_strncasecmp(raw, "text/", 5) == 0)
    return 0;
  guint hints = 0;
  if (ml_header_quick_hints(raw, &hints))
    return hints;
  GMimeContentType *type = g_mime_content_type_parse(NULL, raw);
  if (!type)
    return 0;
  const char *name = g_mime_content_type_get_parameter(type, "name");
  if (g_mime_content_type_is_type(type, "multipart", "signed"))
    hints = ML_HINT_SIGNED;
  else if (g_mime_content_type_is_type(type, "multipart", "encrypted"))
    hints = ML_HINT_ENCRYPTED;
  else if (g_mime_content_type_is_type(type, "multipart", "mixed"))
    hints = ML_HINT_ATTACHMENT;
  else if (g_mime_content_type_is_type(type, "application", "pkcs7-mime") ||
           g_mime_content_type_is_type(type, "application", "x-pkcs7-mime"))
    hints = pkcs7_hint(type);
  else if (g_mime_content_type_is_type(type, "application", "octet-stream") && name && strlen(name) > 4 &&
           g_ascii_strcasecmp(name + strlen(name) - 4, ".p7m") == 0)
    hints = ML_HINT_ENCRYPTED; /* RFC 8551 3.9 */
  g_object_unref(type);
  return hints;
}

enum { FROM, TO, CC, SUBJECT, MESSAGE_ID, REFERENCES, IN_REPLY_TO, DATE, CONTENT_TYPE, FIELDS };

static gboolean
is_word(const char *text, const char *word, gsize length)
{
  for (gsize i = 0; i < length; i++)
    if (text[i] != word[i] && g_ascii_tolower(text[i]) != word[i])
      return FALSE;
  return TRUE;
}

/* Which field the line in [at, end) is, and where its value begins; FIELDS: another one. */
static guint
field_of(const char *at, const char *end, const char **value)
{
  static const struct {
    const char *name;
    gsize length;
  } names[FIELDS] = { { "from", 4 },        { "to", 2 },           { "cc", 2 },   { "subject", 7 },      { "message-id", 10 },
                      { "references", 10 }, { "in-reply-to", 11 }, { "date", 4 }, { "content-type", 12 } };
  enum { LONGEST = 12 };
  gsize length = 0, most = MIN((gsize)(end - at), (gsize)LONGEST + 1);
  while (length < most && at[length] != ':' && at[length] != ' ' && at[length] != '\t')
    length++;
  const char *colon = at + length;
  while (colon < end && (*colon == ' ' || *colon == '\t'))
    colon++;
  if (colon == end || *colon != ':')
    return FIELDS;
  *value = colon + 1;
  for (guint i = 0; i < FIELDS; i++)
    if (names[i].length == length && is_word(at, names[i].name, length))
      return i;
  return FIELDS;
}

/* The first of each, in one walk: the block may be all of a message's header. */
static void
find_values(const char *block, gsize length, Value values[FIELDS])
{
  for (gsize at = 0, end; at < length; at = end) {
    end = field_end(block, length, at);
    const char *value;
    guint i = field_of(block + at, block + end, &value);
    if (i == FIELDS || values[i].raw.at)
      continue;
    values[i].raw = trimmed(value, (gsize)(block + end - value));
    values[i].plain = is_plain(values[i].raw);
  }
}

MlHeader *
ml_header_parse(const char *block, gsize length)
{
  Value values[FIELDS] = { 0 };
  ml_init();
  find_values(block, MIN(length, MAX_BLOCK), values);
  char *own[7] = { NULL };
  MlSpan references = valid(&values[REFERENCES], &own[5]);
  if (!references.length)
    references = valid(&values[IN_REPLY_TO], &own[6]);
  Author author = { .own_name = NULL };
  MlSpan from = decoded(&values[FROM], &own[0]);
  parse_from(&values[FROM], from, &author);
  MlHeader like = { .date = parse_date(&values[DATE]), .hints = parse_hints(&values[CONTENT_TYPE]) };
  MlHeader *header =
      ml_header_new(&like, (MlSpan[]){ from, author.name, author.address, decoded(&values[TO], &own[1]),
                                       decoded(&values[CC], &own[2]), decoded(&values[SUBJECT], &own[3]),
                                       bare_id(&values[MESSAGE_ID], &own[4]), references });
  for (guint i = 0; i < G_N_ELEMENTS(own); i++)
    g_free(own[i]);
  g_free(author.own_name);
  g_free(author.own_address);
  g_free(author.own_raw);
  return header;
}

char **
ml_flags_words(guint flags)
{
  static const struct {
    guint flag;
    const char *word;
  } words[] = {
    { ML_FLAG_SEEN, "seen" },       { ML_FLAG_ANSWERED, "answered" }, { ML_FLAG_FLAGGED, "flagged" },
    { ML_FLAG_DELETED, "deleted" }, { ML_FLAG_DRAFT, "draft" },       { ML_FLAG_FORWARDED, "forwarded" },
    { ML_FLAG_RECENT, "recent" },
  };
  GPtrArray *all = g_ptr_array_new();
  for (guint i = 0; i < G_N_ELEMENTS(words); i++)
    if (flags & words[i].flag)
      g_ptr_array_add(all, g_strdup(words[i].word));
  g_ptr_array_add(all, NULL);
  return (char **)g_ptr_array_free(all, FALSE);
}
