#include "mail/message.h"
#include "tests/unit/dovecot-relay.h"

/* Large messages on a real Dovecot: what is not shown stays there until it is asked for, what is signed does not. */
enum { LARGE = 20 * 1024 * 1024 };

/* Base64 of octets that do not repeat, in lines; decoded: @size of them. */
static void
add_base64(GString *text, gsize size, guint32 seed)
{
  g_autofree guchar *octets = g_malloc(size);
  for (gsize i = 0; i < size; i++) {
    seed = seed * 1103515245 + 12345;
    octets[i] = (guchar)(seed >> 16);
  }
  for (gsize at = 0; at < size; at += 57) {
    g_autofree char *line = g_base64_encode(octets + at, MIN(size - at, (gsize)57));
    g_string_append_printf(text, "%s\n", line);
  }
}

static void
add_head(GString *text, const char *subject, const char *type)
{
  g_string_append_printf(text,
                         "From: Anna <anna@example.org>\nTo: dora@example.org\nSubject: %s\nMIME-Version: 1.0\n"
                         "Message-ID: <%s@example.org>\nContent-Type: %s\n\n",
                         subject, subject, type);
}

static void
add_file(GString *text, const char *boundary, const char *name, gsize size)
{
  g_string_append_printf(text,
                         "\n--%s\nContent-Type: application/pdf; name=\"%s\"\nContent-Transfer-Encoding: base64\n"
                         "Content-Disposition: attachment; filename=\"%s\"\n\n",
                         boundary, name, name);
  add_base64(text, size, (guint32)size);
}

static char *
simple(void)
{
  GString *text = g_string_new(NULL);
  add_head(text, "large", "multipart/mixed; boundary=\"outer (1)\"");
  g_string_append(text, "preamble\n--outer (1)\nContent-Type: text/plain; charset=utf-8\n\nSee the attached.\n");
  add_file(text, "outer (1)", "report.pdf", LARGE);
  g_string_append(text, "--outer (1)--\nepilogue\n");
  return g_string_free(text, FALSE);
}

/* All that can be around a part: alternatives, messages in messages, shown and attached, odd encodings, no name. */
static char *
nested(void)
{
  GString *text = g_string_new(NULL);
  add_head(text, "nested", "multipart/mixed; boundary=a");
  g_string_append(text, "--a\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n"
                        "plain words\n\n--b\nContent-Type: multipart/related; boundary=c\n\n--c\n"
                        "Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n<p>ht=6Dl</p>\n");
  add_file(text, "c", "picture.pdf", 300000);
  g_string_append(text, "--c--\n\n--b--\n\n--a\nContent-Type: message/rfc822\n\n");
  add_head(text, "shown", "multipart/mixed; boundary=d");
  g_string_append(text, "--d\n\ninner words\n");
  add_file(text, "d", "inner.pdf", 200000);
  g_string_append(text, "--d--\n\n--a\nContent-Type: message/rfc822\nContent-Disposition: attachment\n\n");
  add_head(text, "attached", "multipart/mixed; boundary=e");
  g_string_append(text, "--e\n\nhidden words\n");
  add_file(text, "e", "hidden.pdf", 150000);
  g_string_append(text, "--e--\n\n--a\nContent-Type: message/rfc822\n\n");
  add_head(text, "single", "application/octet-stream");
  for (guint i = 0; i < 3000; i++)
    g_string_append_printf(text, "%u: not encoded at all, --a and --b within a line\n", i);
  g_string_append(text, "\n--a\nContent-Type: text/csv; name=table.csv\nContent-Disposition: attachment\n\n");
  for (guint i = 0; i < 8000; i++)
    g_string_append_printf(text, "%u;%u\n", i, i * i);
  g_string_append(text, "\n--a\nContent-Type: text/plain; name=small.txt\nContent-Disposition: attachment\n\nlittle\n"
                        "\n--a\nContent-Type: multipart/digest; boundary=f\n\n--f\n\nSubject: one\n\ndigest text\n\n--f--\n");
  add_file(text, "a", "last.pdf", 100001);
  g_string_append(text, "--a--\n");
  return g_string_free(text, FALSE);
}

