/* What is read of a TLS stream, to its end and behind it, against `openssl s_server` on loopback. */
#include "crypto/tls.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/tls-lab.h"

static void
test_wake(void)
{
  Server server = start_server("good", "");
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoTls) tls = crypto_tls_new(dial(server.port), &(CryptoTlsOptions){ .host = "localhost" });
  g_assert_true(crypto_tls_start(tls, &error));
  int ends[2];
  g_assert_cmpint(pipe(ends), ==, 0);
  /* The server's session tickets make the socket readable without any data in it. */
  g_assert_cmpint(crypto_tls_wait(tls, 100, ends[0]), ==, CRYPTO_TLS_TIMEOUT);
  g_assert_cmpint(write(ends[1], "w", 1), ==, 1);
  g_assert_cmpint(crypto_tls_wait(tls, PATIENCE_MS, ends[0]), ==, CRYPTO_TLS_WOKEN);
  write_all(tls, "abc\n");
  while (crypto_tls_wait(tls, PATIENCE_MS, ends[0]) == CRYPTO_TLS_WOKEN)
    ;
  char first; /* the rest is decrypted by now and lies in NSS, where poll() does not see it */
  g_assert_cmpint(crypto_tls_read(tls, &first, 1, &error), ==, 1);
  g_assert_cmpint(crypto_tls_wait(tls, 0, -1), ==, CRYPTO_TLS_DATA);
  close(ends[0]);
  close(ends[1]);
  stop_server(&server);
  g_assert_cmpint(crypto_tls_read(tls, &first, 1, NULL), ==, 1);
}

/* Bulk in both directions, more than any buffer holds, with a peer that reads while it is written to. */
static void
test_bulk(void)
{
  Server server = start_server("good", "");
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoTls) tls = crypto_tls_new(dial(server.port), &(CryptoTlsOptions){ .host = "localhost" });
  g_assert_true(crypto_tls_start(tls, &error));
  g_autoptr(GString) sent = g_string_new(NULL);
  for (int i = 0; i < 3000; i++)
    g_string_append_printf(sent, "line %d of a long conversation\n", i);
  write_all(tls, sent->str);
  for (int i = 0; i < 3000; i++) {
    g_autofree char *want = g_strdup_printf("line %d of a long conversation", i), *line = read_line(tls);
    g_strchomp(line);
    g_assert_cmpstr(g_strreverse(want), ==, line);
  }
  stop_server(&server);
}

/* What came before the end is read first, several records by one call, and then the end, however often. */
static void
test_last(void)
{
  enum { LINES = 500, LENGTH = 10 };
  Server server = start_server("good", "");
  g_autoptr(GError) error = NULL;
  g_autofree char *block = g_malloc(1 << 16);
  int fd = dial(server.port);
  g_autoptr(CryptoTls) tls = crypto_tls_new(fd, &(CryptoTlsOptions){ .host = "localhost" });
  g_assert_true(crypto_tls_start(tls, &error));
  for (int i = 0; i < LINES; i++)
    write_all(tls, "123456789\n");
  for (gsize all = 0; all < LINES * LENGTH;) {
    gssize got = crypto_tls_read(tls, block, 1 << 16, &error);
    g_assert_no_error(error);
    for (gssize i = 0; i < got; i++)
      g_assert_cmpint(block[i], ==, "987654321\n"[(all + (gsize)i) % LENGTH]);
    all += (gsize)got;
  }
  write_all(tls, "abc\n");
  struct pollfd there = { fd, POLLIN, 0 };
  g_assert_cmpint(poll(&there, 1, PATIENCE_MS), ==, 1);
  stop_server(&server); /* its goodbye lies behind the answer */
  gssize got = crypto_tls_read(tls, block, 1 << 16, &error);
  g_assert_no_error(error);
  g_assert_cmpint(got, ==, 4);
  g_assert_cmpint(memcmp(block, "cba\n", 4), ==, 0);
  for (int i = 0; i < 2; i++) {
    g_autoptr(GError) end = NULL;
    g_assert_cmpint(crypto_tls_read(tls, block, 1 << 16, &end), ==, -1);
    g_assert_error(end, CRYPTO_ERROR, CRYPTO_ERROR_OFFLINE);
  }
  g_assert_cmpint(crypto_tls_wait(tls, 0, -1), ==, CRYPTO_TLS_BROKEN);
}

/* --- a stream whose end is here before its beginning is read --- */

enum { READ_AHEAD = 32 * 1024 /* crypto/tls.c's */, RECORD_HEAD = 5, ALERT_MAX = 8 + 2 + 16 };

