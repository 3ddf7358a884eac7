#include <string.h>

#include "ui/cert-account.h"
#include "ui/cert-file.h"
#include "ui/certs-private.h"
#include "ui/compose-private.h"
#include "ui/save.h"

/* i and e: certificates from files and to files. */

enum { TRIES = 3 };

/* --- import */

typedef struct {
  UiApp *app;
  char *place;      /* a file, mutt's folder, or "gpgsm" */
  GPtrArray *certs; /* of CryptoCert: what was in it */
  GPtrArray *moves; /* of UiCertAccount: what the first one of ours means for the accounts; NULL */
  CryptoCert *own;  /* it; NULL: none is ours */
  GString *left_out;
  guint there, top; /* were here already; authorities that nobody trusts yet */
  GError *error;
} Import;

static void
import_free(Import *import)
{
  g_free(import->place);
  g_clear_pointer(&import->certs, g_ptr_array_unref);
  g_clear_pointer(&import->moves, g_ptr_array_unref);
  crypto_cert_unref(import->own);
  g_string_free(import->left_out, TRUE);
  g_clear_error(&import->error);
  g_free(import);
}

/* On the keys thread: asks for the file's password where it has one. */
static GPtrArray *
import_pkcs12(Import *import, GBytes *file, CryptoPinSource *pin, GCancellable *cancellable)
{
  g_autoptr(GError) tried = NULL;
  GPtrArray *certs = crypto_certdb_import_pkcs12(file, "", pin, &tried); /* many have none */
  g_autofree char *name = g_path_get_basename(import->place), *safe = ui_text_line(name);
  g_autofree char *question = g_strdup_printf("Password of %s", safe);
  const char *wrong[] = { "That is not its password.", NULL };

  for (guint i = 0; i < TRIES && g_error_matches(tried, CRYPTO_ERROR, CRYPTO_ERROR_PIN); i++) {
    char *password =
        ui_prompts_wait(import->app->prompts, UI_PROMPT_SECRET, i ? wrong : NULL, question, cancellable);
    g_clear_error(&tried);
    if (!password) {
      g_set_error_literal(&import->error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "Cancelled.");
      return NULL;
    }
    certs = crypto_certdb_import_pkcs12(file, password, pin, &tried);
    crypto_pin_wipe(password);
  }
  if (tried)
    g_propagate_error(&import->error, g_steal_pointer(&tried));
  return certs;
}

/* What lies at the place; *stored: it is in the database already. */
static GPtrArray *
read_place(Import *import, gboolean *stored, CryptoPinSource *pin, GCancellable *cancellable)
{
  if (!strcmp(import->place, "gpgsm"))
    return ui_cert_file_gpgsm(&import->error);
  if (g_file_test(import->place, G_FILE_TEST_IS_DIR))
    return ui_cert_file_mutt(import->place, import->left_out, &import->error);
  g_autoptr(GBytes) bytes = ui_cli_read_file(import->place, &import->error);
  if (!bytes)
    return NULL;
  *stored = ui_cert_file_is_pkcs12(bytes);
  if (*stored)
    return import_pkcs12(import, bytes, pin, cancellable);
  GPtrArray *certs = crypto_certs_parse(bytes, &import->error);
  if (!certs && g_error_matches(import->error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED)) {
    g_clear_error(&import->error);
    g_set_error(&import->error, ML_ERROR, ML_ERROR_MALFORMED, "%s is none of the files that are taken here: %s",
                import->place, ui_cert_file_kinds);
  }
  return certs;
}

/* SHA-256 -> CryptoCertEntry, of the database and the tokens; *entries owns both. */
static GHashTable *
by_fingerprint(GPtrArray **entries)
{
  GHashTable *found = g_hash_table_new(g_str_hash, g_str_equal);
  *entries = crypto_certdb_list(FALSE, NULL);
  for (guint i = 0; *entries && i < (*entries)->len; i++) {
    CryptoCertEntry *entry = (*entries)->pdata[i];
    g_hash_table_insert(found, (char *)crypto_cert_sha256(entry->cert), entry);
  }
  return found;
}

static void
look_at_what_came(Import *import)
{
  g_autoptr(GPtrArray) entries = NULL;
  g_autoptr(GHashTable) now = by_fingerprint(&entries);

  for (guint i = 0; i < import->certs->len; i++) {
    CryptoCert *cert = import->certs->pdata[i];
    const CryptoCertEntry *entry = g_hash_table_lookup(now, crypto_cert_sha256(cert));
    if (!entry)
      continue;
    if (!import->own && entry->flags & CRYPTO_CERT_OWN && !crypto_cert_is_authority(cert))
      import->own = crypto_cert_ref(cert);
    if (ui_cert_file_is_top(import->certs, cert) && crypto_cert_self_signed(cert) &&
        !(entry->flags & (CRYPTO_CERT_TRUSTED_MAIL | CRYPTO_CERT_DISTRUSTED)))
      import->top++;
  }
  if (import->own)
    import->moves =
        ui_cert_accounts_for(import->app->config, import->own, g_get_real_time() / G_USEC_PER_SEC);
}

