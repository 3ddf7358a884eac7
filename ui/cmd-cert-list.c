#include <stdio.h>
#include <string.h>

#include "ui/cert-candidates.h"
#include "ui/cert-status.h"
#include "ui/cmd-cert-private.h"
#include "ui/commands.h"
#include "ui/text.h"

/* signet cert list: the columns of the certificate screen. */
typedef struct {
  UiCli *cli;
  gboolean wanted[UI_CERT_GROUPS];
  gboolean builtin;
  char *word;          /* folded; NULL: any */
  GHashTable *sources; /* SHA-256 -> source of what was accepted; NULL: nothing is known */
  GPtrArray *extra;    /* candidates for chains; NULL */
  gint64 now;
  guint shown;
} List;

static gboolean
contains(const char *text, const char *folded_word)
{
  g_autofree char *folded = g_utf8_casefold(text, -1);
  return strstr(folded, folded_word) != NULL;
}

static gboolean
has_word(CryptoCert *cert, const char *folded_word)
{
  if (contains(crypto_cert_subject(cert), folded_word) ||
      contains(crypto_cert_common_name(cert), folded_word) ||
      contains(crypto_cert_issuer_name(cert), folded_word) ||
      g_str_has_prefix(crypto_cert_sha256(cert), folded_word))
    return TRUE;
  for (const char *const *a = crypto_cert_addresses(cert); *a; a++)
    if (contains(*a, folded_word))
      return TRUE;
  return FALSE;
}

static void
tell_json(const List *list, const CryptoCertEntry *entry, UiCertGroup group, const char *address, const char *source,
          const UiCertStatus *status)
{
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  JsonBuilder *json = ui_json_new();
  ui_cmd_cert_fields(json, entry);
  ui_json_string(json, "group", ui_cert_group_word(group));
  ui_json_string(json, "use", ui_cert_use_word(entry->cert));
  ui_json_string(json, "status", status->word);
  ui_json_bool(json, "good", status->judgement == UI_CERT_GOOD);
  ui_json_string(json, "reason", status->sentence);
  for (guint bit = 0; bit < 32; bit++)
    if (status->problems & (1u << bit))
      g_ptr_array_add(words, (char *)crypto_trust_word(1u << bit));
  g_ptr_array_add(words, NULL);
  ui_json_strings(json, "trust_errors", (const char *const *)words->pdata);
  ui_json_bool(json, "accepted", group != UI_CERT_CANDIDATE && source != NULL);
  ui_json_string(json, "source", source);
  if (address)
    ui_json_string(json, "address", address);
  ui_json_print(json);
  (void)list;
}

/* @address: whom a candidate came for; NULL: it is none. */
static void
tell(List *list, const CryptoCertEntry *entry, UiCertGroup group, const char *address, const char *source)
{
  if (!list->wanted[group] || (list->word && !has_word(entry->cert, list->word)))
    return;
  g_autoptr(UiCertStatus) status =
      ui_cert_status(entry, group != UI_CERT_CANDIDATE && source != NULL, list->now,
                     ml_config_revocation(list->cli->config), list->extra);
  list->shown++;
  if (list->cli->json) {
    tell_json(list, entry, group, address, source, status);
    return;
  }
  g_autofree char *from = group == UI_CERT_CANDIDATE ? g_strdup_printf(", from %s", source) : g_strdup("");
  g_autofree char *words = g_strdup_printf("%s, %s%s", ui_cert_use_word(entry->cert), status->word, from);
  ui_cmd_cert_line_with(entry, NULL, words);
}

static void
tell_kept(List *list, GPtrArray *entries)
{
  for (guint i = 0; i < entries->len; i++) {
    const CryptoCertEntry *entry = entries->pdata[i];
    const char *known = list->sources ? g_hash_table_lookup(list->sources, crypto_cert_sha256(entry->cert)) : NULL;
    g_autofree char *source = known ? ui_cert_source_words(known) : NULL;
    tell(list, entry, ui_cert_group(entry), NULL, source);
  }
}

