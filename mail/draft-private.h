#ifndef ML_DRAFT_PRIVATE_H
#define ML_DRAFT_PRIVATE_H

#include "mail/address-private.h"
#include "mail/draft.h"
#include "mail/spill.h"

/* For mail/ alone: how a draft becomes MIME, one file a step. */
enum {
  ML_DRAFT_RECIPIENTS = ML_ADDRESS_LIMIT,
  ML_DRAFT_FIELD = 1024 * 1024, /* octets of an address field */
  ML_DRAFT_LINE = 16 * 1024,    /* of any other */
  ML_DRAFT_MORE = 200,          /* header fields beyond those with a name here */
  ML_DRAFT_TEXT = 16 * 1024 * 1024,
  ML_DRAFT_ATTACHMENTS = 1000,
  ML_DRAFT_CONTENT =
      140 * 1024 * 1024, /* of all attachments: our own reader takes 192 MiB once it is encoded */
};

/* draft.c. The mailboxes of one field as typed, each deliverable: domain as lower-case A-labels. @field: for words. */
GPtrArray *ml_draft_parse(const char *field, const char *typed, GError **error); /* of MlAddress */
gboolean ml_draft_field_name_ok(const char *name);
/* Is this one of the fields that signet writes itself, or that nobody may give? */
gboolean ml_draft_field_reserved(const char *name);
char *
ml_draft_one_line(const char *text); /* what is no character of a line becomes a blank; NULL stays NULL */
GPtrArray *ml_draft_headers_new(void);
GPtrArray *ml_draft_attachments_new(void);

/* How it goes into an envelope and a header: the local part as it is, the domain as lower-case A-labels. NULL: no
 * address. */
char *ml_draft_deliverable(const char *address);

/* draft-protect.c. Without those whom the answered mail named only inside (RFC 9788 6.1). */
void ml_draft_drop_secret(const MlDraft *draft, GPtrArray *people); /* of MlAddress */

/* draft-build.c. @legacy: lines in front of the text (RFC 9788 5.2.2); NULL: none. */
GBytes *ml_draft_entity(const MlDraft *draft, guint64 seed, const char *legacy, GError **error);

/* As it stands in the header, decoded: without what must not go out in clear. Transfer full. */
char *ml_draft_subject(const MlDraft *draft);

void ml_draft_make_id(MlDraft *draft); /* its Message-ID, if it has none yet */

/* draft-body.c: how text and octets pass a transport of 7 bits. */
char *ml_draft_flow(const char *text); /* format=flowed (RFC 3676) */
/* Writes "Content-Transfer-Encoding", the empty line, and the encoded body. */
void ml_draft_body_text(MlSpill *spill, const char *text, gboolean keep_blanks); /* LF lines of UTF-8 */
void ml_draft_body_octets(MlSpill *spill, GBytes *content);
/* A message to be attached: its octets with CRLF where it may be message/rfc822 (RFC 2046 5.2.1: 7-bit lines, not
 * encoded), else NULL. */
GBytes *ml_draft_body_message(GBytes *raw);

/* draft-source.c: a message that is answered or forwarded. Whatever of it goes into a draft is taken here. */
/* Its raw value (unfolded, not decoded: addresses are cut out before encoded words are), from where it counts. */
char *ml_draft_source_raw(const MlMessage *message, const char *name, guint index);
char *ml_draft_source_text(const MlMessage *message, const char *name); /* one line, decoded; NULL: none */
/* The addresses of every such field that can be written to, of MlAddress; *over: there were too many. */
GPtrArray *ml_draft_source_people(const MlMessage *message, const char *name, gboolean *over);
char *
ml_draft_source_ids(const MlMessage *message, const char *name, guint most); /* Message-IDs; NULL: none */
/* The text of one protection domain (DESIGN 4): the first run that the message's own envelope protects, else the
 * first run. Never what was inside an encrypted part that is not the root's envelope. */
char *ml_draft_source_quote(const MlMessage *message);
void
ml_draft_source_attach(const MlMessage *message, MlDraft *draft); /* its attachments, of the same domain */
/* The switches and secrets that an answer takes over from an encrypted message. */
void ml_draft_source_protect(const MlMessage *message, MlDraft *draft);
char *ml_draft_source_base(const char *subject); /* without "Re:" and its kin */

/* draft-doubt.c. Why what was decrypted should not be quoted to @to (of MlAddress); NULL: no doubt. */
const char *ml_draft_doubt(const MlMessage *message, MlReplyKind kind, GPtrArray *to);
char *ml_draft_outer_subject(const MlMessage *message); /* NULL: none */

/* draft-reply.c */
void ml_draft_choose_from(MlDraft *draft, const MlAccount *account, const MlMessage *message);
char *ml_draft_join_people(GPtrArray *people); /* "Anna <a@b>, c@d", as a person would type it */

/* draft-signature.c */
char *ml_draft_signature(const MlAccount *account); /* "-- \n" and the file's text; "": none */

#endif
