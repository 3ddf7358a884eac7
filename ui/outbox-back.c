#include <string.h>

#include "ui/compose-private.h"

/* Back from the outbox, to the review screen: addressed to those who have not got it. */
typedef struct {
  UiComposer *composer; /* NULL: only what lies in the outbox is left of it */
  char *folder;
  GPtrArray *ids;
  GBytes *copy;
  GPtrArray *entries; /* of MlOutboxEntry, as they were taken */
  GPtrArray *got;     /* of char *: who has it */
  GPtrArray *waiting; /* of char *: for whom it is still in the outbox, for it could not be taken */
  GError *error;
} Taking;

static void
taking_free(Taking *taking)
{
  ui_composer_unref(taking->composer);
  g_free(taking->folder);
  g_ptr_array_unref(taking->ids);
  g_ptr_array_unref(taking->entries);
  g_ptr_array_unref(taking->got);
  g_ptr_array_unref(taking->waiting);
  g_clear_pointer(&taking->copy, g_bytes_unref);
  g_clear_error(&taking->error);
  g_free(taking);
}

static void
add_addresses(GPtrArray *got, GPtrArray *entries, const char *id)
{
  for (guint i = 0; entries && i < entries->len; i++) {
    const MlOutboxEntry *entry = entries->pdata[i];
    for (guint j = 0; !strcmp(entry->id, id) && j < entry->recipients->len; j++)
      g_ptr_array_add(got, g_strdup(((MlOutboxRecipient *)entry->recipients->pdata[j])->address));
  }
}

/* FALSE: it lies in the outbox still, to be sent; or nobody knows. */
static gboolean
has_left(MlOutbox *outbox, const char *id)
{
  g_autoptr(GPtrArray) now = ml_outbox_list(outbox, NULL);

  for (guint i = 0; now && i < now->len; i++) {
    const MlOutboxEntry *entry = now->pdata[i];
    if (!strcmp(entry->id, id))
      return entry->state == ML_OUTBOX_SENT;
  }
  return now != NULL;
}

static void
run_taking(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Taking *taking = data;
  g_autoptr(MlOutbox) outbox = ml_outbox_open(taking->folder, &taking->error);

  g_autoptr(GPtrArray) before =
      outbox && taking->ids->len > 1 ? ml_outbox_list(outbox, &taking->error) : NULL;
  for (guint i = 0; outbox && !(taking->error && !before) && i < taking->ids->len; i++) {
    const char *id = taking->ids->pdata[i];
    MlOutboxEntry *entry = NULL;
    GBytes *copy = NULL;
    g_autoptr(GError) error = NULL;
    if (!ml_outbox_take_back(outbox, id, &copy, &entry, &error)) {
      /* of two messages it is the one that has just left, or stays; neither is to be addressed again */
      add_addresses(has_left(outbox, id) ? taking->got : taking->waiting, before, id);
      g_propagate_error(taking->error ? NULL : &taking->error, g_steal_pointer(&error));
      continue;
    }
    g_ptr_array_add(taking->entries, entry);
    g_clear_pointer(&taking->copy, g_bytes_unref);
    taking->copy = copy;
  }
}

static gboolean
has_it(const UiComposer *composer, const char *address, gpointer data)
{
  return g_ptr_array_find_with_equal_func(data, address, g_str_equal, NULL);
}

static char *
join(GPtrArray *addresses)
{
  GString *out = g_string_new(NULL);

  for (guint i = 0; i < addresses->len; i++)
    g_string_append_printf(out, "%s%s", i ? ", " : "", (char *)addresses->pdata[i]);
  return g_string_free(out, FALSE);
}

void
ui_outbox_readdress(UiComposer *composer, GPtrArray *got, gboolean unsure)
{
  g_autofree char *names = join(got);

  if (got->len)
    ui_compose_drop(composer->draft, composer, has_it, got);
  g_free(composer->note);
  composer->note = got->len ? g_strdup_printf("ALREADY SENT to %s: not addressed again%s", names,
                                              unsure ? "; the others may have it too" : "")
                   : unsure ? g_strdup("MAY HAVE ARRIVED already: who is named here may get it twice")
                            : NULL;
}

