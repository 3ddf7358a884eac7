#include "ui/demo-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <utime.h>

#include "crypto/certdb.h"
#include "crypto/context.h"

static const char configuration[] =
    "# Written by `signet demo`. Everything here is thrown away when the demonstration ends.\n"
    "[account demo]\n"
    "address = " UI_DEMO_YOU "\n"
    "name = You\n"
    "maildir = Mail\n"
    "\n"
    "[keys]\n"
    "system-tokens = no\n"
    "\n"
    "[policy]\n"
    "revocation = soft\n";

/* One certificate of the cast. */
typedef struct {
  const char *name, *address, *curve;
  CryptoCert **issuer, **out; /* issuer NULL: self-signed */
  int from_days, to_days;     /* validity around now */
  guint bits;
  gboolean authority;
} Part;

static void
issue(UiDemo *demo, const Part *part)
{
  const char *addresses[] = { part->address, NULL };
  const CryptoIssue what = {
    .common_name = part->name,
    .organisation = "Signet Demonstration",
    .addresses = part->address ? addresses : NULL,
    .issuer = part->issuer ? *part->issuer : NULL,
    .not_before = demo->now + (gint64)part->from_days * UI_DEMO_DAY,
    .not_after = demo->now + (gint64)part->to_days * UI_DEMO_DAY,
    .authority = part->authority,
    .sign = TRUE,
    .encrypt = !part->authority,
    .curve = part->curve,
    .bits = part->bits,
  };
  if (!demo->error)
    *part->out = crypto_issue(&what, NULL, &demo->error);
}

static void
issue_all(UiDemo *demo)
{
  const Part cast[] = {
    { "Demo Root", NULL, NULL, NULL, &demo->root, -900, 3000, 0, TRUE },
    { "Demo Mail Authority", NULL, NULL, &demo->root, &demo->mail_ca, -900, 2000, 0, TRUE },
    { "Nobody Knows This Authority", NULL, NULL, NULL, &demo->stranger_ca, -30, 2000, 0, TRUE },
    { "You", UI_DEMO_YOU, NULL, &demo->mail_ca, &demo->you, -700, 700, 0, FALSE },
    { "You (elliptic curve)", UI_DEMO_YOU, "P-256", &demo->mail_ca, &demo->you_ec, -10, 700, 0, FALSE },
    { "Anna Keller", "anna@demo.example", NULL, &demo->mail_ca, &demo->anna, -300, 400, 0, FALSE },
    { "Carol Mwangi", "carol@demo.example", "P-256", &demo->mail_ca, &demo->carol, -300, 400, 0, FALSE },
    { "Accounts Payable", "accounts@demo.example", NULL, &demo->mail_ca, &demo->accounts, -300, 400, 0, FALSE },
    { "Mallory", "mallory@elsewhere.example", NULL, &demo->mail_ca, &demo->mallory, -300, 400, 0, FALSE },
    { "Erin Stolen-Laptop", "erin@demo.example", NULL, &demo->mail_ca, &demo->erin, -300, 400, 0, FALSE },
    { "Oskar Retired", "oskar@demo.example", NULL, &demo->mail_ca, &demo->oskar, -700, -20, 0, FALSE },
    { "Wendy Weak", "wendy@demo.example", NULL, &demo->mail_ca, &demo->wendy, -300, 400, 1024, FALSE },
    { "A Stranger", "stranger@far.example", NULL, &demo->stranger_ca, &demo->stranger, -20, 400, 0, FALSE },
    { "Hermit", "hermit@cave.example", NULL, NULL, &demo->hermit, -20, 400, 0, FALSE },
    { "Dave", "dave@demo.example", NULL, &demo->mail_ca, &demo->dave, -300, 400, 0, FALSE },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cast); i++)
    issue(demo, &cast[i]);
}

