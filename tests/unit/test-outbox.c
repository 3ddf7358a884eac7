#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "mail/outbox.h"
#include "tests/unit/local-lab.h"

/* The outbox with a local command for a server and a Maildir for the Sent copy: what is kept, and what is told. */
typedef struct {
  char *dir, *folder, *log;
  MlConfig *config;
  MlAccount *account;
  MlDriverHooks hooks;
  MlOutbox *outbox;
  GString *told; /* of the flush: "state state ..." */
  MlSource *source; /* of what is added */
} Fixture;

#define MESSAGE "From: anna@example.org\r\nMessage-ID: <one@example.org>\r\nSubject: x\r\n\r\nbody\r\n"

/* A command that logs what it is given, and ends as $CODE says; the addresses that begin with "no" get code 67. */
static const char script[] = "sh -c 'b=$(cat); for a; do r=$a; done; "
                             "case $r in no*) echo 550 no such user >&2; exit 67;; later*) exit 75;; "
                             "kill*) kill -9 $$;; esac; echo \"$r\" >>%s/log' sh";

static void
set_up(Fixture *f)
{
  memset(f, 0, sizeof *f);
  f->dir = g_dir_make_tmp("signet-outbox-XXXXXX", NULL);
  f->folder = g_build_filename(f->dir, "outbox", NULL);
  f->log = g_build_filename(f->dir, "log", NULL);
  g_autofree char *conf = g_build_filename(f->dir, "signet.conf", NULL);
  g_autofree char *command = g_strdup_printf(script, f->dir);
  g_autofree char *text = g_strdup_printf("[account work]\naddress = anna@example.org\nmaildir = Mail\nsendmail = %s\n", command);
  g_autofree char *maildir = g_build_filename(f->dir, "Mail", NULL);
  local_make_maildir(maildir);
  g_autoptr(GError) error = NULL;
  g_assert_true(g_file_set_contents(conf, text, -1, NULL));
  f->config = ml_config_load(conf, &error);
  g_assert_no_error(error);
  f->account = ml_config_account(f->config, NULL);
  f->hooks.state_dir = g_build_filename(f->dir, "state", NULL);
  f->outbox = ml_outbox_open(f->folder, &error);
  g_assert_no_error(error);
  f->told = g_string_new(NULL);
}

static void
tear_down(Fixture *f)
{
  ml_outbox_free(f->outbox);
  ml_config_free(f->config);
  tree_remove(f->dir);
  g_string_free(f->told, TRUE);
  g_free((char *)f->hooks.state_dir);
  ml_source_free(f->source);
  g_free(f->dir);
  g_free(f->folder);
  g_free(f->log);
}

/* One message to each word of @to; where two are parted by a comma, one message to both. */
static char *
add(Fixture *f, const char *to, gint64 now, guint delay)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = g_bytes_new_static(MESSAGE, strlen(MESSAGE));
  g_autoptr(GPtrArray) outgoing = g_ptr_array_new();
  g_auto(GStrv) words = g_strsplit(to, " ", -1);
  for (char **word = words; *word; word++) {
    g_auto(GStrv) addresses = g_strsplit(*word, ",", -1);
    MlOutgoing *one = g_new0(MlOutgoing, 1);
    one->from = (char *)"anna@example.org";
    one->recipients = g_ptr_array_new_with_free_func(g_free);
    one->bytes = bytes;
    for (char **address = addresses; *address; address++)
      g_ptr_array_add(one->recipients, g_strdup(*address));
    g_ptr_array_add(outgoing, one);
  }
  MlSealed sealed = { .message_id = (char *)"<one@example.org>", .subject = (char *)"x \t\xc3\xa4", .outgoing = outgoing, .copy = bytes, .source = f->source };
  char *id = ml_outbox_add(f->outbox, f->account, &sealed, now, delay, &error);
  g_assert_no_error(error);
  for (guint i = 0; i < outgoing->len; i++) {
    MlOutgoing *one = g_ptr_array_index(outgoing, i);
    g_ptr_array_unref(one->recipients);
    g_free(one);
  }
  return id;
}

static void
on_entry(const MlOutboxEntry *entry, gpointer user_data)
{
  static const char *const words[] = { "queued", "sending", "unsure", "failed", "sent" };
  Fixture *f = user_data;
  g_string_append_printf(f->told, "%s ", words[entry->state]);
}

