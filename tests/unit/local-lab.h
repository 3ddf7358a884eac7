#ifndef TESTS_LOCAL_LAB_H
#define TESTS_LOCAL_LAB_H

/* A mailbox on this machine (a Maildir or an mbox file) in a folder of its own, and what others write into it. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mail/driver.h"
#include "tests/unit/tree.h"

typedef struct {
  char *dir;  /* holds all of it */
  char *path; /* the mailbox: not there until a test makes it */
  MlAccount account;
  MlDriverHooks hooks; /* no store, unless local_keep_store() */
} LocalMailbox;

/* @name: of the mailbox in the folder. */
static inline void
local_begin(LocalMailbox *local, MlAccountKind kind, const char *name)
{
  g_autoptr(GError) error = NULL;
  local->dir = g_dir_make_tmp("signet-local-XXXXXX", &error);
  g_assert_no_error(error);
  local->path = g_build_filename(local->dir, name, NULL);
  local->account = (MlAccount){ .name = g_strdup("here"), .kind = kind, .path = local->path };
  local->hooks.state_dir = g_build_filename(local->dir, "state", NULL);
}

static inline void
local_keep_store(LocalMailbox *local)
{
  local->hooks.store_dir = g_build_filename(local->dir, "store", NULL);
}

/* Whoever uses it has ended before. */
static inline void
local_end(LocalMailbox *local)
{
  tree_remove(local->dir);
  g_free((char *)local->hooks.state_dir);
  g_free((char *)local->hooks.store_dir);
  g_free(local->account.name);
  g_free(local->path);
  g_free(local->dir);
}

static inline void
local_make_maildir(const char *path)
{
  static const char *const subs[] = { "cur", "new", "tmp" };
  for (guint i = 0; i < G_N_ELEMENTS(subs); i++) {
    g_autofree char *sub = g_build_filename(path, subs[i], NULL);
    g_assert_cmpint(g_mkdir_with_parents(sub, 0700), ==, 0);
  }
}

/* Into the file itself, as programs that know an mbox do. @flags: O_TRUNC or O_APPEND, beside those of writing. */
static inline void
local_write(const char *path, const char *text, int flags)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
  close(fd);
}

/* Into the folder @sub of a Maildir, whole at once, as its rules want it. */
static inline void
local_deliver(const char *maildir, const char *sub, const char *name, const char *text)
{
  g_autofree char *temporary = g_build_filename(maildir, "tmp", name, NULL);
  g_autofree char *path = g_build_filename(maildir, sub, name, NULL);
  local_write(temporary, text, O_TRUNC);
  g_assert_cmpint(g_rename(temporary, path), ==, 0);
}

#endif
