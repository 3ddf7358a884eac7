#include <string.h>

#include <gmime/gmime.h>

#include "mail/address-private.h"
#include "mail/folder.h"
#include "mail/headers-private.h"
#include "mail/init.h"

/* What is read without GMime must come out as if GMime had read it. */

static MlSpan
span_of(const char *text)
{
  return (MlSpan){ text, strlen(text) };
}

typedef gboolean (*QuickFunc)(MlSpan value, MlSpan *name, MlSpan *address);

/* What @reader has of @raw, and the one mailbox that GMime has: transfer full; NULL: @reader does not take it. */
static InternetAddressMailbox *
read_both(const char *raw, QuickFunc reader, MlSpan *name, MlSpan *address, guint *quick)
{
  if (!reader(span_of(raw), name, address))
    return NULL;
  ++*quick;
  InternetAddressList *list = internet_address_list_parse(NULL, raw);
  g_assert_cmpint(list ? internet_address_list_length(list) : 0, ==, 1);
  InternetAddress *one = internet_address_list_get_address(list, 0);
  g_assert_true(INTERNET_ADDRESS_IS_MAILBOX(one));
  g_object_ref(one);
  g_object_unref(list);
  return INTERNET_ADDRESS_MAILBOX(one);
}

static void
check_from(const char *raw, guint *quick)
{
  MlSpan name, address;
  InternetAddressMailbox *one = read_both(raw, ml_header_quick_from, &name, &address, quick);
  if (!one)
    return;
  const char *whose = internet_address_get_name(INTERNET_ADDRESS(one));
  g_autofree char *is = g_strdup_printf("%s: %.*s, %.*s", raw, (int)name.length, name.at ? name.at : "", (int)address.length,
                                        address.at);
  g_autofree char *expected = g_strdup_printf("%s: %s, %s", raw, whose ? whose : "", internet_address_mailbox_get_addr(one));
  g_assert_cmpstr(is, ==, expected);
  g_object_unref(one);
}

/* An encoded name: the address is as GMime has it, the name as mail/address.c has it. */
static void
check_encoded(const char *raw, guint *quick)
{
  MlSpan name, address;
  InternetAddressMailbox *one = read_both(raw, ml_header_quick_encoded, &name, &address, quick);
  if (!one)
    return;
  g_autoptr(MlAddresses) ours = ml_address_parse(raw);
  g_assert_false(ours->broken);
  g_assert_cmpuint(ours->mailboxes->len, ==, 1);
  const MlAddress *first = ours->mailboxes->pdata[0];
  g_assert_cmpstr(first->address, ==, internet_address_mailbox_get_addr(one));
  g_autofree char *words = g_strndup(name.at, name.length), *decoded = ml_headers_decode(words);
  g_autofree char *is = g_strdup_printf("%s: %s, %.*s", raw, decoded, (int)address.length, address.at);
  g_autofree char *expected = g_strdup_printf("%s: %s, %s", raw, first->name ? first->name : "", first->address);
  g_assert_cmpstr(is, ==, expected);
  g_object_unref(one);
}

static void
check_date(const char *raw, guint *quick)
{
  gint64 when;
  if (!ml_header_quick_date(raw, &when))
    return;
  ++*quick;
  g_autoptr(GDateTime) date = g_mime_utils_header_decode_date(raw);
  g_autofree char *is = g_strdup_printf("%s: %" G_GINT64_FORMAT, raw, when);
  g_autofree char *expected = g_strdup_printf("%s: %" G_GINT64_FORMAT, raw, date ? g_date_time_to_unix(date) : -1);
  g_assert_cmpstr(is, ==, expected);
}

static void
check_type(const char *raw, guint *quick)
{
  guint hints = 0;
  if (!ml_header_quick_hints(raw, &hints))
    return;
  ++*quick;
  GMimeContentType *type = g_mime_content_type_parse(NULL, raw);
  g_assert_nonnull(type);
  g_assert_true(g_mime_content_type_is_type(type, "multipart", "*"));
  guint hint = g_mime_content_type_is_type(type, "multipart", "signed")      ? ML_HINT_SIGNED
               : g_mime_content_type_is_type(type, "multipart", "encrypted") ? ML_HINT_ENCRYPTED
               : g_mime_content_type_is_type(type, "multipart", "mixed")     ? ML_HINT_ATTACHMENT
                                                                             : 0;
  g_autofree char *is = g_strdup_printf("%s: %u", raw, hints), *expected = g_strdup_printf("%s: %u", raw, hint);
  g_assert_cmpstr(is, ==, expected);
  g_object_unref(type);
}

/* Pieces of what is written, in any order: seven in eight times the next of those that make a whole. At least @least are read
 * here, which is far below what chance gives. */
