#ifndef ML_FILENAME_PRIVATE_H
#define ML_FILENAME_PRIVATE_H

/* A name under which an attachment may be saved, whatever the sender called it: one path component of at most
 * 200 octets, no controls, no invisible or reordering characters, nothing that a shell, a file manager or another
 * system reads as more than a name. @type gives the ending where there is no name. Transfer full. */
char *ml_filename_safe(const char *name, const char *type);

#endif