static gint64
flush(Fixture *f, gint64 now)
{
  g_autoptr(GError) error = NULL;
  g_string_truncate(f->told, 0);
  gint64 next = ml_outbox_flush(f->outbox, f->config, &f->hooks, now, on_entry, f, NULL, &error);
  g_assert_no_error(error);
  return next;
}

static GPtrArray *
list(Fixture *f)
{
  g_autoptr(GError) error = NULL;
  GPtrArray *entries = ml_outbox_list(f->outbox, &error);
  g_assert_no_error(error);
  return entries;
}

static char *
sent_log(Fixture *f)
{
  char *text = NULL;
  return g_file_get_contents(f->log, &text, NULL, NULL) ? text : g_strdup("");
}

static guint
copies(Fixture *f)
{
  guint count = 0;
  g_autofree char *path = g_build_filename(f->dir, "Mail", ".Sent", "cur", NULL);
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  while (dir && g_dir_read_name(dir))
    count++;
  return count;
}

static void
test_sent(void)
{
  Fixture f;
  set_up(&f);
  g_autofree char *id = add(&f, "bob@example.org", 1000, 10);
  g_autoptr(GPtrArray) before = list(&f);
  g_assert_cmpuint(before->len, ==, 1);
  MlOutboxEntry *entry = g_ptr_array_index(before, 0);
  g_assert_cmpstr(entry->id, ==, id);
  g_assert_cmpstr(entry->account, ==, "work");
  g_assert_cmpstr(entry->subject, ==, "x \t\xc3\xa4");
  g_assert_cmpstr(entry->message_id, ==, "<one@example.org>");
  g_assert_cmpint(entry->state, ==, ML_OUTBOX_QUEUED);
  g_assert_cmpint(entry->due, ==, 1010);
  g_assert_true(entry->copy_due);
  g_assert_cmpuint(entry->size, ==, strlen(MESSAGE));
  g_assert_cmpint(flush(&f, 1000), ==, 1010); /* the undo delay */
  g_assert_cmpstr(f.told->str, ==, "");
  g_assert_cmpint(flush(&f, 1010), ==, 0);
  g_assert_cmpstr(f.told->str, ==, "sending sent sent ");
  g_autofree char *log = sent_log(&f);
  g_assert_cmpstr(log, ==, "bob@example.org\n");
  g_assert_cmpuint(copies(&f), ==, 1);
  g_autoptr(GPtrArray) after = list(&f);
  g_assert_cmpuint(after->len, ==, 0);
  tear_down(&f);
}