static void
check_mixed(const char *const *pieces, guint n, guint least, void (*check)(const char *, guint *))
{
  enum { ROUNDS = 100 * 1000, MOST = 16 };
  guint quick = 0;
  for (guint i = 0; i < ROUNDS; i++) {
    g_autoptr(GString) text = g_string_new(NULL);
    guint at = 0;
    for (guint k = 0; k < MOST && at < n; k++) {
      if (g_test_rand_int_range(0, 8) == 0)
        at = (guint)g_test_rand_int_range(0, (gint32)n);
      g_string_append(text, pieces[at]);
      at += g_test_rand_int_range(0, 8) == 0 ? 2 : 1;
    }
    check(text->str, &quick);
  }
  g_test_message("%u of %d", quick, ROUNDS);
  g_assert_cmpuint(quick, >, least);
}

static void
test_from(void)
{
  static const char *const pieces[] = { "\"", "Anna", ",", " ", "K.", "-b_1", "\"", " ", "<", "anna", ".", "k-1", "@", "x", ".", "example", ">" };
  static const char *const hostile[] = { "a@b", "<a@b>", " <a@b>", "a <a@b> ", "a <a@b>>", "a <<a@b>", "a: <a@b>", "a (c) <a@b>",
                                         "a@b, c@d", "\"a\"b <a@b>", "\"a <a@b>", "a\" <a@b>", "\"\" <a@b>", "a <a@b@c>", "a <@b>",
                                         "a <a@>", "a <a.@b>", "a <a@.b>", "a <a..b@c>", "=?utf-8?q?a?= <a@b>", "a@b <c@d>", "",
                                         "\"a\\\" <a@b>", "a@xn--mller-kva.example", "a <a@b.XN--mller-kva>",
                                         "a b <a@b>", "\"b, a\" <a@b>", "<", ">", "a <", "@", "\"", " " };
  guint quick = 0;
  for (guint i = 0; i < G_N_ELEMENTS(hostile); i++)
    check_from(hostile[i], &quick);
  g_assert_cmpuint(quick, ==, 3);
  check_mixed(pieces, G_N_ELEMENTS(pieces), 1000, check_from);
}

static void
test_date(void)
{
  static const char *const pieces[] = { "Sun, ", "1", "3", " ", "Sep", " ", "20", "20", " ", "12", ":26", ":4", "0", " ", "+", "0200" };
  static const char *const whole[] = { "Sun, 13 Sep 2020 12:26:40 +0200", "13 Sep 2020 12:26:40 -1130", "3 Feb 2024 00:00:00 +0000",
                                       "Mon, 3 Feb 2024 00:00:00 +0545",  "Thu, 29 Feb 2024 23:59:59 -0000",
                                       "Sat, 31 Dec 2050 23:59:59 +1400", "Thu, 01 Jan 1970 00:00:00 +0000" };
  static const char *const hostile[] = { "Sun, 13 Sep 2020 12:26:40 +0260", "Sun, 31 Sep 2020 12:26:40 +0200", "Sun, 13 Sep 2020 24:26:40 +0200",
                                         "Sun, 13 Sep 2020 12:26:60 +0200", "Sun, 13 Sep 2020 12:26:40 +0200 ", "Sun, 13 Sep 2020 12:26:40",
                                         "Sun,  Sep 2020 12:26:40 +0200",   "Sun, 0 Sep 2020 12:26:40 +0200",   "Sun, 113 Sep 2020 12:26:40 +0200",
                                         "Sun 13 Sep 2020 12:26:40 +0200",  "Sun, 13 Sxp 2020 12:26:40 +0200",  "Sun, ", "1", "" };
  guint quick = 0, none = 0;
  for (guint i = 0; i < G_N_ELEMENTS(whole); i++)
    check_date(whole[i], &quick);
  g_assert_cmpuint(quick, ==, G_N_ELEMENTS(whole));
  for (guint i = 0; i < G_N_ELEMENTS(hostile); i++)
    check_date(hostile[i], &none);
  g_assert_cmpuint(none, ==, 0);
  check_mixed(pieces, G_N_ELEMENTS(pieces), 1000, check_date);
}

static void
test_type(void)
{
  static const char *const pieces[] = { "Multi", "part/", "mix", "ed", "; ", "boundary", "=", "\"a\"", "; ", "signed", "/", "alternative" };
  static const char *const whole[] = { "multipart/mixed", "MULTIPART/Signed; micalg=x", "multipart/encrypted;", "multipart/alternative; boundary=a",
                                       "multipart/related;;", "multipart/report; b=\"" };
  guint quick = 0;
  for (guint i = 0; i < G_N_ELEMENTS(whole); i++)
    check_type(whole[i], &quick);
  g_assert_cmpuint(quick, ==, G_N_ELEMENTS(whole));
  check_mixed(pieces, G_N_ELEMENTS(pieces), 10000, check_type);
}

