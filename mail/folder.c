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

void
ml_header_free(MlHeader *header)
{
  if (!header)
    return;
  char *strings[] = { header->from, header->from_name, header->from_address, header->to,
                      header->cc,   header->subject,   header->message_id,   header->references };
  for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
    g_free(strings[i]);
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

/* Line ends go, the blanks after them stay: RFC 5322 2.2.3. NUL and lone CR become blanks. */
static char *
unfold(const char *text, gsize length)
{
  length = MIN(length, MAX_VALUE);
  while (length && g_ascii_isspace(text[length - 1]))
    length--;
  for (; length && g_ascii_isspace(*text); text++)
    length--;
  if (!memchr(text, '\n', length) && !memchr(text, '\r', length) && !memchr(text, '\0', length))
    return g_strndup(text, length);
  char *out = g_malloc(length + 1);
  gsize n = 0;
  for (gsize i = 0; i < length; i++) {
    if (text[i] == '\n' || (text[i] == '\r' && (i + 1 == length || text[i + 1] == '\n')))
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
      return unfold(block + value, end - value);
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

/* The first author. A group without members is a name only. */
static void
parse_from(MlHeader *header, const char *raw)
{
  if (raw && ml_header_quick_from(raw, &header->from_name, &header->from_address)) {
    if (!header->from_name)
      header->from_name = g_strdup(header->from_address);
    return;
  }
  InternetAddressList *list = raw && *raw ? internet_address_list_parse(NULL, raw) : NULL;
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
  header->from_address = one_line(address);
  g_autofree char *encoded = strstr(raw ? raw : "", "=?") && address ? encoded_name(raw, address) : NULL;
  header->from_name = one_line(encoded ? encoded : name);
  if (!*header->from_name) {
    g_free(header->from_name);
    header->from_name = g_strdup(*header->from_address ? header->from_address : header->from);
  }
  if (list)
    g_object_unref(list);
}

static gint64
parse_date(const char *raw)
{
  gint64 when;
  if (raw && ml_header_quick_date(raw, &when))
    return when;
  GDateTime *date = raw && *raw ? g_mime_utils_header_decode_date(raw) : NULL;
  if (!date)
    return 0;
  when = g_date_time_to_unix(date);
  g_date_time_unref(date);
  return when;
}

static char *
bare_id(const char *raw)
{
  if (!raw)
    return g_strdup("");
  const char *open = strchr(raw, '<');
  const char *close = open ? strrchr(open, '>') : NULL;
  g_autofree char *id = close ? g_strndup(open + 1, (gsize)(close - open - 1)) : g_strdup(raw);
  return g_utf8_make_valid(g_strstrip(id), -1);
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
parse_hints(const char *raw)
{
  if (!raw || !*raw || g_ascii_strncasecmp(raw, "text/", 5) == 0)
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

/* The first of each, in one walk: the block may be all of a message's header. */
static void
find_values(const char *block, gsize length, char *values[FIELDS])
{
  static const struct {
    const char *name;
    gsize length;
  } names[FIELDS] = { { "From", 4 },        { "To", 2 },           { "Cc", 2 },   { "Subject", 7 },      { "Message-ID", 10 },
                      { "References", 10 }, { "In-Reply-To", 11 }, { "Date", 4 }, { "Content-Type", 12 } };
  for (gsize at = 0, end; at < length; at = end) {
    end = field_end(block, length, at);
    for (guint i = 0; i < FIELDS; i++) {
      gsize value = values[i] || (block[at] | 0x20) != (names[i].name[0] | 0x20)
                        ? 0
                        : value_of(block, at, end, names[i].name, names[i].length);
      if (value) {
        values[i] = unfold(block + value, end - value);
        break;
      }
    }
  }
}

MlHeader *
ml_header_parse(const char *block, gsize length)
{
  char *values[FIELDS] = { NULL };
  ml_init();
  find_values(block, MIN(length, MAX_BLOCK), values);
  MlHeader *header = g_new0(MlHeader, 1);
  header->from = decode(g_strdup(values[FROM]));
  parse_from(header, values[FROM]);
  header->to = decode(g_steal_pointer(&values[TO]));
  header->cc = decode(g_steal_pointer(&values[CC]));
  header->subject = decode(g_steal_pointer(&values[SUBJECT]));
  header->message_id = bare_id(values[MESSAGE_ID]);
  const char *references = values[REFERENCES] && *values[REFERENCES] ? values[REFERENCES] : values[IN_REPLY_TO];
  header->references = g_utf8_make_valid(references ? references : "", -1);
  header->date = parse_date(values[DATE]);
  header->hints = parse_hints(values[CONTENT_TYPE]);
  for (guint i = 0; i < FIELDS; i++)
    g_free(values[i]);
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