static void
test_later(void)
{
  Fixture f;
  set_up(&f);
  g_autofree char *id = add(&f, "later@example.org", 1000, 0);
  gint64 now = 1000;
  static const gint64 waits[] = { 60, 120, 240, 480, 960, 1920, 3600, 3600 };
  for (guint i = 0; i < G_N_ELEMENTS(waits); i++) {
    g_assert_cmpint(flush(&f, now), ==, now + waits[i]);
    now += waits[i];
  }
  g_autoptr(GPtrArray) entries = list(&f);
  MlOutboxEntry *entry = g_ptr_array_index(entries, 0);
  g_assert_cmpint(entry->state, ==, ML_OUTBOX_QUEUED);
  g_assert_cmpuint(entry->attempts, ==, 8);
  g_assert_nonnull(strstr(entry->words, "code 75"));
  g_assert_cmpint(flush(&f, 1000 + 6 * 24 * 3600), ==, 0); /* five days are enough */
  g_assert_cmpstr(f.told->str, ==, "sending failed ");
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) copy = NULL;
  g_assert_true(ml_outbox_cancel(f.outbox, id, &copy, &error));
  g_assert_cmpuint(g_bytes_get_size(copy), ==, strlen(MESSAGE));
  g_assert_false(ml_outbox_cancel(f.outbox, id, NULL, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  tear_down(&f);
}

/* Three messages of one entry: the refused one does not keep the others, and is not lost. */
static void
test_refused(void)
{
  Fixture f;
  set_up(&f);
  g_autofree char *id = add(&f, "bob@example.org no@example.org carol@example.org", 1000, 0);
  g_assert_cmpint(flush(&f, 1000), ==, 0);
  g_autofree char *log = sent_log(&f);
  g_assert_cmpstr(log, ==, "bob@example.org\ncarol@example.org\n");
  g_autoptr(GPtrArray) entries = list(&f);
  MlOutboxEntry *entry = g_ptr_array_index(entries, 0);
  g_assert_cmpint(entry->state, ==, ML_OUTBOX_FAILED);
  g_assert_false(entry->copy_due);
  g_assert_cmpuint(copies(&f), ==, 1);
  static const int want[] = { ML_RCPT_SENT, ML_RCPT_REFUSED, ML_RCPT_SENT };
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint(((MlOutboxRecipient *)g_ptr_array_index(entry->recipients, i))->state, ==, want[i]);
  g_assert_nonnull(strstr(((MlOutboxRecipient *)g_ptr_array_index(entry->recipients, 1))->words, "no such user"));
  g_autoptr(GError) error = NULL;
  g_assert_true(ml_outbox_retry(f.outbox, id, &error)); /* only the one that has not got it */
  flush(&f, 2000);
  g_autofree char *again = sent_log(&f);
  g_assert_cmpstr(again, ==, log);
  tear_down(&f);
}

static void
test_unsure(void)
{
  Fixture f;
  set_up(&f);
  g_autofree char *id = add(&f, "kill@example.org", 1000, 0);
  g_assert_cmpint(flush(&f, 1000), ==, 0);
  g_assert_cmpstr(f.told->str, ==, "sending unsure ");
  g_assert_cmpint(flush(&f, 99999), ==, 0); /* never by itself */
  g_assert_cmpstr(f.told->str, ==, "");
  g_autoptr(GPtrArray) entries = list(&f);
  MlOutboxEntry *entry = g_ptr_array_index(entries, 0);
  g_assert_cmpint(entry->state, ==, ML_OUTBOX_UNSURE);
  g_assert_nonnull(strstr(entry->words, "may have been sent"));
  g_autoptr(GError) error = NULL;
  g_assert_true(ml_outbox_retry(f.outbox, id, &error));
  flush(&f, 99999);
  g_assert_cmpstr(f.told->str, ==, "sending unsure ");
  tear_down(&f);
}

/* Octet after octet of the file spoilt or cut: it is named or read as it was, and the other one leaves. */
static void
test_damaged(void)
{
  Fixture f;
  set_up(&f);
  g_autofree char *id = add(&f, "bob@example.org", 1000, 100);
  g_autofree char *path = g_strconcat(f.folder, "/", id, ".entry", NULL);
  g_autofree char *text = NULL;
  gsize length;
  guint named = 0;
  g_assert_true(g_file_get_contents(path, &text, &length, NULL));
  for (gsize at = 0; at < length; at++) {
    g_autofree char *spoilt = g_memdup2(text, length);
    gboolean cut = at % 2;
    spoilt[at] ^= 0x15;
    g_assert_true(g_file_set_contents(path, spoilt, cut ? (gssize)at : (gssize)length, NULL));
    g_autoptr(GPtrArray) entries = list(&f);
    g_assert_cmpuint(entries->len, ==, 1);
    MlOutboxEntry *entry = g_ptr_array_index(entries, 0);
    g_assert_cmpstr(entry->id, ==, id);
    named += entry->state == ML_OUTBOX_FAILED && strstr(entry->words, path) != NULL;
    g_assert_true(entry->state == ML_OUTBOX_FAILED || strcmp(entry->account, "work") == 0);
  }
  g_assert_cmpuint(named, >, length / 2);
  /* A message whose octets changed is not sent. */
  char *body = g_strstr_len(text, (gssize)length, "body");
  g_assert_nonnull(body);
  *body = 'B';
  g_assert_true(g_file_set_contents(path, text, (gssize)length, NULL));
  g_autofree char *good = add(&f, "carol@example.org", 1000, 0);
  flush(&f, 5000);
  g_autofree char *log = sent_log(&f);
  g_assert_cmpstr(log, ==, "carol@example.org\n");
  g_autoptr(GPtrArray) entries = list(&f);
  g_assert_cmpuint(entries->len, ==, 1);
  g_assert_nonnull(strstr(((MlOutboxEntry *)g_ptr_array_index(entries, 0))->words, "damaged"));
  tear_down(&f);
}

/* A record that was only half written never was. */
static void
test_torn(void)
{
  Fixture f;
  set_up(&f);
  g_autofree char *id = add(&f, "later@example.org", 1000, 0);
  flush(&f, 1000);
  g_autofree char *path = g_strconcat(f.folder, "/", id, ".entry", NULL);
  g_autofree char *text = NULL;
  gsize length;
  g_assert_true(g_file_get_contents(path, &text, &length, NULL));
  for (gsize cut = 1; cut < 60; cut++) {
    g_assert_true(g_file_set_contents(path, text, (gssize)(length - cut), NULL));
    g_autoptr(GPtrArray) entries = list(&f);
    MlOutboxEntry *entry = g_ptr_array_index(entries, 0);
    /* what stands there now is the dot, before the answer */
    g_assert_cmpint(entry->state, ==, ML_OUTBOX_UNSURE);
    g_autoptr(GError) error = NULL;
    g_assert_true(ml_outbox_retry(f.outbox, id, &error));
    g_autoptr(GPtrArray) later = list(&f);
    g_assert_cmpint(((MlOutboxEntry *)g_ptr_array_index(later, 0))->state, ==, ML_OUTBOX_QUEUED);
  }
  tear_down(&f);
}

/* ---- what it answers is marked once it has left */

static gboolean
take_uid(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  guint32 *uid = user_data;
  (void)done;
  (void)total;
  *uid = headers->len ? ((MlHeader *)g_ptr_array_index(headers, 0))->uid : 0;
  g_ptr_array_unref(headers);
  return TRUE;
}

/* Puts a message into the Maildir, as the one that what is added from now on answers. */
static void
answer_one(Fixture *f, gboolean forwarded)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = g_build_filename(f->dir, "Mail", "new", "1.one.host", NULL);
  g_assert_true(g_file_set_contents(path, MESSAGE, -1, NULL));
  g_autoptr(MlDriver) driver = ml_driver_new(f->account, &f->hooks);
  MlSelected selected;
  guint32 uid = 0;
  g_assert_true(ml_driver_select(driver, "INBOX", &selected, &error));
  g_assert_true(ml_driver_headers(driver, 0, 10, take_uid, &uid, &error));
  g_assert_no_error(error);
  ml_source_free(f->source);
  f->source = ml_source_new("work", "INBOX", selected.uidvalidity, uid, forwarded);
  g_assert_nonnull(f->source);
}

