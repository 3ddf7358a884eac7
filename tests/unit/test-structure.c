#include <string.h>

#include "mail/mime-private.h"
#include "mail/partial-private.h"

/* BODYSTRUCTURE as servers, senders and strangers make it; and the message that is put together from parts. */

static MlStructure *
read_text(MlSieve *sieve, const char *structure)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *line = g_strdup_printf("* 1 FETCH (UID 5 BODYSTRUCTURE %s)\r\n", structure);
  ml_sieve_set_lenient(sieve, 8 << 20);
  ml_sieve_feed(sieve, line, strlen(line));
  const MlResponse *response = ml_sieve_next(sieve, &error);
  g_assert_no_error(error);
  g_assert_nonnull(response);
  if (response->kind != ML_RESPONSE_FETCH)
    return NULL;
  const MlNode *items = response->data->child;
  return items && items->next && items->next->next ? ml_structure_read(items->next->next->next) : NULL;
}

#define TEXT "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"7BIT\" 10 1 NIL NIL NIL NIL)"
#define PDF                                                                                                  \
  "(\"application\" \"pdf\" (\"name\" \"x.pdf\") \"<id>\" \"words\" \"base64\" 900000 NIL "                      \
  "(\"attachment\" (\"filename\" \"y.pdf\")) NIL NIL)"
#define ENVELOPE "(NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL)"

static void
test_read(void)
{
  g_autoptr(MlSieve) sieve = ml_sieve_new();
  g_autoptr(MlStructure) root =
      read_text(sieve, "(" TEXT PDF "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 500000 " ENVELOPE " (" TEXT PDF
                       " \"mixed\" (\"boundary\" \"i\") NIL) 100 NIL (\"inline\" NIL) NIL)"
                       "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 500000 " ENVELOPE " " PDF " 100)"
                       " \"MIXED\" (\"BOUNDARY\" \"b\") (\"inline\" NIL) NIL NIL)");
  g_assert_nonnull(root);
  g_assert_cmpstr(root->type, ==, "multipart/mixed");
  g_assert_cmpstr(root->head_section, ==, "HEADER");
  g_assert_null(root->section);
  const struct {
    guint at;
    int inner;
    const char *type, *section, *head;
  } parts[] = { { 0, -1, "text/plain", "1", "1.MIME" },       { 1, -1, "application/pdf", "2", "2.MIME" },
                { 2, -1, "message/rfc822", "3", "3.MIME" },   { 2, 0, "multipart/mixed", NULL, "3.HEADER" },
                { 3, 0, "application/pdf", "4.1", "4.HEADER" } };
  for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
    MlStructure *part = g_ptr_array_index(root->parts, parts[i].at);
    if (parts[i].inner >= 0)
      part = g_ptr_array_index(part->parts, (guint)parts[i].inner);
    g_assert_cmpstr(part->type, ==, parts[i].type);
    g_assert_cmpstr(part->section, ==, parts[i].section);
    g_assert_cmpstr(part->head_section, ==, parts[i].head);
  }
  MlStructure *pdf = g_ptr_array_index(root->parts, 1);
  g_assert_cmpstr(pdf->name, ==, "y.pdf");
  g_assert_cmpstr(pdf->disposition, ==, "attachment");
  g_assert_cmpuint(pdf->size, ==, 900000);
  MlStructure *inner = g_ptr_array_index(((MlStructure *)g_ptr_array_index(root->parts, 2))->parts, 0);
  g_assert_cmpstr(((MlStructure *)g_ptr_array_index(inner->parts, 1))->section, ==, "3.2");
  g_assert_true(ml_structure_plan(root));
  g_autoptr(GPtrArray) wanted = ml_structure_wanted(root);
  g_ptr_array_add(wanted, NULL);
  g_autofree char *words = g_strjoinv(" ", (char **)wanted->pdata);
  g_assert_cmpstr(words, ==,
                  "HEADER 1.MIME 1 2.MIME 3.MIME 3.HEADER 3.1.MIME 3.1 3.2.MIME 4.MIME 4.HEADER");
}

