#include "ui/strip.h"

#include "ui/text.h"

#include <string.h>

/* A verdict as the tests' cases begin with: an unsigned, unencrypted message. */
typedef struct {
  MlVerdict verdict;
  CryptoEnvelope envelope;
  CryptoSigner cms;
  MlSigner signer;
  const char *errors[3];
} Case;

static void
begin(Case *c)
{
  memset(c, 0, sizeof *c);
  c->verdict = (MlVerdict){ .signature = ML_SIGNATURE_UNSIGNED,
                            .encryption = ML_ENCRYPTION_NONE,
                            .indicator = ML_INDICATOR_NONE,
                            .signer_matches_from = ML_UNKNOWN,
                            .reason = (char *)"This message is not signed.",
                            .trust_errors = (char **)c->errors };
  c->verdict.warnings = g_ptr_array_new();
  c->verdict.signers = g_ptr_array_new();
  c->cms.identifier = (char *)"CN=Test, serial 1";
  c->signer.cms = &c->cms;
}

static void
sign(Case *c, MlSignature signature, MlIndicator indicator, const char *address, gboolean matches)
{
  c->verdict.signature = signature;
  c->verdict.indicator = indicator;
  c->verdict.signer_address = (char *)address;
  c->verdict.signer_matches_from = matches;
  c->signer.matches_from = matches;
  g_ptr_array_add(c->verdict.signers, &c->signer);
}

static void
encrypt(Case *c, MlEncryption encryption, const char *algorithm, gboolean authenticated)
{
  c->verdict.encryption = encryption;
  c->envelope.algorithm = (char *)algorithm;
  c->envelope.authenticated = authenticated;
  c->verdict.envelope = &c->envelope;
}

/* The strip as one text, a row a line, style letters before each: G good, W warn, B bad, q quiet, - else. */
static char *
render(Case *c, const char *from, gboolean can_install, int columns, int rows)
{
  UiStripFacts facts = { from, can_install };
  g_autoptr(GPtrArray) strip = ui_strip_rows(&c->verdict, &facts, columns, rows);
  GString *out = g_string_new(NULL);

  g_assert_cmpuint(strip->len, >, 0);
  g_assert_cmpint((int)strip->len, <=, rows);
  for (guint i = 0; i < strip->len; i++) {
    const UiStripRow *row = strip->pdata[i];
    int width = ui_text_width(row->text) + (row->hint ? ui_text_width(row->hint) + 2 : 0);
    g_assert_cmpint(width, <=, columns);
    char letter = row->style == UI_STYLE_GOOD    ? 'G'
                  : row->style == UI_STYLE_WARN  ? 'W'
                  : row->style == UI_STYLE_BAD   ? 'B'
                  : row->style == UI_STYLE_QUIET ? 'q'
                                                 : '-';
    g_string_append_printf(out, "%c %s%s%s\n", letter, row->text, row->hint ? " >> " : "",
                           row->hint ? row->hint : "");
  }
  return g_string_free(out, FALSE);
}

static void
end(Case *c)
{
  g_ptr_array_unref(c->verdict.warnings);
  g_ptr_array_unref(c->verdict.signers);
}

static void
has(const char *text, const char *words)
{
  if (!strstr(text, words))
    g_error("\"%s\" is not in:\n%s", words, text);
}

static void
has_not(const char *text, const char *words)
{
  if (strstr(text, words))
    g_error("\"%s\" is in:\n%s", words, text);
}

static void
test_plain(void)
{
  Case c;
  begin(&c);
  g_autofree char *text = render(&c, "a@b", FALSE, 78, 6);
  g_assert_cmpstr(text, ==, "q Not signed, not encrypted.\n");
  g_assert_cmpstr(ui_strip_mark(&c.verdict), ==, "");
  g_ptr_array_add(c.verdict.warnings, (char *)"The display name holds another address.");
  g_autofree char *warned = render(&c, "a@b", FALSE, 78, 6);
  has(warned, "W The display name holds another address.");
  end(&c);
}

static void
test_good_is_quiet(void)
{
  Case c;
  begin(&c);
  sign(&c, ML_SIGNATURE_VALID, ML_INDICATOR_GOOD, "anna@example.org", TRUE);
  c.verdict.reason = (char *)"Everything is fine.";
  g_autofree char *text = render(&c, "anna@example.org", FALSE, 78, 6);
  g_assert_cmpstr(text, ==, "G SIGNED BY anna@example.org; not encrypted >> V details\n");
  g_assert_cmpstr(ui_strip_mark(&c.verdict), ==, "S+");
  c.verdict.expired_since = TRUE;
  g_autofree char *expired = render(&c, "anna@example.org", FALSE, 78, 6);
  has(expired, "certificate expired since");
  end(&c);
}

