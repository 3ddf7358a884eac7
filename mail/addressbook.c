#include <string.h>

#include "mail/addressbook-private.h"
#include "mail/draft-private.h"
#include "mail/headers-write-private.h"

enum {
  PER_MESSAGE = 50, /* addresses of one field that are remembered */
  WORDS = 8,        /* of what is typed that count */
  KEY_MAX = 1000,
};

typedef struct {
  MlSuggestion shown;
  gint64 last;
  char *key; /* what is searched: nickname, name and address, folded */
} Entry;

struct MlAddressbook {
  GPtrArray *entries;     /* of Entry */
  GHashTable *by_address; /* folded address -> Entry, borrowed */
  guint skipped;
};

void
ml_suggestion_free(MlSuggestion *suggestion)
{
  if (!suggestion)
    return;
  g_free(suggestion->address);
  g_free(suggestion->display);
  g_free(suggestion);
}

static void
entry_free(Entry *entry)
{
  g_free(entry->shown.address);
  g_free(entry->shown.display);
  g_free(entry->key);
  g_free(entry);
}

void
ml_addressbook_free(MlAddressbook *book)
{
  if (!book)
    return;
  g_ptr_array_unref(book->entries);
  g_hash_table_unref(book->by_address);
  g_free(book);
}

/* Without case and accents: "muller" finds Müller. */
static char *
fold(const char *text)
{
  gboolean ascii = g_str_is_ascii(text);
  if (ascii)
    return g_ascii_strdown(text, -1);
  g_autofree char *wide = g_utf8_normalize(text, -1, G_NORMALIZE_ALL);
  GString *out = g_string_new(NULL);
  for (const char *c = wide; c && *c; c = g_utf8_next_char(c)) {
    gunichar one = g_utf8_get_char(c);
    if (!g_unichar_ismark(one))
      g_string_append_unichar(out, g_unichar_tolower(one));
  }
  return g_string_free(out, FALSE);
}

/* ---- remembering */

/* A name that looks like another's address would make an imitation easy to choose. */
static const char *
honest_name(const char *name, const char *address)
{
  return name && *name && strlen(name) <= 200 && !ml_address_other_in(name, address) ? name : NULL;
}

