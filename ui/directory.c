#include <string.h>

#include "mail/directory.h"
#include "ui/compose-private.h"

/* Directories (mail/directory.h), asked while a message is written: a thread for each request, so that a slow server delays nobody. What is
 * found for a recipient goes into people.db as a candidate, and the recipients are looked at again. */
enum { AGAIN_SECONDS = 600, ADDRESSES_MAX = 50, DISPLAYS_MAX = 50, TYPED_KEPT = 200 };

typedef struct {
  GPtrArray *running; /* of Request */
  GHashTable *asked;  /* folded address -> gint64 *: when it was last asked about */
  GHashTable *people; /* what was typed -> GPtrArray of char *: displays */
  GHashTable *said;   /* set of char *: what went wrong, each said once where nobody asked */
} Directories;

typedef struct {
  UiApp *app;
  GThread *thread;
  GCancellable *cancellable; /* of the operation */
  UiOp *op;
  GSource *done;         /* attached when the thread ends */
  UiComposer *composer;  /* of recipients; NULL: a completion */
  GPtrArray *addresses;  /* of char * */
  gboolean by_itself;    /* nobody pressed a key for it */
  char *typed;           /* of a completion */
  guint found;           /* certificates, by the thread */
  GPtrArray *problems;   /* of char *, by the thread */
  GPtrArray *displays;   /* of char *, by the thread */
} Request;

static void
request_free(gpointer data)
{
  Request *request = data;

  if (request->done) {
    g_source_destroy(request->done);
    g_source_unref(request->done);
  }
  if (request->composer)
    ui_composer_unref(request->composer);
  g_ptr_array_unref(request->addresses);
  g_ptr_array_unref(request->problems);
  g_clear_pointer(&request->displays, g_ptr_array_unref);
  g_object_unref(request->cancellable);
  g_free(request->typed);
  g_free(request);
}

void
ui_directory_start(UiApp *app)
{
  Directories *all = app->directories = g_new0(Directories, 1);

  all->running = g_ptr_array_new_with_free_func(request_free);
  all->asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  all->people = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
  all->said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void
ui_directory_stop(UiApp *app)
{
  Directories *all = app->directories;

  if (!all)
    return;
  for (guint i = 0; i < all->running->len; i++)
    g_cancellable_cancel(((Request *)all->running->pdata[i])->cancellable);
  for (guint i = 0; i < all->running->len; i++)
    g_thread_join(((Request *)all->running->pdata[i])->thread);
  app->directories = NULL;
  g_ptr_array_unref(all->running);
  g_hash_table_unref(all->asked);
  g_hash_table_unref(all->people);
  g_hash_table_unref(all->said);
  g_free(all);
}

/* --- on the request's thread */

static void
take_problem(Request *request, const GError *error)
{
  if (error && !g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED) &&
      !g_ptr_array_find_with_equal_func(request->problems, error->message, g_str_equal, NULL))
    g_ptr_array_add(request->problems, g_strdup(error->message));
}

static void
keep_certs(Request *request, MlPeople *people, const char *address, const MlDirectoryAnswer *answer)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) certs = g_ptr_array_new();
  g_autofree char *source = g_strdup_printf("directory %s", answer->directory->name);

  take_problem(request, answer->error);
  if (answer->error)
    return;
  for (guint i = 0; i < answer->certs->len; i++)
    g_ptr_array_add(certs, ((MlDirectoryCert *)answer->certs->pdata[i])->cert);
  request->found += certs->len;
  if (!ml_people_offer(people, address, source, certs, answer->issuers, g_get_real_time() / G_USEC_PER_SEC, &error))
    take_problem(request, error);
}