static MlMessage *
read_bytes(GBytes *bytes, GPtrArray *left)
{
  g_autoptr(GError) error = NULL;
  MlReadOptions options = { .at = g_get_real_time() / G_USEC_PER_SEC, .left = left };
  MlMessage *message = ml_message_read(bytes, &options, NULL, &error);
  g_assert_no_error(error);
  return message;
}

static MlHeader *
find(Client *client, GPtrArray **headers, const char *subject)
{
  *headers = list(client, "INBOX");
  for (guint i = 0; i < (*headers)->len; i++)
    if (strcmp(((MlHeader *)g_ptr_array_index(*headers, i))->subject, subject) == 0)
      return g_ptr_array_index(*headers, i);
  g_assert_not_reached();
}

/* The tree, the text and every content are the same, whether the message came whole or by parts. */
static void
compare(Client *client, guint32 uid, const MlMessage *whole, const MlMessage *partial, guint stayed)
{
  g_autoptr(GError) error = NULL;
  GPtrArray *all = ml_message_parts(whole), *some = ml_message_parts(partial);
  g_assert_cmpstr(ml_message_text(whole), ==, ml_message_text(partial));
  g_assert_cmpuint(ml_message_blocks(whole)->len, ==, ml_message_blocks(partial)->len);
  guint left = 0;
  for (guint i = 0, j = 0; i < all->len; i++, j++) {
    const MlPart *one = g_ptr_array_index(all, i), *other = g_ptr_array_index(some, j);
    g_assert_cmpstr(one->type, ==, other->type);
    g_assert_cmpuint(one->depth, ==, other->depth);
    g_assert_cmpint(one->attachment, ==, other->attachment);
    g_assert_cmpint(one->shown, ==, other->shown);
    g_assert_cmpstr(one->name, ==, other->name);
    g_assert_cmpstr(one->save_as, ==, other->save_as);
    if (!one->leaf && strcmp(one->type, "message/rfc822") != 0)
      continue;
    guint64 size = 0;
    g_autofree char *section = g_strdup(ml_message_part_section(partial, j, &size));
    g_assert_cmpint(section != NULL, ==, other->on_server);
    g_autoptr(GBytes) want = ml_message_part_content(whole, i, &error);
    g_assert_no_error(error);
    g_autoptr(GBytes) got = NULL;
    if (section) {
      left++;
      g_assert_null(ml_message_part_content(partial, j, NULL));
      g_autoptr(GBytes) fetched = ml_driver_fetch_part(client->driver, uid, section, size, NULL, NULL, &error);
      g_assert_no_error(error);
      g_assert_cmpuint(g_bytes_get_size(fetched), ==, size);
      got = ml_message_left_content(partial, j, fetched, &error);
      g_assert_cmpfloat_with_epsilon((double)other->size, (double)one->size, (double)one->size / 50 + 100);
    } else {
      got = ml_message_part_content(partial, j, &error);
    }
    g_assert_no_error(error);
    g_test_message("%s %s: %s", section ? section : "-", one->type, one->name ? one->name : "");
    g_assert_cmpmem(g_bytes_get_data(got, NULL), g_bytes_get_size(got), g_bytes_get_data(want, NULL),
                    g_bytes_get_size(want));
    if (one->leaf || !other->leaf)
      continue;
    while (i + 1 < all->len && ((MlPart *)g_ptr_array_index(all, i + 1))->depth > one->depth)
      i++; /* an attached message that stayed is one part */
  }
  g_assert_cmpuint(left, ==, stayed);
}

