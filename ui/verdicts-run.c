#include <string.h>

#include "ui/verdicts-private.h"

/* Judging for the marks, on the verify thread: in steps that a mail which is opened meanwhile hardly feels. */
enum { BUDGET_US = 15000 }; /* it waits so long at most */

typedef UiVerdicts Verdicts;
typedef UiVerdictsStep Step;
typedef UiVerdictsMail Mail;

static MlStore *
store_of(const Step *step)
{
  Verdicts *verdicts = step->verdicts;
  g_autoptr(GError) error = NULL;
  if (g_strcmp0(verdicts->store_account, step->account->name) != 0) {
    g_clear_pointer(&verdicts->store, ml_store_free);
    g_free(verdicts->store_account);
    verdicts->store_account = g_strdup(step->account->name);
  }
  if (!verdicts->store)
    verdicts->store = ml_store_open(step->directory, step->account, &error);
  if (error)
    g_message("%s", error->message);
  return verdicts->store;
}

static gint64
first_seen(UiApp *app, GBytes *bytes)
{
  MlPeople *people = ui_app_people_if_any(app, CRYPTO_JOB_VERIFY);
  gsize length;
  const char *data = g_bytes_get_data(bytes, &length);
  MlHeader *header = ml_header_parse(data, length);
  gint64 when = people && *header->message_id ? ml_people_first_seen(people, header->message_id, bytes) : 0;
  ml_header_free(header);
  return when;
}

/* The words beside a good mark are those that were signed, where any were: else it waits until the message is opened,
 * and the row says the Subject inside. */
static gboolean
is_listed_subject(const MlMessage *message, const char *listed)
{
  gboolean hidden;
  const char *subject = ml_message_listed_subject(message, &hidden);
  return !subject || strcmp(listed, subject) == 0; /* NULL: nothing protects it */
}

static void
judge(Step *step, guint32 uid, const char *from, const char *subject, gint64 received, GBytes *bytes,
      GCancellable *cancellable)
{
  UiApp *app = step->verdicts->app;
  const MlReadOptions options = { .at = g_get_real_time() / G_USEC_PER_SEC,
                                  .received = received ? received : first_seen(app, bytes),
                                  .revocation = ml_config_revocation(app->config),
                                  .sealed = TRUE };
  g_autoptr(GError) error = NULL;
  g_autoptr(MlMessage) message = ml_message_read(bytes, &options, cancellable, &error);
  MlStoreVerdict verdict = { .uid = uid, .mark = ML_MARK_UNSIGNED, .until = G_MAXINT64 };
  if (g_cancellable_is_cancelled(cancellable))
    return;
  if (message) {
    verdict.mark = ml_message_mark(message, from);
    verdict.until = ml_message_until(message, &options);
    if (verdict.until <= options.at || (verdict.mark == ML_MARK_GOOD && !is_listed_subject(message, subject)))
      verdict = (MlStoreVerdict){ .uid = uid, .mark = ML_MARK_UNJUDGED };
  }
  g_array_append_val(step->found, verdict);
}

/* FALSE: the time is up. */
static gboolean
judge_kept(Step *step, MlStore *store, const GPtrArray *unjudged, gint64 until, GCancellable *cancellable, GError **error)
{
  for (guint i = 0; unjudged && i < unjudged->len; i++) {
    const MlStoreUnjudged *one = unjudged->pdata[i];
    gint64 received = 0;
    if (g_get_monotonic_time() > until || g_cancellable_is_cancelled(cancellable) ||
        crypto_job_is_awaited(CRYPTO_JOB_VERIFY))
      return FALSE;
    g_autoptr(GBytes) bytes = ml_store_get(store, step->folder, step->uidvalidity, one->uid, &received, error);
    if (*error)
      return FALSE;
    if (bytes)
      judge(step, one->uid, one->from, one->subject, received, bytes, cancellable);
    if (step->range)
      step->below = one->uid;
  }
  return unjudged != NULL;
}

static gboolean
look(Step *step, MlStore *store, GCancellable *cancellable, GError **error)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC, until = g_get_monotonic_time() + BUDGET_US;
  gboolean range = step->range;
  step->range = FALSE;
  g_autoptr(GPtrArray) sight = ml_store_unjudged(store, step->folder, step->uidvalidity, step->standing, now, step->uids, 0,
                                                 UI_VERDICTS_BATCH, error);
  step->more = !judge_kept(step, store, sight, until, cancellable, error);
  step->range = range;
  if (step->more || !range || *error)
    return !*error;
  g_autoptr(GPtrArray) rest = ml_store_unjudged(store, step->folder, step->uidvalidity, step->standing, now, NULL,
                                                step->below, UI_VERDICTS_BATCH, error);
  step->through = rest && !rest->len;
  step->more = rest && rest->len;
  (void)judge_kept(step, store, rest, until, cancellable, error);
  return !*error;
}

