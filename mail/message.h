#ifndef ML_MESSAGE_H
#define ML_MESSAGE_H

#include "crypto/chain.h"
#include "crypto/cms.h"
#include "crypto/revocation.h"
#include "mail/error.h"
#include "mail/folder.h"
#include "mail/left.h"

/* A message, read: parsed within limits, decrypted, verified and judged, laid out as the reader shows it. The
 * bytes that are verified are the bytes that are shown. Built by one thread (verify or keys), then immutable.
 * Nothing here calls the network, but by the asker that is handed in. All text is valid UTF-8 with '\n' line ends only,
 * not yet made harmless for the terminal. */
typedef enum {
  ML_SIGNATURE_VALID,
  ML_SIGNATURE_UNTRUSTED,   /* valid-but-untrusted */
  ML_SIGNATURE_INVALID,
  ML_SIGNATURE_UNVERIFIABLE,
  ML_SIGNATURE_UNSIGNED,
  ML_SIGNATURE_ERRANT,      /* not-displayed-as-signed: RFC 9787 4.5 */
} MlSignature;

typedef enum {
  ML_ENCRYPTION_NONE,
  ML_ENCRYPTION_DECRYPTED,
  ML_ENCRYPTION_LEGACY,     /* legacy-warned */
  ML_ENCRYPTION_NO_KEY,
  ML_ENCRYPTION_MALFORMED,
  ML_ENCRYPTION_UNSUPPORTED,
  ML_ENCRYPTION_REFUSED,    /* too weak; or ours, and the key is locked (MlVerdict.locked) */
  ML_ENCRYPTION_ERRANT,     /* not-displayed-as-encrypted: only a part is */
} MlEncryption;

typedef enum { ML_INDICATOR_GOOD, ML_INDICATOR_WARN, ML_INDICATOR_BAD, ML_INDICATOR_NONE } MlIndicator;
typedef enum { ML_PROTECTED_NONE, ML_PROTECTED_SIGNED, ML_PROTECTED_ENCRYPTED, ML_PROTECTED_BOTH } MlProtected;
typedef enum { ML_UNKNOWN = -1, ML_NO = 0, ML_YES = 1 } MlTristate;

const char *ml_signature_word(MlSignature signature); /* the manifest's own words */
const char *ml_encryption_word(MlEncryption encryption);
const char *ml_indicator_word(MlIndicator indicator);
const char *ml_protected_word(MlProtected protected_headers);

/* One signer of the message's cryptographic envelope, with its certificate's trust. */
typedef struct {
  CryptoSigner *cms;        /* state, certificate (may be NULL), digest, algorithm, signing time */
  CryptoChain *now;         /* trust at `at`; NULL without a certificate */
  CryptoChain *then;        /* trust at the signing time or the time of receipt; NULL: same as now */
  gboolean matches_from;
  char **trust_words;       /* this signer's trust_errors; never NULL */
} MlSigner;

/* What is said of the whole message. Exit code, indicator and strip all come from this. */
typedef struct {
  MlSignature signature;
  MlEncryption encryption;
  MlIndicator indicator;
  MlProtected protected_headers;
  char *signer_address;      /* the certificate's address that equals From, else its first; NULL */
  MlTristate signer_matches_from;
  char **trust_errors;       /* words of all signers, without doubles; never NULL */
  char *reason;              /* one sentence (or two) for a person; never empty */
  char *next_step;           /* what the user can do about it; NULL: nothing to do */
  GPtrArray *warnings;       /* of char *: further sentences (look-alike name, several From, CBC, ...) */
  GPtrArray *notices;        /* of char *: worth a word and no reason for doubt (a new certificate) */
  GPtrArray *signers;        /* of MlSigner */
  CryptoEnvelope *envelope;  /* of the encryption layer, or NULL */
  gboolean locked;           /* encrypted to us, and the key needs a PIN that this run may not ask for */
  gboolean expired_since;    /* good, with the note "certificate expired since" */
} MlVerdict;

