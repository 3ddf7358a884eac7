#ifndef TESTS_OPENED_LAB_H
#define TESTS_OPENED_LAB_H

/* Lists, keys and texts for the tests of what encrypted mail says, sealed for the search. */
#include <string.h>

#include "crypto/cms-write.h"
#include "mail/init.h"
#include "mail/opened.h"
#include "mail/pieces.h"
#include "mail/search.h"
#include "tests/unit/cms-lab.h"

typedef struct {
  char *dir, *file;
  MlAccount account;
  MlStore *store;
  MlStoreSearch *search;
} Fixture;

static void
seal_to(Fixture *fixture, const char *name)
{
  g_autoptr(CryptoCert) cert = certificate(name);
  g_free(fixture->account.address);
  fixture->account.address = g_strdup_printf("%s@test.example", name);
  g_free(fixture->account.encrypt_cert);
  fixture->account.encrypt_cert = g_strdup(crypto_cert_sha256(cert));
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  fixture->dir = pki_folder();
  fixture->file = g_build_filename(fixture->dir, "work.sealed", NULL);
  fixture->account = (MlAccount){ .name = (char *)"work", .kind = ML_ACCOUNT_IMAP,
                                  .imap = { .host = (char *)"mail.example.org", .user = (char *)"anna", .port = 993 } };
  seal_to(fixture, "rsa");
  fixture->store = ml_store_open(fixture->dir, &fixture->account, &error);
  g_assert_no_error(error);
  fixture->search = ml_store_search_open(fixture->store, &error);
  g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  ml_store_search_free(fixture->search);
  ml_store_free(fixture->store);
  tree_remove(fixture->dir);
  g_free(fixture->dir);
  g_free(fixture->file);
  g_free(fixture->account.address);
  g_free(fixture->account.encrypt_cert);
}

/* ---- the lists */

