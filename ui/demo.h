#ifndef UI_DEMO_H
#define UI_DEMO_H

#include "ui/cli.h"

/* `signet demo`: a profile of its own with an authority, keys and a Maildir that has every verdict in it, all made
 * on the spot. Main thread; opens and closes NSS itself (crypto_open must not be in force). */
gboolean ui_demo_make(const char *profile, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
