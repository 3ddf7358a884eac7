/* ThreadSanitizer does not see what GLib's locks, queues, counts and main loops order: they are futexes and
 * atomics in a library that it did not compile. Linked with --wrap (the Makefile finds the names below), each of
 * these tells it "what was done before A is seen after B". Nothing here adds an order that GLib does not give,
 * so that a lock taken out of our code is still found. */
#include <gio/gio.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);
const char *__tsan_default_options(void);

/* What NSS and SQLite do inside is theirs, and ordered by locks of theirs. */
const char *
__tsan_default_options(void)
{
  return "ignore_noninstrumented_modules=1";
}

/* Declares the real function and begins its wrapper. */
#define WRAP(type, name, ...) \
  type __real_##name(__VA_ARGS__); \
  type __wrap_##name(__VA_ARGS__); \
  type __wrap_##name(__VA_ARGS__)

WRAP(void, g_mutex_lock, GMutex *mutex)
{
  __real_g_mutex_lock(mutex);
  __tsan_acquire(mutex);
}

WRAP(gboolean, g_mutex_trylock, GMutex *mutex)
{
  gboolean locked = __real_g_mutex_trylock(mutex);
  if (locked)
    __tsan_acquire(mutex);
  return locked;
}

WRAP(void, g_mutex_unlock, GMutex *mutex)
{
  __tsan_release(mutex);
  __real_g_mutex_unlock(mutex);
}

WRAP(void, g_rec_mutex_lock, GRecMutex *mutex)
{
  __real_g_rec_mutex_lock(mutex);
  __tsan_acquire(mutex);
}

WRAP(void, g_rec_mutex_unlock, GRecMutex *mutex)
{
  __tsan_release(mutex);
  __real_g_rec_mutex_unlock(mutex);
}

WRAP(void, g_cond_wait, GCond *cond, GMutex *mutex)
{
  __tsan_release(mutex);
  __real_g_cond_wait(cond, mutex);
  __tsan_acquire(mutex);
}

WRAP(gboolean, g_cond_wait_until, GCond *cond, GMutex *mutex, gint64 end)
{
  __tsan_release(mutex);
  gboolean signalled = __real_g_cond_wait_until(cond, mutex, end);
  __tsan_acquire(mutex);
  return signalled;
}

WRAP(void, g_once_init_leave, volatile void *location, gsize result)
{
  __tsan_release((void *)location);
  __real_g_once_init_leave(location, result);
}

WRAP(void, g_async_queue_push, GAsyncQueue *queue, gpointer data)
{
  __tsan_release(queue);
  __real_g_async_queue_push(queue, data);
}

WRAP(gpointer, g_async_queue_pop, GAsyncQueue *queue)
{
  gpointer data = __real_g_async_queue_pop(queue);
  __tsan_acquire(queue);
  return data;
}

WRAP(gpointer, g_async_queue_try_pop, GAsyncQueue *queue)
{
  gpointer data = __real_g_async_queue_try_pop(queue);
  if (data)
    __tsan_acquire(queue);
  return data;
}

WRAP(gpointer, g_async_queue_timeout_pop, GAsyncQueue *queue, guint64 timeout)
{
  gpointer data = __real_g_async_queue_timeout_pop(queue, timeout);
  if (data)
    __tsan_acquire(queue);
  return data;
}

WRAP(void, g_cancellable_cancel, GCancellable *cancellable)
{
  if (cancellable)
    __tsan_release(cancellable);
  __real_g_cancellable_cancel(cancellable);
}

WRAP(gboolean, g_cancellable_is_cancelled, GCancellable *cancellable)
{
  gboolean cancelled = __real_g_cancellable_is_cancelled(cancellable);
  if (cancelled)
    __tsan_acquire(cancellable);
  return cancelled;
}

WRAP(gboolean, g_cancellable_set_error_if_cancelled, GCancellable *cancellable, GError **error)
{
  gboolean cancelled = __real_g_cancellable_set_error_if_cancelled(cancellable, error);
  if (cancelled)
    __tsan_acquire(cancellable);
  return cancelled;
}

