#ifndef UI_CMD_CERT_PRIVATE_H
#define UI_CMD_CERT_PRIVATE_H

#include "crypto/certdb.h"
#include "ui/cli.h"
#include "ui/json.h"

/* What the files of `signet cert` share. */
int ui_cmd_cert_list(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_show(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_import(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_export(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_trust(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_distrust(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_delete(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_expiry(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_harvest(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_request(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_find_in_directories(UiCli *cli, int argc, char **argv); /* `find` */

int ui_cmd_cert_use(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_accept(UiCli *cli, int argc, char **argv);
int ui_cmd_cert_forget(UiCli *cli, int argc, char **argv);

/* Prints @error and gives the exit code for it. */
int ui_cmd_cert_fail(UiCli *cli, const GError *error);

/* The one certificate that @what names: a file that holds one, a fingerprint or an address. Transfer full; NULL:
 * the error is printed and *code set. *from_file tells that it need not be in the database. */
CryptoCertEntry *ui_cmd_cert_find(UiCli *cli, const char *what, gboolean *from_file, int *code);

char *ui_cmd_cert_fingerprint(CryptoCert *cert); /* "AB:CD:..." */
gboolean ui_cmd_cert_is_full_fingerprint(const char *what);
char *ui_cmd_cert_plain_fingerprint(const char *what); /* 8 to 64 digits as crypto_cert_sha256() has them; NULL: is none */

/* A line for a person, and the same as fields of an object. */
void ui_cmd_cert_line(const CryptoCertEntry *entry, const char *word);
void ui_cmd_cert_line_with(const CryptoCertEntry *entry, const char *word, const char *behind); /* both may be NULL */
void ui_cmd_cert_fields(JsonBuilder *json, const CryptoCertEntry *entry);

#endif
