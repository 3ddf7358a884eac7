#include "mail/opened.h"

#include <errno.h>
#include <string.h>

#include "crypto/cms-write.h"
#include "crypto/keyuse.h"
#include "mail/files.h"
#include "mail/headers-private.h"
#include "mail/message-private.h"
#include "mail/pieces.h"
#include "mail/recipients.h"
#include "mail/search.h"
#include "mail/store-opened-private.h"

/* What is inside a piece: GVariant's serialization, little endian. */
#define TYPE "(ya(suusxssss))"
enum { FORMAT = 1, PLACE_MAX = 4096, FIELD_MAX = 64 * 1024, GATHER = 16, REST = 24 * 60 * 60 };

struct MlOpened {
  const MlAccount *account;
  char *path, *owner;
  MlStoreOpened *index;
  MlPieces *pieces; /* as they were when they were loaded last; NULL */
  GArray *open;     /* of gboolean: which of them are in the index, or are of no use */
  guint used;       /* for so many of them the key was used */
  GHashTable *newer; /* numbers of messages in pieces of a newer signet: no key is used for them twice */
  guint texts;      /* so many are kept; twice as many have room in memory */
  gsize size;       /* octets of them that are kept */
};

/* ---- of one message */

static char *
cut(const char *text, gsize limit)
{
  gsize length = text ? strlen(text) : 0;
  if (length <= limit)
    return g_strdup(text ? text : "");
  const char *end = g_utf8_find_prev_char(text, text + limit + 1);
  return g_strndup(text, end ? (gsize)(end - text) : 0);
}

/* As MlHeader has it. */
static char *
id_of(const MlMessage *message)
{
  g_autofree char *raw = ml_headers_text(message->root, "Message-ID");
  const char *from = raw ? strchr(raw, '<') : NULL, *to = from ? strchr(from, '>') : NULL;
  g_autofree char *bare = to ? g_strndup(from + 1, (gsize)(to - from) - 1) : g_strdup(raw ? raw : "");
  return strlen(g_strstrip(bare)) > PLACE_MAX ? g_strdup("") : g_steal_pointer(&bare);
}

MlOpenedText *
ml_opened_text(const MlMessage *message, const char *folder, guint32 uidvalidity, guint32 uid)
{
  g_autofree char *words = strlen(folder) <= PLACE_MAX ? ml_message_opened(message, ML_SEARCH_TEXT) : NULL;
  if (!words)
    return NULL;
  const char *to = ml_message_header(message, "To"), *cc = ml_message_header(message, "Cc");
  g_autofree char *recipients = g_strconcat(to ? to : "", "\n", cc, NULL);
  MlOpenedText *text = g_new0(MlOpenedText, 1);
  *text = (MlOpenedText){ .folder = g_strdup(folder), .uidvalidity = uidvalidity, .uid = uid, .message_id = id_of(message) };
  text->from = cut(ml_message_header(message, "From"), FIELD_MAX);
  text->to = cut(recipients, FIELD_MAX);
  text->subject = cut(ml_message_header(message, "Subject"), FIELD_MAX);
  text->text = g_steal_pointer(&words);
  return text;
}

void
ml_opened_text_free(MlOpenedText *text)
{
  if (!text)
    return;
  char *strings[] = { text->folder, text->message_id, text->from, text->to, text->subject, text->text };
  for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
    g_free(strings[i]);
  g_free(text);
}

gsize
ml_opened_text_size(const MlOpenedText *text)
{
  return strlen(text->folder) + strlen(text->message_id) + strlen(text->from) + strlen(text->to) +
         strlen(text->subject) + strlen(text->text);
}

static guint64
number_of(const MlOpenedText *text)
{
  return ml_store_opened_number(text->folder, text->uidvalidity, text->uid);
}

/* ---- a piece */

static GVariant *
little_endian(GVariant *value)
{
  if (G_BYTE_ORDER == G_LITTLE_ENDIAN)
    return g_variant_ref(value);
  return g_variant_byteswap(value);
}

/* Strings of ours are UTF-8, but for what may have been cut. */
static GBytes *
pack(const GPtrArray *texts)
{
  GVariantBuilder all;
  g_variant_builder_init(&all, G_VARIANT_TYPE("a(suusxssss)"));
  for (guint i = 0; i < texts->len; i++) {
    const MlOpenedText *text = texts->pdata[i];
    const char *strings[] = { text->folder, text->message_id, text->from, text->to, text->subject, text->text };
    char *valid[G_N_ELEMENTS(strings)];
    for (guint k = 0; k < G_N_ELEMENTS(strings); k++)
      valid[k] = g_utf8_make_valid(strings[k], -1);
    g_variant_builder_add(&all, "(suusxssss)", valid[0], text->uidvalidity, text->uid, valid[1], text->lost, valid[2],
                          valid[3], valid[4], valid[5]);
    for (guint k = 0; k < G_N_ELEMENTS(strings); k++)
      g_free(valid[k]);
  }
  g_autoptr(GVariant) whole = g_variant_ref_sink(g_variant_new(TYPE, FORMAT, &all));
  g_autoptr(GVariant) fixed = little_endian(whole);
  return g_variant_get_data_as_bytes(fixed);
}

