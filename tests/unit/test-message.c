/* How a message is laid out: blocks, parts, notices, header lines. Without keys: what is signed and encrypted is
 * tests/corpus/. */
#include <string.h>

#include "mail/message.h"

#define HEAD                                                                                                 \
  "From: Anna <anna@example.org>\nTo: b@c\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\nMIME-Version: 1.0\n"

static MlMessage *
read_text(const char *text)
{
  g_autoptr(GBytes) raw = g_bytes_new_static(text, strlen(text));
  g_autoptr(GError) error = NULL;
  const MlReadOptions options = { .at = 1000 };
  MlMessage *message = ml_message_read(raw, &options, NULL, &error);
  g_assert_no_error(error);
  return message;
}

static const MlPart *
part_named(const MlMessage *message, const char *type)
{
  GPtrArray *parts = ml_message_parts(message);
  for (guint i = 0; i < parts->len; i++) {
    const MlPart *part = parts->pdata[i];
    if (strcmp(part->type, type) == 0)
      return part;
  }
  g_error("no part of type %s", type);
}

static const MlBlock *
notice_with(const MlMessage *message, const char *words)
{
  GPtrArray *blocks = ml_message_blocks(message);
  for (guint i = 0; i < blocks->len; i++) {
    const MlBlock *block = blocks->pdata[i];
    if (block->kind == ML_BLOCK_NOTICE && strstr(block->text, words))
      return block;
  }
  g_error("no notice with \"%s\"", words);
}

static void
test_plain(void)
{
  g_autoptr(MlMessage) message = read_text(HEAD "\nHello\r\nworld\n\n\n");
  g_assert_cmpstr(ml_message_text(message), ==, "Hello\nworld");
  g_assert_cmpstr(ml_message_header(message, "subject"), ==, "grüße");
  g_assert_null(ml_message_header(message, "cc"));
  g_assert_cmpstr(ml_message_from_addresses(message)[0], ==, "anna@example.org");
  g_assert_cmpuint(ml_message_blocks(message)->len, ==, 1);
  const MlBlock *block = ml_message_blocks(message)->pdata[0];
  g_assert_cmpuint(block->from_line, ==, 1);
  g_assert_cmpuint(block->to_line, ==, 2);
  g_assert_cmpint(ml_verdict_exit_code(ml_message_verdict(message)), ==, 6);
}

static void
test_alternative(void)
{
  g_autoptr(MlMessage) both =
      read_text(HEAD "Content-Type: multipart/alternative; boundary=x\n\n--x\n\nplain\n--x\n"
                     "Content-Type: text/html\n\n<p>html\n--x--\n");
  g_assert_cmpstr(ml_message_text(both), ==, "plain");
  g_assert_false(part_named(both, "text/html")->shown);
  g_assert_false(part_named(both, "text/html")->attachment);
  g_autoptr(MlMessage) blank =
      read_text(HEAD "Content-Type: multipart/alternative; boundary=x\n\n--x\n\n \n--x\n"
                     "Content-Type: text/html\n\n<p>html\n--x--\n");
  g_assert_cmpstr(ml_message_text(blank), ==, "html");
}

