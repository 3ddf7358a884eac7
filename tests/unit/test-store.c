/* The store of lists: what is put in comes out, in order; a file that is of no use is begun anew; two handles. */
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "mail/store.h"
#include "tests/unit/locks.h"

typedef struct {
  char *folder;
  MlAccount account;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  fixture->folder = g_dir_make_tmp("signet-store-XXXXXX", &error);
  g_assert_no_error(error);
  fixture->account = (MlAccount){ .name = (char *)"work/.. home", .kind = ML_ACCOUNT_IMAP,
                                  .imap = { .host = (char *)"mail.example.org", .user = (char *)"anna", .port = 993 } };
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_autofree char *file = g_build_filename(fixture->folder, name, NULL);
    g_unlink(file);
  }
  g_assert_cmpint(g_rmdir(fixture->folder), ==, 0); /* nothing was put beside it */
  g_free(fixture->folder);
}

static MlStore *
open_store(Fixture *fixture)
{
  g_autoptr(GError) error = NULL;
  MlStore *store = ml_store_open(fixture->folder, &fixture->account, &error);
  g_assert_no_error(error);
  return store;
}

static char *
only_file(Fixture *fixture)
{
  g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));)
    if (g_str_has_suffix(name, ".db"))
      return g_build_filename(fixture->folder, name, NULL);
  g_assert_not_reached();
}

static GPtrArray *
headers(guint32 from, guint32 to)
{
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  for (guint32 uid = to; uid >= from; uid--) {
    g_autofree char *block =
        g_strdup_printf("From: Anna \xc3\x84 <a%u@x>\nTo: b@x\nCc: c@x\nSubject: S %u\nMessage-ID: <%u@x>\n"
                        "References: <r@x>\nDate: Wed, 15 Nov 2023 00:00:00 +0000\nContent-Type: multipart/signed\n\n",
                        uid, uid, uid);
    MlHeader *header = ml_header_parse(block, strlen(block));
    header->uid = uid;
    header->flags = uid % 2 ? ML_FLAG_SEEN : ML_FLAG_FLAGGED;
    header->received = 77;
    header->size = uid * 10;
    g_ptr_array_add(all, header);
  }
  return all;
}

