#include "mail/etpan-private.h"

#include <dlfcn.h>
#include <string.h>

#include "mail/error.h"

_Static_assert(sizeof SIGNET_LIBETPAN > 1, "the name of libetpan.so could not be read: is it installed (make deps), and objdump?");

/* The file is the one whose headers we were built with (SIGNET_LIBETPAN, by the Makefile): another one may lay out its
 * structures otherwise. Its symbols are nobody else's: it exports such names as mail_... */
static gboolean
load(MlEtpan *etpan, GError **error)
{
  static const struct {
    const char *name;
    gsize offset;
  } functions[] = {
#define FUNCTION(name) { #name, G_STRUCT_OFFSET(MlEtpan, name) },
    ML_ETPAN_FUNCTIONS(FUNCTION)
#undef FUNCTION
  };
  void *library = dlopen(SIGNET_LIBETPAN, RTLD_NOW | RTLD_LOCAL);

  for (guint i = 0; library && i < G_N_ELEMENTS(functions); i++) {
    void *function = dlsym(library, functions[i].name);
    if (!function)
      library = NULL;
    else
      memcpy((char *)etpan + functions[i].offset, &function, sizeof function);
  }
  if (!library) {
    const char *why = dlerror();
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "libetpan, which mail servers are reached by, cannot be loaded: %s. Install the libetpan that signet was "
                "built with.", why ? why : SIGNET_LIBETPAN);
  }
  return library != NULL;
}

const MlEtpan *
ml_etpan(GError **error)
{
  static GMutex lock;
  static MlEtpan etpan;
  static gboolean loaded;

  g_mutex_lock(&lock);
  loaded = loaded || load(&etpan, error); /* what has failed may be mended meanwhile */
  g_mutex_unlock(&lock);
  return loaded ? &etpan : NULL;
}