static gboolean
has_room(const MlOpened *opened)
{
  return ml_store_opened_count(opened->index) / 2 < opened->texts;
}

/* What follows the number of its format may be anything. */
static gboolean
is_newer(GBytes *octets)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(octets, &length);
  return length && data[0] > FORMAT;
}

/* Whoever has the certificate can write one, so nothing in it is taken on trust, and no more than the @most messages that
 * it is said to have, with these numbers. *@whole FALSE: there was no room for some. */
static gboolean
unpack(MlOpened *opened, GBytes *octets, const guint64 *numbers, guint most, gboolean *whole, GError **error)
{
  g_autoptr(GVariant) raw = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(TYPE), octets, FALSE));
  g_autoptr(GVariant) all = little_endian(raw);
  g_autoptr(GVariantIter) iter = NULL;
  MlOpenedText text = { NULL };
  guint8 format;
  *whole = TRUE;
  g_variant_get(all, TYPE, &format, &iter);
  if (format != FORMAT)
    return TRUE; /* no signet's */
  for (guint i = 0; i < most && g_variant_iter_next(iter, "(&suu&sx&s&s&s&s)", &text.folder, &text.uidvalidity, &text.uid,
                                                    &text.message_id, &text.lost, &text.from, &text.to, &text.subject,
                                                    &text.text); i++) {
    gboolean fits = *text.folder && strlen(text.folder) <= PLACE_MAX && strlen(text.message_id) <= PLACE_MAX &&
                    strlen(text.from) <= FIELD_MAX && strlen(text.to) <= FIELD_MAX &&
                    strlen(text.subject) <= FIELD_MAX && strlen(text.text) <= ML_SEARCH_TEXT;
    guint64 number = number_of(&text);
    text.guessed = numbers[i] == ~number;
    if (!fits || ml_store_opened_has(opened->index, text.guessed ? ~number : number))
      continue;
    if (!has_room(opened)) {
      *whole = FALSE;
      return TRUE;
    }
    if (!ml_store_opened_add(opened->index, &text, error))
      return FALSE;
  }
  return TRUE;
}

static CryptoCert *
certificate(const MlAccount *account, CryptoRevocationMode revocation, GError **error)
{
  GError *why = NULL;
  CryptoCert *cert = account->address || (account->encrypt_cert && g_ascii_strcasecmp(account->encrypt_cert, "auto") != 0)
                         ? ml_recipients_own(account, account->address, NULL, CRYPTO_USE_ENCRYPT,
                                             g_get_real_time() / G_USEC_PER_SEC, revocation, &why)
                         : NULL;
  if (!cert)
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "What encrypted mail says cannot be kept for the search: %s",
                why ? why->message : "the account has no address, for which there could be a certificate.");
  g_clear_error(&why);
  return cert;
}

/* AES-256-GCM, whatever mail that leaves may need. */
static GBytes *
seal(const MlAccount *account, const GPtrArray *texts, CryptoRevocationMode revocation, GError **error)
{
  g_autoptr(CryptoCert) cert = certificate(account, revocation, error);
  g_autoptr(GPtrArray) to = g_ptr_array_new();
  if (!cert)
    return NULL;
  g_autoptr(GBytes) content = pack(texts);
  g_ptr_array_add(to, cert);
  return crypto_cms_encrypt(content, to, CRYPTO_CIPHER_AES256_GCM, FALSE, error);
}

static GArray *
numbers_of(const GPtrArray *texts)
{
  GArray *numbers = g_array_new(FALSE, FALSE, sizeof(guint64));
  for (guint i = 0; i < texts->len; i++) {
    const MlOpenedText *text = texts->pdata[i];
    guint64 number = text->guessed ? ~number_of(text) : number_of(text); /* what is read there has another, and gets in */
    g_array_append_val(numbers, number);
  }
  return numbers;
}

/* ---- putting in */

