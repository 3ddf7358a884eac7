/* Drafts on disk: nothing is lost, whatever was typed, whenever the program is killed. */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/drafts.h"
#include "tests/unit/cms-lab.h"

static MlAccount account = { .name = (char *)"work",
                             .address = (char *)"anna@example.org",
                             .display_name = (char *)"Anna Keller",
                             .flowed = TRUE };

typedef struct {
  char *root, *folder, *runtime;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
  fixture->root = pki_folder();
  fixture->folder = g_build_filename(fixture->root, "data", "drafts", NULL);
  fixture->runtime = g_build_filename(fixture->root, "run", NULL);
  g_assert_cmpint(g_mkdir(fixture->runtime, 0700), ==, 0);
  g_setenv("XDG_RUNTIME_DIR", fixture->runtime, TRUE);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  tree_remove(fixture->root);
  g_free(fixture->root);
  g_free(fixture->folder);
  g_free(fixture->runtime);
}

static MlDrafts *
open_drafts(Fixture *fixture)
{
  g_autoptr(GError) error = NULL;
  MlDrafts *drafts = ml_drafts_open(fixture->folder, &error);
  g_assert_no_error(error);
  return drafts;
}

static MlDraftsSaved *
save(MlDrafts *drafts, const char *id, MlDraft *draft, CryptoCert *self)
{
  g_autoptr(GError) error = NULL;
  MlDraftsSaved *saved = ml_drafts_save(drafts, id, draft, self, 1763776800, &error);
  g_assert_no_error(error);
  return saved;
}

static MlDraft *
load(MlDrafts *drafts, const char *id)
{
  g_autoptr(GError) error = NULL;
  MlDraft *draft = ml_drafts_load(drafts, id, NULL, NULL, &error);
  g_assert_no_error(error);
  return draft;
}

static void
attach(MlDraft *draft, const char *octets, gsize length, const char *name, const char *type)
{
  g_autoptr(GBytes) content = g_bytes_new(octets, length);
  g_ptr_array_add(draft->attachments, ml_attachment_new(content, name, type));
}

/* Everything in it is a trap for a form that loses something. */
static MlDraft *
full_draft(void)
{
  MlDraft *draft = ml_draft_new(&account);
  char **strings[] = { &draft->to,
                       &draft->cc,
                       &draft->bcc,
                       &draft->subject,
                       &draft->reply_to,
                       &draft->in_reply_to,
                       &draft->references,
                       &draft->text,
                       &draft->sign_cert,
                       &draft->message_id,
                       &draft->secret_subject,
                       &draft->source_account,
                       &draft->source_folder };
  static const char *const values[] = {
    "half an addre",
    "\"Quoted, Name\" <a@b>,, ",
    "  blank at both ends  ",
    "Grüße =?utf-8?q?=41?= \t tab",
    "",
    "<1@x>",
    "<0@x>  <1@x>",
    "From here\n.\n\n  x  \nno end; größer \360\237\230\200",
    "AB:CD",
    "<own@example.org>",
    "geheim",
    "work",
    "INBOX/Ünter folder",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(strings); i++) {
    g_free(*strings[i]);
    *strings[i] = g_strdup(values[i]);
  }
  g_ptr_array_add(draft->more, ml_draft_header_new("X-One", ""));
  g_ptr_array_add(draft->more, ml_draft_header_new("X-One", "two  blanks, grün"));
  attach(draft, "\0\r\n\n\rbinary", 11, "bin", NULL);
  attach(draft, "gr\374n\n", 5, "farbe.txt", "text/plain; charset=iso-8859-1");
  attach(draft, "", 0, NULL, "application/x-empty");
  attach(draft, "Subject: x\n\ny", 13, "m.eml", "message/rfc822");
  ((MlAttachment *)draft->attachments->pdata[1])->description = g_strdup("Farbe, groß");
  ((MlAttachment *)draft->attachments->pdata[3])->inline_ = TRUE;
  draft->flowed = FALSE;
  draft->sign = draft->opaque = draft->legacy_display = draft->secret_names = draft->source_forwarded = TRUE;
  draft->hide = ML_HIDE_SHY;
  draft->source_uid = 4000000000u;
  draft->source_uidvalidity = 3999999999u;
  return draft;
}

