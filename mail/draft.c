#include "mail/draft-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/headers-write-private.h"

MlDraftHeader *
ml_draft_header_new(const char *name, const char *value)
{
  MlDraftHeader *header = g_new0(MlDraftHeader, 1);
  header->name = g_strdup(name);
  header->value = g_strdup(value);
  return header;
}

void
ml_draft_header_free(MlDraftHeader *header)
{
  if (!header)
    return;
  g_free(header->name);
  g_free(header->value);
  g_free(header);
}

void
ml_attachment_free(MlAttachment *attachment)
{
  if (!attachment)
    return;
  g_clear_pointer(&attachment->content, g_bytes_unref);
  g_free(attachment->name);
  g_free(attachment->type);
  g_free(attachment->description);
  g_free(attachment);
}

static MlAttachment *
attachment_copy(const MlAttachment *attachment)
{
  MlAttachment *copy = g_new0(MlAttachment, 1);
  copy->content = g_bytes_ref(attachment->content);
  copy->name = g_strdup(attachment->name);
  copy->type = g_strdup(attachment->type);
  copy->description = g_strdup(attachment->description);
  copy->inline_ = attachment->inline_;
  return copy;
}

static gboolean
refuse_file(GError **error, const char *path, const char *why)
{
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "%s cannot be attached: %s", path, why);
  return FALSE;
}

/* Opened without waiting, so that a pipe cannot hang us. */
static int
open_regular(const char *path, struct stat *info, GError **error)
{
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    ml_files_error(error, errno, "attached", path);
    return -1;
  }
  const char *why = NULL;
  if (fstat(fd, info) < 0)
    why = "its size cannot be told.";
  else if (S_ISDIR(info->st_mode))
    why = "it is a folder. Attach the files in it, or pack it first.";
  else if (!S_ISREG(info->st_mode))
    why = "it is no regular file. Save what it gives into a file and attach that.";
  else if (info->st_size > ML_DRAFT_CONTENT)
    why = "it is larger than 140 MiB, more than mail carries. Put it where it can be fetched and send the "
          "link.";
  if (!why)
    return fd;
  refuse_file(error, path, why);
  close(fd);
  return -1;
}

/* Read, not mapped: a file that shrinks while the mail is written would kill us. */
static GBytes *
read_whole(int fd, gsize size, const char *path, GError **error)
{
  enum { PIECE = 1024 * 1024 };
  g_autoptr(MlSpill) spill = ml_spill_new();
  g_autofree char *piece = g_malloc(PIECE);
  for (gsize at = 0; at < size;) {
    gssize got = ml_files_pread(fd, piece, MIN(size - at, (gsize)PIECE), (goffset)at, path, error);
    if (got < 0)
      return NULL;
    if (!got)
      break;
    ml_spill_add(spill, piece, (gsize)got);
    at += (gsize)got;
  }
  return ml_spill_end(g_steal_pointer(&spill), error);
}

MlAttachment *
ml_attachment_open(const char *path, GError **error)
{
  g_autofree char *full =
      g_str_has_prefix(path, "~/") ? g_build_filename(g_get_home_dir(), path + 2, NULL) : g_strdup(path);
  struct stat info;
  int fd = open_regular(full, &info, error);
  if (fd < 0)
    return NULL;
  g_autoptr(GBytes) content = read_whole(fd, (gsize)info.st_size, full, error);
  close(fd);
  if (!content)
    return NULL;
  g_autofree char *base = g_path_get_basename(full);
  g_autofree char *name = g_utf8_make_valid(base, -1);
  return ml_attachment_new(content, name, NULL);
}

GPtrArray *
ml_draft_headers_new(void)
{
  return g_ptr_array_new_with_free_func((GDestroyNotify)ml_draft_header_free);
}

GPtrArray *
ml_draft_attachments_new(void)
{
  return g_ptr_array_new_with_free_func((GDestroyNotify)ml_attachment_free);
}

