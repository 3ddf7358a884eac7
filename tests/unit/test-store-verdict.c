/* Verdicts beside the messages that are kept: each holds for its standing, its time and its octets, and no longer. */
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "mail/store.h"

typedef struct {
  char *folder;
  MlAccount account;
  MlStore *store;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  fixture->folder = g_dir_make_tmp("signet-verdict-XXXXXX", &error);
  g_assert_no_error(error);
  fixture->account = (MlAccount){ .name = (char *)"work", .kind = ML_ACCOUNT_IMAP,
                                  .imap = { .host = (char *)"mail.example.org", .user = (char *)"anna", .port = 993 } };
  fixture->store = ml_store_open(fixture->folder, &fixture->account, &error);
  g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  ml_store_free(fixture->store);
  g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_autofree char *file = g_build_filename(fixture->folder, name, NULL);
    g_unlink(file);
  }
  g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
  g_free(fixture->folder);
}

/* Messages 1 to @n, every third unsigned, each kept but the last. */
static void
fill(Fixture *fixture, const char *folder, guint32 validity, guint32 n)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  for (guint32 uid = n; uid >= 1; uid--) {
    g_autofree char *block = g_strdup_printf("From: Anna <a%u@x>\nContent-Type: %s\n\n", uid,
                                             uid % 3 ? "multipart/signed; protocol=\"application/pkcs7-signature\"" : "text/plain");
    MlHeader *header = ml_header_parse(block, strlen(block));
    header->uid = uid;
    g_ptr_array_add(all, header);
  }
  const MlSyncPoint point = { validity, n + 1, 5 };
  const MlStoreStep step = { .uidvalidity = validity, .reset = TRUE, .headers = all, .point = &point, .complete = TRUE };
  g_assert_true(ml_store_apply(fixture->store, folder, &step, &error));
  g_autoptr(GBytes) bytes = g_bytes_new_static("From: a\n\nx", 10);
  for (guint32 uid = 1; uid < n; uid++)
    g_assert_true(ml_store_put(fixture->store, folder, validity, uid, 7, bytes, &error));
}

static void
put(Fixture *fixture, const char *folder, guint32 validity, const char *standing, guint32 uid, MlMark mark, gint64 until)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) verdicts = g_array_new(FALSE, TRUE, sizeof(MlStoreVerdict));
  const MlStoreVerdict one = { .uid = uid, .mark = mark, .until = until };
  g_array_append_val(verdicts, one);
  gboolean ok = ml_store_put_verdicts(fixture->store, folder, validity, standing, verdicts, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

/* "1=2 5=3": uid and mark. */
static char *
verdicts(Fixture *fixture, const char *folder, guint32 validity, const char *standing, gint64 now)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) all = ml_store_verdicts(fixture->store, folder, validity, standing, now, &error);
  g_assert_no_error(error);
  GString *words = g_string_new(NULL);
  for (guint i = 0; i < all->len; i++) {
    const MlStoreVerdict *one = &g_array_index(all, MlStoreVerdict, i);
    g_string_append_printf(words, "%s%u=%d", i ? " " : "", one->uid, (int)one->mark);
  }
  return g_string_free(words, FALSE);
}

static void
assert_verdicts(Fixture *fixture, const char *folder, guint32 validity, const char *standing, gint64 now, const char *wanted)
{
  g_autofree char *words = verdicts(fixture, folder, validity, standing, now);
  g_assert_cmpstr(words, ==, wanted);
}

static char *
unjudged(Fixture *fixture, const char *standing, gint64 now, const GArray *uids, guint32 below, guint most)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) all = ml_store_unjudged(fixture->store, "INBOX", 9, standing, now, uids, below, most, &error);
  g_assert_no_error(error);
  GString *words = g_string_new(NULL);
  for (guint i = 0; i < all->len; i++) {
    const MlStoreUnjudged *one = all->pdata[i];
    g_autofree char *from = g_strdup_printf("Anna <a%u@x>", one->uid);
    g_assert_cmpstr(one->from, ==, from);
    g_string_append_printf(words, "%s%u", i ? " " : "", one->uid);
  }
  return g_string_free(words, FALSE);
}

static void
assert_unjudged(Fixture *fixture, const char *standing, gint64 now, guint32 below, guint most, const char *wanted)
{
  g_autofree char *words = unjudged(fixture, standing, now, NULL, below, most);
  g_assert_cmpstr(words, ==, wanted);
}

