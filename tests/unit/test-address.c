/* Who a From names, and the name that an attachment is saved under. */
#include <string.h>

#include "mail/address-private.h"
#include "mail/filename-private.h"

static void
test_parse(void)
{
  static const struct {
    const char *raw;
    guint count;
    const char *address, *name;
    gboolean sound; /* neither group nor broken */
  } cases[] = {
    { "Anna <anna@example.org>", 1, "anna@example.org", "Anna", TRUE },
    { "\"Keller, Anna\" <anna@example.org>", 1, "anna@example.org", "Keller, Anna", TRUE },
    { "anna@example.org", 1, "anna@example.org", NULL, TRUE },
    { "anna@example.org (Anna)", 1, "anna@example.org", "Anna", TRUE },
    { "a@b, c@d", 2, "a@b", NULL, TRUE },
    { "Team: a@b, c@d;", 2, "a@b", NULL, FALSE },
    { "Anna", 1, "", "Anna", FALSE },
    { "(x) a@b (y", 1, "a@b", "x", FALSE },
    { "A <@relay:a@b>", 1, "a@b", "A", TRUE },
    { "A <\"a\"@b>", 1, "a@b", "A", TRUE },
    { "A <\"a b\"@c>", 1, "\"a b\"@c", "A", TRUE },
    { "A <a@b> <c@d>", 1, "a@b", "A", FALSE },
    { "A <a@b> tail", 1, "a@b", NULL, FALSE },
    { "a@b c@d", 1, "", NULL, FALSE },
    { "=?utf-8?q?=C3=84?= <a@b>", 1, "a@b", "Ä", TRUE },
    { "=?utf-8?q?x:_<y@z>,?= <a@b>", 1, "a@b", "x: <y@z>,", TRUE },
    { "", 0, NULL, NULL, TRUE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(MlAddresses) got = ml_address_parse(cases[i].raw);
    g_test_message("%s", cases[i].raw);
    g_assert_cmpuint(got->mailboxes->len, ==, cases[i].count);
    g_assert_cmpint(!got->group && !got->broken, ==, cases[i].sound);
    if (!cases[i].count)
      continue;
    const MlAddress *first = g_ptr_array_index(got->mailboxes, 0);
    g_assert_cmpstr(first->address, ==, cases[i].address);
    if (cases[i].name)
      g_assert_cmpstr(first->name, ==, cases[i].name);
  }
}

/* 200,000 open comments crash a recursive parser. */
static void
test_hostile(void)
{
  g_autofree char *open = g_strnfill(200000, '(');
  g_autoptr(MlAddresses) got = ml_address_parse(open);
  g_assert_true(got->broken);
  g_autoptr(GString) many = g_string_new(NULL);
  for (guint i = 0; i < 50000; i++)
    g_string_append(many, "a@b,");
  g_autoptr(MlAddresses) list = ml_address_parse(many->str);
  g_assert_cmpuint(list->mailboxes->len, ==, ML_ADDRESS_LIMIT);
}

static void
test_equal(void)
{
  g_assert_true(ml_address_equal("Anna@Example.ORG", "anna@example.org"));
  g_assert_true(ml_address_equal("a@bücher.example", "a@xn--bcher-kva.example"));
  g_assert_true(ml_address_equal("élodie@bücher.example", "élodie@xn--bcher-kva.example"));
  g_assert_false(ml_address_equal("anna+x@example.org", "anna@example.org"));
  g_assert_false(ml_address_equal("аnna@example.org", "anna@example.org")); /* Cyrillic */
  g_assert_false(ml_address_equal("example.org", "example.org"));
  g_assert_false(ml_address_equal("*@example.org", "anna@example.org"));
  g_assert_false(ml_address_equal("a b@example.org", "a b@example.org"));
}

static void
test_other(void)
{
  g_assert_true(ml_address_other_in("victim@example.org", "mallory@example.net"));
  g_assert_true(ml_address_other_in("Victim <victim@example.org>", "mallory@example.net"));
  g_assert_true(ml_address_other_in("victim＠example.org", "mallory@example.net"));
  g_assert_false(ml_address_other_in("Mallory@example.net", "mallory@example.net"));
  g_assert_false(ml_address_other_in("Anna @ Work", "mallory@example.net"));
  g_assert_false(ml_address_other_in("Anna", "mallory@example.net"));
}

static void
test_scripts(void)
{
  g_assert_true(ml_address_mixes_scripts("anna@exаmple.org"));
  g_assert_true(ml_address_mixes_scripts("аnna@example.org"));
  g_assert_true(ml_address_mixes_scripts("anna@xn--exmple-4nf.org")); /* the same as A-label */
  g_assert_false(ml_address_mixes_scripts("anna@bücher.example"));
  g_assert_false(ml_address_mixes_scripts("anna@почта.example")); /* a whole label */
  g_assert_false(ml_address_mixes_scripts("张伟@example.org"));
}

static void
test_filenames(void)
{
  static const struct {
    const char *name, *safe;
  } cases[] = {
    { "report.pdf", "report.pdf" },
    { "../../etc/passwd", "passwd" },
    { "..\\..\\win.ini", "win.ini" },
    { ".bashrc", "bashrc" },
    { "-rf", "rf" },
    { "~root", "_root" },
    { "..", "attachment.bin" },
    { "", "attachment.bin" },
    { NULL, "attachment.bin" },
    { "|id", "_id" },
    { "$(id).txt", "_(id).txt" },
    { "a\nb\tc", "a_b_c" },
    { "CON", "_CON" },
    { "com1.txt", "_com1.txt" },
    { "comet.txt", "comet.txt" },
    { "invoice \342\200\256fdp.exe", "invoice _fdp.exe" },
    { "Prüfung 2026.odt", "Prüfung 2026.odt" },
    { "x. ", "x" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *safe = ml_filename_safe(cases[i].name, "application/x-unknown");
    g_assert_cmpstr(safe, ==, cases[i].safe);
  }
  g_autofree char *text = ml_filename_safe("", "text/plain");
  g_assert_cmpstr(text, ==, "text.txt");
  g_autoptr(GString) name = g_string_new(NULL);
  for (guint i = 0; i < 1000; i++)
    g_string_append(name, "ä");
  g_string_append(name, ".txt");
  g_autofree char *safe = ml_filename_safe(name->str, NULL);
  g_assert_cmpuint(strlen(safe), <=, 200);
  g_assert_true(g_str_has_suffix(safe, ".txt"));
  g_assert_true(g_utf8_validate(safe, -1, NULL));
}

/* A list of domains means the same in a rule and in a directory. */
static void
test_domains(void)
{
  static const struct {
    const char *text, *entry, *in, *out;
  } cases[] = {
    { "Example.ORG", "example.org", "example.org", "sub.example.org" },
    { ".example.org", ".example.org", "sub.example.org", "badexample.org" },
    { "*.example.org", ".example.org", "example.org", "example.org.evil.net" },
    { "b\xc3\xbc" "cher.example", "xn--bcher-kva.example", "xn--bcher-kva.example", "example" },
    { "*", "*", "any.example", NULL },
    { "bob@example.org", NULL, NULL, NULL },
    { ".", NULL, NULL, NULL },
    { "", NULL, NULL, NULL },
    { "x.*.example", NULL, NULL, NULL },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *entry = ml_address_domain(cases[i].text);
    g_assert_cmpstr(entry, ==, cases[i].entry);
    g_assert_true(!cases[i].in || ml_address_in_domain(entry, cases[i].in));
    g_assert_false(cases[i].out && ml_address_in_domain(entry, cases[i].out));
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/address/domains", test_domains);
  g_test_add_func("/address/parse", test_parse);
  g_test_add_func("/address/hostile", test_hostile);
  g_test_add_func("/address/equal", test_equal);
  g_test_add_func("/address/other", test_other);
  g_test_add_func("/address/scripts", test_scripts);
  g_test_add_func("/filename/safe", test_filenames);
  return g_test_run();
}
