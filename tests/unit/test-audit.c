#include <glib/gstdio.h>
#include <string.h>

#include "ui/audit.h"

/* What an audit keeps of a message, the file that it goes on from, and cells that no spreadsheet computes. */

static void
test_cells(void)
{
  static const struct {
    const char *text, *cell;
  } rows[] = {
    { "", "" },
    { "plain", "plain" },
    { "a,b", "\"a,b\"" },
    { "say \"no\"", "\"say \"\"no\"\"\"" },
    { "two\nlines", "\"two\nlines\"" },
    { "=1+1", "\"'=1+1\"" },
    { "+1", "\"'+1\"" },
    { "-1", "\"'-1\"" },
    { "@SUM(A1)", "\"'@SUM(A1)\"" },
    { "\tx", "\"'\tx\"" },
    { "\xef\xbc\x9d" "1", "\"'\xef\xbc\x9d" "1\"" },
    { "a=b", "a=b" },
    { "=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *cell = ui_audit_csv_cell(rows[i].text);
    g_assert_cmpstr(cell, ==, rows[i].cell);
  }
}

static UiAuditRecord *
record_new(guint32 uid)
{
  UiAuditRecord *record = ui_audit_record_new("work", "INBOX", uid);
  record->received = 1700000000;
  record->date = 1700000001;
  record->from = g_strdup("Anna \"A\" <anna@example.org>");
  record->address = g_strdup("anna@example.org");
  record->subject = g_strdup("Grüße\tund mehr");
  record->signature = g_strdup("valid");
  record->encryption = g_strdup("sealed");
  record->indicator = g_strdup("good");
  record->signer_address = g_strdup("anna@example.org");
  record->matches = ML_YES;
  record->expired_since = TRUE;
  record->trust_errors = g_strsplit("expired-now revoked", " ", -1);
  record->warnings = g_strsplit("Look, here.", "|", -1);
  record->reason = g_strdup("Signed.");
  record->then_signature = g_strdup("invalid");
  record->then_indicator = g_strdup("bad");
  record->then_reason = g_strdup("Not then.");
  record->then_errors = g_strsplit("revoked", " ", -1);
  record->until = 1800000000;
  return record;
}

static char *
words_of(const UiAuditRecord *record)
{
  g_autoptr(JsonBuilder) json = ui_json_new();
  ui_audit_record_json(record, json, TRUE);
  json_builder_end_object(json);
  g_autoptr(JsonNode) root = json_builder_get_root(json);
  return json_to_string(root, FALSE);
}

static void
test_round(void)
{
  g_autoptr(UiAuditRecord) record = record_new(7);
  g_autofree char *line = words_of(record);
  g_autoptr(UiAuditRecord) again = ui_audit_record_parse(line);
  g_assert_nonnull(again);
  g_autofree char *same = words_of(again);
  g_assert_cmpstr(same, ==, line);
  g_assert_cmpint(again->until, ==, 1800000000);
  g_assert_cmpint(ui_audit_kind(again), ==, UI_AUDIT_GOOD);

  static const char *const broken[] = { "", "x", "[]", "{}", "{\"account\":1,\"folder\":2,\"uid\":\"3\"}",
                                        "{\"account\":\"a\",\"folder\":\"b\",\"uid\":0,\"until\":1,\"error\":\"e\"}",
                                        "{\"account\":\"a\",\"folder\":\"b\",\"uid\":3,\"until\":1,\"now\":{}}" };
  for (gsize i = 0; i < G_N_ELEMENTS(broken); i++)
    g_assert_null(ui_audit_record_parse(broken[i]));
  for (gsize cut = 0; cut < strlen(line); cut++) {
    g_autofree char *torn = g_strndup(line, cut);
    g_assert_null(ui_audit_record_parse(torn));
  }
}

static void
test_kinds(void)
{
  static const struct {
    const char *indicator, *encryption;
    UiAuditKind kind;
  } rows[] = {
    { "good", "decrypted", UI_AUDIT_GOOD },    { "warn", "none", UI_AUDIT_WARN },
    { "bad", "sealed", UI_AUDIT_BAD },         { "none", "none", UI_AUDIT_UNSIGNED },
    { "none", "decrypted", UI_AUDIT_UNSIGNED }, { "none", "sealed", UI_AUDIT_ENCRYPTED },
    { "none", "no-key", UI_AUDIT_ENCRYPTED },  { "none", "refused", UI_AUDIT_ENCRYPTED },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(UiAuditRecord) record = record_new(1);
    g_free(record->indicator);
    g_free(record->encryption);
    record->indicator = g_strdup(rows[i].indicator);
    record->encryption = g_strdup(rows[i].encryption);
    g_assert_cmpint(ui_audit_kind(record), ==, rows[i].kind);
    record->error = g_strdup("It is no message.");
    g_assert_cmpint(ui_audit_kind(record), ==, UI_AUDIT_UNREADABLE);
  }
}

/* --- the file */

typedef struct {
  UiCli cli;
  char *path; /* of the one file */
} Place;

static void
find_file(Place *place)
{
  g_autofree char *folder = g_build_filename(place->cli.data_dir, "audit", NULL);
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  const char *name = dir ? g_dir_read_name(dir) : NULL;
  g_free(place->path);
  place->path = name ? g_build_filename(folder, name, NULL) : NULL;
}

/* Opens, and says which records are still there: "1 2 3". */
static char *
known(Place *place, guint32 uidvalidity, const char *standing, gboolean *resume, gboolean *stale)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(UiAuditState) state =
      ui_audit_state_open(&place->cli, "work INBOX", uidvalidity, standing, resume, stale, &error);
  g_assert_no_error(error);
  GString *all = g_string_new(NULL);
  UiAuditRecord *record;
  while ((record = ui_audit_state_next(state))) {
    g_string_append_printf(all, "%s%u", all->len ? " " : "", record->uid);
    ui_audit_record_free(record);
  }
  return g_string_free(all, FALSE);
}