static void
test_attachments(void)
{
  g_autoptr(MlMessage) message = read_text(
      HEAD "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain; "
           "name=body.txt\n\nbody\n--x\n"
           "Content-Type: text/plain\nContent-Disposition: attachment; filename=../a.txt\n\nsecret\n--x\n"
           "Content-Type: text/plain\nContent-Disposition: inline; filename=patch\n\ndiff\n--x\n"
           "Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nJVBERg==\n--x\n"
           "Content-Transfer-Encoding: rot13\n\nUryyb\n--x--\n");
  g_assert_cmpstr(ml_message_text(message), ==, "body\ndiff");
  const MlPart *text = ml_message_parts(message)->pdata[2], *pdf = part_named(message, "application/pdf");
  g_assert_true(text->attachment);
  g_assert_cmpstr(text->name, ==, "../a.txt");
  g_assert_cmpstr(text->save_as, ==, "a.txt");
  g_assert_true(pdf->attachment);
  g_assert_cmpuint(pdf->size, ==, 4);
  g_assert_cmpstr(pdf->save_as, ==, "document.pdf");
  notice_with(message, "nobody knows");
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) content = ml_message_part_content(message, 4, &error);
  g_assert_no_error(error);
  g_assert_cmpmem(g_bytes_get_data(content, NULL), g_bytes_get_size(content), "%PDF", 4);
  g_autofree char *aside = ml_message_part_text(message, 2, &error);
  g_assert_cmpstr(aside, ==, "secret");
  g_assert_null(ml_message_part_content(message, 99, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
}

static void
test_forwarded(void)
{
  g_autoptr(MlMessage) shown =
      read_text(HEAD "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nsee below\n--x\n"
                     "Content-Type: message/rfc822\n\nFrom: c@d\nSubject: s\n\ninner\n--x--\n");
  g_assert_cmpstr(ml_message_text(shown), ==, "see below\nFrom: c@d\nSubject: s\n\ninner");
  g_assert_true(part_named(shown, "message/rfc822")->attachment);
  g_autoptr(MlMessage) aside =
      read_text(HEAD "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nsee below\n--x\n"
                     "Content-Type: message/rfc822\nContent-Disposition: attachment\n\n"
                     "From: c@d\nContent-Type: application/pdf\n\ninner\n--x--\n");
  g_assert_cmpstr(ml_message_text(aside), ==, "see below");
  g_assert_true(part_named(aside, "message/rfc822")->attachment);
  g_assert_false(part_named(aside, "application/pdf")->attachment); /* that one's own business */
}

static void
test_flowed(void)
{
  g_autoptr(MlMessage) message =
      read_text(HEAD "Content-Type: text/plain; format=flowed\n\n> quoted \n> on\nlong \nline\n"
                     " >stuffed\n-- \nsig\n");
  g_assert_cmpstr(ml_message_text(message), ==, "> quoted on\nlong line\n>stuffed\n-- \nsig");
}

static void
test_notices(void)
{
  g_autoptr(MlMessage) outside =
      read_text(HEAD "Content-Type: message/external-body; access-type=URL; URL=\"http://x/\"\n\n"
                     "Content-Type: text/plain\n\n");
  notice_with(outside, "does not fetch");
  g_autoptr(MlMessage) pgp =
      read_text(HEAD "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; "
                     "boundary=x\n\n--x\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--x\n"
                     "Content-Type: application/octet-stream\n\n-----BEGIN\n--x--\n");
  notice_with(pgp, "OpenPGP");
  g_assert_cmpint(ml_message_verdict(pgp)->encryption, ==, ML_ENCRYPTION_NONE);
  g_autoptr(MlMessage) signature =
      read_text(HEAD "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; "
                     "boundary=x\n\n--x\n\ntext\n--x\nContent-Type: application/pgp-signature\n\n"
                     "-----BEGIN\n--x--\n");
  notice_with(signature, "does not check");
  g_assert_cmpint(ml_message_verdict(signature)->signature, ==, ML_SIGNATURE_UNSIGNED);
  g_assert_cmpstr(ml_message_text(signature), ==, "text");
}

/* Nothing that cannot be read as S/MIME may look better than what it claims to be. */
static void
test_broken_crypto(void)
{
  g_autoptr(MlMessage) one =
      read_text(HEAD "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; "
                     "boundary=x\n\n--x\n\ntext\n--x--\n");
  g_assert_cmpint(ml_message_verdict(one)->signature, ==, ML_SIGNATURE_INVALID);
  g_assert_cmpstr(ml_message_text(one), ==, "text");
  g_assert_false(((MlBlock *)ml_message_blocks(one)->pdata[0])->is_signed);
  g_autoptr(MlMessage) noise =
      read_text(HEAD "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nnoise\n");
  g_assert_cmpint(ml_message_verdict(noise)->encryption, ==, ML_ENCRYPTION_MALFORMED);
  g_assert_cmpstr(ml_message_text(noise), ==, "");
  g_autoptr(GError) error = NULL;
  g_assert_null(ml_message_decrypted(noise, FALSE, &error));
  g_assert_nonnull(error);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/message/plain", test_plain);
  g_test_add_func("/message/alternative", test_alternative);
  g_test_add_func("/message/attachments", test_attachments);
  g_test_add_func("/message/forwarded", test_forwarded);
  g_test_add_func("/message/flowed", test_flowed);
  g_test_add_func("/message/notices", test_notices);
  g_test_add_func("/message/broken-crypto", test_broken_crypto);
  return g_test_run();
}
