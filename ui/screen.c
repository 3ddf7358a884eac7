#include "ui/screen.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "ui/screen-cells.h"
#include "ui/screen-output.h"
#include "ui/text.h"

#include <term.h> /* last: it makes macros of everyday words */
#undef columns
#undef lines

/* One terminal a process has, so its state is one too. */
static struct {
  gboolean open, suspended, ascii, colours;
  int saved_stderr;      /* -1: not moved */
  struct termios before; /* as we found it, for a crash */
  char leave[128];       /* what ends the alternate screen, for a crash */
  char *log;             /* where stderr goes meanwhile */
  attr_t attributes[UI_STYLES];
  short pairs[UI_STYLES];
} term = { .saved_stderr = -1 };

/* How each style looks: without colours, with 8, with 256, with direct colour. -1 is the terminal's own. The first
 * eight numbers are the user's palette everywhere, direct colour included. */
static const struct {
  attr_t plain, coloured;
  int front, back, front_256, front_direct;
} looks[UI_STYLES] = {
  [UI_STYLE_NORMAL] = { A_NORMAL, A_NORMAL, -1, -1, -1, -1 },
  [UI_STYLE_BOLD] = { A_BOLD, A_BOLD, -1, -1, -1, -1 },
  [UI_STYLE_QUIET] = { A_NORMAL, A_NORMAL, -1, -1, 245, 0x8a8a8a },
  [UI_STYLE_TITLE] = { A_REVERSE, A_REVERSE, -1, -1, -1, -1 },
  [UI_STYLE_CURSOR] = { A_REVERSE, A_REVERSE, -1, -1, -1, -1 },
  [UI_STYLE_NEW] = { A_BOLD, A_BOLD, -1, -1, -1, -1 },
  [UI_STYLE_DELETED] = { A_DIM, A_NORMAL, COLOR_RED, -1, COLOR_RED, COLOR_RED },
  [UI_STYLE_TAGGED] = { A_BOLD, A_BOLD, COLOR_YELLOW, -1, COLOR_YELLOW, COLOR_YELLOW },
  [UI_STYLE_HEADER] = { A_BOLD, A_NORMAL, COLOR_CYAN, -1, COLOR_CYAN, COLOR_CYAN },
  [UI_STYLE_QUOTE] = { A_NORMAL, A_NORMAL, -1, -1, 109, 0x87afaf },
  [UI_STYLE_MATCH] = { A_REVERSE | A_BOLD, A_BOLD, COLOR_BLACK, COLOR_YELLOW, COLOR_BLACK, COLOR_BLACK },
  [UI_STYLE_GOOD] = { A_NORMAL, A_NORMAL, COLOR_GREEN, -1, COLOR_GREEN, COLOR_GREEN },
  [UI_STYLE_WARN] = { A_BOLD, A_BOLD, COLOR_YELLOW, -1, COLOR_YELLOW, COLOR_YELLOW },
  [UI_STYLE_BAD] = { A_REVERSE | A_BOLD, A_BOLD, COLOR_WHITE, COLOR_RED, COLOR_WHITE, COLOR_WHITE },
  [UI_STYLE_SIGNED] = { A_NORMAL, A_NORMAL, COLOR_GREEN, -1, COLOR_GREEN, COLOR_GREEN },
  [UI_STYLE_ENCRYPTED] = { A_NORMAL, A_NORMAL, COLOR_BLUE, -1, 69, 0x5f87ff },
  [UI_STYLE_BOTH] = { A_BOLD, A_BOLD, COLOR_GREEN, -1, COLOR_GREEN, COLOR_GREEN },
  [UI_STYLE_BARE] = { A_NORMAL, A_NORMAL, COLOR_YELLOW, -1, COLOR_YELLOW, COLOR_YELLOW },
  [UI_STYLE_RULE] = { A_NORMAL, A_NORMAL, -1, -1, 245, 0x8a8a8a },
  [UI_STYLE_PROMPT] = { A_BOLD, A_BOLD, -1, -1, -1, -1 },
};

static void
set_up_styles(void)
{
  const char *no_color = g_getenv("NO_COLOR");

  term.colours = has_colors() && !(no_color && *no_color);
  if (term.colours) {
    start_color();
    term.colours = use_default_colors() == OK;
  }
  for (int i = 0; i < UI_STYLES; i++) {
    int front = COLORS > 256 ? looks[i].front_direct : COLORS == 256 ? looks[i].front_256 : looks[i].front;
    term.attributes[i] = term.colours ? looks[i].coloured : looks[i].plain;
    term.pairs[i] = 0;
    if (!term.colours || (front < 0 && looks[i].back < 0))
      continue;
    if (init_extended_pair(i + 1, front, looks[i].back) == OK)
      term.pairs[i] = (short)(i + 1);
    else
      term.attributes[i] = looks[i].plain;
  }
}

