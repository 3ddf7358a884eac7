#ifndef TESTS_DRIVER_LAB_H
#define TESTS_DRIVER_LAB_H

/* What the tests of every kind of mailbox ask a driver for. */
#include "mail/driver.h"

/* For ml_driver_headers(): puts all that come into the GPtrArray @user_data. */
static inline gboolean
driver_collect(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  (void)done;
  (void)total;
  g_ptr_array_extend_and_steal(user_data, headers);
  return TRUE;
}

/* Opens @folder; the headers of all that is in it, the newest first, fetched by @chunk. */
static inline GPtrArray *
driver_open(MlDriver *driver, const char *folder, guint chunk)
{
  g_autoptr(GError) error = NULL;
  MlSelected selected;
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  gboolean ok = ml_driver_select(driver, folder, &selected, &error) &&
                ml_driver_headers(driver, 0, chunk, driver_collect, all, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_cmpuint(all->len, ==, selected.total);
  return all;
}

/* A message by its number, as calls for several want it. */
static inline GArray *
driver_one(guint32 uid)
{
  GArray *uids = g_array_new(FALSE, FALSE, sizeof uid);
  return g_array_append_val(uids, uid);
}

/* The one of @headers with this subject; NULL: none. */
static inline MlHeader *
driver_by_subject(GPtrArray *headers, const char *subject)
{
  for (guint i = 0; i < headers->len; i++) {
    MlHeader *header = g_ptr_array_index(headers, i);
    if (g_strcmp0(header->subject, subject) == 0)
      return header;
  }
  return NULL;
}

#endif
