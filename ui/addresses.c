#include <string.h>

#include "mail/addressbook.h"
#include "ui/compose-private.h"

/* Completion of addresses: the book is read by a job, and again after something was sent. Tab pressed again goes to the
 * next that fits. */
typedef struct {
  MlAddressbook *book; /* NULL: not read yet */
  char *before, *typed,
      *result; /* of the last completion: what stood before it, what was completed, what came */
} Addresses;

enum { SUGGESTIONS = 20 };

typedef struct {
  UiApp *app;
  MlDraft *sent; /* to be counted first; NULL */
  MlAddressbook *book;
  GError *error;
} Job;

static void
run_job(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Job *job = data;
  MlPeople *people = job->sent ? ui_app_people(job->app, CRYPTO_JOB_VERIFY)
                               : ui_app_people_if_any(job->app, CRYPTO_JOB_VERIFY);

  if (job->sent && people &&
      !ml_addressbook_note_sent(people, job->sent, g_get_real_time() / G_USEC_PER_SEC, &job->error))
    return;
  job->book = ml_addressbook_open(people, job->app->config->address_book, &job->error);
}

static void
job_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Job *job = data;
  Addresses *addresses = app->addresses;

  if (job->error)
    ui_app_note(app, UI_STYLE_WARN, "Addresses cannot be completed: %s", job->error->message);
  if (job->book && addresses) {
    ml_addressbook_free(addresses->book);
    addresses->book = g_steal_pointer(&job->book);
  }
  if (job->book)
    ml_addressbook_free(job->book);
  ml_draft_free(job->sent);
  g_clear_error(&job->error);
  g_free(job);
}

static void
start_job(UiApp *app, const MlDraft *sent)
{
  Job *job = g_new0(Job, 1);

  job->app = app;
  job->sent = sent ? ml_draft_copy(sent) : NULL;
  ui_ops_job(app, CRYPTO_JOB_VERIFY, "Reading the address book", run_job, job_done, job);
}

void
ui_addresses_start(UiApp *app)
{
  app->addresses = g_new0(Addresses, 1);
  start_job(app, NULL);
}

void
ui_addresses_refresh(UiApp *app)
{
  start_job(app, NULL);
}

void
ui_addresses_sent(UiApp *app, const MlDraft *draft)
{
  start_job(app, draft);
}

void
ui_addresses_free(UiApp *app)
{
  Addresses *addresses = g_steal_pointer(&app->addresses);

  if (!addresses)
    return;
  ml_addressbook_free(addresses->book);
  g_free(addresses->before);
  g_free(addresses->typed);
  g_free(addresses->result);
  g_free(addresses);
}

/* Where the last address of a list begins: after a comma that is not quoted. */
static gsize
last_start(const char *typed)
{
  gboolean quoted = FALSE;
  gsize start = 0;

  for (gsize i = 0; typed[i]; i++) {
    if (typed[i] == '\\' && quoted && typed[i + 1])
      i++;
    else if (typed[i] == '"')
      quoted = !quoted;
    else if (typed[i] == ',' && !quoted)
      start = i + 1;
  }
  while (typed[start] == ' ')
    start++;
  return start;
}

/* Whom a directory has behind those that we know, each once. */
static void
add_directory(GPtrArray *all, GPtrArray *displays)
{
  guint known = all->len;

  for (guint i = 0; displays && i < displays->len; i++) {
    const char *display = displays->pdata[i], *address = strrchr(display, '<');
    gboolean there = FALSE;
    for (guint k = 0; k < known && !there; k++)
      there = strstr(all->pdata[k], address ? address : display) != NULL;
    if (!there)
      g_ptr_array_add(all, (char *)display);
  }
}

void
ui_addresses_found(UiApp *app, const char *typed)
{
  const Addresses *addresses = app->addresses;

  if (!addresses || addresses->result || g_strcmp0(addresses->typed, typed) != 0)
    return;
  g_autofree char *text = g_strconcat(addresses->before, typed, NULL);
  ui_prompts_complete(app->prompts, text);
}

/* Behind the one that stands there: the book may have been read anew since, and another order is no step on. */
static guint
behind(const GPtrArray *all, const char *now)
{
  guint at = 0;

  while (at < all->len && strcmp(all->pdata[at], now) != 0)
    at++;
  return at < all->len ? at + 1 : 0;
}

char *
ui_compose_complete_address(const char *typed, gpointer data)
{
  UiApp *app = data;
  Addresses *addresses = app->addresses;

  if (!addresses || !addresses->book)
    return NULL;
  gboolean again = !g_strcmp0(typed, addresses->result);
  if (!again) {
    gsize start = last_start(typed);
    g_free(addresses->before);
    g_free(addresses->typed);
    addresses->before = g_strndup(typed, start);
    addresses->typed = g_strdup(typed + start);
  }
  g_autoptr(GPtrArray) found = ml_addressbook_complete(addresses->book, addresses->typed, SUGGESTIONS,
                                                       g_get_real_time() / G_USEC_PER_SEC);
  g_autoptr(GPtrArray) all = g_ptr_array_new();
  for (guint i = 0; i < found->len; i++)
    g_ptr_array_add(all, ((MlSuggestion *)found->pdata[i])->display);
  add_directory(all, ui_directory_complete(app, addresses->typed));
  guint next = again ? behind(all, addresses->result + strlen(addresses->before)) : 0;
  g_clear_pointer(&addresses->result, g_free);
  if (!all->len)
    return NULL;
  addresses->result = g_strconcat(addresses->before, (char *)all->pdata[next % all->len], NULL);
  return g_strdup(addresses->result);
}