static gboolean
write_whole(const char *path, const char *text, gsize length, GError **error)
{
  return g_file_set_contents_full(path, text, (gssize)length, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

static char *
header_date(gint64 when)
{
  static const char *const days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
  static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
  g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(when);

  return g_strdup_printf("%s, %02d %s %d %02d:%02d:%02d +0000", days[g_date_time_get_day_of_week(t) - 1],
                         g_date_time_get_day_of_month(t), months[g_date_time_get_month(t) - 1], g_date_time_get_year(t),
                         g_date_time_get_hour(t), g_date_time_get_minute(t), g_date_time_get_second(t));
}

void
ui_demo_deliver(UiDemo *demo, const UiDemoMail *mail, char *entity)
{
  g_autofree char *owned = entity;

  if (demo->error || !entity)
    return;
  gint64 when = demo->now - (gint64)mail->hours * 3600;
  guint number = ++demo->delivered;
  gboolean fresh = !*mail->flags;
  g_autofree char *date = header_date(when);
  g_autofree char *id = mail->id ? g_strdup(mail->id) : g_strdup_printf("demo-%u", number);
  g_autofree char *text =
      g_strdup_printf("Return-Path: <bounce@demo.example>\r\nFrom: %s\r\nTo: You <" UI_DEMO_YOU ">\r\n"
                      "Subject: %s\r\nDate: %s\r\n"
                      "Message-ID: <%s@demo.example>\r\n%sMIME-Version: 1.0\r\n%s",
                      mail->from, mail->subject, date, id, mail->headers, entity);
  g_autofree char *name = g_strdup_printf("%" G_GINT64_FORMAT ".M%uP1.demo%s%s", when, number, fresh ? "" : ":2,",
                                          mail->flags);
  g_autofree char *path = g_build_filename(demo->maildir, fresh ? "new" : "cur", name, NULL);
  const struct utimbuf times = { .actime = (time_t)when, .modtime = (time_t)when };

  if (write_whole(path, text, strlen(text), &demo->error) && g_utime(path, (struct utimbuf *)&times) != 0)
    g_set_error(&demo->error, G_FILE_ERROR, (int)g_file_error_from_errno(errno), "%s: %s", path, g_strerror(errno));
}

static void
make_folders(UiDemo *demo)
{
  static const char *const folders[] = { "cur", "new", "tmp", ".Archive/cur", ".Archive/new", ".Archive/tmp",
                                         ".Sent/cur", ".Sent/new", ".Sent/tmp" };

  for (guint i = 0; i < G_N_ELEMENTS(folders) && !demo->error; i++) {
    g_autofree char *path = g_build_filename(demo->maildir, folders[i], NULL);
    if (g_mkdir_with_parents(path, 0700) != 0)
      g_set_error(&demo->error, G_FILE_ERROR, (int)g_file_error_from_errno(errno), "%s cannot be made: %s", path,
                  g_strerror(errno));
  }
}

/* What the reader of the demonstration has: own keys, the root trusted for mail, the authority between, a CRL. */
typedef struct {
  GBytes *you, *you_ec, *crl, *root, *mail_ca;
} Belongings;

static void
gather(UiDemo *demo, Belongings *out)
{
  const char *revoked[] = { NULL, NULL };

  if (!demo->error)
    out->you = crypto_certdb_export_pkcs12(demo->you, "demo", NULL, &demo->error);
  if (!demo->error)
    out->you_ec = crypto_certdb_export_pkcs12(demo->you_ec, "demo", NULL, &demo->error);
  if (demo->error)
    return;
  revoked[0] = crypto_cert_serial(demo->erin);
  out->crl = crypto_issue_crl(demo->mail_ca, revoked, demo->now - UI_DEMO_DAY, 3650, NULL, &demo->error);
  out->root = g_bytes_ref(crypto_cert_der(demo->root));
  out->mail_ca = g_bytes_ref(crypto_cert_der(demo->mail_ca));
}

static void
forget_cast(UiDemo *demo)
{
  CryptoCert **cast[] = { &demo->root,     &demo->mail_ca, &demo->stranger_ca, &demo->you,   &demo->you_ec,
                          &demo->anna,     &demo->carol,   &demo->accounts,    &demo->mallory, &demo->erin,
                          &demo->oskar,    &demo->wendy,   &demo->stranger,    &demo->hermit, &demo->dave };

  for (guint i = 0; i < G_N_ELEMENTS(cast); i++)
    g_clear_pointer(cast[i], crypto_cert_unref);
}

static gboolean
import_pkcs12(GBytes *file, GError **error)
{
  g_autoptr(GPtrArray) certs = crypto_certdb_import_pkcs12(file, "demo", NULL, error);

  return certs != NULL;
}

static gboolean
import_cert(GBytes *der, gboolean trusted, GError **error)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(der, &length);
  g_autoptr(CryptoCert) cert = crypto_cert_new(data, length, error);
  gboolean was_there;

  if (!cert)
    return FALSE;
  return trusted ? crypto_certdb_set_trust(cert, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, error)
                 : crypto_certdb_import(cert, crypto_cert_common_name(cert), &was_there, NULL, error);
}

static gboolean
import_all(const Belongings *things, const char *nssdb, GError **error)
{
  const CryptoOptions options = { .nssdb = nssdb, .create = TRUE };

  if (!crypto_open(&options, error))
    return FALSE;
  gboolean ok = import_pkcs12(things->you, error) && import_pkcs12(things->you_ec, error) &&
                import_cert(things->root, TRUE, error) && import_cert(things->mail_ca, FALSE, error) &&
                crypto_certdb_import_crl(things->crl, NULL, error);
  return crypto_close(ok ? error : NULL) && ok;
}

static void
remove_tree(const char *path)
{
  GDir *dir = g_dir_open(path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *inner = g_build_filename(path, name, NULL);
    g_unlink(inner);
  }
  if (dir)
    g_dir_close(dir);
  g_rmdir(path);
}

/* The makers' keys live in a database of their own that is gone before the reader's is made, so that the reader has
 * nobody's keys but the reader's. */
gboolean
ui_demo_make(const char *profile, GError **error)
{
  g_autofree char *makers = g_build_filename(profile, "makers", NULL);
  g_autofree char *nssdb = g_build_filename(profile, "nssdb", NULL);
  g_autofree char *config = g_build_filename(profile, "signet.conf", NULL);
  UiDemo demo = { .now = g_get_real_time() / G_USEC_PER_SEC, .maildir = g_build_filename(profile, "Mail", NULL) };
  const CryptoOptions options = { .nssdb = makers, .create = TRUE };
  Belongings things = { NULL };

  make_folders(&demo);
  if (!demo.error && crypto_open(&options, &demo.error)) {
    issue_all(&demo);
    if (!demo.error)
      ui_demo_write_mail(&demo);
    gather(&demo, &things);
    forget_cast(&demo);
    crypto_close(demo.error ? NULL : &demo.error);
  }
  remove_tree(makers);
  gboolean ok = !demo.error && import_all(&things, nssdb, &demo.error) &&
                write_whole(config, configuration, strlen(configuration), &demo.error);
  GBytes *all[] = { things.you, things.you_ec, things.crl, things.root, things.mail_ca };
  for (guint i = 0; i < G_N_ELEMENTS(all); i++)
    g_bytes_unref(all[i]);
  g_free(demo.maildir);
  if (demo.error)
    g_propagate_error(error, demo.error);
  return ok;
}
