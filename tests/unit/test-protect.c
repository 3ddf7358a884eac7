/* Header protection as we write it, held field by field against the rules of RFC 9788, sections 2 to 6, which are written
 * here a second time from its pseudocode. */
#include "tests/unit/protect-lab.h"

typedef struct {
  MlHeaderPolicy policy;
  gboolean sign, encrypt, opaque, legacy, attachment;
} Form;

static const char *const policy_words[] = {
  [ML_HIDE_BASELINE] = "baseline", [ML_HIDE_SHY] = "shy", [ML_HIDE_NONE] = "none"
};
static void
set(char **field, const char *value)
{
  g_free(*field);
  *field = g_strdup(value);
}

static MlDraft *
new_draft(const Form *form)
{
  MlDraft *draft = ml_draft_new(&account);
  set(&draft->from, "Alice Lovelace <alice@smime.example>");
  set(&draft->to, "Bob Babbage <bob@smime.example>");
  set(&draft->cc, "alice@smime.example");
  set(&draft->reply_to, "Alice's Desk <alice@smime.example>");
  set(&draft->subject,
      "Die Übernahme der Rechenmaschinenfabrik, und was sie für uns im nächsten Frühjahr bedeutet");
  set(&draft->text, "The first line.\n\nThe second.\n");
  set(&draft->message_id, "<a-rather-long-identifier-for-one-message-of-0123456789abcdef@smime.example>");
  set(&draft->in_reply_to, "<the-message-that-came-before-this-one-and-has-a-long-name@smime.example>");
  set(&draft->references, "<first@smime.example> <second@smime.example> "
                          "<the-message-that-came-before-this-one-and-has-a-long-name@smime.example>");
  g_ptr_array_add(draft->more, ml_draft_header_new("Keywords", "gold, Frühling"));
  g_ptr_array_add(draft->more, ml_draft_header_new("Comments", "not for everybody"));
  g_ptr_array_add(draft->more, ml_draft_header_new("X-Topic", "machines"));
  if (form->attachment) {
    g_autoptr(GBytes) content = g_bytes_new_static("Subject: kept\n\nas it is\n", 24);
    g_ptr_array_add(draft->attachments,
                    ml_attachment_new(content, "note.txt", "text/plain; charset=us-ascii"));
  }
  draft->sign = form->sign;
  draft->encrypt = form->encrypt;
  draft->opaque = form->opaque;
  draft->legacy_display = form->legacy;
  draft->hide = form->policy;
  return draft;
}

/* The cryptographic payload: behind the encryption, and the first part of a multipart/signed there or what openssl
 * takes out of a signed-data. */
static char *
payload_of(const MlMessage *message, GBytes *bytes, const Form *form)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) inside = form->encrypt ? ml_message_decrypted(message, TRUE, &error) : g_bytes_ref(bytes);
  g_assert_no_error(error);
  if (!form->sign)
    return text_of(inside);
  if (form->opaque) {
    pki_write(folder, "opaque.eml", g_bytes_get_data(inside, NULL), (gssize)g_bytes_get_size(inside));
    pki_run(folder, "openssl", "cms", "-verify", "-noverify", "-binary", "-in", "opaque.eml", "-out",
            "payload");
    g_autoptr(GBytes) content = pki_read(folder, "payload");
    return text_of(content);
  }
  g_autofree char *text = text_of(inside);
  const char *mark = strstr(text, "boundary=\"");
  g_autofree char *boundary = g_strndup(mark + 10, strcspn(mark + 10, "\""));
  g_autofree char *line = g_strdup_printf("\r\n--%s\r\n", boundary);
  const char *start = strstr(text, line) + strlen(line), *end = strstr(start, line);
  g_assert_nonnull(end);
  return g_strndup(start, (gsize)(end - start));
}

