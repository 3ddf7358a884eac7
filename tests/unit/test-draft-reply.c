/* What an answer, a forward or a link puts into a draft, and above all what it must not. */
#include <string.h>

#include "mail/draft.h"
#include "tests/unit/cms-lab.h"

static char *also[] = { (char *)"a.keller@example.com", NULL };
static MlAccount account = { .name = (char *)"work",
                             .address = (char *)"anna@example.org",
                             .display_name = (char *)"Anna Keller",
                             .also = also,
                             .flowed = TRUE };

static MlMessage *
read_octets(GBytes *raw, gboolean open_errant)
{
  g_autoptr(GError) error = NULL;
  const MlReadOptions how = { .at = g_get_real_time() / G_USEC_PER_SEC, .open_errant = open_errant };
  MlMessage *message = ml_message_read(raw, &how, NULL, &error);
  g_assert_no_error(error);
  return message;
}

static MlMessage *
read_text(const char *text)
{
  g_autoptr(GBytes) raw = g_bytes_new(text, strlen(text));
  return read_octets(raw, FALSE);
}

static MlDraft *
reply(const MlMessage *message, MlReplyKind kind)
{
  g_autoptr(GError) error = NULL;
  MlDraft *draft = ml_draft_reply(&account, message, kind, &error);
  g_assert_no_error(error);
  return draft;
}

typedef struct {
  const char *name, *mail;
  MlReplyKind kind;
  const char *to, *cc, *from;
} PeopleRow;

static const PeopleRow people_rows[] = {
  { "from", "From: Bob <bob@x.example>\nTo: anna@example.org\n\n", ML_REPLY, "Bob <bob@x.example>", "",
    NULL },
  { "reply-to", "From: bob@x.example\nReply-To: Team <team@x.example>\n\n", ML_REPLY, "Team <team@x.example>",
    "", NULL },
  { "all",
    "From: bob@x.example\nTo: Anna <ANNA@example.org>, carl@x.example\nCc: dora@x.example, bob@x.example\n\n",
    ML_REPLY_ALL, "bob@x.example", "carl@x.example, dora@x.example", NULL },
  { "also is own", "From: bob@x.example\nTo: a.keller@example.com\nCc: anna@example.org\n\n", ML_REPLY_ALL,
    "bob@x.example", "", "Anna Keller <a.keller@example.com>" },
  { "delivered to", "From: bob@x.example\nDelivered-To: a.keller@example.com\nTo: list@x.example\n\n",
    ML_REPLY, "bob@x.example", "", "Anna Keller <a.keller@example.com>" },
  { "own mail", "From: anna@example.org\nTo: bob@x.example\nCc: carl@x.example\n\n", ML_REPLY_ALL,
    "bob@x.example", "carl@x.example", NULL },
  { "followup",
    "From: bob@x.example\nTo: list@x.example\nMail-Followup-To: list@x.example, anna@example.org\n\n",
    ML_REPLY_ALL, "list@x.example", "", NULL },
  { "list", "From: bob@x.example\nTo: list@x.example\nList-Post: <mailto:list@x.example?subject=x>\n\n",
    ML_REPLY_LIST, "list@x.example", "", NULL },
  { "munged", "From: bob@x.example\nReply-To: list@x.example\nList-Post: <mailto:list@x.example>\n\n",
    ML_REPLY, "bob@x.example", "", NULL },
  { "group", "From: team: bob@x.example, carl@x.example;\n\n", ML_REPLY, "bob@x.example, carl@x.example", "",
    NULL },
  /* an encoded word must not bring addresses of its own */
  { "smuggled", "From: =?utf-8?q?Bob_=3Cevil=40e=2Eexample=3E=2C?= <bob@x.example>\n\n", ML_REPLY,
    "\"Bob <evil@e.example>,\" <bob@x.example>", "", NULL },
  { "line end", "From: =?utf-8?q?Bob=0D=0ABcc=3A_evil=40e=2Eexample?= <bob@x.example>\n\n", ML_REPLY,
    "\"Bob\357\277\275\357\277\275Bcc: evil@e.example\" <bob@x.example>", "", NULL },
};