/* Not one of them is taken for a structure, and none does harm. */
static void
test_hostile(void)
{
  g_autofree char *open = g_strnfill(100000, '('), *close = g_strnfill(100000, ')');
  g_autofree char *deep = g_strconcat(open, close, NULL);
  g_autoptr(GString) nested = g_string_new(TEXT), many = g_string_new("("), values = g_string_new("(");
  for (guint i = 0; i < 25; i++) {
    g_string_prepend_c(nested, '(');
    g_string_append(nested, " \"mixed\")");
  }
  for (guint i = 0; i < 2000; i++)
    g_string_append(many, TEXT);
  g_string_append(many, " \"mixed\")");
  for (guint i = 0; i < 50000; i++)
    g_string_append(values, "() ");
  g_string_append(values, ")");
  g_autofree char *name = g_strnfill(300, 'a');
  g_autofree char *long_type = g_strdup_printf("(\"%s\" \"plain\" NIL NIL NIL \"7bit\" 1 1)", name);
  const char *const texts[] = {
    deep,
    nested->str,
    many->str,
    values->str,
    long_type,
    "NIL",
    "()",
    "(())",
    "((()))",
    "\"text\"",
    "(\"text\")",
    "(\"text\" \"plain\" NIL NIL NIL \"7bit\" -5 1)",
    "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 99999999999999999999999 1)",
    "(\"text\" \"plain\" NIL NIL NIL \"7bit\" (1) 1)",
    "(\"multipart\" \"mixed\" NIL NIL NIL \"7bit\" 5 1)",
    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 5 () () 1)",
    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 5 " ENVELOPE " (NIL) 1)",
    "(" TEXT ")",
    "(" TEXT " NIL)",
    "(" TEXT " (\"mixed\"))",
    "(" TEXT "(\"x\") \"mixed\")",
  };
  g_autoptr(MlSieve) sieve = ml_sieve_new();
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(MlStructure) structure = read_text(sieve, texts[i]);
    g_test_message("%u", i);
    g_assert_null(structure);
  }
  g_autoptr(MlStructure) last = read_text(sieve, PDF); /* and the line goes on */
  g_assert_nonnull(last);
  g_assert_cmpstr(last->section, ==, "1");
}

static void
test_plan(void)
{
  static const struct {
    const char *structure;
    gboolean planned;
  } cases[] = {
    { PDF, TRUE },
    { "(" TEXT PDF " \"mixed\")", TRUE },
    { "(" TEXT "(\"application\" \"pdf\" NIL NIL NIL \"base64\" 60000 NIL (\"attachment\" NIL)) \"mixed\")", FALSE },
    { "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 9000000 1)", FALSE },
    { "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 9000000 1 NIL (\"attachment\" NIL))", TRUE },
    { "(" TEXT PDF " \"signed\")", FALSE },
    { "((" TEXT PDF " \"SIGNED\")" PDF " \"mixed\")", FALSE },
    { "(" PDF "(\"application\" \"x-pkcs7-mime\" NIL NIL NIL \"base64\" 100) \"mixed\")", FALSE },
    { "(" PDF "(\"application\" \"pkcs7-signature\" NIL NIL NIL \"base64\" 100) \"mixed\")", FALSE },
    { "(\"application\" \"octet-stream\" (\"name\" \"SMIME.P7M\") NIL NIL \"base64\" 900000)", FALSE },
    { "(\"application\" \"octet-stream\" (\"name*\" \"utf-8''smime.p7m\") NIL NIL \"base64\" 900000)", FALSE },
    { "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 900000 NIL (\"attachment\" (\"filename\" \"a.p7c\")))",
      FALSE },
    { "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 500000 " ENVELOPE " (" TEXT PDF " \"signed\") 9 NIL "
      "(\"attachment\" NIL))",
      FALSE },
  };
  g_autoptr(MlSieve) sieve = ml_sieve_new();
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(MlStructure) structure = read_text(sieve, cases[i].structure);
    g_test_message("%s", cases[i].structure);
    g_assert_nonnull(structure);
    g_assert_cmpint(ml_structure_plan(structure), ==, cases[i].planned);
  }
}

