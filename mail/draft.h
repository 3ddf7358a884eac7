#ifndef ML_DRAFT_H
#define ML_DRAFT_H

#include "mail/config.h"
#include "mail/message.h"

/* A message being written, and the MIME that it becomes. Plain values, owned by one thread at a time; all text is
 * UTF-8 with '\n' line ends. Nothing here signs, encrypts (mail/seal.h) or sends (mail/outbox.h). */
typedef enum {
  ML_HIDE_BASELINE, /* RFC 9788 3.2.1 hcp_baseline: Subject "[...]" outside, Comments and Keywords removed */
  ML_HIDE_SHY,      /* hcp_shy: display names and the time zone of Date as well */
  ML_HIDE_NONE,     /* hcp_no_confidentiality */
} MlHeaderPolicy;

typedef struct {
  GBytes *content;   /* decoded octets (a mapping for a file) */
  char *name;        /* file name offered to the recipient; NULL: none */
  char *type;        /* "application/pdf"; of text with its charset parameter */
  char *description; /* Content-Description or NULL */
  gboolean inline_;  /* Content-Disposition: inline */
} MlAttachment;
MlAttachment *
ml_attachment_new(GBytes *content, const char *name, const char *type); /* type NULL: by libmagic */
void ml_attachment_free(MlAttachment *attachment);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlAttachment, ml_attachment_free)
/* Of a file the user named; ~ is expanded. Refuses what is no regular file, with a next step. */
MlAttachment *ml_attachment_open(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
  char *name, *value; /* decoded */
} MlDraftHeader;
MlDraftHeader *ml_draft_header_new(const char *name, const char *value);
void ml_draft_header_free(MlDraftHeader *header);

typedef struct {
  char *account;       /* name of the account that sends it */
  char *from;          /* one mailbox, as typed: "Anna Keller <anna@example.org>" */
  char *to, *cc, *bcc; /* as typed; NULL or "": none */
  char *reply_to, *subject;
  char *in_reply_to, *references; /* with angle brackets; NULL: none */
  GPtrArray *more;                /* of MlDraftHeader: what else the user wrote above the text */
  char *text;                     /* the body */
  gboolean flowed;                /* format=flowed (RFC 3676) */
  GPtrArray *attachments;         /* of MlAttachment */
  gboolean sign, encrypt;         /* the two switches */
  gboolean encrypt_demanded; /* it answers an encrypted mail: turning encrypt off is a typed confirmation */
  char *secret_subject;      /* Subject that the answered mail had only inside: never outside in clear; NULL */
  gboolean secret_names;     /* so were display names */
  char *secret_people;       /* so were these addresses (folded, a blank between): never outside; NULL */
  gboolean secret_thread;    /* so were its Message-ID, References or In-Reply-To */
  gboolean opaque;           /* sign as application/pkcs7-mime instead of multipart/signed */
  char *sign_cert;           /* fingerprint; NULL: the account's choice */
  MlHeaderPolicy hide;
  gboolean legacy_display; /* RFC 9788 5.2.2: a copy of the hidden headers in the encrypted text */
  char *message_id;        /* made when first built or saved, then kept; with angle brackets */
  /* What it answers or forwards, to be flagged once it was sent; NULL: nothing */
  char *source_account, *source_folder;
  guint32 source_uid, source_uidvalidity; /* 0: not known, then it is not flagged */
  gboolean source_forwarded;
  /* Of an answer to encrypted mail that nothing binds to whom the answer goes to: text and subject have nothing in them
   * of what was decrypted; these have. Of such mail edited as new: it is told, no more. Not kept with a draft. */
  const char *doubt; /* why, a sentence; NULL: no doubt */
  char *quoted_text, *quoted_subject;
} MlDraft;

MlDraft *ml_draft_new(const MlAccount *account); /* empty; From and switches by the account */
MlDraft *ml_draft_copy(const MlDraft *draft);
void ml_draft_free(MlDraft *draft);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlDraft, ml_draft_free)

typedef enum { ML_REPLY, ML_REPLY_ALL, ML_REPLY_LIST } MlReplyKind;
/* Quotes only what lies in one protection domain (DESIGN 4): the first protected run of text, or all of a message
 * that has but one. From is the address that received it, among the account's. Inner (protected) headers are
 * answered to, and never put outside where the reply is not encrypted. What was decrypted is quoted only to who is shown
 * to have written it (doubt, above). Errors: FAILED with a next step
 * (ML_REPLY_LIST without List-Post). */
