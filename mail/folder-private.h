#ifndef ML_FOLDER_PRIVATE_H
#define ML_FOLDER_PRIVATE_H

#include "mail/config.h"
#include "mail/folder.h"

MlFolder *ml_folder_new(const char *name, MlFolderRole role, gboolean selectable);

/* INBOX first, then those with a role, then by name. */
void ml_folder_sort(GPtrArray *folders);

/* The role of a folder by the account's settings, else by its usual names; for stores that know no special
 * use. */
MlFolderRole ml_folder_guess_role(const MlAccount *account, const char *name);

/* Where the header block ends in @data (behind the empty line), or @length where there is no body. */
gsize ml_header_block_length(const char *data, gsize length);

/* Octets as they stand somewhere else. */
typedef struct {
  const char *at;
  gsize length;
} MlSpan;

/* A line of an index in one block of memory, which g_free() frees: the numbers of @like, and @texts (without NUL, valid
 * UTF-8, one line each) in the order of MlHeader. All are copied. */
enum { ML_HEADER_TEXTS = 8 };
MlHeader *ml_header_new(const MlHeader *like, const MlSpan texts[ML_HEADER_TEXTS]);

/* The value of the first header called @name in @block, unfolded, as it stands; NULL: there is none.
 * Transfer full. */
char *ml_header_value(const char *block, gsize length, const char *name);

#endif
