#include "ui/strip.h"

#include <string.h>

#include "ui/text.h"

enum { MAX_ROWS = 6, MAX_SENTENCE = 1000 };

void
ui_strip_row_free(UiStripRow *row)
{
  if (!row)
    return;
  g_free(row->text);
  g_free(row->hint);
  g_free(row);
}

static UiStripRow *
row_new(UiStyle style, const char *text)
{
  UiStripRow *row = g_new0(UiStripRow, 1);

  row->style = style;
  row->text = g_strdup(text);
  return row;
}

/* A sentence takes the rows that it needs. */
static void
add(GPtrArray *rows, UiStyle style, int columns, const char *sentence)
{
  g_autofree char *line = ui_text_line(sentence);
  g_autofree char *cut = ui_text_cut(line, MAX_SENTENCE);
  g_autoptr(GPtrArray) lines = ui_text_wrap(cut, MAX(columns, 1));

  for (guint i = 0; i < lines->len; i++)
    g_ptr_array_add(rows, row_new(style, lines->pdata[i]));
}

static void
    G_GNUC_PRINTF(4, 5) add_words(GPtrArray *rows, UiStyle style, int columns, const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *sentence = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  add(rows, style, columns, sentence);
}

UiStyle
ui_strip_style(const MlVerdict *verdict)
{
  switch (verdict->indicator) {
  case ML_INDICATOR_GOOD:
    return UI_STYLE_GOOD;
  case ML_INDICATOR_WARN:
    return UI_STYLE_WARN;
  case ML_INDICATOR_BAD:
    return UI_STYLE_BAD;
  default:
    return UI_STYLE_NORMAL;
  }
}

static gboolean
is_encrypted(const MlVerdict *verdict)
{
  return verdict->encryption != ML_ENCRYPTION_NONE && verdict->encryption != ML_ENCRYPTION_ERRANT;
}

const char *
ui_strip_mark(const MlVerdict *verdict)
{
  static const char *const marks[2][4] = { { "S+", "S?", "S!", "" }, { "SE+", "SE?", "SE!", "E" } };

  return marks[is_encrypted(verdict)][MIN((guint)verdict->indicator, 3)];
}

char *
ui_strip_algorithm(const char *name)
{
  if (!name)
    return g_strdup("an unknown cipher");
  if (g_str_has_prefix(name, "des-ede3"))
    return g_strdup("3DES");
  g_autofree char *line = ui_text_line(name);
  return g_ascii_strup(line, -1);
}

gboolean
ui_strip_is_malleable(const MlVerdict *verdict)
{
  if (verdict->encryption != ML_ENCRYPTION_DECRYPTED && verdict->encryption != ML_ENCRYPTION_LEGACY &&
      verdict->encryption != ML_ENCRYPTION_ERRANT)
    return FALSE;
  if (verdict->envelope && verdict->envelope->authenticated)
    return FALSE;
  return verdict->signature != ML_SIGNATURE_VALID && verdict->signature != ML_SIGNATURE_UNTRUSTED;
}

/* The signer that speaks for the message: the one that is the From, else the first. */
static const MlSigner *
first_signer(const MlVerdict *verdict)
{
  if (!verdict->signers || !verdict->signers->len)
    return NULL;
  for (guint i = 0; i < verdict->signers->len; i++) {
    const MlSigner *signer = verdict->signers->pdata[i];
    if (signer->matches_from)
      return signer;
  }
  return verdict->signers->pdata[0];
}

static char *
signer_words(const MlVerdict *verdict, const MlSigner *signer)
{
  CryptoCert *cert = signer && signer->cms ? signer->cms->cert : NULL;
  const char *address = verdict->signer_address;
  const char *name = cert ? crypto_cert_common_name(cert) : NULL;

  if (!address && !name)
    return ui_text_line(signer && signer->cms && signer->cms->identifier ? signer->cms->identifier
                                                                         : "an unnamed signer");
  g_autofree char *words = !address ? g_strdup(name)
                           : name && g_ascii_strcasecmp(name, address)
                               ? g_strdup_printf("%s (%s)", address, name)
                               : g_strdup(address);
  return ui_text_line(words);
}

