#include "mail/directory.h"

#include <string.h>

#include "crypto/pin.h"
#include "mail/address-private.h"
#include "mail/directory-private.h"

enum { TYPED_MIN = 3, TYPED_MAX = 100 };

static const char people_filter[] = "(&(mail=*)(|(cn=%s*)(sn=%s*)(givenName=%s*)(mail=%s*)))";

/* --- whom a directory is asked about */

gboolean
ml_directory_covers(const MlDirectory *directory, const char *address)
{
  g_autofree char *folded = ml_address_fold(address);
  const char *at = folded ? strrchr(folded, '@') : NULL;
  for (char **entry = directory->domains; at && *entry; entry++)
    if (ml_address_in_domain(*entry, at + 1))
      return TRUE;
  return FALSE;
}

/* Part of an address: only if it can still become one that the directory is asked about. */
gboolean
ml_directory_completes(const MlDirectory *directory, const char *typed)
{
  if (!directory->complete || g_utf8_strlen(typed, -1) < TYPED_MIN || strlen(typed) > TYPED_MAX || strpbrk(typed, "\"<>,()"))
    return FALSE;
  const char *at = strchr(typed, '@');
  if (!at)
    return TRUE;
  g_autofree char *host = g_ascii_strdown(at + 1, -1);
  for (char **entry = directory->domains; *entry; entry++)
    if (ml_address_in_domain(*entry, host) || g_str_has_prefix(*entry + (**entry == '.'), host))
      return TRUE;
  return FALSE;
}

char *
ml_directory_filter(const char *template, const char *text)
{
  g_autoptr(GString) escaped = g_string_new(NULL);
  for (const char *p = text; *p; p++)
    if (strchr("*()\\", *p) || (guchar)*p < 0x20 || *p == 0x7f)
      g_string_append_printf(escaped, "\\%02x", (guchar)*p);
    else
      g_string_append_c(escaped, *p);
  GString *filter = g_string_new(NULL);
  for (const char *p = template; *p; p++)
    if (p[0] == '%' && p[1] == 's') {
      g_string_append_len(filter, escaped->str, (gssize)escaped->len);
      p++;
    } else {
      g_string_append_c(filter, *p);
    }
  return g_string_free(filter, FALSE);
}

char *
ml_directory_url(const MlDirectory *directory)
{
  const char *host = directory->server.host;
  gboolean six = strchr(host, ':') != NULL;
  return g_strdup_printf("ldap%s://%s%s%s:%u", directory->server.tls == ML_TLS_IMPLICIT ? "s" : "", six ? "[" : "", host,
                         six ? "]" : "", directory->server.port);
}

/* --- answers */

static void
cert_free(gpointer data)
{
  MlDirectoryCert *found = data;
  crypto_cert_unref(found->cert);
  g_free(found->entry);
  g_free(found);
}

static void
person_free(gpointer data)
{
  MlDirectoryPerson *person = data;
  g_free(person->address);
  g_free(person->display);
  g_free(person);
}

static MlDirectoryAnswer *
answer_new(const MlDirectory *directory)
{
  MlDirectoryAnswer *answer = g_new0(MlDirectoryAnswer, 1);
  answer->directory = directory;
  answer->certs = g_ptr_array_new_with_free_func(cert_free);
  answer->issuers = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  answer->people = g_ptr_array_new_with_free_func(person_free);
  return answer;
}

void
ml_directory_answer_free(MlDirectoryAnswer *answer)
{
  if (!answer)
    return;
  g_ptr_array_unref(answer->certs);
  g_ptr_array_unref(answer->issuers);
  g_ptr_array_unref(answer->people);
  g_clear_error(&answer->error);
  g_free(answer);
}

/* --- asking them at once: a thread each; the caller's keeps the time, and cancels */

typedef struct {
  GMutex lock;
  GCond news;
  gboolean cancelled; /* under the lock */
} Watch;

typedef struct {
  MlLdapQuestion question;
  char *filter, *password, *protocol;
  MlDirectoryAnswer *answer; /* the thread's until it has ended */
  GCancellable *cancellable;
  gint64 deadline;
  gboolean late, told; /* told: it was cancelled */
  Watch *watch;
  gboolean ended; /* under the watch's lock */
  GThread *thread; /* NULL: it was not begun */
} Asked;

static void
asked_free(gpointer data)
{
  Asked *asked = data;
  ml_directory_answer_free(asked->answer);
  crypto_pin_wipe(asked->password);
  g_free(asked->filter);
  g_free(asked->protocol);
  g_clear_object(&asked->cancellable);
  g_free(asked);
}

static gpointer
run(gpointer data)
{
  Asked *asked = data;
  if (!ml_directory_ldap_ask(&asked->question, asked->answer, &asked->protocol, asked->cancellable, &asked->answer->error))
    g_debug("the directory %s gave an error", asked->question.directory->name);
  g_mutex_lock(&asked->watch->lock);
  asked->ended = TRUE;
  g_cond_signal(&asked->watch->news);
  g_mutex_unlock(&asked->watch->lock);
  return NULL;
}

static void
on_cancelled(GCancellable *cancellable, gpointer data)
{
  Watch *watch = data;
  g_mutex_lock(&watch->lock);
  watch->cancelled = TRUE;
  g_cond_signal(&watch->news);
  g_mutex_unlock(&watch->lock);
}

static Asked *
prepare(const MlDirectory *directory, MlLdapWhat what, char *filter, const MlDirectoryHooks *hooks, GCancellable *cancellable)
{
  Asked *asked = g_new0(Asked, 1);
  asked->answer = answer_new(directory);
  asked->filter = filter;
  asked->cancellable = g_cancellable_new();
  if (directory->bind && hooks && hooks->password)
    asked->password = hooks->password(directory, cancellable, hooks->user_data, &asked->answer->error);
  asked->question = (MlLdapQuestion){ directory, what, filter, asked->password };
  return asked;
}

