/* A connection that is compressed: what comes is unpacked a little at a time, whatever it is; and the session above it. */
#include <zlib.h>

#include "mail/deflate-private.h"
#include "tests/unit/imap-server.h"

/* One direction as the other side has it. */
static GByteArray *
pack(z_stream *out, const void *data, gsize length, int flush)
{
  GByteArray *packed = g_byte_array_new();
  guint8 step[4096];
  out->next_in = (Bytef *)data;
  out->avail_in = (uInt)length;
  do {
    out->next_out = step;
    out->avail_out = sizeof step;
    deflate(out, flush);
    g_byte_array_append(packed, step, (guint)(sizeof step - out->avail_out));
  } while (out->avail_out == 0);
  return packed;
}

static z_stream *
packer(void)
{
  z_stream *out = g_new0(z_stream, 1);
  g_assert_cmpint(deflateInit2(out, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), ==, Z_OK);
  return out;
}

static void
packer_free(z_stream *out)
{
  deflateEnd(out);
  g_free(out);
}

static void
test_both_ways(void)
{
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < 20000; i++)
    g_string_append_printf(text, "* %u FETCH (FLAGS (\\Seen) UID %u)\r\n", i, i * 7919);
  MlDeflate *one = ml_deflate_new(), *other = ml_deflate_new();
  g_autoptr(GByteArray) packed = ml_deflate_write(one, text->str, text->len);
  g_assert_cmpuint(packed->len, <, text->len / 4);
  g_autoptr(GString) got = g_string_new(NULL);
  for (guint at = 0; at < packed->len; at += 7) { /* as thin as a network may bring it */
    ml_deflate_feed(other, packed->data + at, MIN(7, packed->len - at));
    char buffer[100];
    for (gsize n; (n = ml_deflate_read(other, buffer, sizeof buffer, NULL)) > 0;)
      g_string_append_len(got, buffer, (gssize)n);
    g_assert_false(ml_deflate_pending(other));
  }
  g_assert_cmpstr(got->str, ==, text->str);
  g_autoptr(GByteArray) none = ml_deflate_write(one, "", 0);
  ml_deflate_feed(other, none->data, none->len);
  char c;
  g_assert_cmpuint(ml_deflate_read(other, &c, 1, NULL), ==, 0);
  ml_deflate_free(one);
  ml_deflate_free(other);
}

static void
test_bad(void)
{
  g_autoptr(GError) error = NULL;
  z_stream *out = packer();
  g_autoptr(GByteArray) ended = pack(out, "* OK hello\r\n", 12, Z_FINISH);
  char buffer[100];
  MlDeflate *garbage = ml_deflate_new(), *end = ml_deflate_new();
  ml_deflate_feed(garbage, "\xff\xff\xff\xffnot packed at all", 20);
  g_assert_cmpuint(ml_deflate_read(garbage, buffer, sizeof buffer, &error), ==, 0);
  g_assert_error(error, ML_ERROR, ML_ERROR_PROTOCOL);
  g_clear_error(&error);
  g_byte_array_append(ended, (const guint8 *)"* BYE in clear\r\n", 16);
  ml_deflate_feed(end, ended->data, ended->len); /* the end of it, and words behind */
  g_assert_cmpuint(ml_deflate_read(end, buffer, sizeof buffer, &error), ==, 0);
  g_assert_error(error, ML_ERROR, ML_ERROR_PROTOCOL);
  ml_deflate_free(garbage);
  ml_deflate_free(end);
  packer_free(out);
}

/* ---- a server */

typedef enum { WELL, BOMB, TRUNCATED, GARBAGE, REFUSED } Manner;
typedef struct {
  int fd;
  Manner manner;
  gboolean unpacked; /* what it read after COMPRESS */
  GString *heard;
} Packing;

static void
send_all(int fd, const void *data, gsize length)
{
  for (gsize at = 0; at < length;) {
    ssize_t n = send(fd, (const char *)data + at, length - at, MSG_NOSIGNAL);
    if (n <= 0)
      return;
    at += (gsize)n;
  }
}

static void
answer_packed(Packing *server, z_stream *out, const char *tag)
{
  g_autofree char *well = g_strdup_printf("* 4 EXISTS\r\n%s OK packed\r\n", tag);
  gsize large = 64 * 1024 * 1024;
  g_autofree char *zeros = server->manner == BOMB ? g_strnfill(large, '0') : NULL;
  g_autoptr(GByteArray) bomb = zeros ? pack(out, zeros, large, Z_SYNC_FLUSH) : g_byte_array_new();
  g_autoptr(GByteArray) packed = pack(out, well, strlen(well), Z_SYNC_FLUSH);
  if (server->manner == BOMB)
    send_all(server->fd, bomb->data, bomb->len);
  else if (server->manner == GARBAGE)
    send_all(server->fd, "\xff\xff\xff\xff oh", 7);
  else
    send_all(server->fd, packed->data, server->manner == TRUNCATED ? packed->len / 2 : packed->len);
}

