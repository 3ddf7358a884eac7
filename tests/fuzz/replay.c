/* Runs a libFuzzer harness over files, without libFuzzer: every seed, and every seed cut short and bent a little, the
 * same way each time. TAP on stdout. usage: replay-NAME [FILE...] (default: all of tests/fuzz/seeds/NAME). */
#include <glib.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
run(const guint8 *data, gsize size)
{
  g_autofree guint8 *copy = g_memdup2(data, size); /* its own block, so that a sanitizer sees the very end */

  LLVMFuzzerTestOneInput(copy ? copy : (const guint8 *)"", size);
}

/* Deterministic: cuts at 16 places, and 64 single changed octets. */
static void
run_bent(const char *text, gsize size)
{
  g_autofree guint8 *bent = g_memdup2(text, size);
  guint32 state = 12345;

  run((const guint8 *)text, size);
  for (guint i = 1; i <= 16; i++)
    run((const guint8 *)text, size * i / 17);
  for (guint i = 0; i < 64 && size; i++) {
    state = state * 1103515245 + 12345;
    gsize at = (state >> 4) % size;
    guint8 before = bent[at];
    bent[at] = (guint8)(state >> 24);
    run(bent, size);
    bent[at] = before;
  }
}

static void
run_file(const char *file, guint *number)
{
  g_autofree char *text = NULL;
  g_autofree char *name = g_path_get_basename(file);
  gsize size;

  if (g_file_get_contents(file, &text, &size, NULL)) {
    run_bent(text, size);
    printf("ok %u - %s\n", ++*number, name);
  } else {
    printf("not ok %u - %s cannot be read\n", ++*number, name);
  }
  fflush(stdout);
}

int
main(int argc, char **argv)
{
  g_autofree char *program = g_path_get_basename(argv[0]);
  g_autofree char *folder = g_build_filename("tests", "fuzz", "seeds", strchr(program, '-') + 1, NULL);
  g_autoptr(GDir) dir = argc > 1 ? NULL : g_dir_open(folder, 0, NULL);
  const char *name;
  guint number = 0;

  for (int i = 1; i < argc; i++)
    run_file(argv[i], &number);
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *file = g_build_filename(folder, name, NULL);
    run_file(file, &number);
  }
  if (!number)
    printf("not ok 1 - no seeds in %s\n", folder);
  printf("1..%u\n", MAX(number, 1));
  return number ? 0 : 1;
}
