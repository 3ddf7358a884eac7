#include "ui/cert-mail.h"

#include <string.h>

#include "mail/rekey.h"

typedef struct {
  GPtrArray *headers; /* of MlHeader, as far as they are wanted */
  guint hint;
} Wanted;

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer data)
{
  Wanted *wanted = data;
  (void)done;
  (void)total;
  for (guint i = 0; i < headers->len; i++)
    if (((MlHeader *)headers->pdata[i])->hints & wanted->hint)
      g_ptr_array_add(wanted->headers, g_steal_pointer(&headers->pdata[i]));
  g_ptr_array_unref(headers);
  return TRUE;
}

gboolean
ui_cert_mail_each(MlDriver *driver, const char *folder, guint hint, UiCertMailFunc look, gpointer data,
                  GError **error)
{
  Wanted wanted = { .hint = hint };
  MlSelected selected;
  wanted.headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  gboolean good = ml_driver_select(driver, folder, &selected, error) &&
                  ml_driver_headers(driver, 0, 1000, on_headers, &wanted, error);
  for (guint i = 0; good && i < wanted.headers->len; i++) {
    const MlHeader *header = wanted.headers->pdata[i];
    gint64 received = header->received;
    g_autoptr(GBytes) raw = ml_driver_fetch(driver, header->uid, &received, NULL, NULL, error);
    good = raw && look(header, raw, received, data);
  }
  g_ptr_array_unref(wanted.headers);
  return good;
}

MlMessage *
ui_cert_mail_read(GBytes *raw, gint64 received, CryptoRevocationMode revocation, MlPeople *people)
{
  const MlReadOptions options = { .at = g_get_real_time() / G_USEC_PER_SEC,
                                  .received = received,
                                  .revocation = revocation,
                                  .people = people };
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  return ml_message_read(raw, &options, cancellable, NULL);
}

/* --- how much would become unreadable */

typedef struct {
  CryptoCert *cert;
  GCancellable *cancellable;
  guint lost, looked_at, parts; /* parts: only something in them is encrypted, to whom was not looked at */
} Count;

/* As the report of signet rekey does: what only this key reads. */
static gboolean
count_one(const MlRekeyItem *item, const MlRekeyLook *look, guint done, guint total, gpointer data)
{
  Count *count = data;
  const CryptoEnvelope *envelope = look->envelope;
  (void)item;
  (void)done;
  (void)total;
  if (g_cancellable_is_cancelled(count->cancellable))
    return FALSE;
  count->looked_at += envelope != NULL;
  count->parts += look->form == ML_REKEY_PART;
  if (envelope && envelope->keys->len == 1 &&
      strcmp(crypto_cert_sha256(envelope->keys->pdata[0]), crypto_cert_sha256(count->cert)) == 0)
    count->lost++;
  return TRUE;
}

static gboolean
count_account(const MlAccount *account, const char *state_dir, Count *count)
{
  const MlDriverHooks hooks = { .state_dir = state_dir };
  g_autoptr(GError) error = NULL;
  g_autoptr(MlDriver) driver = ml_driver_new(account, &hooks);
  g_autoptr(GPtrArray) folders = ml_driver_folders(driver, FALSE, &error);
  gboolean all = folders != NULL;
  for (guint i = 0; folders && i < folders->len && !g_cancellable_is_cancelled(count->cancellable); i++) {
    const MlFolder *folder = folders->pdata[i];
    g_autoptr(GError) problem = NULL;
    MlSelected selected;
    if (folder->selectable)
      all = ml_rekey_walk(driver, folder->name, &selected, NULL, count_one, count, &problem) && all;
  }
  return all;
}

char *
ui_cert_mail_count_lost(const MlConfig *config, const char *state_dir, CryptoCert *cert, GCancellable *cancellable)
{
  Count count = { .cert = cert, .cancellable = cancellable };
  g_autoptr(GString) uncounted = g_string_new(NULL);
  for (guint i = 0; i < config->accounts->len; i++) {
    const MlAccount *account = config->accounts->pdata[i];
    if (account->kind == ML_ACCOUNT_IMAP || !count_account(account, state_dir, &count))
      g_string_append_printf(uncounted, "%s%s", uncounted->len ? ", " : "", account->name);
  }
  if (g_cancellable_is_cancelled(cancellable))
    return NULL;
  GString *words = g_string_new(NULL);
  g_string_append_printf(words,
                         "%u of %u encrypted message%s in the accounts that are kept here would become unreadable.",
                         count.lost, count.looked_at, count.looked_at == 1 ? "" : "s");
  if (count.parts)
    g_string_append_printf(words, "\n%u more %s encrypted only in a part, which was not looked into.", count.parts,
                           count.parts == 1 ? "is" : "are");
  if (uncounted->len)
    g_string_append_printf(words, "\nNot counted, because it lies on a server or could not be read: %s.",
                           uncounted->str);
  return g_string_free(words, FALSE);
}