/* Who vouches: the issuer, and with @whole the top of the chain where that is another. NULL: nobody is named. */
static char *
authority_words(const MlSigner *signer, gboolean whole)
{
  CryptoCert *cert = signer && signer->cms ? signer->cms->cert : NULL;

  if (!cert)
    return NULL;
  const CryptoChain *chain = signer->now;
  const char *issuer = crypto_cert_issuer_name(cert);
  const char *top = whole && chain && chain->certs && chain->certs->len > 2
                        ? crypto_cert_common_name(chain->certs->pdata[chain->certs->len - 1])
                        : NULL;
  g_autofree char *words =
      top && strcmp(top, issuer) ? g_strdup_printf("%s (%s)", issuer, top) : g_strdup(issuer);
  return ui_text_line(words);
}

/* The one row of a signature by the author, with the top of the chain where there is room for it. Whoever sees no
 * colours sees by the words that something is to be read below. */
static void
add_signer(GPtrArray *rows, const MlVerdict *verdict, const MlSigner *signer, const char *who, int columns)
{
  for (gboolean whole = TRUE;; whole = FALSE) {
    g_autofree char *authority = authority_words(signer, whole);
    g_autofree char *row = g_strdup_printf(
        "%s %s%s%s%s%s", verdict->indicator == ML_INDICATOR_GOOD ? "SIGNED BY" : "SIGNED, BUT LOOK  by", who,
        authority ? ", says " : "", authority ? authority : "",
        verdict->expired_since ? "; certificate expired since" : "",
        verdict->encryption == ML_ENCRYPTION_NONE ? "; not encrypted" : "");
    if (whole && ui_text_width(row) > columns)
      continue;
    add(rows, ui_strip_style(verdict), columns, row);
    return;
  }
}

static gboolean
is_revoked(const MlVerdict *verdict)
{
  return g_strv_contains((const char *const *)verdict->trust_errors, "revoked");
}

/* The message does not have the signer for its one author: who it is instead. */
static void
add_stranger(GPtrArray *rows, const MlVerdict *verdict, const MlSigner *signer, const char *from, int columns)
{
  g_autofree char *who = signer_words(verdict, signer);
  g_autofree char *authority = authority_words(signer, TRUE);
  g_autofree char *address = verdict->signer_address ? ui_text_line(verdict->signer_address) : NULL;
  g_autofree char *author = ui_text_line(from ? from : "the author");
  const char *says = authority ? ", says " : "",
             *open = verdict->encryption == ML_ENCRYPTION_NONE ? "; not encrypted" : "";
  UiStyle style = ui_strip_style(verdict);

  if (!address) /* a name is no address, however much it looks like one */
    add_words(rows, style, columns, "SIGNED BY SOMEONE ELSE  a certificate without an address, not %s",
              author);
  else if (from && g_ascii_strcasecmp(verdict->signer_address, from) == 0)
    add_words(rows, style, columns, "SIGNED, THE AUTHOR IS NOT CLEAR  %s is one of several", address);
  else
    add_words(rows, style, columns, "SIGNED BY SOMEONE ELSE  %s, not %s", address, author);
  if (address)
    add_words(rows, UI_STYLE_NORMAL, columns, "The certificate is that of %s%s%s%s.", who, says,
              authority ? authority : "", open);
  else
    add_words(rows, UI_STYLE_NORMAL, columns,
              "The certificate has the name “%s” and certifies no address%s%s%s.", who, says,
              authority ? authority : "", open);
}

/* ", not anna@example.org" where even a trusted certificate would be somebody else's. */
static char *
author_otherwise(const MlVerdict *verdict, const char *from)
{
  if (verdict->signer_matches_from != ML_NO)
    return g_strdup("");
  if (from && g_ascii_strcasecmp(verdict->signer_address ? verdict->signer_address : "", from) == 0)
    return g_strdup(", one of several authors");
  g_autofree char *author = ui_text_line(from ? from : "the author");
  return g_strdup_printf(", not %s", author);
}