static void
assert_same(const MlDraft *a, const MlDraft *b)
{
  g_assert_cmpstr(a->account, ==, b->account);
  g_assert_cmpstr(a->from, ==, b->from);
  g_assert_cmpstr(a->to, ==, b->to);
  g_assert_cmpstr(a->cc, ==, b->cc);
  g_assert_cmpstr(a->bcc, ==, b->bcc);
  g_assert_cmpstr(a->reply_to, ==, b->reply_to);
  g_assert_cmpstr(a->subject, ==, b->subject);
  g_assert_cmpstr(a->in_reply_to, ==, b->in_reply_to);
  g_assert_cmpstr(a->references, ==, b->references);
  g_assert_cmpstr(a->text, ==, b->text);
  g_assert_cmpstr(a->sign_cert, ==, b->sign_cert);
  g_assert_cmpstr(a->message_id, ==, b->message_id);
  g_assert_cmpstr(a->secret_subject, ==, b->secret_subject);
  g_assert_cmpstr(a->source_account, ==, b->source_account);
  g_assert_cmpstr(a->source_folder, ==, b->source_folder);
  g_assert_cmpuint(a->source_uid, ==, b->source_uid);
  g_assert_cmpuint(a->source_uidvalidity, ==, b->source_uidvalidity);
  const gboolean x[] = { a->flowed,        a->sign,           a->encrypt,      a->encrypt_demanded,
                         a->opaque,        a->legacy_display, a->secret_names, a->source_forwarded,
                         (gboolean)a->hide };
  const gboolean y[] = { b->flowed,        b->sign,           b->encrypt,      b->encrypt_demanded,
                         b->opaque,        b->legacy_display, b->secret_names, b->source_forwarded,
                         (gboolean)b->hide };
  g_assert_cmpmem(x, sizeof x, y, sizeof y);
  g_assert_cmpuint(a->more->len, ==, b->more->len);
  for (guint i = 0; i < a->more->len; i++) {
    const MlDraftHeader *p = a->more->pdata[i], *q = b->more->pdata[i];
    g_assert_cmpstr(p->name, ==, q->name);
    g_assert_cmpstr(p->value, ==, q->value);
  }
  g_assert_cmpuint(a->attachments->len, ==, b->attachments->len);
  for (guint i = 0; i < a->attachments->len; i++) {
    const MlAttachment *p = a->attachments->pdata[i], *q = b->attachments->pdata[i];
    g_assert_true(g_bytes_equal(p->content, q->content));
    g_assert_cmpstr(p->name, ==, q->name);
    g_assert_cmpstr(p->type, ==, q->type);
    g_assert_cmpstr(p->description, ==, q->description);
    g_assert_cmpint(p->inline_, ==, q->inline_);
  }
}

static char *
whole_tree(const char *path)
{
  char *out = NULL;
  g_assert_cmpint(pki_spawn(path, &out, "grep", "-raF", "-e", "", ".", NULL), ==, 0);
  return out;
}