static void
tell_candidates(List *list, GPtrArray *entries, MlPeople *people)
{
  g_autoptr(GHashTable) kept = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < entries->len; i++)
    g_hash_table_add(kept, (char *)crypto_cert_sha256(((CryptoCertEntry *)entries->pdata[i])->cert));
  g_autoptr(GPtrArray) all = ui_cert_candidates(people, kept);
  for (guint i = 0; i < all->len; i++) {
    const UiCertCandidate *candidate = all->pdata[i];
    const CryptoCertEntry entry = { .cert = candidate->cert };
    tell(list, &entry, UI_CERT_CANDIDATE, candidate->address, candidate->source);
  }
}

static int
run(List *list)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *file = g_build_filename(list->cli->data_dir, "people.db", NULL);
  g_autoptr(MlPeople) people = ml_people_open_to_read(file, NULL);
  g_autoptr(GPtrArray) accepted = people ? ml_people_accepted_all(people, NULL) : NULL;
  g_autoptr(GPtrArray) extra = people ? ml_people_issuers(people) : NULL;
  g_autoptr(GHashTable) sources = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GPtrArray) entries = crypto_certdb_list(list->builtin, &error);
  if (!entries)
    return ui_cmd_cert_fail(list->cli, error);
  crypto_certdb_add_absent(entries);
  for (guint i = accepted ? accepted->len : 0; i-- > 0;) { /* the newest stays */
    MlAccepted *one = accepted->pdata[i];
    g_hash_table_insert(sources, one->sha256, one->source);
  }
  list->sources = sources;
  list->extra = extra;
  tell_kept(list, entries);
  if (people && list->wanted[UI_CERT_CANDIDATE])
    tell_candidates(list, entries, people);
  if (!list->shown && !list->cli->json)
    ui_cli_error(list->cli, list->word                         ? "no certificate here has that word in it"
                            : list->wanted[UI_CERT_CANDIDATE] ? "no candidate is here: signed mail brings them, or a directory"
                                                               : "no certificate is here yet: signet cert import FILE takes "
                                                                 "PEM, DER, PKCS#7 and PKCS#12");
  return UI_EXIT_OK;
}

int
ui_cmd_cert_list(UiCli *cli, int argc, char **argv)
{
  List list = { .cli = cli, .now = g_get_real_time() / G_USEC_PER_SEC };
  const UiOption options[] = { { "own", 0, UI_OPTION_FLAG, &list.wanted[UI_CERT_OWN] },
                               { "people", 0, UI_OPTION_FLAG, &list.wanted[UI_CERT_PERSON] },
                               { "authorities", 0, UI_OPTION_FLAG, &list.wanted[UI_CERT_AUTHORITY] },
                               { "candidates", 0, UI_OPTION_FLAG, &list.wanted[UI_CERT_CANDIDATE] },
                               { "builtin", 0, UI_OPTION_FLAG, &list.builtin },
                               { NULL, 0, 0, NULL } };
  static const UiCommand self = { "cert list", NULL, ui_cmd_cert_help, NULL };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  if (code >= 0)
    return code;
  if (argc > 2) {
    ui_cli_error(cli, "signet cert list takes one word: quote a name with blanks");
    return UI_EXIT_USAGE;
  }
  gboolean any = FALSE;
  for (guint i = 0; i < UI_CERT_GROUPS; i++)
    any |= list.wanted[i];
  for (guint i = 0; i < UI_CERT_CANDIDATE && !any; i++) /* without: all that is kept */
    list.wanted[i] = TRUE;
  if (!ui_cli_crypto(cli, FALSE, TRUE, TRUE, &code)) /* NSS's roots too: a status rests on them */
    return code;
  g_autofree char *word = argc == 2 ? g_utf8_casefold(argv[1], -1) : NULL;
  list.word = word;
  return run(&list);
}