static void
test_standing(Fixture *fixture, gconstpointer data)
{
  fill(fixture, "INBOX", 9, 10);
  fill(fixture, "Sent", 8, 4);
  assert_verdicts(fixture, "INBOX", 9, "a", 100, "");
  put(fixture, "INBOX", 9, "a", 4, ML_MARK_GOOD, 200);
  put(fixture, "INBOX", 9, "a", 1, ML_MARK_BAD, G_MAXINT64);
  put(fixture, "Sent", 8, "a", 2, ML_MARK_WARN, 150);
  assert_verdicts(fixture, "INBOX", 9, "a", 100, "1=4 4=2");
  assert_verdicts(fixture, "Sent", 8, "a", 100, "2=3");
  /* trust is another: nothing of it is given out, and the first of the new one takes the rest away for good */
  assert_verdicts(fixture, "INBOX", 9, "b", 100, "");
  assert_verdicts(fixture, "INBOX", 9, "", 100, "");
  put(fixture, "INBOX", 9, "b", 5, ML_MARK_GOOD, 200);
  assert_verdicts(fixture, "INBOX", 9, "b", 100, "5=2");
  assert_verdicts(fixture, "INBOX", 9, "a", 100, "");
  assert_verdicts(fixture, "Sent", 8, "b", 100, "");
  put(fixture, "INBOX", 9, "a", 7, ML_MARK_WARN, 200);
  assert_verdicts(fixture, "INBOX", 9, "a", 100, "7=3"); /* nothing comes back */
}

static void
test_end(Fixture *fixture, gconstpointer data)
{
  fill(fixture, "INBOX", 9, 10);
  put(fixture, "INBOX", 9, "a", 4, ML_MARK_GOOD, 200); /* a certificate of its chain ends then */
  assert_verdicts(fixture, "INBOX", 9, "a", 200, "4=2");
  assert_verdicts(fixture, "INBOX", 9, "a", 201, "");
  assert_unjudged(fixture, "a", 200, 0, 20, "8 7 5 2 1");
  assert_unjudged(fixture, "a", 201, 0, 20, "8 7 5 4 2 1");
  put(fixture, "INBOX", 9, "a", 4, ML_MARK_WARN, 400);
  assert_verdicts(fixture, "INBOX", 9, "a", 201, "4=3");
}

static void
test_octets(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  fill(fixture, "INBOX", 9, 10);
  put(fixture, "INBOX", 9, "a", 10, ML_MARK_GOOD, 200); /* nothing is kept of it */
  put(fixture, "INBOX", 9, "a", 99, ML_MARK_GOOD, 200);
  put(fixture, "INBOX", 3, "a", 4, ML_MARK_GOOD, 200); /* of a folder that was there before */
  put(fixture, "Nowhere", 9, "a", 4, ML_MARK_GOOD, 200);
  assert_verdicts(fixture, "INBOX", 9, "a", 100, "");
  put(fixture, "INBOX", 9, "a", 4, ML_MARK_GOOD, 200);
  put(fixture, "INBOX", 9, "a", 5, ML_MARK_GOOD, 200);
  put(fixture, "INBOX", 9, "a", 7, ML_MARK_GOOD, 200);
  assert_verdicts(fixture, "INBOX", 3, "a", 100, "");
  /* other octets */
  g_autoptr(GBytes) other = g_bytes_new_static("From: b\n\ny", 10);
  g_assert_true(ml_store_put(fixture->store, "INBOX", 9, 4, 7, other, &error));
  assert_verdicts(fixture, "INBOX", 9, "a", 100, "5=2 7=2");
  /* gone from the folder */
  const guint32 gone = 5;
  g_autoptr(GArray) vanished = g_array_new(FALSE, FALSE, sizeof gone);
  g_array_append_val(vanished, gone);
  const MlStoreStep step = { .uidvalidity = 9, .vanished = vanished };
  g_assert_true(ml_store_apply(fixture->store, "INBOX", &step, &error));
  assert_verdicts(fixture, "INBOX", 9, "a", 100, "7=2");
  fill(fixture, "INBOX", 11, 10); /* another folder under the name */
  assert_verdicts(fixture, "INBOX", 11, "a", 100, "");
  assert_verdicts(fixture, "INBOX", 9, "a", 100, "");
}