MlDraft *
ml_draft_new(const MlAccount *account)
{
  MlDraft *draft = g_new0(MlDraft, 1);
  draft->account = g_strdup(account->name);
  draft->from =
      account->address ? ml_headers_write_mailbox(account->display_name, account->address) : g_strdup("");
  draft->to = g_strdup("");
  draft->cc = g_strdup("");
  draft->bcc = g_strdup("");
  draft->subject = g_strdup("");
  g_autofree char *signature = ml_draft_signature(account);
  draft->text = *signature ? g_strconcat("\n\n", signature, NULL) : g_strdup("");
  draft->more = ml_draft_headers_new();
  draft->attachments = ml_draft_attachments_new();
  draft->flowed = account->flowed;
  draft->sign = g_strcmp0(account->sign, "always") == 0;
  draft->encrypt = g_strcmp0(account->encrypt, "always") == 0;
  draft->hide = g_strcmp0(account->hide_headers, "shy") == 0    ? ML_HIDE_SHY
                : g_strcmp0(account->hide_headers, "none") == 0 ? ML_HIDE_NONE
                                                                : ML_HIDE_BASELINE;
  draft->legacy_display = account->legacy_display;
  return draft;
}

MlDraft *
ml_draft_copy(const MlDraft *draft)
{
  MlDraft *copy = g_new(MlDraft, 1);
  *copy = *draft;
  char **strings[] = { &copy->account,    &copy->from,           &copy->to,           &copy->cc,
                       &copy->bcc,        &copy->reply_to,       &copy->subject,      &copy->in_reply_to,
                       &copy->references, &copy->text,           &copy->sign_cert,    &copy->secret_subject,
                       &copy->message_id, &copy->source_account, &copy->source_folder, &copy->quoted_text,
                       &copy->quoted_subject, &copy->secret_people };
  for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
    *strings[i] = g_strdup(*strings[i]);
  copy->more = ml_draft_headers_new();
  for (guint i = 0; i < draft->more->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(draft->more, i);
    g_ptr_array_add(copy->more, ml_draft_header_new(header->name, header->value));
  }
  copy->attachments = ml_draft_attachments_new();
  for (guint i = 0; i < draft->attachments->len; i++)
    g_ptr_array_add(copy->attachments, attachment_copy(g_ptr_array_index(draft->attachments, i)));
  return copy;
}

void
ml_draft_free(MlDraft *draft)
{
  if (!draft)
    return;
  char *strings[] = { draft->account,    draft->from,           draft->to,           draft->cc,
                      draft->bcc,        draft->reply_to,       draft->subject,      draft->in_reply_to,
                      draft->references, draft->text,           draft->sign_cert,    draft->secret_subject,
                      draft->message_id, draft->source_account, draft->source_folder, draft->quoted_text,
                      draft->quoted_subject, draft->secret_people };
  for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
    g_free(strings[i]);
  g_ptr_array_unref(draft->more);
  g_ptr_array_unref(draft->attachments);
  g_free(draft);
}

void
ml_mailbox_free(MlMailbox *mailbox)
{
  if (!mailbox)
    return;
  g_free(mailbox->address);
  g_free(mailbox->display);
  g_free(mailbox);
}

char *
ml_draft_one_line(const char *text)
{
  if (!text)
    return NULL;
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  for (char *c = valid; *c; c++)
    if ((guchar)*c < 32 || *c == 127)
      *c = ' ';
  return g_strdup(g_strstrip(valid));
}

/* Whether it is read as the one address that it is wherever it is written without a name. */
static gboolean
stands_alone(const char *address)
{
  g_autoptr(MlAddresses) read = ml_address_parse(address);
  return read->mailboxes->len == 1 && !read->broken && !read->group &&
         strcmp(((MlAddress *)g_ptr_array_index(read->mailboxes, 0))->address, address) == 0;
}

char *
ml_draft_deliverable(const char *address)
{
  g_autofree char *folded = ml_address_fold(address);
  const char *at = strrchr(address, '@');
  if (!folded || !g_utf8_validate(address, -1, NULL) || strlen(folded) > 320 || at - address > 255)
    return NULL;
  for (const char *c = address; *c; c = g_utf8_next_char(c))
    if (g_unichar_iscntrl(g_utf8_get_char(c)))
      return NULL;
  for (const char *c = strrchr(folded, '@') + 1; *c; c++)
    if (!g_ascii_isalnum(*c) && !strchr("-._[]:", *c))
      return NULL;
  g_autofree char *good = g_strdup_printf("%.*s%s", (int)(at - address), address, strrchr(folded, '@'));
  return stands_alone(good) ? g_steal_pointer(&good) : NULL;
}

