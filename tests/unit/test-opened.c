/* What encrypted mail says, for the search: sealed on the disk, found in memory. */
#include <string.h>

#include "tests/unit/opened-lab.h"

static guint
pieces(Fixture *fixture)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *identity = g_compute_checksum_for_string(G_CHECKSUM_SHA256, "imap anna@mail.example.org:993", -1);
  g_autoptr(MlPieces) all = ml_pieces_open(fixture->file, identity, &error);
  g_assert_no_error(error);
  return ml_pieces_count(all);
}

static void
update(Fixture *fixture)
{
  g_autoptr(GError) error = NULL;
  gboolean ok = ml_search_update(fixture->search, NULL, 50, NULL, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static gboolean
holds(GBytes *haystack, const char *needle)
{
  return memmem(g_bytes_get_data(haystack, NULL), g_bytes_get_size(haystack), needle, strlen(needle)) != NULL;
}

static void
expect_nowhere(Fixture *fixture, const char *word)
{
  g_autoptr(GDir) dir = g_dir_open(fixture->dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_autoptr(GBytes) bytes = pki_read(fixture->dir, name);
    if (holds(bytes, word))
      g_error("%s holds %s", name, word);
  }
}

/* ---- tests */

static void
test_find(Fixture *fixture, gconstpointer data)
{
  begin_folder(fixture, "INBOX", 7);
  list(fixture, "INBOX", 7, 1, "1@x", sealed_type);
  list(fixture, "INBOX", 7, 2, "2@x", "text/plain");
  list(fixture, "INBOX", 7, 3, "3@x", sealed_type);
  update(fixture);
  keep(fixture, "INBOX", 1, "The quetzalcoatlus\nflew in 東京の会議室で.");
  keep(fixture, "INBOX", 3, "A pterodactyl did not.");
  expect_nowhere(fixture, "quetzal");
  expect_nowhere(fixture, "udget");
  expect(fixture, "quetzalcoatlus", "");
  g_autoptr(MlOpened) opened = load(fixture, 2, 0);
  expect(fixture, "quetzalcoatlus", "INBOX/1");
  expect(fixture, "\"flew in\"", "INBOX/1");
  expect(fixture, "会議", "INBOX/1");
  expect(fixture, "ptero*", "INBOX/3");
  expect(fixture, "subject:budget", "INBOX/3 INBOX/1"); /* newest first */
  expect(fixture, "jo", "INBOX/3 INBOX/2 INBOX/1");     /* with the plain ones, each once */
  expect(fixture, "jo -pterodactyl", "INBOX/2 INBOX/1"); /* what the plain index cannot know */
  expect(fixture, "body:budget", "");
  g_autofree char *text = ml_opened_find(opened, "INBOX", 7, 3), *none = ml_opened_find(opened, "INBOX", 7, 2);
  g_assert_cmpstr(text, ==, "A pterodactyl did not.");
  g_assert_null(none);
  g_autoptr(MlQuery) query = ml_query_parse("budget", FALSE, NULL);
  gboolean complete;
  g_autoptr(GArray) uids = ml_store_search_uids(fixture->search, query, "INBOX", &complete, NULL);
  g_assert_cmpuint(uids->len, ==, 2);
  ml_opened_join(NULL, fixture->search);
  expect(fixture, "quetzalcoatlus", "");
}

static void
test_once(Fixture *fixture, gconstpointer data)
{
  begin_folder(fixture, "INBOX", 7);
  list(fixture, "INBOX", 7, 1, "1@x", sealed_type);
  keep(fixture, "INBOX", 1, "quetzalcoatlus");
  keep(fixture, "INBOX", 1, "quetzalcoatlus"); /* read once more */
  g_assert_cmpuint(pieces(fixture), ==, 1);
}

static void
test_tidy(Fixture *fixture, gconstpointer data)
{
  begin_folder(fixture, "INBOX", 7);
  for (guint32 uid = 1; uid <= 5; uid++) {
    g_autofree char *id = g_strdup_printf("%u@x", uid), *words = g_strdup_printf("saurus%u", uid);
    list(fixture, "INBOX", 7, uid, id, sealed_type);
    seal_to(fixture, uid % 2 ? "rsa" : "ec256"); /* another certificate: both keys are kept */
    keep(fixture, "INBOX", uid, words);
  }
  g_assert_cmpuint(pieces(fixture), ==, 5);
  {
    g_autoptr(MlOpened) opened = load(fixture, 5, 0);
    expect(fixture, "saurus4", "INBOX/4");
    seal_to(fixture, "ec384");
    tidy(fixture, opened);
    g_assert_cmpuint(pieces(fixture), ==, 1);
    tidy(fixture, opened); /* by what it looked at: nothing is done */
    g_assert_cmpuint(pieces(fixture), ==, 1);
    ml_opened_join(NULL, fixture->search);
  }
  g_autoptr(MlOpened) again = load(fixture, 5, 0);
  expect(fixture, "saurus4", "INBOX/4");
  expect(fixture, "saurus5", "INBOX/5");
  tidy(fixture, again);
  g_assert_cmpuint(pieces(fixture), ==, 1);
  expect_nowhere(fixture, "saurus");
}

static MlOpened *
load_at_most(Fixture *fixture, guint texts, guint messages, guint closed)
{
  g_autoptr(GError) error = NULL;
  MlOpened *opened = ml_opened_new(fixture->dir, &fixture->account, &error);
  g_assert_no_error(error);
  ml_opened_set_limits(opened, texts, ML_OPENED_SIZE);
  load_more(fixture, opened, messages, closed, closed > 0);
  return opened;
}

/* More than is kept: the newest by their date stay, whichever was read last. */
static void
test_too_many(Fixture *fixture, gconstpointer data)
{
  list_many(fixture, 7);
  keep_together(fixture, 1, 4);
  keep_together(fixture, 7, 7);
  keep_together(fixture, 5, 6);
  g_autoptr(MlOpened) opened = load_at_most(fixture, 4, 7, 0);
  expect(fixture, "saurus*", "INBOX/7 INBOX/6 INBOX/5 INBOX/4 INBOX/3 INBOX/2 INBOX/1");
  tidy(fixture, opened);
  g_assert_cmpuint(pieces(fixture), ==, 1);
  expect(fixture, "saurus*", "INBOX/7 INBOX/6 INBOX/5 INBOX/4");
  g_autofree char *text = ml_opened_find(opened, "INBOX", 7, 6), *none = ml_opened_find(opened, "INBOX", 7, 3);
  g_assert_cmpstr(text, ==, "saurus6");
  g_assert_null(none);
  load_more(fixture, opened, 4, 0, FALSE);
  list(fixture, "INBOX", 7, 8, "8@x", sealed_type); /* there is room for what is read now */
  keep_together(fixture, 8, 8);
  load_more(fixture, opened, 5, 0, FALSE);
  expect(fixture, "saurus8", "INBOX/8");
  tidy(fixture, opened);
  expect(fixture, "saurus*", "INBOX/8 INBOX/7 INBOX/6 INBOX/5");
  ml_opened_join(NULL, fixture->search);
  g_autoptr(MlOpened) again = load_at_most(fixture, 4, 4, 0);
  expect(fixture, "saurus*", "INBOX/8 INBOX/7 INBOX/6 INBOX/5");
}

/* More than memory has room for: what was not taken stays in the file until it is, and the newest are not what is lost. */
static void
test_far_too_many(Fixture *fixture, gconstpointer data)
{
  list_many(fixture, 12);
  keep_together(fixture, 1, 3);
  keep_together(fixture, 4, 6);
  keep_together(fixture, 7, 9);
  keep_together(fixture, 10, 12);
  {
    g_autoptr(MlOpened) opened = load_at_most(fixture, 4, 8, 4); /* the last two, and two of the second */
    expect(fixture, "saurus*", "INBOX/12 INBOX/11 INBOX/10 INBOX/9 INBOX/8 INBOX/7 INBOX/5 INBOX/4");
    tidy(fixture, opened);
    g_assert_cmpuint(pieces(fixture), ==, 3); /* and those that were not opened whole */
    expect(fixture, "saurus*", "INBOX/12 INBOX/11 INBOX/10 INBOX/9");
    ml_opened_join(NULL, fixture->search);
  }
  for (guint i = 0; i < 2; i++) {
    g_autoptr(GError) error = NULL;
    g_auto(MlOpenedState) state = { 0 };
    g_autoptr(MlOpened) opened = ml_opened_new(fixture->dir, &fixture->account, &error);
    g_assert_no_error(error);
    ml_opened_set_limits(opened, 4, ML_OPENED_SIZE);
    gboolean ok = ml_opened_load(opened, NULL, NULL, &state, &error) && ml_opened_place(opened, fixture->store, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    tidy(fixture, opened);
  }
  g_assert_cmpuint(pieces(fixture), ==, 1);
  g_autoptr(MlOpened) last = load_at_most(fixture, 4, 4, 0);
  expect(fixture, "saurus*", "INBOX/12 INBOX/11 INBOX/10 INBOX/9");
}

static void
append_octets(Fixture *fixture, const char *name, guint64 id, GBytes *content)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *identity = g_compute_checksum_for_string(G_CHECKSUM_SHA256, "imap anna@mail.example.org:993", -1);
  g_autoptr(CryptoCert) cert = certificate(name);
  g_autoptr(GPtrArray) to = g_ptr_array_new();
  g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof id);
  g_ptr_array_add(to, cert);
  g_array_append_val(ids, id);
  g_autoptr(GBytes) sealed = crypto_cms_encrypt(content, to, CRYPTO_CIPHER_AES256_GCM, FALSE, &error);
  g_assert_no_error(error);
  gboolean ok = ml_pieces_append(fixture->file, identity, ids, sealed, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

/* Of a @name whose key is not here, or of nothing that means anything. */
static void
append_for(Fixture *fixture, const char *name, guint64 id)
{
  g_autoptr(GBytes) content = g_bytes_new_static("\1hatever", 8);
  append_octets(fixture, name, id, content);
}

static void
test_closed(Fixture *fixture, gconstpointer data)
{
  begin_folder(fixture, "INBOX", 7);
  for (guint32 uid = 1; uid <= 2; uid++) {
    g_autofree char *id = g_strdup_printf("%u@x", uid);
    list(fixture, "INBOX", 7, uid, id, sealed_type);
  }
  keep(fixture, "INBOX", 1, "quetzalcoatlus");
  append_for(fixture, "other", 99);
  append_for(fixture, "other", 99);
  keep(fixture, "INBOX", 2, "pterodactyl");
  g_autoptr(MlOpened) opened = load(fixture, 2, 1);
  expect(fixture, "quetzalcoatlus", "INBOX/1");
  tidy(fixture, opened); /* what cannot be opened stays as it is */
  g_assert_cmpuint(pieces(fixture), ==, 3);
  ml_opened_join(NULL, fixture->search);
  g_autoptr(MlOpened) again = load(fixture, 2, 1);
  expect(fixture, "pterodactyl", "INBOX/2");
}

/* What is inside need not be ours, whoever sealed it. */
static void
test_hostile(Fixture *fixture, gconstpointer data)
{
  begin_folder(fixture, "INBOX", 7);
  list(fixture, "INBOX", 7, 1, "1@x", sealed_type);
  append_for(fixture, "rsa", 99); /* "\1hatever" */
  keep(fixture, "INBOX", 1, "quetzalcoatlus");
  g_autoptr(MlOpened) opened = load(fixture, 1, 0);
  expect(fixture, "quetzalcoatlus", "INBOX/1");
  tidy(fixture, opened);
  g_assert_cmpuint(pieces(fixture), ==, 1);
}

/* What only a newer signet reads stays for it, and no key is used for it twice. */
static void
test_newer(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GBytes) content = g_bytes_new_static("\2 and whatever it will be", 25);
  g_autoptr(GError) error = NULL;
  begin_folder(fixture, "INBOX", 7);
  for (guint32 uid = 1; uid <= 2; uid++) {
    g_autofree char *id = g_strdup_printf("%u@x", uid);
    list(fixture, "INBOX", 7, uid, id, sealed_type);
  }
  keep(fixture, "INBOX", 1, "quetzalcoatlus");
  append_octets(fixture, "rsa", 99, content);
  keep(fixture, "INBOX", 2, "pterodactyl");
  g_autoptr(MlOpened) opened = load(fixture, 2, 1);
  expect(fixture, "quetzalcoatlus", "INBOX/1");
  tidy(fixture, opened); /* the other two become one */
  g_assert_cmpuint(pieces(fixture), ==, 2);
  for (guint i = 0; i < 2; i++) {
    g_auto(MlOpenedState) state = { 0 };
    gboolean ok = ml_opened_load(opened, NULL, NULL, &state, &error);
    g_assert_no_error(error);
    g_assert_true(ok && state.newer && !state.locked && !state.full);
    g_assert_cmpuint(state.closed, ==, 1);
    g_assert_error(state.why, ML_ERROR, ML_ERROR_STORE);
    tidy(fixture, opened);
    g_assert_cmpuint(pieces(fixture), ==, 2);
  }
  ml_opened_join(NULL, fixture->search);
}

/* Cut anywhere, and with any octet changed. */
static void
test_bent(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_auto(MlOpenedState) state = { 0 };
  g_autofree char *identity = g_compute_checksum_for_string(G_CHECKSUM_SHA256, "imap anna@mail.example.org:993", -1);
  keep(fixture, "INBOX", 1, "quetzalcoatlus");
  g_autoptr(MlPieces) all = ml_pieces_open(fixture->file, identity, &error);
  g_autoptr(GBytes) sealed = ml_pieces_get(all, 0, &error);
  g_autoptr(CryptoCms) cms = crypto_cms_parse(sealed, &error);
  g_autoptr(GBytes) inside = crypto_cms_decrypt(cms, NULL, &error);
  g_assert_no_error(error);
  gsize length = g_bytes_get_size(inside);
  for (gsize at = 1; at < length; at++) { /* the first says which format it is: test_newer() */
    g_autoptr(GBytes) cut = g_bytes_new_from_bytes(inside, 0, at);
    g_autofree guint8 *octets = g_memdup2(g_bytes_get_data(inside, NULL), length);
    octets[at] ^= (guint8)g_test_rand_int_range(1, 256);
    g_autoptr(GBytes) bent = g_bytes_new(octets, length);
    append_octets(fixture, "rsa", 1000 + at, cut);
    append_octets(fixture, "rsa", 5000 + at, bent);
  }
  g_autoptr(MlOpened) opened = ml_opened_new(fixture->dir, &fixture->account, &error);
  gboolean ok = ml_opened_load(opened, NULL, NULL, &state, &error) && ml_opened_place(opened, fixture->store, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  tidy(fixture, opened);
  g_assert_cmpuint(pieces(fixture), ==, 1);
}

static void
test_no_certificate(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_clear_pointer(&fixture->account.encrypt_cert, g_free);
  g_clear_pointer(&fixture->account.address, g_free);
  g_assert_false(try_keep(fixture, "INBOX", 1, "x", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_nonnull(strstr(error->message, "no address"));
  g_clear_error(&error);
  fixture->account.address = g_strdup("nobody@test.example");
  g_assert_false(try_keep(fixture, "INBOX", 1, "x", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_false(g_file_test(fixture->file, G_FILE_TEST_EXISTS));
}

/* A message may be read before anything else is kept. */
static void
test_first_of_all(Fixture *fixture, gconstpointer data)
{
  g_autofree char *below = g_build_filename(fixture->dir, "data", "store", NULL);
  g_autofree char *file = g_build_filename(below, "work.sealed", NULL);
  g_autofree char *kept = fixture->dir;
  fixture->dir = below;
  keep(fixture, "INBOX", 1, "x");
  fixture->dir = g_steal_pointer(&kept);
  g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
}

static void
test_remove(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  gboolean any;
  keep(fixture, "INBOX", 1, "x");
  g_assert_true(ml_opened_remove(fixture->dir, &fixture->account, &any, &error));
  g_assert_true(any);
  g_assert_false(g_file_test(fixture->file, G_FILE_TEST_EXISTS));
  g_assert_true(ml_opened_remove(fixture->dir, &fixture->account, &any, &error));
  g_assert_false(any);
}

/* ---- a message */

static GBytes *
mail(const char *inside, const char *to)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCert) cert = certificate(to);
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_autoptr(GBytes) content = g_bytes_new_static(inside, strlen(inside));
  g_ptr_array_add(recipients, cert);
  g_autoptr(GBytes) cms = crypto_cms_encrypt(content, recipients, CRYPTO_CIPHER_AES256_GCM, FALSE, &error);
  g_assert_no_error(error);
  g_autofree char *base64 = g_base64_encode(g_bytes_get_data(cms, NULL), g_bytes_get_size(cms));
  char *whole = g_strdup_printf("From: Jo <jo@test.example>\r\nTo: rsa@test.example\r\nSubject: [...]\r\n"
                                "Message-ID: <1@x>\r\nMIME-Version: 1.0\r\nContent-Type: %s\r\n"
                                "Content-Transfer-Encoding: base64\r\n\r\n%s\r\n", sealed_type, base64);
  return g_bytes_new_take(whole, strlen(whole));
}

static MlOpenedText *
read_mail(GBytes *raw)
{
  g_autoptr(GError) error = NULL;
  const MlReadOptions options = { .at = g_get_real_time() / G_USEC_PER_SEC };
  g_autoptr(MlMessage) message = ml_message_read(raw, &options, NULL, &error);
  g_assert_no_error(error);
  return ml_opened_text(message, "INBOX", 7, 1);
}

static void
test_message(void)
{
  static const char inside[] =
      "Content-Type: multipart/mixed; boundary=b; hp=\"cipher\"\r\nFrom: Jo <jo@test.example>\r\nTo: rsa@test.example\r\n"
      "Subject: The Gr\303\274n plan\r\nHP-Outer: Subject: [...]\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
      "Three thousand.\r\n--b\r\nContent-Type: application/pdf; name=offer.pdf\r\n"
      "Content-Disposition: attachment; filename=offer.pdf\r\n\r\nx\r\n--b--\r\n";
  g_autoptr(GBytes) raw = mail(inside, "rsa"), strange = mail(inside, "other");
  MlOpenedText *text = read_mail(raw);
  g_assert_nonnull(text);
  g_assert_cmpstr(text->message_id, ==, "1@x");
  g_assert_cmpstr(text->subject, ==, "The Gr\303\274n plan");
  g_assert_nonnull(strstr(text->from, "jo@test.example"));
  g_assert_nonnull(strstr(text->text, "Three thousand."));
  g_assert_nonnull(strstr(text->text, "offer.pdf"));
  ml_opened_text_free(text);
  g_assert_null(read_mail(strange)); /* not opened: there is nothing to say */
  static const char clear[] = "From: Jo <jo@test.example>\r\nSubject: x\r\n\r\nplain\r\n";
  g_autoptr(GBytes) plain = g_bytes_new_static(clear, strlen(clear));
  g_assert_null(read_mail(plain));
}

int
main(int argc, char **argv)
{
  lab_begin(&argc, &argv);
  ml_init();
  ADD("find", test_find);
  ADD("once", test_once);
  ADD("tidy", test_tidy);
  ADD("too-many", test_too_many);
  ADD("far-too-many", test_far_too_many);
  ADD("closed", test_closed);
  ADD("hostile", test_hostile);
  ADD("newer", test_newer);
  ADD("bent", test_bent);
  ADD("no-certificate", test_no_certificate);
  ADD("first-of-all", test_first_of_all);
  ADD("remove", test_remove);
  g_test_add_func("/opened/message", test_message);
  return lab_run();
}