static void
test_unjudged(Fixture *fixture, gconstpointer data)
{
  fill(fixture, "INBOX", 9, 12);
  assert_unjudged(fixture, "a", 100, 0, 20, "11 10 8 7 5 4 2 1");
  assert_unjudged(fixture, "a", 100, 0, 3, "11 10 8");
  assert_unjudged(fixture, "a", 100, 8, 3, "7 5 4");
  put(fixture, "INBOX", 9, "a", 7, ML_MARK_UNSIGNED, G_MAXINT64);
  assert_unjudged(fixture, "a", 100, 8, 3, "5 4 2");
  assert_unjudged(fixture, "b", 100, 8, 3, "7 5 4");
  const guint32 some[] = { 1, 3, 7, 12, 4, 77 };
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_vals(uids, some, G_N_ELEMENTS(some));
  g_autofree char *words = unjudged(fixture, "a", 100, uids, 0, 20);
  g_assert_cmpstr(words, ==, "1 4");
}

static void
run_sql(Fixture *fixture, const char *sql)
{
  g_autofree char *file = g_build_filename(fixture->folder, "work.db", NULL);
  sqlite3 *db = NULL;
  g_assert_cmpint(sqlite3_open(file, &db), ==, SQLITE_OK);
  g_assert_cmpint(sqlite3_exec(db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close(db);
}

/* Marks that we do not know are none; a table that is not there is damage like any other. */
static void
test_damaged(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  fill(fixture, "INBOX", 9, 10);
  put(fixture, "INBOX", 9, "a", 4, ML_MARK_GOOD, 200);
  put(fixture, "INBOX", 9, "a", 5, ML_MARK_GOOD, 200);
  run_sql(fixture, "UPDATE verdict SET mark = 77 WHERE id & 4294967295 = 4; UPDATE verdict SET mark = 'x' WHERE id & 4294967295 = 5");
  assert_verdicts(fixture, "INBOX", 9, "a", 100, "");
  run_sql(fixture, "DROP TABLE verdict");
  g_assert_null(ml_store_verdicts(fixture->store, "INBOX", 9, "a", 100, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  assert_verdicts(fixture, "INBOX", 9, "a", 100, ""); /* begun anew */
  fill(fixture, "INBOX", 9, 10);
  put(fixture, "INBOX", 9, "a", 4, ML_MARK_GOOD, 200);
  assert_verdicts(fixture, "INBOX", 9, "a", 100, "4=2");
}

/* Two signets: what one has put in the other has; and one of another standing takes it away for both. */
static void
test_two(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  fill(fixture, "INBOX", 9, 10);
  Fixture other = *fixture;
  other.store = ml_store_open(fixture->folder, &fixture->account, &error);
  g_assert_no_error(error);
  put(fixture, "INBOX", 9, "a", 4, ML_MARK_GOOD, 200);
  assert_verdicts(&other, "INBOX", 9, "a", 100, "4=2");
  put(&other, "INBOX", 9, "b", 5, ML_MARK_WARN, 200);
  assert_verdicts(fixture, "INBOX", 9, "a", 100, "");
  ml_store_free(other.store);
}

static gboolean
put_file(Fixture *fixture, guint32 uid, gint64 received, guint64 size)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(MlStoreVerdict));
  const MlStoreVerdict one = { .uid = uid, .mark = ML_MARK_GOOD, .until = 100, .received = received, .size = size };
  g_array_append_val(all, one);
  return ml_store_put_verdicts(fixture->store, "INBOX", 9, "a", all, &error);
}

/* A file of this machine is not kept: its verdict is put in for the file that the line speaks of, and goes with the line. */
static void
test_file(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  for (guint32 uid = 3; uid >= 1; uid--) {
    MlHeader *header = ml_header_parse("From: a@x\n\n", 11);
    header->uid = uid;
    header->received = 1000 + uid;
    header->size = 500;
    g_ptr_array_add(all, header);
  }
  const MlSyncPoint point = { .uidvalidity = 9 };
  MlStoreStep step = { .uidvalidity = 9, .reset = TRUE, .headers = all, .point = &point, .complete = TRUE };
  g_assert_true(ml_store_apply(fixture->store, "INBOX", &step, &error));
  g_assert_true(put_file(fixture, 1, 1001, 500));
  g_assert_true(put_file(fixture, 2, 1001, 500)); /* another time */
  g_assert_true(put_file(fixture, 3, 1003, 501)); /* another length */
  g_autofree char *before = verdicts(fixture, "INBOX", 9, "a", 50);
  g_assert_cmpstr(before, ==, "1=2");
  const guint32 first = 1;
  g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof first);
  g_array_append_val(gone, first);
  step = (MlStoreStep){ .uidvalidity = 9, .vanished = gone, .headers = all };
  g_assert_true(ml_store_apply(fixture->store, "INBOX", &step, &error));
  g_autofree char *after = verdicts(fixture, "INBOX", 9, "a", 50);
  g_assert_cmpstr(after, ==, "");
}

static MlMark
verdict_of(Fixture *fixture, guint32 uid, const char *standing, gint64 now, const char *digest)
{
  g_autoptr(GError) error = NULL;
  MlStoreVerdict verdict;
  g_assert_true(ml_store_verdict_of(fixture->store, "INBOX", 9, standing, now, uid, digest, &verdict, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(verdict.uid, ==, uid);
  return verdict.mark;
}

/* A verdict on the message of an mbox is there for those alone who have the very octets. */
static void
test_digest(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  fill(fixture, "INBOX", 9, 4);
  g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(MlStoreVerdict));
  for (guint32 uid = 1; uid <= 5; uid++) {
    const MlStoreVerdict one = { .uid = uid, .mark = ML_MARK_GOOD, .until = 100, .received = 1, .size = 1, .digest = "ab" };
    g_array_append_val(all, one);
  }
  g_assert_true(ml_store_put_verdicts(fixture->store, "INBOX", 9, "a", all, &error));
  g_assert_cmpint(verdict_of(fixture, 1, "a", 100, "ab"), ==, ML_MARK_GOOD);
  g_assert_cmpint(verdict_of(fixture, 1, "a", 101, "ab"), ==, ML_MARK_UNJUDGED);
  g_assert_cmpint(verdict_of(fixture, 1, "a", 100, "ac"), ==, ML_MARK_UNJUDGED);
  g_assert_cmpint(verdict_of(fixture, 1, "a", 100, ""), ==, ML_MARK_UNJUDGED);
  g_assert_cmpint(verdict_of(fixture, 1, "b", 100, "ab"), ==, ML_MARK_UNJUDGED);
  g_assert_cmpint(verdict_of(fixture, 5, "a", 100, "ab"), ==, ML_MARK_UNJUDGED); /* no line speaks of it */
  g_autofree char *listed = verdicts(fixture, "INBOX", 9, "a", 50);
  g_assert_cmpstr(listed, ==, ""); /* nobody has looked at the octets */
  put(fixture, "INBOX", 9, "a", 1, ML_MARK_WARN, 100);
  g_assert_cmpint(verdict_of(fixture, 1, "a", 100, "ab"), ==, ML_MARK_UNJUDGED); /* that is on others */
  run_sql(fixture, "UPDATE verdict SET mark = 77 WHERE id & 4294967295 = 2");
  g_assert_cmpint(verdict_of(fixture, 2, "a", 100, "ab"), ==, ML_MARK_UNJUDGED);
  const guint32 third = 3;
  g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof third);
  g_array_append_val(gone, third);
  const MlStoreStep step = { .uidvalidity = 9, .vanished = gone };
  g_assert_true(ml_store_apply(fixture->store, "INBOX", &step, &error));
  g_assert_cmpint(verdict_of(fixture, 3, "a", 100, "ab"), ==, ML_MARK_UNJUDGED);
  fill(fixture, "INBOX", 10, 4);
  g_assert_cmpint(verdict_of(fixture, 4, "a", 100, "ab"), ==, ML_MARK_UNJUDGED); /* of another folder */
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/store-verdict/" name, Fixture, NULL, set_up, func, tear_down)
  ADD("standing", test_standing);
  ADD("end", test_end);
  ADD("octets", test_octets);
  ADD("unjudged", test_unjudged);
  ADD("damaged", test_damaged);
  ADD("two", test_two);
  ADD("file", test_file);
  ADD("digest", test_digest);
  return g_test_run();
}
