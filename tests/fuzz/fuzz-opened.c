/* What encrypted mail says, sealed on the disk for the search, read back: the file of pieces, and what is inside a piece.
 * Run in the top folder. The first octet says what the rest is:
 *   P  the whole file
 *   H  what stands behind the line that says whose it is
 *   S  the octets of one piece, which should be CMS
 *   U  what is sealed in a piece: the first octet is how many messages it is said to have
 *   B  pieces that are written as ever, and what befell the file then; what was not touched must be there still */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/cms-write.h"
#include "crypto/context.h"
#include "mail/init.h"
#include "mail/opened.h"
#include "mail/pieces.h"
#include "mail/search.h"
#include "mail/store-opened-private.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

enum { PIECES = 4, HEAD = 81 }; /* the line of mail/pieces.c */

static const MlAccount account = { .name = (char *)"work", .kind = ML_ACCOUNT_IMAP,
                                   .imap = { .host = (char *)"mail.example.org", .user = (char *)"ec", .port = 993 } };
static char *dir, *path, *owner, *aside;
static GPtrArray *readers;
static MlStore *store;
static MlStoreSearch *search;

/* ---- what there is besides */

static GBytes *
file(const char *name)
{
  g_autoptr(GError) error = NULL;
  char *bytes = NULL;
  gsize length = 0;
  g_file_get_contents(name, &bytes, &length, &error);
  g_assert_no_error(error);
  return g_bytes_new_take(bytes, length);
}

static void
tear_down(void)
{
  g_autoptr(GDir) all = g_dir_open(dir, 0, NULL);
  const char *name;
  ml_store_search_free(search);
  ml_store_free(store);
  while (all && (name = g_dir_read_name(all))) {
    g_autofree char *one = g_build_filename(dir, name, NULL);
    g_unlink(one);
  }
  g_rmdir(dir);
}

