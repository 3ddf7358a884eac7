#include <string.h>

#include "ui/cert-candidates.h"
#include "ui/certs-private.h"

enum {
  NAME_MAX_BYTES = 400, /* of what a certificate says of itself: enough for any screen */
  CHUNK = 60,           /* certificates a job: mail that waits to be verified waits no longer */
};

void
ui_cert_row_free(UiCertRow *row)
{
  crypto_cert_entry_free(row->entry);
  g_free(row->address);
  g_free(row->mail);
  g_free(row->issuer);
  g_free(row->where);
  g_free(row->source);
  ui_cert_status_free(row->status);
  g_free(row->word);
  g_free(row->folded);
  g_free(row);
}

/* --- reading the list, on the verify thread */

typedef struct {
  UiApp *app;
  guint generation;
  gboolean builtin;
  GPtrArray *rows;   /* of UiCertRow */
  GPtrArray *extra;  /* of CryptoCert: between those that mail brought and their roots */
  GError *error;
} Load;

static char *
gated(const char *text)
{
  if (strlen(text) <= NAME_MAX_BYTES)
    return ui_text_line(text);
  g_autofree char *cut = g_strndup(text, NAME_MAX_BYTES);
  return ui_text_line(cut);
}

static UiCertRow *
row_new(CryptoCertEntry *entry, UiCertGroup group, const char *address, const char *source, gboolean accepted)
{
  UiCertRow *row = g_new0(UiCertRow, 1);
  CryptoCert *cert = entry->cert;
  const char *const *addresses = crypto_cert_addresses(cert);
  guint n = g_strv_length((char **)addresses);
  const char *shown = address ? address : n ? addresses[0] : NULL;
  g_autofree char *safe = gated(shown && group != UI_CERT_AUTHORITY ? shown : crypto_cert_common_name(cert));
  g_autofree char *all = g_strjoinv(" ", (char **)addresses);
  const char *where = group == UI_CERT_CANDIDATE
                          ? (source && g_str_has_prefix(source, "directory") ? "directory" : "mail only")
                      : entry->flags & CRYPTO_CERT_BUILTIN    ? "NSS roots"
                      : strcmp(entry->token, "database") == 0 ? "database"
                                                              : entry->token;
  g_autofree char *words = g_strjoin("\n", all, address ? address : "", crypto_cert_common_name(cert),
                                     crypto_cert_subject(cert), crypto_cert_issuer(cert), crypto_cert_sha256(cert),
                                     where, source ? source : "", ui_cert_use_word(cert), NULL);

  row->entry = entry;
  row->group = group;
  row->mail = g_strdup(shown);
  row->address = n > 1 && group != UI_CERT_AUTHORITY ? g_strdup_printf("%s +%u", safe, n - 1) : g_steal_pointer(&safe);
  row->issuer = gated(crypto_cert_issuer_name(cert));
  row->where = gated(where);
  row->source = g_strdup(source);
  row->accepted = accepted;
  row->folded = ml_pattern_fold(words);
  return row;
}

static int
by_group(gconstpointer a, gconstpointer b)
{
  const UiCertRow *x = *(UiCertRow *const *)a, *y = *(UiCertRow *const *)b;
  if (x->group != y->group)
    return x->group < y->group ? -1 : 1;
  int order = strcmp(x->mail ? x->mail : x->address, y->mail ? y->mail : y->address);
  if (order)
    return order;
  gint64 ends = crypto_cert_not_after(y->entry->cert) - crypto_cert_not_after(x->entry->cert); /* the newest first */
  return ends ? (ends > 0 ? 1 : -1) : strcmp(crypto_cert_sha256(x->entry->cert), crypto_cert_sha256(y->entry->cert));
}

static void
add_candidates(Load *load, MlPeople *people, GHashTable *kept)
{
  g_autoptr(GPtrArray) all = ui_cert_candidates(people, kept);

  for (guint i = 0; i < all->len; i++) {
    const UiCertCandidate *candidate = all->pdata[i];
    CryptoCertEntry *entry = g_new0(CryptoCertEntry, 1);
    entry->cert = crypto_cert_ref(candidate->cert);
    g_ptr_array_add(load->rows,
                    row_new(entry, UI_CERT_CANDIDATE, candidate->address, candidate->source, FALSE));
  }
}

static void
run_load(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Load *load = data;
  g_autoptr(GPtrArray) entries = crypto_certdb_list(load->builtin, &load->error);
  if (!entries)
    return;
  MlPeople *people = ui_app_people(load->app, CRYPTO_JOB_VERIFY);
  g_autoptr(GPtrArray) accepted = people ? ml_people_accepted_all(people, NULL) : NULL;
  g_autoptr(GHashTable) sources = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = accepted ? accepted->len : 0; i-- > 0;) { /* the newest stays */
    MlAccepted *one = accepted->pdata[i];
    g_hash_table_insert(sources, one->sha256, one->source);
  }
  load->rows = g_ptr_array_new_with_free_func((GDestroyNotify)ui_cert_row_free);
  for (guint i = 0; i < entries->len; i++) {
    CryptoCertEntry *entry = g_steal_pointer(&entries->pdata[i]);
    const char *known = g_hash_table_lookup(sources, crypto_cert_sha256(entry->cert));
    g_autofree char *source = known ? ui_cert_source_words(known) : NULL;
    g_hash_table_add(kept, g_strdup(crypto_cert_sha256(entry->cert)));
    g_ptr_array_add(load->rows, row_new(entry, ui_cert_group(entry), NULL, source, known != NULL));
  }
  if (people) {
    add_candidates(load, people, kept);
    load->extra = ml_people_issuers(people);
  }
  g_ptr_array_sort(load->rows, by_group);
}