/* RFC 9788 3.2: "Name <addr>, ..." to "addr, ...". */
static char *
bare(const char *list)
{
  GString *out = g_string_new(NULL);
  g_auto(GStrv) each = g_strsplit(list, ",", -1);
  for (guint i = 0; each[i]; i++) {
    const char *open = strchr(each[i], '<');
    g_autofree char *one = open ? g_strndup(open + 1, strcspn(open + 1, ">")) : g_strstrip(g_strdup(each[i]));
    g_string_append_printf(out, "%s%s", i ? ", " : "", one);
  }
  return g_string_free(out, FALSE);
}

static char *
hcp(MlHeaderPolicy policy, const char *name, const char *value, gint64 at)
{
  if (policy == ML_HIDE_NONE)
    return g_strdup(value);
  if (g_ascii_strcasecmp(name, "Subject") == 0)
    return g_strdup("[...]");
  if (g_ascii_strcasecmp(name, "Comments") == 0 || g_ascii_strcasecmp(name, "Keywords") == 0)
    return NULL;
  if (policy == ML_HIDE_BASELINE)
    return g_strdup(value);
  static const char *const people[] = { "From", "To", "Cc", "Reply-To",
                                        NULL }; /* Reply-To is our own addition */
  if (g_strv_contains(people, name))
    return bare(value);
  if (g_ascii_strcasecmp(name, "Date") == 0) {
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(at);
    static const char *const days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    g_autofree char *clock = g_date_time_format(when, "%Y %H:%M:%S +0000");
    return g_strdup_printf("%s, %d %s %s", days[g_date_time_get_day_of_week(when) - 1],
                           g_date_time_get_day_of_month(when), months[g_date_time_get_month(when) - 1],
                           clock);
  }
  return g_strdup(value);
}

/* Each field outside is what the policy makes of the one inside, and HP-Outer says the same in the same order. */
static void
check_fields(const Form *form, GPtrArray *outer, GPtrArray *inner, gint64 at)
{
  g_autoptr(GPtrArray) orig = g_ptr_array_new(), recorded = g_ptr_array_new(), shown = g_ptr_array_new();
  for (guint i = 0; i < inner->len; i++) {
    Field *field = inner->pdata[i];
    if (strcmp(field->name, "HP-Outer") == 0)
      g_ptr_array_add(recorded, field);
    else if (!is_structural(field->name))
      g_ptr_array_add(orig, field);
  }
  for (guint i = 0; i < outer->len; i++)
    if (!is_structural(((Field *)outer->pdata[i])->name))
      g_ptr_array_add(shown, outer->pdata[i]);
  g_assert_cmpuint(orig->len, >=, 12);
  guint at_outer = 0;
  for (guint i = 0; i < orig->len; i++) {
    const Field *field = orig->pdata[i];
    g_autofree char *expected =
        form->encrypt ? hcp(form->policy, field->name, field->value, at) : g_strdup(field->value);
    if (!expected)
      continue;
    g_assert_cmpuint(at_outer, <, shown->len);
    const Field *there = shown->pdata[at_outer++];
    g_assert_cmpstr(there->name, ==, field->name);
    g_assert_cmpstr(there->value, ==, expected);
  }
  g_assert_cmpuint(at_outer, ==, shown->len); /* and nothing else is outside */
  g_assert_cmpuint(recorded->len, ==, form->encrypt ? shown->len : 0);
  for (guint i = 0; i < recorded->len; i++) {
    const Field *there = shown->pdata[i], *record = recorded->pdata[i];
    g_autofree char *expected = g_strdup_printf("%s: %s", there->name, there->value);
    g_assert_cmpstr(record->value, ==, expected);
    /* 2.2.1: "HP-Outer:" [FWS] field-name ": " value */
    if (!g_regex_match_simple("^HP-Outer:(\\r\\n)? [!-9;-~]+: [!-~]", record->raw, 0, 0))
      g_error("not as in RFC 9788 2.2.1: %s", record->raw);
  }
}