static void
look_for_certs(Request *request)
{
  const MlDirectoryHooks hooks = { ui_password_for_directory, NULL };
  g_autoptr(GError) error = NULL;
  g_autofree char *file = g_build_filename(request->app->cli->data_dir, "people.db", NULL);
  g_autoptr(MlPeople) people = ml_people_open(file, &error);

  take_problem(request, error);
  for (guint i = 0; people && i < request->addresses->len && !g_cancellable_is_cancelled(request->cancellable); i++) {
    const char *address = request->addresses->pdata[i];
    g_autoptr(GPtrArray) answers =
        ml_directory_find(request->app->config, address, request->by_itself, &hooks, request->cancellable);
    for (guint k = 0; k < answers->len; k++)
      keep_certs(request, people, address, answers->pdata[k]);
  }
}

static void
look_for_people(Request *request)
{
  const MlDirectoryHooks hooks = { ui_password_for_directory, NULL };
  g_autoptr(GPtrArray) answers = ml_directory_complete(request->app->config, request->typed, &hooks, request->cancellable);

  for (guint i = 0; i < answers->len; i++) {
    const MlDirectoryAnswer *answer = answers->pdata[i];
    take_problem(request, answer->error);
    for (guint k = 0; k < answer->people->len && request->displays->len < DISPLAYS_MAX; k++) {
      const MlDirectoryPerson *person = answer->people->pdata[k];
      if (!g_ptr_array_find_with_equal_func(request->displays, person->display, g_str_equal, NULL))
        g_ptr_array_add(request->displays, g_strdup(person->display));
    }
  }
}

static gpointer
run(gpointer data)
{
  Request *request = data;

  if (request->composer)
    look_for_certs(request);
  else
    look_for_people(request);
  g_source_attach(request->done, NULL);
  return NULL;
}

/* --- on the UI thread */

static void
say_problems(UiApp *app, const Request *request)
{
  Directories *all = app->directories;

  for (guint i = 0; i < request->problems->len; i++) {
    const char *words = request->problems->pdata[i];
    gboolean said = g_hash_table_contains(all->said, words);
    if (!said)
      g_hash_table_add(all->said, g_strdup(words));
    if (!said || (!request->by_itself && request->composer))
      ui_app_complain(app, "%s", words);
  }
}

static void
found_certs(UiApp *app, Request *request)
{
  gboolean one = request->addresses->len == 1;
  g_autofree char *whom = one ? g_strdup(request->addresses->pdata[0])
                              : g_strdup_printf("%u recipients", request->addresses->len);

  if (request->composer->closed)
    return;
  if (request->found)
    ui_app_say(app, "%u certificate%s in the directory for %s: Enter on a recipient shows what can be done.", request->found,
               request->found == 1 ? "" : "s", whom);
  else if (!request->by_itself && !request->problems->len)
    ui_app_say(app, "No directory has a certificate for %s.", whom);
  ui_composer_look(request->composer);
}

static void
found_people(UiApp *app, Request *request)
{
  Directories *all = app->directories;

  if (g_hash_table_size(all->people) >= TYPED_KEPT)
    g_hash_table_remove_all(all->people);
  g_hash_table_insert(all->people, g_strdup(request->typed), g_steal_pointer(&request->displays));
  ui_addresses_found(app, request->typed);
}

static gboolean
on_done(gpointer data)
{
  Request *request = data;
  UiApp *app = request->app;
  Directories *all = app->directories;
  gboolean cancelled = g_cancellable_is_cancelled(request->cancellable);

  g_thread_join(request->thread);
  ui_ops_end(app, request->op, NULL);
  say_problems(app, request);
  if (request->composer && !cancelled)
    found_certs(app, request);
  else if (!request->composer && !cancelled)
    found_people(app, request);
  g_ptr_array_remove(all->running, request);
  return G_SOURCE_REMOVE;
}

