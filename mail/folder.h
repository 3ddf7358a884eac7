#ifndef ML_FOLDER_H
#define ML_FOLDER_H

#include <glib.h>

/* What a mailbox looks like from outside: values only, built by one thread and handed over. */
typedef enum {
  ML_ROLE_NONE,
  ML_ROLE_INBOX,
  ML_ROLE_DRAFTS,
  ML_ROLE_SENT,
  ML_ROLE_TRASH,
  ML_ROLE_JUNK,
  ML_ROLE_ARCHIVE,
  ML_ROLE_ALL,
  ML_ROLE_FLAGGED,
} MlFolderRole; /* RFC 6154 */

typedef struct {
  char *name;      /* UTF-8, as the user types it, levels separated by '/' */
  MlFolderRole role;
  gboolean selectable;
  int total, unseen; /* -1: not known yet */
} MlFolder;
void ml_folder_free(MlFolder *folder);
MlFolder *ml_folder_copy(const MlFolder *folder);
/* Those of an account that are Trash or Junk. @folders: array of MlFolder, all it has; the few of them are borrowed. */
GPtrArray *ml_folder_trashes(const GPtrArray *folders);
/* Is it one of @trashes, or does it lie below one of them? Searches over all folders leave these out unless they are asked
 * for them. */
gboolean ml_folder_is_aside(const GPtrArray *trashes, const MlFolder *folder);

typedef enum {
  ML_FLAG_SEEN = 1 << 0,
  ML_FLAG_ANSWERED = 1 << 1,
  ML_FLAG_FLAGGED = 1 << 2,
  ML_FLAG_DELETED = 1 << 3,
  ML_FLAG_DRAFT = 1 << 4,
  ML_FLAG_FORWARDED = 1 << 5, /* $Forwarded; Maildir's P */
  ML_FLAG_RECENT = 1 << 6,    /* Maildir: in new/; never set by us */
} MlFlags;

/* What the outermost Content-Type promises, before anything is verified: for the index only. */
typedef enum {
  ML_HINT_SIGNED = 1 << 0,
  ML_HINT_ENCRYPTED = 1 << 1,
  ML_HINT_ATTACHMENT = 1 << 2, /* multipart/mixed */
} MlHints;

/* What a line of an index says of a message that was judged. */
typedef enum {
  ML_MARK_UNJUDGED,
  ML_MARK_UNSIGNED, /* as a whole it is not */
  ML_MARK_GOOD,
  ML_MARK_WARN,
  ML_MARK_BAD,
  ML_MARK_CLOSED,   /* encrypted and not opened: nothing is said of who sent it */
} MlMark;

/* One line of an index. Strings are decoded, valid UTF-8, one line each, never NULL ("" instead), not yet made
 * harmless for the terminal. */
typedef struct {
  guint32 uid;       /* stable number in its folder */
  guint flags;       /* MlFlags */
  guint hints;       /* MlHints */
  gint64 date;       /* Date header, Unix seconds; received where it is missing or unreadable */
  gint64 received;   /* INTERNALDATE, delivery or file time; 0: not known */
  guint64 size;      /* octets */
  char *from;        /* whole header: "Anna Keller <anna@example.org>" */
  char *from_name;   /* display name or address of the first author, for a column */
  char *from_address;
  char *to, *cc, *subject;
  char *message_id;  /* without angle brackets */
  char *references;  /* References, else In-Reply-To, as they stand */
} MlHeader;
void ml_header_free(MlHeader *header);

/* Its numbers alone. */
typedef struct {
  guint32 uid;
  guint16 flags, hints;
  gint64 date, received;
  guint64 size;
} MlLine;

/* Parses the header block (as of BODY.PEEK[HEADER.FIELDS (...)] or a file's beginning) into a line. */
MlHeader *ml_header_parse(const char *block, gsize length);

/* "seen", "answered", "flagged", ...; NULL-terminated, transfer full. */
char **ml_flags_words(guint flags);

#endif
