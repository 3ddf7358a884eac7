#ifndef ML_MESSAGE_PRIVATE_H
#define ML_MESSAGE_PRIVATE_H

/* For mail/ alone: how ml_message_read() goes about it, one file a step, each reading what the ones before it
 * left here. layers.c opens the cryptographic envelope, protect.c finds whose header counts, verdict.c judges,
 * layout.c puts the text and the parts in order. */
#include "mail/address-private.h"
#include "mail/message.h"
#include "mail/mime-private.h"

enum {
  ML_LAYERS = 10,              /* cryptographic layers around the payload */
  ML_ERRANT = 10,              /* cryptographic parts elsewhere that are looked into */
  ML_CMS_SIZE = 192 * 1024 * 1024,
};

typedef enum { ML_LAYER_SIGNED, ML_LAYER_ENCRYPTED, ML_LAYER_COMPRESSED } MlLayerKind;

typedef struct {
  MlLayerKind kind;
  MlEntity *entity;         /* borrowed */
  GPtrArray *signers;       /* SIGNED: of CryptoSigner; NULL: the signature cannot be read (error says why) */
  CryptoEnvelope *envelope; /* ENCRYPTED; may be NULL when it cannot be read */
  GError *error;            /* why it was not verified or opened */
} MlLayer;
void ml_layer_free(MlLayer *layer);

/* What protects the content of an entity. */
typedef struct {
  gboolean is_signed, encrypted;
  gboolean inactive; /* opened from somebody's ciphertext: its links could carry it away */
} MlShield;

struct MlMessage {
  MlEntity *root;
  GPtrArray *layers;     /* of MlLayer, outermost first: the envelope (RFC 9787 4.4.1), compression too */
  MlEntity *payload;     /* what the envelope holds; NULL: it could not be opened */
  int message_signature; /* index into layers of the signature that counts; -1: none */
  const char *outer_broken; /* what is wrong with a signature layer around that one; NULL: nothing */
  gboolean signature_intact; /* the one that counts, and what is around it: the text is as it was signed */
  gboolean errant_signature, errant_encryption; /* found outside the envelope */
  gboolean cbc_only;     /* decrypted, changeable by anybody, and not signed */
  MlEntity *protected_by; /* whose fields are the message's: the root's when there is no header protection */
  gboolean header_protection; /* protected_by's fields came from inside the envelope */
  gboolean hp_stated, hp_cipher, legacy_display; /* hp= was there; it meant confidential fields; ... a copy of them */
  GPtrArray *certs;      /* of CryptoCert: all that came with it */
  GPtrArray *asked;      /* of CryptoAsked; never NULL once signers were checked */
  GPtrArray *fetched;    /* of CryptoCert: issuers that the message left out; NULL: none */
  GHashTable *locked;    /* set of entities: encrypted parts that wait for a key press */
  GHashTable *opened;    /* set of entities: such parts that were opened since one was pressed */
  GPtrArray *notes;      /* of MlNote: words about parts, found on the way */
  MlVerdict *verdict;
  GPtrArray *headers, *blocks, *parts;
  GPtrArray *entities;   /* borrowed MlEntity for each of parts */
  GPtrArray *left;       /* of MlLeft; NULL: all is here */
  GString *text;
  char **outer_differs, **from_addresses;
  GHashTable *outer;     /* of ml_protect_outer(), by name in lower case; NULL: the header is not protected */
};

/* layers.c */
typedef enum { ML_CRYPTO_NONE, ML_CRYPTO_DETACHED, ML_CRYPTO_CMS } MlCryptoKind;
MlCryptoKind ml_layers_kind(const MlEntity *entity, gboolean at_root);
gboolean ml_layers_is_signature_part(const MlEntity *entity);
gboolean ml_layers_open(MlMessage *message, const MlReadOptions *options, GCancellable *cancellable, GError **error);
MlLayer *ml_layers_of(const MlMessage *message, const MlEntity *entity); /* NULL: not one of the envelope's */
void ml_message_note(MlMessage *message, MlEntity *entity, const char *words); /* takes a copy */
const char *ml_message_note_of(const MlMessage *message, const MlEntity *entity);

/* protect.c: header protection (RFC 9788), the header lines, who it is from. */
typedef struct {
  GPtrArray *mailboxes; /* of MlAddress, of every From field there is */
  guint fields;
  gboolean group, broken;
} MlAuthors;
void ml_protect_read(MlMessage *message, gboolean signature_intact);
void ml_protect_lines(MlMessage *message);
typedef struct {
  char *raw, *text; /* text: decoded */
} MlOuter;
/* The values of that field (of MlOuter) that the sender put outside, as the sender recorded inside (RFC 9788 4.2.1);
 * where nothing was recorded and hp= says nothing either, as they are there. Borrowed; NULL: none, or no protection. */
GPtrArray *ml_protect_outer(const MlMessage *message, const char *name);
/* Is this value of it one of them, in clear by intent (RFC 9788 4.3.1)? @value: undecoded. */
gboolean ml_protect_shown(const MlMessage *message, const char *name, const char *value);
MlAuthors *ml_protect_authors(const MlEntity *entity);
void ml_authors_free(MlAuthors *authors);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlAuthors, ml_authors_free)

/* message.c: how the same message is judged at options->at, nothing opened again and nobody asked: without signers and
 * envelope. */
MlVerdict *ml_message_judge_at(MlMessage *message, const MlReadOptions *options);

/* verdict.c: pure. What was found, in plain values, so that every rule can be tested without a certificate. */
typedef struct {
  CryptoSignatureState state;
  const char *reason;
  gboolean weak_digest, has_cert, has_time;
  gint64 signing_time, not_before, not_after;
  const char *const *addresses; /* of the certificate; never NULL */
  const char *subject, *digest; /* for words */
  guint problems;               /* CryptoTrustProblem, now */
  const char *sentence;         /* of the chain, or NULL */
  gboolean received_inside;     /* the chain is good at the time of receipt */
} MlSignerFacts;

typedef struct {
  gint64 at;
  gboolean signed_layer;        /* the message has a signature that counts */
  const GError *broken;         /* that signature cannot be read: why */
  const char *outer_broken;     /* a signature around that one does not verify: why; NULL: none such */
  gboolean errant_signature, ciphertext_signature; /* one elsewhere; one around the ciphertext alone */
  const MlSignerFacts *signers;
  guint n_signers;
  const MlAuthors *authors;     /* of the header that counts */
  const MlAuthors *outer;       /* of the unprotected one where it differs; NULL: it does not */
  gboolean encrypted, errant_encryption;
  const GError *decrypt_error;
  const char *cipher;           /* "aes-256-cbc" */
  gboolean authenticated, legacy;
  gint64 date;                  /* of the Date field; 0: none */
} MlFacts;

/* @words: for each signer an array of char * (transfer full) to fill with its trust words. */
MlVerdict *ml_verdict_judge(const MlFacts *facts, GPtrArray **words);
/* expected.c: what the sender did before, held against what this message does. Pure. */
void ml_verdict_expect(MlVerdict *verdict, const char *address, const char *issuer, const MlHistory *history);

/* layout.c */
void ml_layout(MlMessage *message, const MlReadOptions *options);
/* layout-text.c: one text leaf as lines. *cut: there is more. */
char *ml_layout_text(const MlEntity *entity, gboolean legacy_display, GPtrArray *links, gsize limit, gboolean *cut);
void ml_link_free(MlLink *link);

#endif