/* The letters behind the ",2," of its name. */
static char *
marks(Fixture *f)
{
  static const char *const subs[] = { "new", "cur" };
  for (guint i = 0; i < G_N_ELEMENTS(subs); i++) {
    g_autofree char *path = g_build_filename(f->dir, "Mail", subs[i], NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));) {
      const char *info = strstr(name, ":2,");
      if (g_str_has_prefix(name, "1.one"))
        return g_strdup(info ? info + 3 : "");
    }
  }
  return g_strdup("gone");
}

static void
test_answered(void)
{
  for (guint forwarded = 0; forwarded < 2; forwarded++) {
    Fixture f;
    set_up(&f);
    answer_one(&f, forwarded != 0);
    g_autofree char *id = add(&f, "later@example.org", 1000, 0);
    flush(&f, 1000);
    g_autofree char *before = marks(&f);
    g_assert_cmpstr(before, ==, ""); /* it has not left */
    g_autoptr(GPtrArray) entries = list(&f);
    const MlOutboxEntry *entry = g_ptr_array_index(entries, 0);
    g_assert_true(entry->mark_due);
    g_assert_cmpstr(entry->source->folder, ==, "INBOX");
    g_assert_cmpuint(entry->source->uid, ==, f.source->uid);
    g_assert_cmpuint(entry->source->uidvalidity, ==, f.source->uidvalidity);
    g_assert_cmpint(entry->source->forwarded, ==, (int)forwarded);
    g_autoptr(GError) error = NULL;
    g_assert_true(ml_outbox_cancel(f.outbox, id, NULL, &error));
    g_autofree char *cancelled = marks(&f);
    g_assert_cmpstr(cancelled, ==, "");
    g_autofree char *next = add(&f, "bob@example.org no@example.org", 1000, 0); /* some have it */
    flush(&f, 1000);
    g_autofree char *after = marks(&f);
    g_assert_cmpstr(after, ==, forwarded ? "P" : "R");
    g_autoptr(GPtrArray) kept = list(&f);
    g_assert_false(((MlOutboxEntry *)g_ptr_array_index(kept, 0))->mark_due);
    tear_down(&f);
  }
}

