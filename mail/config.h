#ifndef ML_CONFIG_H
#define ML_CONFIG_H

#include <glib.h>

#include "crypto/chain.h"
#include "mail/policy.h"

/* signet.conf (signet.conf(5)): INI, sections [account NAME], [directory NAME], [ui], [keys], [searches], [policy], [rule NAME]. An
 * unknown section or key is an error that names the line and the nearest match; a password in the file is refused with the sentence
 * that says where it belongs. Plain values, immutable after loading; any thread may read. */
typedef enum { ML_ACCOUNT_IMAP, ML_ACCOUNT_MAILDIR, ML_ACCOUNT_MBOX } MlAccountKind;
typedef enum { ML_TLS_IMPLICIT, ML_TLS_STARTTLS } MlTlsMode; /* imaps:// and imap://: there is no third */

typedef struct {
  char *host, *user;
  guint16 port;
  MlTlsMode tls;
} MlServer;

typedef struct {
  char *name;           /* of the section */
  char *address;        /* of the person; NULL if not given */
  char *display_name;   /* `name =` */
  char **also;          /* further addresses; never NULL */
  MlAccountKind kind;
  MlServer imap;        /* kind IMAP */
  char *path;           /* maildir = or mbox =, ~ and relative (to the file) made absolute */
  MlServer smtp;        /* host NULL: none */
  char *sendmail;       /* command line, or NULL */
  char *password_command; /* or NULL */
  char *auth;           /* mechanism demanded: "plain", "login", "scram-sha-256", "external"; NULL: the best */
  char *tls_cert;       /* client certificate: fingerprint or "auto"; NULL: none */
  char *compress;       /* of IMAP: "auto", "always", "never"; NULL: auto */
  char *sign, *encrypt, *sign_cert, *encrypt_cert;
  char *archive_cert;   /* an organisation's, that encrypted mail is readable by too: fingerprint; NULL: none */
  char *policy_archive; /* the one that [policy] demands besides; NULL: none */
  char *sent, *drafts, *trash, *archive; /* folder names; NULL: by special use */
  char *keep;           /* whose text is fetched unasked: "read" (nobody's), "recent", "starred", "all" */
  guint keep_days;      /* of "recent" */
  gboolean index_encrypted; /* what was decrypted is kept for the search, sealed (mail/opened.h); policy may forbid it */
  guint undo_send;      /* seconds */
  char *hide_headers;   /* RFC 9788: "baseline", "shy", "none" */
  gboolean legacy_display; /* a copy of hidden headers in the encrypted text */
  char *signature;      /* file, absolute; NULL: none */
  gboolean flowed;      /* text leaves as format=flowed: yes */
} MlAccount;

/* An LDAP server that is asked for certificates and addresses (mail/directory.h). */
typedef struct {
  char *name;
  MlServer server;  /* ldaps://, or ldap://, which means StartTLS; no user */
  char *tls;        /* "required", "none": then ldap:// stays in clear */
  char *base;       /* DN below which is searched; never NULL */
  char *filter;     /* RFC 4515, with %s for the address */
  char *bind;       /* DN to log in as; NULL: nobody */
  char *password_command;
  char **domains;   /* whose addresses it is asked about: "example.org", ".example.org" with those below it, "*"; folded */
  char *ask;        /* "auto": when a message is composed; "key": when the person says so */
  gboolean complete; /* addresses are completed from it: yes */
  guint timeout;    /* seconds for the whole of a question */
} MlDirectory;

/* A search that has a name; mail/saved.h runs it. */
typedef struct {
  char *name, *text;
} MlSaved;

typedef struct {
  char *file;           /* that was read; it need not exist */
  GPtrArray *accounts;  /* of MlAccount, in file order */
  GPtrArray *directories; /* of MlDirectory, in file order */
  GPtrArray *searches;  /* of MlSaved, in file order */
  /* [ui] */
  gboolean ascii, hints;
  char *pager_headers;  /* more headers to show, comma separated; NULL: none */
  char *keymap;         /* "mutt" */
  char *sort;           /* of the message list: "date", "reverse-threads"; NULL: as they arrived */
  char *address_book;   /* file, absolute; NULL: none */
  char *browser, *print_command; /* NULL: $BROWSER, lpr */
  char *editor;         /* NULL: $VISUAL, $EDITOR */
  char *editor_window;  /* "tmux", "tmux-split", or a command that is given the editor's; NULL: this terminal */
  guint mark_seen_after; /* seconds; 0: at once */
  /* [keys] */
  char *nssdb;          /* absolute; NULL: the default */
  gboolean system_tokens; /* load p11-kit's modules: yes */
  guint pin_timeout;    /* seconds; 0: until ^F, removal or the end */
  /* [policy] */
  char *revocation;     /* "off", "soft", "hard" */
  char *online;         /* whom the screen asks about it: "off", "crl", "ocsp" */
  char *internal_hosts; /* of addresses that anybody may name; commas between; NULL: none */
  MlPolicy *policy;     /* the system's and the user's; never NULL */
} MlConfig;

/* A file that is not there gives a configuration without accounts. The system's policy.conf is read besides, whatever
 * @file is; one that cannot be understood is no error here (policy->broken): mail can be read, but none leaves. */
MlConfig *ml_config_load(const char *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same with another system's file; NULL: none. */
MlConfig *
ml_config_load_with(const char *file, const char *system, GError **error) G_GNUC_WARN_UNUSED_RESULT;
const char *ml_config_system_policy(void); /* "/etc/signet/policy.conf", as it was built */
void ml_config_free(MlConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlConfig, ml_config_free)

CryptoRevocationMode ml_config_revocation(const MlConfig *config);
MlAccount *ml_config_account(const MlConfig *config, const char *name); /* borrowed; NULL name: the first; NULL: none */
/* Is it the account's own (address or also)? As the account spells it; NULL: not its own. Borrowed. */
const char *ml_account_address(const MlAccount *account, const char *address);

#endif
