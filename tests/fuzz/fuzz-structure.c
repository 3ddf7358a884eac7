#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mail/imap-private.h"
#include "mail/message.h"
#include "mail/partial-private.h"

/* What a server says of a message's parts, and the message that is put together from them. The input is the value
 * behind BODYSTRUCTURE, a NUL, and the octets that every section is answered with, cut by newlines in turn; where
 * there are none the headers are such as the structure promises. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
answer(MlStructure *root, const MlStructure *part, const char **rest, const char *end)
{
  g_autofree char *honest =
      g_strdup_printf("Content-Type: %s; boundary=\"b%s\"\r\n\r\n", part->type, part->head_section);
  const char *stop = *rest < end ? memchr(*rest, '\n', (size_t)(end - *rest)) : NULL;
  const char *text = *rest < end ? *rest : honest;
  size_t length = *rest < end ? (size_t)((stop ? stop + 1 : end) - text) : strlen(honest);
  *rest += *rest < end ? length : 0;
  g_autoptr(GBytes) bytes = g_bytes_new(text, length);
  ml_structure_give(root, part->head_section, bytes);
  if (part->section)
    ml_structure_give(root, part->section, bytes);
  for (guint i = 0; part->parts && i < part->parts->len; i++)
    answer(root, g_ptr_array_index(part->parts, i), rest, end);
}

static void
read_built(GBytes *bytes, GPtrArray *left)
{
  MlReadOptions options = { .at = 1800000000, .left = left };
  g_autoptr(MlMessage) message = ml_message_read(bytes, &options, NULL, NULL);
  if (!message)
    return;
  g_assert(ml_message_verdict(message)->signature == ML_SIGNATURE_UNSIGNED);
  g_assert(ml_message_verdict(message)->encryption == ML_ENCRYPTION_NONE);
  GPtrArray *parts = ml_message_parts(message);
  for (guint i = 0; i < parts->len; i++) {
    const MlPart *part = g_ptr_array_index(parts, i);
    const char *section = ml_message_part_section(message, i, NULL);
    g_assert((section != NULL) == part->on_server);
    g_autoptr(GBytes) here = ml_message_part_content(message, i, NULL);
    g_assert(!section || !here);
    g_autoptr(GBytes) filled = section ? ml_message_left_content(message, i, bytes, NULL) : NULL;
  }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
  size_t length = nul ? (size_t)(nul - data) : size;
  const char *rest = (const char *)data + (nul ? length + 1 : size), *end = (const char *)data + size;
  g_autoptr(MlSieve) sieve = ml_sieve_new();
  ml_sieve_set_literals(sieve, 1000, 1000);
  ml_sieve_set_lenient(sieve, 1 << 20);
  ml_sieve_feed(sieve, "* 1 FETCH (BODYSTRUCTURE ", 25);
  ml_sieve_feed(sieve, data, length);
  ml_sieve_feed(sieve, ")\r\n", 3);
  const MlResponse *response = ml_sieve_next(sieve, NULL);
  if (!response || response->kind != ML_RESPONSE_FETCH)
    return 0;
  g_autoptr(MlStructure) root = ml_structure_read(ml_imap_item(response->data, "BODYSTRUCTURE"));
  if (!root || !ml_structure_plan(root))
    return 0;
  answer(root, root, &rest, end);
  g_autoptr(GPtrArray) left = NULL;
  g_autoptr(GBytes) bytes = ml_structure_build(root, &left);
  if (bytes)
    read_built(bytes, left);
  return 0;
}