/* Gone, or numbered anew: nothing is marked, and nothing is kept for it. */
static void
test_answered_gone(void)
{
  for (guint way = 0; way < 3; way++) {
    Fixture f;
    set_up(&f);
    answer_one(&f, FALSE);
    if (way == 0)
      f.source->uidvalidity++;
    else if (way == 1)
      f.source->uid += 1000;
    else {
      g_free(f.source->folder);
      f.source->folder = g_strdup("Elsewhere");
    }
    g_autofree char *id = add(&f, "bob@example.org", 1000, 0);
    g_assert_cmpint(flush(&f, 1000), ==, 0);
    g_autofree char *after = marks(&f);
    g_assert_cmpstr(after, ==, "");
    g_autoptr(GPtrArray) entries = list(&f);
    g_assert_cmpuint(entries->len, ==, 0);
    tear_down(&f);
  }
}

/* An entry as it was written before there was a source, octet for octet: still read, and sent. */
static void
test_former(void)
{
  static const char former[] =
      "signet-outbox 1\n"
      "0000000244\n"
      "E\t=work\t=<one@example.org>\t=x\t1795327925\t0\n"
      "M\t0\t135\te4ef0733a2d767cada53aecd319506e4829b9fc47b1ae0433eccddcea0c40bfe\t=anna@example.org\t=bob@example.org\n"
      "C\t0\t135\te4ef0733a2d767cada53aecd319506e4829b9fc47b1ae0433eccddcea0c40bfe\t\n"
      "S\t860c5050177f5485\n"
      "From: anna@example.org\r\n"
      "To: bob@example.org\r\n"
      "Message-ID: <one@example.org>\r\n"
      "Subject: x\r\n"
      "Date: Sun, 22 Nov 2026 06:00:00 +0000\r\n"
      "\r\n"
      "body\r\n"
      "\n"
      "R\t0\t1795327925\t0\t1\t-1\t\t0\t\t41422f73bb41e991\n"
      "\n"
      "R\t0\t1795327985\t1\t1\t-1\t=/bin/false ended with code 1.\t0\t=/bin/false ended with code 1\t7884c035811d960c\n";
  Fixture f;
  set_up(&f);
  g_autofree char *path = g_build_filename(f.folder, "1k80u471ht1o.entry", NULL);
  g_assert_true(g_file_set_contents(path, former, -1, NULL));
  g_autoptr(GPtrArray) entries = list(&f);
  g_assert_cmpuint(entries->len, ==, 1);
  const MlOutboxEntry *entry = g_ptr_array_index(entries, 0);
  g_assert_cmpint(entry->state, ==, ML_OUTBOX_QUEUED);
  g_assert_cmpstr(entry->subject, ==, "x");
  g_assert_cmpuint(entry->attempts, ==, 1);
  g_assert_cmpint(entry->due, ==, 1795327985);
  g_assert_true(entry->copy_due);
  g_assert_null(entry->source);
  g_assert_cmpint(flush(&f, 1795327985), ==, 0);
  g_autofree char *log = sent_log(&f);
  g_assert_cmpstr(log, ==, "bob@example.org\n");
  g_assert_cmpuint(copies(&f), ==, 1);
  tear_down(&f);
}

/* The line that tells the source stands before its record, where an older signet passes over it; a torn one takes
 * nothing with it but the mark. */
static void
test_source_line(void)
{
  Fixture f;
  set_up(&f);
  f.source = ml_source_new("work", "IN\tBOX \xc3\xa4", 7, 9, TRUE);
  g_autofree char *id = add(&f, "later@example.org", 1000, 0);
  flush(&f, 1000);
  g_autofree char *path = g_strconcat(f.folder, "/", id, ".entry", NULL);
  g_autofree char *text = NULL;
  gsize length;
  g_assert_true(g_file_get_contents(path, &text, &length, NULL));
  g_autoptr(GPtrArray) before = list(&f);
  g_assert_cmpstr(((MlOutboxEntry *)g_ptr_array_index(before, 0))->source->folder, ==, "IN\tBOX \xc3\xa4");
  char *last = g_strrstr_len(text, (gssize)length, "\nA\t");
  g_assert_nonnull(last);
  g_assert_nonnull(strstr(last, "\nR\t"));
  last[4] ^= 1;
  g_assert_true(g_file_set_contents(path, text, (gssize)length, NULL));
  g_autoptr(GPtrArray) entries = list(&f);
  const MlOutboxEntry *entry = g_ptr_array_index(entries, 0);
  g_assert_cmpint(entry->state, ==, ML_OUTBOX_QUEUED);
  g_assert_cmpuint(entry->attempts, ==, 1);
  g_assert_null(entry->source);
  g_assert_false(entry->mark_due);
  tear_down(&f);
}

