#include "ui/cmd-rekey-private.h"

#include <stdio.h>
#include <string.h>

#include "crypto/certdb.h"
#include "ui/cmd-cert-private.h"
#include "ui/json.h"
#include "ui/text.h"

enum { RECIPIENTS_TOLD = 16, MISSING_MAX = 1000, MISSING_SHOWN = 20 };

typedef struct {
  CryptoCertEntry *entry;
  guint only, others; /* messages that it alone reads here; that another key of ours reads too */
} Key;

struct UiRekeyReport {
  UiCli *cli;
  char *account, *folder;
  GPtrArray *known;    /* of CryptoCertEntry: what is here, and on cards that were */
  GHashTable *keys;    /* sha256 -> Key */
  GHashTable *missing; /* a recipient in words -> how many messages that nobody here reads */
  guint folders, encrypted, unreadable, legacy;
  guint forms[ML_REKEY_BROKEN + 1];
};

static void
key_free(Key *key)
{
  crypto_cert_entry_free(key->entry);
  g_free(key);
}

UiRekeyReport *
ui_cmd_rekey_report_new(UiCli *cli)
{
  UiRekeyReport *report = g_new0(UiRekeyReport, 1);
  g_autoptr(GError) error = NULL;
  report->cli = cli;
  report->known = crypto_certdb_list(FALSE, &error);
  if (report->known)
    crypto_certdb_add_absent(report->known);
  else
    ui_cli_error(cli, "%s", error->message);
  report->keys = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)key_free);
  report->missing = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  return report;
}

void
ui_cmd_rekey_report_free(UiRekeyReport *report)
{
  if (!report)
    return;
  g_free(report->account);
  g_free(report->folder);
  g_clear_pointer(&report->known, g_ptr_array_unref);
  g_hash_table_unref(report->keys);
  g_hash_table_unref(report->missing);
  g_free(report);
}

void
ui_cmd_rekey_report_folder(UiRekeyReport *report, const char *account, const char *folder)
{
  g_free(report->account);
  g_free(report->folder);
  report->account = g_strdup(account);
  report->folder = g_strdup(folder);
  report->folders++;
}

static CryptoCertEntry *
entry_of(const UiRekeyReport *report, CryptoCert *cert)
{
  CryptoCertEntry *entry = g_new0(CryptoCertEntry, 1);
  entry->cert = crypto_cert_ref(cert);
  for (guint i = 0; report->known && i < report->known->len; i++) {
    const CryptoCertEntry *known = report->known->pdata[i];
    if (!(known->flags & CRYPTO_CERT_OWN) || strcmp(crypto_cert_sha256(known->cert), crypto_cert_sha256(cert)) != 0)
      continue;
    entry->flags = known->flags;
    entry->token = g_strdup(known->token);
    break;
  }
  return entry;
}

static Key *
key_of(UiRekeyReport *report, CryptoCert *cert)
{
  Key *key = g_hash_table_lookup(report->keys, crypto_cert_sha256(cert));
  if (key)
    return key;
  key = g_new0(Key, 1);
  key->entry = entry_of(report, cert);
  g_hash_table_insert(report->keys, (gpointer)crypto_cert_sha256(key->entry->cert), key);
  return key;
}

static void
add_missing(UiRekeyReport *report, const CryptoEnvelope *envelope)
{
  for (guint i = 0; i < MIN(envelope->recipients->len, (guint)RECIPIENTS_TOLD); i++) {
    const char *who = envelope->recipients->pdata[i];
    guint n = GPOINTER_TO_UINT(g_hash_table_lookup(report->missing, who));
    if (n || g_hash_table_size(report->missing) < MISSING_MAX)
      g_hash_table_insert(report->missing, g_strdup(who), GUINT_TO_POINTER(n + 1));
  }
}

static char *
place(const UiRekeyReport *report, const MlRekeyItem *item)
{
  return g_strdup_printf("%s/%s/%u", report->account, report->folder, item->uid);
}

static void
print_message_json(const UiRekeyReport *report, const char *where, const MlRekeyLook *look)
{
  const CryptoEnvelope *envelope = look->envelope;
  JsonBuilder *json = ui_json_new();
  ui_json_string(json, "kind", "message");
  ui_json_string(json, "message", where);
  ui_json_string(json, "form", ml_rekey_form_word(look->form));
  ui_json_string(json, "cipher", envelope ? envelope->algorithm : NULL);
  ui_json_array(json, "keys");
  for (guint i = 0; envelope && i < envelope->keys->len; i++)
    json_builder_add_string_value(json, crypto_cert_sha256(envelope->keys->pdata[i]));
  json_builder_end_array(json);
  ui_json_array(json, "recipients");
  for (guint i = 0; envelope && i < MIN(envelope->recipients->len, (guint)RECIPIENTS_TOLD); i++) {
    g_autofree char *who = ui_text_json(envelope->recipients->pdata[i]);
    json_builder_add_string_value(json, who);
  }
  json_builder_end_array(json);
  ui_json_string(json, "reason", look->reason);
  ui_json_print(json);
}

