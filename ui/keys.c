#include "ui/app-private.h"

#define ACT(key, context, name, help)                                                                        \
  {                                                                                                          \
    key, context, #name, help, ui_action_##name                                                              \
  }

static const UiBinding table[] = {
  /* Writing: these come first, since some keys mean something else in every other view. */
  ACT('m', UI_IN_INDEX | UI_IN_READER, compose, "write a message"),
  ACT('r', UI_IN_INDEX | UI_IN_READER, reply, "reply to the sender"),
  ACT('g', UI_IN_INDEX | UI_IN_READER, group_reply, "reply to all"),
  ACT('L', UI_IN_INDEX | UI_IN_READER, list_reply, "reply to the mailing list"),
  ACT('f', UI_IN_INDEX | UI_IN_READER, forward, "forward, in the text or as attachment"),
  ACT('b', UI_IN_INDEX | UI_IN_READER, bounce, "bounce: send on as it is, from the one who wrote it"),
  ACT('e', UI_IN_INDEX | UI_IN_READER, edit_as_new, "edit as a new message"),
  ACT('R', UI_IN_INDEX | UI_IN_READER, recall, "go on with a message: being written, or kept as a draft"),
  ACT('B', UI_IN_ALL & ~UI_IN_WRITING, outbox, "the outbox: what is on its way, or did not get there"),
  ACT(UI_CTRL('u'), UI_IN_ALL, unsend, "take back what was just sent"),
  ACT('y', UI_IN_COMPOSE, send, "send"),
  ACT('e', UI_IN_COMPOSE, edit_text, "edit header and text in the editor"),
  ACT('f', UI_IN_COMPOSE, edit_from, "choose the sender: account and address"),
  ACT('t', UI_IN_COMPOSE, edit_to, "edit To; Tab completes"),
  ACT('c', UI_IN_COMPOSE, edit_cc, "edit Cc"),
  ACT('b', UI_IN_COMPOSE, edit_bcc, "edit Bcc"),
  ACT('r', UI_IN_COMPOSE, edit_reply_to, "edit Reply-To"),
  ACT('s', UI_IN_COMPOSE, edit_subject, "edit the subject"),
  ACT('a', UI_IN_COMPOSE, attach, "attach a file; Tab completes"),
  ACT('D', UI_IN_COMPOSE, detach, "remove the attachment"),
  ACT('R', UI_IN_COMPOSE, rename, "rename the attachment"),
  ACT('d', UI_IN_COMPOSE, describe, "describe the attachment"),
  ACT(UI_CTRL('t'), UI_IN_COMPOSE, retype, "change the attachment's type"),
  ACT('S', UI_IN_COMPOSE, toggle_sign, "sign, or do not"),
  ACT('E', UI_IN_COMPOSE, toggle_encrypt, "encrypt, or do not"),
  ACT('C', UI_IN_COMPOSE, choose_signer, "choose the certificate to sign with"),
  ACT('P', UI_IN_COMPOSE, postpone, "keep as a draft"),
  ACT('q', UI_IN_COMPOSE, discard, "leave: keep as a draft, or drop"),
  ACT(UI_KEY_LEFT, UI_IN_COMPOSE, discard, "leave: keep as a draft, or drop"),
  ACT(' ', UI_IN_COMPOSE, page_down, "a page down"),
  ACT('-', UI_IN_COMPOSE, page_up, "a page up"),
  ACT('D', UI_IN_MISSING, missing_remove, "remove the recipient"),
  ACT('X', UI_IN_MISSING, missing_remove_all, "remove all recipients without a certificate"),
  ACT('A', UI_IN_MISSING, missing_accept, "accept the certificate seen in their signed mail"),
  ACT('l', UI_IN_MISSING, missing_directory, "ask the LDAP directories for certificates"),
  ACT('i', UI_IN_MISSING, missing_import, "take a certificate from a file"),
  ACT('2', UI_IN_MISSING, missing_apart, "send two messages: encrypted, and in clear to these"),
  ACT('p', UI_IN_MISSING, missing_plain, "send it to everybody in clear"),
  ACT('D', UI_IN_DRAFTS, draft_delete, "delete the draft"),
  ACT('r', UI_IN_OUTBOX, outbox_retry, "send it now"),
  ACT('D', UI_IN_OUTBOX, outbox_cancel, "take it back, and edit it"),
  ACT('S', UI_IN_INDEX | UI_IN_READER | UI_IN_FOLDERS, certs,
      "certificates: your own, people's, authorities; import, export, trust"),
  ACT('P', UI_IN_INDEX | UI_IN_READER | UI_IN_FOLDERS | UI_IN_CERTS, tokens,
      "cards and the certificate database: log in and out, change and unblock PINs"),
  ACT('l', UI_IN_TOKENS, token_login, "log in: asks for the PIN, or the database's password"),
  ACT('L', UI_IN_TOKENS, token_logout, "log out: forgets the PIN"),
  ACT('P', UI_IN_TOKENS, token_change, "change the PIN, or the database's password: its first one too"),
  ACT('U', UI_IN_TOKENS, token_unblock, "unblock a locked card by its PUK (SO PIN)"),
  ACT('R', UI_IN_TOKENS, tokens_refresh, "look again"),
  ACT(UI_CTRL('r'), UI_IN_TOKENS, tokens_refresh, "look again"),
  ACT(UI_KEY_TAB, UI_IN_CERTS, certs_next_group, "to the next group: own, people, authorities, candidates"),
  ACT('l', UI_IN_CERTS, certs_limit, "show only those that fit a pattern, as it is typed; Esc shows all again"),
  ACT('\\', UI_IN_CERTS, certs_limit, "show only those that fit a pattern, as it is typed; Esc shows all again"),
  ACT('/', UI_IN_CERTS, certs_search, "search as you type"),
  ACT('b', UI_IN_CERTS, certs_roots, "show NSS's own roots too, or not"),
  ACT('i', UI_IN_CERTS, certs_import, "import from a file, from mutt or from gpgsm; Tab completes"),
  ACT('e', UI_IN_CERTS, certs_export, "export: PEM, DER, base64, LDIF, or PKCS#12 with the private key"),
  ACT('r', UI_IN_CERTS, certs_request, "request a new certificate of your own: makes a key"),
  ACT('u', UI_IN_CERTS, certs_use, "use your certificate for an account, to sign or to be written to"),
  ACT('A', UI_IN_CERTS, certs_accept, "accept a candidate, for writing to them"),
  ACT('T', UI_IN_CERTS, certs_trust, "trust or distrust it, for mail and for servers apart"),
  ACT('D', UI_IN_CERTS, certs_delete, "delete it, or forget a candidate; says first what would be lost"),
  ACT('R', UI_IN_CERTS, certs_refresh, "read anew"),
  ACT(UI_CTRL('r'), UI_IN_CERTS, certs_refresh, "read anew"),
  ACT('j', UI_IN_INDEX | UI_IN_READER, next_message, "next message that is not to be deleted"),
  ACT('k', UI_IN_INDEX | UI_IN_READER, previous_message, "previous message that is not to be deleted"),
  ACT('J', UI_IN_READER, next_any, "next message"),
  ACT('K', UI_IN_READER, previous_any, "previous message"),
  ACT(UI_KEY_DOWN, UI_IN_ALL, down, "a line down"),
  ACT('J', UI_IN_INDEX, down, "a line down"),
  ACT('j', UI_IN_ALL & ~(UI_IN_INDEX | UI_IN_READER), down, "a line down"),
  ACT(UI_KEY_ENTER, UI_IN_PAGERS, down, "a line down"),
  ACT(UI_KEY_UP, UI_IN_ALL, up, "a line up"),
  ACT('K', UI_IN_INDEX, up, "a line up"),
  ACT('k', UI_IN_ALL & ~(UI_IN_INDEX | UI_IN_READER), up, "a line up"),
  ACT(UI_KEY_BACKSPACE, UI_IN_PAGERS, up, "a line up"),
  ACT(UI_KEY_PAGE_DOWN, UI_IN_ALL, page_down, "a page down"),
  ACT('z', UI_IN_ALL, page_down, "a page down"),
  ACT(' ', UI_IN_PAGERS, page_down, "a page down"),
  ACT(UI_KEY_PAGE_UP, UI_IN_ALL, page_up, "a page up"),
  ACT('Z', UI_IN_ALL, page_up, "a page up"),
  ACT('b', UI_IN_PAGERS & ~UI_IN_READER, page_up, "a page up"),
  ACT('-', UI_IN_PAGERS, page_up, "a page up"),
  ACT(UI_KEY_HOME, UI_IN_ALL, first, "to the beginning"),
  ACT('=', UI_IN_LISTS, first, "to the beginning"),
  ACT('^', UI_IN_PAGERS, first, "to the beginning"),
  ACT(UI_KEY_END, UI_IN_ALL, last, "to the end"),
  ACT('*', UI_IN_LISTS, last, "to the end"),
  ACT('1', UI_IN_INDEX, jump, "go to the message of that number"),
  ACT(UI_KEY_ENTER, UI_IN_LISTS, open, "open what the cursor is on"),
  ACT(' ', UI_IN_LISTS, open, "open what the cursor is on"),
  ACT(UI_KEY_RIGHT, UI_IN_LISTS, open, "open what the cursor is on"),
  ACT('q', UI_IN_ALL & ~UI_IN_INDEX, back, "back"),
  ACT('i', UI_IN_READER, back, "back"),
  ACT(UI_KEY_LEFT, UI_IN_ALL & ~UI_IN_INDEX, back, "back"),
  ACT('q', UI_IN_INDEX, leave, "quit; asks about pending deletions"),
  ACT('/', UI_IN_ALL, search, "search"),
  ACT(UI_ALT('/'), UI_IN_ALL, search_backwards, "search backwards"),
  ACT('n', UI_IN_ALL, search_next, "search on, the same way"),
  ACT('N', UI_IN_ALL & ~UI_IN_INDEX, search_previous, "search on, the other way"),
  ACT(UI_KEY_TAB, UI_IN_INDEX | UI_IN_READER, next_unread, "next unread message; after the last, the first"),
  ACT('Q', UI_IN_INDEX | UI_IN_READER | UI_IN_FOLDERS | UI_IN_FINDS, find,
      "find words in all mail of the account that is here, as you type"),
  ACT('a', UI_IN_FINDS, find_ask, "ask the server for these words too: for mail that is not here in full"),
  ACT('s', UI_IN_FINDS, find_sort, "best first, or newest first"),
  ACT('D', UI_IN_FINDS, find_decrypt, "search encrypted messages too: asks for the PIN or password"),
  ACT('w', UI_IN_FINDS, find_keep, "keep these words as a search with a name, over all accounts"),
  ACT('l', UI_IN_INDEX, limit, "show only messages that fit a pattern; `all`, or Esc, shows all again"),
  ACT('\\', UI_IN_INDEX, limit, "show only messages that fit a pattern; `all`, or Esc, shows all again"),
  ACT('a', UI_IN_INDEX, ask, "ask the server what a limit with ~b or ~B finds in messages that are not here"),
  ACT('d', UI_IN_INDEX | UI_IN_READER, delete, "delete: marked now, done by $ or on leaving"),
  ACT('u', UI_IN_INDEX | UI_IN_READER, undelete, "undelete"),
  ACT('D', UI_IN_INDEX, delete_pattern, "delete all that fit a pattern"),
  ACT('U', UI_IN_INDEX, undelete_pattern, "undelete all that fit a pattern"),
  ACT('t', UI_IN_INDEX | UI_IN_READER, tag, "tag or untag"),
  ACT('T', UI_IN_INDEX, tag_pattern, "tag all that fit a pattern"),
  ACT(UI_CTRL('t'), UI_IN_INDEX, untag_pattern, "untag all that fit a pattern"),
  ACT(UI_ALT('z'), UI_IN_INDEX | UI_IN_READER, undo, "take back the last change: flags, a move; several times: those before"),
  ACT(';', UI_IN_INDEX, apply, "do what the next key says to all tagged messages"),
  ACT('o', UI_IN_INDEX, sort, "sort: by date, author, subject, size, in threads, or by arrival"),
  ACT('O', UI_IN_INDEX, sort_reverse, "sort, the other way round"),
  ACT(UI_ALT('v'), UI_IN_INDEX, fold, "fold the thread into one line, or unfold it"),
  ACT(UI_ALT('V'), UI_IN_INDEX, fold_all, "fold all threads, or unfold them"),
  ACT(UI_ALT('t'), UI_IN_INDEX, tag_thread, "tag or untag the whole thread"),
  ACT(UI_CTRL('d'), UI_IN_INDEX, delete_thread, "delete the whole thread"),
  ACT(UI_ALT('u'), UI_IN_INDEX, undelete_thread, "undelete the whole thread"),
  ACT(UI_ALT('r'), UI_IN_INDEX, read_thread, "mark the whole thread as read"),
  ACT('#', UI_IN_INDEX, cut_thread, "cut the thread: this message begins its own; again: back to where it was"),
  ACT('&', UI_IN_INDEX, link_threads, "put the tagged messages under this one, in its thread"),
  ACT('F', UI_IN_INDEX | UI_IN_READER, flag, "flag as important, or unflag"),
  ACT('N', UI_IN_INDEX, toggle_new, "mark as new, or as read"),
  ACT('w', UI_IN_INDEX | UI_IN_READER, set_flag, "set a flag by its letter: N new, F flagged, r answered, D deleted"),
  ACT('W', UI_IN_INDEX | UI_IN_READER, clear_flag, "clear a flag by its letter"),
  ACT('@', UI_IN_INDEX | UI_IN_READER, address, "show the author's whole address"),
  ACT('s', UI_IN_INDEX | UI_IN_READER, move, "save: move to another folder"),
  ACT('C', UI_IN_INDEX | UI_IN_READER, copy, "copy to another folder"),
  ACT('A', UI_IN_INDEX | UI_IN_READER, archive, "move to the archive"),
  ACT('$', UI_IN_INDEX, sync, "delete what is marked, now"),
  ACT('y', UI_IN_INDEX | UI_IN_READER, folders, "list all folders"),
  ACT('c', UI_IN_INDEX | UI_IN_READER | UI_IN_FOLDERS, change_folder,
      "change to another folder by name: FOLDER or ACCOUNT/FOLDER; Tab completes, Enter alone takes the next with "
      "unread mail, - the one before"),
  ACT(UI_CTRL('n'), UI_IN_INDEX | UI_IN_READER | UI_IN_FOLDERS, next_account, "to the next account"),
  ACT(UI_CTRL('p'), UI_IN_INDEX | UI_IN_READER | UI_IN_FOLDERS, previous_account, "to the account before"),
  ACT('|', UI_IN_INDEX | UI_IN_READER, pipe, "give the text to a program"),
  ACT('p', UI_IN_READER, print, "print"),
  ACT(UI_CTRL('b'), UI_IN_READER, link, "open a link, after showing where it goes"),
  ACT('U', UI_IN_READER, link, "open a link, after showing where it goes"),
  ACT('v', UI_IN_READER, parts, "list the parts: view, save, pipe attachments"),
  ACT('V', UI_IN_READER, details, "security in detail: signers, chain, dates, algorithms"),
  ACT('I', UI_IN_READER | UI_IN_DETAILS, install, "install the signer's certificate, for writing to them"),
  ACT(UI_CTRL('k'), UI_IN_READER | UI_IN_DETAILS, install, "install the signer's certificate, for writing to them"),
  ACT('D', UI_IN_READER, decrypt, "decrypt now: asks for the PIN or password, opens encrypted parts"),
  ACT('O', UI_IN_READER | UI_IN_DETAILS, online, "ask the network about the signer's chain: revoked? who issued it?"),
  ACT('T', UI_IN_DETAILS, trust, "trust the authority at the end of the chain, by its fingerprint"),
  ACT('h', UI_IN_READER, headers, "show all headers, or the usual ones"),
  ACT('s', UI_IN_PARTS, save_part, "save the part in a file; never overwrites"),
  ACT('|', UI_IN_PARTS, pipe_part, "give the part to a program"),
  ACT(UI_CTRL('f'), UI_IN_ALL, forget_pins, "forget PINs: log out of every token and the database"),
  ACT(UI_CTRL('r'), UI_IN_INDEX | UI_IN_READER | UI_IN_FOLDERS, refresh, "read anew"),
  ACT('R', UI_IN_FOLDERS, refresh, "read anew"),
  ACT('!', UI_IN_ALL, log, "what was said: the log"),
  ACT('M', UI_IN_ALL, log, "what was said: the log"),
  ACT(UI_KEY_ESC, UI_IN_ALL, cancel, "stop what is going on; then: end the limit"),
  ACT('x', UI_IN_ALL, cancel, "stop what is going on; then: end the limit"),
  ACT(UI_CTRL('c'), UI_IN_ALL, cancel, "stop what is going on; then: end the limit"),
  ACT(UI_CTRL('l'), UI_IN_ALL, redraw, "draw the screen again"),
  ACT(UI_CTRL('z'), UI_IN_ALL, stop, "to the shell; `fg` comes back"),
  ACT('?', UI_IN_ALL, help, "this help"),
  { 0, 0, NULL, NULL, NULL },
};

