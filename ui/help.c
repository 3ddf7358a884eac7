#include "ui/app-private.h"

static gboolean
asks_server(const UiBinding *binding)
{
  return binding->run == ui_action_find_ask || binding->run == ui_action_ask;
}

/* Does the key do this here, or has an earlier line of the table taken it? */
static gboolean
holds(const UiBinding *binding, UiContext context)
{
  return binding->context & context && ui_keys_find(binding->key, context) == binding;
}

static void
add_keys(UiPager *pager, UiContext context, gboolean server)
{
  const UiBinding *table = ui_keys_table();

  for (const UiBinding *first = table; first->key; first++) {
    if (!holds(first, context) || (asks_server(first) && !server))
      continue;
    /* Several keys for one act stand on one line, at the first of them. */
    const UiBinding *earlier = table;
    while (earlier < first && !(earlier->run == first->run && holds(earlier, context)))
      earlier++;
    if (earlier < first)
      continue;
    g_autoptr(GString) keys = g_string_new(NULL);
    for (const UiBinding *same = first; same->key; same++) {
      if (same->run != first->run || !holds(same, context))
        continue;
      g_autofree char *name = ui_keys_name(same->key);
      g_string_append_printf(keys, "%s%s", keys->len ? " " : "", name);
    }
    UiLine *line = ui_pager_add_format(pager, UI_STYLE_NORMAL, "%-18s %s", keys->str, first->help);
    line->lead = MAX(keys->len, 18);
    line->indent = 19;
  }
}

static void
add_paragraph(UiPager *pager, const char *text)
{
  UiLine *line = ui_pager_add_format(pager, UI_STYLE_NORMAL, "%s", text);
  line->indent = 2;
}

static void
add_index_words(UiPager *pager)
{
  ui_pager_add_rule(pager, "Letters in the list");
  add_paragraph(pager,
                "N new   O unread from before   r answered   f forwarded   D to be deleted ($ does it)");
  add_paragraph(pager, "F flagged   d draft   t tagged");
  add_paragraph(
      pager, "S signed, E encrypted: as the mail says of itself. S+ good, S? look at it, S! bad: judged by signet, by "
             "itself where the mail is kept on this machine, without your keys and the network. What is encrypted is "
             "judged when you open it. A mark goes back to S when trust or a revocation list changes, or a certificate "
             "ends, until it is judged anew.");
  add_paragraph(pager, "Once it was read, the row says the Subject that is protected inside the mail, not the one outside; "
                       "Ctrl-F takes those that were encrypted away again.");
  ui_pager_add_rule(pager, "Patterns of l, /, T, D and U");
  add_paragraph(pager,
                "Words fit the author or the subject. ~f author  ~t to  ~c copy  ~C to or copy  ~L any of the three  "
                "~s subject  ~i Message-ID  ~x References  ~N new  ~O old  ~R read  ~F flagged  ~D deleted  ~T tagged  "
                "~Q answered  ~g signed  ~G encrypted  ~A all");
  add_paragraph(pager, "~V judged good  ~V warning, ~V bad, ~V none (not signed), ~V unknown (not judged yet)");
  add_paragraph(pager, "~d sent, ~r received: 1/9/2026-30/9/2026, 2026-09-01, <2w (younger), >1m (older), =0d (today)  "
                       "~z size: >1M, 10K-1M");
  add_paragraph(pager, "~b in the text, ~h in the header, ~B in both, ~e Sender: of messages that are here and not encrypted");
  add_paragraph(pager, "! not, | or, ( ), \"several words\". Example: ~f anna !~s invoice ~d <2w");
}

static void
add_reader_words(UiPager *pager)
{
  ui_pager_add_rule(pager, "The marks beside the text");
  add_paragraph(pager, "|  signed: the signature named above covers this line");
  add_paragraph(pager, "#  signed and encrypted");
  add_paragraph(pager, "=  encrypted, not signed: nobody vouches for who wrote it");
  add_paragraph(pager, ":  covered by nothing, in a message of which other parts are");
  add_paragraph(
      pager, "The marks and the rows at the top are drawn by signet. A mail's own text begins to the right "
             "of the marks, so it cannot draw them.");
}

static void
add_compose_words(UiPager *pager)
{
  ui_pager_add_rule(pager, "The rows of the recipients");
  add_paragraph(pager, "ready  there is a certificate that fits: its key, its end, where it came from");
  add_paragraph(pager, "candidate  one came with their signed mail; it is used once you accept it");
  add_paragraph(pager, "none, unfit  it cannot be encrypted to them; Enter says why and what can be done");
  ui_pager_add_rule(pager, "The two switches");
  add_paragraph(pager, "SIGN: everybody can see that it is from you and unchanged; everybody can read it.");
  add_paragraph(pager, "ENCRYPT: only the recipients, and you, can read it; by itself it does not prove who wrote it.");
}

UiView *
ui_help_new(UiContext context, const char *name, gboolean server)
{
  g_autofree char *title = g_strdup_printf("Help: keys in %s", name);
  UiPane *pane = ui_pane_new(UI_IN_TEXT, "help", title);

  add_keys(&pane->pager, context, server);
  if (context == UI_IN_INDEX)
    add_index_words(&pane->pager);
  if (context == UI_IN_READER)
    add_reader_words(&pane->pager);
  if (context == UI_IN_COMPOSE)
    add_compose_words(&pane->pager);
  return &pane->view;
}

void
ui_help_fit(GString *hint, int columns)
{
  g_auto(GStrv) keys = g_strsplit(hint->str, "  ", -1);
  guint n = g_strv_length(keys);
  while (n > 2 && ui_text_width(hint->str) > columns) {
    g_free(keys[n - 3]);
    for (guint i = n - 3; i < n; i++)
      keys[i] = keys[i + 1];
    n--;
    g_autofree char *shorter = g_strjoinv("  ", keys);
    g_string_assign(hint, shorter);
  }
}
