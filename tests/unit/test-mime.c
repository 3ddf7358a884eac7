/* The scanner and what mime.c, headers.c and charset.c make of its ranges. */
#include <gmime/gmime.h>
#include <string.h>

#include "mail/base64-private.h"
#include "mail/charset-private.h"
#include "mail/headers-private.h"
#include "mail/mime-private.h"

static MlEntity *
scan(const char *text)
{
  g_autoptr(GBytes) bytes = g_bytes_new_static(text, strlen(text));
  g_autoptr(GError) error = NULL;
  MlEntity *root = ml_scan(bytes, TRUE, &error);
  g_assert_no_error(error);
  return root;
}

static MlEntity *
child(const MlEntity *entity, guint index)
{
  g_assert_nonnull(entity->children);
  g_assert_cmpuint(index, <, entity->children->len);
  return g_ptr_array_index(entity->children, index);
}

static void
assert_exact(const MlEntity *entity, const char *expected)
{
  g_autoptr(GBytes) bytes = ml_scan_exact(entity);
  gsize length = 0;
  const char *data = g_bytes_get_data(bytes, &length);
  g_assert_cmpmem(data, length, expected, strlen(expected));
}

static void
test_exact_bytes(void)
{
  g_autoptr(MlEntity) root =
      scan("From: a@b\r\nContent-Type: multipart/signed; boundary=\"b 1\"\r\n\r\npreamble\r\n"
           "--b 1\r\nContent-Type: text/plain\r\n\r\n--b 1x\r\ntext \r\n\r\n--b 1 \t\r\n"
           "\r\nsecond\r\n--b 1--\r\nepilogue\r\n--b 1\r\nno part\r\n");
  g_assert_cmpuint(root->children->len, ==, 2);
  assert_exact(child(root, 0), "Content-Type: text/plain\r\n\r\n--b 1x\r\ntext \r\n");
  assert_exact(child(root, 1), "\r\nsecond");
}

/* Nothing in front of the delimiter but its own line end; delimiters that touch; a part without blank line. */
static void
test_empty_parts(void)
{
  g_autoptr(MlEntity) root =
      scan("A: b\nContent-Type: multipart/mixed; boundary=x\n\n--x\n--x\n\n\n--x\nX: y\n--x--\n");
  g_assert_cmpuint(root->children->len, ==, 3);
  assert_exact(child(root, 0), "");
  assert_exact(child(root, 1), "\n");
  assert_exact(child(root, 2), "X: y");
  g_assert_cmpuint(child(root, 2)->fields->len, ==, 1);
}

static void
test_canonical(void)
{
  g_autoptr(MlEntity) lf =
      scan("A: b\nContent-Type: multipart/mixed; boundary=x\n\n--x\nC: d\n\ntext\n\n--x--\n");
  g_autoptr(GBytes) bytes = ml_scan_canonical(child(lf, 0), NULL);
  g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "C: d\r\n\r\ntext\r\n", 14);
  /* lines that mix their ends are as the sender signed them */
  g_autoptr(MlEntity) mixed =
      scan("A: b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nC: d\r\n\r\na\nb\r\n--x--\r\n");
  g_autoptr(GBytes) same = ml_scan_canonical(child(mixed, 0), NULL);
  g_assert_cmpmem(g_bytes_get_data(same, NULL), g_bytes_get_size(same), "C: d\r\n\r\na\nb", 11);
}

/* The outermost multipart decides: an inner one cannot claim its delimiter, and ends where the outer goes on. */
static void
test_nested(void)
{
  g_autoptr(MlEntity) root =
      scan("A: b\nContent-Type: multipart/mixed; boundary=o\n\n--o\n"
           "Content-Type: multipart/mixed; boundary=i\n\n--i\n\ninner\n--o\n\nouter\n--i\nstill\n--o--\n");
  g_assert_cmpuint(root->children->len, ==, 2);
  g_assert_cmpuint(child(root, 0)->children->len, ==, 1);
  assert_exact(child(child(root, 0), 0), "\ninner");
  assert_exact(child(root, 1), "\nouter\n--i\nstill");
}

static void
test_closed_inner_keeps_its_end(void)
{
  g_autoptr(MlEntity) root =
      scan("A: b\nContent-Type: multipart/mixed; boundary=o\n\n--o\n"
           "Content-Type: multipart/mixed; boundary=i\n\n--i\n\ninner\n--i--\nepilogue\n--o--\n");
  assert_exact(child(child(root, 0), 0), "\ninner");
}