static void
print_message(const UiRekeyReport *report, const MlRekeyItem *item, const MlRekeyLook *look)
{
  static const char *const words[] = { "", "encrypted", "signed around the encryption", "encrypted in a part",
                                       "cannot be read" };
  g_autofree char *where = place(report, item);
  if (report->cli->json) {
    print_message_json(report, where, look);
    return;
  }
  g_autoptr(GString) line = g_string_new(NULL);
  g_string_printf(line, "%s: %s", where, words[look->form]);
  if (look->envelope)
    g_string_append_printf(line, ", %s", look->envelope->algorithm);
  for (guint i = 0; look->envelope && i < look->envelope->keys->len; i++)
    g_string_append_printf(line, "%s%.16s", i ? ", " : ", key ", crypto_cert_sha256(look->envelope->keys->pdata[i]));
  if (look->envelope && !look->envelope->keys->len)
    g_string_append(line, ", no key here");
  if (look->reason)
    g_string_append_printf(line, ": %s", look->reason);
  g_autofree char *safe = ui_text_line(line->str);
  puts(safe);
}

void
ui_cmd_rekey_report_add(UiRekeyReport *report, const MlRekeyItem *item, const MlRekeyLook *look)
{
  const CryptoEnvelope *envelope = look->envelope;
  if (look->form == ML_REKEY_CLEAR || (look->form == ML_REKEY_BROKEN && !(item->hints & ML_HINT_ENCRYPTED)))
    return;
  report->encrypted++;
  report->forms[look->form]++;
  report->legacy += envelope && envelope->legacy;
  if (report->cli->verbose)
    print_message(report, item, look);
  if (!envelope)
    return;
  for (guint i = 0; i < envelope->keys->len; i++) {
    Key *key = key_of(report, envelope->keys->pdata[i]);
    key->only += envelope->keys->len == 1;
    key->others += envelope->keys->len > 1;
  }
  if (!envelope->keys->len) {
    report->unreadable++;
    add_missing(report, envelope);
  }
}

gboolean
ui_cmd_rekey_report_all_read(const UiRekeyReport *report)
{
  return report->unreadable == 0 && report->forms[ML_REKEY_BROKEN] == 0;
}

/* --- told */

static int
by_use(gconstpointer a, gconstpointer b)
{
  const Key *x = *(Key *const *)a, *y = *(Key *const *)b;
  guint one = x->only + x->others, other = y->only + y->others;
  return one != other ? (one < other ? 1 : -1)
                      : strcmp(crypto_cert_sha256(x->entry->cert), crypto_cert_sha256(y->entry->cert));
}

static GPtrArray *
sorted_keys(const UiRekeyReport *report)
{
  GPtrArray *keys = g_ptr_array_new();
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, report->keys);
  while (g_hash_table_iter_next(&iter, NULL, &key))
    g_ptr_array_add(keys, key);
  g_ptr_array_sort(keys, by_use);
  return keys;
}

typedef struct {
  const char *who;
  guint messages;
} Missing;

static int
by_messages(gconstpointer a, gconstpointer b)
{
  const Missing *x = a, *y = b;
  return x->messages != y->messages ? (x->messages < y->messages ? 1 : -1) : strcmp(x->who, y->who);
}

static GArray *
sorted_missing(const UiRekeyReport *report)
{
  GArray *all = g_array_new(FALSE, FALSE, sizeof(Missing));
  GHashTableIter iter;
  gpointer who, n;
  g_hash_table_iter_init(&iter, report->missing);
  while (g_hash_table_iter_next(&iter, &who, &n)) {
    Missing one = { who, GPOINTER_TO_UINT(n) };
    g_array_append_val(all, one);
  }
  g_array_sort(all, by_messages);
  return all;
}

/* Its key reads old mail and is written to no more. */
static gboolean
is_retired(CryptoCert *cert)
{
  return crypto_cert_not_after(cert) < g_get_real_time() / G_USEC_PER_SEC;
}

static gboolean
on_token(const CryptoCertEntry *entry)
{
  return entry->token && strcmp(entry->token, "database") != 0;
}