/* Lists in which some of the messages are that the seeds have, one of them elsewhere. */
static void
make_lists(void)
{
  g_autoptr(GError) error = NULL;
  const MlSyncPoint point = { .uidvalidity = 7 };
  for (guint i = 0; i < 2; i++) {
    MlStoreStep begin = { .reset = TRUE, .point = &point, .complete = TRUE, .uidvalidity = 7 };
    g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
    g_autofree char *block = g_strdup_printf("From: Jo <jo@test.example>\r\nSubject: [...]\r\nMessage-ID: <%u@x>\r\n"
                                             "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\n", i + 1);
    MlHeader *header = ml_header_parse(block, strlen(block));
    header->uid = i + 1;
    g_ptr_array_add(headers, header);
    MlStoreStep step = { .headers = headers, .uidvalidity = 7 };
    gboolean ok = ml_store_apply(store, i ? "Archive" : "INBOX", &begin, &error) &&
                  ml_store_apply(store, i ? "Archive" : "INBOX", &step, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
  }
}

static void
set_up(void)
{
  if (dir)
    return;
  const CryptoOptions options = { .nssdb = NULL };
  g_autoptr(GError) error = NULL;
  gboolean ok = crypto_open(&options, &error);
  g_autoptr(GBytes) key = file("tests/fuzz/keys/ec.p12"), pem = file("tests/fuzz/keys/reader.pem");
  ok = ok && crypto_session_add_pkcs12(key, "test", &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  ml_init();
  readers = crypto_certs_parse(pem, &error);
  g_assert_no_error(error);
  dir = g_strconcat(g_file_test("/dev/shm", G_FILE_TEST_IS_DIR) ? "/dev/shm" : g_get_tmp_dir(), "/fuzz-opened-XXXXXX", NULL);
  g_assert_nonnull(g_mkdtemp(dir));
  path = ml_store_opened_path(dir, &account);
  owner = ml_store_opened_owner(&account);
  aside = g_strconcat(path, ".damaged", NULL);
  store = ml_store_open(dir, &account, &error);
  g_assert_no_error(error);
  make_lists();
  search = ml_store_search_open(store, &error);
  g_assert_no_error(error);
  atexit(tear_down);
}

/* ---- the index in memory */

static void
look_for(const char *words)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlQuery) query = ml_query_parse(words, FALSE, &error);
  g_assert_no_error(error);
  guint total;
  g_autoptr(GPtrArray) found = ml_store_search_find(search, query, &(MlFindOptions){ NULL }, &total, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(found->len, <=, 2); /* what is in the lists */
}

/* Whatever the file is. @most: so many messages are in it at the most. */
static void
load(guint most)
{
  g_autoptr(GError) error = NULL;
  g_auto(MlOpenedState) state = { 0 }, again = { 0 };
  g_autoptr(MlOpened) opened = ml_opened_new(dir, &account, &error);
  g_assert_no_error(error);
  if (!ml_opened_load(opened, NULL, NULL, &state, &error)) {
    g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS)); /* set aside, so that the next one works */
    g_clear_error(&error);
    gboolean ok = ml_opened_load(opened, NULL, NULL, &state, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
  }
  g_assert_cmpuint(state.messages, <=, most);
  gboolean ok = ml_opened_place(opened, store, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  ml_opened_join(opened, search);
  look_for("quetzalcoatlus");
  look_for("from:jo a*");
  g_autofree char *text = ml_opened_find(opened, "INBOX", 7, 1);
  g_assert_true(!text || g_utf8_validate(text, -1, NULL));
  ok = ml_opened_load(opened, NULL, NULL, &again, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_cmpuint(again.messages, ==, state.messages);
  g_assert_cmpuint(again.closed, ==, state.closed);
  ml_opened_join(NULL, search);
}

/* ---- the file */

/* As the writer has them: the @i-th piece has @n numbers and @length octets. */
static GArray *
numbers(guint i, guint n)
{
  GArray *all = g_array_new(FALSE, FALSE, sizeof(guint64));
  for (guint k = 0; k < n; k++) {
    guint64 number = (guint64)i << 32 | k;
    if (!i && k < 2)
      number = ml_store_opened_number(k ? "Archive" : "INBOX", 7, k + 1);
    g_array_append_val(all, number);
  }
  return all;
}

static void
append(guint i, guint n, GBytes *octets)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) ids = numbers(i, n);
  gboolean ok = ml_pieces_append(path, owner, ids, octets, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static GBytes *
octets_of(guint i, guint length)
{
  guint8 *all = g_malloc(length + 1);
  memset(all, (int)('a' + i), length);
  return g_bytes_new_take(all, length);
}

/* Opened whatever it is: NULL where it was set aside. What is read of it is as long as it says. */
static MlPieces *
open_file(void)
{
  g_autoptr(GError) error = NULL;
  MlPieces *pieces = ml_pieces_open(path, owner, &error);
  if (!pieces) {
    g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
    g_assert_true(g_file_test(aside, G_FILE_TEST_EXISTS) && !g_file_test(path, G_FILE_TEST_EXISTS));
    return NULL;
  }
  g_assert_cmpuint(ml_pieces_count(pieces), <=, ML_PIECES_MAX);
  for (guint i = 0; i < ml_pieces_count(pieces); i++) {
    guint n;
    guint64 sum = 0;
    g_autoptr(GError) why = NULL;
    g_autoptr(GBytes) octets = ml_pieces_get(pieces, i, &why);
    g_assert_true((octets == NULL) == (why != NULL));
    const guint64 *ids = ml_pieces_ids(pieces, i, &n);
    for (guint k = 0; k < n; k++)
      sum ^= ids[k];
    g_assert_true(n <= ML_PIECES_IDS && (n || !sum));
  }
  return pieces;
}

/* Whatever was there, one more can be put in. It is the last, unless @any: then the file may have the beginning of a piece
 * that is right and has lost octets, as no disk leaves it, for which it is taken. */
static void
goes_on(gboolean any)
{
  g_autoptr(GBytes) more = octets_of(9, 5);
  MlPieces *first = open_file();
  guint before = first ? ml_pieces_count(first) : 0;
  ml_pieces_free(first);
  append(9, 1, more);
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPieces) pieces = open_file();
  g_assert_nonnull(pieces);
  if (any && ml_pieces_count(pieces) != before + 1)
    return;
  g_assert_cmpuint(ml_pieces_count(pieces), ==, before + 1);
  g_autoptr(GBytes) got = ml_pieces_get(pieces, before, &error);
  g_assert_no_error(error);
  g_assert_true(g_bytes_equal(got, more));
}

static void
write_file(const char *head, const guint8 *data, gsize size)
{
  g_autoptr(GByteArray) all = g_byte_array_new();
  g_byte_array_append(all, (const guint8 *)head, (guint)strlen(head));
  g_byte_array_append(all, data, (guint)size);
  g_assert_true(g_file_set_contents(path, (const char *)all->data, (gssize)all->len, NULL));
}

/* ---- what befell it */

typedef struct {
  gsize from, end;
  guint n, length;
  gboolean touched;
} Range;

/* Is what was not touched there, in its order and as it was? */
static void
check_stays(const Range *ranges, guint n_ranges, gboolean head)
{
  g_autoptr(MlPieces) pieces = open_file();
  for (guint i = 0, at = 0; i < n_ranges && !head; i++) {
    if (ranges[i].touched)
      continue;
    g_assert_nonnull(pieces);
    g_autoptr(GBytes) wanted = octets_of(i, ranges[i].length), got = NULL;
    g_autoptr(GArray) ids = numbers(i + 1, ranges[i].n);
    for (;; at++) {
      guint n;
      g_assert_cmpuint(at, <, ml_pieces_count(pieces));
      const guint64 *its = ml_pieces_ids(pieces, at, &n);
      if (n == ids->len && memcmp(its, ids->data, n * sizeof *its) == 0 && (got = ml_pieces_get(pieces, at, NULL)) &&
          g_bytes_equal(got, wanted))
        break;
      g_clear_pointer(&got, g_bytes_unref);
    }
    at++;
  }
}

/* Pieces by two octets each, then acts by four: another octet somewhere, an end before it, or more behind it. */
static void
befall(const guint8 *data, gsize size)
{
  Range ranges[PIECES] = { 0 };
  guint n_ranges = size ? 1 + data[0] % PIECES : 0;
  gsize at = 1, end = HEAD, length;
  gboolean head = FALSE;
  if (size < 1 + 2 * n_ranges || !n_ranges)
    return;
  for (guint i = 0; i < n_ranges; i++, at += 2) {
    ranges[i] = (Range){ .from = end, .n = 1 + data[at] % 8, .length = data[at + 1] };
    g_autoptr(GBytes) octets = octets_of(i, ranges[i].length);
    append(i + 1, ranges[i].n, octets);
    g_autoptr(GBytes) now = file(path);
    ranges[i].end = end = g_bytes_get_size(now);
  }
  g_autoptr(GBytes) whole = file(path);
  g_autoptr(GByteArray) all = g_byte_array_new();
  g_byte_array_append(all, g_bytes_get_data(whole, &length), (guint)g_bytes_get_size(whole));
  for (guint acts = 0; at + 4 <= size && acts < 16; at += 4, acts++) {
    gsize where = all->len ? (gsize)(data[at + 1] << 8 | data[at + 2]) % all->len : 0, to = where + 1;
    if (data[at] % 3 == 0 && all->len) {
      if (all->data[where] == data[at + 3])
        continue;
      all->data[where] = data[at + 3];
    } else if (data[at] % 3 == 1) {
      to = all->len;
      g_byte_array_set_size(all, (guint)where);
    } else {
      g_byte_array_append(all, &data[at + 3], 1);
      continue;
    }
    head |= where < HEAD;
    for (guint i = 0; i < n_ranges; i++)
      ranges[i].touched |= where < ranges[i].end && to > ranges[i].from;
  }
  write_file("", all->data, all->len);
  check_stays(ranges, n_ranges, head);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
  if (!size)
    return 0;
  set_up();
  g_unlink(path);
  g_unlink(aside);
  g_autoptr(GError) error = NULL;
  g_autofree char *head = g_strdup_printf("signet-pieces 1 %-64.64s\n", owner);
  g_autoptr(GBytes) rest = g_bytes_new(data + 1, size - 1);
  guint most = 0;
  if (*data == 'P' || *data == 'H') {
    write_file(*data == 'H' ? head : "", data + 1, size - 1);
    most = G_MAXUINT;
  } else if (*data == 'S') {
    append(0, 2, rest);
    most = 2;
  } else if (*data == 'U' && size > 1) {
    most = data[1];
    g_autoptr(GBytes) inside = g_bytes_new_from_bytes(rest, 1, size - 2);
    g_autoptr(GBytes) sealed = crypto_cms_encrypt(inside, readers, CRYPTO_CIPHER_AES256_GCM, FALSE, &error);
    g_assert_no_error(error);
    append(0, most, sealed);
  } else if (*data == 'B') {
    befall(data + 1, size - 1);
    goes_on(FALSE);
    return 0;
  } else {
    return 0;
  }
  load(most);
  goes_on(*data == 'P' || *data == 'H');
  return 0;
}