static void
test_limits(void)
{
  g_autoptr(GString) deep = g_string_new("A: b\n");
  for (guint i = 0; i < 20000; i++)
    g_string_append_printf(deep, "Content-Type: multipart/mixed; boundary=d%u\n\n--d%u\n", i, i);
  g_autoptr(MlEntity) nest = scan(deep->str);
  guint depth = 0;
  for (const MlEntity *e = nest; e->children; e = child(e, 0))
    depth++;
  g_assert_cmpuint(depth, ==, ML_MIME_DEPTH - 1);

  g_autoptr(GString) many = g_string_new("A: b\nContent-Type: multipart/mixed; boundary=x\n\n");
  for (guint i = 0; i < 100000; i++)
    g_string_append(many, "--x\n\np\n");
  g_autoptr(MlEntity) wide = scan(many->str);
  g_assert_cmpuint(wide->children->len, <=, ML_MIME_PARTS);
  g_assert_true(wide->beyond);

  g_autoptr(GString) head = g_string_new(NULL);
  for (guint i = 0; i <= ML_MIME_FIELDS; i++)
    g_string_append(head, "X: y\n");
  g_autoptr(GBytes) bytes = g_bytes_new_static(head->str, head->len);
  g_autoptr(GError) error = NULL;
  g_assert_null(ml_scan(bytes, TRUE, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_MALFORMED);
}

static void
test_no_message(void)
{
  static const char *const texts[] = { "", "\r\n", "just text\n", "\x01\x02\x03" };
  for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GBytes) bytes = g_bytes_new_static(texts[i], strlen(texts[i]));
    g_autoptr(GError) error = NULL;
    g_assert_null(ml_scan(bytes, TRUE, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_MALFORMED);
  }
  g_autoptr(GBytes) bytes = g_bytes_new_static("just text\n", 10);
  g_autoptr(MlEntity) entity = ml_scan(bytes, FALSE, NULL);
  g_assert_nonnull(entity); /* but as the content of a layer it is text */
  g_assert_cmpuint(entity->body, ==, 0);
}

static void
test_odd_headers(void)
{
  g_autoptr(MlEntity) root = scan(
      "From root@x Mon Jan 1\nFrom: a@b\nno field\nContent-Type : TEXT/(c)HTML;\n charset=\"u\\tf-8\" ; x=y\n"
      "Content-Type: text/plain\n\nbody");
  g_assert_cmpstr(root->type, ==, "text/html"); /* the first of two */
  g_assert_cmpstr(ml_mime_param(root, "charset"), ==, "utf-8");
  g_assert_cmpstr(ml_mime_param(root, "x"), ==, "y");
  g_assert_cmpuint(ml_mime_field_count(root, "content-type"), ==, 2);
  g_autofree char *from = ml_headers_text(root, "FROM");
  g_assert_cmpstr(from, ==, "a@b");
}