static void
test_encoded(void)
{
  static const char *const pieces[] = { "=?", "utf-8", "?", "b", "?", "QW5u", "YQ==", "?=", " ", "=?utf-8*en?Q?=C3=A9_b?=",
                                        " ", "<", "a", "@", "b.example", ">" };
  static const char *const whole[] = { "=?utf-8?B?QW5uYQ==?= <a@b.example>", "=?utf-8?q?a_=C3=A9?= =?iso-8859-1?Q?=e9?= <a@b>",
                                       "=?x?b?AAA=?= <a@b>", "=?utf-8?q?_?= <a@b>", "=?utf-8?x?a?= <a@b>" };
  static const char *const hostile[] = { "=?utf-8?q?a?= <a@b>, c@d", "=?utf-8?q?a?=<a@b>", "=?utf-8?q?a?=  <a@b>", "=?utf-8?q?a?",
                                         "=?utf-8?q?a?= b <a@b>", "a =?utf-8?q?a?= <a@b>", "=?utf-8?q?a?=  =?utf-8?q?a?= <a@b>",
                                         "\"=?utf-8?q?a?=\" <a@b>", "=?utf-8?q?a,b?= <a@b>", "=?utf-8?q?a(b)?= <a@b>", "=?",
                                         "=?utf-8?q?a?==?utf-8?q?a?= <a@b>", "=?utf-8?q?a?= <a@xn--mller-kva>", "=?\?= <a@b>",
                                         "=?utf-8?q?a?= <=?utf-8?q?a?=@b>", "=?utf-8?q?a?= <a@b> ", "=?utf-8?q?a.b?= <a@b>" };
  guint quick = 0, none = 0;
  for (guint i = 0; i < G_N_ELEMENTS(whole); i++)
    check_encoded(whole[i], &quick);
  g_assert_cmpuint(quick, ==, G_N_ELEMENTS(whole));
  for (guint i = 0; i < G_N_ELEMENTS(hostile); i++)
    check_encoded(hostile[i], &none);
  g_assert_cmpuint(none, ==, 0);
  check_mixed(pieces, G_N_ELEMENTS(pieces), 20, check_encoded);
}

/* ---- a whole line: what is taken as it stands must come out as if all of it had been unfolded, decoded and parsed */

static char *
decoded(const char *raw)
{
  char *text = ml_headers_decode(raw ? raw : "");
  return g_strstrip(g_strdelimit(text, "\n\r\t", ' '));
}

static char *
plain(const char *raw)
{
  return g_strdelimit(ml_headers_plain(raw ? raw : ""), "\t", ' ');
}

static char *
id_of(const char *raw)
{
  const char *open = raw ? strchr(raw, '<') : NULL, *close = open ? strrchr(open, '>') : NULL;
  g_autofree char *id = close ? g_strndup(open + 1, (gsize)(close - open - 1)) : g_strdup(raw ? raw : "");
  return g_utf8_make_valid(g_strstrip(id), -1);
}

static void
author_of(const char *raw, const char *from, char **name, char **address)
{
  g_autoptr(GObject) list = raw && *raw ? (GObject *)internet_address_list_parse(NULL, raw) : NULL;
  InternetAddressList *all = (InternetAddressList *)list;
  InternetAddress *first = all && internet_address_list_length(all) ? internet_address_list_get_address(all, 0) : NULL;
  const char *of = first ? internet_address_get_name(first) : NULL;
  g_autofree char *group = g_strdup(of);
  if (first && INTERNET_ADDRESS_IS_GROUP(first)) {
    InternetAddressList *members = internet_address_group_get_members(INTERNET_ADDRESS_GROUP(first));
    gboolean any = members && internet_address_list_length(members) > 0;
    first = any ? internet_address_list_get_address(members, 0) : NULL;
    of = first ? internet_address_get_name(first) : group;
  }
  const char *where = first && INTERNET_ADDRESS_IS_MAILBOX(first)
                          ? internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first))
                          : NULL;
  g_autoptr(MlAddresses) ours = where && strstr(raw, "=?") ? ml_address_parse(raw) : NULL;
  const MlAddress *one = ours && ours->mailboxes->len && !ours->broken ? ours->mailboxes->pdata[0] : NULL;
  *address = plain(where);
  *name = plain(one && one->name && strcmp(one->address, where) == 0 ? one->name : of);
  if (!**name) {
    g_free(*name);
    *name = g_strdup(**address ? *address : from);
  }
}

