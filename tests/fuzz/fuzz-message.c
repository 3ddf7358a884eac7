/* A stranger's mail, read whole: scanner, MIME, charsets, HTML, layers, layout and verdict. No keys, no roots. */
#include <string.h>

#include "crypto/context.h"
#include "mail/message.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
set_up(void)
{
  static gboolean done;
  if (done)
    return;
  const CryptoOptions options = { .nssdb = NULL };
  g_autoptr(GError) error = NULL;
  gboolean opened = crypto_open(&options, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
  done = TRUE;
}

static void
assert_text(const char *text)
{
  g_assert_true(!text || g_utf8_validate(text, -1, NULL));
}

static guint
count_lines(const char *text)
{
  guint lines = 1;
  for (; *text; text++)
    lines += *text == '\n';
  return lines;
}

static void
check_blocks(const MlMessage *message)
{
  GPtrArray *blocks = ml_message_blocks(message);
  guint next = 1, lines = count_lines(ml_message_text(message));
  for (guint i = 0; i < blocks->len; i++) {
    const MlBlock *block = blocks->pdata[i];
    assert_text(block->text);
    g_assert_cmpuint(block->part, <, ml_message_parts(message)->len);
    if (block->kind == ML_BLOCK_NOTICE) {
      g_assert_false(block->is_signed);
      continue;
    }
    /* the ranges cover the text without a gap, in order */
    g_assert_cmpuint(block->from_line, ==, next);
    g_assert_cmpuint(block->to_line, ==, next + count_lines(block->text) - 1);
    next = block->to_line + 1;
  }
  g_assert_true(next == 1 || next == lines + 1);
}

static void
check_parts(const MlMessage *message)
{
  GPtrArray *parts = ml_message_parts(message);
  for (guint i = 0; i < parts->len; i++) {
    const MlPart *part = parts->pdata[i];
    g_assert_cmpint(part->parent, <, (int)i);
    assert_text(part->type);
    assert_text(part->name);
    assert_text(part->description);
    g_assert_true(!part->leaf ||
                  (part->save_as && *part->save_as && !strchr(part->save_as, '/') && *part->save_as != '.'));
    g_autoptr(GBytes) content = ml_message_part_content(message, i, NULL);
    g_assert_nonnull(content);
    g_autofree char *text = ml_message_part_text(message, i, NULL);
    assert_text(text);
  }
}

static void
check_verdict(const MlMessage *message)
{
  const MlVerdict *verdict = ml_message_verdict(message);
  g_assert_true(verdict->reason && *verdict->reason);
  assert_text(verdict->reason);
  assert_text(verdict->signer_address);
  g_assert_cmpint(verdict->indicator, !=, ML_INDICATOR_GOOD); /* nothing is trusted here */
  int code = ml_verdict_exit_code(verdict);
  g_assert_true(code == 1 || (code >= 3 && code <= 8));
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
  set_up();
  g_autoptr(GBytes) raw = g_bytes_new_static(data, size);
  g_autoptr(GError) error = NULL;
  const MlReadOptions options = { .at = 1700000000,
                                  .revocation = CRYPTO_REVOCATION_SOFT,
                                  .open_errant = TRUE };
  g_autoptr(MlMessage) message = ml_message_read(raw, &options, NULL, &error);
  g_assert_true((message == NULL) == (error != NULL));
  if (!message) {
    g_assert_error(error, ML_ERROR, ML_ERROR_MALFORMED);
    return 0;
  }
  check_blocks(message);
  check_parts(message);
  check_verdict(message);
  GPtrArray *headers = ml_message_headers(message);
  for (guint i = 0; i < headers->len; i++) {
    const MlHeaderLine *line = headers->pdata[i];
    assert_text(line->name);
    assert_text(line->value);
    assert_text(line->outer);
    g_assert_null(strchr(line->value, '\n'));
  }
  return 0;
}