int ml_verdict_exit_code(const MlVerdict *verdict); /* 0, 1, 3 to 8: doc/signet.1 */
void ml_verdict_free(MlVerdict *verdict);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlVerdict, ml_verdict_free)

/* A header as the reader shows it: decoded; the protected one where the message has one. */
typedef struct {
  char *name, *value;
  char *outer;      /* what the unprotected one says where it differs; NULL: it does not */
  gboolean is_signed, encrypted;
} MlHeaderLine;

typedef enum {
  ML_BLOCK_TEXT,   /* text/plain or another text shown as it is */
  ML_BLOCK_HTML,   /* HTML as text; links are numbered notes */
  ML_BLOCK_NOTICE, /* words of ours about a part that is not shown (not in the JSON's text) */
} MlBlockKind;

typedef struct {
  char *url;
  guint number; /* as printed in the text: [1] */
} MlLink;

/* A run of lines of one protection. Blocks are shown one below the other, each under its own rule line where the
 * protection or the part changes. */
typedef struct {
  MlBlockKind kind;
  char *text;                /* lines joined by '\n', no trailing one */
  guint from_line, to_line;  /* in ml_message_text(), from 1; 0 for notices */
  gboolean is_signed;        /* covered by an intact signature of the message's envelope that is not errant */
  gboolean encrypted;
  guint part;                /* index into parts */
  GPtrArray *links;          /* of MlLink; may be NULL */
} MlBlock;

/* A node of the MIME tree, cryptographic layers included, depth first. */
typedef struct {
  guint depth;
  int parent;                /* index, -1: the root */
  char *type;                /* "text/plain", lower case */
  char *layer;               /* "signed", "encrypted", "compressed" for a cryptographic layer, or NULL */
  char *charset;             /* or NULL */
  char *name;                /* as the sender gave it, or NULL */
  char *save_as;             /* the safe file name that we would offer; never NULL for leaves */
  char *description;         /* Content-Description or NULL */
  gsize size;                /* decoded octets, as far as known */
  gboolean leaf, attachment; /* attachment: listed as one (not shown as a block) */
  gboolean shown;            /* a block shows it */
  gboolean is_signed, encrypted;
  gboolean locked;           /* an encrypted part that waits for a key press */
  gboolean on_server;        /* its content, or some of it, was not fetched (ml_message_part_section) */
} MlPart;

typedef struct MlMessage MlMessage;

typedef struct MlPeople MlPeople; /* mail/people.h */
/* What is remembered of a sender: who signed with what. */
typedef struct {
  guint messages, with_signature;  /* judged here; of these, with a good signature by the sender */
  char *last_sha256, *last_issuer; /* of the certificate that signed last; NULL: none did */
  gboolean known_cert, known_issuer; /* this certificate, this authority signed before */
} MlHistory;

typedef struct {
  gint64 at;                 /* Unix seconds: now, or --at */
  gint64 received;           /* INTERNALDATE or first seen; 0: not known */
  CryptoRevocationMode revocation;
  CryptoPinSource *pin;      /* NULL: never ask */
  GPtrArray *certs;          /* further candidates (CryptoCert); may be NULL */
  gboolean open_errant;      /* decrypt encrypted parts that are not the root's envelope too (a key was pressed) */
  gboolean sealed;           /* no key is used: encrypted as far as it goes, with its envelope's recipients */
  guint html_width;          /* 0: not wrapped (JSON) */
  MlPeople *people;          /* what senders did before, to read only; may be NULL */
  const CryptoAsker *asker;  /* who may be asked about signers' certificates (blocks); NULL: nobody */
  GPtrArray *left;           /* of MlLeft: parts that stayed on the server; NULL: all is here. The message takes a
                                reference, and is refused as MALFORMED if it turns out to need them: fetch it whole */
} MlReadOptions;

