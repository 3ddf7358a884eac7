#ifndef ML_QUERY_H
#define ML_QUERY_H

#include "mail/words.h"

/* What somebody searches for: words that must all be there, "a phrase", begin*, -not, and from:, to:, subject:, body:
 * before one of these; in:anywhere, for Trash and Junk too. Nothing else has a meaning, and nothing of it is taken for SQL. */
typedef enum {
  ML_QUERY_FROM = 1 << 0,
  ML_QUERY_TO = 1 << 1, /* Cc too */
  ML_QUERY_SUBJECT = 1 << 2,
  ML_QUERY_BODY = 1 << 3, /* and names of attachments */
  ML_QUERY_ALL = 15,
} MlQueryField;
typedef struct {
  guint fields;     /* of MlQueryField */
  gboolean negated, prefix; /* prefix: the last word is only the beginning of one */
  GPtrArray *words; /* of char *, one after the other; never empty */
  char *text;       /* as it was typed, for a server */
} MlQueryTerm;
typedef struct {
  GPtrArray *terms; /* of MlQueryTerm; one at least is not negated */
  gboolean anywhere; /* Trash and Junk are not left out (ml_folder_is_aside()) */
} MlQuery;
/* @typing: it is being typed, so that the last word is only the beginning of one. NULL: FAILED, in a sentence. */
MlQuery *ml_query_parse(const char *text, gboolean typing, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Does what stands at *@text say so? Then *@text is behind it, and behind the blanks that follow. */
gboolean ml_query_anywhere(const char **text);
MlQuery *ml_query_copy(const MlQuery *query);
/* @text as it stands, in @field: for ml_driver_search() alone, as it has no words. */
MlQuery *ml_query_literal(MlQueryField field, const char *text);
void ml_query_free(MlQuery *query);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlQuery, ml_query_free)

/* Does this message fit? By the text itself, without an index. A field that is NULL is empty. */
typedef struct {
  const char *from, *to, *cc, *subject, *body;
} MlQueryText;
gboolean ml_query_fits(const MlQuery *query, const MlQueryText *text);

/* Some words of @body around the first of what was searched, on one line; "" where none of it is there. *@start and
 * *@end (octets, in what is returned): what was found. Not yet harmless for the terminal. */
char *ml_query_snippet(const MlQuery *query, const char *body, gsize *start, gsize *end);

#endif