static void
test_rfc2231(void)
{
  static const struct {
    const char *field, *name;
  } cases[] = {
    { "attachment; filename*=utf-8''%e2%82%ac%20x.txt", "€ x.txt" },
    { "attachment; filename*1*=%2e; filename*0*=iso-8859-1'en'%e4b; filename*2=txt", "äb.txt" },
    { "attachment; filename=\"safe.txt\"; filename*=utf-8''evil.sh; filename*0=other; filename*1=.exe",
      "evil.sh" },
    { "attachment; filename*0=a; filename*2=c", "a" },
    { "attachment; filename==?utf-8?q?=C3=A4?=", "ä" },
    { "attachment; filename=foo bar.txt; size=1", "foo bar.txt" },
    { "attachment; filename=\"open", "open" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *text = g_strdup_printf("Content-Disposition: %s\n\n", cases[i].field);
    g_autoptr(MlEntity) root = scan(text);
    g_assert_cmpstr(root->disposition, ==, "attachment");
    g_assert_cmpstr(root->filename, ==, cases[i].name);
  }
}

static void
test_rfc2047(void)
{
  static const struct {
    const char *raw, *text;
  } cases[] = {
    { "=?utf-8?q?a_b=C3=A4?=", "a bä" },
    { "=?utf-8?B?w6Q=?=", "ä" },
    { "x =?utf-8?q?=C3?= =?utf-8?q?=A4?= y", "x ä y" }, /* a character split between words */
    { "=?iso-8859-1?q?=E4?=  =?utf-8?q?=C3=A4?=", "ää" },
    { "=?utf-8?q?a?= b", "a b" },
    { "=?utf-8?x?a?= =?broken", "=?utf-8?x?a?= =?broken" },
    { "=?klingon?q?=41?=", "A" },
    { "=?utf-8?q?a=0D=0AFrom:_b?=", "a\357\277\275\357\277\275From: b" },
    { "plain \xe4", "plain ä" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *text = ml_headers_decode(cases[i].raw);
    g_assert_cmpstr(text, ==, cases[i].text);
  }
}

static void
test_transfer(void)
{
  static const struct {
    const char *encoding, *body, *text;
  } cases[] = {
    { "base64", "SGVsbG8=\n", "Hello" },
    { "BASE64", "SGV*sb\xffG8=", "Hello" },
    { "quoted-printable", "a=3Db=\nc =ZZ", "a=bc =ZZ" },
    { "8bit", "a=3D", "a=3D" },
    { "x-uuencode", "begin 644 x\n#0V%T\n`\nend\n", "Cat" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *text =
        g_strdup_printf("Content-Transfer-Encoding: %s\n\n%s", cases[i].encoding, cases[i].body);
    g_autoptr(MlEntity) root = scan(text);
    g_autoptr(GBytes) bytes = ml_mime_decode(root, 0, NULL);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), cases[i].text,
                    strlen(cases[i].text));
  }
  g_autoptr(MlEntity) root = scan("Content-Transfer-Encoding: base64\n\nSGVsbG8gSGVsbG8gSGVsbG8=\n");
  gboolean cut = FALSE;
  g_autoptr(GBytes) bytes = ml_mime_decode(root, 4, &cut);
  g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "Hell", 4);
  g_assert_true(cut);
}

/* Octets in base64, in lines of @line digits, with @junk between some of them. */
static GString *
encode(const guint8 *octets, gsize length, gsize line, const char *junk)
{
  g_autofree char *digits = g_base64_encode(octets, length);
  GString *text = g_string_new(NULL);
  for (gsize at = 0, all = strlen(digits); at < all; at += line) {
    g_string_append_len(text, digits + at, (gssize)MIN(line, all - at));
    g_string_append(text, at / line % 7 == 5 ? junk : "\r\n");
  }
  return text;
}

/* Our decoder against GLib's, on octets of every kind, cut anywhere: the digits that a call leaves over go on in the
 * next. */
static void
test_base64(void)
{
  enum { LENGTH = 5000 };
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (guint round = 0; round < 200; round++) {
    guint one_in = round % 5 == 0 ? 1 : round; /* is any octet; with each round more is digits alone */
    g_autofree guint8 *text = g_malloc(LENGTH);
    for (gsize i = 0; i < LENGTH; i++) {
      guint8 any = (guint8)g_test_rand_int_range(0, 256);
      text[i] = (one_in && i % one_in) || any == '=' ? (guint8)digits[g_test_rand_int_range(0, 64)] : any;
    }
    g_autofree guint8 *expected = g_malloc(LENGTH), *got = g_malloc(LENGTH + ML_BASE64_BEHIND);
    int state = 0;
    guint save = 0, left = 0;
    guint32 bits = 0;
    gsize wanted = g_base64_decode_step((char *)text, LENGTH, expected, &state, &save), length = 0;
    for (gsize at = 0; at < LENGTH;) {
      gsize most = (gsize)g_test_rand_int_range(0, 400), part = MIN(most, LENGTH - at);
      g_autofree guint8 *copy = g_memdup2(text + at, part); /* so that a sanitizer sees a read beyond it */
      g_autofree guint8 *out = g_malloc(part / 4 * 3 + 3 + ML_BASE64_BEHIND);
      gsize n = ml_base64_decode(copy, part, out, &left, &bits);
      memcpy(got + length, out, n);
      length += n;
      at += part;
    }
    g_assert_cmpmem(got, length, expected, wanted);
  }
}

/* Parts of many pieces: lines of any length, junk between them, one end or none. */
static void
test_large_base64(void)
{
  enum { LENGTH = 400 * 1000 };
  static const char *const junk[] = { "\r\n", "\n", " * ", "\r\n-- \r\n", "\xff\r\n" };
  g_autofree guint8 *octets = g_malloc(LENGTH);
  for (gsize i = 0; i < LENGTH; i++)
    octets[i] = (guint8)g_test_rand_int_range(0, 256);
  for (guint i = 0; i < 60; i++) {
    gsize length = LENGTH - (gsize)i;
    g_autoptr(GString) text = encode(octets, length, 50 + i, junk[i % G_N_ELEMENTS(junk)]);
    g_string_prepend(text, "Content-Transfer-Encoding: base64\n\n");
    g_autoptr(MlEntity) root = scan(text->str);
    g_autoptr(GBytes) bytes = ml_mime_decode(root, 0, NULL);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), octets, length);
  }
}