/* What no server can decrypt, and what is no kind of record: it says so and closes. */
#define NOT_SEALED "\x17\x03\x03\x00\x30nothing that anybody sealed, of 48 octets ......"
#define NO_RECORD "\x63\x03\x03\x00\x01?"
#define RAW(octets) octets, sizeof(octets) - 1

#define CLOSED "localhost closed the connection; try again, and see whether its address and port are right."
#define ALTERED "localhost sent data that was altered on the way; try again, on another network if it comes back."
#define OURS_ALTERED \
  "localhost says that our data came altered on the way; try again, on another network if it comes back."
#define UNEXPECTED \
  "localhost does not understand TLS as it is spoken here; ask its administrator for TLS 1.2 or 1.3 by the rules."
#define TROUBLE "localhost has trouble of its own; try again later, or tell its administrator."
#define OVER "The connection to localhost is closed."

typedef struct {
  const char *name;
  guint lines, length, whole;       /* what is asked for, a line a record; and how many of them come whole */
  void (*change)(GByteArray *kept); /* on the way; NULL: nothing */
  const char *last;                 /* what the server is sent last, not by TLS; NULL: the wish to close */
  gsize last_length;
  CryptoError code;
  const char *says, *says_old;      /* by TLS 1.3; and by 1.2, where s_server's alert is another there */
} Ending;

/* A stream by way of the test, which keeps what the server says from `keeping` on. */
typedef struct {
  Server server;
  CryptoTls *tls;
  int fd, front, back; /* the client's, which @tls owns; and its other end; and to the server */
  gint keeping;        /* atomic */
  GByteArray *kept;    /* the thread's, which ends with the server's alert: a goodbye or a complaint */
  GThread *thread;
  GString *expected;   /* what the client has to read before the end */
  gsize seen;          /* of that */
} Stream;

static void
send_whole(int to, const void *octets, ssize_t n)
{
  for (ssize_t done = 0, put; done < n; done += put) {
    struct pollfd ready = { to, POLLOUT, 0 };
    g_assert_cmpint(poll(&ready, 1, PATIENCE_MS), ==, 1);
    put = send(to, (const char *)octets + done, (size_t)(n - done), MSG_NOSIGNAL);
    g_assert_cmpint(put, >, 0);
  }
}

/* Where those begin that are here whole. */
static GArray *
records(const GByteArray *kept)
{
  GArray *begins = g_array_new(FALSE, FALSE, sizeof(guint));
  for (guint at = 0, next; at + RECORD_HEAD <= kept->len; at = next) {
    next = at + RECORD_HEAD + (guint)(kept->data[at + 3] << 8 | kept->data[at + 4]);
    if (next <= kept->len)
      g_array_append_val(begins, at);
  }
  return begins;
}

/* By its length alone an alert is told from a line, for both are sealed. */
static gboolean
is_complete(const GByteArray *kept)
{
  g_autoptr(GArray) begins = records(kept);
  guint last = begins->len ? g_array_index(begins, guint, begins->len - 1) : kept->len;
  return last < kept->len && kept->len - last <= RECORD_HEAD + ALERT_MAX;
}

static gpointer
keep(gpointer data)
{
  Stream *stream = data;
  guint8 octets[4096];
  while (!is_complete(stream->kept)) {
    struct pollfd ends[2] = { { stream->front, POLLIN, 0 }, { stream->back, POLLIN, 0 } };
    g_assert_cmpint(poll(ends, 2, PATIENCE_MS), >, 0);
    if (ends[0].revents) {
      ssize_t asked = read(stream->front, octets, sizeof octets);
      g_assert_cmpint(asked, >, 0);
      send_whole(stream->back, octets, asked);
    }
    if (!ends[1].revents)
      continue;
    ssize_t got = read(stream->back, octets, sizeof octets);
    g_assert_cmpint(got, >, 0);
    if (g_atomic_int_get(&stream->keeping))
      g_byte_array_append(stream->kept, octets, (guint)got);
    else
      send_whole(stream->front, octets, got);
  }
  return NULL;
}

/* @version: one in which the server says nothing by itself between the handshake and the first answer. */
static void
open_stream(Stream *stream, const char *version)
{
  g_autoptr(GError) error = NULL;
  guint16 port;
  int listener = listen_silent(&port), room = 256 * 1024;
  *stream = (Stream){ .server = start_server("good", version), .fd = dial(port), .kept = g_byte_array_new(),
                      .expected = g_string_new(NULL) };
  g_assert_cmpint(setsockopt(stream->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), ==, 0);
  stream->front = accept(listener, NULL, NULL);
  g_assert_cmpint(stream->front, >=, 0);
  stream->back = dial(stream->server.port);
  stream->thread = g_thread_new("keep", keep, stream);
  stream->tls = crypto_tls_new(stream->fd, &(CryptoTlsOptions){ .host = "localhost" });
  gboolean started = crypto_tls_start(stream->tls, &error);
  g_assert_no_error(error);
  g_assert_true(started);
  close(listener);
}