static gboolean
note(MlPeople *people, GPtrArray *addresses, guint most, gboolean sent, gint64 now, GError **error)
{
  for (guint i = 0; i < addresses->len && i < most; i++) {
    const MlAddress *address = g_ptr_array_index(addresses, i);
    if (!ml_store_addresses_add(people, address->address, honest_name(address->name, address->address), sent,
                                now, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
ml_addressbook_note_sent(MlPeople *people, const MlDraft *draft, gint64 now, GError **error)
{
  const char *const typed[] = { draft->to, draft->cc, draft->bcc };
  static const char *const names[] = { "To", "Cc", "Bcc" };
  if (!ml_store_addresses_begin(people, error))
    return FALSE;
  gboolean good = TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS(typed) && good; i++) {
    g_autoptr(GPtrArray) found = ml_draft_parse(names[i], typed[i], error);
    good = found && note(people, found, ML_DRAFT_RECIPIENTS, TRUE, now, error);
  }
  return ml_store_addresses_end(people, good, error);
}

gboolean
ml_addressbook_note_seen(MlPeople *people, const MlMessage *message, gint64 now, GError **error)
{
  static const char *const names[] = { "From", "Reply-To", "To", "Cc" };
  if (!ml_store_addresses_begin(people, error))
    return FALSE;
  gboolean good = TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS(names) && good; i++) {
    g_autoptr(GPtrArray) found = ml_draft_source_people(message, names[i], NULL);
    good = note(people, found, PER_MESSAGE, FALSE, now, error);
  }
  return ml_store_addresses_end(people, good, error);
}

/* ---- the book */

static Entry *
add_entry(MlAddressbook *book, const char *address, char *display, const char *nick)
{
  g_autofree char *folded = address ? ml_address_fold(address) : NULL;
  Entry *entry = folded ? g_hash_table_lookup(book->by_address, folded) : NULL;
  if (entry || book->entries->len >= ML_ADDRESSBOOK_MAX) {
    g_free(display);
    return entry;
  }
  entry = g_new0(Entry, 1);
  entry->shown.address = g_strdup(address);
  entry->shown.display = display;
  g_autofree char *searched =
      nick ? g_strdup_printf("%s %.*s", nick, KEY_MAX, display) : g_strndup(display, KEY_MAX);
  g_autofree char *valid = g_utf8_make_valid(searched, -1);
  entry->key = fold(valid);
  g_ptr_array_add(book->entries, entry);
  if (folded)
    g_hash_table_insert(book->by_address, g_steal_pointer(&folded), entry);
  return entry;
}

static gboolean
take_listed(const char *nick, const char *typed, gpointer user_data)
{
  MlAddressbook *book = user_data;
  g_autoptr(GPtrArray) found = ml_draft_parse("Address", typed, NULL);
  if (!found || !found->len)
    return FALSE;
  const MlAddress *first = g_ptr_array_index(found, 0);
  gboolean several = found->len > 1;
  Entry *entry = add_entry(
      book, several ? NULL : first->address,
      several ? ml_draft_join_people(found) : ml_headers_write_mailbox(first->name, first->address), nick);
  if (entry)
    entry->shown.listed = TRUE;
  return TRUE;
}

static void
take_known(const char *address, const char *name, guint sent, guint seen, gint64 last, gpointer user_data)
{
  MlAddressbook *book = user_data;
  if (!address || !name)
    return;
  Entry *entry = add_entry(book, address, ml_headers_write_mailbox(name, address), NULL);
  if (!entry)
    return;
  entry->shown.sent = sent;
  entry->shown.seen = seen;
  entry->last = last;
}

/* The file first: its spelling of a name is the user's. */
MlAddressbook *
ml_addressbook_open(MlPeople *people, const char *file, GError **error)
{
  g_autoptr(MlAddressbook) book = g_new0(MlAddressbook, 1);
  book->entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
  book->by_address = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  if (file && !ml_addressbook_file(file, take_listed, &book->skipped, book, error))
    return NULL;
  if (people && !ml_store_addresses_each(people, take_known, book, error))
    return NULL;
  return g_steal_pointer(&book);
}

guint
ml_addressbook_size(const MlAddressbook *book)
{
  return book->entries->len;
}

guint
ml_addressbook_skipped(const MlAddressbook *book)
{
  return book->skipped;
}

/* ---- completing */

static gboolean
begins_word(const char *key, const char *at)
{
  return at == key || strchr(" <\"'(@.-_+,", at[-1]);
}

/* 0: no. 1: it is in there. 2: a word begins with it. */
static guint
match_word(const char *key, const char *word)
{
  guint best = 0;
  for (const char *at = strstr(key, word); at && best < 2; at = strstr(at + 1, word))
    best = begins_word(key, at) ? 2 : 1;
  return best;
}

static guint
match(const char *key, char **words)
{
  guint worst = 2;
  for (; *words && worst; words++) {
    guint one = **words ? match_word(key, *words) : 2;
    worst = MIN(worst, one);
  }
  return worst;
}

typedef struct {
  const Entry *entry;
  guint match;
  double use;
} Found;

/* How much it is used, less the longer ago. Writing counts for ten times reading. */
static double
use_of(const Entry *entry, gint64 now)
{
  double days = entry->last && now > entry->last ? (double)(now - entry->last) / 86400 : 0;
  double count =
      10.0 * MIN(entry->shown.sent, 1000u) + MIN(entry->shown.seen, 9u) + (entry->shown.listed ? 10 : 0);
  return count / (1 + days / 90);
}

static int
compare(gconstpointer a, gconstpointer b)
{
  const Found *x = a, *y = b;
  if (x->match != y->match)
    return x->match > y->match ? -1 : 1;
  if (x->use != y->use)
    return x->use > y->use ? -1 : 1;
  return strcmp(x->entry->key, y->entry->key);
}

/* Into its place among the best so far; what falls out at the end is forgotten. */
static void
keep(GArray *best, const Found *one, guint limit)
{
  guint at = best->len;
  while (at && compare(one, &g_array_index(best, Found, at - 1)) < 0)
    at--;
  if (at >= limit)
    return;
  g_array_insert_vals(best, at, one, 1);
  if (best->len > limit)
    g_array_set_size(best, limit);
}

GPtrArray *
ml_addressbook_complete(const MlAddressbook *book, const char *typed, guint limit, gint64 now)
{
  GPtrArray *result = g_ptr_array_new_with_free_func((GDestroyNotify)ml_suggestion_free);
  g_autofree char *valid = g_utf8_make_valid(typed, (gssize)MIN(strlen(typed), (gsize)KEY_MAX));
  g_autofree char *folded = fold(valid);
  g_auto(GStrv) words = g_strsplit(folded, " ", WORDS);
  g_autoptr(GArray) best = g_array_new(FALSE, FALSE, sizeof(Found));
  for (guint i = 0; i < book->entries->len; i++) {
    const Entry *entry = g_ptr_array_index(book->entries, i);
    Found one = { entry, match(entry->key, words), 0 };
    if (!one.match)
      continue;
    one.use = use_of(entry, now);
    keep(best, &one, limit);
  }
  for (guint i = 0; i < best->len; i++) {
    const MlSuggestion *shown = &g_array_index(best, Found, i).entry->shown;
    MlSuggestion *suggestion = g_new0(MlSuggestion, 1);
    *suggestion = *shown;
    suggestion->address = g_strdup(shown->address);
    suggestion->display = g_strdup(shown->display);
    g_ptr_array_add(result, suggestion);
  }
  return result;
}