/* What is no proper end too is read as GMime reads it, whoever of us decodes which octet. */
static void
test_base64_ends(void)
{
  enum { LENGTH = 40, BEHIND = 8 };
  static const char octets[] = "AQw+/09=== \n*";
  for (guint round = 0; round < 20000; round++) {
    char text[LENGTH + BEHIND] = "", expected[LENGTH + BEHIND];
    gsize length = (gsize)g_test_rand_int_range(1, LENGTH);
    for (gsize i = 0; i < length; i++)
      text[i] = octets[g_test_rand_int_range(0, sizeof octets - 1)];
    GMimeEncoding state;
    g_mime_encoding_init_decode(&state, GMIME_CONTENT_ENCODING_BASE64);
    gsize wanted = g_mime_encoding_flush(&state, text, length, expected);
    g_autofree char *message = g_strconcat("Content-Transfer-Encoding: base64\n\n", text, NULL);
    g_autoptr(MlEntity) root = scan(message);
    g_autoptr(GBytes) bytes = ml_mime_decode(root, 0, NULL);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), expected, wanted);
  }
}

/* Of a large part lines are sampled; what is regular comes out exactly, and what is not is counted. */
static void
test_large_size(void)
{
  enum { LENGTH = 6 * 1000 * 1000 };
  g_autofree guint8 *octets = g_malloc0(LENGTH);
  for (guint i = 0; i < 12; i++) {
    gsize length = LENGTH - 1000 * (gsize)i - i;
    g_autoptr(GString) text = encode(octets, length, 48 + 4 * (i / 2), i % 2 ? "\r\n " : "\r\n");
    g_string_prepend(text, "Content-Transfer-Encoding: base64\n\n");
    g_autoptr(MlEntity) root = scan(text->str);
    g_assert_cmpuint(ml_mime_decoded_size(root), ==, length);
  }
}

static void
test_charsets(void)
{
  static const struct {
    const char *charset, *octets, *text;
    gboolean lossy;
  } cases[] = {
    { "utf-8", "\xc3\xa4\xff", "ä\357\277\275", TRUE },
    { NULL, "\xe4", "ä", FALSE },
    { "iso-8859-1", "\x93q\x94", "“q”", FALSE },
    { "koi8-r", "\xf0\xd2", "Пр", FALSE },
    { "iso-2022-jp", "\x1b$B%F%9%H\x1b(B ok", "テスト ok", FALSE },
    { "`id`", "x", "x", FALSE },
    { "klingon-8", "\xe9", "\357\277\275", TRUE },
    { "../../evil", "x", "x", FALSE },
    { "utf-16le", "a\0", "a", FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    gboolean lossy = FALSE;
    gsize length = g_strcmp0(cases[i].charset, "utf-16le") == 0 ? 2 : strlen(cases[i].octets);
    g_autofree char *text = ml_charset_to_utf8(cases[i].octets, length, cases[i].charset, &lossy);
    g_assert_cmpstr(text, ==, cases[i].text);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    g_assert_cmpint(lossy, ==, cases[i].lossy);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/mime/exact", test_exact_bytes);
  g_test_add_func("/mime/empty", test_empty_parts);
  g_test_add_func("/mime/canonical", test_canonical);
  g_test_add_func("/mime/nested", test_nested);
  g_test_add_func("/mime/closed", test_closed_inner_keeps_its_end);
  g_test_add_func("/mime/limits", test_limits);
  g_test_add_func("/mime/no-message", test_no_message);
  g_test_add_func("/mime/odd-headers", test_odd_headers);
  g_test_add_func("/mime/rfc2231", test_rfc2231);
  g_test_add_func("/mime/rfc2047", test_rfc2047);
  g_test_add_func("/mime/transfer", test_transfer);
  g_test_add_func("/mime/base64", test_base64);
  g_test_add_func("/mime/base64/large", test_large_base64);
  g_test_add_func("/mime/base64/ends", test_base64_ends);
  g_test_add_func("/mime/base64/size", test_large_size);
  g_test_add_func("/mime/charsets", test_charsets);
  return g_test_run();
}
