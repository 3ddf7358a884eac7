/* Header protection as we read and answer it: messages built as those of RFC 9788's appendix C are, with the same fields
 * in the same order, the same policies, the same folds; keys and texts are our own. */
#include "tests/unit/protect-lab.h"

typedef struct {
  gboolean encrypt, shy, legacy, reply, complex, wrapped;
} Sample;

/* The fields of all of them, in the order of the appendix; @outside: as its policies make them. */
static char *
sample_fields(const Sample *sample, const char *id, gboolean outside, const char *prefix)
{
  gboolean hidden = outside && sample->encrypt, shy = hidden && sample->shy;
  g_autoptr(GString) out = g_string_new(NULL);
  g_autofree char *thread = g_strndup(id, strlen(id) - (sample->reply ? strlen("-reply") : 0));
  g_string_append_printf(out, "%sSubject: %s\r\n", prefix, hidden ? "[...]" : id);
  gboolean wide = strlen(prefix) + strlen("Message-ID: <@example>") + strlen(id) > 72;
  if (wide && *prefix) /* the appendix folds here, before the name */
    g_string_append_printf(out, "HP-Outer:\r\n Message-ID: <%s@example>\r\n", id);
  else
    g_string_append_printf(out, "%sMessage-ID:%s <%s@example>\r\n", prefix, wide ? "\r\n" : "", id);
  g_string_append_printf(out, "%sFrom: %s\r\n", prefix,
                         shy ? "alice@smime.example" : "Alice <alice@smime.example>");
  g_string_append_printf(out, "%sTo: %s\r\n", prefix, shy ? "bob@smime.example" : "Bob <bob@smime.example>");
  g_string_append_printf(out, "%sDate: Sat, 20 Feb 2021 %s\r\n", prefix,
                         shy ? "15:13:02 +0000" : "10:13:02 -0500");
  g_string_append_printf(out, "%sUser-Agent: Sample MUA Version 1.0\r\n", prefix);
  if (sample->reply)
    g_string_append_printf(out, "%sIn-Reply-To: <%s@example>\r\n%sReferences: <%s@example>\r\n", prefix,
                           thread, prefix, thread);
  return g_strdup(out->str);
}

static char *
sample_text(const Sample *sample, const char *id)
{
  g_autofree char *fields = sample_fields(sample, id, FALSE, ""),
                  *recorded = sample_fields(sample, id, TRUE, "HP-Outer: ");
  const char *hp = sample->wrapped ? "" : sample->encrypt ? "; hp=\"cipher\"" : "; hp=\"clear\"";
  const char *outer = sample->encrypt && !sample->wrapped ? recorded : "";
  const char *mark = sample->legacy ? ";\r\n hp-legacy-display=\"1\"" : "";
  g_autofree char *lines =
      g_strdup_printf("Subject: %s\r\n%s", id,
                      sample->shy ? "From: Alice <alice@smime.example>\r\nTo: Bob <bob@smime.example>\r\n"
                                    "Date: Sat, 20 Feb 2021 10:13:02 -0500\r\n"
                                  : "");
  g_autofree char *plain = g_strdup_printf("%s%sThis message is\r\n%s.\r\n\r\n-- \r\nAlice\r\n",
                                           sample->legacy ? lines : "", sample->legacy ? "\r\n" : "", id);
  if (!sample->complex)
    return g_strdup_printf("MIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\n%s%s"
                           "Content-Type: text/plain; charset=\"utf-8\"%s%s\r\n\r\n%s",
                           fields, outer, mark, hp, plain);
  g_autofree char *div = g_strdup_printf(
      "<div class=\"header-protection-legacy-display\">\r\n<pre>%s</pre>\r\n</div>\r\n", lines);
  return g_strdup_printf(
      "MIME-Version: 1.0\r\n%s%sContent-Type: multipart/mixed; boundary=\"550\"%s\r\n\r\n"
      "--550\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"fcd\"\r\n\r\n"
      "--fcd\r\nContent-Type: text/plain; charset=\"us-ascii\"%s\r\nMIME-Version: 1.0\r\n"
      "Content-Transfer-Encoding: 7bit\r\n\r\n%s"
      "--fcd\r\nContent-Type: text/html; charset=\"us-ascii\"%s\r\nMIME-Version: 1.0\r\n"
      "Content-Transfer-Encoding: 7bit\r\n\r\n<html><head><title></title></head><body>\r\n%s"
      "<p>This message is\r\n<b>%s</b>.</p></body></html>\r\n--fcd--\r\n\r\n"
      "--550\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: "
      "inline\r\n\r\n"
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=\r\n\r\n--"
      "550--\r\n",
      fields, outer, hp, mark, plain, mark, sample->legacy ? div : "", id);
}