/* The row that names the signer; more rows follow only where something is not as it should be. */
static void
add_signed(GPtrArray *rows, const MlVerdict *verdict, const UiStripFacts *facts, int columns)
{
  const MlSigner *signer = first_signer(verdict);
  g_autofree char *who = signer_words(verdict, signer);
  g_autofree char *authority = authority_words(signer, TRUE);
  g_autofree char *otherwise = author_otherwise(verdict, facts->from);
  UiStyle style = ui_strip_style(verdict);

  switch (verdict->signature) {
  case ML_SIGNATURE_VALID:
    if (verdict->signer_matches_from == ML_NO)
      add_stranger(rows, verdict, signer, facts->from, columns);
    else
      add_signer(rows, verdict, signer, who, columns);
    break;
  case ML_SIGNATURE_UNTRUSTED:
    add_words(rows, style, columns,
              is_revoked(verdict) ? "CERTIFICATE REVOKED  signed by %s%s%s%s"
                                  : "SIGNED, NOT TRUSTED  says it is %s%s%s%s",
              who, otherwise, authority ? ", issued by " : "", authority ? authority : "");
    break;
  case ML_SIGNATURE_INVALID:
    add_words(rows, style, columns, "BAD SIGNATURE  claims to be by %s", who);
    break;
  case ML_SIGNATURE_UNVERIFIABLE:
    add_words(rows, style, columns, "SIGNATURE CANNOT BE CHECKED  claims to be by %s", who);
    break;
  default:
    break;
  }
}

static void
add_not_encrypted(GPtrArray *rows, const MlVerdict *verdict, int columns)
{
  switch (verdict->signature) {
  case ML_SIGNATURE_UNSIGNED:
    add(rows, UI_STYLE_QUIET, columns, "Not signed, not encrypted.");
    break;
  case ML_SIGNATURE_ERRANT:
    add(rows, UI_STYLE_BOLD, columns,
        "NOT SIGNED AS A WHOLE  only a part of it is, or the signature covers none of the text");
    break;
  case ML_SIGNATURE_VALID:
    break; /* said in the signer's row */
  default:
    add(rows, UI_STYLE_QUIET, columns, "Not encrypted.");
  }
}

static gboolean
is_away(const MlVerdict *verdict)
{
  return verdict->envelope && verdict->envelope->absent && verdict->envelope->token;
}

static const char *
encryption_problem(const MlVerdict *verdict)
{
  if (verdict->locked && is_away(verdict))
    return "ENCRYPTED, your key is on a card that is not in its reader";
  if (verdict->locked)
    return "ENCRYPTED, your key is locked  D decrypts it now and asks for the PIN or password";
  switch (verdict->encryption) {
  case ML_ENCRYPTION_NO_KEY:
    return "ENCRYPTED, none of your keys opens it";
  case ML_ENCRYPTION_MALFORMED:
    return "ENCRYPTED, cannot be decrypted  it was damaged or changed on the way";
  case ML_ENCRYPTION_UNSUPPORTED:
    return "ENCRYPTED in a way that cannot be read here";
  case ML_ENCRYPTION_REFUSED:
    return "ENCRYPTED too weakly  it is not opened";
  default:
    return NULL;
  }
}

static void
add_encrypted(GPtrArray *rows, const MlVerdict *verdict, int columns)
{
  gboolean is_signed =
      verdict->signature != ML_SIGNATURE_UNSIGNED && verdict->signature != ML_SIGNATURE_ERRANT;
  const char *problem = encryption_problem(verdict);

  if (problem) {
    add(rows, UI_STYLE_WARN, columns, problem);
    if (verdict->locked && is_away(verdict))
      add_words(rows, UI_STYLE_NORMAL, columns, "The card is “%s”: D decrypts it as soon as it is inserted.",
                verdict->envelope->token);
    return;
  }
  const CryptoEnvelope *envelope = verdict->envelope;
  g_autofree char *cipher = ui_strip_algorithm(envelope ? envelope->algorithm : NULL);
  gboolean weak = verdict->encryption == ML_ENCRYPTION_LEGACY;
  if (ui_strip_is_malleable(verdict))
    add_words(rows, UI_STYLE_WARN, columns, "ENCRYPTED to you, %s%s: not protected against change", cipher,
              weak ? ", a weak cipher" : "");
  else
    add_words(rows, weak ? UI_STYLE_WARN : UI_STYLE_NORMAL, columns, "ENCRYPTED to you, %s%s", cipher,
              weak ? ", a weak cipher" : "");
  if (!is_signed)
    add(rows, verdict->signature == ML_SIGNATURE_ERRANT ? UI_STYLE_BOLD : UI_STYLE_NORMAL, columns,
        verdict->signature == ML_SIGNATURE_ERRANT
            ? "Not signed as a whole. That it could be decrypted proves nothing about the sender."
            : "Not signed: that it could be decrypted proves nothing about the sender.");
}