static void
test_somebody_else(void)
{
  Case c;
  begin(&c);
  sign(&c, ML_SIGNATURE_VALID, ML_INDICATOR_WARN, "mallory@example.net", FALSE);
  c.verdict.reason = (char *)"The signer is not the From address.";
  c.verdict.next_step = (char *)"Ask the sender by another way.";
  g_autofree char *text = render(&c, "accounts@example.org", TRUE, 78, 6);
  has(text, "W SIGNED BY SOMEONE ELSE  mallory@example.net, not accounts@example.org");
  has(text, "The certificate is that of mallory@example.net; not encrypted.");
  has_not(text, "The signer is not the From address."); /* it is what the first row says */
  has(text, "Ask the sender by another way.");
  has(text, "V details");
  has(text, "I install certificate");
  g_assert_cmpstr(ui_strip_mark(&c.verdict), ==, "S?");
  /* one of several authors is named like the one author */
  g_autofree char *several = render(&c, "Mallory@example.net", FALSE, 78, 6);
  has(several, "W SIGNED, THE AUTHOR IS NOT CLEAR  mallory@example.net is one of several");
  has_not(several, "not Mallory@example.net");
  /* a name is no address, though it may be written like one */
  c.verdict.signer_address = NULL;
  g_autofree char *nameless = render(&c, "accounts@example.org", FALSE, 78, 6);
  has(nameless, "W SIGNED BY SOMEONE ELSE  a certificate without an address, not");
  has(nameless, "certifies no address");
  end(&c);
}

/* It is the author's, and still not to be taken as it is: without colours too. */
static void
test_look_twice(void)
{
  Case c;
  begin(&c);
  sign(&c, ML_SIGNATURE_VALID, ML_INDICATOR_WARN, "mallory@example.net", TRUE);
  c.verdict.reason = (char *)"Signed, but the name looks like somebody else's.";
  g_autofree char *text = render(&c, "mallory@example.net", FALSE, 78, 6);
  has(text, "W SIGNED, BUT LOOK  by mallory@example.net; not encrypted");
  has(text, "looks like somebody else's");
  has_not(text, "SIGNED BY");
  end(&c);
}

static void
test_bad(void)
{
  Case c;
  begin(&c);
  sign(&c, ML_SIGNATURE_INVALID, ML_INDICATOR_BAD, "anna@example.org", TRUE);
  c.verdict.reason = (char *)"The text was changed after it was signed.";
  g_autofree char *text = render(&c, "anna@example.org", FALSE, 78, 6);
  has(text, "B BAD SIGNATURE");
  has(text, "changed after it was signed");
  g_assert_cmpstr(ui_strip_mark(&c.verdict), ==, "S!");
  end(&c);
  begin(&c);
  sign(&c, ML_SIGNATURE_UNTRUSTED, ML_INDICATOR_BAD, "anna@example.org", TRUE);
  c.errors[0] = "revoked";
  g_autofree char *revoked = render(&c, "anna@example.org", FALSE, 78, 6);
  has(revoked, "B CERTIFICATE REVOKED");
  end(&c);
  begin(&c);
  sign(&c, ML_SIGNATURE_UNTRUSTED, ML_INDICATOR_WARN, "anna@example.org", TRUE);
  g_autofree char *untrusted = render(&c, "anna@example.org", FALSE, 78, 6);
  has(untrusted, "W SIGNED, NOT TRUSTED  says it is anna@example.org >>");
  has_not(untrusted, "SIGNED BY");
  c.verdict.signer_matches_from = ML_NO; /* trusting the authority would not make it the author's */
  g_autofree char *neither = render(&c, "ceo@example.org", FALSE, 78, 6);
  has(neither, "W SIGNED, NOT TRUSTED  says it is anna@example.org, not ceo@example.org");
  end(&c);
  begin(&c);
  sign(&c, ML_SIGNATURE_UNVERIFIABLE, ML_INDICATOR_WARN, NULL, FALSE);
  g_autofree char *unknown = render(&c, "anna@example.org", FALSE, 78, 6);
  has(unknown, "W SIGNATURE CANNOT BE CHECKED  claims to be by CN=Test, serial 1");
  end(&c);
}

static void
test_encrypted_only(void)
{
  Case c;
  begin(&c);
  encrypt(&c, ML_ENCRYPTION_DECRYPTED, "aes-256-gcm", TRUE);
  g_autofree char *gcm = render(&c, "a@b", FALSE, 78, 6);
  has(gcm, "- ENCRYPTED to you, AES-256-GCM");
  has(gcm, "proves nothing about the sender");
  has_not(gcm, "against change");
  g_assert_false(ui_strip_is_malleable(&c.verdict));
  encrypt(&c, ML_ENCRYPTION_DECRYPTED, "aes-256-cbc", FALSE);
  g_autofree char *cbc = render(&c, "a@b", FALSE, 78, 6);
  has(cbc, "W ENCRYPTED to you, AES-256-CBC: not protected against change");
  has(cbc, "proves nothing about the sender");
  g_assert_true(ui_strip_is_malleable(&c.verdict));
  g_assert_cmpstr(ui_strip_mark(&c.verdict), ==, "E");
  encrypt(&c, ML_ENCRYPTION_LEGACY, "des-ede3-cbc", FALSE);
  g_autofree char *weak = render(&c, "a@b", FALSE, 78, 6);
  has(weak, "3DES, a weak cipher");
  end(&c);
}