static void
run_import(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Import *import = data;
  gboolean stored = FALSE;
  g_autoptr(GPtrArray) before = NULL;
  g_autoptr(GHashTable) known = by_fingerprint(&before);

  import->certs = read_place(import, &stored, pin, cancellable);
  for (guint i = 0; import->certs && i < import->certs->len; i++) {
    CryptoCert *cert = import->certs->pdata[i];
    gboolean there = g_hash_table_contains(known, crypto_cert_sha256(cert));
    if (!stored && !there && !crypto_certdb_import(cert, NULL, &there, pin, &import->error))
      return;
    if (g_cancellable_is_cancelled(cancellable))
      return;
    import->there += there ? 1 : 0;
  }
  if (import->certs)
    look_at_what_came(import);
}

/* "Imported 3, 1 of them yours" and what follows from it. */
static void
say_imported(UiApp *app, const Import *import)
{
  g_autoptr(GString) words = g_string_new(NULL);
  guint n = import->certs->len, new = n - MIN(import->there, n);

  if (!n)
    g_string_append(words, "There is no certificate in it.");
  else if (!new)
    g_string_append_printf(words, n == 1 ? "It was there already." : "All %u were there already.", n);
  else
    g_string_append_printf(words, "Imported: %u certificate%s%s%s.", new, new == 1 ? "" : "s",
                           import->own ? ", and yours is among them" : "", import->there ? "; others were there" : "");
  for (guint i = 0; import->moves && i < import->moves->len; i++) {
    const UiCertAccount *move = import->moves->pdata[i];
    if (move->takes)
      g_string_append_printf(words, " %s uses it from now on; old keys stay for reading.", move->account->name);
  }
  if (!import->own && import->top)
    g_string_append(words, " Nothing is trusted by that: T on an authority does.");
  ui_app_say(app, "%s", words->str);
  ui_app_note(app, UI_STYLE_NORMAL, "%s", words->str);
  for (guint i = 0; import->moves && i < import->moves->len; i++) {
    const UiCertAccount *move = import->moves->pdata[i];
    if (move->why_not && !move->names_another)
      ui_app_complain(app, "%s does not use it: %s", move->account->name, move->why_not);
  }
}

static void
import_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Import *import = data;
  UiCerts *certs = ui_certs_of(app);
  g_auto(GStrv) lines = g_strsplit(import->left_out->str, "\n", -1);

  for (guint i = 0; lines[i]; i++)
    if (*lines[i])
      ui_app_note(app, UI_STYLE_WARN, "%s", lines[i]);
  if (certs && import->certs && import->certs->len) {
    g_free(certs->keep);
    certs->reveal = TRUE;
    certs->keep = g_strdup(crypto_cert_sha256(import->own ? import->own : import->certs->pdata[0]));
  }
  if (import->certs)
    ui_certs_refresh(app);
  if (import->error)
    ui_app_error(app, import->error);
  else if (cancelled)
    ui_app_say(app, "Stopped: what was imported until then stays.");
  else if (import->certs) {
    say_imported(app, import);
    for (guint i = 0; import->moves && i < import->moves->len; i++) {
      const UiCertAccount *move = import->moves->pdata[i];
      if (move->names_another)
        ui_certs_offer(app, move->account, import->own);
    }
  }
  import_free(import);
}

static void
import_answered(const char *answer, gpointer data)
{
  UiApp *app = data;

  if (!answer || !*answer || !strcmp(answer, "-"))
    return;
  Import *import = g_new0(Import, 1);
  import->app = app;
  import->left_out = g_string_new(NULL);
  import->place = g_str_has_prefix(answer, "~/") ? g_build_filename(g_get_home_dir(), answer + 2, NULL)
                                                 : g_strdup(answer);
  ui_ops_job(app, CRYPTO_JOB_KEYS, "Importing", run_import, import_done, import);
}

void
ui_action_certs_import(UiApp *app)
{
  static const char *const explanation[] = {
    "A file: PEM, DER, PKCS#7, or PKCS#12 with your key. Nothing gets trusted by it.",
    "mutt's certificates: its folder, ~/.smime. Those of gpgsm: the word gpgsm.", NULL
  };
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, explanation, "Import from", NULL, ui_compose_complete_file,
                 import_answered, app);
}

/* --- export */

static const struct {
  const char *words, *more, *end;
  UiCertForm form;
  gboolean with_key;
} forms[] = {
  { "PEM", "a text file that every program takes", "pem", UI_CERT_PEM, FALSE },
  { "PEM with its chain", "and the authorities above it", "pem", UI_CERT_CHAIN, FALSE },
  { "DER", "the bare octets: .cer, .der", "cer", UI_CERT_DER, FALSE },
  { "base64", "one line, for a directory's userCertificate", "b64", UI_CERT_BASE64, FALSE },
  { "LDIF", "what ldapmodify takes", "ldif", UI_CERT_LDIF, FALSE },
  { "PKCS#12: with the private key and its chain",
    "AES-256, under a password that is asked for twice; for another device, or to be kept in a safe place", "p12",
    UI_CERT_DER, TRUE },
};

