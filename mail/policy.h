#ifndef ML_POLICY_H
#define ML_POLICY_H

#include <glib.h>

#include "mail/error.h"

/* What mail that leaves must be: [policy] and [rule NAME] of signet.conf and of the system's policy.conf, as mail/config.c
 * read them, over the facts of one message. Pure values, immutable after loading; any thread. mail/seal.c asks it of
 * everything that it seals; who hands a message on as it is asks by itself. */
typedef enum {
  ML_POLICY_SIGN,       /* "free", "always" */
  ML_POLICY_ENCRYPT,    /* the same */
  ML_POLICY_CLEAR,      /* "allow", "forbid": what is not encrypted does not leave */
  ML_POLICY_REVOCATION, /* "off", "soft", "hard" */
  ML_POLICY_MIN_DIGEST, /* "sha256", "sha384", "sha512" */
  ML_POLICY_MIN_CIPHER, /* "aes-128-cbc", "aes-256-cbc", "aes-128-gcm", "aes-256-gcm" */
  ML_POLICY_MIN_RSA,    /* bits */
  ML_POLICY_MIN_EC,
  ML_POLICY_ARCHIVE_CERT, /* fingerprint that everything encrypted is readable by too */
  ML_POLICY_TRUST,        /* fingerprints of the authorities that alone are believed for mail, commas between */
  ML_POLICY_ONLINE,       /* whom the screen asks about revocation: "off", "crl", "ocsp"; locked it is what it is */
  ML_POLICY_INTERNAL_HOSTS, /* of addresses that anybody may name in a certificate, commas between */
  ML_POLICY_JOURNAL,      /* "off", "on", "required": of key uses (mail/journal.h) */
  ML_POLICY_INDEX,        /* "allow", "forbid": what encrypted mail says is not kept for the search (mail/opened.h) */
} MlPolicyKey;
enum { ML_POLICY_KEYS = ML_POLICY_INDEX + 1 };
extern const char *const ml_policy_names[ML_POLICY_KEYS + 1]; /* as in the file; NULL-terminated */

typedef struct {
  char *value;    /* NULL: not given */
  char *where;    /* "FILE:LINE" */
  gboolean locked;
  char *overruled; /* "FILE:LINE" of the user's, which would have weakened it; NULL */
} MlPolicyValue;

typedef struct {
  char *name, *where;                     /* where: "FILE:LINE" of its section */
  char **domains, **except, **subjects, **from; /* folded; NULL: any */
  char *sign, *encrypt, *clear;           /* "FILE:LINE" that demands it; NULL: does not */
} MlPolicyRule;

typedef struct {
  MlPolicyValue values[ML_POLICY_KEYS];
  GPtrArray *rules; /* of MlPolicyRule, the system's first */
  char *broken;     /* the system's file cannot be understood: a sentence; nothing may leave */
} MlPolicy;

/* One message. */
typedef struct {
  const char *from;               /* the address; NULL: it cannot be told, and every rule about authors fits */
  const char *const *recipients;  /* addresses; NULL-terminated; NULL: nobody yet */
  const char *subject;            /* decoded; NULL */
} MlPolicyFacts;

typedef struct {
  MlPolicyKey what;  /* SIGN, ENCRYPT or CLEAR */
  const char *rule;  /* its name; NULL: a key of [policy]. Borrowed, as is where, from the policy */
  const char *where; /* "FILE:LINE" */
  char *because;     /* "bob@partner.example is in the domain partner.example"; NULL: always */
} MlPolicyReason;

typedef struct {
  gboolean sign, encrypt; /* demanded */
  gboolean no_clear;      /* it may not leave unencrypted (but nobody turns encryption on) */
  GPtrArray *reasons;     /* of MlPolicyReason: every rule that applies */
} MlPolicyDecision;
MlPolicyDecision *ml_policy_decide(const MlPolicy *policy, const MlPolicyFacts *facts);
void ml_policy_decision_free(MlPolicyDecision *decision);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlPolicyDecision, ml_policy_decision_free)

/* The first reason for @what; NULL: it is free. Of ENCRYPT those that forbid clear text as well. Borrowed. */
const MlPolicyReason *ml_policy_reason(const MlPolicyDecision *decision, MlPolicyKey what);
/* "rule NAME, FILE:LINE: because", or "encrypt = always, FILE:LINE"; transfer full. */
char *ml_policy_words(const MlPolicyReason *reason);

/* May it leave, signed and encrypted as said? Errors: POLICY, a sentence that names the rule, its place and what to do;
 * CONFIG where the system's policy is broken. @policy may be NULL: yes. */
gboolean ml_policy_allows(const MlPolicy *policy, const MlPolicyFacts *facts, gboolean sign, gboolean encrypt,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The least that will do and still is @wanted or better: "sha256" becomes "sha384" where that is the minimum. Static or
 * borrowed. @explicit_: the user named it, so what is too weak is an error and not made stronger. NULL: error. */
const char *ml_policy_digest(const MlPolicy *policy, const char *wanted, gboolean explicit_, GError **error);
const char *ml_policy_cipher(const MlPolicy *policy, const char *wanted, gboolean explicit_, GError **error);
/* @key: as crypto_cert_key_name() has it, "RSA 2048"; @whose: for the sentence. */
gboolean ml_policy_key(const MlPolicy *policy, const char *key, const char *whose,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The value in force, or NULL. Borrowed. */
const char *ml_policy_value(const MlPolicy *policy, MlPolicyKey key);
const char *ml_policy_default(MlPolicyKey key); /* what holds where no file says anything; NULL: nothing. Static */

#endif
