#include "ui/audit.h"

#include <stdio.h>
#include <string.h>

#include "ui/text.h"

/* Of one sender. */
typedef struct {
  guint counts[UI_AUDIT_KINDS], messages;
} Sender;

static const char *const kinds[UI_AUDIT_KINDS] = { "good", "warn", "bad", "unsigned", "encrypted", "unreadable" };

/* --- CSV: RFC 4180, and nothing that a spreadsheet would compute */

static gboolean
is_formula(const char *text)
{
  static const gunichar wide[] = { 0xff1d, 0xff0b, 0xff0d, 0xff20 }; /* = + - @ of East Asian input */
  if (!*text)
    return FALSE;
  if (strchr("=+-@\t\r\n", *text))
    return TRUE;
  gunichar first = g_utf8_get_char(text);
  for (guint i = 0; i < G_N_ELEMENTS(wide); i++)
    if (first == wide[i])
      return TRUE;
  return FALSE;
}

char *
ui_audit_csv_cell(const char *text)
{
  gboolean formula = is_formula(text);
  if (!strpbrk(text, ",\"\r\n") && !formula)
    return g_strdup(text);
  GString *cell = g_string_new("\"");
  g_string_append(cell, formula ? "'" : "");
  for (const char *c = text; *c; c++)
    g_string_append_printf(cell, *c == '"' ? "\"\"" : "%c", *c);
  g_string_append_c(cell, '"');
  return g_string_free(cell, FALSE);
}

static void
put_cell(const char *text, gboolean last)
{
  g_autofree char *cell = ui_audit_csv_cell(text ? text : "");
  fputs(cell, stdout);
  fputs(last ? "\r\n" : ",", stdout);
}

static void
put_words(char **words, const char *between)
{
  g_autofree char *all = words ? g_strjoinv(between, words) : NULL;
  put_cell(all, FALSE);
}

static void
put_time(gint64 time)
{
  g_autoptr(GDateTime) date = time ? g_date_time_new_from_unix_utc(time) : NULL;
  g_autofree char *text = date ? g_date_time_format(date, "%Y-%m-%dT%H:%M:%SZ") : NULL;
  put_cell(text, FALSE);
}

static void
csv_record(const UiAuditRecord *record)
{
  put_cell(record->account, FALSE);
  put_cell(record->folder, FALSE);
  printf("%u,", record->uid);
  put_time(record->received);
  put_time(record->date);
  put_cell(record->from, FALSE);
  put_cell(record->address, FALSE);
  put_cell(record->subject, FALSE);
  put_cell(record->then_indicator, FALSE);
  put_cell(record->then_signature, FALSE);
  put_words(record->then_errors, " ");
  put_cell(record->indicator, FALSE);
  put_cell(record->signature, FALSE);
  put_cell(record->encryption, FALSE);
  put_cell(record->signer_address, FALSE);
  put_words(record->trust_errors, " ");
  put_cell(record->reason, FALSE);
  put_words(record->warnings, " ");
  put_cell(record->error, TRUE);
}

/* --- the table */

static void
table_record(const UiAuditRecord *record)
{
  g_autoptr(GDateTime) date = record->received ? g_date_time_new_from_unix_local(record->received) : NULL;
  g_autofree char *day = date ? g_date_time_format(date, "%Y-%m-%d") : g_strdup("?");
  const char *author = record->address && *record->address ? record->address : record->from ? record->from : "";
  g_autofree char *safe = ui_text_line(author), *fit = ui_text_fit(safe, 28);
  const char *said = record->error                                            ? record->error
                     : !strcmp(record->indicator, "none") && record->warnings[0] ? record->warnings[0]
                                                                              : record->reason;
  g_autofree char *words = ui_text_line(said);
  gboolean encrypted = record->encryption && strcmp(record->encryption, ml_encryption_word(ML_ENCRYPTION_NONE)) &&
                       strcmp(record->encryption, ml_encryption_word(ML_ENCRYPTION_ERRANT));
  printf("%7u  %-10s  %-5s %-5s %c  %s  %s\n", record->uid, day, record->then_indicator ? record->then_indicator : "?",
         record->error ? "?" : record->indicator, encrypted ? 'E' : ' ', fit, words);
}

/* --- by sender */

static void
count_sender(UiAuditPrint *print, const UiAuditRecord *record)
{
  const char *address = record->address ? record->address : "";
  Sender *sender = g_hash_table_lookup(print->senders, address);
  if (!sender) {
    sender = g_new0(Sender, 1);
    g_hash_table_insert(print->senders, g_strdup(address), sender);
  }
  sender->counts[ui_audit_kind(record)]++;
  sender->messages++;
}

