#ifndef ML_LINE_PRIVATE_H
#define ML_LINE_PRIVATE_H

#include "mail/driver.h"

/* What IMAP and SMTP share: the way to a server, and the login. */

/* A connected socket, which may have been begun before (ml_driver_ahead()); -1: error. */
int ml_line_dial(const MlServer *server, GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same, from the beginning. */
int ml_line_dial_now(const MlServer *server, GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Connects, still without TLS, with the account's client certificate at hand. Transfer full. */
CryptoTls *ml_line_open(const MlAccount *account, const MlServer *server, const MlDriverHooks *hooks,
                        GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* An error of crypto/ as one of ours; takes @crypto. */
void ml_line_error(GError *crypto, GError **error);

/* ---- sasl.c: the login (RFC 4422), whatever protocol carries it */
typedef struct {
  const char *host;
  gpointer user_data; /* of the functions */
  gboolean initial;   /* the first message may go with the command */
  gboolean (*offers)(gpointer user_data, const char *mechanism);
  char *(*offered)(gpointer user_data); /* "PLAIN, LOGIN"; transfer full */
  /* Begin, or answer, with a line of base64 (NULL: none yet), which the caller wipes. TRUE: the server took it, and
   * either wants more (*go_on; its words in *challenge) or lets us in. */
  gboolean (*begin)(gpointer user_data, const char *mechanism, const char *text, gboolean *go_on, char **challenge,
                    GError **error);
  /* Sends a first message that gives no password away, without waiting: what begin gives is then wait's to give. FALSE
   * without an error: not on this line, or not any more. NULL: never. */
  gboolean (*hasten)(gpointer user_data, const char *mechanism, const char *text, GError **error);
  gboolean (*wait)(gpointer user_data, gboolean *go_on, char **challenge, GError **error);
  gboolean (*answer)(gpointer user_data, const char *text, gboolean *go_on, char **challenge, GError **error);
  /* As answer, of SCRAM's proof, behind which only an empty answer is left: it may go along, before the server has proved
   * itself, and last waits for the end alone. NULL: as any other. */
  gboolean (*prove)(gpointer user_data, const char *text, gboolean *go_on, char **challenge, GError **error);
  /* An empty answer, behind which no secret and no question is left; NULL: as any other. */
  gboolean (*last)(gpointer user_data, gboolean *go_on, char **challenge, GError **error);
  /* "*". @refused: the server has said no, and ends it by itself where it has heard the last word already. */
  gboolean (*give_up)(gpointer user_data, gboolean refused);
  /* IMAP's own LOGIN command, where the server takes it; or NULL */
  gboolean (*command)(gpointer user_data, const char *user, const char *password, GError **error);
  /* After FAILED: did the server refuse the login itself (its words in *words), for a reason that will pass? */
  gboolean (*refused)(gpointer user_data, const char **words, gboolean *passing);
  /* Has the line gone, as far as can be told without waiting? Then another password needs another one. NULL: never. */
  gboolean (*is_over)(gpointer user_data);
} MlSaslLine;

/* How often a password was refused, over all lines of one connecting. Zeroed to begin with. */
typedef struct {
  guint count;
  GError *refusal; /* of the last one; owned */
  char *given;     /* the next one, or one that came too late; owned */
  gboolean anew;   /* and another line is wanted for it */
  gboolean none;   /* nobody gave one: the line is not at fault */
} MlSaslTries;
void ml_sasl_tries_clear(MlSaslTries *tries);

/* By the best mechanism that the server offers and the account allows; the caller has seen to encryption. A wrong
 * password is asked for again, three times in all. */
gboolean ml_sasl_login(const MlSaslLine *line, const MlAccount *account, const MlServer *server,
                       const MlDriverHooks *hooks, GCancellable *cancellable, MlSaslTries *tries, char **mechanism,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* SCRAM (RFC 5802, RFC 7677), apart for its tests: message by message, with the nonce given. */
typedef struct MlScram MlScram;
MlScram *ml_scram_new(const char *user, const char *nonce);
void ml_scram_free(MlScram *scram);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlScram, ml_scram_free)
char *ml_scram_first(MlScram *scram);
void ml_scram_set_password(MlScram *scram, const char *password); /* before the next */
char *ml_scram_final(MlScram *scram, const char *server_first, GError **error);
gboolean ml_scram_verify(MlScram *scram, const char *server_final, GError **error);

#endif