static void
run_kept(Step *step, GCancellable *cancellable)
{
  g_autoptr(GError) error = NULL;
  MlStore *store = store_of(step);
  if (!store || !look(step, store, cancellable, &error) ||
      (step->found->len && !ml_store_put_verdicts(store, step->folder, step->uidvalidity, step->standing, step->found,
                                                  &error))) {
    if (error)
      g_message("%s", error->message);
    step->more = FALSE; /* what was found counts; nothing is tried again and again */
    step->through = TRUE;
  }
  if (!store || !step->load)
    return;
  g_autoptr(GError) why = NULL;
  g_autoptr(GArray) known = ml_store_verdicts(store, step->folder, step->uidvalidity, step->standing,
                                              g_get_real_time() / G_USEC_PER_SEC, &why);
  if (known)
    g_array_append_vals(step->found, known->data, known->len);
}

/* Of all that the mark rests on but the time and the standing: the octets themselves, when they came, and what the row
 * says. */
static char *
digest_of(const Mail *mail, gint64 received)
{
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_autofree char *when = g_strdup_printf("%" G_GINT64_FORMAT, received);
  const char *words[] = { when, mail->from, mail->subject };
  for (guint i = 0; i < G_N_ELEMENTS(words); i++)
    g_checksum_update(sum, (const guchar *)words[i], (gssize)strlen(words[i]) + 1); /* with the NUL that parts them */
  gsize length;
  const guchar *data = g_bytes_get_data(mail->bytes, &length);
  g_checksum_update(sum, data, (gssize)length);
  return g_strdup(g_checksum_get_string(sum));
}

/* TRUE: these very octets were judged before, and what was found holds. */
static gboolean
recall(Step *step, MlStore *store, Mail *mail, gint64 received)
{
  g_autoptr(GError) error = NULL;
  MlStoreVerdict verdict;
  mail->digest = digest_of(mail, received);
  if (!store || !ml_store_verdict_of(store, step->folder, step->uidvalidity, step->standing,
                                     g_get_real_time() / G_USEC_PER_SEC, mail->uid, mail->digest, &verdict, &error)) {
    if (error)
      g_message("%s", error->message);
    return FALSE;
  }
  if (verdict.mark == ML_MARK_UNJUDGED)
    return FALSE;
  g_array_append_val(step->found, verdict);
  return TRUE;
}

/* What is found now goes to @fresh as well. */
static void
judge_file(Step *step, MlStore *store, Mail *mail, GArray *fresh, GCancellable *cancellable)
{
  gboolean mbox = step->account->kind == ML_ACCOUNT_MBOX;
  gint64 received = mail->received ? mail->received : first_seen(step->verdicts->app, mail->bytes);
  guint before = step->found->len;
  if (mbox && recall(step, store, mail, received))
    return;
  judge(step, mail->uid, mail->from, mail->subject, received, mail->bytes, cancellable);
  if (step->found->len == before)
    return;
  MlStoreVerdict verdict = g_array_index(step->found, MlStoreVerdict, before);
  verdict.received = mail->received;
  verdict.size = g_bytes_get_size(mail->bytes);
  verdict.digest = mail->digest;
  g_array_append_val(fresh, verdict);
}

/* What was judged stays. A Maildir's file that is written anew is noticed, so that all is there at once; in an mbox nothing
 * tells that a text is another one, so that each is read, and what was found counts for the very octets that were judged. */
static void
run_files(Step *step, GCancellable *cancellable)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) fresh = g_array_new(FALSE, TRUE, sizeof(MlStoreVerdict));
  MlStore *store = step->mail->len || step->load ? store_of(step) : NULL;
  for (guint i = 0; i < step->mail->len; i++) {
    Mail *mail = step->mail->pdata[i];
    if (mail->bytes)
      judge_file(step, store, mail, fresh, cancellable);
  }
  if (store && fresh->len &&
      !ml_store_put_verdicts(store, step->folder, step->uidvalidity, step->standing, fresh, &error))
    g_message("%s", error->message);
  if (!step->load)
    return;
  g_clear_error(&error);
  step->more = TRUE; /* then what it does not have */
  g_autoptr(GArray) known = store && step->account->kind == ML_ACCOUNT_MAILDIR
                                ? ml_store_verdicts(store, step->folder, step->uidvalidity, step->standing,
                                                    g_get_real_time() / G_USEC_PER_SEC, &error)
                                : NULL;
  if (known)
    g_array_append_vals(step->found, known->data, known->len);
}

void
ui_verdicts_run(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Step *step = data;
  (void)pin;
  if (crypto_job_is_awaited(CRYPTO_JOB_VERIFY))
    return; /* somebody waits: the next step does it */
  step->standing = ml_message_standing(ml_config_revocation(step->verdicts->app->config));
  if (step->was && strcmp(step->was, step->standing) != 0)
    return; /* first what is on the screen goes */
  if (step->account->kind == ML_ACCOUNT_IMAP)
    run_kept(step, cancellable);
  else
    run_files(step, cancellable);
}
