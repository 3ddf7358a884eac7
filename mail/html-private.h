#ifndef ML_HTML_PRIVATE_H
#define ML_HTML_PRIVATE_H

#include <glib.h>

/* For mail/ alone: HTML as plain text, in one rendering for everybody: style is not looked at, so what CSS would
 * hide or swap by client and context is all shown. Nothing is fetched; scripts, style sheets and frames are
 * dropped. gumbo parses behind limits (it needs quadratic time for deep nests); what is beyond them goes through
 * a tag stripper that is linear in everything. */
enum {
  ML_HTML_SIZE = 2 * 1024 * 1024, /* octets that are read */
  ML_HTML_LINKS = 2000,
};

/* @html: UTF-8. @legacy_display: RFC 9788's copy of the header fields is left out. @links: array of MlLink to
 * fill; links become "text [1]" and a list of notes at the end. NULL: links are left out. *cut: there was more than
 * is shown. Lines are joined by '\n', not wrapped. */
char *ml_html_to_text(const char *html, gsize length, gboolean legacy_display, GPtrArray *links,
                      gboolean *cut);

/* html-plain.c: the limits, and the stripper. */
gboolean ml_html_is_tame(const char *html, gsize length);
char *ml_html_strip(const char *html, gsize length);

#endif
