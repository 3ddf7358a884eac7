/* Header values: encoded words, structured fields with their parameters, addresses, dates, file names. */
#include <string.h>

#include "mail/address-private.h"
#include "mail/filename-private.h"
#include "mail/headers-private.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
assert_line(const char *text)
{
  g_assert_true(g_utf8_validate(text, -1, NULL));
  g_assert_null(strpbrk(text, "\r\n"));
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
  g_autofree char *raw = g_strndup((const char *)data, size);
  g_autofree char *text = ml_headers_decode(raw);
  assert_line(text);
  g_autoptr(GPtrArray) params = g_ptr_array_new_with_free_func((GDestroyNotify)ml_param_free);
  g_autofree char *value = ml_mime_parse_value(raw, params);
  for (guint i = 0; i < params->len; i++) {
    const MlParam *param = params->pdata[i];
    g_assert_true(strcmp(param->name, "boundary") == 0 || g_utf8_validate(param->value, -1, NULL));
    g_autofree char *name = ml_filename_safe(param->value, value);
    g_assert_true(*name && strlen(name) <= 255 && !strpbrk(name, "/\\|$`\n\t") && !strchr(".-~", *name));
  }
  g_autoptr(MlAddresses) addresses = ml_address_parse(raw);
  for (guint i = 0; i < addresses->mailboxes->len; i++) {
    const MlAddress *mailbox = addresses->mailboxes->pdata[i];
    assert_line(mailbox->address);
    if (mailbox->name)
      ml_address_other_in(mailbox->name, mailbox->address);
    g_autofree char *folded = ml_address_fold(mailbox->address);
    g_assert_true(!folded || ml_address_equal(folded, mailbox->address));
  }
  ml_headers_date(raw);
  return 0;
}
