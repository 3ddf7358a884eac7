#ifndef ML_FILES_H
#define ML_FILES_H

#include <sys/stat.h>

#include "mail/error.h"

/* Files that must not be lost: whole reads and writes, fsync of file and folder. Errors are ML_ERROR_STORE
 * with the path and the system's words; NOT_FOUND where the file is not there. */
void ml_files_error(GError **error, int number, const char *doing, const char *path); /* errno as a sentence */

/* fsync of the folder itself, so that names in it survive a power cut. */
gboolean ml_files_sync_folder(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* fsync of @n files. Returns which failed, with errno, or @n. */
guint ml_files_sync_all(const int *fds, guint n) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_files_write_all(int fd, const void *data, gsize length, const char *path, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_files_pwrite_all(int fd, const void *data, gsize length, goffset at, const char *path, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* The empty file of a database, for nobody else to read (0600), unless it is there. It is never opened: to close any
 * descriptor of a file ends all locks that the process has on it (fcntl(2)), SQLite's as well, and then another process
 * takes the write-ahead log away from under a handle that still writes to it. FALSE: not a file, or it cannot be made. */
gboolean ml_files_make_database(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Never over a file that is there: FALSE with errno EEXIST. */
gboolean ml_files_rename(const char *from, const char *to) G_GNUC_WARN_UNUSED_RESULT;

/* The file was written to so shortly ago that a write that comes now could leave it with the same times. */
gboolean ml_files_is_young(const struct stat *about);

/* Up to @length bytes from @at; fewer at the end of the file. -1: error. */
gssize ml_files_pread(int fd, void *buffer, gsize length, goffset at, const char *path, GError **error);

/* flock(2) on @path, made if missing, tried for up to 5 s. The descriptor holds the lock until closed; -1:
 * error. */
int ml_files_lock(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where a test kills the program: SIGNET_TEST_DIE names the point. */
void ml_files_point(const char *name);

#endif