/* Who has most that is not right comes first. */
static gint
compare_senders(gconstpointer a, gconstpointer b, gpointer data)
{
  static const UiAuditKind order[] = { UI_AUDIT_BAD, UI_AUDIT_WARN };
  const char *first = *(const char *const *)a, *second = *(const char *const *)b;
  const Sender *x = g_hash_table_lookup(data, first), *y = g_hash_table_lookup(data, second);
  for (guint i = 0; i < G_N_ELEMENTS(order); i++)
    if (x->counts[order[i]] != y->counts[order[i]])
      return x->counts[order[i]] > y->counts[order[i]] ? -1 : 1;
  return x->messages != y->messages ? (x->messages > y->messages ? -1 : 1) : strcmp(first, second);
}

static void
print_sender(const UiAuditPrint *print, const char *address, const Sender *sender)
{
  if (print->form == UI_AUDIT_JSON) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "from_address", address);
    ui_json_int(json, "messages", sender->messages);
    for (guint i = 0; i < UI_AUDIT_KINDS; i++)
      ui_json_int(json, kinds[i], sender->counts[i]);
    ui_json_print(json);
    return;
  }
  if (print->form == UI_AUDIT_CSV) {
    put_cell(address, FALSE);
    printf("%u", sender->messages);
    for (guint i = 0; i < UI_AUDIT_KINDS; i++)
      printf(",%u", sender->counts[i]);
    fputs("\r\n", stdout);
    return;
  }
  g_autofree char *safe = ui_text_line(*address ? address : "(no one author)");
  printf("%8u", sender->messages);
  for (guint i = 0; i < UI_AUDIT_KINDS; i++)
    printf(" %*u", (int)MAX(strlen(kinds[i]), 5), sender->counts[i]);
  printf("  %s\n", safe);
}

static void
print_senders(UiAuditPrint *print)
{
  g_autoptr(GPtrArray) addresses = g_ptr_array_new();
  GHashTableIter iter;
  gpointer address;
  g_hash_table_iter_init(&iter, print->senders);
  while (g_hash_table_iter_next(&iter, &address, NULL))
    g_ptr_array_add(addresses, address);
  g_ptr_array_sort_with_data(addresses, compare_senders, print->senders);
  if (print->form == UI_AUDIT_TABLE) {
    fputs("messages", stdout);
    for (guint i = 0; i < UI_AUDIT_KINDS; i++)
      printf(" %*s", (int)MAX(strlen(kinds[i]), 5), kinds[i]);
    puts("  from");
  }
  for (guint i = 0; i < addresses->len; i++)
    print_sender(print, addresses->pdata[i], g_hash_table_lookup(print->senders, addresses->pdata[i]));
}

/* --- all of them */

void
ui_audit_print_begin(UiAuditPrint *print)
{
  if (print->by_sender)
    print->senders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  if (print->form == UI_AUDIT_CSV && print->by_sender)
    fputs("from_address,messages,good,warn,bad,unsigned,encrypted,unreadable\r\n", stdout);
  else if (print->form == UI_AUDIT_CSV)
    fputs("account,folder,uid,received,date,from,from_address,subject,then_indicator,then_signature,"
          "then_trust_errors,indicator,signature,encryption,signer_address,trust_errors,reason,warnings,error\r\n",
          stdout);
}

void
ui_audit_print_folder(UiAuditPrint *print, const char *account, const char *folder)
{
  if (print->form != UI_AUDIT_TABLE || print->by_sender)
    return;
  g_autofree char *place = g_strdup_printf("%s/%s", account, folder), *safe = ui_text_line(place);
  printf("%s\n%7s  %-10s  %-5s %-5s %c  %-28s  %s\n", safe, "uid", "received", "then", "now", ' ', "from", "why");
}

static int
rank(const char *indicator)
{
  return !strcmp(indicator, "good") ? 3 : !strcmp(indicator, "none") ? 2 : !strcmp(indicator, "warn") ? 1 : 0;
}

void
ui_audit_print_record(UiAuditPrint *print, const UiAuditRecord *record)
{
  print->counts[ui_audit_kind(record)]++;
  if (!record->error && record->then_indicator) {
    print->worse += rank(record->indicator) < rank(record->then_indicator);
    print->better += rank(record->indicator) > rank(record->then_indicator);
  }
  if (print->by_sender) {
    count_sender(print, record);
  } else if (print->form == UI_AUDIT_JSON) {
    JsonBuilder *json = ui_json_new();
    ui_audit_record_json(record, json, FALSE);
    ui_json_print(json);
  } else if (print->form == UI_AUDIT_CSV) {
    csv_record(record);
  } else {
    table_record(record);
  }
}

void
ui_audit_print_end(UiAuditPrint *print)
{
  if (print->by_sender)
    print_senders(print);
  g_clear_pointer(&print->senders, g_hash_table_unref);
}