static void
fill(MlStore *store, const char *folder, guint32 validity, guint32 from, guint32 to)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) all = headers(from, to);
  const MlSyncPoint point = { validity, to + 1, 5 };
  const MlStoreStep step = { .uidvalidity = validity, .reset = TRUE, .headers = all, .point = &point, .complete = TRUE };
  gboolean ok = ml_store_apply(store, folder, &step, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static MlStoreFolder
about(MlStore *store, const char *folder)
{
  g_autoptr(GError) error = NULL;
  MlStoreFolder result;
  gboolean ok = ml_store_folder(store, folder, &result, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  return result;
}

static void
test_lines(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlStore) store = open_store(fixture);
  g_autoptr(GError) error = NULL;
  g_assert_cmpuint(about(store, "INBOX").point.uidvalidity, ==, 0);
  fill(store, "INBOX", 9, 1, 50);
  fill(store, "Sent", 8, 1, 3);
  MlStoreFolder inbox = about(store, "INBOX");
  g_assert_cmpuint(inbox.point.uidvalidity, ==, 9);
  g_assert_cmpuint(inbox.point.uidnext, ==, 51);
  g_assert_cmpuint(inbox.point.modseq, ==, 5);
  g_assert_cmpuint(inbox.total, ==, 50);
  g_assert_cmpuint(inbox.unseen, ==, 25);
  g_assert_true(inbox.complete);
  g_assert_cmpint(inbox.compared, >, 0);
  g_autoptr(GPtrArray) page = ml_store_headers(store, "INBOX", 0, 20, &error);
  g_autoptr(GPtrArray) next = ml_store_headers(store, "INBOX", 31, 100, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(page->len, ==, 20);
  g_assert_cmpuint(next->len, ==, 30);
  const MlHeader *first = page->pdata[0], *last = next->pdata[29];
  g_assert_cmpuint(first->uid, ==, 50);
  g_assert_cmpuint(last->uid, ==, 1);
  g_autoptr(GPtrArray) told = headers(50, 50);
  const MlHeader *want = told->pdata[0];
  g_assert_cmpstr(first->from, ==, want->from);
  g_assert_cmpstr(first->from_name, ==, "Anna \xc3\x84");
  g_assert_cmpstr(first->from_address, ==, want->from_address);
  g_assert_cmpstr(first->to, ==, "b@x");
  g_assert_cmpstr(first->cc, ==, "c@x");
  g_assert_cmpstr(first->subject, ==, "S 50");
  g_assert_cmpstr(first->message_id, ==, "50@x");
  g_assert_cmpstr(first->references, ==, want->references);
  g_assert_cmpint(first->date, ==, want->date);
  g_assert_cmpint(first->received, ==, 77);
  g_assert_cmpuint(first->size, ==, 500);
  g_assert_cmpuint(first->flags, ==, ML_FLAG_FLAGGED);
  g_assert_cmpuint(first->hints, ==, ML_HINT_SIGNED);
}

static void
add_uid(const MlHeader *header, gpointer uids)
{
  g_assert_cmpstr(header->from_name, ==, "Anna \xc3\x84");
  g_array_append_val(uids, header->uid);
}

static GArray *
numbers(guint32 one, guint32 other)
{
  GArray *uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_val(uids, one);
  g_array_append_val(uids, other);
  return uids;
}

/* What the screen reads: numbers, single lines, and all of them in passing; never those of a folder of another validity. */
static void
test_window(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlStore) store = open_store(fixture);
  g_autoptr(GError) error = NULL;
  fill(store, "INBOX", 9, 1, 50);
  fill(store, "Sent", 8, 1, 3);
  g_autoptr(GArray) all = ml_store_lines(store, "INBOX", 0, 0, 0, &error);
  g_autoptr(GArray) some = ml_store_lines(store, "INBOX", 0, 31, 10, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(all->len, ==, 50);
  g_assert_cmpuint(some->len, ==, 10);
  g_assert_cmpuint(g_array_index(some, MlLine, 0).uid, ==, 30);
  const MlLine *newest = &g_array_index(all, MlLine, 0);
  g_autoptr(GPtrArray) told = headers(50, 50);
  const MlHeader *want = told->pdata[0];
  g_assert_cmpuint(newest->uid, ==, 50);
  g_assert_cmpuint(newest->flags, ==, ML_FLAG_FLAGGED);
  g_assert_cmpuint(newest->hints, ==, ML_HINT_SIGNED);
  g_assert_cmpint(newest->date, ==, want->date);
  g_assert_cmpint(newest->received, ==, 77);
  g_assert_cmpuint(newest->size, ==, 500);

  g_autoptr(GArray) uids = numbers(7, 99);
  g_autoptr(GPtrArray) found = ml_store_headers_of(store, "INBOX", 9, uids, &error);
  g_autoptr(GPtrArray) none = ml_store_headers_of(store, "INBOX", 10, uids, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(found->len, ==, 1);
  g_assert_cmpstr(((const MlHeader *)found->pdata[0])->subject, ==, "S 7");
  g_assert_cmpuint(none->len, ==, 0);

  g_autoptr(GArray) passed = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_assert_true(ml_store_some(store, "INBOX", 10, 0, 0, add_uid, passed, &error));
  g_assert_cmpuint(passed->len, ==, 0);
  g_assert_true(ml_store_some(store, "INBOX", 9, 0, 0, add_uid, passed, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(passed->len, ==, 50);
  g_assert_cmpuint(g_array_index(passed, guint32, 0), ==, 50);
  g_assert_cmpuint(g_array_index(passed, guint32, 49), ==, 1);
  g_array_set_size(passed, 0);
  g_assert_true(ml_store_some(store, "INBOX", 9, 20, 5, add_uid, passed, &error));
  g_assert_true(ml_store_some(store, "INBOX", 9, 3, 5, add_uid, passed, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(passed->len, ==, 7);
  g_assert_cmpuint(g_array_index(passed, guint32, 0), ==, 19);
  g_assert_cmpuint(g_array_index(passed, guint32, 4), ==, 15);
  g_assert_cmpuint(g_array_index(passed, guint32, 5), ==, 2);
  g_assert_cmpuint(g_array_index(passed, guint32, 6), ==, 1);
}

static void
test_steps(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlStore) store = open_store(fixture), other = open_store(fixture);
  g_autoptr(GError) error = NULL;
  fill(store, "INBOX", 9, 1, 10);
  const guint32 gone[] = { 3, 99 };
  const MlFlagChange changed[] = { { 4, ML_FLAG_ANSWERED }, { 98, 0 } };
  g_autoptr(GArray) vanished = g_array_new(FALSE, FALSE, sizeof gone[0]);
  g_autoptr(GArray) flags = g_array_new(FALSE, FALSE, sizeof changed[0]);
  g_array_append_vals(vanished, gone, 2);
  g_array_append_vals(flags, changed, 2);
  MlStoreStep step = { .uidvalidity = 9, .vanished = vanished, .flags = flags };
  g_assert_true(ml_store_apply(other, "INBOX", &step, &error));
  g_autoptr(GArray) uids = ml_store_uids(store, "INBOX", &error);
  g_assert_cmpuint(uids->len, ==, 9);
  const MlFlagChange *third = &g_array_index(uids, MlFlagChange, 2);
  g_assert_cmpuint(third->uid, ==, 4);
  g_assert_cmpuint(third->flags, ==, ML_FLAG_ANSWERED);

  /* What is there keeps its flags when an older answer comes late. */
  g_autoptr(GPtrArray) late = headers(4, 4);
  MlStoreStep again = { .uidvalidity = 9, .headers = late };
  g_assert_true(ml_store_apply(store, "INBOX", &again, &error));
  g_autoptr(GArray) after = ml_store_uids(store, "INBOX", &error);
  g_assert_cmpuint(g_array_index(after, MlFlagChange, 2).flags, ==, ML_FLAG_ANSWERED);

  g_autoptr(GArray) fourth = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_val(fourth, third->uid);
  g_assert_true(ml_store_change_flags(store, "INBOX", 9, fourth, ML_FLAG_SEEN, ML_FLAG_ANSWERED, &error));
  g_assert_true(ml_store_change_flags(store, "INBOX", 9, vanished, ML_FLAG_SEEN, 0, &error));
  g_assert_true(ml_store_change_flags(store, "INBOX", 8, fourth, ML_FLAG_DELETED, 0, &error)); /* of another one */
  g_assert_true(ml_store_change_flags(store, "None", 9, fourth, ML_FLAG_SEEN, 0, &error));
  g_assert_no_error(error);
  g_autoptr(GArray) ours = ml_store_uids(store, "INBOX", &error);
  g_assert_cmpuint(g_array_index(ours, MlFlagChange, 2).flags, ==, ML_FLAG_SEEN);

  step.uidvalidity = 10;
  g_assert_false(ml_store_apply(store, "INBOX", &step, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_cmpuint(about(store, "INBOX").total, ==, 9);
}

static void
test_folders(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlStore) store = open_store(fixture);
  g_autoptr(GError) error = NULL;
  fill(store, "Old", 1, 1, 5);
  MlFolder inbox = { (char *)"INBOX", ML_ROLE_INBOX, TRUE, 7, 2 }, up = { (char *)"Up", ML_ROLE_NONE, FALSE, -1, -1 };
  g_autoptr(GPtrArray) list = g_ptr_array_new();
  g_ptr_array_add(list, &inbox);
  g_ptr_array_add(list, &up);
  g_assert_true(ml_store_set_folders(store, list, &error));
  inbox.total = inbox.unseen = -1; /* not counted this time */
  g_assert_true(ml_store_set_folders(store, list, &error));
  g_autoptr(GPtrArray) got = ml_store_folders(store, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(got->len, ==, 2);
  const MlFolder *first = got->pdata[0], *second = got->pdata[1];
  g_assert_cmpstr(first->name, ==, "INBOX");
  g_assert_cmpint(first->role, ==, ML_ROLE_INBOX);
  g_assert_cmpint(first->total, ==, 7);
  g_assert_false(second->selectable);
  g_assert_cmpuint(about(store, "Old").total, ==, 0); /* it is gone there, and here */
}

static void
assert_begun_anew(MlStore *store)
{
  g_autoptr(GError) error = NULL;
  MlStoreFolder result;
  if (!ml_store_folder(store, "INBOX", &result, &error)) {
    g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
    g_assert_nonnull(strstr(error->message, "begun anew"));
  }
  g_assert_cmpuint(about(store, "INBOX").total, ==, 0);
  fill(store, "INBOX", 9, 1, 5);
  g_assert_cmpuint(about(store, "INBOX").total, ==, 5);
}

static void
test_useless(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlStore) store = open_store(fixture);
  g_autoptr(GError) error = NULL;
  fill(store, "INBOX", 9, 1, 500);
  g_clear_pointer(&store, ml_store_free);
  g_autofree char *file = only_file(fixture);
  g_autofree char *whole = NULL;
  gsize length;
  g_assert_true(g_file_get_contents(file, &whole, &length, NULL));

  g_assert_true(g_file_set_contents(file, "this is no database, and never was one", -1, NULL));
  store = open_store(fixture);
  assert_begun_anew(store);
  g_clear_pointer(&store, ml_store_free);

  whole[60 + 3] = 99; /* user_version: a newer signet's */
  g_assert_true(g_file_set_contents(file, whole, (gssize)length, NULL));
  store = open_store(fixture);
  assert_begun_anew(store);
  g_clear_pointer(&store, ml_store_free);

  fixture->account.imap.user = (char *)"bob"; /* another mailbox under the same name */
  g_autoptr(MlStore) to_read = ml_store_open_to_read(fixture->folder, &fixture->account, &error);
  g_assert_no_error(error);
  g_assert_null(to_read);
  store = open_store(fixture);
  assert_begun_anew(store);
}

/* Damage met in the middle of things, with a second handle open. */
static void
test_damaged(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlStore) store = open_store(fixture);
  g_autoptr(GError) error = NULL;
  fill(store, "INBOX", 9, 1, 500);
  g_clear_pointer(&store, ml_store_free); /* all of it is in the file itself */
  g_autofree char *file = only_file(fixture);
  g_autofree char *bytes = NULL;
  gsize length;
  g_assert_true(g_file_get_contents(file, &bytes, &length, NULL));
  memset(bytes + length / 2, 0xa5, length / 3);
  FILE *out = fopen(file, "r+");
  g_assert_nonnull(out);
  g_assert_cmpuint(fwrite(bytes, 1, length, out), ==, length);
  fclose(out);
  store = open_store(fixture);
  g_autoptr(MlStore) other = open_store(fixture);
  g_autoptr(GArray) uids = ml_store_uids(store, "INBOX", &error);
  g_assert_null(uids);
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  assert_begun_anew(store);
  g_assert_cmpuint(about(other, "INBOX").total, ==, 5); /* it has noticed */
}

static GBytes *
get(MlStore *store, const char *folder, guint32 validity, guint32 uid, gint64 *received)
{
  g_autoptr(GError) error = NULL;
  GBytes *bytes = ml_store_get(store, folder, validity, uid, received, &error);
  g_assert_no_error(error);
  return bytes;
}

static void
put(MlStore *store, const char *folder, guint32 validity, guint32 uid, gsize size)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *data = g_malloc(size);
  memset(data, 'a' + (int)(uid % 26), size);
  g_autoptr(GBytes) bytes = g_bytes_new(data, size);
  gboolean ok = ml_store_put(store, folder, validity, uid, 1000 + uid, bytes, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static void
test_bodies_together(Fixture *fixture, gconstpointer data)
{
  static char large[ML_STORE_BODY + 1];
  g_autoptr(MlStore) store = open_store(fixture);
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) text = g_bytes_new_static("text", 4), too_large = g_bytes_new_static(large, sizeof large);
  MlBody bodies[] = { { 2, 12, text, NULL }, { 3, 13, too_large, NULL }, { 99, 14, text, NULL }, { 4, 15, NULL, NULL },
                      { 5, 15, text, NULL } };
  g_autoptr(GPtrArray) all = g_ptr_array_new();
  gint64 received = 0;
  fill(store, "INBOX", 9, 1, 10);
  for (guint i = 0; i < G_N_ELEMENTS(bodies); i++)
    g_ptr_array_add(all, &bodies[i]);
  g_assert_true(ml_store_put_all(store, "INBOX", 9, all, &error));
  for (guint i = 0; i < G_N_ELEMENTS(bodies); i++) {
    g_autoptr(GBytes) kept = get(store, "INBOX", 9, bodies[i].uid, &received);
    g_assert_cmpint(kept != NULL, ==, bodies[i].uid == 2 || bodies[i].uid == 5);
    if (kept)
      g_assert_cmpint(received, ==, bodies[i].received);
  }
  g_ptr_array_set_size(all, 0);
  g_assert_true(ml_store_put_all(store, "INBOX", 9, all, &error));
}

static void
test_bodies(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlStore) store = open_store(fixture);
  g_autoptr(GError) error = NULL;
  gint64 received = 0;
  fill(store, "INBOX", 9, 1, 10);
  fill(store, "Sent", 9, 1, 10);
  put(store, "INBOX", 9, 3, 5000);
  g_autoptr(GBytes) third = get(store, "INBOX", 9, 3, &received);
  g_assert_nonnull(third);
  g_assert_cmpuint(g_bytes_get_size(third), ==, 5000);
  g_assert_cmpint(*(const char *)g_bytes_get_data(third, NULL), ==, 'd');
  g_assert_cmpint(received, ==, 1003);
  g_autoptr(GBytes) seen_last = get(store, "INBOX", 0, 3, &received);
  g_assert_nonnull(seen_last);

  /* Another message of that number is not it. */
  g_assert_null(get(store, "Sent", 9, 3, &received));
  g_assert_null(get(store, "INBOX", 8, 3, &received));
  g_assert_null(get(store, "INBOX", 9, 4, &received));
  /* What no list has is not kept, nor what is large. */
  put(store, "INBOX", 9, 99, 10);
  put(store, "INBOX", 8, 5, 10);
  put(store, "None", 9, 5, 10);
  put(store, "INBOX", 9, 6, ML_STORE_BODY + 1);
  g_assert_null(get(store, "INBOX", 0, 99, &received));
  g_assert_null(get(store, "INBOX", 0, 5, &received));
  g_assert_null(get(store, "INBOX", 0, 6, &received));

  /* It goes with its line, and with its folder. */
  const guint32 gone = 3;
  g_autoptr(GArray) vanished = g_array_new(FALSE, FALSE, sizeof gone);
  g_array_append_val(vanished, gone);
  const MlStoreStep step = { .uidvalidity = 9, .vanished = vanished };
  g_assert_true(ml_store_apply(store, "INBOX", &step, &error));
  g_assert_null(get(store, "INBOX", 0, 3, &received));
  put(store, "Sent", 9, 4, 10);
  fill(store, "Sent", 10, 1, 10);
  g_assert_null(get(store, "Sent", 0, 4, &received));
}

/* The numbers that are kept with a folder, after whatever changed. */
static void
assert_counted(MlStore *store, const char *folder)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) uids = ml_store_uids(store, folder, &error);
  guint unseen = 0;
  g_assert_no_error(error);
  for (guint i = 0; i < uids->len; i++)
    unseen += !(g_array_index(uids, MlFlagChange, i).flags & ML_FLAG_SEEN);
  g_assert_cmpuint(about(store, folder).total, ==, uids->len);
  g_assert_cmpuint(about(store, folder).unseen, ==, unseen);
}

static void
assert_touched(sqlite3 *db, int count, int lowest, int highest)
{
  sqlite3_stmt *touched = NULL;
  g_assert_cmpint(sqlite3_prepare_v2(db, "SELECT count(*), min(id & 0xffff), max(id & 0xffff) FROM touched", -1, &touched, NULL), ==, SQLITE_OK);
  g_assert_cmpint(sqlite3_step(touched), ==, SQLITE_ROW);
  g_assert_cmpint(sqlite3_column_int(touched, 0), ==, count);
  g_assert_cmpint(sqlite3_column_int(touched, 1), ==, lowest);
  g_assert_cmpint(sqlite3_column_int(touched, 2), ==, highest);
  sqlite3_finalize(touched);
}

static void
test_counted(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlStore) store = open_store(fixture);
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) some = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_autoptr(GArray) flags = g_array_new(FALSE, FALSE, sizeof(MlFlagChange));
  g_autoptr(GPtrArray) more = headers(30, 60), again = headers(1, 60), apart = headers(20, 25), around = headers(15, 30);
  fill(store, "INBOX", 9, 1, 40);
  fill(store, "Sent", 9, 1, 7);
  const MlStoreStep twice = { .uidvalidity = 9, .headers = more }, thrice = { .uidvalidity = 9, .headers = again };
  const MlStoreStep other = { .uidvalidity = 9, .headers = apart }, others = { .uidvalidity = 9, .headers = around };
  sqlite3 *db = NULL;
  g_autofree char *file = only_file(fixture);
  g_assert_cmpint(sqlite3_open(file, &db), ==, SQLITE_OK);
  g_assert_cmpint(sqlite3_exec(db, "DELETE FROM touched", NULL, NULL, NULL), ==, SQLITE_OK);
  gboolean ok = ml_store_apply(store, "INBOX", &twice, &error) && ml_store_apply(store, "INBOX", &thrice, &error);
  g_assert_true(ok);
  /* Only those that were new are looked at for their words. */
  assert_touched(db, 20, 41, 60);
  g_assert_cmpint(sqlite3_exec(db, "DELETE FROM touched", NULL, NULL, NULL), ==, SQLITE_OK);
  ok = ml_store_apply(store, "Sent", &other, &error);
  g_assert_true(ok);
  assert_touched(db, 6, 20, 25); /* with nothing between them */
  ok = ml_store_apply(store, "Sent", &others, &error);
  g_assert_true(ok);
  assert_touched(db, 16, 15, 30); /* and with some */
  sqlite3_close(db);
  g_assert_cmpuint(about(store, "INBOX").total, ==, 60);
  assert_counted(store, "INBOX");
  for (guint32 uid = 1; uid <= 20; uid++) {
    const MlFlagChange change = { uid, uid % 3 ? ML_FLAG_SEEN | ML_FLAG_FLAGGED : 0 };
    const guint32 gone = uid * 5;
    g_array_append_val(flags, change);
    g_array_append_val(some, gone);
  }
  const MlStoreStep step = { .uidvalidity = 9, .vanished = some, .flags = flags };
  ok = ml_store_apply(store, "INBOX", &step, &error);
  g_assert_true(ok);
  g_assert_cmpuint(about(store, "INBOX").total, ==, 48);
  assert_counted(store, "INBOX");
  g_array_set_size(some, 0);
  for (guint32 uid = 1; uid < 50; uid++)
    g_array_append_val(some, uid);
  ok = ml_store_change_flags(store, "INBOX", 9, some, 0, ML_FLAG_SEEN, &error);
  g_assert_true(ok);
  assert_counted(store, "INBOX");
  assert_counted(store, "Sent");
  g_assert_cmpuint(about(store, "Sent").total, ==, 23);
  fill(store, "INBOX", 10, 1, 5); /* another folder of that name */
  assert_counted(store, "INBOX");
}

/* A file of the version before is brought up, with what is in it. */
static void
test_older(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlStore) store = open_store(fixture);
  sqlite3 *db = NULL;
  fill(store, "INBOX", 9, 1, 50);
  fill(store, "Sent", 8, 1, 3);
  g_clear_pointer(&store, ml_store_free);
  g_autofree char *file = only_file(fixture);
  g_assert_cmpint(sqlite3_open(file, &db), ==, SQLITE_OK);
  g_assert_cmpint(sqlite3_exec(db, "DROP TRIGGER hidden; DROP TRIGGER back; DROP TABLE confirmed;"
                                "DROP TRIGGER came; DROP TRIGGER gone; DROP TRIGGER seen;"
                                   "DROP TRIGGER touched_new; DROP TRIGGER touched_gone; DROP TRIGGER touched_body;"
                                   "DROP TABLE touched; DROP TABLE birth;"
                                   "DROP TRIGGER verdict_body; DROP TRIGGER verdict_gone; DROP TABLE verdict; DROP TABLE standing;"
                                   "ALTER TABLE about DROP COLUMN capabilities;"
                                   "ALTER TABLE folder DROP COLUMN kept; ALTER TABLE folder DROP COLUMN kept_unseen;"
                                   "CREATE TRIGGER gone AFTER DELETE ON message BEGIN DELETE FROM body WHERE id = old.id;"
                                   " END; PRAGMA user_version = 2", NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close(db);
  store = open_store(fixture);
  g_assert_cmpuint(about(store, "INBOX").total, ==, 50);
  assert_counted(store, "INBOX");
  assert_counted(store, "Sent");
  fill(store, "INBOX", 10, 1, 5);
  assert_counted(store, "INBOX");
}

/* A handle keeps its lock when another of this process is opened and closed: without it another process would take
 * the write-ahead log away. The file is ours alone to read, and no link is followed. */
static void
test_locked(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlStore) store = open_store(fixture);
  g_autofree char *file = only_file(fixture);
  g_autofree char *log = g_strconcat(file, "-wal", NULL);
  fill(store, "INBOX", 9, 1, 5);
  g_assert_true(locks_held(file));
  g_autoptr(MlStore) second = open_store(fixture);
  g_assert_true(locks_held(file));
  g_clear_pointer(&second, ml_store_free);
  g_assert_true(locks_held(file));
  struct stat about;
  g_assert_cmpint(g_stat(file, &about), ==, 0);
  g_assert_cmpint(about.st_mode & 0777, ==, 0600);
  g_clear_pointer(&store, ml_store_free);
  g_assert_false(g_file_test(log, G_FILE_TEST_EXISTS));
  g_assert_cmpint(g_unlink(file), ==, 0);
  g_assert_cmpint(symlink("/dev/null", file), ==, 0);
  g_autoptr(GError) error = NULL;
  g_assert_null(ml_store_open(fixture->folder, &fixture->account, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, test) g_test_add("/store/" name, Fixture, NULL, set_up, test, tear_down)
  ADD("lines", test_lines);
  ADD("window", test_window);
  ADD("steps", test_steps);
  ADD("folders", test_folders);
  ADD("bodies", test_bodies);
  ADD("bodies-together", test_bodies_together);
  ADD("useless", test_useless);
  ADD("damaged", test_damaged);
  ADD("counted", test_counted);
  ADD("older", test_older);
  ADD("locked", test_locked);
  return g_test_run();
}