static void
test_clear(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlDrafts) drafts = open_drafts(fixture);
  g_autoptr(MlDraft) draft = full_draft();
  g_autoptr(MlDraftsSaved) saved = save(drafts, NULL, draft, NULL);
  g_assert_false(saved->encrypted || saved->session);
  g_autoptr(MlDrafts) other = open_drafts(fixture);
  g_autoptr(MlDraft) back = load(other, saved->id);
  assert_same(draft, back);
  /* again under the same name */
  g_free(draft->text);
  draft->text = g_strdup("changed");
  g_autoptr(MlDraftsSaved) again = save(drafts, saved->id, draft, NULL);
  g_assert_cmpstr(again->id, ==, saved->id);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) list = ml_drafts_list(other, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(list->len, ==, 1);
  g_assert_cmpstr(((MlDraftsEntry *)list->pdata[0])->from, ==, "Anna Keller <anna@example.org>");
  g_autoptr(MlDraft) second = load(other, saved->id);
  assert_same(draft, second);
  g_assert_true(ml_drafts_delete(drafts, saved->id, &error));
  g_assert_false(ml_drafts_delete(drafts, saved->id, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_clear_error(&error);
  g_assert_null(ml_drafts_load(drafts, "../../etc/passwd", NULL, NULL, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
}

static void
test_encrypted(Fixture *fixture, gconstpointer data)
{
  g_autoptr(CryptoCert) self = certificate("rsa");
  g_autoptr(MlDrafts) drafts = open_drafts(fixture);
  g_autoptr(MlDraft) draft = full_draft();
  draft->encrypt = draft->encrypt_demanded = TRUE;
  g_autoptr(MlDraftsSaved) saved = save(drafts, NULL, draft, self);
  g_assert_true(saved->encrypted && !saved->session);
  g_autofree char *disk = whole_tree(fixture->root);
  g_assert_nonnull(strstr(disk, "Subject: [...]"));
  g_assert_null(strstr(disk, "geheim"));
  g_assert_null(strstr(disk, "X-Signet"));
  g_autoptr(MlDraft) back = load(drafts, saved->id);
  assert_same(draft, back);
  /* what goes to the Drafts folder is the same, and any reader of the message shows it */
  g_autoptr(GError) error = NULL;
  const MlReadOptions how = { .at = 1763776800 };
  g_autoptr(MlMessage) message = ml_message_read(saved->bytes, &how, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(MlDraft) uploaded = ml_drafts_read(message, &error);
  g_assert_no_error(error);
  assert_same(draft, uploaded);
  g_autofree char *subject = g_strdup(ml_message_header(message, "Subject"));
  g_assert_cmpstr(subject, ==, "Grüße =?utf-8?q?=41?=   tab");
}

/* Where there is no certificate: the session's folder, or nowhere. */
static void
test_session(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlDraft) draft = full_draft();
  g_autoptr(GError) error = NULL;
  g_autofree char *id = NULL;
  {
    g_autoptr(MlDrafts) drafts = open_drafts(fixture);
    g_autoptr(MlDraftsSaved) clear = save(drafts, NULL, draft, NULL);
    id = g_strdup(clear->id);
    draft->encrypt = TRUE;
    g_autoptr(MlDraftsSaved) saved = save(drafts, id, draft, NULL); /* leaves the disk */
    g_assert_true(saved->session);
    g_assert_null(saved->bytes);
    g_autoptr(GPtrArray) list = ml_drafts_list(drafts, &error);
    g_assert_cmpuint(list->len, ==, 1);
    g_assert_true(((MlDraftsEntry *)list->pdata[0])->session);
    g_autoptr(MlDraft) back = load(drafts, id);
    assert_same(draft, back);
    g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
    g_assert_null(g_dir_read_name(dir));
  }
  g_unsetenv("XDG_RUNTIME_DIR");
  g_autoptr(MlDrafts) without = open_drafts(fixture);
  g_assert_null(ml_drafts_save(without, NULL, draft, NULL, 0, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_nonnull(strstr(error->message, "XDG_RUNTIME_DIR"));
  g_setenv("XDG_RUNTIME_DIR", fixture->root, TRUE); /* one that others can read is none */
  g_assert_cmpint(g_chmod(fixture->root, 0755), ==, 0);
  g_autoptr(MlDrafts) open_dir = open_drafts(fixture);
  g_clear_error(&error);
  g_assert_null(ml_drafts_save(open_dir, NULL, draft, NULL, 0, &error));
  g_assert_nonnull(error);
}

/* Killed at every step of saving: the old draft or the new one is there, and the next save works. */
static void
test_killed(Fixture *fixture, gconstpointer data)
{
  static const char *const steps[] = { "draft-torn", "draft-written", "draft-synced", "draft-renamed",
                                       "draft-stored" };
  g_autoptr(MlDraft) draft = full_draft();
  g_autofree char *id = NULL;
  {
    g_autoptr(MlDrafts) drafts = open_drafts(fixture);
    g_autoptr(MlDraftsSaved) saved = save(drafts, NULL, draft, NULL);
    id = g_strdup(saved->id);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
    g_autoptr(MlDrafts) drafts = open_drafts(fixture);
    g_autoptr(MlDraft) before = load(drafts, id), after = ml_draft_copy(before);
    g_free(after->text);
    after->text = g_strdup_printf("version %s", steps[i]);
    pid_t child = fork();
    if (child == 0) {
      g_setenv("SIGNET_TEST_DIE", steps[i], TRUE);
      MlDraftsSaved *saved = ml_drafts_save(drafts, id, after, NULL, 1763776900, NULL);
      _exit(saved ? 0 : 1);
    }
    int status = 0;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    g_autoptr(MlDrafts) later = open_drafts(fixture);
    g_autoptr(GPtrArray) list = ml_drafts_list(later, NULL);
    g_assert_cmpuint(list->len, ==, 1);
    g_autoptr(MlDraft) found = load(later, id);
    gboolean is_new = strcmp(found->text, after->text) == 0;
    g_assert_cmpint(is_new, ==, i >= 3);
    assert_same(found, is_new ? after : before);
    guint files = 0;
    g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
    while (g_dir_read_name(dir))
      files++;
    g_assert_cmpuint(files, ==, 1); /* what was torn is cleared away */
  }
}

/* On its way to the other folder, too. */
static void
test_killed_moving(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlDraft) draft = full_draft();
  g_autoptr(MlDrafts) drafts = open_drafts(fixture);
  g_autoptr(MlDraftsSaved) saved = save(drafts, NULL, draft, NULL);
  draft->encrypt = TRUE;
  pid_t child = fork();
  if (child == 0) {
    g_setenv("SIGNET_TEST_DIE", "draft-stored", TRUE);
    MlDraftsSaved *moved = ml_drafts_save(drafts, saved->id, draft, NULL, 1763776900, NULL);
    _exit(moved ? 0 : 1);
  }
  int status = 0;
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFSIGNALED(status));
  g_autoptr(GPtrArray) list = ml_drafts_list(drafts, NULL);
  g_assert_cmpuint(list->len, ==, 1);
  g_autoptr(MlDraft) found = load(drafts, saved->id);
  g_assert_true(found->encrypt);
}

static void
test_damaged(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlDrafts) drafts = open_drafts(fixture);
  g_autoptr(MlDraft) draft = full_draft();
  g_autoptr(MlDraftsSaved) saved = save(drafts, NULL, draft, NULL);
  gsize length = 0;
  const char *octets = g_bytes_get_data(saved->bytes, &length);
  g_autofree char *path = g_strdup_printf("%s/%s.eml", fixture->folder, saved->id);
  guint refused = 0;
  for (gsize at = 0; at < length; at += 1 + length / 97) { /* cut off, or an octet changed, anywhere */
    for (guint how = 0; how < 2; how++) {
      g_autofree char *copy = g_memdup2(octets, length);
      copy[at] = (char)(copy[at] ^ 4);
      g_assert_true(g_file_set_contents(path, copy, how ? (gssize)at : (gssize)length, NULL));
      g_autoptr(GError) error = NULL;
      g_autoptr(MlDraft) got = ml_drafts_load(drafts, saved->id, NULL, NULL, &error);
      g_assert_true((got == NULL) == (error != NULL));
      refused += got == NULL;
    }
  }
  g_assert_cmpuint(refused, >, 60);
  static const char stranger[] = "From: x@y\nSubject: z\n\nhello\n";
  g_assert_true(g_file_set_contents(path, stranger, -1, NULL));
  g_autoptr(GError) error = NULL;
  g_assert_null(ml_drafts_load(drafts, saved->id, NULL, NULL, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
}

int
main(int argc, char **argv)
{
  lab_begin(&argc, &argv);
#define ADD(name, func) g_test_add("/drafts/" name, Fixture, NULL, set_up, func, tear_down)
  ADD("clear", test_clear);
  ADD("encrypted", test_encrypted);
  ADD("session", test_session);
  ADD("killed", test_killed);
  ADD("killed-moving", test_killed_moving);
  ADD("damaged", test_damaged);
  return lab_run();
}