static GHashTable *
numbers_there(const MlPieces *pieces)
{
  GHashTable *all = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  for (guint i = 0; i < ml_pieces_count(pieces); i++) {
    guint n;
    const guint64 *ids = ml_pieces_ids(pieces, i, &n);
    for (guint k = 0; k < n; k++)
      g_hash_table_add(all, g_memdup2(&ids[k], sizeof ids[k]));
  }
  return all;
}

gboolean
ml_opened_keep(const char *directory, const MlAccount *account, const GPtrArray *texts, CryptoRevocationMode revocation,
               GError **error)
{
  g_autofree char *path = ml_store_opened_path(directory, account), *owner = ml_store_opened_owner(account);
  g_autoptr(MlPieces) pieces = ml_pieces_open(path, owner, error);
  if (!pieces)
    return FALSE;
  g_autoptr(GHashTable) there = numbers_there(pieces);
  g_autoptr(GPtrArray) fresh = g_ptr_array_new();
  for (guint i = 0; i < texts->len; i++) {
    guint64 number = number_of(texts->pdata[i]);
    if (g_hash_table_add(there, g_memdup2(&number, sizeof number)))
      g_ptr_array_add(fresh, texts->pdata[i]);
  }
  if (!fresh->len)
    return TRUE;
  if (g_mkdir_with_parents(directory, 0700) < 0) { /* mail may be read before anything else is kept of it */
    ml_files_error(error, errno, "made", directory);
    return FALSE;
  }
  g_autoptr(GBytes) sealed = seal(account, fresh, revocation, error);
  g_autoptr(GArray) numbers = numbers_of(fresh);
  GError *why = NULL;
  if (!sealed || ml_pieces_append(path, owner, numbers, sealed, &why))
    return sealed != NULL;
  if (g_error_matches(why, ML_ERROR, ML_ERROR_FAILED)) {
    g_clear_error(&why);
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "What encrypted mail says cannot be kept for the search: %s is full. Search once with its key (signet search "
                "--encrypted), which makes one piece of many.", path);
  } else {
    g_propagate_error(error, why);
  }
  return FALSE;
}

gboolean
ml_opened_remove(const char *directory, const MlAccount *account, gboolean *any, GError **error)
{
  g_autofree char *path = ml_store_opened_path(directory, account);
  return ml_pieces_remove(path, any, error);
}