/* Errors: MALFORMED: these bytes are no message (sysexits 65), or beyond a limit. Everything else is a verdict. */
MlMessage *ml_message_read(GBytes *raw, const MlReadOptions *options, GCancellable *cancellable, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
void ml_message_free(MlMessage *message);
/* What it says in clear, for the search: the text that the reader shows to somebody without any key, and the names of
 * its parts; @limit octets at most. Nothing is opened and nobody's trust is looked at. Transfer full. */
char *ml_message_plain(GBytes *raw, gsize limit, GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same of a message that was read, of which something was decrypted: with what came out of it. NULL: nothing was. */
char *ml_message_opened(const MlMessage *message, gsize limit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlMessage, ml_message_free)

const MlVerdict *ml_message_verdict(const MlMessage *message);
/* MlHeaderLine: From, To, Cc, Subject, Date, ... first; borrowed */
GPtrArray *ml_message_headers(const MlMessage *message);
GPtrArray *ml_message_blocks(const MlMessage *message);  /* MlBlock; borrowed */
GPtrArray *ml_message_parts(const MlMessage *message);   /* MlPart; borrowed */
const char *ml_message_text(const MlMessage *message);   /* the blocks' text, leaf after leaf; borrowed */
const char *ml_message_header(const MlMessage *message, const char *name); /* value of the first, or NULL */
/* The Subject for a list of messages once this one was read: the protected one. NULL: nothing protects it, or the
 * message is bad, and the list stays as it is; "": the sender gave none. *@hidden: it came out of a ciphertext. */
const char *ml_message_listed_subject(const MlMessage *message, gboolean *hidden);
char **ml_message_outer_differs(const MlMessage *message); /* "subject", ...; borrowed, never NULL */
char **ml_message_from_addresses(const MlMessage *message); /* every author, ASCII-folded; borrowed, never NULL */
GPtrArray *ml_message_certs(const MlMessage *message);   /* every CryptoCert that came with it; borrowed */

GPtrArray *ml_message_asked(const MlMessage *message);   /* CryptoAsked: what was asked of the network; borrowed */

/* The verdict as it was at options->received, as far as that can be told now: the signature, the dates and today's trust,
 * and revocation where what is known today says that it had been by then, or does not say when. Which lists were at hand
 * then, nobody knows. Without signers and envelope; NULL: the time of receipt is not known. Nothing is opened again.
 * (mail/message-time.c) */
MlVerdict *ml_message_then(MlMessage *message, const MlReadOptions *options);

/* Until when the verdict may be repeated without judging again, if crypto_standing() stays the same and nothing else that
 * options said changes: a good one no longer than each certificate of its chains lasts, never longer than a day, and not
 * at all where freshness of lists is demanded (hard). G_MAXINT64: time has no part in it. */
gint64 ml_message_until(const MlMessage *message, const MlReadOptions *options);

/* For a line of the index that names @from (as MlHeader has it) as the author: good only where that is whom the signature
 * was held against. (mail/message-mark.c) */
MlMark ml_message_mark(const MlMessage *message, const char *from);
/* One word for all that a verdict rests on beside the message and the time: crypto_standing(), the rules of this program,
 * @mode. To be taken before judging; any thread. Transfer full. */
char *ml_message_standing(CryptoRevocationMode mode);

/* The decoded content of a leaf; of message/rfc822 the inner message, to be read as its own. Transfer full. */
GBytes *ml_message_part_content(const MlMessage *message, guint part, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Of a part that is on_server: IMAP's number to fetch it by; NULL: it is here. The next two then take what was
 * fetched, encoded as it came, and do what ml_message_part_content() and ml_message_part_text() do. */
const char *ml_message_part_section(const MlMessage *message, guint part, guint64 *size); /* encoded; may be NULL */
GBytes *ml_message_left_content(const MlMessage *message, guint part, GBytes *fetched, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
char *ml_message_left_text(const MlMessage *message, guint part, GBytes *fetched, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* What was inside the encryption of the message's envelope, octet for octet: of the outermost (@outermost), else of
 * the innermost. Errors: FAILED when it is not encrypted or was not opened. Transfer full. */
GBytes *ml_message_decrypted(const MlMessage *message, gboolean outermost, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* A text leaf as UTF-8 text, HTML as text. Transfer full. */
char *ml_message_part_text(const MlMessage *message, guint part, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