/* A crash must not leave a terminal in which nothing can be typed. Only what a signal handler may do. */
static void
on_crash(int number)
{
  if (term.open && !term.suspended) {
    gssize unused = write(STDOUT_FILENO, term.leave, strlen(term.leave));
    (void)unused;
    tcsetattr(STDIN_FILENO, TCSANOW, &term.before);
  }
  signal(number, SIG_DFL);
  raise(number);
}

static void
watch_crashes(void)
{
  static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
  struct sigaction before, action = { .sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND };

  for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
    if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
      sigaction(numbers[i], &action, NULL);
}

/* Cards' drivers and other libraries speak on stderr, in the middle of our picture. */
static void
move_stderr(void)
{
  if (!isatty(STDERR_FILENO) || term.saved_stderr >= 0)
    return;
  int file = term.log ? open(term.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
  if (file < 0)
    file = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (file < 0)
    return;
  term.saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (term.saved_stderr >= 0)
    dup2(file, STDERR_FILENO);
  close(file);
}

static void
put_back_stderr(void)
{
  if (term.saved_stderr < 0)
    return;
  dup2(term.saved_stderr, STDERR_FILENO);
  close(term.saved_stderr);
  term.saved_stderr = -1;
}

/* What terminals send for these keys, whatever TERM says of them: a terminal inside another, or one that goes by a
 * poorer name, sends other sequences than its description has. */
static void
teach_keys(void)
{
  static const struct {
    const char *sequence;
    int key;
  } known[] = {
    { "\033[A", KEY_UP },     { "\033OA", KEY_UP },     { "\033[B", KEY_DOWN },   { "\033OB", KEY_DOWN },
    { "\033[C", KEY_RIGHT },  { "\033OC", KEY_RIGHT },  { "\033[D", KEY_LEFT },   { "\033OD", KEY_LEFT },
    { "\033[H", KEY_HOME },   { "\033OH", KEY_HOME },   { "\033[1~", KEY_HOME },  { "\033[7~", KEY_HOME },
    { "\033[F", KEY_END },    { "\033OF", KEY_END },    { "\033[4~", KEY_END },   { "\033[8~", KEY_END },
    { "\033[5~", KEY_PPAGE }, { "\033[6~", KEY_NPAGE }, { "\033[3~", KEY_DC },
    { "\033OP", KEY_F(1) },    { "\033OQ", KEY_F(2) },    { "\033OR", KEY_F(3) },    { "\033OS", KEY_F(4) },
    { "\033[11~", KEY_F(1) },  { "\033[12~", KEY_F(2) },  { "\033[13~", KEY_F(3) },  { "\033[14~", KEY_F(4) },
    { "\033[15~", KEY_F(5) },  { "\033[17~", KEY_F(6) },  { "\033[18~", KEY_F(7) },  { "\033[19~", KEY_F(8) },
    { "\033[20~", KEY_F(9) },  { "\033[21~", KEY_F(10) }, { "\033[23~", KEY_F(11) }, { "\033[24~", KEY_F(12) },
  };

  for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
    define_key(known[i].sequence, known[i].key);
}

static void
set_modes(void)
{
  raw();
  nonl();
  noecho();
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  intrflush(stdscr, FALSE);
  leaveok(stdscr, FALSE);
  idlok(stdscr, TRUE);
  teach_keys();
}

gboolean
ui_screen_open(gboolean ascii, const char *log, GError **error)
{
  static gboolean registered;

  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &term.before) != 0) {
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                        "The screen needs a terminal. `signet --help` lists the commands that do not.");
    return FALSE;
  }
  set_escdelay(25);
  FILE *output = ui_screen_output();
  SCREEN *screen = output ? newterm(NULL, output, stdin) : NULL;
  const char *moves = screen ? tigetstr("cup") : NULL;
  if (!moves || moves == (const char *)-1) { /* TERM=dumb: it cannot put the cursor anywhere */
    if (screen)
      endwin();
    const char *name = g_getenv("TERM");
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                "This terminal cannot show a screen, or its kind is not known here: TERM is \"%s\".",
                name ? name : "");
    return FALSE;
  }
  const char *leave = tigetstr("rmcup");
  if (leave && leave != (const char *)-1)
    g_strlcpy(term.leave, leave, sizeof term.leave);
  term.ascii = ascii || !ui_text_is_utf8();
  term.open = TRUE;
  set_modes();
  set_up_styles();
  watch_crashes();
  g_free(term.log);
  term.log = g_strdup(log);
  move_stderr();
  if (!registered)
    atexit(ui_screen_close);
  registered = TRUE;
  return TRUE;
}

void
ui_screen_close(void)
{
  if (!term.open)
    return;
  if (!term.suspended)
    endwin();
  term.open = FALSE;
  put_back_stderr();
}

void
ui_screen_size(int *rows, int *columns)
{
  *rows = LINES;
  *columns = COLS;
}

gboolean
ui_screen_ascii(void)
{
  return term.ascii;
}

