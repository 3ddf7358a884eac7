#include "mail/error.h"

GQuark
ml_error_quark(void)
{
  return g_quark_from_static_string("ml-error");
}

gboolean
ml_error_is_absent(const GError *error)
{
  return g_error_matches(error, ML_ERROR, ML_ERROR_NOT_FOUND) || g_error_matches(error, ML_ERROR, ML_ERROR_NO_FOLDER);
}
