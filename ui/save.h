#ifndef UI_SAVE_H
#define UI_SAVE_H

#include <gio/gio.h>

/* Files that come out of a mail. Any thread. */

/* A name in @folder (NULL: here) like @name that does not exist yet: "report.pdf", "report-1.pdf". Transfer full. */
char *ui_save_free_name(const char *folder, const char *name);

/* "~/" is the home folder; a folder gets @name in it. Transfer full. */
char *ui_save_path(const char *typed, const char *name);

/* All of @content to @fd, without keeping it in memory (crypto/mapping.h). 0, or the error's number. @spend: nobody reads
 * @content again but to let go of it, whatever comes of this; what is written goes from memory. */
int ui_save_write(int fd, GBytes *content, gboolean spend) G_GNUC_WARN_UNUSED_RESULT;

/* Only its owner may read it. Under another name until it is complete, so that @path is what it was or
 * the whole of the new; but what is no ordinary file (a device, a pipe) is written to. */
gboolean ui_save_replace(const char *path, GBytes *content, gboolean spend, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* Never overwrites, never follows a link in the last step; nothing is left behind where it fails. */
gboolean ui_save_file(const char *path, GBytes *content, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