/* Has the server say all of it, changes that, and sends it by one call. Returns when it is in the client's socket with
 * the connection's end behind it; the client has read none of it. */
static void
fill_stream(Stream *stream, const Ending *ending)
{
  g_atomic_int_set(&stream->keeping, 1);
  for (guint i = 0; i < ending->lines; i++) {
    g_autofree char *line = g_strdup_printf("%0*u", (int)ending->length - 1, i + 100);
    write_all(stream->tls, line);
    write_all(stream->tls, "\n");
    if (i < ending->whole)
      g_string_append_printf(stream->expected, "%s\n", g_strreverse(line));
  }
  if (ending->last)
    send_whole(stream->fd, ending->last, (ssize_t)ending->last_length);
  else
    write_all(stream->tls, "CLOSE\n");
  g_thread_join(stream->thread);
  if (ending->change)
    ending->change(stream->kept);
  struct pollfd all = { stream->fd, POLLRDHUP, 0 };
  int here = 0;
  g_assert_cmpint(send(stream->front, stream->kept->data, stream->kept->len, MSG_NOSIGNAL), ==, stream->kept->len);
  g_assert_cmpint(shutdown(stream->front, SHUT_WR), ==, 0);
  g_assert_cmpint(poll(&all, 1, PATIENCE_MS), ==, 1);
  g_assert_cmpint(ioctl(stream->fd, FIONREAD, &here), ==, 0);
  g_assert_cmpint(here, ==, stream->kept->len);
}

static void
close_stream(Stream *stream)
{
  crypto_tls_free(stream->tls);
  close(stream->front);
  close(stream->back);
  g_byte_array_unref(stream->kept);
  g_string_free(stream->expected, TRUE);
  stop_server(&stream->server);
}

/* Where the record begins that is the @back-th before the last. */
static guint
record_at(const GByteArray *kept, guint back)
{
  g_autoptr(GArray) begins = records(kept);
  g_assert_cmpuint(begins->len, >, back);
  return g_array_index(begins, guint, begins->len - 1 - back);
}

static void
lose_goodbye(GByteArray *kept)
{
  g_byte_array_set_size(kept, record_at(kept, 0));
}

static void
lose_half_a_line(GByteArray *kept)
{
  g_byte_array_set_size(kept, (record_at(kept, 1) + record_at(kept, 0)) / 2);
}

static void
end_with_read_ahead(GByteArray *kept)
{
  g_assert_cmpuint(kept->len, >, READ_AHEAD);
  g_byte_array_set_size(kept, READ_AHEAD);
}

static void
alter_last_line(GByteArray *kept)
{
  kept->data[record_at(kept, 0) - 1] ^= 1;
}

static const Ending endings[] = {
  { "goodbye", 3, 20, 3, NULL, NULL, 0, CRYPTO_ERROR_OFFLINE, CLOSED, NULL },
  { "no-goodbye", 3, 20, 3, lose_goodbye, NULL, 0, CRYPTO_ERROR_OFFLINE, CLOSED, NULL },
  { "half-a-record", 3, 20, 2, lose_half_a_line, NULL, 0, CRYPTO_ERROR_OFFLINE, CLOSED, NULL },
  { "altered", 3, 20, 2, alter_last_line, NULL, 0, CRYPTO_ERROR_OFFLINE, ALTERED, NULL },
  { "alert", 3, 20, 3, NULL, RAW(NOT_SEALED), CRYPTO_ERROR_OFFLINE, OURS_ALTERED, NULL },
  { "alert-failed", 3, 20, 3, NULL, RAW(NO_RECORD), CRYPTO_ERROR_FAILED, UNEXPECTED, TROUBLE },
  { "long-goodbye", 7, 10000, 7, NULL, NULL, 0, CRYPTO_ERROR_OFFLINE, CLOSED, NULL },
  { "long-no-goodbye", 7, 10000, 3, end_with_read_ahead, NULL, 0, CRYPTO_ERROR_OFFLINE, CLOSED, NULL },
  { "long-altered", 7, 10000, 6, alter_last_line, NULL, 0, CRYPTO_ERROR_OFFLINE, ALTERED, NULL },
  { "long-alert-failed", 7, 10000, 7, NULL, RAW(NO_RECORD), CRYPTO_ERROR_FAILED, UNEXPECTED, TROUBLE },
};
static const char newest[] = "-tls1_3 -num_tickets 0", old[] = "-tls1_2";