static char *
sample_name(const Sample *sample)
{
  return g_strdup_printf("smime-%s%s%s-%s%s%s", sample->encrypt ? "signed-enc" : "one-part",
                         sample->complex ? "-complex" : "", sample->wrapped ? "-rfc8551hp" : "-hp",
                         !sample->encrypt ? "x"
                         : sample->shy    ? "shy"
                                          : "baseline",
                         sample->legacy ? "-legacy" : "", sample->reply ? "-reply" : "");
}

static GBytes *
make_sample(const Sample *sample, const char *id)
{
  g_autofree char *outside = sample_fields(sample, id, TRUE, ""), *text = sample_text(sample, id),
                  *payload = NULL;
  payload = sample->wrapped
                ? g_strconcat("MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n", text, NULL)
                : g_steal_pointer(&text);
  return wrap(payload, sample->encrypt, outside);
}

/* signed-only, or signed and encrypted, of each field (4.3.1). */
static void
check_state(const MlMessage *message, const char *name, gboolean encrypted)
{
  const MlHeaderLine *line = line_of(message, name);
  g_assert_true(line->is_signed);
  if (line->encrypted != encrypted)
    g_error("%s: %s", name, line->encrypted ? "said to be confidential" : "not said to be confidential");
}

static void
check_sample(const Sample *sample, const char *id, const MlMessage *message)
{
  const MlVerdict *verdict = ml_message_verdict(message);
  g_assert_cmpint(verdict->indicator, ==, ML_INDICATOR_GOOD);
  g_assert_cmpint(verdict->encryption, ==, sample->encrypt ? ML_ENCRYPTION_DECRYPTED : ML_ENCRYPTION_NONE);
  g_assert_cmpint(verdict->protected_headers, ==, sample->encrypt ? ML_PROTECTED_BOTH : ML_PROTECTED_SIGNED);
  g_assert_cmpstr(ml_message_header(message, "Subject"), ==, id);
  g_assert_cmpstr(ml_message_header(message, "From"), ==, "Alice <alice@smime.example>");
  g_assert_cmpstr(ml_message_header(message, "Date"), ==, "Sat, 20 Feb 2021 10:13:02 -0500");
  g_assert_null(ml_message_outer_differs(message)[0]);
  check_state(message, "Subject", sample->encrypt);
  check_state(message, "From", sample->encrypt && sample->shy);
  check_state(message, "To", sample->encrypt && sample->shy);
  check_state(message, "Date", sample->encrypt && sample->shy);
  check_state(message, "Message-ID", FALSE);
  check_state(message, "User-Agent", FALSE);
  g_autofree char *text = g_strdup_printf("This message is\n%s.\n\n-- \nAlice", id);
  g_assert_cmpstr(ml_message_text(message), ==, text);
  GPtrArray *parts = ml_message_parts(message);
  guint html = 0;
  for (guint i = 0; i < parts->len; i++) {
    const MlPart *part = parts->pdata[i];
    if (strcmp(part->type, "text/html") != 0)
      continue;
    html++;
    g_autofree char *shown = ml_message_part_text(message, i, NULL);
    g_assert_true(g_str_has_prefix(g_strchug(shown), "This message is"));
    g_assert_null(strstr(shown, "Subject:"));
  }
  g_assert_cmpuint(html, ==, sample->complex ? 1 : 0);
}

