/* The slots of a selected folder while nothing is said: packed, and the same again. */
#include "mail/imap-private.h"

enum { MANY = 20000 };

typedef guint32 (*UidOf)(guint at, guint32 before);

static guint32
next(guint at, guint32 before)
{
  return before + 1;
}

static guint32
now_and_then_a_gap(guint at, guint32 before)
{
  return before + 1 + (g_test_rand_int_range(0, 40) ? 0 : (guint32)g_test_rand_int_range(1, 1000));
}

static guint32
none(guint at, guint32 before)
{
  return 0;
}

/* The newest are known, and what lies behind a gap that came meanwhile. */
static guint32
some(guint at, guint32 before)
{
  return at < MANY / 2 || (at > MANY - 100 && at < MANY - 50) ? 0 : at * 2 - at % 64;
}

static guint32
every_other(guint at, guint32 before)
{
  return before + 2;
}

static guint32
up_to_the_last(guint at, guint32 before)
{
  return G_MAXUINT32 - (MANY - 1) + at;
}

static GArray *
slots_of(UidOf uid_of, guint n)
{
  GArray *slots = g_array_new(FALSE, TRUE, sizeof(MlImapSlot));
  guint32 uid = 0;
  for (guint i = 0; i < n; i++) {
    uid = uid_of(i, uid);
    const MlImapSlot slot = { uid, (guint8)g_test_rand_int_range(0, ML_IMAP_FLAGS_UNKNOWN + 1) };
    g_array_append_val(slots, slot);
  }
  return slots;
}

typedef struct {
  const char *name;
  UidOf uid_of;
  guint n;
  gboolean packs;
} Case;

static void
test_pack(gconstpointer data)
{
  const Case *one = data;
  MlImapSession session = { .slots = slots_of(one->uid_of, one->n) };
  g_autoptr(GArray) before = g_array_copy(session.slots);
  MlImapPacked *packed = ml_imap_slots_pack(&session);
  g_assert_cmpint(packed != NULL, ==, one->packs);
  g_assert_cmpuint(session.slots->len, ==, packed ? 0 : one->n);
  ml_imap_slots_unpack(&session, packed);
  g_assert_cmpmem(session.slots->data, session.slots->len * sizeof(MlImapSlot), before->data,
                  before->len * sizeof(MlImapSlot));
  g_array_unref(session.slots);
}

int
main(int argc, char **argv)
{
  static const Case cases[] = {
    { "consecutive", next, MANY, TRUE },     { "gaps", now_and_then_a_gap, MANY, TRUE },
    { "unknown", none, MANY, TRUE },         { "half", some, MANY, TRUE },
    { "greatest", up_to_the_last, MANY, TRUE }, { "thin", every_other, MANY, FALSE },
    { "few", next, 100, FALSE },             { "empty", next, 0, FALSE },
  };
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *name = g_strconcat("/slots/pack/", cases[i].name, NULL);
    g_test_add_data_func(name, &cases[i], test_pack);
  }
  return g_test_run();
}