/* It waits until the callback, which runs in the cancelling thread, has returned. */
WRAP(void, g_cancellable_disconnect, GCancellable *cancellable, gulong handler)
{
  __real_g_cancellable_disconnect(cancellable, handler);
  if (cancellable)
    __tsan_acquire(cancellable);
}

/* The last reference goes after every use under the others. */
WRAP(void, g_object_unref, gpointer object)
{
  __tsan_release(object);
  __tsan_acquire(object);
  __real_g_object_unref(object);
}

WRAP(void, g_bytes_unref, GBytes *bytes)
{
  if (bytes) {
    __tsan_release(bytes);
    __tsan_acquire(bytes);
  }
  __real_g_bytes_unref(bytes);
}

WRAP(void, g_ptr_array_unref, GPtrArray *array)
{
  __tsan_release(array);
  __tsan_acquire(array);
  __real_g_ptr_array_unref(array);
}

WRAP(void, g_hash_table_unref, GHashTable *table)
{
  __tsan_release(table);
  __tsan_acquire(table);
  __real_g_hash_table_unref(table);
}

WRAP(void, g_atomic_rc_box_release_full, gpointer box, GDestroyNotify clear)
{
  __tsan_release(box);
  __tsan_acquire(box);
  __real_g_atomic_rc_box_release_full(box, clear);
}

/* A callback that one thread leaves with a main loop and another one runs. */
typedef struct {
  GSourceFunc func;
  gpointer data;
  GDestroyNotify notify;
} Parcel;

static Parcel *
parcel_new(GSourceFunc func, gpointer data, GDestroyNotify notify)
{
  Parcel *parcel = g_new(Parcel, 1);
  *parcel = (Parcel){ func, data, notify };
  __tsan_release(parcel);
  return parcel;
}

static gboolean
parcel_run(gpointer data)
{
  Parcel *parcel = data;
  __tsan_acquire(parcel);
  return parcel->func(parcel->data);
}

static void
parcel_free(gpointer data)
{
  Parcel *parcel = data;
  __tsan_acquire(parcel);
  if (parcel->notify)
    parcel->notify(parcel->data);
  g_free(parcel);
}

/* Other sources call their callback with other arguments: those are left alone. */
WRAP(void, g_source_set_callback, GSource *source, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
  if (func && (source->source_funcs == &g_idle_funcs || source->source_funcs == &g_timeout_funcs))
    __real_g_source_set_callback(source, parcel_run, parcel_new(func, data, notify), parcel_free);
  else
    __real_g_source_set_callback(source, func, data, notify);
}

guint __real_g_idle_add_full(gint priority, GSourceFunc func, gpointer data, GDestroyNotify notify);
guint __wrap_g_idle_add_full(gint priority, GSourceFunc func, gpointer data, GDestroyNotify notify);
guint
__wrap_g_idle_add_full(gint priority, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
  return __real_g_idle_add_full(priority, parcel_run, parcel_new(func, data, notify), parcel_free);
}

/* The loop removes the source of a plain g_idle_add() by itself and with it the parcel. */
WRAP(guint, g_idle_add, GSourceFunc func, gpointer data)
{
  (void)__real_g_idle_add; /* it has no notify to free a parcel with */
  return __real_g_idle_add_full(G_PRIORITY_DEFAULT_IDLE, parcel_run, parcel_new(func, data, NULL), parcel_free);
}

WRAP(guint, g_timeout_add_full, gint priority, guint ms, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
  return __real_g_timeout_add_full(priority, ms, parcel_run, parcel_new(func, data, notify), parcel_free);
}

WRAP(void, g_main_context_invoke_full, GMainContext *context, gint priority, GSourceFunc func, gpointer data,
     GDestroyNotify notify)
{
  __real_g_main_context_invoke_full(context, priority, parcel_run, parcel_new(func, data, notify), parcel_free);
}

WRAP(void, g_main_context_invoke, GMainContext *context, GSourceFunc func, gpointer data)
{
  (void)__real_g_main_context_invoke;
  __real_g_main_context_invoke_full(context, G_PRIORITY_DEFAULT, parcel_run, parcel_new(func, data, NULL),
                                    parcel_free);
}