/* Why, what to do, and what else there is to warn of. */
static void
add_sentences(GPtrArray *rows, const MlVerdict *verdict, int columns)
{
  gboolean plain = verdict->signature == ML_SIGNATURE_UNSIGNED && verdict->encryption == ML_ENCRYPTION_NONE;
  gboolean explained = verdict->indicator == ML_INDICATOR_GOOD && !encryption_problem(verdict);
  gboolean said = !encryption_problem(verdict) &&
                  (verdict->signature == ML_SIGNATURE_UNSIGNED ||
                   (verdict->signature == ML_SIGNATURE_VALID && verdict->signer_matches_from == ML_NO));

  gboolean away = verdict->locked && is_away(verdict); /* the row above has said what to do */

  if (verdict->reason && *verdict->reason && !plain && !explained && !said && !away)
    add(rows, UI_STYLE_NORMAL, columns, verdict->reason);
  for (guint i = 0; verdict->warnings && i < verdict->warnings->len; i++)
    add(rows, UI_STYLE_WARN, columns, verdict->warnings->pdata[i]);
  for (guint i = 0; verdict->notices && i < verdict->notices->len; i++)
    add(rows, UI_STYLE_NORMAL, columns, verdict->notices->pdata[i]);
  if (verdict->next_step && *verdict->next_step && !away && !(plain && !verdict->warnings->len))
    add(rows, UI_STYLE_NORMAL, columns, verdict->next_step);
}

/* Puts @hint at the right end where the row has room for it. */
static gboolean
give_hint(UiStripRow *row, const char *hint, int columns)
{
  if (row->hint || ui_text_width(row->text) + ui_text_width(hint) + 2 > columns)
    return FALSE;
  row->hint = g_strdup(hint);
  return TRUE;
}

static void
give_hints(GPtrArray *rows, const UiStripFacts *facts, int columns, gboolean plain)
{
  if (plain)
    return;
  if (facts->can_install && rows->len == 1 &&
      give_hint(rows->pdata[0], "V details  I install certificate", columns))
    return;
  gboolean details = FALSE, install = !facts->can_install;
  for (guint i = 0; i < rows->len && !details; i++)
    details = give_hint(rows->pdata[i], "V details", columns);
  for (guint i = 0; i < rows->len && !install; i++)
    install = give_hint(rows->pdata[i], "I install certificate", columns);
  if (!install)
    g_ptr_array_add(rows,
                    row_new(UI_STYLE_QUIET, details ? "I installs the signer's certificate."
                                                    : "V details, I installs the signer's certificate."));
}

GPtrArray *
ui_strip_rows(const MlVerdict *verdict, const UiStripFacts *facts, int columns, int max_rows)
{
  GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)ui_strip_row_free);
  gboolean plain = verdict->signature == ML_SIGNATURE_UNSIGNED && verdict->encryption == ML_ENCRYPTION_NONE &&
                   (!verdict->warnings || !verdict->warnings->len);

  columns = MAX(columns, 10);
  max_rows = CLAMP(max_rows, 1, MAX_ROWS);
  add_signed(rows, verdict, facts, columns);
  if (verdict->encryption == ML_ENCRYPTION_NONE)
    add_not_encrypted(rows, verdict, columns);
  else if (verdict->encryption == ML_ENCRYPTION_ERRANT && !verdict->locked) {
    add_not_encrypted(rows, verdict, columns);
    add(rows, UI_STYLE_NORMAL, columns, "A part inside is encrypted by itself: D opens it.");
  } else
    add_encrypted(rows, verdict, columns);
  add_sentences(rows, verdict, columns);
  give_hints(rows, facts, columns, plain);
  if ((int)rows->len > max_rows) {
    g_ptr_array_set_size(rows, max_rows);
    UiStripRow *last = rows->pdata[max_rows - 1];
    const char *more = columns < 24 ? "V" : "V for more";
    g_autofree char *cut = ui_text_cut(last->text, columns - ui_text_width(more) - 2);
    g_free(last->text);
    last->text = g_steal_pointer(&cut);
    g_free(last->hint);
    last->hint = g_strdup(more);
  }
  return rows;
}