gboolean
ml_opened_any(const char *directory, const MlAccount *account)
{
  g_autofree char *path = ml_store_opened_path(directory, account);
  return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* ---- in memory */

MlOpened *
ml_opened_new(const char *directory, const MlAccount *account, GError **error)
{
  MlStoreOpened *index = ml_store_opened_new(error);
  if (!index)
    return NULL;
  MlOpened *opened = g_new0(MlOpened, 1);
  opened->account = account;
  opened->path = ml_store_opened_path(directory, account);
  opened->owner = ml_store_opened_owner(account);
  opened->index = index;
  opened->texts = ML_OPENED_TEXTS;
  opened->size = ML_OPENED_SIZE;
  opened->open = g_array_new(FALSE, TRUE, sizeof(gboolean));
  opened->newer = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  return opened;
}

void
ml_opened_set_limits(MlOpened *opened, guint texts, gsize size)
{
  opened->texts = texts;
  opened->size = size;
}

void
ml_opened_free(MlOpened *opened)
{
  if (!opened)
    return;
  ml_store_opened_free(opened->index);
  ml_pieces_free(opened->pieces);
  g_array_unref(opened->open);
  g_hash_table_unref(opened->newer);
  g_free(opened->path);
  g_free(opened->owner);
  g_free(opened);
}

void
ml_opened_state_clear(MlOpenedState *state)
{
  g_clear_error(&state->why);
}

/* Are all of its messages in the index? */
static gboolean
is_known(const MlOpened *opened, guint i)
{
  guint n;
  const guint64 *ids = ml_pieces_ids(opened->pieces, i, &n);
  for (guint k = 0; k < n; k++)
    if (!ml_store_opened_has(opened->index, ids[k]))
      return FALSE;
  return TRUE;
}

static gboolean
is_known_newer(const MlOpened *opened, guint i)
{
  guint n, k = 0;
  const guint64 *ids = ml_pieces_ids(opened->pieces, i, &n);
  while (k < n && g_hash_table_contains(opened->newer, &ids[k]))
    k++;
  return n && k == n;
}

/* What this one cannot read another can: it stays in the file. */
static void
note_newer(MlOpened *opened, guint i, MlOpenedState *state)
{
  guint n;
  const guint64 *ids = ml_pieces_ids(opened->pieces, i, &n);
  for (guint k = 0; k < n; k++)
    g_hash_table_add(opened->newer, g_memdup2(&ids[k], sizeof ids[k]));
  if (!state->why)
    state->why = g_error_new(ML_ERROR, ML_ERROR_STORE, "what they say was written down by a newer signet; use that one.");
  state->newer = TRUE;
}

static GBytes *
unseal(const MlOpened *opened, guint i, CryptoPinSource *pin, GError **error)
{
  g_autoptr(GBytes) sealed = ml_pieces_get(opened->pieces, i, error);
  g_autoptr(CryptoCms) cms = sealed ? crypto_cms_parse(sealed, error) : NULL;
  return cms ? crypto_cms_decrypt(cms, pin, error) : NULL;
}

typedef enum { PIECE_OPEN, PIECE_CLOSED, PIECE_USELESS, PIECE_FAILED } PieceIs;

static PieceIs
open_one(MlOpened *opened, guint i, CryptoPinSource *pin, MlOpenedState *state, GError **error)
{
  g_autoptr(GError) why = NULL;
  guint n;
  gboolean whole;
  if (is_known_newer(opened, i)) {
    note_newer(opened, i, state);
    return PIECE_CLOSED;
  }
  if (!has_room(opened)) { /* no key is used for nothing */
    state->full = TRUE;
    return PIECE_CLOSED;
  }
  g_autoptr(GBytes) octets = unseal(opened, i, pin, &why);
  opened->used += octets != NULL;
  if (octets && is_newer(octets)) {
    note_newer(opened, i, state);
    return PIECE_CLOSED;
  }
  const guint64 *numbers = ml_pieces_ids(opened->pieces, i, &n);
  if (octets && !unpack(opened, octets, numbers, n, &whole, error))
    return PIECE_FAILED;
  if (octets) {
    state->full |= !whole;
    return whole ? PIECE_OPEN : PIECE_CLOSED; /* what was not taken must stay in the file */
  }
  if (g_error_matches(why, ML_ERROR, ML_ERROR_MALFORMED))
    return PIECE_USELESS; /* not as it was written */
  if (why->domain == ML_ERROR || g_error_matches(why, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL)) {
    g_propagate_error(error, g_steal_pointer(&why));
    return PIECE_FAILED;
  }
  state->locked |= g_error_matches(why, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED) ||
                   g_error_matches(why, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED) ||
                   g_error_matches(why, CRYPTO_ERROR, CRYPTO_ERROR_PIN);
  g_clear_error(&state->why);
  state->why = g_steal_pointer(&why);
  return PIECE_CLOSED;
}

static guint
count_closed(const MlOpened *opened)
{
  g_autoptr(GHashTable) all = g_hash_table_new(g_int64_hash, g_int64_equal);
  for (guint i = 0; i < ml_pieces_count(opened->pieces); i++) {
    guint n;
    const guint64 *ids = ml_pieces_ids(opened->pieces, i, &n);
    for (guint k = 0; k < n && !g_array_index(opened->open, gboolean, i); k++)
      if (!ml_store_opened_has(opened->index, ids[k]))
        g_hash_table_add(all, (gpointer)&ids[k]);
  }
  return g_hash_table_size(all);
}

gboolean
ml_opened_load(MlOpened *opened, CryptoPinSource *pin, GCancellable *cancellable, MlOpenedState *state, GError **error)
{
  MlPieces *pieces = ml_pieces_open(opened->path, opened->owner, error);
  if (!pieces)
    return FALSE;
  ml_pieces_free(opened->pieces);
  opened->pieces = pieces;
  g_array_set_size(opened->open, 0);
  g_array_set_size(opened->open, ml_pieces_count(pieces));
  g_autofree char *about = g_strdup_printf("the search in encrypted mail, account %s", opened->account->name);
  crypto_keyuse_push(about);
  gboolean ok = TRUE;
  opened->used = 0;
  for (guint i = opened->open->len; i-- > 0 && ok;) {
    PieceIs is = is_known(opened, i)                                             ? PIECE_OPEN
                 : g_cancellable_set_error_if_cancelled(cancellable, error) ? PIECE_FAILED
                                                                            : open_one(opened, i, pin, state, error);
    g_array_index(opened->open, gboolean, i) = is == PIECE_OPEN || is == PIECE_USELESS;
    ok = is != PIECE_FAILED;
  }
  crypto_keyuse_pop();
  state->messages = ml_store_opened_count(opened->index);
  state->closed = count_closed(opened);
  return ok;
}

gboolean
ml_opened_place(MlOpened *opened, MlStore *store, GError **error)
{
  return ml_store_opened_place(opened->index, store, g_get_real_time() / G_USEC_PER_SEC, error);
}

gboolean
ml_opened_add(MlOpened *opened, const GPtrArray *texts, GError **error)
{
  for (guint i = 0; i < texts->len; i++)
    if (has_room(opened) &&
        !ml_store_opened_add(opened->index, texts->pdata[i], error))
      return FALSE;
  return TRUE;
}

void
ml_opened_join(MlOpened *opened, MlStoreSearch *search)
{
  ml_store_search_join(search, opened ? opened->index : NULL);
}

char *
ml_opened_find(MlOpened *opened, const char *folder, guint32 uidvalidity, guint32 uid)
{
  return ml_store_opened_text(opened->index, folder, uidvalidity, uid);
}

/* ---- one piece of many */

typedef struct {
  guint at;
  gint64 date;
} Age;

static int
newest_first(gconstpointer a, gconstpointer b)
{
  const Age *one = a, *other = b;
  return one->date != other->date ? (one->date < other->date ? 1 : -1) : one->at < other->at ? -1 : 1;
}

/* What stays of the index: not what was lost for long; the newest where it has become too much. @stays: of gboolean, one
 * for each that is there. */
static GPtrArray *
choose(MlOpened *opened, GArray *stays, GError **error)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(GArray) ages = g_array_new(FALSE, FALSE, sizeof(Age));
  g_autoptr(GPtrArray) chosen = g_ptr_array_new_with_free_func((GDestroyNotify)ml_opened_text_free);
  gsize size = 0;
  for (guint i = 0; i < ml_store_opened_count(opened->index); i++) {
    Age age = { i, 0 };
    MlOpenedText *text = ml_store_opened_get(opened->index, i, &age.date, error);
    if (!text)
      return NULL;
    if (!text->lost || now - text->lost <= ML_OPENED_LOST)
      g_array_append_val(ages, age);
    ml_opened_text_free(text);
  }
  g_array_sort(ages, newest_first);
  g_array_set_size(stays, ml_store_opened_count(opened->index));
  for (guint i = 0; i < ages->len && chosen->len < opened->texts; i++) {
    gint64 date;
    guint at = g_array_index(ages, Age, i).at;
    MlOpenedText *text = ml_store_opened_get(opened->index, at, &date, error);
    if (!text)
      return NULL;
    size += ml_opened_text_size(text);
    if (size > opened->size) {
      ml_opened_text_free(text);
      break;
    }
    g_ptr_array_add(chosen, text);
    g_array_index(stays, gboolean, at) = TRUE;
  }
  return g_steal_pointer(&chosen);
}

