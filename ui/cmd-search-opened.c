#include <stdio.h>
#include <unistd.h>

#include "ui/cmd-search-private.h"
#include "ui/json.h"
#include "ui/opened.h"

static gboolean
load(UiSearch *search, MlOpened *opened, MlStore *store, MlOpenedState *state, GError **error)
{
  CryptoPinSource *pin = search->encrypted ? ui_cli_pin_source(search->cli) : NULL;

  return ml_opened_load(opened, pin, search->cli->cancellable, state, error) && ml_opened_place(opened, store, error);
}

/* Who asked for it hears why; anybody else only that it is so. */
static void
say_closed(UiSearch *search, const MlOpenedState *state)
{
  const char *name = search->account->name;

  search->not_searched = state->closed;
  if (!state->closed)
    return;
  if (search->encrypted) {
    ui_cli_error(search->cli, "%s: %u encrypted message%s could not be searched: %s", name, state->closed,
                 state->closed == 1 ? "" : "s",
                 state->why    ? state->why->message
                 : state->full ? "there are too many for one search: do it once more, and the newest are searched."
                               : "their text is not whole any more.");
    search->partly = state->why ? ui_cli_exit_for(state->why) : UI_EXIT_IO;
    if (search->partly == UI_EXIT_NO)
      search->partly = UI_EXIT_PERMISSION; /* 1: nothing was found */
  } else if (search->cli->verbose || (!search->cli->json && isatty(STDERR_FILENO))) {
    ui_cli_error(search->cli, "%s: %u encrypted message%s not searched%s", name, state->closed,
                 state->closed == 1 ? " was" : "s were",
                 state->locked ? ": --encrypted asks for the PIN"
                 : state->newer ? ": a newer signet wrote down what they say; use that one"
                 : state->full ? ": there are too many for one search; do it once more"
                               : ": the key is not here");
  }
}

MlOpened *
ui_search_opened(UiSearch *search, MlStore *store, MlStoreSearch *index)
{
  g_auto(MlOpenedState) state = { 0 };
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_build_filename(search->cli->data_dir, "store", NULL);

  search->not_searched = 0;
  ui_opened_settle(search->cli, search->account);
  if (search->encrypted && !search->account->index_encrypted)
    ui_cli_error(search->cli, "%s: what encrypted mail says is not kept: index-encrypted = yes in %s does that",
                 search->account->name, search->cli->config_path);
  if (!search->account->index_encrypted || !ml_opened_any(directory, search->account))
    return NULL;
  g_autoptr(MlOpened) opened = ui_search_open_crypto(search, &error) ? ml_opened_new(directory, search->account, &error) : NULL;
  if (!opened || !load(search, opened, store, &state, &error)) {
    ui_cli_error(search->cli, "%s: encrypted messages were not searched: %s", search->account->name, error->message);
    search->partly = ui_cli_exit_for(error);
    search->code = UI_EXIT_OK; /* crypto/ was not opened: the words in clear can be searched */
    return NULL;
  }
  say_closed(search, &state);
  if (!ml_opened_tidy(opened, ml_config_revocation(search->cli->config), &error) && search->cli->verbose)
    ui_cli_error(search->cli, "%s", error->message); /* the next search uses the key as often as this one */
  ml_opened_join(opened, index);
  return g_steal_pointer(&opened);
}

void
ui_search_print_closed(const UiSearch *search)
{
  if (!search->cli->json || !search->not_searched)
    return;
  JsonBuilder *json = ui_json_new();
  ui_json_string(json, "account", search->account->name);
  ui_json_int(json, "not_searched", search->not_searched);
  ui_json_print(json);
}