static gboolean
refuse_address(GError **error, const char *field, const MlAddress *address)
{
  const char *words = *address->address ? address->address : address->name ? address->name : "";
  g_autofree char *shown = g_utf8_substring(words, 0, MIN(g_utf8_strlen(words, -1), 60));
  g_set_error(
      error, ML_ERROR, ML_ERROR_FAILED,
      "%s: \"%s\" is no mail address. Write name@host, or Name <name@host> with commas between several; a "
      "name that holds a comma goes into double quotes.",
      field, shown);
  return FALSE;
}

GPtrArray *
ml_draft_parse(const char *field, const char *typed, GError **error)
{
  g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)ml_address_one_free);
  if (!typed)
    return g_steal_pointer(&found);
  if (strlen(typed) > ML_DRAFT_FIELD || !g_utf8_validate(typed, -1, NULL)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "%s is %s.", field,
                strlen(typed) > ML_DRAFT_FIELD ? "longer than 1 MiB; send to fewer at a time"
                                               : "not UTF-8 text");
    return NULL;
  }
  if (strpbrk(typed, "\r\n")) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "%s holds a line end; write it in one line.", field);
    return NULL;
  }
  g_autoptr(MlAddresses) parsed = ml_address_parse(typed);
  if (parsed->mailboxes->len >= ML_DRAFT_RECIPIENTS) {
    g_set_error(
        error, ML_ERROR, ML_ERROR_FAILED,
        "%s names %d addresses or more; a message goes to fewer. Use a mailing list, or send several.", field,
        ML_DRAFT_RECIPIENTS);
    return NULL;
  }
  for (guint i = 0; i < parsed->mailboxes->len; i++) {
    MlAddress *address = g_ptr_array_index(parsed->mailboxes, i);
    char *good = ml_draft_deliverable(address->address);
    if (!good) {
      refuse_address(error, field, address);
      return NULL;
    }
    MlAddress *copy = g_new0(MlAddress, 1);
    copy->address = good;
    copy->name = ml_draft_one_line(address->name);
    g_ptr_array_add(found, copy);
  }
  if (parsed->broken) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "%s cannot be read: a quote, a comment or a < is left open, or words follow an address.",
                field);
    return NULL;
  }
  return g_steal_pointer(&found);
}

GPtrArray *
ml_draft_mailboxes(const MlDraft *draft, GError **error)
{
  const char *const names[] = { "To", "Cc", "Bcc" }, *const typed[] = { draft->to, draft->cc, draft->bcc };
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_mailbox_free);
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (gsize field = 0; field < G_N_ELEMENTS(names); field++) {
    g_autoptr(GPtrArray) found = ml_draft_parse(names[field], typed[field], error);
    if (!found)
      return NULL;
    for (guint i = 0; i < found->len; i++) {
      const MlAddress *address = g_ptr_array_index(found, i);
      if (!g_hash_table_add(seen, ml_address_fold(address->address)))
        continue;
      MlMailbox *mailbox = g_new0(MlMailbox, 1);
      mailbox->address = g_strdup(address->address);
      mailbox->display = ml_headers_write_mailbox(address->name, address->address);
      mailbox->field = field == 0 ? ML_TO : field == 1 ? ML_CC : ML_BCC;
      g_ptr_array_add(all, mailbox);
    }
  }
  if (all->len >= ML_DRAFT_RECIPIENTS) {
    g_set_error(
        error, ML_ERROR, ML_ERROR_FAILED,
        "The message names %u recipients; one goes to fewer than %d. Use a mailing list, or send several.",
        all->len, ML_DRAFT_RECIPIENTS);
    return NULL;
  }
  return g_steal_pointer(&all);
}

gboolean
ml_draft_field_name_ok(const char *name)
{
  if (!*name || strlen(name) > 76)
    return FALSE;
  for (const char *c = name; *c; c++)
    if (*c <= 32 || *c >= 127 || *c == ':')
      return FALSE;
  return TRUE;
}