/* All that is here comes by one call, as far as there is @room, and no octet more is written. */
static void
read_once(Stream *stream, gsize room)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *buffer = g_malloc(room + 1);
  buffer[room] = '#';
  gssize got = crypto_tls_read(stream->tls, buffer, room, &error);
  g_assert_no_error(error);
  g_assert_cmpint(got, ==, MIN(room, stream->expected->len - stream->seen));
  g_assert_cmpmem(buffer, got, stream->expected->str + stream->seen, got);
  g_assert_cmpint(buffer[room], ==, '#');
  stream->seen += (gsize)got;
}

static void
check_no_more(Stream *stream, CryptoError code, const char *says)
{
  g_autoptr(GError) error = NULL;
  char buffer[16];
  g_assert_cmpint(crypto_tls_read(stream->tls, buffer, sizeof buffer, &error), ==, -1);
  g_assert_error(error, CRYPTO_ERROR, (int)code);
  g_assert_cmpstr(error->message, ==, says);
  g_assert_cmpint(crypto_tls_wait(stream->tls, 0, -1), ==, CRYPTO_TLS_BROKEN);
}

static void
check_ending(const Ending *ending, const char *version, gsize room)
{
  Stream stream;
  open_stream(&stream, version);
  fill_stream(&stream, ending);
  while (stream.seen < stream.expected->len)
    read_once(&stream, room);
  check_no_more(&stream, ending->code, version == old && ending->says_old ? ending->says_old : ending->says);
  for (guint i = 0; i < 2; i++)
    check_no_more(&stream, CRYPTO_ERROR_OFFLINE, OVER);
  close_stream(&stream);
}

static void
test_ending(gconstpointer ending)
{
  check_ending(ending, newest, 1 << 17);
  check_ending(ending, old, 1 << 17);
}

/* A buffer of neither a line's length nor a record's. */
static void
test_ending_small(gconstpointer ending)
{
  check_ending(ending, newest, 9);
  check_ending(ending, old, 9);
}

/* Who waits behind what was read hears of the end that is remembered. */
static void
test_ending_waited(gconstpointer ending)
{
  Stream stream;
  open_stream(&stream, newest);
  fill_stream(&stream, ending);
  g_assert_cmpint(crypto_tls_wait(stream.tls, PATIENCE_MS, -1), ==, CRYPTO_TLS_DATA);
  while (stream.seen < stream.expected->len)
    read_once(&stream, 1 << 17);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpint(crypto_tls_wait(stream.tls, PATIENCE_MS, -1), ==, CRYPTO_TLS_BROKEN);
  check_no_more(&stream, CRYPTO_ERROR_OFFLINE, OVER);
  close_stream(&stream);
}

/* Cancelled it stays, whatever of the stream is here: @room leaves lines to be read, or the end alone. */
static void
check_cancelled(const Ending *ending, gsize room)
{
  Stream stream;
  open_stream(&stream, newest);
  fill_stream(&stream, ending);
  read_once(&stream, room);
  crypto_tls_interrupt(stream.tls);
  for (guint i = 0; i < 3; i++)
    check_no_more(&stream, CRYPTO_ERROR_CANCELLED, "The connection was cancelled.");
  close_stream(&stream);
}

static void
test_ending_cancelled(gconstpointer ending)
{
  check_cancelled(ending, 9);
  check_cancelled(ending, 1 << 17);
}

int
main(int argc, char **argv)
{
  static const struct {
    const char *name;
    GTestDataFunc func;
  } ways[] = { { "whole", test_ending }, { "small", test_ending_small }, { "waited", test_ending_waited },
               { "cancelled", test_ending_cancelled } };
  g_test_init(&argc, &argv, NULL);
  make_folder();
  open_database();
  g_test_add_func("/tls-read/wake", test_wake);
  g_test_add_func("/tls-read/bulk", test_bulk);
  g_test_add_func("/tls-read/last", test_last);
  for (guint i = 0; i < G_N_ELEMENTS(endings); i++)
    for (guint k = 0; k < G_N_ELEMENTS(ways); k++) {
      g_autofree char *name = g_strdup_printf("/tls-read/%s/%s", endings[i].name, ways[k].name);
      g_test_add_data_func(name, &endings[i], ways[k].func);
    }
  int failed = g_test_run();
  remove_folder();
  return failed;
}