static void
give(MlStructure *structure, const char *section, const char *text)
{
  g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
  ml_structure_give(structure, section, bytes);
}

/* The pieces are put together only if they make the tree that was announced, and nothing in it is S/MIME. */
static void
test_build(void)
{
  static const struct {
    const char *head, *text, *pdf; /* the header of the message, the text, the header of what stays */
    gboolean built;
  } cases[] = {
    { "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", "words\r\n",
      "Content-Type: application/pdf\r\n\r\n", TRUE },
    { "Content-Type: multipart/mixed; boundary=b", "words", "Content-Type: application/pdf\r\n", TRUE },
    { "Subject: x\n\n", "words", "Content-Type: application/pdf\r\n\r\n", FALSE },
    { "", "words", "Content-Type: application/pdf\r\n\r\n", FALSE },
    { "Content-Type: multipart/mixed\r\n\r\n", "words", "Content-Type: application/pdf\r\n\r\n", FALSE },
    { "Content-Type: multipart/signed; boundary=b\r\n\r\n", "words", "Content-Type: application/pkcs7-signature\r\n\r\n",
      FALSE },
    { "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "words", "Content-Type: application/pkcs7-mime\r\n\r\n",
      FALSE },
    { "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "words",
      "Content-Type: application/octet-stream; name=smime.p7m\r\n\r\n", FALSE },
    { "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "words\r\n--b\r\n\r\nmore",
      "Content-Type: application/pdf\r\n\r\n", FALSE },
    { "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "words\r\n--b--",
      "Content-Type: application/pdf\r\n\r\n", FALSE },
    { "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "words", "Content-Type: text/plain\r\n\r\n", FALSE },
    { "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "words",
      "Content-Type: multipart/mixed; boundary=c\r\n\r\n", FALSE },
    { "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "words", "--b\r\n\r\n", FALSE },
    { "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "words", "Content-Type: message/rfc822\r\n\r\n", FALSE },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(MlSieve) sieve = ml_sieve_new();
    g_autoptr(MlStructure) structure = read_text(sieve, "(" TEXT PDF " \"mixed\")");
    g_autoptr(GPtrArray) left = NULL;
    g_assert_true(ml_structure_plan(structure));
    g_assert_null(ml_structure_build(structure, &left));
    give(structure, "HEADER", cases[i].head);
    give(structure, "1.MIME", "Content-Type: text/plain\r\n\r\n");
    give(structure, "2.mime", cases[i].pdf);
    give(structure, "2", "was not asked for");
    give(structure, "7.3", "nor this");
    g_assert_null(ml_structure_build(structure, &left)); /* 1 did not come yet */
    give(structure, "1", cases[i].text);
    g_autoptr(GBytes) bytes = ml_structure_build(structure, &left);
    g_test_message("%u", i);
    g_assert_cmpint(bytes != NULL, ==, cases[i].built);
    g_assert_cmpint(left != NULL, ==, cases[i].built);
    if (!bytes)
      continue;
    g_autoptr(MlEntity) root = ml_scan(bytes, TRUE, NULL);
    ml_left_mark(root, left);
    MlEntity *pdf = g_ptr_array_index(root->children, 1);
    g_assert_cmpstr(pdf->left->section, ==, "2");
    g_assert_true(root->incomplete);
    g_assert_false(((MlEntity *)g_ptr_array_index(root->children, 0))->incomplete);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/structure/read", test_read);
  g_test_add_func("/structure/hostile", test_hostile);
  g_test_add_func("/structure/plan", test_plan);
  g_test_add_func("/structure/build", test_build);
  return g_test_run();
}
