#include "crypto/cms-private.h"

#include <pk11pub.h>
#include <string.h>

/* What to say of a message none of whose keys is here: which keys those are, whose they seem to be, and why a card that is
 * in its reader does not open it. A mail is old when its key was replaced, so the usual missing key is one's own. */

enum { NAMED_MAX = 3, LOOKED_UP = 16, ID_MAX = 200 };

static gboolean
names_one_of(CryptoCert *cert, CryptoCert *other)
{
  for (char **a = cert->addresses; *a; a++)
    if (g_strv_contains((const char *const *)other->addresses, *a))
      return TRUE;
  return FALSE;
}

/* Is it of an address that a key of ours is for? Then it was ours, or another's of the same mailbox. */
static gboolean
is_of_our_address(CryptoCert *cert, GPtrArray *own)
{
  for (guint i = 0; i < own->len; i++)
    if (names_one_of(cert, own->pdata[i]))
      return TRUE;
  return FALSE;
}

static char *
date_words(gint64 when)
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(when);
  return time ? g_date_time_format(time, "%Y-%m-%d") : g_strdup("?");
}

/* "bob@example.org (Bob), serial 01ab of CN=Lab, valid until 2024-01-31" */
static char *
describe(const CryptoCmsRecipient *recipient, CryptoCert *known)
{
  g_autofree char *whole = crypto_cms_describe_id(&recipient->id);
  g_autofree char *id = g_utf8_substring(whole, 0, MIN(g_utf8_strlen(whole, -1), ID_MAX));
  if (!known)
    return g_steal_pointer(&id);
  g_autofree char *until = date_words(known->not_after);
  return g_strdup_printf("%s%s%s%s, %s, valid until %s", known->addresses[0] ? known->addresses[0] : "",
                         known->addresses[0] ? " (" : "", known->common_name, known->addresses[0] ? ")" : "", id, until);
}

/* Of those that can be looked for: ours by address first, then the rest, as they stand in the message. */
static char *
name_keys(CryptoCms *cms, GPtrArray *own, gboolean *ours)
{
  g_autoptr(GPtrArray) near = g_ptr_array_new_with_free_func(g_free), rest = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < cms->recipients->len; i++) {
    const CryptoCmsRecipient *recipient = &g_array_index(cms->recipients, CryptoCmsRecipient, i);
    if (recipient->kind == CRYPTO_CMS_OTHER_RECIPIENT)
      continue;
    g_autoptr(CryptoCert) known = i < LOOKED_UP ? crypto_cms_id_lookup(&recipient->id) : NULL;
    gboolean mine = known && is_of_our_address(known, own);
    if (rest->len < NAMED_MAX || mine)
      g_ptr_array_add(mine ? near : rest, describe(recipient, known));
  }
  *ours = near->len > 0;
  GPtrArray *named = *ours ? near : rest;
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < named->len && i < NAMED_MAX; i++)
    g_string_append_printf(text, "%s%s", i ? "; " : "", (char *)named->pdata[i]);
  if (!*ours && cms->recipients->len > NAMED_MAX)
    g_string_append(text, "; ...");
  return g_string_free(g_steal_pointer(&text), FALSE);
}

/* The name of a card that is in its reader and holds keys of ours; NULL: there is none. */
static char *
card_here(GPtrArray *own)
{
  for (guint i = 0; i < own->len; i++) {
    char *token = crypto_keys_token(own->pdata[i]);
    if (token)
      return token;
  }
  return NULL;
}

void
crypto_cms_set_no_key(CryptoCms *cms, GError **error)
{
  const char *other = NULL;
  gboolean ours;
  for (guint i = 0; i < cms->recipients->len; i++) {
    other = g_array_index(cms->recipients, CryptoCmsRecipient, i).what;
    if (!other)
      break;
  }
  if (cms->recipients->len == 0) {
    crypto_cms_malformed(error, "it names no recipient");
    return;
  }
  if (other) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "The message is encrypted for %s, which is not supported here.", other);
    return;
  }
  g_autoptr(GPtrArray) own = crypto_keys_list();
  g_autofree char *keys = name_keys(cms, own, &ours), *card = card_here(own);
  g_autofree char *why =
      card ? g_strdup_printf(" The card “%s” does not show it: a card keeps keys that were replaced only if whoever "
                             "issued it wrote them there, and if its module shows them.", card)
           : g_strdup("");
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY,
              "The message is not encrypted to any key that is here, but to %s%s.%s %s (signet cert import FILE.p12), or "
              "insert the%s card that holds it.",
              ours ? "one of your address: " : "", keys, why,
              ours ? "Import that key from the copy that was made of it" : "Import the right one", card ? " older" : "");
}
