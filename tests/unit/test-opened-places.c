/* Where a message lies whose text is kept for the search: moved, lost for a while, gone for good. */
#include <glib/gstdio.h>
#include <string.h>
#include <utime.h>

#include "tests/unit/opened-lab.h"

static void
unlist(Fixture *fixture, const char *name, guint32 uidvalidity, guint32 uid)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof uid);
  g_array_append_val(uids, uid);
  MlStoreStep step = { .vanished = uids };
  apply(fixture, name, uidvalidity, &step);
}

/* The @i-th that the file's first piece says. */
static MlOpenedText *
inside(Fixture *fixture, guint i)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *identity = g_compute_checksum_for_string(G_CHECKSUM_SHA256, "imap anna@mail.example.org:993", -1);
  g_autoptr(MlPieces) all = ml_pieces_open(fixture->file, identity, &error);
  g_autoptr(GBytes) sealed = ml_pieces_get(all, 0, &error);
  g_autoptr(CryptoCms) cms = crypto_cms_parse(sealed, &error);
  g_autoptr(GBytes) octets = crypto_cms_decrypt(cms, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(GVariant) whole = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE("(ya(suusxssss))"), octets, FALSE));
  g_autoptr(GVariant) texts = g_variant_get_child_value(whole, 1), one = g_variant_get_child_value(texts, i);
  MlOpenedText *text = g_new0(MlOpenedText, 1);
  g_variant_get(one, "(suusxssss)", &text->folder, &text->uidvalidity, &text->uid, &text->message_id, &text->lost,
                &text->from, &text->to, &text->subject, &text->text);
  return text;
}

static void
expect_placed(Fixture *fixture, MlOpened *opened, const char *words, const char *places)
{
  g_autoptr(GError) error = NULL;
  g_assert_true(ml_opened_place(opened, fixture->store, &error));
  expect(fixture, words, places);
}

static void
expect_text(MlOpened *opened, guint32 uid, const char *words)
{
  g_autofree char *text = ml_opened_find(opened, "Archive", 7, uid);
  g_assert_cmpstr(text, ==, words);
}

/* INBOX/1 says "quetzalcoatlus"; then it is no longer there. */
static MlOpened *
load_and_lose(Fixture *fixture)
{
  begin_folder(fixture, "INBOX", 7);
  begin_folder(fixture, "Archive", 7);
  list(fixture, "INBOX", 7, 1, "1@x", sealed_type);
  keep(fixture, "INBOX", 1, "quetzalcoatlus");
  MlOpened *opened = load(fixture, 1, 0);
  unlist(fixture, "INBOX", 7, 1);
  return opened;
}

static void
test_moved(Fixture *fixture, gconstpointer data)
{
  begin_folder(fixture, "INBOX", 7);
  begin_folder(fixture, "Archive", 7);
  list(fixture, "INBOX", 7, 1, "1@x", sealed_type);
  list(fixture, "INBOX", 7, 2, "2@x", sealed_type);
  keep(fixture, "INBOX", 1, "quetzalcoatlus");
  keep(fixture, "INBOX", 2, "pterodactyl");
  g_autoptr(MlOpened) opened = load(fixture, 2, 0);
  expect(fixture, "quetzalcoatlus", "INBOX/1");
  unlist(fixture, "INBOX", 7, 1);
  expect_placed(fixture, opened, "quetzalcoatlus", "");
  list(fixture, "Archive", 7, 4, "1@x", "text/plain"); /* somebody's, under its name */
  list(fixture, "Archive", 7, 5, "1@x", sealed_type);
  expect_placed(fixture, opened, "quetzalcoatlus", "Archive/5");
  expect_text(opened, 5, "quetzalcoatlus");
  begin_folder(fixture, "INBOX", 8); /* another folder under its name */
  list(fixture, "INBOX", 8, 2, "3@x", sealed_type);
  expect_placed(fixture, opened, "pterodactyl", "");
  tidy(fixture, opened); /* for some days they are kept, in case the message turns up elsewhere */
  g_autoptr(MlOpened) again = load(fixture, 2, 0);
  expect(fixture, "quetzalcoatlus", "Archive/5");
  list(fixture, "INBOX", 8, 9, "2@x", sealed_type);
  expect_placed(fixture, again, "pterodactyl", "INBOX/9");
}

/* A Message-ID is anybody's to use. */
static void
test_same_id(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlOpened) opened = load_and_lose(fixture);
  list_of(fixture, "Archive", 7, 2, "1@x", sealed_type, "Jo <mallory@test.example>", 1);
  list_of(fixture, "Archive", 7, 3, "1@x", sealed_type, "Jo <jo@test.example>", 2); /* of another time */
  expect_placed(fixture, opened, "quetzalcoatlus", "");
  list_of(fixture, "Archive", 7, 4, "1@x", sealed_type, "\"Jo\" <JO@test.example>", 1);
  expect_placed(fixture, opened, "quetzalcoatlus", "Archive/4");
}

/* What was read there is its text, not what was thought to have been moved there. */
static void
test_own_word(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlOpened) opened = load_and_lose(fixture);
  list(fixture, "Archive", 7, 4, "1@x", sealed_type);
  expect_placed(fixture, opened, "quetzalcoatlus", "Archive/4");
  keep(fixture, "Archive", 4, "pterodactyl");
  load_more(fixture, opened, 2, 0, FALSE);
  expect(fixture, "pterodactyl", "Archive/4");
  expect(fixture, "quetzalcoatlus", "");
  expect_text(opened, 4, "pterodactyl");
  list(fixture, "Archive", 7, 5, "1@x", sealed_type);
  expect_placed(fixture, opened, "quetzalcoatlus", "Archive/5");
  expect(fixture, "pterodactyl", "Archive/4");
}

