#include <string.h>

#include "ui/compose-private.h"

/* The review screen: the two switches on top, in rows that never scroll; then the header, a row a recipient, what is
 * attached; then the text. One cursor goes over header, recipients and attachments; Enter acts on what it is on. */
typedef struct {
  UiComposeRowKind kind;
  guint index;
} Row;

typedef struct {
  UiView view;
  UiComposer *composer;
  UiPager pager;
  GArray *rows; /* of Row */
  int cursor, top, height;
} View;

enum { LABEL = 10, STATE = 10, MIN_TEXT = 4 };

static void
add_row(View *view, UiComposeRowKind kind, guint n)
{
  for (guint i = 0; i < n; i++) {
    Row row = { kind, i };
    g_array_append_val(view->rows, row);
  }
}

static void
list_rows(View *view)
{
  const UiComposer *composer = view->composer;
  const MlDraft *draft = composer->draft;

  g_array_set_size(view->rows, 0);
  add_row(view, UI_ROW_FROM, 1);
  add_row(view, UI_ROW_TO, 1);
  add_row(view, UI_ROW_CC, 1);
  add_row(view, UI_ROW_BCC, draft->bcc && *draft->bcc ? 1 : 0);
  add_row(view, UI_ROW_REPLY_TO, draft->reply_to && *draft->reply_to ? 1 : 0);
  add_row(view, UI_ROW_SUBJECT, 1);
  if (composer->found) /* one's own only where they matter */
    add_row(view, UI_ROW_RECIPIENT, draft->encrypt ? composer->found->recipients->len : composer->found->n);
  add_row(view, UI_ROW_ATTACHMENT, draft->attachments->len);
  view->cursor = CLAMP(view->cursor, 0, (int)view->rows->len - 1);
}

char *
ui_compose_certificate(CryptoCert *cert, int columns)
{
  g_autofree char *until = ui_details_date(crypto_cert_not_after(cert));

  return columns < 50 ? g_strdup_printf("until %s", until)
                      : g_strdup_printf("%s, until %s", crypto_cert_key_name(cert), until);
}

/* The switches. */
static void
draw_sign(const View *view, int row, int columns)
{
  const UiComposer *composer = view->composer;
  const UiFound *found = composer->found;
  g_autofree char *words = NULL, *forced = ui_composer_by_policy(composer, ML_POLICY_SIGN);
  UiStyle style = UI_STYLE_GOOD;

  if (!composer->draft->sign) {
    words = g_strdup(" SIGN off     nobody can tell whether it is from you, or was changed");
    style = UI_STYLE_QUIET;
  } else if (!found)
    words = g_strdup(" SIGN on      ...");
  else if (!found->signer) {
    words = g_strdup_printf(" SIGN on, but %s", found->signer_problem);
    style = UI_STYLE_BAD;
  } else {
    g_autofree char *about = ui_compose_certificate(found->signer, columns - 30);
    words = g_strdup_printf(" SIGN on      %s%s%s, %s, %s", forced ? forced : "", forced ? ": " : "",
                            crypto_cert_common_name(found->signer),
                            found->signer_place ? found->signer_place : "database", about);
  }
  g_autofree char *safe = ui_text_line(words);
  g_autofree char *cut = ui_text_cut(safe, columns - 4);
  ui_screen_fill(row, 0, columns, style, cut);
  ui_screen_put(row, columns - 2, 2, style, "S");
}