static void
test_people(gconstpointer data)
{
  const PeopleRow *row = data;
  g_autoptr(MlMessage) message = read_text(row->mail);
  g_autoptr(MlDraft) draft = reply(message, row->kind);
  g_assert_cmpstr(draft->to, ==, row->to);
  g_assert_cmpstr(draft->cc, ==, row->cc);
  g_assert_cmpstr(draft->from, ==, row->from ? row->from : "Anna Keller <anna@example.org>");
  g_autoptr(GError) error = NULL;
  g_assert_true(ml_draft_check(draft, &error));
  g_assert_no_error(error);
}

static void
assert_no_reply(const char *mail, MlReplyKind kind, const char *words)
{
  g_autoptr(MlMessage) message = read_text(mail);
  g_autoptr(GError) error = NULL;
  g_assert_null(ml_draft_reply(&account, message, kind, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  if (!strstr(error->message, words))
    g_error("\"%s\" does not say \"%s\"", error->message, words);
}

static void
test_no_reply(void)
{
  assert_no_reply("From: bob@x.example\nTo: list@x.example\n\n", ML_REPLY_LIST, "List-Post");
  assert_no_reply("From: bob@x.example\nList-Post: NO\n\n", ML_REPLY_LIST, "List-Post");
  assert_no_reply("From: undisclosed\n\n", ML_REPLY, "no address");
  GString *many = g_string_new("From: bob@x.example\nTo: a@x.example");
  for (guint i = 0; i < 100000; i++)
    g_string_append_printf(many, ",\n a%u@x.example", i);
  g_string_append(many, "\n\n");
  assert_no_reply(many->str, ML_REPLY_ALL, "10,000");
  g_string_free(many, TRUE);
}

static void
test_subject(void)
{
  static const struct {
    const char *subject, *reply;
  } rows[] = {
    { "Hello", "Re: Hello" },
    { "Re: Hello", "Re: Hello" },
    { "RE: AW: Re[2]: re^3: Hello", "Re: Hello" },
    { "RE : Bonjour", "Re: Bonjour" },
    { "=?utf-8?b?5Zue5aSN77yaIOS9oOWlvQ==?=", "Re: 你好" },
    { "Regarding: x", "Re: Regarding: x" },
    { "Re[x]: y", "Re: Re[x]: y" },
    { "", "Re: " },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *mail = g_strdup_printf("From: b@x.example\nSubject: %s\n\n", rows[i].subject);
    g_autoptr(MlMessage) message = read_text(mail);
    g_autoptr(MlDraft) draft = reply(message, ML_REPLY);
    g_assert_cmpstr(draft->subject, ==, rows[i].reply);
  }
}

static void
test_thread(void)
{
  g_autoptr(MlMessage) first =
      read_text("From: b@x.example\nMessage-ID: <3@x>\nReferences: <1@x>\n <2@x>\n\n");
  g_autoptr(MlDraft) draft = reply(first, ML_REPLY);
  g_assert_cmpstr(draft->in_reply_to, ==, "<3@x>");
  g_assert_cmpstr(draft->references, ==, "<1@x> <2@x> <3@x>");
  g_autoptr(MlMessage) second =
      read_text("From: b@x.example\nMessage-ID: <3@x>\nIn-Reply-To: <2@x> (by me)\n\n");
  g_autoptr(MlDraft) other = reply(second, ML_REPLY);
  g_assert_cmpstr(other->references, ==, "<2@x> <3@x>");
  GString *huge = g_string_new("From: b@x.example\nMessage-ID: <last@x>\nReferences: junk <bad id@x>");
  for (guint i = 0; i < 50000; i++)
    g_string_append_printf(huge, "\n <%u@x>", i);
  g_string_append(huge, "\n\n");
  g_autoptr(MlMessage) third = read_text(huge->str);
  g_autoptr(MlDraft) short_one = reply(third, ML_REPLY);
  g_auto(GStrv) ids = g_strsplit(short_one->references, " ", -1);
  g_assert_cmpuint(g_strv_length(ids), ==, 20);
  g_assert_cmpstr(ids[0], ==, "<0@x>");
  g_assert_cmpstr(ids[18], ==, "<49999@x>");
  g_assert_cmpstr(ids[19], ==, "<last@x>");
  g_string_free(huge, TRUE);
}

static void
test_quote(void)
{
  g_autoptr(MlMessage) message =
      read_text("From: Bob Mwangi <b@x.example>\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n\n"
                "Hello\n\n> earlier\n>> before that\nbye  \n\n-- \nBob\nHouse\n");
  g_autoptr(MlDraft) draft = reply(message, ML_REPLY);
  const char *text = strchr(draft->text, '\n') + 1;
  g_assert_true(g_str_has_prefix(draft->text, "On 2026-11-21 at "));
  g_assert_nonnull(strstr(draft->text, ", Bob Mwangi wrote:\n"));
  g_assert_cmpstr(text, ==, "> Hello\n>\n>> earlier\n>>> before that\n> bye\n\n");
}

static void
test_signature(void)
{
  pki_write(folder, "signature", "Anna\nHouse of Keys", -1);
  g_autofree char *file = g_build_filename(folder, "signature", NULL);
  MlAccount with = account;
  with.signature = file;
  g_autoptr(MlDraft) fresh = ml_draft_new(&with);
  g_assert_cmpstr(fresh->text, ==, "\n\n-- \nAnna\nHouse of Keys\n");
  g_autoptr(MlMessage) message = read_text("From: b@x.example\n\nHello\n");
  g_autoptr(MlDraft) draft = ml_draft_reply(&with, message, ML_REPLY, NULL);
  g_assert_cmpstr(draft->text, ==, "b@x.example wrote:\n> Hello\n\n\n-- \nAnna\nHouse of Keys\n");
}

static const char mixed[] =
    "From: bob@x.example\nTo: anna@example.org\nSubject: files\nMessage-ID: <1@x>\n"
    "Content-Type: multipart/mixed; boundary=b\n\n"
    "--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
    "R3LDvMOfZQo=\n"
    "--b\nContent-Type: text/x-log; charset=iso-8859-1; name=l\n"
    "Content-Disposition: attachment; filename*=utf-8''%C3%BC.log\n"
    "Content-Transfer-Encoding: base64\n\nZ3L8bgo=\n--b--\n";

static void
test_forward(void)
{
  g_autoptr(MlMessage) message = read_text(mixed);
  g_autoptr(GBytes) raw = g_bytes_new_static(mixed, strlen(mixed));
  g_autoptr(GError) error = NULL;
  g_autoptr(MlDraft) in_line = ml_draft_forward(&account, message, raw, FALSE, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(in_line->subject, ==, "Fwd: files");
  g_assert_true(in_line->source_forwarded);
  g_assert_cmpstr(in_line->to, ==, "");
  g_assert_nonnull(
      strstr(in_line->text, "From: bob@x.example\nSubject: files\nTo: anna@example.org\n\nGrüße\n"));
  g_assert_cmpuint(in_line->attachments->len, ==, 1);
  const MlAttachment *log = in_line->attachments->pdata[0];
  g_assert_cmpuint(g_bytes_get_size(log->content), ==, 5);
  g_assert_cmpstr(log->type, ==, "text/x-log; charset=\"iso-8859-1\"");
  g_autoptr(MlDraft) whole = ml_draft_forward(&account, message, raw, TRUE, &error);
  g_assert_cmpuint(whole->attachments->len, ==, 1);
  const MlAttachment *attached = whole->attachments->pdata[0];
  g_assert_cmpstr(attached->type, ==, "message/rfc822");
  g_assert_true(g_bytes_equal(attached->content, raw));
  g_autoptr(MlDraft) edit = ml_draft_edit(&account, message, &error);
  g_assert_cmpstr(edit->to, ==, "anna@example.org");
  g_assert_cmpstr(edit->from, ==, "Anna Keller <anna@example.org>");
  g_assert_cmpstr(edit->subject, ==, "files");
  g_assert_cmpstr(edit->text, ==, "Grüße\n");
  g_assert_null(edit->in_reply_to);
  g_assert_cmpuint(edit->attachments->len, ==, 1);
}

static void
test_bounce(void)
{
  static const char text[] = "From x Mon Jan 1\nReceived: a\nFrom: bob@x.example\n\nbody\n";
  g_autoptr(GBytes) raw = g_bytes_new_static(text, strlen(text));
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) out = ml_draft_bounce(&account, raw, "Carl <carl@x.example>", 1763776800, &error);
  g_assert_no_error(error);
  g_autofree char *got = g_strndup(g_bytes_get_data(out, NULL), g_bytes_get_size(out));
  g_assert_true(g_str_has_prefix(got, "Resent-From: Anna Keller <anna@example.org>\r\n"
                                      "Resent-To: Carl <carl@x.example>\r\nResent-Date: "));
  g_assert_nonnull(strstr(got, "\r\nResent-Message-ID: <"));
  g_assert_true(g_str_has_suffix(got, "\r\nReceived: a\r\nFrom: bob@x.example\r\n\r\nbody\r\n"));
  g_assert_null(ml_draft_bounce(&account, raw, "a@b\nBcc: c@d", 0, &error));
  g_assert_nonnull(error);
}

static void
test_mailto(void)
{
  static const struct {
    const char *url, *to, *cc, *subject, *text, *ignored;
  } rows[] = {
    { "mailto:a@x.example", "a@x.example", "", "", "", NULL },
    { "MAILTO:a@x.example,b@x.example?to=c@x.example&cc=d@x.example", "a@x.example, b@x.example, c@x.example",
      "d@x.example", "", "", NULL },
    { "mailto:a@x.example?subject=caf%C3%A9%20%26%20more&body=one%0D%0Atwo", "a@x.example", "", "café & more",
      "one\ntwo\n", NULL },
    { "mailto:x@y.example?attach=/etc/passwd&subject=s", "x@y.example", "", "s", "", "attach" },
    { "mailto:x@y.example?attachment=~/.ssh/id_rsa", "x@y.example", "", "", "", "attachment" },
    { "mailto:x@y.example?bcc=evil@e.example&body=hi", "x@y.example", "", "", "hi\n", "bcc" },
    { "mailto:x@y.example?subject=a%0D%0ABcc:%20e@e.example", "x@y.example", "", "a  Bcc: e@e.example", "",
      NULL },
    { "mailto:x@y.example?insert=/etc/passwd&attach=..&from=b@c.example", "x@y.example", "", "", "",
      "insert, attach, from" },
    { "mailto:?body=%00%1b[31m%ff", "", "", "", "\357\277\275[31m\357\277\275\n", NULL },
    { "mailto:?in-reply-to=%3Cz@z%3E%0aX", "", "", "", "", "in-reply-to" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *ignored = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(MlDraft) draft = ml_draft_mailto(&account, rows[i].url, &ignored, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(draft->to, ==, rows[i].to);
    g_assert_cmpstr(draft->cc, ==, rows[i].cc);
    g_assert_cmpstr(draft->bcc, ==, "");
    g_assert_cmpstr(draft->from, ==, "Anna Keller <anna@example.org>");
    g_assert_cmpstr(draft->subject, ==, rows[i].subject);
    g_assert_cmpstr(draft->text, ==, rows[i].text);
    g_assert_cmpstr(ignored, ==, rows[i].ignored);
    g_assert_cmpuint(draft->attachments->len, ==, 0);
  }
  static const char *const bad[] = { "http://x", "mailto:a%2Cb@x.example",
                                     "mailto:a@x.example%0ABcc:c@d.example", "mailto:%22open@x.example" };
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autofree char *ignored = NULL;
    g_autoptr(GError) error = NULL;
    g_assert_null(ml_draft_mailto(&account, bad[i], &ignored, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  }
}

/* An enveloped-data part with @content, to the key in the database. */
static char *
encrypted_part(GBytes *content)
{
  pki_write(folder, "inside", g_bytes_get_data(content, NULL), (gssize)g_bytes_get_size(content));
  pki_run(folder, "openssl", "cms", "-encrypt", "-binary", "-aes256", "-in", "inside", "-outform", "DER",
          "-out", "cms", "rsa.pem");
  g_autoptr(GBytes) der = pki_read(folder, "cms");
  g_autofree char *digits = g_base64_encode(g_bytes_get_data(der, NULL), g_bytes_get_size(der));
  GString *out =
      g_string_new("Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n"
                   "Content-Transfer-Encoding: base64\r\n\r\n");
  for (gsize at = 0; at < strlen(digits); at += 64)
    g_string_append_printf(out, "%.64s\r\n", digits + at);
  return g_string_free(out, FALSE);
}

/* A draft, encrypted as mail/seal.c does it but by openssl, and read. */
static MlMessage *
encrypt_and_read(MlDraft *draft, char **outside)
{
  g_autoptr(GError) error = NULL;
  const MlBuildOptions options = { .date = 1763776800, .boundary_seed = 3 };
  draft->encrypt = TRUE;
  g_autoptr(MlBuilt) built = ml_draft_build(draft, &options, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) outer = NULL;
  g_autoptr(GBytes) payload = ml_draft_payload(draft, built, TRUE, &outer, &error);
  g_assert_no_error(error);
  g_autofree char *part = encrypted_part(payload), *mime = g_strconcat("MIME-Version: 1.0\r\n", part, NULL);
  g_autoptr(GBytes) entity = g_bytes_new(mime, strlen(mime)), message = ml_draft_join(outer, entity);
  if (outside)
    *outside = g_strndup(g_bytes_get_data(message, NULL), g_bytes_get_size(message));
  return read_octets(message, FALSE);
}

static MlDraft *
secret_draft(void)
{
  MlDraft *draft = ml_draft_new(&account);
  g_free(draft->to);
  g_free(draft->subject);
  g_free(draft->text);
  draft->to = g_strdup("Bob Mwangi <bob@x.example>");
  draft->subject = g_strdup("Die geheime Übernahme");
  draft->text = g_strdup("Three thousand, by Friday.\n");
  return draft;
}

static void
test_protected(void)
{
  static const MlHeaderPolicy policies[] = { ML_HIDE_BASELINE, ML_HIDE_SHY, ML_HIDE_NONE };
  for (guint p = 0; p < G_N_ELEMENTS(policies); p++) {
    for (guint legacy = 0; legacy < 2; legacy++) {
      g_autoptr(MlDraft) draft = secret_draft();
      draft->hide = policies[p];
      draft->legacy_display = legacy;
      g_ptr_array_add(draft->more, ml_draft_header_new("Keywords", "gold"));
      draft->in_reply_to = g_strdup("<before@x.example>");
      g_autofree char *outside = NULL;
      g_autoptr(MlMessage) message = encrypt_and_read(draft, &outside);
      const MlVerdict *verdict = ml_message_verdict(message);
      g_assert_cmpint(verdict->encryption, ==, ML_ENCRYPTION_DECRYPTED);
      g_assert_cmpint(verdict->protected_headers, ==, ML_PROTECTED_ENCRYPTED);
      g_assert_cmpstr(ml_message_header(message, "Subject"), ==, "Die geheime Übernahme");
      g_assert_cmpstr(ml_message_header(message, "To"), ==, "Bob Mwangi <bob@x.example>");
      g_assert_cmpstr(ml_message_header(message, "Keywords"), ==, "gold");
      g_assert_null(ml_message_outer_differs(message)[0]);
      g_assert_cmpstr(ml_message_text(message), ==, "Three thousand, by Friday.");
      g_assert_nonnull(strstr(outside, "\r\nIn-Reply-To: <before@x.example>\r\n"));
      gboolean hidden = policies[p] != ML_HIDE_NONE, shy = policies[p] == ML_HIDE_SHY;
      g_assert_cmpint(strstr(outside, "\r\nSubject: [...]\r\n") != NULL, ==, hidden);
      g_assert_cmpint(strstr(outside, "gold") == NULL, ==, hidden);
      g_assert_cmpint(strstr(outside, "Mwangi") == NULL, ==, shy);
      g_autoptr(GBytes) inside = ml_message_decrypted(message, TRUE, NULL);
      g_autofree char *payload = g_strndup(g_bytes_get_data(inside, NULL), g_bytes_get_size(inside));
      g_assert_nonnull(strstr(payload, "hp=\"cipher\""));
      g_assert_nonnull(strstr(payload, "\r\nHP-Outer: From: "));
      g_assert_cmpint(strstr(payload, "hp-legacy-display=\"1\"") != NULL, ==, legacy && hidden);
      if (legacy && hidden)
        g_assert_nonnull(strstr(payload, "Subject: Die geheime"));
    }
  }
}

static void
test_answer_secret(void)
{
  g_autoptr(MlDraft) draft = secret_draft();
  g_autoptr(MlMessage) message = encrypt_and_read(draft, NULL);
  g_autoptr(MlDraft) answer = reply(message, ML_REPLY_ALL);
  g_assert_true(answer->encrypt && answer->encrypt_demanded);
  /* CBC and no signature: who it is from may have been changed, so the quote and the subject are to be asked for */
  g_assert_nonnull(answer->doubt);
  g_assert_cmpstr(answer->subject, ==, "Re: [...]");
  g_assert_null(strstr(answer->text, "thousand"));
  ml_draft_take_quote(answer);
  g_assert_cmpstr(answer->subject, ==, "Re: Die geheime Übernahme");
  g_assert_nonnull(strstr(answer->text, "> Three thousand"));
  /* turned off after all (a typed confirmation): the Subject was secret, and stays so */
  answer->encrypt = FALSE;
  const MlBuildOptions options = { .date = 1763776800, .boundary_seed = 3 };
  g_autoptr(MlBuilt) built = ml_draft_build(answer, &options, NULL);
  g_autoptr(GBytes) clear = ml_draft_join(built->fields, built->entity);
  g_autoptr(MlMessage) got = read_octets(clear, FALSE);
  g_assert_cmpstr(ml_message_header(got, "Subject"), ==, "Re: [...]");
  /* an account that hides nothing hides what the other hid */
  MlAccount open_account = account;
  open_account.hide_headers = (char *)"none";
  g_autoptr(MlDraft) hiding = ml_draft_reply(&open_account, message, ML_REPLY, NULL);
  g_assert_cmpint(hiding->hide, ==, ML_HIDE_BASELINE);
  /* of a forward as attachment, the inner message */
  g_autoptr(GBytes) raw = g_bytes_new_static("x", 1);
  g_autoptr(MlDraft) forward = ml_draft_forward(&account, message, raw, TRUE, NULL);
  g_assert_true(forward->encrypt_demanded);
  const MlAttachment *attached = forward->attachments->pdata[0];
  g_autoptr(MlMessage) inner = read_octets(attached->content, FALSE);
  g_assert_cmpstr(ml_message_header(inner, "Subject"), ==, "Die geheime Übernahme");
  g_assert_cmpstr(ml_message_text(inner), ==, "Three thousand, by Friday.");
}

typedef struct {
  const char *name;
  const char *header;  /* of the message that arrives */
  const char *signer;  /* inside; NULL: not signed */
  const char *cipher;
  gboolean protected_; /* the header lies inside too */
  gboolean outer_sign; /* signed over the ciphertext */
  const char *around;  /* cipher of another encryption around it; NULL: none */
  MlReplyKind kind;
  const char *doubt;   /* words of it; NULL: none */
} DoubtRow;

static const DoubtRow doubt_rows[] = {
  { "unsigned", "From: mallory@x.example\r\n", NULL, "-aes256", FALSE, FALSE, NULL, ML_REPLY, "not signed" },
  { "unsigned gcm", "From: mallory@x.example\r\n", NULL, "-aes-256-gcm", FALSE, FALSE, NULL, ML_REPLY, "not signed" },
  { "signed", "From: rsa@test.example\r\n", "rsa", "-aes256", FALSE, FALSE, NULL, ML_REPLY, NULL },
  { "signed by another", "From: mallory@x.example\r\n", "rsa", "-aes256", FALSE, FALSE, NULL, ML_REPLY,
    "somebody else" },
  { "signed over the ciphertext", "From: ec256@test.example\r\n", NULL, "-aes256", FALSE, TRUE, NULL, ML_REPLY,
    "not signed" },
  { "redirected", "From: rsa@test.example\r\nReply-To: mallory@x.example\r\n", "rsa", "-aes256", FALSE, FALSE, NULL,
    ML_REPLY, "unprotected header" },
  { "follow-up", "From: rsa@test.example\r\nMail-Followup-To: mallory@x.example\r\n", "rsa", "-aes256", FALSE, FALSE,
    NULL, ML_REPLY_ALL, "unprotected header" },
  { "all", "From: rsa@test.example\r\nCc: carl@x.example\r\n", "rsa", "-aes256", FALSE, FALSE, NULL, ML_REPLY_ALL,
    NULL },
  { "list", "From: rsa@test.example\r\nList-Post: <mailto:all@x.example>\r\n", "rsa", "-aes256", FALSE, FALSE, NULL,
    ML_REPLY_LIST, "the list" },
  { "protected", "From: mallory@x.example\r\n", NULL, "-aes-256-gcm", TRUE, FALSE, NULL, ML_REPLY, NULL },
  { "protected cbc", "From: mallory@x.example\r\n", NULL, "-aes256", TRUE, FALSE, NULL, ML_REPLY, "not signed" },
  /* who wraps a changed CBC in a GCM of his own authenticates what he changed */
  { "protected cbc in gcm", "From: mallory@x.example\r\n", NULL, "-aes256", TRUE, FALSE, "-aes-256-gcm", ML_REPLY,
    "not signed" },
  { "protected gcm in cbc", "From: mallory@x.example\r\n", NULL, "-aes-256-gcm", TRUE, FALSE, "-aes256", ML_REPLY,
    NULL },
};

static char *
lab_part(const char *type, const char *file)
{
  g_autoptr(GBytes) der = pki_read(folder, file);
  g_autofree char *digits = g_base64_encode(g_bytes_get_data(der, NULL), g_bytes_get_size(der));
  GString *out = g_string_new(NULL);
  g_string_printf(out, "Content-Type: application/pkcs7-mime; smime-type=%s; name=smime.p7m\r\n"
                       "Content-Transfer-Encoding: base64\r\n\r\n", type);
  for (gsize at = 0; at < strlen(digits); at += 64)
    g_string_append_printf(out, "%.64s\r\n", digits + at);
  return g_string_free(out, FALSE);
}

/* Replaces *part by what openssl makes of it. */
static void
wrap(char **part, const char *cipher, const char *signer)
{
  pki_write(folder, "inside", *part, -1);
  if (signer) {
    g_autofree char *cert = g_strconcat(signer, ".pem", NULL), *key = g_strconcat(signer, ".key", NULL);
    pki_run(folder, "openssl", "cms", "-sign", "-binary", "-nodetach", "-in", "inside", "-signer", cert, "-inkey", key,
            "-outform", "DER", "-out", "cms");
  } else
    pki_run(folder, "openssl", "cms", "-encrypt", "-binary", cipher, "-in", "inside", "-outform", "DER", "-out", "cms",
            "rsa.pem");
  g_free(*part);
  *part = lab_part(signer ? "signed-data" : strstr(cipher, "gcm") ? "authEnveloped-data" : "enveloped-data", "cms");
}

/* Somebody's ciphertext sent again under another name: what of it an answer may quote unasked. */
static void
test_doubt(gconstpointer data)
{
  const DoubtRow *row = data;
  g_autofree char *part =
      g_strdup_printf("Content-Type: text/plain%s\r\n%s\r\nthe secret number is 4711\r\n",
                      row->protected_ ? "; hp=\"cipher\"" : "",
                      row->protected_ ? "From: rsa@test.example\r\nSubject: number 4711\r\n" : "");
  if (row->signer)
    wrap(&part, NULL, row->signer);
  wrap(&part, row->cipher, NULL);
  if (row->around)
    wrap(&part, row->around, NULL);
  if (row->outer_sign)
    wrap(&part, NULL, "ec256");
  g_autofree char *mail =
      g_strconcat(row->header, "To: anna@example.org\r\nSubject: [...]\r\nMIME-Version: 1.0\r\n", part, NULL);
  g_autoptr(MlMessage) message = read_text(mail);
  g_assert_nonnull(strstr(ml_message_text(message), "4711"));
  g_autoptr(MlDraft) draft = reply(message, row->kind);
  if (row->doubt) {
    g_assert_nonnull(draft->doubt);
    if (!strstr(draft->doubt, row->doubt))
      g_error("\"%s\" does not say \"%s\"", draft->doubt, row->doubt);
    g_autofree char *form = ml_draft_to_text(draft);
    g_assert_null(strstr(form, "4711"));
    g_autoptr(MlDraft) copy = ml_draft_copy(draft);
    ml_draft_take_quote(copy);
    g_assert_null(copy->doubt);
    g_assert_nonnull(strstr(copy->text, "> the secret number is 4711"));
  } else {
    g_assert_null(draft->doubt);
    g_assert_nonnull(strstr(draft->text, "> the secret number is 4711"));
    if (row->protected_)
      g_assert_cmpstr(draft->to, ==, "rsa@test.example"); /* where the author said, not who sent it again */
  }
}

/* EFAIL's other way: somebody's ciphertext among harmless parts. Even opened by a key it is not quoted. */
static void
test_oracle(void)
{
  static const char *const kinds[] = { "mixed", "alternative", "related" };
  static const char secret[] = "Content-Type: text/plain\r\n\r\nthe secret number is 4711\r\n";
  g_autoptr(GBytes) content = g_bytes_new_static(secret, strlen(secret));
  g_autofree char *part = encrypted_part(content);
  for (gsize i = 0; i < G_N_ELEMENTS(kinds) * 4; i++) {
    gboolean open_errant = i & 1, first = (i & 2) != 0;
    static const char lunch[] = "Content-Type: text/plain\r\n\r\nlunch?\r\n";
    g_autofree char *mail = g_strdup_printf(
        "From: mallory@x.example\r\nTo: anna@example.org\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/%s; boundary=bb\r\n\r\n--bb\r\n%s\r\n--bb\r\n%s\r\n--bb--\r\n",
        kinds[i / 4], first ? part : lunch, first ? lunch : part);
    g_autoptr(GBytes) raw = g_bytes_new(mail, strlen(mail));
    g_autoptr(MlMessage) message = read_octets(raw, open_errant);
    if (open_errant && strcmp(kinds[i / 4], "mixed") == 0)
      g_assert_nonnull(strstr(ml_message_text(message), "4711")); /* it is there to be taken */
    MlDraft *drafts[] = { reply(message, ML_REPLY), reply(message, ML_REPLY_ALL),
                          ml_draft_forward(&account, message, raw, FALSE, NULL),
                          ml_draft_edit(&account, message, NULL) };
    for (gsize d = 0; d < G_N_ELEMENTS(drafts); d++) {
      g_assert_null(strstr(drafts[d]->text, "4711"));
      for (guint a = 0; a < drafts[d]->attachments->len; a++) {
        const MlAttachment *attachment = drafts[d]->attachments->pdata[a];
        g_assert_null(g_strstr_len(g_bytes_get_data(attachment->content, NULL),
                                   (gssize)g_bytes_get_size(attachment->content), "4711"));
      }
      ml_draft_free(drafts[d]);
    }
  }
}

/* An outer Reply-To or Cc that the protected header lacks gets no answer (RFC 9788 4.6). */
static void
test_injected(void)
{
  g_autoptr(MlDraft) draft = secret_draft();
  g_autofree char *outside = NULL;
  g_autoptr(MlMessage) message = encrypt_and_read(draft, &outside);
  g_autofree char *mail =
      g_strconcat("Reply-To: mallory@x.example\r\nCc: mallory@x.example\r\n", outside, NULL);
  g_autoptr(MlMessage) changed = read_text(mail);
  g_autoptr(MlDraft) answer = reply(changed, ML_REPLY_ALL);
  g_assert_null(strstr(answer->to, "mallory"));
  g_assert_null(strstr(answer->cc, "mallory"));
}

int
main(int argc, char **argv)
{
  lab_begin(&argc, &argv);
  for (gsize i = 0; i < G_N_ELEMENTS(people_rows); i++) {
    g_autofree char *path = g_strconcat("/reply/people/", people_rows[i].name, NULL);
    g_test_add_data_func(path, &people_rows[i], test_people);
  }
  g_test_add_func("/reply/nobody", test_no_reply);
  g_test_add_func("/reply/subject", test_subject);
  g_test_add_func("/reply/thread", test_thread);
  g_test_add_func("/reply/quote", test_quote);
  g_test_add_func("/reply/signature", test_signature);
  g_test_add_func("/reply/forward", test_forward);
  g_test_add_func("/reply/bounce", test_bounce);
  g_test_add_func("/reply/mailto", test_mailto);
  g_test_add_func("/reply/protected", test_protected);
  g_test_add_func("/reply/secret", test_answer_secret);
  g_test_add_func("/reply/oracle", test_oracle);
  g_test_add_func("/reply/injected", test_injected);
  for (gsize i = 0; i < G_N_ELEMENTS(doubt_rows); i++) {
    g_autofree char *path = g_strconcat("/reply/doubt/", doubt_rows[i].name, NULL);
    g_test_add_data_func(path, &doubt_rows[i], test_doubt);
  }
  return lab_run();
}
