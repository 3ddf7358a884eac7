/* HTML of mail, by gumbo or by the stripper: always text, always soon. */
#include <string.h>

#include "mail/charset-private.h"
#include "mail/html-private.h"
#include "mail/message-private.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
  /* what reaches the renderer has been made text first */
  g_autofree char *html = ml_charset_to_utf8(size ? (const char *)data : "", size, "utf-8", NULL);
  g_autoptr(GPtrArray) links = g_ptr_array_new_with_free_func((GDestroyNotify)ml_link_free);
  gboolean cut = FALSE;
  g_autofree char *text = ml_html_to_text(html, strlen(html), size % 2, links, &cut);
  g_assert_true(g_utf8_validate(text, -1, NULL));
  for (guint i = 0; i < links->len; i++) {
    const MlLink *link = links->pdata[i];
    g_assert_cmpuint(link->number, ==, i + 1);
    for (const char *c = link->url; *c; c++)
      g_assert_true(*c > 32 && *c < 127);
  }
  g_autofree char *stripped = ml_html_strip(html, strlen(html));
  g_assert_true(g_utf8_validate(stripped, -1, NULL));
  return 0;
}