const UiBinding *
ui_keys_table(void)
{
  return table;
}

const UiBinding *
ui_keys_find(int key, UiContext context)
{
  if (key >= '1' && key <= '9' && context & UI_IN_INDEX)
    key = '1'; /* one binding for all digits; ui_action_jump() asks which it was */
  for (const UiBinding *binding = table; binding->key; binding++)
    if (binding->key == key && binding->context & context)
      return binding;
  return NULL;
}

char *
ui_keys_name(int key)
{
  static const struct {
    int key;
    const char *name;
  } names[] = {
    { UI_KEY_TAB, "Tab" },
    { UI_KEY_ENTER, "Enter" },
    { UI_KEY_ESC, "Esc" },
    { UI_KEY_BACKSPACE, "Backspace" },
    { ' ', "Space" },
    { UI_KEY_UP, "Up" },
    { UI_KEY_DOWN, "Down" },
    { UI_KEY_LEFT, "Left" },
    { UI_KEY_RIGHT, "Right" },
    { UI_KEY_PAGE_UP, "PgUp" },
    { UI_KEY_PAGE_DOWN, "PgDn" },
    { UI_KEY_HOME, "Home" },
    { UI_KEY_END, "End" },
    { UI_KEY_DELETE, "Del" },
    { '1', "1 to 9" },
    { UI_KEY_OTHER, "That key" },
  };
  char bytes[7] = { 0 };

  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    if (names[i].key == key)
      return g_strdup(names[i].name);
  if (key > UI_ALT(' ') && key < UI_ALT(0x7f))
    return g_strdup_printf("Alt-%c", key - UI_ALT(0));
  if (key >= UI_KEY_F(0) && key < UI_KEY_F(64))
    return g_strdup_printf("F%d", key - UI_KEY_F(0));
  if (key > 0 && key < 0x20)
    return g_strdup_printf("Ctrl-%c", key + 0x40);
  if (key <= 0 || key >= 0x110000 || !g_unichar_validate((gunichar)key))
    return g_strdup("?");
  g_unichar_to_utf8((gunichar)key, bytes);
  return ui_text_line(bytes);
}