static void
print_key(const Key *key)
{
  const CryptoCertEntry *entry = key->entry;
  g_autofree char *name = ui_text_line(crypto_cert_common_name(entry->cert));
  g_autofree char *cut = ui_text_cut(name, 30);
  g_autofree char *token = ui_text_line(on_token(entry) ? entry->token : NULL);
  g_autoptr(GDateTime) end = g_date_time_new_from_unix_utc(crypto_cert_not_after(entry->cert));
  g_autofree char *date = end ? g_date_time_format(end, "%Y-%m-%d") : g_strdup("?");
  printf("%9u %12u  %.16s  %s\n", key->only, key->others, crypto_cert_sha256(entry->cert), cut);
  printf("%24s%s%s%s%s%s\n", "", on_token(entry) ? "on the card " : "in the database", token,
         entry->flags & CRYPTO_CERT_ABSENT ? ", which is not in its reader" : "",
         is_retired(entry->cert) ? ", retired since " : ", valid until ", date);
}

static void
print_text(const UiRekeyReport *report)
{
  g_autoptr(GPtrArray) keys = sorted_keys(report);
  g_autoptr(GArray) missing = sorted_missing(report);
  printf("%u encrypted message%s in %u folder%s.\n", report->encrypted, report->encrypted == 1 ? "" : "s",
         report->folders, report->folders == 1 ? "" : "s");
  if (keys->len)
    puts(" only this  others too  key");
  for (guint i = 0; i < keys->len; i++)
    print_key(keys->pdata[i]);
  if (report->unreadable)
    printf("Nobody here can read %u of them. They are encrypted to:\n", report->unreadable);
  for (guint i = 0; i < MIN(missing->len, (guint)MISSING_SHOWN); i++) {
    const Missing *one = &g_array_index(missing, Missing, i);
    g_autofree char *who = ui_text_line(one->who);
    printf("%9u  %s\n", one->messages, who);
  }
  if (missing->len > MISSING_SHOWN)
    printf("%9s  and %u more: --json has them\n", "", missing->len - MISSING_SHOWN);
  static const struct {
    MlRekeyForm form;
    const char *one, *many;
  } words[] = {
    { ML_REKEY_WRAPPED, "is signed around its encryption: it stays as it is, or that signature would break",
      "are signed around their encryption: they stay as they are, or those signatures would break" },
    { ML_REKEY_PART, "is encrypted only in a part, whose key was not looked at: it stays as it is",
      "are encrypted only in a part, whose key was not looked at: they stay as they are" },
    { ML_REKEY_BROKEN, "says that it is encrypted and cannot be read as such",
      "say that they are encrypted and cannot be read as such" },
  };
  for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
    guint n = report->forms[words[i].form];
    if (n)
      printf("%u of them %s.\n", n, n == 1 ? words[i].one : words[i].many);
  }
  if (report->legacy)
    printf("%u of them %s encrypted with a cipher that is too weak today (3DES, RC2).\n", report->legacy,
           report->legacy == 1 ? "is" : "are");
}

static void
print_json(const UiRekeyReport *report)
{
  g_autoptr(GPtrArray) keys = sorted_keys(report);
  g_autoptr(GArray) missing = sorted_missing(report);
  for (guint i = 0; i < keys->len; i++) {
    const Key *key = keys->pdata[i];
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "kind", "key");
    ui_cmd_cert_fields(json, key->entry);
    ui_json_bool(json, "retired", is_retired(key->entry->cert));
    ui_json_int(json, "only", key->only);
    ui_json_int(json, "others", key->others);
    ui_json_print(json);
  }
  for (guint i = 0; i < missing->len; i++) {
    const Missing *one = &g_array_index(missing, Missing, i);
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "kind", "missing");
    ui_json_string(json, "recipient", one->who);
    ui_json_int(json, "messages", one->messages);
    ui_json_print(json);
  }
  JsonBuilder *json = ui_json_new();
  ui_json_string(json, "kind", "report");
  ui_json_int(json, "folders", report->folders);
  ui_json_int(json, "encrypted", report->encrypted);
  ui_json_int(json, "unreadable", report->unreadable);
  ui_json_int(json, "wrapped", report->forms[ML_REKEY_WRAPPED]);
  ui_json_int(json, "parts", report->forms[ML_REKEY_PART]);
  ui_json_int(json, "broken", report->forms[ML_REKEY_BROKEN]);
  ui_json_int(json, "legacy", report->legacy);
  ui_json_print(json);
}

void
ui_cmd_rekey_report_print(const UiRekeyReport *report)
{
  if (report->cli->json)
    print_json(report);
  else
    print_text(report);
}