static gpointer
serve_packing(gpointer data)
{
  Packing *server = data;
  z_stream *out = packer();
  MlDeflate *in = NULL;
  g_autoptr(GString) line = g_string_new(NULL);
  send_all(server->fd, "* PREAUTH hi\r\n", 14);
  for (guint8 raw[512];;) {
    ssize_t n = recv(server->fd, raw, sizeof raw, 0);
    if (n <= 0)
      break;
    if (in) {
      char clear[512];
      ml_deflate_feed(in, raw, (gsize)n);
      for (gsize m; (m = ml_deflate_read(in, clear, sizeof clear, NULL)) > 0;)
        g_string_append_len(line, clear, (gssize)m);
    } else {
      g_string_append_len(line, (char *)raw, n);
    }
    if (!g_str_has_suffix(line->str, "\n"))
      continue;
    g_autofree char *tag = g_strndup(line->str, strcspn(line->str, " "));
    g_string_append(server->heard, line->str);
    if (strstr(line->str, "COMPRESS") && server->manner != REFUSED) {
      g_autofree char *ok = g_strdup_printf("%s OK from now on\r\n", tag);
      g_autoptr(GByteArray) early = pack(out, "* 3 EXISTS\r\n", 12, Z_SYNC_FLUSH);
      g_autoptr(GByteArray) both = g_byte_array_new();
      g_byte_array_append(both, (guint8 *)ok, (guint)strlen(ok)); /* in one write: packed words right behind the OK */
      g_byte_array_append(both, early->data, early->len);
      send_all(server->fd, both->data, both->len);
      in = ml_deflate_new();
    } else if (in) {
      answer_packed(server, out, tag);
      if (server->manner != WELL)
        break;
    } else {
      g_autofree char *text =
          strstr(line->str, "CAPABILITY") ? g_strdup_printf("* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE\r\n%s OK x\r\n", tag)
          : strstr(line->str, "COMPRESS")  ? g_strdup_printf("%s NO [COMPRESSIONACTIVE] it is already\r\n", tag)
                                           : g_strdup_printf("* 4 EXISTS\r\n%s OK packed\r\n", tag);
      send_all(server->fd, text, strlen(text));
    }
    g_string_truncate(line, 0);
  }
  ml_deflate_free(in);
  packer_free(out);
  close(server->fd);
  return NULL;
}

static void
test_session(void)
{
  static const int codes[] = { [BOMB] = ML_ERROR_PROTOCOL, [TRUNCATED] = ML_ERROR_OFFLINE, [GARBAGE] = ML_ERROR_PROTOCOL };
  for (Manner manner = WELL; manner <= REFUSED; manner++) {
    g_autoptr(GError) error = NULL;
    int fds[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    Packing server = { fds[1], manner, FALSE, g_string_new(NULL) };
    GThread *thread = g_thread_new("server", serve_packing, &server);
    MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP, .compress = (char *)"always" };
    MlDriverHooks hooks = { .state_dir = "/nonexistent" };
    CryptoTlsOptions options = { .host = "test.example", .port = 143, .timeout_ms = 20000 };
    MlImap *imap = (MlImap *)ml_driver_new(&account, &hooks);
    MlImapSession *session = imap->session = ml_imap_session_new(crypto_tls_new(fds[0], &options), "test.example");
    gboolean ok = ml_imap_session_greet(session, &error) && ml_imap_session_capability(session, &error);
    g_assert_true(ok);
    ok = ml_imap_compress(imap, &error); /* never before the login */
    g_assert_true(ok);
    g_assert_null(session->stream->wire.deflate);
    session->logged_in = TRUE;
    ok = ml_imap_compress(imap, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpint(session->stream->wire.deflate != NULL, ==, manner != REFUSED);
    for (guint i = 0; i < 3; i++) {
      ok = ml_imap_session_command(session, NULL, NULL, &error, "UID FETCH 1:* (FLAGS)");
      g_test_message("%d: %s", (int)manner, error ? error->message : "well");
      if (manner != WELL && manner != REFUSED) {
        g_assert_false(ok);
        g_assert_error(error, ML_ERROR, codes[manner]);
        break;
      }
      g_assert_no_error(error);
      g_assert_cmpuint(session->slots->len, ==, 4);
      ok = ml_imap_compress(imap, &error); /* once is enough */
      g_assert_true(ok);
    }
    ml_driver_free(&imap->base);
    g_thread_join(thread);
    g_assert_nonnull(strstr(server.heard->str, "COMPRESS DEFLATE"));
    g_assert_nonnull(strstr(server.heard->str, "UID FETCH"));
    g_assert_null(strstr(strstr(server.heard->str, "COMPRESS DEFLATE") + 1, "COMPRESS DEFLATE"));
    g_string_free(server.heard, TRUE);
  }
}

/* Where it is not asked for: by choice, and near by. */
static void
test_not_asked(void)
{
  static const Rule rules[] = { { "CAPABILITY", "* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE\r\n$ OK x\r\n" }, { NULL, NULL } };
  static const char *const choices[] = { "never", "auto", NULL };
  for (guint i = 0; i < G_N_ELEMENTS(choices); i++) {
    g_autoptr(GError) error = NULL;
    Server server;
    MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP, .compress = (char *)choices[i] };
    MlDriverHooks hooks = { .state_dir = "/nonexistent" };
    MlImap *imap = (MlImap *)ml_driver_new(&account, &hooks);
    MlImapSession *session = imap->session = start(&server, "* PREAUTH hi\r\n", rules);
    gboolean ok = ml_imap_session_greet(session, &error) && ml_imap_session_capability(session, &error);
    session->logged_in = TRUE;
    session->answer_us = i ? 3000 : 300000;
    ok = ok && ml_imap_compress(imap, &error);
    g_assert_true(ok);
    g_assert_null(session->stream->wire.deflate);
    ml_driver_free(&imap->base);
    g_thread_join(server.thread);
    g_assert_null(strstr(server.heard->str, "COMPRESS"));
    g_string_free(server.heard, TRUE);
  }
}