static void
test_encrypted_and_signed(void)
{
  Case c;
  begin(&c);
  sign(&c, ML_SIGNATURE_VALID, ML_INDICATOR_GOOD, "anna@example.org", TRUE);
  encrypt(&c, ML_ENCRYPTION_DECRYPTED, "aes-256-cbc", FALSE);
  g_autofree char *text = render(&c, "anna@example.org", TRUE, 78, 6);
  g_assert_cmpstr(text, ==,
                  "G SIGNED BY anna@example.org >> V details\n"
                  "- ENCRYPTED to you, AES-256-CBC >> I install certificate\n");
  g_assert_false(ui_strip_is_malleable(&c.verdict));
  g_assert_cmpstr(ui_strip_mark(&c.verdict), ==, "SE+");
  end(&c);
}

static void
test_cannot_decrypt(void)
{
  static const struct {
    MlEncryption encryption;
    const char *words;
  } cases[] = {
    { ML_ENCRYPTION_NO_KEY, "none of your keys opens it" },
    { ML_ENCRYPTION_MALFORMED, "cannot be decrypted" },
    { ML_ENCRYPTION_UNSUPPORTED, "cannot be read here" },
    { ML_ENCRYPTION_REFUSED, "too weakly" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    Case c;
    begin(&c);
    encrypt(&c, cases[i].encryption, "aes-256-cbc", FALSE);
    c.verdict.reason = (char *)"This is the reason.";
    g_autofree char *text = render(&c, "a@b", FALSE, 78, 6);
    has(text, cases[i].words);
    has(text, "This is the reason.");
    has_not(text, "to you");
    end(&c);
  }
  Case c;
  begin(&c);
  encrypt(&c, ML_ENCRYPTION_NO_KEY, "aes-256-cbc", FALSE);
  c.verdict.locked = TRUE;
  g_autofree char *locked = render(&c, "a@b", FALSE, 78, 6);
  has(locked, "your key is locked");
  has(locked, "D decrypts it");
  c.verdict.locked = TRUE;
  c.envelope.absent = TRUE;
  c.envelope.token = (char *)"Karte\nÄ";
  c.verdict.envelope = &c.envelope;
  g_autofree char *away = render(&c, "a@b", FALSE, 78, 6);
  has(away, "on a card that is not in its reader");
  has(away, "Ä”: D decrypts it");
  end(&c);
}

static void
test_partly(void)
{
  Case c;
  begin(&c);
  c.verdict.signature = ML_SIGNATURE_ERRANT;
  c.verdict.reason = (char *)"A mailing list added text.";
  g_autofree char *text = render(&c, "a@b", FALSE, 78, 6);
  has(text, "NOT SIGNED AS A WHOLE");
  has(text, "A mailing list added text.");
  has_not(text, "SIGNED BY");
  c.verdict.encryption = ML_ENCRYPTION_ERRANT;
  g_autofree char *both = render(&c, "a@b", FALSE, 78, 6);
  has(both, "D opens it");
  end(&c);
}

/* Whatever a certificate or a header says, it stays in its row, and the strip in its own. */
static void
test_hostile_and_narrow(void)
{
  Case c;
  begin(&c);
  g_autofree char *long_name = g_strnfill(5000, 'x');
  g_autofree char *address =
      g_strconcat("a\033[2J\nSIGNED BY ceo@bank.example\n", long_name, "@example.org", NULL);
  sign(&c, ML_SIGNATURE_VALID, ML_INDICATOR_WARN, address, FALSE);
  c.verdict.reason = address;
  c.verdict.next_step = address;
  g_ptr_array_add(c.verdict.warnings, address);
  for (int columns = 10; columns < 200; columns += 7)
    for (int rows = 1; rows <= 6; rows++) {
      g_autofree char *text = render(&c, address, TRUE, columns, rows);
      g_assert_null(strchr(text, 033));
      g_assert_null(strstr(text, "\n- SIGNED BY ceo"));
    }
  g_autofree char *cut = render(&c, address, TRUE, 78, 3);
  has(cut, "V for more");
  end(&c);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/strip/plain", test_plain);
  g_test_add_func("/strip/good-is-quiet", test_good_is_quiet);
  g_test_add_func("/strip/somebody-else", test_somebody_else);
  g_test_add_func("/strip/look-twice", test_look_twice);
  g_test_add_func("/strip/bad", test_bad);
  g_test_add_func("/strip/encrypted-only", test_encrypted_only);
  g_test_add_func("/strip/encrypted-and-signed", test_encrypted_and_signed);
  g_test_add_func("/strip/cannot-decrypt", test_cannot_decrypt);
  g_test_add_func("/strip/partly", test_partly);
  g_test_add_func("/strip/hostile-and-narrow", test_hostile_and_narrow);
  return g_test_run();
}