static void
check_line(const char *block, gsize length)
{
  static const char *const names[] = { "From", "To", "Cc", "Subject", "Message-ID", "References", "In-Reply-To" };
  enum { FROM, TO, CC, SUBJECT, ID, REFERENCES, REPLY, N };
  MlHeader *header = ml_header_parse(block, length);
  char *raw[N], *name, *address;
  for (guint i = 0; i < N; i++)
    raw[i] = ml_header_value(block, length, names[i]);
  g_autofree char *from = decoded(raw[FROM]), *to = decoded(raw[TO]), *cc = decoded(raw[CC]), *subject = decoded(raw[SUBJECT]),
                  *id = id_of(raw[ID]);
  const char *which = raw[REFERENCES] && *raw[REFERENCES] ? raw[REFERENCES] : raw[REPLY];
  g_autofree char *references = g_utf8_make_valid(which ? which : "", -1);
  author_of(raw[FROM], from, &name, &address);
  g_autofree char *is = g_strjoin("|", header->from, header->from_name, header->from_address, header->to, header->cc,
                                  header->subject, header->message_id, header->references, NULL);
  g_autofree char *expected = g_strjoin("|", from, name, address, to, cc, subject, id, references, NULL);
  g_assert_cmpstr(is, ==, expected);
  g_assert_true(g_utf8_validate(is, -1, NULL));
  for (guint i = 0; i < N; i++)
    g_free(raw[i]);
  g_free(name);
  g_free(address);
  ml_header_free(header);
}

static void
test_line(void)
{
  static const char *const names[] = { "From", "To", "Cc", "Subject", "Message-ID", "References", "In-Reply-To", "subject", "FROM",
                                       "To ", "Subjec", "Subjects", "Cc\t", "", "X", "In\rReply-To", "Message ID" };
  static const struct {
    const char *text;
    gsize length;
  } pieces[] = { { "Anna ", 5 },  { "<a@b.example>", 13 }, { "=?utf-8?q?=C3=A9?=", 18 }, { "\r\n ", 3 }, { "\n\t", 2 }, { "\0", 1 },
                 { "\xc3\xa9", 2 }, { "\xe9", 1 },     { "=?", 2 },                    { "\r", 1 },     { " ", 1 },     { "\t", 1 },
                 { "\x7f", 1 },   { "\x1b[1m", 4 },      { "Re: something long enough", 25 }, { ",", 1 }, { "g: x@y;", 7 },
                 { ">", 1 },      { "\xef\xbf", 2 },      { "?=", 2 },                    { ":", 1 },      { "=?x?b?DQo=?=", 12 } };
  for (guint i = 0; i < 40 * 1000; i++) {
    g_autoptr(GString) block = g_string_new(NULL);
    for (gint32 fields = g_test_rand_int_range(0, 6); fields >= 0; fields--) {
      g_string_append_printf(block, "%s%s", names[g_test_rand_int_range(0, G_N_ELEMENTS(names))],
                             g_test_rand_int_range(0, 20) ? ":" : "");
      for (gint32 n = g_test_rand_int_range(0, 7); n > 0; n--) {
        guint k = g_test_rand_int_range(0, 3) ? (guint)g_test_rand_int_range(0, 3) : (guint)g_test_rand_int_range(0, G_N_ELEMENTS(pieces));
        g_string_append_len(block, pieces[k].text, (gssize)pieces[k].length);
      }
      g_string_append(block, g_test_rand_int_range(0, 30) ? "\r\n" : "\n");
    }
    check_line(block->str, block->len);
  }
}

/* A value of more than 64 KiB is cut there, and one of any length before stays whole, wherever an odd octet stands in it. */
static void
test_long(void)
{
  static const gsize lengths[] = { 1, 7, 8, 9, 15, 16, 17, 63, 64, 255, 256, 1000, 65535, 65536, 65537, 100000 };
  static const char odd[] = { 'a', '=', '\0', '\t', '\x1f', '\x7f', '\x80', '\n', '\r', ' ' };
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++)
    for (guint k = 0; k < sizeof odd; k++)
      for (gsize back = 1; back <= MIN(lengths[i], (gsize)17); back++) {
        g_autoptr(GString) block = g_string_new("Subject:");
        for (gsize n = 0; n < lengths[i]; n++)
          g_string_append_c(block, n == lengths[i] - back ? odd[k] : n == lengths[i] - back + 1 && odd[k] == '=' ? '?' : 'x');
        check_line(block->str, block->len);
      }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  ml_init();
  g_test_add_func("/header-quick/from", test_from);
  g_test_add_func("/header-quick/encoded", test_encoded);
  g_test_add_func("/header-quick/date", test_date);
  g_test_add_func("/header-quick/type", test_type);
  g_test_add_func("/header-quick/line", test_line);
  g_test_add_func("/header-quick/long", test_long);
  return g_test_run();
}