static void
fill(Place *place)
{
  g_autoptr(GError) error = NULL;
  gboolean resume = FALSE, stale;
  g_autoptr(UiAuditState) state = ui_audit_state_open(&place->cli, "work INBOX", 5, "abc", &resume, &stale, &error);
  g_assert_no_error(error);
  for (guint32 uid = 1; uid <= 3; uid++) {
    g_autoptr(UiAuditRecord) record = record_new(uid);
    g_assert_true(ui_audit_state_add(state, record, &error));
  }
}

static void
assert_known(Place *place, guint32 uidvalidity, const char *standing, const char *wanted, gboolean is_stale)
{
  gboolean resume = TRUE, stale = FALSE;
  g_autofree char *all = known(place, uidvalidity, standing, &resume, &stale);
  g_assert_cmpstr(all, ==, wanted);
  g_assert_cmpint(stale, ==, is_stale);
  g_assert_cmpint(resume, ==, !is_stale);
}

static void
test_file(void)
{
  g_autoptr(GError) error = NULL;
  Place place = { 0 };
  place.cli.data_dir = g_dir_make_tmp("signet-audit-XXXXXX", &error);
  g_assert_no_error(error);
  fill(&place);
  assert_known(&place, 5, "abc", "1 2 3", FALSE);
  assert_known(&place, 5, "abc", "1 2 3", FALSE); /* reading changes nothing */
  assert_known(&place, 6, "abc", "", TRUE);       /* another folder under the name */
  fill(&place);
  assert_known(&place, 5, "abd", "", TRUE); /* trust has changed */
  fill(&place);

  /* two at once */
  gboolean resume = TRUE, stale;
  g_autoptr(UiAuditState) held = ui_audit_state_open(&place.cli, "work INBOX", 5, "abc", &resume, &stale, &error);
  g_assert_null(ui_audit_state_open(&place.cli, "work INBOX", 5, "abc", &resume, &stale, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_BUSY);
  g_clear_error(&error);
  g_clear_pointer(&held, ui_audit_state_free);

  /* torn anywhere: whole lines count, and what is added stands behind them */
  find_file(&place);
  gsize length;
  g_autofree char *whole = NULL;
  g_assert_true(g_file_get_contents(place.path, &whole, &length, NULL));
  for (gsize cut = 0; cut <= length; cut += cut < 90 ? 1 : 37) {
    g_assert_true(g_file_set_contents(place.path, whole, (gssize)cut, NULL));
    gboolean again = TRUE;
    g_autofree char *all = known(&place, 5, "abc", &again, &stale);
    g_assert_true(g_str_has_prefix("1 2 3", all));
    g_autoptr(UiAuditState) state = ui_audit_state_open(&place.cli, "work INBOX", 5, "abc", &again, &stale, &error);
    g_assert_no_error(error);
    UiAuditRecord *record;
    while ((record = ui_audit_state_next(state)))
      ui_audit_record_free(record);
    g_autoptr(UiAuditRecord) fourth = record_new(4);
    g_assert_true(ui_audit_state_add(state, fourth, &error));
    g_clear_pointer(&state, ui_audit_state_free);
    again = TRUE;
    g_autofree char *after = known(&place, 5, "abc", &again, &stale);
    g_autofree char *wanted = *all ? g_strconcat(all, " 4", NULL) : g_strdup("4");
    g_assert_cmpstr(after, ==, wanted);
  }
  g_unlink(place.path);
  g_autofree char *folder = g_path_get_dirname(place.path);
  g_rmdir(folder);
  g_rmdir(place.cli.data_dir);
  g_free(place.cli.data_dir);
  g_free(place.path);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/audit/cells", test_cells);
  g_test_add_func("/audit/round", test_round);
  g_test_add_func("/audit/kinds", test_kinds);
  g_test_add_func("/audit/file", test_file);
  return g_test_run();
}