/* Who has it and who has not, in words, and for who takes it back. */
static void
test_partial(void)
{
  Fixture f;
  set_up(&f);
  g_autofree char *id = add(&f, "bob@example.org no@example.org carol@example.org", 1000, 0);
  flush(&f, 1000);
  g_autoptr(GPtrArray) entries = list(&f);
  MlOutboxEntry *entry = g_ptr_array_index(entries, 0);
  g_assert_true(ml_outbox_is_partial(entry));
  g_assert_cmpuint(entry->attempts, ==, 1);
  g_autofree char *outcome = ml_outbox_outcome(entry);
  g_assert_true(g_str_has_prefix(outcome, "sent to 2 of 3; REFUSED: no@example.org ("));
  g_assert_nonnull(strstr(outcome, "550 no such user)."));
  g_assert_cmpstr(entry->words, ==, outcome);
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) copy = NULL;
  MlOutboxEntry *taken = NULL;
  g_assert_true(ml_outbox_take_back(f.outbox, id, &copy, &taken, &error));
  g_assert_cmpuint(taken->recipients->len, ==, 3);
  g_assert_cmpint(((MlOutboxRecipient *)g_ptr_array_index(taken->recipients, 0))->state, ==, ML_RCPT_SENT);
  g_assert_cmpint(((MlOutboxRecipient *)g_ptr_array_index(taken->recipients, 1))->state, ==, ML_RCPT_REFUSED);
  ml_outbox_entry_free(taken);
  /* One has it, one is to be tried again, when it is taken back: the copy is kept, the rest never sent. */
  g_autofree char *second = add(&f, "dora@example.org later@example.org", 2000, 0);
  flush(&f, 2000);
  g_autoptr(GPtrArray) waiting = list(&f);
  g_autofree char *so_far = ml_outbox_outcome(g_ptr_array_index(waiting, 0));
  g_assert_true(g_str_has_prefix(so_far, "sent to 1 of 2; not yet: later@example.org ("));
  g_assert_true(ml_outbox_take_back(f.outbox, second, NULL, &taken, &error));
  g_assert_cmpint(((MlOutboxRecipient *)g_ptr_array_index(taken->recipients, 0))->state, ==, ML_RCPT_SENT);
  ml_outbox_entry_free(taken);
  flush(&f, 2000);
  g_assert_cmpuint(copies(&f), ==, 1); /* one: both have the same Message-ID */
  g_autoptr(GPtrArray) none = list(&f);
  g_assert_cmpuint(none->len, ==, 0);
  g_autofree char *log = sent_log(&f);
  g_assert_cmpstr(log, ==, "bob@example.org\ncarol@example.org\ndora@example.org\n");
  tear_down(&f);
}

/* While another signet works on it. */
static void
test_locked(void)
{
  Fixture f;
  set_up(&f);
  g_autofree char *id = add(&f, "bob@example.org", 1000, 0);
  g_autofree char *path = g_strconcat(f.folder, "/", id, ".entry", NULL);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  g_assert_cmpint(flock(fd, LOCK_EX), ==, 0);
  g_autoptr(GPtrArray) entries = list(&f);
  g_assert_cmpint(((MlOutboxEntry *)g_ptr_array_index(entries, 0))->state, ==, ML_OUTBOX_SENDING);
  g_autoptr(GError) error = NULL;
  g_assert_false(ml_outbox_cancel(f.outbox, id, NULL, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_cmpint(flush(&f, 1000), ==, 1060);
  close(fd);
  flush(&f, 1000);
  g_autofree char *log = sent_log(&f);
  g_assert_cmpstr(log, ==, "bob@example.org\n");
  tear_down(&f);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/outbox/sent", test_sent);
  g_test_add_func("/outbox/later", test_later);
  g_test_add_func("/outbox/refused", test_refused);
  g_test_add_func("/outbox/unsure", test_unsure);
  g_test_add_func("/outbox/damaged", test_damaged);
  g_test_add_func("/outbox/torn", test_torn);
  g_test_add_func("/outbox/locked", test_locked);
  g_test_add_func("/outbox/answered", test_answered);
  g_test_add_func("/outbox/answered-gone", test_answered_gone);
  g_test_add_func("/outbox/former", test_former);
  g_test_add_func("/outbox/source-line", test_source_line);
  g_test_add_func("/outbox/partial", test_partial);
  return g_test_run();
}