/* RFC 5322 2.1.1: 78 columns where there is a blank to fold at. */
static void
check_columns(GPtrArray *fields)
{
  for (guint i = 0; i < fields->len; i++) {
    g_auto(GStrv) lines = g_strsplit(((Field *)fields->pdata[i])->raw, "\r\n", -1);
    for (guint n = 0; lines[n]; n++) {
      gsize words = strlen(lines[n]) - strspn(lines[n], " ");
      const char *first = lines[n] + strspn(lines[n], " ");
      gboolean one_word = strcspn(first, " ") == words || g_str_has_prefix(first, "Message-ID: ") ||
                          g_str_has_prefix(first, "In-Reply-To: ");
      if (strlen(lines[n]) > 79 && !one_word)
        g_error("%zu columns: %s", strlen(lines[n]), lines[n]);
    }
  }
}

static guint
count(const char *text, const char *words)
{
  guint n = 0;
  for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
    n++;
  return n;
}

/* 5.2.2: what was hidden of what a person would see stands before the text, once, and only in the text. */
static void
check_legacy(const Form *form, const MlDraft *draft, GPtrArray *inner, const char *payload, const char *body)
{
  gboolean expected = form->encrypt && form->legacy && form->policy != ML_HIDE_NONE;
  g_assert_cmpuint(count(payload, "hp-legacy-display=\"1\""), ==, expected ? 1 : 0);
  g_assert_cmpuint(count(payload, "hp=\"cipher\""), ==, form->encrypt ? 1 : 0);
  g_assert_cmpuint(count(payload, "hp=\"clear\""), ==, form->encrypt ? 0 : 1);
  g_assert_nonnull(
      strstr(value_of(inner, "Content-Type"), form->encrypt ? " hp=\"cipher\"" : " hp=\"clear\""));
  g_autoptr(GPtrArray) part = NULL;
  const char *encoding = value_of(inner, "Content-Transfer-Encoding"), *text = body;
  if (form->attachment) {
    part = fields_of(strstr(strstr(body, "--=_"), "\r\n") + 2, &text);
    encoding = value_of(part, "Content-Transfer-Encoding");
    g_assert_cmpint(strstr(value_of(part, "Content-Type"), "hp-legacy-display") != NULL, ==, expected);
  }
  if (!expected) {
    g_assert_true(g_str_has_prefix(text, "The first line.\r\n\r\nThe second.\r\n"));
    return;
  }
  g_assert_cmpstr(encoding, ==, "quoted-printable");
  g_autofree char *joined = g_strdup(text), *to = joined;
  for (const char *c = joined; *c; c++) /* decoded */
    if (*c == '=' && g_str_has_prefix(c + 1, "\r\n"))
      c += 2;
    else if (*c == '=') {
      *to++ = (char)(g_ascii_xdigit_value(c[1]) * 16 + g_ascii_xdigit_value(c[2]));
      c += 2;
    } else
      *to++ = *c;
  *to = 0;
  to = NULL;
  g_autoptr(GString) lines = g_string_new(NULL);
  gboolean shy = form->policy == ML_HIDE_SHY;
  if (shy)
    g_string_append(lines,
                    "From: Alice Lovelace <alice@smime.example>\r\nTo: Bob Babbage <bob@smime.example>\r\n");
  g_string_append_printf(lines, "Subject: %s\r\n", draft->subject);
  g_autofree char *utc = hcp(ML_HIDE_SHY, "Date", "", now);
  if (shy && strcmp(value_of(inner, "Date"), utc) != 0)
    g_string_append_printf(lines, "Date: %s\r\n", value_of(inner, "Date"));
  if (shy)
    g_string_append(lines, "Reply-To: Alice's Desk <alice@smime.example>\r\n");
  g_string_append(lines, "Keywords: gold, Frühling\r\nComments: not for everybody\r\n\r\nThe first "
                         "line.\r\n\r\nThe second.\r\n");
  if (!g_str_has_prefix(joined, lines->str))
    g_assert_cmpstr(joined, ==, lines->str);
}