/* Who is to be cancelled, now that nobody waits any more or its time is over, goes into @due, once; gives the next moment
 * to look. Under the lock. */
static gint64
look(GPtrArray *all, const Watch *watch, GPtrArray *due, gboolean *running)
{
  gint64 now = g_get_monotonic_time(), next = G_MAXINT64;
  *running = FALSE;
  for (guint i = 0; i < all->len; i++) {
    Asked *asked = all->pdata[i];
    if (!asked->thread || asked->ended)
      continue;
    *running = TRUE;
    asked->late |= !watch->cancelled && now >= asked->deadline;
    gboolean over = watch->cancelled || asked->late;
    if (over && !asked->told)
      g_ptr_array_add(due, asked->cancellable);
    asked->told |= over;
    next = MIN(next, over ? now + G_USEC_PER_SEC : asked->deadline);
  }
  return next;
}

/* Cancelling runs others' handlers: never under the lock. */
static void
wait_for_all(GPtrArray *all, Watch *watch)
{
  gboolean running = TRUE;
  g_autoptr(GPtrArray) due = g_ptr_array_new();
  while (running) {
    g_mutex_lock(&watch->lock);
    gint64 next = look(all, watch, due, &running);
    if (running && !due->len)
      g_cond_wait_until(&watch->news, &watch->lock, next);
    g_mutex_unlock(&watch->lock);
    for (guint i = 0; i < due->len; i++)
      g_cancellable_cancel(due->pdata[i]);
    g_ptr_array_set_size(due, 0);
  }
}

static void
explain(Asked *asked, gboolean cancelled)
{
  const MlDirectory *directory = asked->question.directory;
  if (!asked->answer->error || (!asked->late && !cancelled))
    return;
  g_clear_error(&asked->answer->error);
  g_autofree char *url = ml_directory_url(directory);
  if (cancelled)
    asked->answer->error = g_error_new_literal(ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
  else
    asked->answer->error = g_error_new(ML_ERROR, ML_ERROR_OFFLINE,
                                       "The directory %s (%s) gave no answer within %u second%s. Try again later, or set a longer "
                                       "timeout for it in signet.conf.",
                                       directory->name, url, directory->timeout, directory->timeout == 1 ? "" : "s");
}

static void
ask_all(GPtrArray *all, GCancellable *cancellable)
{
  Watch watch = { .cancelled = FALSE };
  g_mutex_init(&watch.lock);
  g_cond_init(&watch.news);
  for (guint i = 0; i < all->len; i++) {
    Asked *asked = all->pdata[i];
    asked->watch = &watch;
    asked->deadline = g_get_monotonic_time() + (gint64)asked->question.directory->timeout * G_USEC_PER_SEC;
    if (!asked->answer->error)
      asked->thread = g_thread_new("directory", run, asked);
  }
  gulong handler = cancellable ? g_cancellable_connect(cancellable, G_CALLBACK(on_cancelled), &watch, NULL) : 0;
  wait_for_all(all, &watch);
  g_cancellable_disconnect(cancellable, handler);
  for (guint i = 0; i < all->len; i++) {
    Asked *asked = all->pdata[i];
    if (asked->thread)
      g_thread_join(asked->thread);
    explain(asked, watch.cancelled);
  }
  g_mutex_clear(&watch.lock);
  g_cond_clear(&watch.news);
}

static GPtrArray *
answers_of(GPtrArray *all)
{
  GPtrArray *answers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_directory_answer_free);
  for (guint i = 0; i < all->len; i++)
    g_ptr_array_add(answers, g_steal_pointer(&((Asked *)all->pdata[i])->answer));
  return answers;
}

GPtrArray *
ml_directory_find(const MlConfig *config, const char *address, gboolean by_itself, const MlDirectoryHooks *hooks,
                  GCancellable *cancellable)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(asked_free);
  for (guint i = 0; i < config->directories->len; i++) {
    const MlDirectory *directory = config->directories->pdata[i];
    if (ml_directory_covers(directory, address) && (!by_itself || strcmp(directory->ask, "auto") == 0))
      g_ptr_array_add(all, prepare(directory, ML_LDAP_CERTS, ml_directory_filter(directory->filter, address), hooks, cancellable));
  }
  ask_all(all, cancellable);
  return answers_of(all);
}

GPtrArray *
ml_directory_complete(const MlConfig *config, const char *typed, const MlDirectoryHooks *hooks, GCancellable *cancellable)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(asked_free);
  for (guint i = 0; i < config->directories->len; i++) {
    const MlDirectory *directory = config->directories->pdata[i];
    if (ml_directory_completes(directory, typed))
      g_ptr_array_add(all, prepare(directory, ML_LDAP_PEOPLE, ml_directory_filter(people_filter, typed), hooks, cancellable));
  }
  ask_all(all, cancellable);
  return answers_of(all);
}

gboolean
ml_directory_check(const MlDirectory *directory, const MlDirectoryHooks *hooks, GCancellable *cancellable, char **words,
                   GError **error)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(asked_free);
  Asked *asked = prepare(directory, ML_LDAP_BASE, g_strdup("(objectClass=*)"), hooks, cancellable);
  g_ptr_array_add(all, asked);
  ask_all(all, cancellable);
  if (asked->answer->error) {
    g_propagate_error(error, g_steal_pointer(&asked->answer->error));
    return FALSE;
  }
  g_autofree char *domains = g_strjoinv(", ", directory->domains);
  *words = g_strdup_printf("answers, %s, as %s; asked about %s", *asked->protocol ? asked->protocol : "in clear",
                           directory->bind ? directory->bind : "nobody", domains);
  return TRUE;
}
