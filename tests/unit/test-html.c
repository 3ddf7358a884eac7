/* HTML as text: one rendering, links as notes, bounded time. */
#include <string.h>

#include "mail/html-private.h"
#include "mail/message-private.h"

static char *
render(const char *html, GPtrArray *links)
{
  gboolean cut = FALSE;
  return ml_html_to_text(html, strlen(html), FALSE, links, &cut);
}

static void
test_text(void)
{
  static const struct {
    const char *html, *text;
  } cases[] = {
    { "<p>one<p>two", "one\n\ntwo" },
    { "a<br>b<br><br>c", "a\nb\n\nc" },
    { "<div>a</div><div> b\n c</div>", "a\nb c" },
    { "<ul><li>a<li>b<ol><li>c</ol></ul>", "* a\n* b\n  1. c" },
    { "<table><tr><td>a<td>b<tr><td>c</table>", "a  b\nc" },
    { "<blockquote>a<br>b</blockquote>c", "> a\n> b\n\nc" },
    { "<pre> x\n  y</pre>", " x\n  y" },
    { "<style>x</style><script>y</script><title>t</title>z<iframe>f</iframe>", "z" },
    { "<p style='display:none'>hidden</p>shown", "hidden\n\nshown" }, /* all of it, for everybody */
    { "a<!-- c --><!--[if mso]>m<![endif]-->b", "ab" },
    { "<img src='http://x/' alt='logo'>&euro;&amp;&#27;", "[logo]€&\x1b" },
    { "pay\342\200\213pal \342\200\213\342\200\213x", "pay\342\200\213pal x" },
    { "<plaintext><b>", "<b>" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *text = render(cases[i].html, NULL);
    g_assert_cmpstr(text, ==, cases[i].text);
  }
}

static void
test_links(void)
{
  g_autoptr(GPtrArray) links = g_ptr_array_new_with_free_func((GDestroyNotify)ml_link_free);
  g_autofree char *text =
      render("<a href='https://a.example/?x=1&amp;y'>one</a> <a href='javascript:x()'>two</a> "
             "<a href=' https://a.example/?x=1&amp;y '>three</a> <a href='mailto:x@y'>four</a>",
             links);
  g_assert_cmpstr(text, ==, "one [1] two three [1] four [2]\n\n[1] https://a.example/?x=1&y\n[2] mailto:x@y");
  g_assert_cmpuint(links->len, ==, 2);
  g_autofree char *inactive = render("<a href='https://a.example/'>one</a>", NULL);
  g_assert_cmpstr(inactive, ==, "one");
}

static void
test_legacy_display(void)
{
  gboolean cut = FALSE;
  const char *html = "<div class=\"header-protection-legacy-display\"><pre>Subject: s</pre></div><p>text";
  g_autofree char *text = ml_html_to_text(html, strlen(html), TRUE, NULL, &cut);
  g_assert_cmpstr(text, ==, "text");
}

/* What makes gumbo slow goes another way: each of these takes it many seconds. */
static void
test_hostile(void)
{
  static const char *const pieces[] = { "<div>",         "<b><i>",     "<a href=x><p>", "<table><td>",
                                        "<font size=1>", "<![CDATA[",  "&#x41",         "<x a=\"",
                                        "<select>",      "<svg><desc>" };
  for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++) {
    g_autoptr(GString) html = g_string_new(NULL);
    while (html->len < 1000000)
      g_string_append(html, pieces[i]);
    g_string_append(html, "end");
    gint64 begin = g_get_monotonic_time();
    g_autofree char *text = render(html->str, NULL);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 4 * G_USEC_PER_SEC);
    g_assert_true(g_utf8_validate(text, -1, NULL));
  }
  g_autoptr(GString) attributes = g_string_new("<p ");
  for (guint i = 0; i < 100000; i++)
    g_string_append_printf(attributes, "a%u=1 ", i);
  g_string_append(attributes, ">end");
  g_autofree char *text = render(attributes->str, NULL);
  g_assert_cmpstr(text, ==, "end");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/html/text", test_text);
  g_test_add_func("/html/links", test_links);
  g_test_add_func("/html/legacy-display", test_legacy_display);
  g_test_add_func("/html/hostile", test_hostile);
  return g_test_run();
}