/* 4.3.1, by our own reader. */
static void
check_reading(const Form *form, const MlDraft *draft, const MlMessage *message, GPtrArray *inner)
{
  const MlVerdict *verdict = ml_message_verdict(message);
  g_assert_cmpint(verdict->protected_headers, ==,
                  form->sign && form->encrypt ? ML_PROTECTED_BOTH
                  : form->sign                ? ML_PROTECTED_SIGNED
                                              : ML_PROTECTED_ENCRYPTED);
  g_assert_cmpstr(ml_message_header(message, "Subject"), ==, draft->subject);
  g_assert_cmpstr(ml_message_header(message, "Keywords"), ==, "gold, Frühling");
  g_assert_cmpstr(ml_message_header(message, "Reply-To"), ==, "Alice's Desk <alice@smime.example>");
  g_assert_null(ml_message_outer_differs(message)[0]);
  g_assert_true(g_str_has_prefix(ml_message_text(message), "The first line.\n\nThe second."));
  for (guint i = 0; i < inner->len; i++) {
    const Field *field = inner->pdata[i];
    if (strcmp(field->name, "HP-Outer") == 0 || is_structural(field->name))
      continue;
    gboolean seen = FALSE;
    for (guint r = 0; r < inner->len; r++) {
      g_autofree char *pair = g_strdup_printf("%s: %s", field->name, field->value);
      seen = seen || (strcmp(((Field *)inner->pdata[r])->name, "HP-Outer") == 0 &&
                      strcmp(((Field *)inner->pdata[r])->value, pair) == 0);
    }
    const MlHeaderLine *line = line_of(message, field->name);
    g_assert_cmpint(line->encrypted, ==, form->encrypt && !seen);
    g_assert_cmpint(line->is_signed, ==, form->sign);
  }
}

static void
test_written(gconstpointer data)
{
  guint bits = GPOINTER_TO_UINT(data);
  const Form form = {
    .policy = bits % 3, .sign = bits / 3 != 1, .encrypt = bits / 3 != 0, .opaque = bits / 3 == 3
  };
  for (guint i = 0; i < 4; i++) {
    Form one = form;
    one.legacy = (i & 1) != 0;
    one.attachment = (i & 2) != 0;
    g_autoptr(MlDraft) draft = new_draft(&one);
    g_autoptr(GBytes) bytes = sealed_message(draft, now);
    g_autoptr(MlMessage) message = read_message(bytes);
    g_autofree char *text = text_of(bytes), *payload = payload_of(message, bytes, &one);
    const char *body;
    g_autoptr(GPtrArray) outer = fields_of(text, NULL), inner = fields_of(payload, &body);
    check_fields(&one, outer, inner, now);
    check_columns(outer);
    check_columns(inner);
    check_legacy(&one, draft, inner, payload, body);
    check_reading(&one, draft, message, inner);
  }
}

/* --- what was hidden stays hidden --- */

/* A policy beyond shy: nobody and no thread outside but From. */
static MlMessage *
ambitious(const char *outer_subject, gboolean recorded)
{
  g_autofree char *outside = g_strdup_printf("Subject: %s\r\nFrom: alice@smime.example\r\n", outer_subject);
  g_autofree char *payload = g_strdup_printf(
      "From: Alice <alice@smime.example>\r\nTo: Bob <bob@smime.example>\r\nCc: Carla "
      "<carla@smime.example>\r\n"
      "Subject: Gold\r\nMessage-ID: <secret-1@smime.example>\r\nReferences: <secret-0@smime.example>\r\n"
      "%sMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii; hp=\"cipher\"\r\n\r\nThree "
      "thousand.\r\n",
      recorded ? "HP-Outer: Subject: [...]\r\nHP-Outer: From: alice@smime.example\r\n" : "");
  g_autoptr(GBytes) bytes = wrap(payload, TRUE, outside);
  return read_message(bytes);
}