static void
load_done(UiApp *app, gboolean cancelled, gpointer data)
{
  g_autofree Load *load = data;
  UiCerts *certs = ui_certs_of(app);

  if (certs && certs->generation == load->generation) {
    certs->loading = FALSE;
    if (load->error) {
      g_free(certs->problem);
      certs->problem = ui_text_line(load->error->message);
      ui_app_error(app, load->error);
    } else if (load->rows) {
      g_clear_pointer(&certs->problem, g_free);
      if (certs->all)
        g_ptr_array_unref(certs->all);
      certs->all = g_steal_pointer(&load->rows);
      g_clear_pointer(&certs->extra, g_ptr_array_unref);
      certs->extra = g_steal_pointer(&load->extra);
      certs->unknown = certs->all->len;
      ui_certs_filter(certs, certs->limit);
      if (certs->keep && !ui_certs_seek(certs, certs->keep) && certs->reveal) {
        ui_certs_filter(certs, NULL);
        ui_certs_seek(certs, certs->keep);
      }
      certs->reveal = FALSE;
      g_clear_pointer(&certs->keep, g_free);
      ui_certs_work(app, certs);
    }
  }
  g_clear_pointer(&load->rows, g_ptr_array_unref);
  g_clear_pointer(&load->extra, g_ptr_array_unref);
  g_clear_error(&load->error);
}

void
ui_certs_load(UiApp *app, UiCerts *certs)
{
  static guint generations; /* over all screens of this run */
  Load *load = g_new0(Load, 1);

  *load = (Load){ .app = app, .generation = certs->generation = ++generations, .builtin = certs->builtin };
  certs->loading = TRUE;
  ui_ops_job(app, CRYPTO_JOB_VERIFY, "Reading the certificates", run_load, load_done, load);
}

/* --- what each is worth: the chains of a few at a time */

typedef struct {
  guint generation;
  gint64 now;
  CryptoRevocationMode revocation;
  guint n;
  GPtrArray *extra; /* certificates: counted, and none is changed */
  struct {
    UiCertRow *row; /* the screen's own, looked at there alone */
    CryptoCertEntry entry; /* cert and flags alone */
    gboolean accepted;
    UiCertStatus *status;
  } items[CHUNK];
} Work;

static void
run_work(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Work *work = data;

  for (guint i = 0; i < work->n && !g_cancellable_is_cancelled(cancellable); i++)
    work->items[i].status =
        ui_cert_status(&work->items[i].entry, work->items[i].accepted, work->now, work->revocation, work->extra);
}

static void
work_done(UiApp *app, gboolean cancelled, gpointer data)
{
  g_autofree Work *work = data;
  UiCerts *certs = ui_certs_of(app);
  gboolean ours = certs && certs->generation == work->generation;

  for (guint i = 0; i < work->n; i++) {
    UiCertRow *row = work->items[i].row;
    crypto_cert_unref(work->items[i].entry.cert);
    if (!ours || !work->items[i].status || row->status) {
      ui_cert_status_free(work->items[i].status);
      continue;
    }
    row->status = work->items[i].status;
    row->word = gated(row->status->word);
    certs->unknown--;
  }
  g_clear_pointer(&work->extra, g_ptr_array_unref);
  if (!ours)
    return;
  certs->working = FALSE;
  if (cancelled) /* the end of the program */
    return;
  if (!certs->unknown && certs->limit) { /* words of the status count too */
    UiCertRow *row = certs->cursor < (int)certs->lines->len
                         ? g_array_index(certs->lines, UiCertLine, certs->cursor).row
                         : NULL;
    ui_certs_filter(certs, certs->limit);
    if (row)
      ui_certs_seek(certs, crypto_cert_sha256(row->entry->cert));
  }
  ui_certs_work(app, certs);
}

static void
take(Work *work, UiCertRow *row)
{
  if (!row || row->status || work->n == CHUNK)
    return;
  for (guint i = 0; i < work->n; i++)
    if (work->items[i].row == row)
      return;
  work->items[work->n].row = row;
  work->items[work->n].entry.cert = crypto_cert_ref(row->entry->cert);
  work->items[work->n].entry.flags = row->entry->flags;
  work->items[work->n++].accepted = row->accepted;
}

void
ui_certs_work(UiApp *app, UiCerts *certs)
{
  if (app->ending || certs->working || certs->loading || !certs->all || !certs->unknown)
    return;
  Work *work = g_new0(Work, 1);
  work->extra = certs->extra ? g_ptr_array_ref(certs->extra) : NULL;
  work->generation = certs->generation;
  work->now = g_get_real_time() / G_USEC_PER_SEC;
  work->revocation = ml_config_revocation(app->config);
  for (int i = certs->top; i < certs->top + MAX(certs->height, 30) && i < (int)certs->lines->len; i++)
    take(work, g_array_index(certs->lines, UiCertLine, i).row);
  for (guint i = 0; i < certs->all->len && work->n < CHUNK; i++)
    take(work, certs->all->pdata[i]);
  certs->working = TRUE;
  ui_ops_job_silent(app, CRYPTO_JOB_VERIFY, run_work, work_done, work);
}
