#include "mail/etpan-private.h"

#include <dlfcn.h>
#include <string.h>

#include "mail/error.h"

_Static_assert(sizeof SIGNET_LIBETPAN > 1, "make deps: libetpan and its headers are not installed");

/* The file is the one whose headers we were built with (SIGNET_LIBETPAN, by the Makefile): another one may lay out its
 * structures otherwise. Its symbols are nobody else's: it exports such names as mail_... */
static gpointer
load(gpointer unused)
{
  static MlEtpan etpan;
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
      return NULL;
    memcpy((char *)&etpan + functions[i].offset, &function, sizeof function);
  }
  return library ? &etpan : NULL;
}

const MlEtpan *
ml_etpan(GError **error)
{
  static GOnce once = G_ONCE_INIT;
  const MlEtpan *etpan = g_once(&once, load, NULL);

  if (!etpan)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                        "libetpan (" SIGNET_LIBETPAN ") is not installed: install libetpan20 to reach mail servers.");
  return etpan;
}
