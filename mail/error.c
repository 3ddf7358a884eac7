#include "mail/error.h"

GQuark
ml_error_quark(void)
{
  return g_quark_from_static_string("ml-error");
}
