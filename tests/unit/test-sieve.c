#include <string.h>

#include "mail/imap-private.h"
#include "mail/line-private.h"
#include "mail/utf7.h"

/* All of @text at once, or octet by octet: the same responses must come out. Returns the last; *kinds lists all. */
static MlSieve *
feed(const char *text, gsize length, gsize piece, GString *kinds, GError **error)
{
  MlSieve *sieve = ml_sieve_new();
  for (gsize at = 0; at < length; at += piece) {
    ml_sieve_feed(sieve, text + at, MIN(piece, length - at));
    for (const MlResponse *response; (response = ml_sieve_next(sieve, error));)
      g_string_append_printf(kinds, "%d/%u/%s ", response->kind, response->number, response->text);
    if (error && *error)
      break;
  }
  return sieve;
}

static const MlResponse *
one(MlSieve *sieve, const char *text)
{
  g_autoptr(GError) error = NULL;
  ml_sieve_feed(sieve, text, strlen(text));
  const MlResponse *response = ml_sieve_next(sieve, &error);
  g_assert_no_error(error);
  g_assert_nonnull(response);
  return response;
}

static void
refused(const char *text, gsize length, const char *word)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GString) kinds = g_string_new(NULL);
  g_autoptr(MlSieve) sieve = feed(text, length, 65536, kinds, &error);
  g_assert_error(error, ML_ERROR, ML_ERROR_PROTOCOL);
  if (!strstr(error->message, word))
    g_test_message("%s", error->message);
  g_assert_nonnull(strstr(error->message, word));
  g_autoptr(GError) again = NULL;
  g_assert_null(ml_sieve_next(sieve, &again)); /* for ever */
  g_assert_error(again, ML_ERROR, ML_ERROR_PROTOCOL);
}

