#ifndef CRYPTO_PIN_H
#define CRYPTO_PIN_H

#include <gio/gio.h>

/* How NSS gets a PIN without this folder knowing that a terminal exists.
 *
 * NSS asks from deep inside an operation, on whichever thread runs it, and waits. The question is passed to the
 * function that the job was given. It may block for as long as a person needs, and returns the PIN (transfer
 * full; wiped and freed here) or NULL to give up. A job without a source (NULL) never asks anybody.
 *
 * A refused PIN is never given again: after one refusal or cancel the source answers NULL to every further
 * question of the same job about the same token, so that one wrong entry costs one try.
 *
 * One PIN for one act: where a key wants its PIN for every use, the one that opened the token in the same job serves;
 * the next job is asked anew. A question about a card that is pulled ends: @cancellable is cancelled then.
 *
 * A key on a card that is not in its reader: the question has "absent" and asks for no PIN but for the card. The
 * function shows "insert TOKEN" and waits until its @cancellable, which is then not the job's own, is cancelled:
 * that is done as soon as the card is there, or the job is cancelled. What it returns is not looked at: to return
 * earlier is to give up. One that cannot wait returns NULL at once. */
typedef struct {
  const char *token;  /* the token's own name: untrusted text */
  gboolean database;  /* it is the certificate database's password, not a card's PIN */
  gboolean retry;     /* what was given before was wrong */
  gboolean pinpad;    /* to be typed on the reader; any non-NULL answer means "go on" */
  gboolean count_low; /* at least one wrong PIN since the last right one (CKF_USER_PIN_COUNT_LOW) */
  gboolean final_try; /* one more wrong PIN locks the token (CKF_USER_PIN_FINAL_TRY) */
  gboolean locked;    /* the token is locked: no PIN will do */
  gboolean always;    /* the token is open already: this key wants its PIN for every use (CKA_ALWAYS_AUTHENTICATE) */
  gboolean absent;    /* the token is not there, and its key is wanted: see below */
} CryptoPinQuestion;

typedef char *(*CryptoPinFunc)(const CryptoPinQuestion *question, GCancellable *cancellable, gpointer user_data);

/* One per job, on the caller's stack; passed to every NSS call of that job as its "wincx". */
typedef struct {
  CryptoPinFunc func;
  gpointer user_data;
  GCancellable *cancellable; /* never NULL */
  /* private to crypto/pin.c */
  gboolean asked, refused, cancelled;
  const void *refused_slot, *kept_slot;
  gboolean keeping; /* the login is for a key, which may ask as well */
  gboolean removed; /* the card was pulled while its PIN was asked for */
  char *kept;       /* a PIN that its token took, for the key's own question in the same job; wiped with it */
} CryptoPinSource;
void crypto_pin_source_clear(CryptoPinSource *source); /* at the end of the job; it may be used again */

void crypto_pin_wipe(char *pin); /* overwrites and frees; NULL is fine */

#endif