static gboolean
is_unsure(const Taking *taking)
{
  for (guint i = 0; i < taking->entries->len; i++)
    if (((MlOutboxEntry *)taking->entries->pdata[i])->state == ML_OUTBOX_UNSURE)
      return TRUE;
  return FALSE;
}

static void
collect(Taking *taking, const UiLeaving *leaving)
{
  for (guint i = 0; leaving && i < leaving->got->len; i++)
    g_ptr_array_add(taking->got, g_strdup(leaving->got->pdata[i]));
  for (guint i = 0; i < taking->entries->len; i++) {
    const MlOutboxEntry *entry = taking->entries->pdata[i];
    for (guint j = 0; j < entry->recipients->len; j++) {
      const MlOutboxRecipient *one = entry->recipients->pdata[j];
      if (one->state == ML_RCPT_SENT && !has_it(NULL, one->address, taking->got))
        g_ptr_array_add(taking->got, g_strdup(one->address));
    }
  }
}

static void
reopen(UiApp *app, Taking *taking, gboolean unsure)
{
  const UiComposer *before = taking->composer;
  UiComposer *composer = ui_composer_new(app, before->account, ml_draft_copy(before->draft));

  composer->encrypt_set = TRUE;
  composer->fresh = FALSE;
  ui_outbox_readdress(composer, taking->got, unsure);
  if (taking->waiting->len)
    ui_compose_drop(composer->draft, composer, has_it, taking->waiting);
  ui_composer_changed(composer, taking->got->len + taking->waiting->len > 0);
  ui_composer_show(composer);
  ui_outbox_say_back(app, taking->got->len > 0, unsure);
  if (taking->waiting->len) {
    g_autofree char *names = join(taking->waiting);
    ui_app_complain(app, "For %s it is still in the outbox (B): %s", names, taking->error->message);
  }
}

void
ui_outbox_say_back(UiApp *app, gboolean some, gboolean unsure)
{
  ui_app_say(app, some     ? "Taken back for those who have not got it."
                  : unsure ? "Taken back: nobody knows whether it arrived."
                           : "Taken back: it was not sent.");
}

static void
taken(UiApp *app, gboolean cancelled, gpointer data)
{
  Taking *taking = data;
  gboolean unsure = is_unsure(taking);

  if (!taking->entries->len) {
    if (taking->error)
      ui_app_error(app, taking->error);
    else /* cancelled */
      ui_app_say(app, "Nothing was taken back: it is still in the outbox (B).");
    taking_free(taking);
    return;
  }
  collect(taking, ui_outbox_leaving_of(app, taking->ids->pdata[0]));
  for (guint i = 0; i < taking->ids->len; i++)
    ui_outbox_forget(app, taking->ids->pdata[i]);
  if (taking->composer)
    reopen(app, taking, unsure);
  else
    ui_drafts_open_copy(app, taking->copy, taking->entries->pdata[0], taking->got);
  ui_outbox_view_refresh(app);
  taking_free(taking);
}

void
ui_outbox_take_back(UiApp *app, const char *id)
{
  UiLeaving *leaving = ui_outbox_leaving_of(app, id);
  Taking *taking = g_new0(Taking, 1);

  taking->composer = leaving ? ui_composer_ref(leaving->composer) : NULL;
  taking->folder = ui_outbox_folder(app);
  taking->ids = g_ptr_array_new_with_free_func(g_free);
  taking->entries = g_ptr_array_new_with_free_func((GDestroyNotify)ml_outbox_entry_free);
  taking->got = g_ptr_array_new_with_free_func(g_free);
  taking->waiting = g_ptr_array_new_with_free_func(g_free);
  if (!leaving)
    g_ptr_array_add(taking->ids, g_strdup(id));
  for (guint i = 0; leaving && i < leaving->ids->len; i++)
    g_ptr_array_add(taking->ids, g_strdup(leaving->ids->pdata[i]));
  ui_ops_job(app, CRYPTO_JOB_VERIFY, "Taking it back", run_taking, taken, taking);
}

void
ui_action_unsend(UiApp *app)
{
  GPtrArray *all = ui_outbox_leaving(app);
  const UiLeaving *last = all->len ? all->pdata[all->len - 1] : NULL;

  if (!last) {
    ui_app_say(app, "Nothing is about to leave.");
    return;
  }
  g_autofree char *id = g_strdup(last->ids->pdata[0]);
  ui_outbox_take_back(app, id);
}