static char *
answer(const MlMessage *message, gboolean encrypt, GPtrArray **outer, GPtrArray **fields)
{
  MlAccount mine = account;
  mine.address = (char *)"bob@smime.example";
  mine.hide_headers = (char *)"none";
  g_autoptr(GError) error = NULL;
  g_autoptr(MlDraft) draft = ml_draft_reply(&mine, message, ML_REPLY_ALL, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(draft->cc, ==, "Carla <carla@smime.example>");
  g_assert_true(draft->secret_thread);
  g_autoptr(MlDraft) copy = ml_draft_copy(draft);
  copy->encrypt = encrypt;
  const MlBuildOptions build = { .date = now, .boundary_seed = 1 };
  g_autoptr(MlBuilt) built = ml_draft_build(copy, &build, &error);
  g_assert_no_error(error);
  g_autoptr(GBytes) payload = ml_draft_payload(copy, built, encrypt, outer, &error);
  g_assert_no_error(error);
  g_autofree char *text = text_of(payload);
  *fields = fields_of(text, NULL);
  GString *all = g_string_new(NULL);
  for (guint i = 0; i < (*outer)->len; i++) {
    const MlDraftHeader *header = (*outer)->pdata[i];
    g_string_append_printf(all, "%s: %s\r\n", header->name, header->value);
  }
  return g_string_free(all, FALSE);
}

static void
test_hidden(void)
{
  /* The second: somebody who knows what was inside puts it outside, and waits for the answer. */
  static const char *const outsides[] = { "[...]", "Gold" };
  static const char *const secrets[] = { "carla", "secret-", "Gold", "Alice" };
  for (gsize o = 0; o < G_N_ELEMENTS(outsides) * 2; o++)
    for (guint encrypt = 0; encrypt < 2; encrypt++) {
      /* without a record of what is outside, nothing was meant to be (2.2) */
      g_autoptr(MlMessage) message = ambitious(outsides[o / 2], o % 2 == 0);
      g_assert_cmpstr(ml_message_header(message, "Subject"), ==, "Gold");
      g_autoptr(GPtrArray) outer = NULL, inner = NULL;
      g_autofree char *outside = answer(message, encrypt, &outer, &inner);
      for (gsize s = 0; s < G_N_ELEMENTS(secrets); s++)
        if (strstr(outside, secrets[s]))
          g_error("%s is outside of %s:\n%s", secrets[s], encrypt ? "an encrypted answer" : "an open answer",
                  outside);
      g_assert_nonnull(strstr(outside, "To: alice@smime.example\r\n"));
      for (guint i = 0; !encrypt && i < inner->len; i++)
        for (gsize s = 0; s < G_N_ELEMENTS(secrets); s++)
          g_assert_null(strstr(((Field *)inner->pdata[i])->value, secrets[s]));
      if (!encrypt)
        continue;
      g_assert_cmpstr(value_of(inner, "Cc"), ==, "Carla <carla@smime.example>");
      g_assert_cmpstr(value_of(inner, "In-Reply-To"), ==, "<secret-1@smime.example>");
      g_assert_cmpstr(value_of(inner, "References"), ==, "<secret-0@smime.example> <secret-1@smime.example>");
      g_assert_cmpstr(value_of(inner, "Subject"), ==, "Re: Gold");
    }
}

int
main(int argc, char **argv)
{
  g_setenv("TZ", "America/New_York", TRUE); /* so that the zone is one to hide */
  g_test_init(&argc, &argv, NULL);
  set_up();
  static const char *const forms[] = { "signed", "encrypted", "signed-encrypted", "opaque-encrypted" };
  for (guint i = 0; i < 12; i++) {
    g_autofree char *path = g_strdup_printf("/protect/written/%s/%s", forms[i / 3], policy_words[i % 3]);
    g_test_add_data_func(path, GUINT_TO_POINTER(i), test_written);
  }
  g_test_add_func("/protect/hidden", test_hidden);
  int result = g_test_run();
  tear_down();
  return result;
}