void
ui_screen_resize(void)
{
  struct winsize size;

  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
    resizeterm(MIN(size.ws_row, 1000), MIN(size.ws_col, 1000));
  clearok(curscr, TRUE);
}

void
ui_screen_redraw(void)
{
  clearok(curscr, TRUE);
}

void
ui_screen_begin(void)
{
  erase();
  ui_screen_cells_begin();
}

void
ui_screen_put(int row, int column, int width, UiStyle style, const char *text)
{
  ui_screen_cells_put(row, column, width, term.attributes[style], term.pairs[style], text, FALSE);
}

void
ui_screen_fill(int row, int column, int width, UiStyle style, const char *text)
{
  ui_screen_cells_put(row, column, width, term.attributes[style], term.pairs[style], text, TRUE);
}

void
ui_screen_rule(int row, int column, int width, UiStyle style)
{
  g_autoptr(GString) line = g_string_new(NULL);

  for (int i = 0; i < MIN(width, COLS - column); i++)
    g_string_append(line, term.ascii ? "-" : "─");
  ui_screen_put(row, column, width, style, line->str);
}

void
ui_screen_renew(int row, int rows)
{
  wredrawln(stdscr, row, rows);
}

void
ui_screen_end(int row, int column, gboolean show)
{
  if (term.suspended)
    return;
  move(CLAMP(row, 0, LINES - 1), CLAMP(column, 0, COLS - 1));
  ui_screen_output_gather();
  curs_set(show ? 1 : 0);
  refresh();
  ui_screen_output_send();
}

/* What stands behind an Esc: with a character it is Alt and that character, which is returned; the rest of a sequence that
 * no key is known for is thrown away, for its letters are not what the person typed: a number and ~ or a letter is a key that
 * has no name here, and all else (UI_KEY_RESIZE) what a terminal reports unasked; else it was Esc. */
static int
after_escape(void)
{
  wint_t key;

  int result = get_wch(&key);
  if (result == KEY_CODE_YES)
    ungetch((int)key);
  if (result != OK)
    return UI_KEY_ESC;
  if (key == '[') {
    gboolean number = FALSE;
    for (int i = 0; i < 32 && get_wch(&key) == OK; i++) {
      number |= !i && g_ascii_isdigit((char)MIN(key, 0x7f));
      if (key >= 0x40 && key <= 0x7e)
        return number && (key == '~' || g_ascii_isupper((char)key)) ? UI_KEY_OTHER : UI_KEY_RESIZE;
    }
    return UI_KEY_RESIZE; /* nothing, but more may follow */
  }
  if (key > ' ' && key < 0x7f)
    return UI_ALT((int)key);
  unget_wch((wchar_t)key);
  return UI_KEY_ESC;
}

int
ui_screen_key(void)
{
  wint_t key;
  int result = get_wch(&key);

  if (result == ERR || term.suspended)
    return UI_KEY_NONE;
  if (result == OK && key == UI_KEY_ESC)
    return after_escape();
  if (result == OK)
    return key == '\n' || key == '\r' ? UI_KEY_ENTER : key == 8 ? UI_KEY_BACKSPACE : (int)key;
  switch (key) {
  case KEY_UP:
    return UI_KEY_UP;
  case KEY_DOWN:
    return UI_KEY_DOWN;
  case KEY_LEFT:
    return UI_KEY_LEFT;
  case KEY_RIGHT:
    return UI_KEY_RIGHT;
  case KEY_PPAGE:
    return UI_KEY_PAGE_UP;
  case KEY_NPAGE:
    return UI_KEY_PAGE_DOWN;
  case KEY_HOME:
    return UI_KEY_HOME;
  case KEY_END:
    return UI_KEY_END;
  case KEY_DC:
    return UI_KEY_DELETE;
  case KEY_ENTER:
    return UI_KEY_ENTER;
  case KEY_BACKSPACE:
    return UI_KEY_BACKSPACE;
  case KEY_RESIZE:
  case KEY_MOUSE:
    return UI_KEY_RESIZE;
  default:
    return key > KEY_F0 && key < KEY_F(64) ? UI_KEY_F((int)key - KEY_F0) : UI_KEY_OTHER;
  }
}

void
ui_screen_suspend(void)
{
  if (term.suspended || !term.open)
    return;
  def_prog_mode();
  endwin();
  put_back_stderr();
  term.suspended = TRUE;
}

void
ui_screen_resume(void)
{
  if (!term.suspended)
    return;
  term.suspended = FALSE;
  reset_prog_mode();
  flushinp();
  move_stderr();
  ui_screen_resize();
}

void
ui_screen_stop(void)
{
  struct sigaction before, standard = { .sa_handler = SIG_DFL };

  ui_screen_suspend();
  sigaction(SIGTSTP, &standard, &before);
  kill(0, SIGTSTP); /* the whole job: make, or a script, may have started us */
  sigaction(SIGTSTP, &before, NULL);
  ui_screen_resume();
}
