/* A draft becomes MIME, and our own reader finds in it what was put in. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/draft.h"
#include "mail/mime-private.h"

static MlAccount account = { .name = (char *)"work",
                             .address = (char *)"anna@example.org",
                             .display_name = (char *)"Anna Keller",
                             .flowed = TRUE };

static const MlBuildOptions options = { .date = 1763776800, .boundary_seed = 7 };

static MlDraft *
new_draft(const char *subject, const char *text)
{
  MlDraft *draft = ml_draft_new(&account);
  g_free(draft->to);
  g_free(draft->subject);
  g_free(draft->text);
  draft->to = g_strdup("Bob Mwangi <bob@example.net>");
  draft->subject = g_strdup(subject);
  draft->text = g_strdup(text);
  return draft;
}

static void
set(char **field, const char *value)
{
  g_free(*field);
  *field = g_strdup(value);
}

/* No transport may have a reason to change these octets. */
static void
assert_safe(GBytes *bytes, gboolean utf8, gboolean is_signed)
{
  gsize length = 0;
  const char *data = g_bytes_get_data(bytes, &length);
  gsize column = 0;
  for (gsize i = 0; i < length; i++) {
    if (data[i] == '\n')
      g_assert_true(i && data[i - 1] == '\r');
    if (data[i] == '\r')
      g_assert_true(i + 1 < length && data[i + 1] == '\n');
    g_assert_true(data[i] && (utf8 || (guchar)data[i] < 128));
    column = data[i] == '\n' ? 0 : column + 1;
    g_assert_cmpuint(column, <=, 999);
    if (!column && i + 5 < length)
      g_assert_true(memcmp(data + i + 1, "From ", 5) != 0);
    if (is_signed && data[i] == '\r' && i)
      g_assert_true(data[i - 1] != ' ' && data[i - 1] != '\t');
  }
}

static GBytes *
build(MlDraft *draft, gboolean *utf8)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlBuilt) built = ml_draft_build(draft, &options, &error);
  g_assert_no_error(error);
  GBytes *bytes = ml_draft_join(built->fields, built->entity);
  assert_safe(bytes, built->utf8, draft->sign);
  if (utf8)
    *utf8 = built->utf8;
  return bytes;
}

static MlMessage *
read_back(GBytes *bytes)
{
  g_autoptr(GError) error = NULL;
  const MlReadOptions how = { .at = 1763776800 };
  MlMessage *message = ml_message_read(bytes, &how, NULL, &error);
  g_assert_no_error(error);
  return message;
}