static void
test_pieces(void)
{
  const char text[] = "* OK hello {5}\r\n* 3 EXISTS \r\n* 2 FETCH (UID 7 BODY[HEADER.FIELDS (FROM TO)] "
                      "{12}\r\nTo: a)b\r\n\"(x FLAGS "
                      "(\\Seen))\r\n+ go on\r\n* VANISHED (EARLIER) 1:5\r\n* FOO bar\n1 NO [ALERT] "
                      "sorry\r\n* 99999999999 EXISTS\r\n";
  g_autoptr(GString) whole = g_string_new(NULL), single = g_string_new(NULL), three = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(MlSieve) a = feed(text, strlen(text), 1 << 20, whole, &error);
  g_autoptr(MlSieve) b = feed(text, strlen(text), 1, single, &error);
  g_autoptr(MlSieve) c = feed(text, strlen(text), 3, three, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(whole->str, ==, single->str);
  g_assert_cmpstr(whole->str, ==, three->str);
  g_autofree char *want =
      g_strdup_printf("%d/0/hello {5} %d/3/ %d/2/ %d/0/go on %d/0/ %d/0/ %d/0/sorry %d/0/ ", ML_RESPONSE_OK,
                      ML_RESPONSE_EXISTS, ML_RESPONSE_FETCH, ML_RESPONSE_CONTINUE, ML_RESPONSE_VANISHED,
                      ML_RESPONSE_OTHER, ML_RESPONSE_TAGGED, ML_RESPONSE_MALFORMED);
  g_assert_cmpstr(whole->str, ==, want);
  g_assert_true(ml_sieve_is_empty(a));
  ml_sieve_feed(a, "*", 1);
  g_assert_false(ml_sieve_is_empty(a));
}

static void
test_fetch(void)
{
  g_autoptr(MlSieve) sieve = ml_sieve_new();
  const MlResponse *r =
      one(sieve, "* 12 FETCH (UID 4294967295 FLAGS (\\Seen $Forwarded caf\xc3\xa9 [x]/y) INTERNALDATE "
                 "\"17-Jul-1996 02:44:25 -0700\" FOO (a (b)) RFC822.SIZE 5000000000 BODY[HEADER.FIELDS "
                 "(DATE FROM)] {26}\r\nFrom: A <a@b>\r\nTo: c@d\r\n\r\n)\r\n");
  MlHeader *header = ml_imap_header(r->data);
  g_assert_cmpuint(header->uid, ==, G_MAXUINT32);
  g_assert_cmpuint(header->flags, ==, ML_FLAG_SEEN | ML_FLAG_FORWARDED);
  g_assert_cmpuint(header->size, ==, G_GUINT64_CONSTANT(5000000000));
  g_assert_cmpint(header->received, ==, 837596665);
  g_assert_cmpint(header->date, ==, header->received);
  g_assert_cmpstr(header->from_address, ==, "a@b");
  ml_header_free(header);
  g_assert_null(ml_imap_header(one(sieve, "* 1 FETCH (FLAGS ())\r\n")->data));
  g_assert_null(ml_imap_header(one(sieve, "* 1 FETCH (UID 0)\r\n")->data));
  g_assert_null(ml_imap_header(one(sieve, "* 1 FETCH (UID x)\r\n")->data));
  header = ml_imap_header(
      one(sieve, "* 1 FETCH (UID 5 RFC822.SIZE NIL INTERNALDATE \"13-Sep-2020 12:26:40 GMT\" BODY[] NIL)\r\n")
          ->data);
  g_assert_cmpint(header->received, ==, 1600000000);
  ml_header_free(header);
}

/* What the notes tried on libetpan: nothing of it may end the connection, but for what the limits forbid. */
static void
test_quirks(void)
{
  static const char *const fine[] = {
    "* 1 FETCH (UID 5 FLAGS (\\Seen (x y)))\r\n",
    "* 1 FETCH (UID 5 FLAGS ())\r\n",
    "* 1 FETCH (UID 5 ENVELOPE (NIL {5}\r\nhel\"o NIL NIL NIL NIL NIL NIL NIL NIL))\r\n",
    "* 1 FETCH (UID 5 ENVELOPE (NIL NIL ((NIL NIL NIL \"x\")) NIL NIL (\"\")  NIL NIL NIL "
    "\"<\"a\"@b>\"))\r\n",
    "* 1 FETCH (UID 5 BODYSTRUCTURE ())\r\n",
    "* 1 FETCH (UID 5 BODYSTRUCTURE (\"text\" \"plain\" NIL NIL NIL \"7bit\" 10 1 ))\r\n",
    "* 1 FETCH (UID 5 MODSEQ (18446744073709551615))\r\n",
    "* 1 FETCH (UID 5 X-GM-MSGID 18446744073709551615 X-GM-LABELS (\"\\\\Inbox\" \"a b\" &AOk-))\r\n",
    "* 1 FETCH (UID 5 FOO bar)\r\n",
    "* 1 FETCH (UID 5 EMAILID (M6d99ac3275bb4e) THREADID NIL)\r\n",
    "* FOO bar\r\n",
    "* OK [NONEXISTENT] x\r\n",
    "* OK [FOO [bar]] x\r\n",
    "* OK [\xff] y\r\n",
    "* OK no text\r\n",
    "* OK\r\n",
    "* \r\n",
    "\r\n",
    "* LIST (\\NonExistent \\Sent) \"/\" \"x\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
    "* LIST () NIL \"\"\r\n",
    "* STATUS x (MESSAGES 1 APPENDLIMIT 5)\r\n",
    "* STATUS x ()\r\n",
    "* 5 EXISTS\n",
    "* 99999999999999999999 EXISTS\r\n",
    "* 1 FETCH (UID 5 BODY[] {-1}\r\n",
    "* 1 FETCH (UID 5\r\n",
    "* 1 FETCH\r\n",
    "* ESEARCH (TAG \"1\") UID ALL 1:5\r\n",
    "* 1 FETCH (UID 5 BODY[HEADER.FIELDS (FROM]\r\n",
    "99 OK wrong tag\r\n",
    "* BYE x\r\n",
    "* 4 FETCH (\"x\r\n",
  };
  for (guint i = 0; i < G_N_ELEMENTS(fine); i++) {
    g_autoptr(MlSieve) sieve = ml_sieve_new();
    const MlResponse *r = one(sieve, fine[i]);
    if (r->kind == ML_RESPONSE_FETCH)
      ml_header_free(ml_imap_header(r->data));
    if (r->kind == ML_RESPONSE_LIST)
      ml_folder_free(ml_imap_folder(r->data));
    g_assert_cmpuint(one(sieve, "* 7 EXISTS\r\n")->number, ==, 7); /* and the next is read as ever */
  }
}

static void
test_limits(void)
{
  g_autofree char *many = g_strnfill(200000, '(');
  g_autofree char *deep = g_strconcat("* 1 FETCH (UID 5 BODYSTRUCTURE ", many, "\r\n", NULL);
  refused(deep, strlen(deep), "nested");
  g_autofree char *long_line = g_strnfill(5000000, 'a');
  refused(long_line, 5000000, "longer than");
  refused("* 1 FETCH (UID 5 BODY[] {4294967295}\r\nabc", 41, "4294967295");
  refused("* 1 FETCH (UID 5 BODY[] {99999999999999999999999}\r\n", 52, "999999");
  g_autoptr(GString) values = g_string_new("* 1 FETCH (FLAGS (");
  for (guint i = 0; i < 30000; i++)
    g_string_append(values, "a ");
  g_string_append(values, "))\r\n");
  refused(values->str, values->len, "values");
  g_autoptr(GString) strings = g_string_new("* 1 FETCH (X (");
  for (guint i = 0; i < 2000; i++)
    g_string_append(strings, "{0}\r\n ");
  g_string_append(strings, "))\r\n");
  refused(strings->str, strings->len, "strings");
}

static void
test_cut(void)
{
  g_autoptr(MlSieve) sieve = ml_sieve_new();
  ml_sieve_set_literals(sieve, 4, 1000);
  const MlResponse *r = one(sieve, "* 1 FETCH (UID 5 BODY[] {10}\r\n0123456789 FLAGS (\\Seen))\r\n");
  const MlNode *body = ml_imap_body(r->data);
  g_assert_cmpmem(body->text, body->length, "0123", 4);
  g_assert_cmpuint(body->full, ==, 10);
  g_assert_cmpuint(ml_imap_flags(ml_imap_item(r->data, "FLAGS")), ==, ML_FLAG_SEEN);
}

/* Octets of this process's own memory, without what it maps of files. */
static guint64
own_memory(void)
{
  g_autofree char *status = NULL;
  g_assert_true(g_file_get_contents("/proc/self/status", &status, NULL, NULL));
  const char *at = strstr(status, "RssAnon:");
  g_assert_nonnull(at);
  return g_ascii_strtoull(at + strlen("RssAnon:"), NULL, 10) * 1024;
}

/* Octets that tell where they stand. */
static void
fill(guint8 *piece, gsize length, gsize at)
{
  for (gsize i = 0; i < length; i++)
    piece[i] = (guint8)((at + i) * 2654435761u >> 24);
}

static void
feed_text(MlSieve *sieve, const char *text)
{
  ml_sieve_feed(sieve, text, strlen(text));
}

static void
feed_literal(MlSieve *sieve, gsize length)
{
  enum { PIECE = 64 * 1024 };
  static guint8 piece[PIECE];
  g_autofree char *head = g_strdup_printf("{%" G_GSIZE_FORMAT "}\r\n", length);
  feed_text(sieve, head);
  for (gsize at = 0; at < length; at += PIECE) {
    gsize part = MIN(length - at, (gsize)PIECE);
    fill(piece, part, at);
    ml_sieve_feed(sieve, piece, part);
    g_assert_null(ml_sieve_next(sieve, NULL));
  }
}

static void
assert_filled(const MlNode *node, gsize length)
{
  g_assert_cmpuint(node->length, ==, length);
  g_autofree guint8 *expected = g_malloc(length);
  fill(expected, length, 0);
  g_assert_true(memcmp(node->text, expected, length) == 0);
}

/* Large literals lie outside this process's memory, one or several; what is around them is read as ever, and so is what
 * follows. A server that ignores a partial range makes such a response. */
static void
test_large(void)
{
  enum { LARGE = 48 * 1024 * 1024, MIDDLE = 3 * 1024 * 1024 };
  g_autoptr(MlSieve) sieve = ml_sieve_new();
  guint64 before = own_memory();
  ml_sieve_set_literals(sieve, 100 * 1024 * 1024, 100 * 1024 * 1024);
  feed_text(sieve, "* 1 FETCH (UID 5 BODY[] ");
  feed_literal(sieve, LARGE);
  guint64 after = own_memory();
  g_assert_cmpuint(after, <, before + LARGE / 2);
  const MlResponse *r = one(sieve, " FLAGS (\\Seen))\r\n");
  const MlNode *body = ml_imap_body(r->data);
  g_assert_nonnull(body->bytes);
  assert_filled(body, LARGE);
  g_assert_cmpuint(ml_imap_flags(ml_imap_item(r->data, "FLAGS")), ==, ML_FLAG_SEEN);
  g_autoptr(GBytes) kept = g_bytes_ref(body->bytes);

  feed_text(sieve, "* 2 FETCH (UID 6 BODY[1] ");
  feed_literal(sieve, MIDDLE);
  feed_text(sieve, " BODY[2] ");
  feed_literal(sieve, MIDDLE);
  feed_text(sieve, " BODY[3] {3}\r\nabc BODY[4] ");
  feed_literal(sieve, MIDDLE);
  r = one(sieve, ")\r\n");
  assert_filled(ml_imap_item(r->data, "BODY[1]"), MIDDLE);
  assert_filled(ml_imap_item(r->data, "BODY[2]"), MIDDLE);
  g_assert_null(ml_imap_item(r->data, "BODY[1]")->bytes);
  g_assert_nonnull(ml_imap_item(r->data, "BODY[2]")->bytes);
  g_assert_true(ml_node_is(ml_imap_item(r->data, "BODY[3]"), "abc"));
  assert_filled(ml_imap_item(r->data, "BODY[4]"), MIDDLE);
  r = one(sieve, "* 3 EXISTS\r\n");
  g_assert_cmpuint(r->number, ==, 3);
  g_assert_cmpuint(g_bytes_get_size(kept), ==, LARGE); /* it outlives the response */

  ml_sieve_set_literals(sieve, LARGE / 2, LARGE);
  feed_text(sieve, "* 1 FETCH (UID 5 BODY[] ");
  feed_literal(sieve, LARGE);
  body = ml_imap_body(one(sieve, ")\r\n")->data);
  assert_filled(body, LARGE / 2);
  g_assert_cmpuint(body->full, ==, LARGE);
  g_assert_true(ml_sieve_is_empty(sieve));
  feed_text(sieve, "* 1 FETCH (UID 5 BODY[] ");
  feed_literal(sieve, LARGE / 2); /* and is thrown away half way */
}

static void
test_folders(void)
{
  g_autoptr(MlSieve) sieve = ml_sieve_new();
  static const struct {
    const char *line, *name;
    MlFolderRole role;
    gboolean selectable;
  } cases[] = {
    { "* LIST (\\HasNoChildren) \".\" INBOX\r\n", "INBOX", ML_ROLE_INBOX, TRUE },
    { "* LIST (\\Sent) \".\" \"A.B &- C\"\r\n", "A/B & C", ML_ROLE_SENT, TRUE },
    { "* LIST (\\Noselect) \"/\" \"[Gmail]\"\r\n", "[Gmail]", ML_ROLE_NONE, FALSE },
    { "* LIST () \"/\" \"Entw&APw-rfe\"\r\n", "Entw\xc3\xbcrfe", ML_ROLE_NONE, TRUE },
    { "* LIST () \"/\" {3}\r\na\"b\r\n", "a\"b", ML_ROLE_NONE, TRUE },
    { "* LIST () \"\\\\\" \"x\\\\y\"\r\n", "x/y", ML_ROLE_NONE, TRUE },
    { "* LIST () \"/\" \"Gr\xc3\xbc\xc3\x9f"
      "e\"\r\n",
      "Gr\xc3\xbc\xc3\x9f"
      "e",
      ML_ROLE_NONE, TRUE },
    { "* LIST () \".\" \"a/b\"\r\n", NULL, 0, FALSE },
    { "* LIST () \".\" {3}\r\na\nb\r\n", NULL, 0, FALSE },
    { "* LIST () \".\" \"\"\r\n", NULL, 0, FALSE },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    MlFolder *folder = ml_imap_folder(one(sieve, cases[i].line)->data);
    g_assert_cmpstr(folder ? folder->name : NULL, ==, cases[i].name);
    if (folder) {
      g_assert_cmpint(folder->role, ==, cases[i].role);
      g_assert_cmpint(folder->selectable, ==, cases[i].selectable);
    }
    ml_folder_free(folder);
  }
}

static void
test_utf7(void)
{
  static const char *const names[] = {
    "INBOX", "a&b", "Entw\xc3\xbcrfe", "\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5", "\xf0\x9f\x93\xa7 mail",
    "&",     ""
  };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *coded = ml_utf7_encode(names[i]);
    g_assert_true(g_str_is_ascii(coded));
    g_autofree char *back = ml_utf7_decode(coded);
    g_assert_cmpstr(back, ==, names[i]);
  }
  g_autofree char *known =
      ml_utf7_encode("~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
  g_assert_cmpstr(known, ==, "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
  static const char *const bad[] = { "&", "&a-", "&AAA", "&AGE-", "a\x80", "&2D3-", "&====-" };
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
    g_assert_null(ml_utf7_decode(bad[i]));
}

static void
test_sets(void)
{
  guint32 numbers[] = { 7, 1, 3, 2, 9, 8, 3, 4294967295u };
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_vals(uids, numbers, G_N_ELEMENTS(numbers));
  g_autofree char *set = ml_imap_uid_set(uids);
  g_assert_cmpstr(set, ==, "1:3,7:9,4294967295");
}

/* RFC 7677 section 3. */
static void
test_scram(void)
{
  g_autoptr(GError) error = NULL;
  const char *server =
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
  MlScram *scram = ml_scram_new("user", "rOprNGfwEbeRWgbNEkqO");
  g_autofree char *first = ml_scram_first(scram);
  g_assert_cmpstr(first, ==, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  ml_scram_set_password(scram, "pencil");
  g_autofree char *final = ml_scram_final(scram, server, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(final, ==,
                  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+"
                  "Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  g_assert_true(ml_scram_verify(scram, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", &error));
  g_assert_false(ml_scram_verify(scram, "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_UNTRUSTED);
  g_clear_error(&error);
  g_assert_false(ml_scram_verify(scram, "e=invalid-proof", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_AUTH);
  static const char *const bad[] = { "",
                                     "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                                     "r=other,s=W22Z,i=4096",
                                     "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=1",
                                     "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=2000000000",
                                     "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
                                     "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=4096" };
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_clear_error(&error);
    g_assert_null(ml_scram_final(scram, bad[i], &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_PROTOCOL);
  }
  ml_scram_free(scram);
  MlScram *odd = ml_scram_new("a,b=c", "n");
  g_autofree char *escaped = ml_scram_first(odd);
  g_assert_cmpstr(escaped, ==, "n,,n=a=2Cb=3Dc,r=n");
  ml_scram_free(odd);
}

static void
test_dates(void)
{
  static const struct {
    const char *text;
    gint64 when; /* -1: none */
  } cases[] = { { "13-Sep-2020 12:26:40 +0000", 1600000000 },   { "13-Sep-2020 14:26:40 +0200", 1600000000 },
                { "13-Sep-2020 06:56:40 -0530", 1600000000 },   { " 1-Jan-1970 00:00:00 +0000", 0 },
                { "1-Jan-1970 00:00:01 +0000", 1 },             { "01-Jan-1970 00:00:00 +0100", -3600 },
                { "29-Feb-2024 23:59:60 +0000", 1709251199 },   { "31-Dec-9999 23:59:59 +0000", G_GINT64_CONSTANT(253402300799) },
                { "13-Sep-2020 12:26:40 GMT", 1600000000 },     { "13-Sep-2020 12:26:40", 1600000000 },
                { "13-Sep-2020 12:26:40 +zzzz", 1600000000 },   { "29-Feb-2023 00:00:00 +0000", -1 },
                { "31-Apr-2023 00:00:00 +0000", -1 },           { "00-Jan-2023 00:00:00 +0000", -1 },
                { "13-Sxp-2020 12:26:40 +0000", -1 },           { "13-anF-2020 12:26:40 +0000", -1 },
                { "13-Sep-1969 12:26:40 +0000", -1 },           { "13-Sep-2020 24:00:00 +0000", -1 },
                { "13-Sep-2020 12:60:00 +0000", -1 },           { "13-Sep-2020 12:26:61 +0000", -1 },
                { "13-Sep-2020 -1:26:40 +0000", -1 },           { "--------------------------", -1 },
                { "                          ", -1 },           { "", -1 } };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    MlNode node = { .kind = ML_NODE_STRING, .text = cases[i].text, .length = strlen(cases[i].text) };
    gint64 when = -1;
    gboolean ok = ml_imap_date(&node, &when);
    g_test_message("%s", cases[i].text);
    g_assert_cmpint(ok, ==, cases[i].when != -1);
    g_assert_cmpint(when, ==, cases[i].when);
  }
}

/* What is plain is not handed to GMime; it must come out as if it were. */
static void
test_header_values(void)
{
  static const struct {
    const char *block, *subject, *from, *address;
    guint hints;
  } cases[] = {
    { "Subject:  two  blanks \r\nFrom: Anna <a@x>\r\nContent-Type: text/plain\r\n", "two  blanks", "Anna", "a@x", 0 },
    { "Subject: a =? b\nFrom: =?utf-8?Q?=C3=A4?= <a@x>\nContent-Type: TEXT/html; x\n", "a =? b", "\xc3\xa4", "a@x", 0 },
    { "Subject: =?utf-8?Q?=C3=A4?=\n =?utf-8?Q?=C3=A4?=\nSubject: second\nFrom: \"K, A\" <a@x>, b@y\n", "\xc3\xa4\xc3\xa4", "K, A", "a@x", 0 },
    { "Subject : blank before\nX-Subject: no\nSubjects: no\nFrom: a@x\nContent-Type: multipart/mixed; b=c\n", "blank before", "a@x",
      "a@x", ML_HINT_ATTACHMENT },
    { "subject:tab\there\n\tand folded\nFROM: a@x\nCONTENT-TYPE: multipart/signed; x=text/plain\n", "tab here and folded", "a@x", "a@x",
      ML_HINT_SIGNED },
    { "no header\nSubject: below\nFrom:\nContent-Type: (text/plain) application/pkcs7-mime\n", "below", "", "", ML_HINT_ENCRYPTED },
    { "Subject: \xe4 bare\nFrom: x <a@x>\n", "\xc3\xa4 bare", "x", "a@x", 0 },
    { "Subject: =?utf-8?B?w6Q=?= =?utf-8?B?w7Y=?=\n =?utf-8?B?w7w=?= b\nFrom: =?utf-8?B?w6Q=?= =?utf-8?B?w7Y=?= <a@x>\n",
      "\xc3\xa4\xc3\xb6\xc3\xbc b", "\xc3\xa4\xc3\xb6", "a@x", 0 },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    MlHeader *header = ml_header_parse(cases[i].block, strlen(cases[i].block));
    g_test_message("%s", cases[i].block);
    g_assert_cmpstr(header->subject, ==, cases[i].subject);
    g_assert_cmpstr(header->from_name, ==, cases[i].from);
    g_assert_cmpstr(header->from_address, ==, cases[i].address);
    g_assert_cmpuint(header->hints, ==, cases[i].hints);
    ml_header_free(header);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sieve/pieces", test_pieces);
  g_test_add_func("/sieve/fetch", test_fetch);
  g_test_add_func("/sieve/quirks", test_quirks);
  g_test_add_func("/sieve/limits", test_limits);
  g_test_add_func("/sieve/cut", test_cut);
  g_test_add_func("/sieve/large", test_large);
  g_test_add_func("/sieve/folders", test_folders);
  g_test_add_func("/sieve/utf7", test_utf7);
  g_test_add_func("/sieve/sets", test_sets);
  g_test_add_func("/sieve/scram", test_scram);
  g_test_add_func("/sieve/dates", test_dates);
  g_test_add_func("/sieve/header-values", test_header_values);
  return g_test_run();
}