static void
draw_encrypt(const View *view, int row, int columns)
{
  const UiComposer *composer = view->composer;
  const MlDraft *draft = composer->draft;
  const UiFound *found = composer->found;
  guint missing = ui_compose_missing(composer), all = found ? found->n : 0;
  const char *own = ui_compose_own_problem(composer);
  g_autofree char *words = NULL, *forced = ui_composer_by_policy(composer, ML_POLICY_ENCRYPT);
  UiStyle style = UI_STYLE_GOOD;

  if (!draft->encrypt && forced) {
    words = g_strdup_printf(" ENCRYPT off  it may not leave so, %s: E encrypts", forced);
    style = UI_STYLE_BAD;
  } else if (!draft->encrypt) {
    words = g_strdup_printf(" ENCRYPT off  readable on the way%s",
                            draft->encrypt_demanded ? ", though what it answers was encrypted"
                            : all && !missing       ? ", though all who get it have a certificate"
                                                    : "");
    style = draft->encrypt_demanded ? UI_STYLE_BAD : UI_STYLE_QUIET;
  } else if (!found || (!all && !found->problem)) {
    words = g_strdup_printf(" ENCRYPT on   %s%s%s", forced ? forced : "", forced ? ": " : "",
                            found ? "nobody is named yet" : "...");
  } else if (missing || found->problem || own) {
    if (missing && all == 1)
      words = g_strdup(" ENCRYPT on, but the recipient has no accepted certificate: y helps");
    else if (missing)
      words = g_strdup_printf(" ENCRYPT on, but %u of %u recipients %s no accepted certificate: y helps", missing, all,
                              missing == 1 ? "has" : "have");
    else
      words = g_strdup_printf(" ENCRYPT on, but %s", found->problem ? found->problem : own);
    style = UI_STYLE_WARN;
  } else
    words = g_strdup_printf(" ENCRYPT on   %s%sto %u recipient%s, and to yourself", forced ? forced : "",
                            forced ? ": " : "", all, all == 1 ? "" : "s");
  g_autofree char *safe = ui_text_line(words);
  g_autofree char *cut = ui_text_cut(safe, columns - 4);
  ui_screen_fill(row, 0, columns, style, cut);
  ui_screen_put(row, columns - 2, 2, style, "E");
}

/* The rows. */
static void
draw_field(const char *label, const char *value, int at, int columns, gboolean current)
{
  g_autofree char *safe = ui_text_line(value ? value : "");
  g_autofree char *line = g_strdup_printf("%c%*s %s", current ? '>' : ' ', LABEL - 2, label, safe);
  g_autofree char *cut = ui_text_cut(line, columns);

  ui_screen_fill(at, 0, columns, current ? UI_STYLE_CURSOR : UI_STYLE_NORMAL, cut);
  if (!current) {
    g_autofree char *name = g_strdup_printf(" %*s", LABEL - 2, label);
    ui_screen_put(at, 0, LABEL - 1, UI_STYLE_HEADER, name);
  }
}

static void
draw_certificate(const char *state, UiStyle style, const char *who, const char *about, int at, int columns,
                 gboolean current)
{
  int room = columns - 1 - STATE, width = CLAMP(room * 2 / 5, 12, 40);
  g_autofree char *safe_who = ui_text_line(who), *safe_about = ui_text_line(about ? about : "");
  g_autofree char *fit = ui_text_fit(safe_who, width);
  g_autofree char *cut = ui_text_cut(safe_about, MAX(room - width - 2, 1));
  g_autofree char *name = ui_text_fit(state, STATE - 1);
  g_autofree char *line = g_strdup_printf("%c%s %s  %s", current ? '>' : ' ', name, fit, cut);

  ui_screen_fill(at, 0, columns, current ? UI_STYLE_CURSOR : UI_STYLE_NORMAL, line);
  if (!current)
    ui_screen_put(at, 1, STATE, style, name);
}

static void
draw_recipient(const MlRecipient *recipient, int at, int columns, gboolean current, gboolean encrypt)
{
  static const char *const states[] = { "ready", "candidate", "none", "unfit" };
  g_autofree char *about = NULL;

  if (recipient->state == ML_CERT_READY && recipient->cert) {
    g_autofree char *cert = ui_compose_certificate(recipient->cert, columns - 30);
    about = g_strdup_printf("%s%s%s", cert, recipient->source && !recipient->self ? ", " : "",
                            recipient->source && !recipient->self ? recipient->source : "");
  }
  g_autofree char *who =
      g_strdup_printf("%s%s", recipient->archive && !*recipient->address ? "archive" : recipient->address,
                      recipient->self      ? " (yourself)"
                      : recipient->archive ? " (archive)"
                                           : "");
  draw_certificate(states[recipient->state],
                   recipient->state == ML_CERT_READY ? UI_STYLE_GOOD
                   : encrypt                         ? UI_STYLE_WARN
                                                     : UI_STYLE_QUIET,
                   who,
                   about                              ? about
                   : recipient->state == ML_CERT_NONE ? "no certificate is here: Enter shows what can be done"
                                                      : recipient->reason,
                   at, columns, current);
}