/* Nor once the file has the place where it was thought to be. */
static void
test_own_word_written(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlOpened) before = load_and_lose(fixture);
  list(fixture, "Archive", 7, 4, "1@x", sealed_type);
  keep(fixture, "Archive", 9, "lost"); /* a second piece, so that one is made of them */
  g_autoptr(MlOpened) opened = load(fixture, 2, 0);
  expect(fixture, "quetzalcoatlus", "Archive/4");
  tidy(fixture, opened);
  MlOpenedText *written = inside(fixture, 0);
  g_assert_cmpstr(written->folder, ==, "Archive");
  ml_opened_text_free(written);
  expect_placed(fixture, opened, "quetzalcoatlus", "Archive/4");
  g_autoptr(MlOpened) again = load(fixture, 2, 0);
  expect_placed(fixture, again, "quetzalcoatlus", "Archive/4");
  keep(fixture, "Archive", 4, "pterodactyl");
  load_more(fixture, again, 3, 0, FALSE);
  expect(fixture, "pterodactyl", "Archive/4");
  expect(fixture, "quetzalcoatlus", "");
  expect_text(again, 4, "pterodactyl");
  load_more(fixture, opened, 3, 0, FALSE); /* who has not loaded it anew sees it, too */
  expect(fixture, "pterodactyl", "Archive/4");
  expect(fixture, "quetzalcoatlus", "");
  list(fixture, "Archive", 7, 5, "1@x", sealed_type);
  expect_placed(fixture, opened, "quetzalcoatlus", "Archive/5");
  expect(fixture, "pterodactyl", "Archive/4");
  keep(fixture, "Archive", 5, "plesiosaur"); /* back where it is taken as well: it lies nowhere */
  load_more(fixture, opened, 4, 0, FALSE);
  expect(fixture, "plesiosaur", "Archive/5");
  expect(fixture, "pterodactyl", "Archive/4");
  expect(fixture, "quetzalcoatlus", "");
}

static void
test_lost(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func((GDestroyNotify)ml_opened_text_free);
  begin_folder(fixture, "INBOX", 7);
  for (guint32 uid = 1; uid <= 2; uid++) {
    MlOpenedText *text = text_new("INBOX", uid, "quetzalcoatlus");
    text->lost = g_get_real_time() / G_USEC_PER_SEC - ML_OPENED_LOST - (uid == 1 ? 3600 : -3600);
    g_ptr_array_add(texts, text);
  }
  gboolean ok = ml_opened_keep(fixture->dir, &fixture->account, texts, CRYPTO_REVOCATION_OFF, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_autoptr(MlOpened) opened = load(fixture, 2, 0);
  tidy(fixture, opened);
  g_autoptr(MlOpened) again = load(fixture, 1, 0);
}

/* As though it had been written so many days ago. */
static void
grow_old(Fixture *fixture, gint64 days)
{
  struct utimbuf times = { 0 };
  times.actime = times.modtime = (time_t)(g_get_real_time() / G_USEC_PER_SEC - days * 24 * 60 * 60 - 60);
  g_assert_cmpint(g_utime(fixture->file, &times), ==, 0);
}

/* What is deleted ages out although the file is one piece, and is not written again by each search. */
static void
test_ages(Fixture *fixture, gconstpointer data)
{
  list_many(fixture, 2);
  begin_folder(fixture, "Archive", 7);
  keep_together(fixture, 1, 2);
  unlist(fixture, "INBOX", 7, 1);
  unlist(fixture, "INBOX", 7, 2);
  list(fixture, "Archive", 7, 9, "2@x", sealed_type);
  for (guint i = 0; i < 3; i++) {
    g_autoptr(GBytes) before = pki_read(fixture->dir, "work.sealed");
    if (i)
      grow_old(fixture, 1);
    g_autoptr(MlOpened) opened = load(fixture, 2, 0);
    expect(fixture, "saurus*", "Archive/9");
    tidy(fixture, opened);
    tidy(fixture, opened);
    ml_opened_join(NULL, fixture->search);
    g_autoptr(GBytes) after = pki_read(fixture->dir, "work.sealed");
    /* not at once; then; and not again */
    g_assert_cmpint(g_bytes_equal(before, after), ==, i != 1);
  }
  MlOpenedText *texts[2] = { inside(fixture, 0), inside(fixture, 1) };
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  for (guint i = 0; i < 2; i++) {
    gboolean moved = strcmp(texts[i]->message_id, "2@x") == 0;
    g_assert_cmpstr(texts[i]->folder, ==, moved ? "Archive" : "INBOX");
    g_assert_cmpuint(texts[i]->uid, ==, moved ? 9 : 1);
    g_assert_true(moved ? texts[i]->lost == 0 : texts[i]->lost > now - 3600 && texts[i]->lost <= now);
    ml_opened_text_free(texts[i]);
  }
}

int
main(int argc, char **argv)
{
  lab_begin(&argc, &argv);
  ml_init();
  ADD("moved", test_moved);
  ADD("same-id", test_same_id);
  ADD("own-word", test_own_word);
  ADD("own-word-written", test_own_word_written);
  ADD("lost", test_lost);
  ADD("ages", test_ages);
  return lab_run();
}