MlDraft *ml_draft_reply(const MlAccount *account, const MlMessage *message, MlReplyKind kind,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The person says yes to the doubt: with the quote after all. */
void ml_draft_take_quote(MlDraft *draft);
/* @raw: the message's octets, attached as message/rfc822 where @as_attachment. */
MlDraft *ml_draft_forward(const MlAccount *account, const MlMessage *message, GBytes *raw,
                          gboolean as_attachment, GError **error) G_GNUC_WARN_UNUSED_RESULT;
MlDraft *ml_draft_edit(const MlAccount *account, const MlMessage *message, GError **error) /* "edit as new" */
    G_GNUC_WARN_UNUSED_RESULT;
/* RFC 6068, only To, Cc, Subject, Body, In-Reply-To and Keywords; anything else (attach) is left out and named in
 * *ignored (transfer full, NULL: nothing was). */
MlDraft *ml_draft_mailto(const MlAccount *account, const char *url, char **ignored,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Resent-* in front of the octets as they are (RFC 5322 3.6.6). Transfer full. */
GBytes *ml_draft_bounce(const MlAccount *account, GBytes *raw, const char *to, gint64 now,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* For the editor: header lines, an empty line, the text; and back. What the user wrote in an address field is kept
 * even if it does not parse: ml_draft_check() says so later. Errors name the line. */
char *ml_draft_to_text(const MlDraft *draft);
gboolean ml_draft_from_text(MlDraft *draft, const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One recipient as typed. */
typedef struct {
  char *address; /* ASCII letters of the domain folded */
  char *display; /* "Anna Keller <anna@example.org>" */
  enum { ML_TO, ML_CC, ML_BCC } field;
} MlMailbox;
void ml_mailbox_free(MlMailbox *mailbox);
/* Array of MlMailbox, groups flattened, doubles dropped. Errors name the field and what is wrong there. */
GPtrArray *ml_draft_mailboxes(const MlDraft *draft, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* May it be sent: From parses, there is a recipient, no CR, LF or NUL in a header, limits. */
gboolean ml_draft_check(const MlDraft *draft, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* "You wrote "attached", but nothing is": the word that says so outside quotes and signature, or NULL. */
const char *ml_draft_missing_attachment(const MlDraft *draft);

/* The MIME entity with the headers of a message, CRLF, 7-bit safe, never a Bcc. @date: Unix seconds; @boundary_seed:
 * 0 for random, else boundaries and Message-ID follow from it (tests). In parts, because header protection needs
 * them apart; ml_draft_join(fields, entity) is the message of one that is neither signed nor encrypted. */
typedef struct {
  gint64 date;
  guint64 boundary_seed;
} MlBuildOptions;
typedef struct {
  GPtrArray *fields; /* of MlDraftHeader: From, To, Cc, Subject, Date, Message-ID, ... in order, no MIME ones; the
                      * values encoded and folded by CRLF and a blank, without their final CRLF */
  GBytes *entity;    /* "MIME-Version: 1.0", Content-*, an empty line, the body; a mapping for large ones */
  gboolean utf8;     /* an address makes the header UTF-8 (RFC 6532): it needs SMTPUTF8 */
  guint64 seed;      /* that the boundaries were made from */
} MlBuilt;
MlBuilt *
ml_draft_build(MlDraft *draft, const MlBuildOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The octets of a message: the fields, each ended by CRLF, then @entity as it is (its header goes on there).
 * NULL: out of memory. */
GBytes *ml_draft_join(GPtrArray *fields, GBytes *entity);
/* The Bcc field as MlBuilt's are, for the copy that the sender keeps; NULL: there is none. Its place is inside the
 * encryption: ml_draft_payload() never lets it out. */
MlDraftHeader *ml_draft_bcc(const MlDraft *draft);
void ml_built_free(MlBuilt *built);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlBuilt, ml_built_free)

/* RFC 9788: the cryptographic payload (fields copied in, hp="clear" or "cipher", HP-Outer, legacy display), and the
 * fields that go outside (array of MlDraftHeader, values as in MlBuilt; transfer full): the message is
 * ml_draft_join(outer, what is signed or encrypted with its own "MIME-Version: 1.0" and Content-* header).
 * @encrypted: it will be. */
GBytes *ml_draft_payload(const MlDraft *draft, const MlBuilt *built, gboolean encrypted, GPtrArray **outer,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