static void
draw_attachment(const MlAttachment *attachment, guint number, int at, int columns, gboolean current)
{
  g_autofree char *size = ui_text_size(g_bytes_get_size(attachment->content));
  g_autofree char *raw = g_strdup_printf("%s%s%s", attachment->name ? attachment->name : "(no name)",
                                         attachment->description ? "  " : "",
                                         attachment->description ? attachment->description : "");
  g_autofree char *safe = ui_text_line(raw), *type = ui_text_line(attachment->type);
  g_autofree char *fit = ui_text_fit(safe, MAX(columns - 44, 10)), *fit_type = ui_text_fit(type, 24);
  g_autofree char *line = g_strdup_printf("%c%*s %s %s %6s", current ? '>' : ' ', LABEL - 2,
                                          attachment->inline_ ? "Inline" : "Attached", fit, fit_type, size);

  ui_screen_fill(at, 0, columns, current ? UI_STYLE_CURSOR : UI_STYLE_NORMAL, line);
  if (current)
    return;
  g_autofree char *name = g_strdup_printf(" %*s", LABEL - 2, attachment->inline_ ? "Inline" : "Attached");
  ui_screen_put(at, 0, LABEL - 1, UI_STYLE_HEADER, name);
}

static void
draw_row(const View *view, const Row *row, int at, int columns, gboolean current)
{
  const UiComposer *composer = view->composer;
  const MlDraft *draft = composer->draft;

  switch (row->kind) {
  case UI_ROW_FROM:
    draw_field("From:", draft->from, at, columns, current);
    break;
  case UI_ROW_TO:
    draw_field("To:", draft->to, at, columns, current);
    break;
  case UI_ROW_CC:
    draw_field("Cc:", draft->cc, at, columns, current);
    break;
  case UI_ROW_BCC:
    draw_field("Bcc:", draft->bcc, at, columns, current);
    break;
  case UI_ROW_REPLY_TO:
    draw_field("Reply-To:", draft->reply_to, at, columns, current);
    break;
  case UI_ROW_SUBJECT:
    draw_field("Subject:", draft->subject, at, columns, current);
    break;
  case UI_ROW_RECIPIENT:
    draw_recipient(composer->found->recipients->pdata[row->index], at, columns, current, draft->encrypt);
    break;
  case UI_ROW_ATTACHMENT:
    draw_attachment(draft->attachments->pdata[row->index], row->index, at, columns, current);
    break;
  }
}

static void
draw_rule(const View *view, int row, int columns)
{
  const UiComposer *composer = view->composer;
  g_autofree char *words =
      g_strdup_printf(" %s%s ", composer->app->accounts->len > 1 ? composer->account->account->name : "Text",
                      composer->busy ? ", on its way out" : "");
  g_autofree char *safe = ui_text_line(words);

  ui_screen_rule(row, 0, columns, UI_STYLE_RULE);
  ui_screen_put(row, 2, columns - 4, UI_STYLE_RULE, safe);
  int percent = ui_pager_percent(&view->pager);
  if (columns < 30 || percent == 100)
    return;
  g_autofree char *share = g_strdup_printf(" %d%% ", percent);
  ui_screen_put(row, columns - 8, 7, UI_STYLE_RULE, share);
}