/* What was lost, found or moved must come into the file, or the 30 days never begin for whoever loads it next. But that
 * writes all of it, so it is done where nothing else was written for a day. */
static gboolean
is_due(const MlOpened *opened)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC, written = ml_pieces_written(opened->pieces);
  return (written > now || now - written >= REST) && ml_store_opened_changed(opened->index);
}

/* Would the next one who loads it need the key more than once, or is there what shall be there no more? What this one
 * put in itself may gather for a while. */
static gboolean
is_tidy(const MlOpened *opened, const GPtrArray *chosen)
{
  guint opens = 0, n = 0;
  for (guint i = 0; i < opened->open->len; i++)
    if (g_array_index(opened->open, gboolean, i)) {
      opens++;
      ml_pieces_ids(opened->pieces, i, &n);
    }
  return opens == 0 || (opens == 1 ? n <= chosen->len : opened->used < 2 && opens < GATHER);
}

gboolean
ml_opened_tidy(MlOpened *opened, CryptoRevocationMode revocation, GError **error)
{
  gboolean done = FALSE, must = ml_store_opened_count(opened->index) > opened->texts;
  if (!opened->pieces)
    return TRUE;
  must |= is_due(opened);
  if (!opened->used && opened->open->len < GATHER && !must)
    return TRUE;
  g_autoptr(GArray) stays = g_array_new(FALSE, TRUE, sizeof(gboolean));
  g_autoptr(GPtrArray) chosen = choose(opened, stays, error);
  if (!chosen)
    return FALSE;
  if (!must && is_tidy(opened, chosen))
    return TRUE;
  g_autoptr(GBytes) sealed = chosen->len ? seal(opened->account, chosen, revocation, error) : NULL;
  g_autoptr(GArray) numbers = numbers_of(chosen);
  if ((!sealed && chosen->len) || !ml_pieces_replace(opened->pieces, opened->open, numbers, sealed, &done, error))
    return FALSE;
  if (done)
    ml_store_opened_written(opened->index);
  return !(done || must) || ml_store_opened_keep(opened->index, stays, error);
}
