#include <string.h>

#include <gmime/gmime.h>

#include "mail/folder.h"
#include "mail/headers-private.h"
#include "mail/init.h"

/* What is read without GMime must come out as if GMime had read it. */

static void
check_from(const char *raw, guint *quick)
{
  char *name = NULL, *address = NULL;
  if (!ml_header_quick_from(raw, &name, &address))
    return;
  ++*quick;
  InternetAddressList *list = internet_address_list_parse(NULL, raw);
  g_assert_cmpint(list ? internet_address_list_length(list) : 0, ==, 1);
  InternetAddress *one = internet_address_list_get_address(list, 0);
  g_assert_true(INTERNET_ADDRESS_IS_MAILBOX(one));
  const char *whose = internet_address_get_name(one);
  g_autofree char *is = g_strdup_printf("%s: %s, %s", raw, name ? name : "", address);
  g_autofree char *expected = g_strdup_printf("%s: %s, %s", raw, whose ? whose : "",
                                              internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(one)));
  g_assert_cmpstr(is, ==, expected);
  g_object_unref(list);
  g_free(name);
  g_free(address);
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

/* Pieces of what is written, in any order: seven in eight times the next of those that make a whole. */
static void
check_mixed(const char *const *pieces, guint n, void (*check)(const char *, guint *))
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
  g_assert_cmpuint(quick, >, ROUNDS / 1000);
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
  check_mixed(pieces, G_N_ELEMENTS(pieces), check_from);
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
  check_mixed(pieces, G_N_ELEMENTS(pieces), check_date);
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
  check_mixed(pieces, G_N_ELEMENTS(pieces), check_type);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  ml_init();
  g_test_add_func("/header-quick/from", test_from);
  g_test_add_func("/header-quick/date", test_date);
  g_test_add_func("/header-quick/type", test_type);
  return g_test_run();
}
