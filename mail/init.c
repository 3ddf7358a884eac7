#include "mail/init.h"

#include <gmime/gmime.h>

void
ml_init(void)
{
  static gsize done;
  if (g_once_init_enter(&done)) {
    g_mime_init();
    g_once_init_leave(&done, 1);
  }
}
