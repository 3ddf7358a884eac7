#include "mail/addressbook.h"
#include "ui/app-private.h"

/* What follows once a message is on the screen, since nobody waits for it: who signed it is written down, and what is
 * likely to be read next is fetched. */
typedef struct {
  UiApp *app;
  UiHeld *held;
  char *message_id;
  gint64 now;
  gboolean ran;
} Note;

static void
note(Note *note)
{
  g_autoptr(GError) error = NULL;
  MlPeople *people = ui_app_people(note->app, CRYPTO_JOB_VERIFY);

  note->ran = TRUE;
  if (!people)
    return;
  if (ml_people_note(people, note->held->message, note->message_id, note->now, &error) == note->now && !error)
    ml_addressbook_note_seen(people, note->held->message, note->now, &error); /* for the first time */
  if (error)
    g_message("people.db: %s", error->message);
}

static void
run_note(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  note(data);
}

static void
note_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Note *done = data;

  if (!done->ran) /* the program ends, and the threads have: crypto_job_stop() */
    note(done);
  ui_held_unref(done->held);
  g_free(done->message_id);
  g_free(done);
}

/* On the verify thread, where the next message is judged after it, whoever opens it: it counts this one among what its
 * sender has signed. */
static void
post_note(UiApp *app, UiReader *reader)
{
  Note *job = g_new0(Note, 1);

  *job = (Note){ app, ui_held_ref(reader->held), g_steal_pointer(&reader->to_note), g_get_real_time() / G_USEC_PER_SEC, FALSE };
  if (app->ending)
    note_done(app, TRUE, job);
  else
    ui_ops_job_unseen(app, CRYPTO_JOB_VERIFY, run_note, note_done, job);
}

void
ui_reader_after_now(UiApp *app, UiReader *reader)
{
  if (reader->after_source)
    g_source_remove(reader->after_source);
  reader->after_source = 0;
  if (reader->to_note)
    post_note(app, reader);
}

typedef struct {
  UiApp *app;
  UiReader *reader;
  gboolean ahead;
} After;

static gboolean
on_after(gpointer data)
{
  const After *after = data;
  UiApp *app = after->app;

  after->reader->after_source = 0;
  ui_reader_after_now(app, after->reader);
  if (after->ahead && !app->ending && after->reader->box && ui_app_in_box(app, after->reader->life))
    ui_ahead_now(app);
  return G_SOURCE_REMOVE;
}

void
ui_reader_after(UiApp *app, UiReader *reader, const char *message_id, gboolean ahead)
{
  After *after = g_new(After, 1);

  *after = (After){ app, reader, ahead };
  reader->to_note = g_strdup(message_id);
  reader->after_source = g_idle_add_full(G_PRIORITY_DEFAULT_IDLE, on_after, after, g_free);
}