static void
draw(UiApp *app, UiView *base, int rows, int columns)
{
  View *view = (View *)base;
  int row = 0;

  list_rows(view);
  draw_sign(view, row++, columns);
  draw_encrypt(view, row++, columns);
  if (view->composer->note) {
    g_autofree char *safe = ui_text_line(view->composer->note), *cut = ui_text_cut(safe, columns - 2);
    g_autofree char *line = g_strconcat(" ", cut, NULL);
    ui_screen_fill(row++, 0, columns, UI_STYLE_WARN, line);
  }
  ui_screen_rule(row, 0, columns, UI_STYLE_RULE);
  g_autofree char *title =
      ui_text_line(view->composer->editing ? " Being edited in another window " : " Compose ");
  ui_screen_put(row++, 2, columns - 4, UI_STYLE_RULE, title);
  int n = (int)view->rows->len, room = MAX(rows - row - 1 - MIN_TEXT, 1);
  view->height = MIN(n, room);
  view->top = CLAMP(view->top, MAX(view->cursor - view->height + 1, 0), view->cursor);
  view->top = MIN(view->top, MAX(n - view->height, 0));
  for (int i = 0; i < view->height && row < rows; i++, row++)
    draw_row(view, &g_array_index(view->rows, Row, view->top + i), row, columns,
             view->top + i == view->cursor);
  if (row < rows)
    row++;
  ui_pager_draw(&view->pager, row, MAX(rows - row, 1), columns);
  if (row - 1 < rows)
    draw_rule(view, row - 1, columns);
}

static gboolean
move(UiApp *app, UiView *base, UiMove move)
{
  View *view = (View *)base;
  int before = view->cursor;

  switch (move) {
  case UI_MOVE_UP:
    view->cursor--;
    break;
  case UI_MOVE_DOWN:
    view->cursor++;
    break;
  default: /* pages, beginning and end are the text's */
    return ui_pager_move(&view->pager, move);
  }
  list_rows(view);
  return view->cursor != before;
}

static gboolean
search(UiApp *app, UiView *view, const char *pattern, gboolean backwards)
{
  g_autofree char *folded = ml_pattern_fold(pattern);
  return ui_pager_search(&((View *)view)->pager, folded, backwards);
}

static void
hint(UiApp *app, UiView *base, GString *hint)
{
  UiComposeRowKind kind;
  guint index;

  ui_compose_view_row(base, &kind, &index);
  if (kind == UI_ROW_ATTACHMENT)
    g_string_append(hint, "y send  D remove  R rename  d describe  a attach  S sign  E encrypt  q leave");
  else
    g_string_append(hint, "y send  e edit  a attach  S sign  E encrypt  P postpone  q leave  ? help");
}

static void
view_free(UiApp *app, UiView *base)
{
  View *view = (View *)base;

  ui_composer_unref(view->composer);
  ui_pager_clear(&view->pager);
  g_array_unref(view->rows);
  g_free(view);
}

void
ui_compose_view_text(UiView *base)
{
  View *view = (View *)base;
  g_auto(GStrv) lines = g_strsplit(view->composer->draft->text ? view->composer->draft->text : "", "\n", -1);

  ui_pager_clear(&view->pager);
  ui_pager_init(&view->pager, FALSE);
  guint n = g_strv_length(lines);
  while (n && !*lines[n - 1])
    n--;
  for (guint i = 0; i < n; i++) {
    UiLine *line = ui_pager_add_format(&view->pager, *lines[i] == '>' ? UI_STYLE_QUOTE : UI_STYLE_NORMAL,
                                       "%s", lines[i]);
    line->indent = 1;
  }
}

static const UiViewType type = { UI_IN_COMPOSE, "the message being written", draw, move, search, hint,
                                 view_free };

UiView *
ui_compose_view_new(UiComposer *composer)
{
  View *view = g_new0(View, 1);

  view->view.type = &type;
  view->composer = ui_composer_ref(composer);
  view->rows = g_array_new(FALSE, FALSE, sizeof(Row));
  ui_pager_init(&view->pager, FALSE);
  ui_compose_view_text(&view->view);
  list_rows(view);
  return &view->view;
}

UiComposer *
ui_compose_view_composer(const UiView *view)
{
  return view->type == &type ? ((const View *)view)->composer : NULL;
}

gboolean
ui_compose_view_row(const UiView *base, UiComposeRowKind *kind, guint *index)
{
  View *view = (View *)base;

  list_rows(view);
  const Row *row = &g_array_index(view->rows, Row, view->cursor);
  *kind = row->kind;
  *index = row->index;
  return TRUE;
}
