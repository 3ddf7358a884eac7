#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mail/imap-private.h"

/* Server bytes through the sieve and everything that reads its values. The first octet says how large the pieces are
 * that the bytes arrive in, so that every boundary is met. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(const MlNode *node, guint depth, gsize *sum)
{
  g_assert(depth < 40);
  for (; node; node = node->next) {
    for (gsize i = 0; i < node->length; i++)
      *sum += (guchar)node->text[i];
    g_assert(node->full >= node->length);
    walk(node->child, depth + 1, sum);
  }
}

static void
use(const MlResponse *response)
{
  gsize sum = strlen(response->text) + strlen(response->tag);
  g_assert(g_utf8_validate(response->text, -1, NULL));
  walk(response->data, 0, &sum);
  walk(response->code, 0, &sum);
  if (response->kind == ML_RESPONSE_FETCH) {
    MlHeader *header = ml_imap_header(response->data);
    g_assert(!header || (header->uid && g_utf8_validate(header->subject, -1, NULL) &&
                         g_utf8_validate(header->from_name, -1, NULL)));
    ml_header_free(header);
  } else if (response->kind == ML_RESPONSE_LIST) {
    MlFolder *folder = ml_imap_folder(response->data);
    g_assert(!folder || g_utf8_validate(folder->name, -1, NULL));
    ml_folder_free(folder);
  } else if (response->kind == ML_RESPONSE_STATUS && response->data) {
    guint64 number;
    ml_node_number(ml_imap_item(response->data->next, "UNSEEN"), G_MAXINT, &number);
  }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!size)
    return 0;
  size_t piece = (size_t)data[0] + 1;
  MlSieve *sieve = ml_sieve_new();
  ml_sieve_set_literals(sieve, 100, 100000);
  g_autoptr(GError) error = NULL;
  for (size_t at = 1; at < size && !error; at += piece) {
    ml_sieve_feed(sieve, data + at, MIN(piece, size - at));
    for (const MlResponse *response; (response = ml_sieve_next(sieve, &error));)
      use(response);
  }
  g_assert(!error || g_error_matches(error, ML_ERROR, ML_ERROR_PROTOCOL));
  ml_sieve_free(sieve);
  return 0;
}