static char *
text_of(GBytes *bytes)
{
  return g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static void
test_plain(void)
{
  g_autoptr(MlDraft) draft = new_draft("Hello", "Good morning,\n\nthis is all.\n");
  set(&draft->bcc, "Secret <secret@example.com>");
  g_autoptr(GBytes) bytes = build(draft, NULL);
  g_autofree char *text = text_of(bytes);
  g_assert_null(strstr(text, "ecret"));
  g_assert_null(strstr(text, "User-Agent"));
  g_assert_nonnull(strstr(text,
                          "\r\nContent-Type: text/plain; charset=us-ascii; format=flowed\r\n"
                          "Content-Transfer-Encoding: 7bit\r\n\r\nGood morning,\r\n\r\nthis is all.\r\n"));
  g_assert_true(
      g_str_has_prefix(text, "From: Anna Keller <anna@example.org>\r\nTo: Bob Mwangi <bob@example.net>\r\n"
                             "Subject: Hello\r\nDate: "));
  g_assert_true(g_str_has_suffix(draft->message_id, "@example.org>"));
  g_autoptr(MlDraft) again = new_draft("Hello", "Good morning,\n\nthis is all.\n");
  g_autoptr(GBytes) same = build(again, NULL);
  g_assert_true(g_bytes_equal(same, bytes)); /* follows from the seed */
}

static void
test_chance(void)
{
  const MlBuildOptions now = { .date = 1763776800 };
  g_autoptr(MlDraft) one = new_draft("a", "b"), two = new_draft("a", "b");
  g_autoptr(MlBuilt) first = ml_draft_build(one, &now, NULL), second = ml_draft_build(two, &now, NULL);
  g_assert_nonnull(first);
  g_assert_nonnull(second);
  g_assert_cmpstr(one->message_id, !=, two->message_id);
  g_autofree char *kept = g_strdup(one->message_id);
  g_autoptr(MlBuilt) third = ml_draft_build(one, &now, NULL);
  g_assert_nonnull(third);
  g_assert_cmpstr(one->message_id, ==, kept);
}

/* Texts in many scripts, through every encoding, in body and Subject. */
static void
test_texts(void)
{
  static const char *const texts[] = {
    "",
    "one line",
    "Grüße aus München",
    "日本語のテキスト。とても長い行がここにあります。日本語のテキスト。とても長い行がここにあります。日本語の"
    "テキスト。",
    "Текст на русском языке, с ASCII words between.",
    "emoji \360\237\230\200 and = signs == =3D =?utf-8?q?no?=",
    "=?utf-8?q?looks_encoded?=",
    "From here on\n.\n.dot\n..two\nFrom \ntrailing  \nend",
    "a\tb\t\nc \n\n\n\nd",
    "x",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
    for (guint how = 0; how < 4; how++) {
      g_autofree char *subject = g_strdup(texts[i]);
      g_strdelimit(subject, "\n", ' ');
      g_strchomp(subject);
      g_autoptr(MlDraft) draft = new_draft(subject, texts[i]);
      draft->flowed = how & 1;
      draft->sign = (how & 2) != 0;
      g_autoptr(GBytes) bytes = build(draft, NULL);
      g_autoptr(MlMessage) message = read_back(bytes);
      const char *got = ml_message_header(message, "Subject");
      g_autofree char *plain = g_strdup(got ? got : "");
      g_assert_cmpstr(plain, ==, subject);
      g_autofree char *shown = ml_message_part_text(message, 0, NULL);
      g_autofree char *wanted = g_strchomp(g_strdup(texts[i]));
      if (!draft->flowed)
        g_assert_cmpstr(shown, ==, wanted);
    }
  }
}

static void
test_long(void)
{
  g_autofree char *word = g_strnfill(5000, 'x');
  g_autofree char *subject = g_strdup_printf("%s and %s end", word, word);
  g_autofree char *text = g_strdup_printf("%s\n%s %s\n", word, word, word);
  for (guint flowed = 0; flowed < 2; flowed++) {
    g_autoptr(MlDraft) draft = new_draft(subject, text);
    draft->flowed = flowed;
    g_autoptr(GBytes) bytes = build(draft, NULL);
    g_autoptr(MlMessage) message = read_back(bytes);
    g_assert_cmpstr(ml_message_header(message, "Subject"), ==, subject);
    g_autofree char *shown = ml_message_part_text(message, 0, NULL), *wanted = g_strchomp(g_strdup(text));
    g_assert_cmpstr(shown, ==, wanted);
  }
}

static void
test_flowed(void)
{
  static const char text[] = "A paragraph that was typed as one long line, as people do, and that is broken "
                             "softly on its way so that old "
                             "programs show it well.\n"
                             "\n"
                             "> Quoted text that is long as well, and that must stay in its quote when it is "
                             "broken softly on its way out.\n"
                             " indented\n"
                             "From here\n"
                             "-- \n"
                             "Anna\n";
  g_autoptr(MlDraft) draft = new_draft("f", text);
  g_autoptr(GBytes) bytes = build(draft, NULL);
  g_autofree char *raw = text_of(bytes);
  const char *body = strstr(raw, "\r\n\r\n") + 4;
  for (const char *line = body; *line; line = strstr(line, "\r\n") + 2)
    g_assert_cmpuint((gsize)(strstr(line, "\r\n") - line), <=, 78);
  g_assert_nonnull(strstr(body, "\r\n  indented\r\n From here\r\n-- \r\nAnna\r\n"));
  g_autoptr(MlMessage) message = read_back(bytes);
  g_autofree char *shown = ml_message_part_text(message, 0, NULL), *wanted = g_strchomp(g_strdup(text));
  g_assert_cmpstr(shown, ==, wanted);
}

static void
test_addresses(void)
{
  g_autoptr(MlDraft) draft = new_draft("a", "b");
  set(&draft->to,
      "\"Keller, Anna\" <anna@EXAMPLE.org>, Jürgen Müller <J.Mueller@münchen.example>, plain@example.com, "
      "A very long display name that goes on and on until it is longer than a line <long@example.org>, "
      "team: one@example.org, two@example.org;");
  set(&draft->cc, "ANNA@example.org, \"=?x?q?y?=\" <c@example.org>");
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) boxes = ml_draft_mailboxes(draft, &error);
  g_assert_no_error(error);
  static const char *const wanted[] = { "anna@example.org",  "J.Mueller@xn--mnchen-3ya.example",
                                        "plain@example.com", "long@example.org",
                                        "one@example.org",   "two@example.org",
                                        "c@example.org" };
  g_assert_cmpuint(boxes->len, ==, G_N_ELEMENTS(wanted));
  for (guint i = 0; i < boxes->len; i++)
    g_assert_cmpstr(((MlMailbox *)boxes->pdata[i])->address, ==, wanted[i]);
  g_assert_cmpstr(((MlMailbox *)boxes->pdata[0])->display, ==, "\"Keller, Anna\" <anna@example.org>");
  g_assert_cmpint(((MlMailbox *)boxes->pdata[6])->field, ==, ML_CC);
  gboolean utf8 = TRUE;
  g_autoptr(GBytes) bytes = build(draft, &utf8);
  g_assert_false(utf8);
  g_autoptr(MlMessage) message = read_back(bytes);
  g_assert_nonnull(
      strstr(ml_message_header(message, "To"), "Jürgen Müller <J.Mueller@xn--mnchen-3ya.example>"));
  set(&draft->to, "用户@例え.jp");
  g_autoptr(GBytes) wide = build(draft, &utf8);
  g_assert_true(utf8);
  g_autofree char *raw = text_of(wide);
  g_assert_nonnull(strstr(raw, "To: 用户@xn--r8jz45g.jp\r\n"));
}