gboolean
ml_draft_field_reserved(const char *name)
{
  static const char *const own[] = { "From",
                                     "To",
                                     "Cc",
                                     "Bcc",
                                     "Subject",
                                     "Reply-To",
                                     "Date",
                                     "Message-ID",
                                     "In-Reply-To",
                                     "References",
                                     "MIME-Version",
                                     "HP-Outer",
                                     "Received",
                                     "Return-Path",
                                     "Sender",
                                     "DKIM-Signature",
                                     "Authentication-Results",
                                     "Delivered-To" };
  static const char *const kinds[] = { "Content-", "Resent-", "X-Signet-", "ARC-" };
  for (gsize i = 0; i < G_N_ELEMENTS(own); i++)
    if (g_ascii_strcasecmp(name, own[i]) == 0)
      return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (g_ascii_strncasecmp(name, kinds[i], strlen(kinds[i])) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
check_line(const char *name, const char *value, GError **error)
{
  if (!value)
    return TRUE;
  const char *why = strlen(value) > ML_DRAFT_LINE       ? "is longer than 16 KiB"
                    : !g_utf8_validate(value, -1, NULL) ? "is not UTF-8 text"
                    : strpbrk(value, "\r\n")            ? "holds a line end"
                                                        : NULL;
  for (const char *c = value; !why && *c; c++)
    if (((guchar)*c < 32 && *c != '\t') || *c == 127)
      why = "holds a control character";
  if (why)
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "%s %s. Change it, then send again.", name, why);
  return why == NULL;
}

static gboolean
check_more(const MlDraft *draft, GError **error)
{
  if (draft->more->len > ML_DRAFT_MORE) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "There are more than %d further header fields. Take some out.", ML_DRAFT_MORE);
    return FALSE;
  }
  for (guint i = 0; i < draft->more->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(draft->more, i);
    if (!ml_draft_field_name_ok(header->name) || ml_draft_field_reserved(header->name)) {
      g_autofree char *shown = ml_draft_one_line(header->name);
      g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "A header field \"%.76s\" cannot be set. Take it out.",
                  shown);
      return FALSE;
    }
    if (!check_line(header->name, header->value, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
check_content(const MlDraft *draft, GError **error)
{
  gsize total = 0;
  for (guint i = 0; i < draft->attachments->len; i++)
    total += g_bytes_get_size(((const MlAttachment *)g_ptr_array_index(draft->attachments, i))->content);
  const char *why = NULL;
  if (draft->text && strlen(draft->text) > ML_DRAFT_TEXT)
    why = "The text is longer than 16 MiB. Attach it as a file.";
  else if (draft->text && !g_utf8_validate(draft->text, -1, NULL))
    why = "The text is not UTF-8. Save it as UTF-8 in the editor.";
  else if (draft->attachments->len > ML_DRAFT_ATTACHMENTS)
    why = "There are more than 1000 attachments. Pack them into one archive.";
  else if (total > ML_DRAFT_CONTENT)
    why = "The attachments are larger than 140 MiB together. Put them where they can be fetched and send the "
          "link.";
  if (why)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED, why);
  return why == NULL;
}

gboolean
ml_draft_check(const MlDraft *draft, GError **error)
{
  g_autoptr(GPtrArray) from = ml_draft_parse("From", draft->from, error);
  if (!from)
    return FALSE;
  if (from->len != 1) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "From names %s. Write the one address that sends it%s.",
                from->len ? "several addresses" : "nobody",
                from->len ? "" : ", or set address = in the account's section of signet.conf");
    return FALSE;
  }
  g_autoptr(GPtrArray) to = ml_draft_mailboxes(draft, error);
  if (!to)
    return FALSE;
  if (!to->len) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                        "The message is addressed to nobody. Write an address in To, Cc or Bcc.");
    return FALSE;
  }
  g_autoptr(GPtrArray) reply_to = ml_draft_parse("Reply-To", draft->reply_to, error);
  return reply_to && check_line("Subject", draft->subject, error) &&
         check_line("In-Reply-To", draft->in_reply_to, error) &&
         check_line("References", draft->references, error) &&
         check_line("Message-ID", draft->message_id, error) && check_more(draft, error) &&
         check_content(draft, error);
}