static void
begin(UiApp *app, Request *request, const char *what)
{
  request->app = app;
  request->problems = g_ptr_array_new_with_free_func(g_free);
  request->displays = g_ptr_array_new_with_free_func(g_free);
  request->op = ui_ops_command(app, NULL, 0, what);
  request->cancellable = g_cancellable_new();
  request->op->cancellable = g_object_ref(request->cancellable);
  request->done = g_idle_source_new();
  g_source_set_priority(request->done, G_PRIORITY_DEFAULT);
  g_source_set_callback(request->done, on_done, request, NULL);
  g_ptr_array_add(((Directories *)app->directories)->running, request);
  request->thread = g_thread_new("directories", run, request);
}

/* Asked about lately, so that looking at the recipients again does not ask again. */
static gboolean
is_fresh(Directories *all, const char *address)
{
  const gint64 *when = g_hash_table_lookup(all->asked, address);

  return when && g_get_monotonic_time() - *when < (gint64)AGAIN_SECONDS * G_USEC_PER_SEC;
}

static gboolean
is_covered(UiApp *app, const char *address, gboolean by_itself)
{
  for (guint i = 0; i < app->config->directories->len; i++) {
    const MlDirectory *directory = app->config->directories->pdata[i];
    if (ml_directory_covers(directory, address) && (!by_itself || !strcmp(directory->ask, "auto")))
      return TRUE;
  }
  return FALSE;
}

guint
ui_directory_find(UiComposer *composer, gboolean by_itself)
{
  UiApp *app = composer->app;
  Directories *all = app->directories;
  const UiFound *found = composer->found;

  if (!all || app->ending || app->cli->offline || !found || !app->config->directories->len)
    return 0;
  g_autoptr(GPtrArray) addresses = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < found->n && addresses->len < ADDRESSES_MAX; i++) {
    const MlRecipient *recipient = found->recipients->pdata[i];
    if (recipient->state == ML_CERT_READY || recipient->state == ML_CERT_CANDIDATE ||
        !is_covered(app, recipient->address, by_itself) || (by_itself && is_fresh(all, recipient->address)))
      continue;
    gint64 *now = g_new(gint64, 1);
    *now = g_get_monotonic_time();
    g_hash_table_insert(all->asked, g_strdup(recipient->address), now);
    g_ptr_array_add(addresses, g_strdup(recipient->address));
  }
  guint n = addresses->len;
  if (n) {
    Request *request = g_new0(Request, 1);
    request->composer = ui_composer_ref(composer);
    request->addresses = g_steal_pointer(&addresses);
    request->by_itself = by_itself;
    begin(app, request, "Asking the directory for certificates");
  }
  return n;
}

void
ui_action_missing_directory(UiApp *app)
{
  UiComposer *composer = ui_missing_composer(app);

  if (!composer)
    return;
  if (!app->config->directories->len)
    ui_app_say(app, "No directory is set up: [directory NAME] in signet.conf(5) says how.");
  else if (app->cli->offline)
    ui_app_say(app, "Directories are on the network, and --offline was given.");
  else if (!ui_directory_find(composer, FALSE))
    ui_app_say(app, "No directory is asked about these addresses: domains in signet.conf says about whose.");
}

static gboolean
is_under_way(Directories *all, const char *typed)
{
  for (guint i = 0; i < all->running->len; i++) {
    const Request *request = all->running->pdata[i];
    if (request->typed && !strcmp(request->typed, typed))
      return TRUE;
  }
  return FALSE;
}

GPtrArray *
ui_directory_complete(UiApp *app, const char *typed)
{
  Directories *all = app->directories;
  gboolean any = FALSE;

  if (!all || app->ending || app->cli->offline)
    return NULL;
  GPtrArray *known = g_hash_table_lookup(all->people, typed);
  for (guint i = 0; !known && i < app->config->directories->len; i++)
    any |= ml_directory_completes(app->config->directories->pdata[i], typed);
  if (any && !is_under_way(all, typed)) {
    Request *request = g_new0(Request, 1);
    request->addresses = g_ptr_array_new_with_free_func(g_free);
    request->typed = g_strdup(typed);
    request->by_itself = TRUE;
    begin(app, request, "Asking the directory for addresses");
  }
  return known;
}