static void
test_tree(void)
{
  g_autoptr(GError) error = NULL;
  Client client;
  g_autofree char *text = nested();
  deliver("bob", "", "1700000001.nested.lab", text);
  client_open(&client, "bob");
  g_autoptr(GPtrArray) headers = NULL;
  MlHeader *header = find(&client, &headers, "nested");
  g_autoptr(GPtrArray) left = NULL;
  g_autoptr(GBytes) some =
      ml_driver_fetch_shown(client.driver, header->uid, header->size, &left, NULL, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_nonnull(left);
  g_assert_cmpuint(g_bytes_get_size(some), <, 16000);
  g_autoptr(GBytes) all = ml_driver_fetch(client.driver, header->uid, NULL, NULL, NULL, &error);
  g_autoptr(MlMessage) whole = read_bytes(all, NULL);
  g_autoptr(MlMessage) partial = read_bytes(some, left);
  compare(&client, header->uid, whole, partial, 8);
  g_assert_cmpint(ml_message_verdict(partial)->signature, ==, ML_SIGNATURE_UNSIGNED);
  ml_driver_free(client.driver);
}

/* A message that is one large file, and one that is small. */
static void
test_single(void)
{
  g_autoptr(GError) error = NULL;
  Client client;
  g_autoptr(GString) text = g_string_new("Subject: file\nMIME-Version: 1.0\nContent-Type: application/pdf\n"
                                         "Content-Transfer-Encoding: base64\n\n");
  add_base64(text, 400000, 7);
  deliver("bob", "", "1700000002.single.lab", text->str);
  client_open(&client, "bob");
  g_autoptr(GPtrArray) headers = NULL;
  MlHeader *header = find(&client, &headers, "file");
  g_autoptr(GPtrArray) left = NULL;
  g_autoptr(GBytes) some =
      ml_driver_fetch_shown(client.driver, header->uid, header->size, &left, NULL, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_bytes_get_size(some), <, 1000);
  g_autoptr(GBytes) all = ml_driver_fetch(client.driver, header->uid, NULL, NULL, NULL, &error);
  g_autoptr(MlMessage) whole = read_bytes(all, NULL);
  g_autoptr(MlMessage) partial = read_bytes(some, left);
  compare(&client, header->uid, whole, partial, 1);
  g_assert_null(ml_driver_fetch_part(client.driver, header->uid, "9", 1, NULL, NULL, NULL));
  g_assert_null(ml_driver_fetch_part(client.driver, header->uid, "1] BODY[", 1, NULL, NULL, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  ml_driver_free(client.driver);
}

/* Whatever could be S/MIME comes whole: the same bytes as ever. */
static void
test_smime(void)
{
  static const struct {
    const char *name, *type, *file;
  } cases[] = {
    { "signed", "multipart/signed; boundary=a; protocol=\"application/pkcs7-signature\"", "application/pdf" },
    { "errant", "multipart/mixed; boundary=a", "application/pkcs7-mime; name=smime.p7m" },
    { "octets", "multipart/mixed; boundary=a", "application/octet-stream; name=smime.p7m" },
  };
  Client client;
  client_open(&client, "bob");
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    add_head(text, cases[i].name, cases[i].type);
    g_string_append_printf(text, "--a\n\ntext\n--a\nContent-Type: %s\nContent-Transfer-Encoding: base64\n\n",
                           cases[i].file);
    add_base64(text, 300000, i);
    g_string_append(text, "--a--\n");
    g_autofree char *file = g_strdup_printf("170000010%u.smime.lab", i);
    deliver("bob", "", file, text->str);
    g_autoptr(GPtrArray) headers = NULL;
    MlHeader *header = find(&client, &headers, cases[i].name);
    g_autoptr(GPtrArray) left = NULL;
    g_autoptr(GBytes) bytes =
        ml_driver_fetch_shown(client.driver, header->uid, header->size, &left, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_null(left);
    g_assert_cmpuint(g_bytes_get_size(bytes), ==, header->size);
  }
  ml_driver_free(client.driver);
}

static const char *
large_section(const MlMessage *message, guint64 *size, guint *part)
{
  GPtrArray *parts = ml_message_parts(message);
  for (*part = 0; *part < parts->len; ++*part) {
    const char *section = ml_message_part_section(message, *part, size);
    if (section)
      return section;
  }
  g_assert_not_reached();
}

/* On the wire: some kilobytes to read it, the part only when it is asked for, and a line that breaks in it. */
static void
test_wire(void)
{
  Worker w;
  g_autoptr(GError) error = NULL;
  g_autofree char *text = simple();
  deliver("carol", "", "1700000001.large.lab", text);
  worker_start(&w, "carol");
  guint64 open = ml_worker_open(w.worker, "INBOX", 40);
  g_assert_no_error(await(&w, ML_EVENT_DONE, open, 0)->error);
  MlHeader *header = g_ptr_array_index(await(&w, ML_EVENT_HEADERS, open, 0)->headers, 0);
  gint before = g_atomic_int_get(&w.relay.passed);
  guint64 id = ml_worker_fetch_shown(w.worker, "INBOX", header->uid, header->size);
  MlEvent *event = await(&w, ML_EVENT_MESSAGE, id, 0);
  g_assert_no_error(await(&w, ML_EVENT_DONE, id, 0)->error);
  gint octets = g_atomic_int_get(&w.relay.passed) - before;
  g_test_message("a message of %" G_GUINT64_FORMAT " octets was opened with %d", header->size, octets);
  g_assert_cmpint(octets, <, 8000);
  g_assert_nonnull(event->left);
  g_autoptr(MlMessage) message = read_bytes(event->bytes, event->left);
  g_assert_cmpstr(ml_message_text(message), ==, "See the attached.");
  guint64 size;
  guint part;
  const char *section = large_section(message, &size, &part);

  id = ml_worker_fetch_part(w.worker, "INBOX", header->uid, section, size);
  event = await(&w, ML_EVENT_PART, id, 0);
  g_autoptr(GBytes) content = ml_message_left_content(message, part, event->bytes, &error);
  g_autoptr(GString) want = g_string_new(NULL);
  add_base64(want, LARGE, LARGE);
  gsize length;
  g_autofree guchar *octets_wanted = g_base64_decode(want->str, &length);
  g_assert_cmpmem(g_bytes_get_data(content, NULL), g_bytes_get_size(content), octets_wanted, length);
  g_assert_nonnull(await(&w, ML_EVENT_PROGRESS, id, 0));

  /* Cut in the middle, with the server gone: an error, and no part of a part. */
  guint from = w.events->len;
  g_atomic_int_set(&w.relay.left, 3000000);
  id = ml_worker_fetch_part(w.worker, "INBOX", header->uid, section, size);
  await_stuck(&w);
  lab_do("stop");
  g_atomic_int_set(&w.relay.cut, 1);
  g_assert_error(await(&w, ML_EVENT_DONE, id, from)->error, ML_ERROR, ML_ERROR_OFFLINE);
  for (guint i = from; i < w.events->len; i++)
    g_assert_cmpint(((MlEvent *)g_ptr_array_index(w.events, i))->kind, !=, ML_EVENT_PART);
  lab_do("again");
  /* Cancelled in the middle: at once, and the next one works. */
  await_state(&w, ML_STATE_ONLINE, from);
  g_atomic_int_set(&w.relay.left, 3000000);
  id = ml_worker_fetch_part(w.worker, "INBOX", header->uid, section, size);
  await_stuck(&w);
  ml_worker_cancel(w.worker, id);
  g_assert_error(await(&w, ML_EVENT_DONE, id, from)->error, ML_ERROR, ML_ERROR_CANCELLED);
  id = ml_worker_fetch_part(w.worker, "INBOX", header->uid, section, size);
  g_assert_no_error(await(&w, ML_EVENT_DONE, id, from)->error);
  worker_stop(&w);
}

static void
add(void)
{
  g_test_add_func("/dovecot/parts/tree", test_tree);
  g_test_add_func("/dovecot/parts/single", test_single);
  g_test_add_func("/dovecot/parts/smime", test_smime);
  g_test_add_func("/dovecot/parts/wire", test_wire);
}

int
main(int argc, char **argv)
{
  return lab_main(argc, argv, add);
}