typedef struct {
  UiApp *app;
  CryptoCert *cert;
  guint index; /* in forms */
  gboolean own;
  char *path;
  gboolean done;
  GError *error;
} Export;

static void
export_free(gpointer data)
{
  Export *export = data;
  crypto_cert_unref(export->cert);
  g_free(export->path);
  g_clear_error(&export->error);
  g_free(export);
}

/* On the keys thread. NULL: given up, or they differ. */
static char *
new_password(Export *export, GCancellable *cancellable)
{
  static const char *const explanation[] = {
    "Whoever has this file and its password reads your mail and signs as you.", NULL
  };
  UiPrompts *prompts = export->app->prompts;
  char *first = ui_prompts_wait(prompts, UI_PROMPT_SECRET, explanation, "Password for the exported file", cancellable);
  char *second = first ? ui_prompts_wait(prompts, UI_PROMPT_SECRET, NULL, "The same again", cancellable) : NULL;

  if (!second)
    g_set_error_literal(&export->error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "Cancelled.");
  else if (strcmp(first, second) != 0)
    g_set_error_literal(&export->error, CRYPTO_ERROR, CRYPTO_ERROR_PIN,
                        "The two passwords differ: nothing was exported.");
  else if (!*first)
    g_set_error_literal(&export->error, CRYPTO_ERROR, CRYPTO_ERROR_PIN,
                        "A private key does not leave without a password: nothing was exported.");
  crypto_pin_wipe(second);
  if (export->error)
    g_clear_pointer(&first, crypto_pin_wipe);
  return first;
}

static void
run_export(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Export *export = data;
  g_autoptr(GBytes) bytes = NULL;

  if (g_file_test(export->path, G_FILE_TEST_EXISTS)) { /* before a password is typed for nothing */
    g_set_error(&export->error, ML_ERROR, ML_ERROR_STORE, "There is a file of that name already, and it stays as it is: %s",
                export->path);
    return;
  }
  if (!forms[export->index].with_key)
    bytes = ui_cert_file_bytes(export->cert, forms[export->index].form, NULL);
  else {
    char *password = new_password(export, cancellable);
    if (password)
      bytes = crypto_certdb_export_pkcs12(export->cert, password, pin, &export->error);
    crypto_pin_wipe(password);
  }
  export->done = bytes && ui_save_file(export->path, bytes, &export->error);
}

static void
export_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Export *export = data;

  if (export->error)
    ui_app_error(app, export->error);
  else if (export->done) {
    g_autofree char *safe = ui_text_line(export->path);
    ui_app_say(app, "Saved: %s%s", safe, forms[export->index].with_key ? ", readable by you alone" : "");
  }
  export_free(export);
}

static void
export_answered(const char *answer, gpointer data)
{
  Export *export = data;

  if (!answer || !*answer || !strcmp(answer, "-")) {
    export_free(export);
    return;
  }
  g_autofree char *name = g_strdup_printf("certificate.%s", forms[export->index].end);
  export->path = ui_save_path(answer, name);
  ui_ops_job(export->app, CRYPTO_JOB_KEYS, "Exporting", run_export, export_done, export);
}

/* "anna@example.org.pem": what its maker calls it, as far as that is a harmless name. */
static char *
file_name(CryptoCert *cert, const char *end)
{
  const char *address = crypto_cert_addresses(cert)[0];
  g_autofree char *stem = g_strndup(address ? address : crypto_cert_common_name(cert), 64);

  g_strcanon(stem, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "@._-", '_');
  if (*stem == '.' || *stem == '-')
    *stem = '_';
  g_autofree char *name = g_strdup_printf("%s.%s", *stem ? stem : "certificate", end);
  return ui_save_free_name(NULL, name);
}

static void
form_chosen(UiApp *app, guint index, gpointer data)
{
  Export *export = data;
  g_autofree char *name = file_name(export->cert, forms[index].end);

  export->index = index;
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Save in the file", name, ui_compose_complete_file,
                 export_answered, export);
}

void
ui_action_certs_export(UiApp *app)
{
  const UiCertRow *row = ui_certs_current(app);

  if (!row)
    return;
  Export *export = g_new0(Export, 1);
  export->app = app;
  export->cert = crypto_cert_ref(row->entry->cert);
  export->own = (row->entry->flags & CRYPTO_CERT_OWN) != 0;
  g_autofree char *title = g_strdup_printf("Export the certificate of %s as", row->address);
  UiList *list = ui_list_choose(app, title, form_chosen, export, export_free);
  for (guint i = 0; i < G_N_ELEMENTS(forms); i++)
    if (export->own || !forms[i].with_key)
      ui_list_more(ui_list_add(list, UI_STYLE_NORMAL, " %s", forms[i].words), forms[i].more);
}