/* Bob's answer, by each of our own policies: what the sample hid is outside of none (6.1). */
static void
check_answer(const Sample *sample, const char *id, const MlMessage *message)
{
  static const char *const policies[] = { "baseline", "shy", "none" };
  for (gsize p = 0; p < G_N_ELEMENTS(policies); p++) {
    MlAccount mine = account;
    mine.address = (char *)"bob@smime.example";
    mine.hide_headers = (char *)policies[p];
    g_autoptr(GError) error = NULL;
    g_autoptr(MlDraft) draft = ml_draft_reply(&mine, message, ML_REPLY_ALL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(draft->encrypt, ==, sample->encrypt);
    draft->sign = TRUE;
    g_assert_true(strstr(draft->subject, id) != NULL);
    g_assert_null(strstr(draft->text, "> Subject:")); /* 4.5.3 */
    g_assert_nonnull(strstr(draft->text, "> This message is\n"));
    g_autoptr(GBytes) bytes = sealed_message(draft, now);
    g_autofree char *raw = text_of(bytes);
    g_autoptr(GPtrArray) outer = fields_of(raw, NULL);
    if (sample->encrypt)
      g_assert_null(strstr(value_of(outer, "Subject"), id));
    g_assert_nonnull(strstr(value_of(outer, "To"), "alice@smime.example"));
    gboolean names = !sample->encrypt || (!sample->shy && strcmp(policies[p], "shy") != 0);
    g_assert_cmpint(strstr(value_of(outer, "To"), "Alice") != NULL, ==, names);
    g_autofree char *parent = g_strdup_printf("<%s@example>", id);
    g_assert_cmpstr(value_of(outer, "In-Reply-To"), ==, parent); /* threads hold */
    g_assert_true(g_str_has_suffix(value_of(outer, "References"), parent));
    g_autoptr(MlMessage) read = read_message(bytes);
    g_autofree char *subject = g_strconcat("Re: ", id, NULL);
    g_assert_cmpstr(ml_message_header(read, "Subject"), ==, subject);
    if (!sample->encrypt)
      continue;
    /* In clear after all: */
    draft->encrypt = FALSE;
    g_autoptr(GBytes) clear = sealed_message(draft, now);
    g_autofree char *open = text_of(clear);
    const char *body;
    g_autoptr(GPtrArray) top = fields_of(open, &body);
    g_assert_cmpstr(value_of(top, "Subject"), ==, "Re: [...]");
    if (sample->shy)
      g_assert_cmpstr(value_of(top, "To"), ==, "alice@smime.example");
    g_assert_null(strstr(body, "Subject: Re: smime"));
  }
}

static void
test_sample(gconstpointer data)
{
  const Sample *sample = data;
  g_autofree char *id = sample_name(sample);
  g_autoptr(GBytes) bytes = make_sample(sample, id);
  g_autoptr(MlMessage) message = read_message(bytes);
  check_sample(sample, id, message);
  check_answer(sample, id, message);
}

/* --- the older wrapping, and what only looks like it --- */

static void
test_wrapped(void)
{
  static const struct {
    const char *parameter, *id;
    gboolean protected;
  } rows[] = {
    { "", "<one@example>", TRUE },
    { "; forwarded=no", "<other@example>", TRUE },
    { "", "<other@example>", FALSE }, /* a mail that Alice forwards and signs */
    { "; forwarded=yes", "<one@example>", FALSE },
    { "; hp=\"clear\"", "<one@example>",
      FALSE }, /* then the fields of the payload itself count: it has none */
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *payload = g_strdup_printf(
        "MIME-Version: 1.0\r\nContent-Type: message/rfc822%s\r\n\r\nFrom: Alice <alice@smime.example>\r\n"
        "Subject: inner words\r\nMessage-ID: %s\r\n\r\nA text.\r\n",
        rows[i].parameter, rows[i].id);
    g_autoptr(GBytes) bytes = wrap(payload, FALSE,
                                   "From: Alice <alice@smime.example>\r\nSubject: outer words\r\n"
                                   "Message-ID: <one@example>\r\n");
    g_autoptr(MlMessage) message = read_message(bytes);
    const char *subject = ml_message_header(message, "Subject");
    g_test_message("%u: %s", (guint)i, subject ? subject : "no Subject");
    g_assert_cmpint(g_strcmp0(subject, "inner words") == 0, ==, rows[i].protected);
    if (rows[i].protected)
      g_assert_cmpint(ml_message_verdict(message)->protected_headers, ==, ML_PROTECTED_SIGNED);
  }
}

static void
add_samples(void)
{
  static Sample samples[64];
  guint n = 0;
  for (guint complex = 0; complex < 2; complex++) {
    samples[n++] = (Sample){ .complex = complex };
    samples[n++] = (Sample){ .complex = complex, .wrapped = TRUE };
    samples[n++] = (Sample){ .complex = complex, .wrapped = TRUE, .encrypt = TRUE };
    for (guint bits = 0; bits < 8; bits++)
      samples[n++] = (Sample){ .encrypt = TRUE,
                               .complex = complex,
                               .shy = (bits & 1) != 0,
                               .legacy = (bits & 2) != 0,
                               .reply = (bits & 4) != 0 };
  }
  for (guint i = 0; i < n; i++) {
    g_autofree char *name = sample_name(&samples[i]), *path = g_strconcat("/protect/read/", name, NULL);
    g_test_add_data_func(path, &samples[i], test_sample);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  set_up();
  add_samples();
  g_test_add_func("/protect/wrapped", test_wrapped);
  int result = g_test_run();
  tear_down();
  return result;
}