static void
assert_refused(MlDraft *draft, const char *words)
{
  g_autoptr(GError) error = NULL;
  g_assert_false(ml_draft_check(draft, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  if (!strstr(error->message, words))
    g_error("\"%s\" does not say \"%s\"", error->message, words);
  g_clear_error(&error);
  g_assert_null(ml_draft_build(draft, &options, &error));
  g_assert_nonnull(error);
}

static void
test_refused(void)
{
  g_autoptr(MlDraft) draft = new_draft("a", "b");
  set(&draft->to, "");
  assert_refused(draft, "nobody");
  set(&draft->to, "Müller, Hans <h@example.org>");
  assert_refused(draft, "\"Müller\"");
  set(&draft->to, "a@b\r\nBcc: c@d");
  assert_refused(draft, "line end");
  set(&draft->to, "a@b");
  set(&draft->subject, "x\nBcc: evil@example.org");
  assert_refused(draft, "line end");
  set(&draft->subject, "ok");
  set(&draft->from, "a@b, c@d");
  assert_refused(draft, "several");
  set(&draft->from, "a@b");
  g_ptr_array_add(draft->more, ml_draft_header_new("Content-Type", "text/html"));
  assert_refused(draft, "Content-Type");
  g_ptr_array_set_size(draft->more, 0);
  g_ptr_array_add(draft->more, ml_draft_header_new("X: Y", "z"));
  assert_refused(draft, "cannot be set");
  g_ptr_array_set_size(draft->more, 0);
  GString *many = g_string_new(NULL);
  for (guint i = 0; i < 100000; i++)
    g_string_append_printf(many, "a%u@example.org,", i);
  g_free(draft->to);
  draft->to = g_string_free(many, FALSE);
  assert_refused(draft, "To ");
}

static void
test_attachments(void)
{
  g_autoptr(MlDraft) draft = new_draft("files", "see there\n");
  g_autoptr(GString) big = g_string_new(NULL);
  for (guint i = 0; i < 3000000; i++)
    g_string_append_c(big, (char)(i * 7 + i / 256));
  static const char latin1[] = "gr\374n\nblau\n", message_text[] = "Subject: inner\n\nhello\n";
  g_autoptr(GBytes) one = g_bytes_new(big->str, big->len), two = g_bytes_new_static(latin1, strlen(latin1)),
                    three = g_bytes_new_static(message_text, strlen(message_text)),
                    none = g_bytes_new(NULL, 0);
  g_ptr_array_add(
      draft->attachments,
      ml_attachment_new(
          one, "Überblick \"2027\" mit einem sehr langen Namen, der nicht in eine Zeile passt.bin", NULL));
  g_ptr_array_add(draft->attachments, ml_attachment_new(two, "farben.txt", "text/plain; charset=iso-8859-1"));
  g_ptr_array_add(draft->attachments, ml_attachment_new(three, NULL, "message/rfc822"));
  g_ptr_array_add(draft->attachments, ml_attachment_new(none, "empty", NULL));
  ((MlAttachment *)draft->attachments->pdata[1])->description = g_strdup("Farben für alle");
  g_autoptr(GBytes) bytes = build(draft, NULL);
  g_autoptr(MlMessage) message = read_back(bytes);
  GPtrArray *parts = ml_message_parts(message);
  const MlPart *bin = parts->pdata[2], *text = parts->pdata[3], *inner = parts->pdata[4];
  g_assert_cmpstr(bin->name, ==,
                  "Überblick \"2027\" mit einem sehr langen Namen, der nicht in eine Zeile passt.bin");
  g_autoptr(GBytes) got = ml_message_part_content(message, 2, NULL),
                    latin = ml_message_part_content(message, 3, NULL);
  g_assert_true(g_bytes_equal(got, one));
  g_assert_true(g_bytes_equal(latin, two));
  g_assert_cmpstr(text->charset, ==, "iso-8859-1");
  g_assert_cmpstr(text->description, ==, "Farben für alle");
  g_assert_cmpstr(inner->type, ==, "message/rfc822");
}

static void
test_types(void)
{
  static const struct {
    const char *content, *name, *type;
  } rows[] = {
    { "%PDF-1.4\n%\342\343\317\323\n", "a.pdf", "application/pdf" },
    { "plain words\n", "a", "text/plain; charset=us-ascii" },
    { "gr\303\274n\n", "a.txt", "text/plain; charset=utf-8" },
    { "gr\374n ist die Farbe\n", "a.txt", "text/plain; charset=iso-8859-1" },
    { "a,b\n1,2\n", "t.csv", "text/csv; charset=us-ascii" },
    { "GIF89a\001\002", "a.gif", "image/gif" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GBytes) content = g_bytes_new_static(rows[i].content, strlen(rows[i].content));
    g_autoptr(MlAttachment) attachment = ml_attachment_new(content, rows[i].name, NULL);
    g_assert_cmpstr(attachment->type, ==, rows[i].type);
  }
}

static void
test_open(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp("signet-draft-XXXXXX", &error);
  g_autofree char *file = g_build_filename(folder, "b\303\244r.txt", NULL);
  g_assert_true(g_file_set_contents(file, "hello\n", -1, &error));
  g_autoptr(MlAttachment) attachment = ml_attachment_open(file, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(attachment->name, ==, "bär.txt");
  g_assert_cmpuint(g_bytes_get_size(attachment->content), ==, 6);
  g_assert_null(ml_attachment_open(folder, &error));
  g_assert_nonnull(strstr(error->message, "folder"));
  g_clear_error(&error);
  g_unlink(file);
  g_assert_null(ml_attachment_open(file, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_rmdir(folder);
}

static void
test_form(void)
{
  g_autoptr(MlDraft) draft = new_draft("Grüße", "Text\n\n  mit Einzug\nund Ende ohne Zeilenende");
  set(&draft->cc, "a@example.org, \"Long Name, With Comma\" <b@example.org>, c@example.org, d@example.org, "
                  "e@example.org");
  set(&draft->in_reply_to, "<1@example.org>");
  set(&draft->references, "<0@example.org> <1@example.org>");
  g_ptr_array_add(draft->more, ml_draft_header_new("X-Priority", "3"));
  g_autofree char *form = ml_draft_to_text(draft);
  g_autoptr(MlDraft) back = ml_draft_copy(draft);
  g_autoptr(GError) error = NULL;
  g_assert_true(ml_draft_from_text(back, form, &error));
  g_assert_no_error(error);
  g_autofree char *again = ml_draft_to_text(back);
  g_assert_cmpstr(again, ==, form);
  g_assert_cmpstr(back->cc, ==, draft->cc);
  g_assert_cmpstr(back->text, ==, draft->text);
  g_assert_cmpstr(back->references, ==, draft->references);
  /* taken out: a new thread */
  g_assert_true(ml_draft_from_text(back, "To: x@y\nSubject: s\n\nbody", &error));
  g_assert_null(back->in_reply_to);
  g_assert_null(back->references);
  g_assert_cmpstr(back->from, ==, draft->from);
  g_assert_cmpuint(back->more->len, ==, 0);
  static const struct {
    const char *form, *words;
  } bad[] = {
    { "To: a@b\nno header here\n\ntext", "Line 2 is no header" },
    { "To: a@b\nContent-Type: text/html\n\n", "Line 2 sets Content-Type" },
    { "To: a@b\nto: c@d\n\n", "Line 2 gives to a second time" },
    { " To: a@b\n\n", "Line 1 begins with a blank" },
    { "To: a@b\n\nbad \377 octet", "Line 3 is not UTF-8" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_assert_false(ml_draft_from_text(back, bad[i].form, &error));
    if (!strstr(error->message, bad[i].words))
      g_error("\"%s\" does not say \"%s\"", error->message, bad[i].words);
    g_clear_error(&error);
    g_assert_cmpstr(back->to, ==, "x@y");
  }
}

static void
test_missing(void)
{
  static const struct {
    const char *text;
    gboolean missing;
  } rows[] = {
    { "Please see the attached file.", TRUE },
    { "Im Anhang die Liste.", TRUE },
    { "> it was attached\nthanks", FALSE },
    { "hello\n-- \nattached to nobody", FALSE },
    { "unattached", FALSE },
    { "ATTACHMENT!", TRUE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(MlDraft) draft = new_draft("s", rows[i].text);
    g_assert_cmpint(ml_draft_missing_attachment(draft) != NULL, ==, rows[i].missing);
  }
}

/* What an encrypted one says of its outside, and a signed one does not (RFC 9788 2.2); test-protect has the rest. */
static void
test_recorded(void)
{
  g_autoptr(MlDraft) draft = new_draft("Hello", "Good morning.\n");
  for (int encrypted = 0; encrypted < 2; encrypted++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(MlBuilt) built = ml_draft_build(draft, &options, &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) outer = NULL;
    g_autoptr(GBytes) payload = ml_draft_payload(draft, built, encrypted, &outer, &error);
    g_assert_no_error(error);
    g_autofree char *text = text_of(payload);
    g_assert_nonnull(strstr(text, "\r\nSubject: Hello\r\n"));
    g_assert_cmpint(strstr(text, "\r\nHP-Outer: Subject: [...]\r\n") != NULL, ==, encrypted);
    g_assert_cmpint(strstr(text, "\r\nHP-Outer: To: Bob Mwangi <bob@example.net>\r\n") != NULL, ==, encrypted);
    g_assert_cmpint(strstr(text, "HP-Outer") != NULL, ==, encrypted);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/draft/plain", test_plain);
  g_test_add_func("/draft/chance", test_chance);
  g_test_add_func("/draft/texts", test_texts);
  g_test_add_func("/draft/long", test_long);
  g_test_add_func("/draft/flowed", test_flowed);
  g_test_add_func("/draft/addresses", test_addresses);
  g_test_add_func("/draft/refused", test_refused);
  g_test_add_func("/draft/attachments", test_attachments);
  g_test_add_func("/draft/types", test_types);
  g_test_add_func("/draft/open", test_open);
  g_test_add_func("/draft/form", test_form);
  g_test_add_func("/draft/missing", test_missing);
  g_test_add_func("/draft/recorded", test_recorded);
  return g_test_run();
}