static void
apply(Fixture *fixture, const char *name, guint32 uidvalidity, MlStoreStep *step)
{
  g_autoptr(GError) error = NULL;
  step->uidvalidity = uidvalidity;
  gboolean ok = ml_store_apply(fixture->store, name, step, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static void
begin_folder(Fixture *fixture, const char *name, guint32 uidvalidity)
{
  const MlSyncPoint point = { .uidvalidity = uidvalidity };
  MlStoreStep step = { .reset = TRUE, .point = &point, .complete = TRUE };
  apply(fixture, name, uidvalidity, &step);
}

static void
list_of(Fixture *fixture, const char *name, guint32 uidvalidity, guint32 uid, const char *id, const char *type,
        const char *from, guint minute)
{
  g_autofree char *block = g_strdup_printf("From: %s\r\nTo: rsa@test.example\r\nSubject: [...]\r\n"
                                           "Date: Wed, 15 Nov 2023 00:%02u:00 +0000\r\nMessage-ID: <%s>\r\n"
                                           "Content-Type: %s\r\n\r\n", from, minute, id, type);
  g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  MlHeader *header = ml_header_parse(block, strlen(block));
  header->uid = uid;
  g_ptr_array_add(headers, header);
  MlStoreStep step = { .headers = headers };
  apply(fixture, name, uidvalidity, &step);
}

/* Message N@x is of minute N. */
static void
list(Fixture *fixture, const char *name, guint32 uidvalidity, guint32 uid, const char *id, const char *type)
{
  list_of(fixture, name, uidvalidity, uid, id, type, "Jo <jo@test.example>", (guint)g_ascii_strtoull(id, NULL, 10) % 60);
}

static const char sealed_type[] = "application/pkcs7-mime; smime-type=authEnveloped-data; name=smime.p7m";

/* ---- texts */

static MlOpenedText *
text_new(const char *name, guint32 uid, const char *words)
{
  MlOpenedText *text = g_new0(MlOpenedText, 1);
  *text = (MlOpenedText){ .folder = g_strdup(name), .uidvalidity = 7, .uid = uid,
                          .message_id = g_strdup_printf("%u@x", uid), .from = g_strdup("Jo <jo@test.example>"),
                          .to = g_strdup("rsa@test.example\n"), .subject = g_strdup_printf("Budget %u", uid),
                          .text = g_strdup(words) };
  return text;
}

static gboolean
try_keep(Fixture *fixture, const char *name, guint32 uid, const char *words, GError **error)
{
  g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func((GDestroyNotify)ml_opened_text_free);
  g_ptr_array_add(texts, text_new(name, uid, words));
  return ml_opened_keep(fixture->dir, &fixture->account, texts, CRYPTO_REVOCATION_OFF, error);
}

static void
keep(Fixture *fixture, const char *name, guint32 uid, const char *words)
{
  g_autoptr(GError) error = NULL;
  gboolean ok = try_keep(fixture, name, uid, words, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static MlOpened *
load(Fixture *fixture, guint messages, guint closed)
{
  g_autoptr(GError) error = NULL;
  g_auto(MlOpenedState) state = { 0 };
  MlOpened *opened = ml_opened_new(fixture->dir, &fixture->account, &error);
  g_assert_no_error(error);
  gboolean ok = ml_opened_load(opened, NULL, NULL, &state, &error) && ml_opened_place(opened, fixture->store, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_cmpuint(state.messages, ==, messages);
  g_assert_cmpuint(state.closed, ==, closed);
  ml_opened_join(opened, fixture->search);
  return opened;
}

static void
tidy(Fixture *fixture, MlOpened *opened)
{
  g_autoptr(GError) error = NULL;
  gboolean ok = ml_opened_tidy(opened, CRYPTO_REVOCATION_OFF, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static void
expect(Fixture *fixture, const char *words, const char *expected)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlQuery) query = ml_query_parse(words, FALSE, &error);
  g_assert_no_error(error);
  guint total;
  g_autoptr(GPtrArray) found = ml_store_search_find(fixture->search, query, &(MlFindOptions){ NULL }, &total, &error);
  g_assert_no_error(error);
  g_autoptr(GString) places = g_string_new(NULL);
  for (guint i = 0; i < found->len; i++) {
    const MlFound *one = found->pdata[i];
    g_string_append_printf(places, "%s%s/%u", i ? " " : "", one->folder, one->header->uid);
  }
  g_assert_cmpstr(places->str, ==, expected);
  g_assert_cmpuint(total, ==, found->len);
}

/* Those of @first to @last in one piece. */
static void
keep_together(Fixture *fixture, guint32 first, guint32 last)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func((GDestroyNotify)ml_opened_text_free);
  for (guint32 uid = first; uid <= last; uid++) {
    g_autofree char *words = g_strdup_printf("saurus%u", uid);
    g_ptr_array_add(texts, text_new("INBOX", uid, words));
  }
  gboolean ok = ml_opened_keep(fixture->dir, &fixture->account, texts, CRYPTO_REVOCATION_OFF, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static void
load_more(Fixture *fixture, MlOpened *opened, guint messages, guint closed, gboolean full)
{
  g_autoptr(GError) error = NULL;
  g_auto(MlOpenedState) state = { 0 };
  gboolean ok = ml_opened_load(opened, NULL, NULL, &state, &error) && ml_opened_place(opened, fixture->store, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_cmpuint(state.messages, ==, messages);
  g_assert_cmpuint(state.closed, ==, closed);
  g_assert_cmpint(state.full, ==, full);
  ml_opened_join(opened, fixture->search);
}

static void
list_many(Fixture *fixture, guint32 n)
{
  begin_folder(fixture, "INBOX", 7);
  for (guint32 uid = 1; uid <= n; uid++) {
    g_autofree char *id = g_strdup_printf("%u@x", uid);
    list(fixture, "INBOX", 7, uid, id, sealed_type);
  }
}

#define ADD(name, func) g_test_add("/opened/" name, Fixture, NULL, set_up, func, tear_down)

#endif