/* Numbers and flags by ESEARCH, each for the command that it names; what does not come to the server's count is listed message by message. */
static void
test_esearch(void)
{
  static const struct {
    const char *all, *seen;
    gboolean listed;
  } cases[] = {
    { "* ESEARCH (TAG \"$\") UID ALL 10,21:220\r\n$ OK x\r\n", "* ESEARCH (TAG \"$\") UID ALL 10,30:35\r\n$ OK x\r\n", FALSE },
    { "* ESEARCH (TAG \"$\") UID ALL 10,21:219\r\n$ OK x\r\n", "* ESEARCH (TAG \"$\") UID\r\n$ OK x\r\n", TRUE },
    { "* ESEARCH (TAG \"$\") UID ALL 1:4294967295\r\n$ OK x\r\n", "* ESEARCH (TAG \"$\") UID\r\n$ OK x\r\n", TRUE },
    { "* ESEARCH (TAG \"$\") UID ALL 10,21:220\r\n$ OK x\r\n", "$ NO not that\r\n", TRUE },
    { "* SEARCH 10 21\r\n$ OK x\r\n", "* ESEARCH (TAG \"$\") UID\r\n$ OK x\r\n", TRUE },
    { "* ESEARCH (TAG \"$\") UID ALL 10,21:220\r\n* 3 EXPUNGE\r\n* 201 EXISTS\r\n$ OK x\r\n",
      "* ESEARCH (TAG \"$\") UID\r\n$ OK x\r\n", TRUE },
    /* The fourth command's before the third's, as its tag says; and one of no command. */
    { "* ESEARCH (TAG \"4\") UID ALL 10,30:35\r\n* ESEARCH (TAG \"99\") UID ALL 1:9\r\n"
      "* ESEARCH (TAG \"$\") UID ALL 10,21:220\r\n$ OK x\r\n", "$ OK x\r\n", FALSE },
    { "* ESEARCH UID ALL 10,21:220\r\n$ OK x\r\n", "* ESEARCH UID ALL 10,30:35\r\n$ OK x\r\n", FALSE }, /* without a tag */
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    const Rule rules[] = { { "CAPABILITY", "* CAPABILITY IMAP4rev1 ESEARCH\r\n$ OK x\r\n" },
                           { "SELECT", "* 201 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n$ OK x\r\n" },
                           { "(ALL) ALL", cases[i].all }, { "(ALL) SEEN", cases[i].seen },
                           { "(ALL) FLAGGED", "* ESEARCH (TAG \"$\") UID ALL 220\r\n$ OK x\r\n" },
                           { "UID SEARCH", "* ESEARCH (TAG \"$\") UID\r\n$ OK x\r\n" },
                           { "FETCH", "* 1 FETCH (UID 10 FLAGS (\\Answered))\r\n$ OK x\r\n" }, { NULL, NULL } };
    g_autoptr(GError) error = NULL;
    Server server;
    MlImapSession *session = start(&server, "* PREAUTH hi\r\n", rules);
    gboolean ok = ml_imap_session_greet(session, &error) && ml_imap_session_capability(session, &error) &&
                  ml_imap_session_select(session, "INBOX", NULL, &error) && ml_imap_list_all(session, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    const MlImapSlot *slots = (const MlImapSlot *)session->slots->data;
    g_assert_cmpuint(slots[0].uid, ==, 10);
    g_assert_cmpuint(slots[0].flags, ==, cases[i].listed ? ML_FLAG_ANSWERED : ML_FLAG_SEEN);
    if (!cases[i].listed) {
      g_assert_cmpuint(slots[1].uid, ==, 21);
      g_assert_cmpuint(slots[1].flags, ==, 0);
      g_assert_cmpuint(slots[200].uid, ==, 220);
      g_assert_cmpuint(slots[200].flags, ==, ML_FLAG_FLAGGED);
    }
    stop(&server, session);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/deflate/both-ways", test_both_ways);
  g_test_add_func("/deflate/bad", test_bad);
  g_test_add_func("/deflate/session", test_session);
  g_test_add_func("/deflate/not-asked", test_not_asked);
  g_test_add_func("/deflate/esearch", test_esearch);
  return g_test_run();
}
