#include "mail/submission.h"

#include <string.h>
#include <sys/random.h>

#include "mail/address-private.h"
#include "mail/folder-private.h"
#include "mail/headers-private.h"
#include "mail/headers-write-private.h"
#include "mail/lines-private.h"
#include "mail/spill.h"

enum { HEADER_MAX = 1024 * 1024, RECIPIENTS = 10000 };

typedef struct {
  const MlAccount *account;
  const MlSubmissionOptions *options;
  const char *head; /* header block with CRLF, NUL-terminated copy */
  gsize head_length;
  GString *out;     /* the new header */
  gboolean from, to, date, message_id;
  MlSubmission *result;
} Job;

void
ml_submission_free(MlSubmission *submission)
{
  if (!submission)
    return;
  g_clear_pointer(&submission->bytes, g_bytes_unref);
  g_free(submission->sender);
  g_free(submission->from);
  g_clear_pointer(&submission->open, g_ptr_array_unref);
  g_clear_pointer(&submission->blind, g_ptr_array_unref);
  g_free(submission->message_id);
  g_free(submission->subject);
  g_free(submission);
}

static gboolean
malformed(GError **error, const char *words)
{
  g_set_error_literal(error, ML_ERROR, ML_ERROR_MALFORMED, words);
  return FALSE;
}

static const char *
account_domain(const MlAccount *account)
{
  const char *at = account->address ? strrchr(account->address, '@') : NULL;
  return at && at[1] ? at + 1 : NULL;
}

/* A name of this machine's as an address that can be sent to. Transfer full; NULL: it cannot. */
static char *
complete(const MlAccount *account, const char *address)
{
  static const char *const here[] = { "root", "postmaster", "MAILER-DAEMON" };
  if (strchr(address, '@') || account->sendmail)
    return *address ? g_strdup(address) : NULL;
  if (!account->address || !*address)
    return NULL;
  gboolean own = strcmp(address, g_get_user_name()) == 0;
  for (guint i = 0; i < G_N_ELEMENTS(here); i++)
    own |= strcmp(address, here[i]) == 0;
  if (own)
    return g_strdup(account->address);
  return account_domain(account) ? g_strconcat(address, "@", account_domain(account), NULL) : NULL;
}

static gboolean
contains(GPtrArray *list, const char *address)
{
  for (guint i = 0; i < list->len; i++)
    if (ml_address_equal(g_ptr_array_index(list, i), address) || strcmp(g_ptr_array_index(list, i), address) == 0)
      return TRUE;
  return FALSE;
}

static void
add_recipient(Job *job, GPtrArray *list, char *address)
{
  if (contains(job->result->open, address) || contains(list, address))
    g_free(address);
  else
    g_ptr_array_add(list, address);
}

/* "root, bob": names of this machine, which no address parser takes. FALSE: not only such. */
static gboolean
add_names(Job *job, const char *raw, GPtrArray *list)
{
  if (strpbrk(raw, "\"():;<>[]\\@"))
    return FALSE;
  g_auto(GStrv) words = g_strsplit(raw, ",", -1);
  for (char **word = words; *word; word++)
    if (strpbrk(g_strstrip(*word), " \t"))
      return FALSE;
  for (char **word = words; *word; word++) {
    char *address = complete(job->account, *word);
    if (address)
      add_recipient(job, list, address);
  }
  return TRUE;
}

static gboolean
add_recipients(Job *job, const char *raw, GPtrArray *list, const char *field, GError **error)
{
  if (add_names(job, raw, list))
    return TRUE;
  g_autoptr(MlAddresses) found = ml_address_parse(raw);
  if (found->broken) {
    g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED, "The recipients in %s cannot be read: %s", field, raw);
    return FALSE;
  }
  for (guint i = 0; i < found->mailboxes->len; i++) {
    const MlAddress *one = g_ptr_array_index(found->mailboxes, i);
    g_autofree char *address = complete(job->account, one->address);
    if (!address) {
      g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED,
                  "\"%s\" in %s is no address that can be sent to: write it with its domain (NAME@example.org).",
                  one->address, field);
      return FALSE;
    }
    add_recipient(job, list, g_steal_pointer(&address));
  }
  return TRUE;
}

/* "name:" at the beginning of a line: its length without the colon; 0: no header field. */
static gsize
name_length(const char *line, gsize length)
{
  gsize n = 0;
  while (n < length && line[n] > ' ' && line[n] < 127 && line[n] != ':')
    n++;
  gsize end = n;
  while (end < length && (line[end] == ' ' || line[end] == '\t'))
    end++;
  return n && end < length && line[end] == ':' ? n : 0;
}

static gboolean
is_field(const char *line, gsize name, const char *word)
{
  return strlen(word) == name && g_ascii_strncasecmp(line, word, name) == 0;
}

/* The value, on one line. */
static char *
unfolded(const char *field, gsize length)
{
  const char *colon = memchr(field, ':', length);
  char *value = g_strndup(colon + 1, length - (gsize)(colon + 1 - field));
  g_strdelimit(value, "\r\n", ' ');
  return g_strstrip(value);
}

static void
add_line(Job *job, const char *name, char *value)
{
  g_string_append_printf(job->out, "%s: %s\r\n", name, value);
  g_free(value);
}

/* An address in From that no server would take gives way to the account's; the name stays. */
static gboolean
take_from(Job *job, const char *field, gsize length, GError **error)
{
  g_autofree char *raw = unfolded(field, length);
  g_autoptr(MlAddresses) found = ml_address_parse(raw);
  const MlAddress *first = found->mailboxes->len ? g_ptr_array_index(found->mailboxes, 0) : NULL;
  if (job->from)
    return malformed(error, "The message has more than one From: it is not sent.");
  job->from = TRUE;
  gboolean whole = first && !found->broken && strchr(first->address, '@');
  if (whole || job->account->sendmail) {
    job->result->from = g_strdup(first ? first->address : "");
    job->result->several = found->mailboxes->len != 1 || found->broken;
    if (whole && found->mailboxes->len == 1 && !first->name && job->options->full_name)
      add_line(job, "From", ml_headers_write_mailbox(job->options->full_name, first->address));
    else
      g_string_append_len(job->out, field, (gssize)length);
    return TRUE;
  }
  if (!job->account->address)
    return malformed(
        error, "From has no address with a domain, and the account in signet.conf has no address = either.");
  const char *name = first && first->name ? first->name : job->options->full_name;
  job->result->from = g_strdup(job->account->address);
  add_line(job, "From", ml_headers_write_mailbox(name ? name : job->account->display_name, job->account->address));
  return TRUE;
}

static gboolean
take_field(Job *job, const char *field, gsize length, GError **error)
{
  MlSubmission *result = job->result;
  gsize name = name_length(field, length);
  if (!name)
    return malformed(error, "The header of the message has a line that is none: put an empty line before the text.");
  gboolean to = is_field(field, name, "To"), cc = is_field(field, name, "Cc"), bcc = is_field(field, name, "Bcc");
  if (to || cc || bcc) {
    g_autofree char *raw = unfolded(field, length);
    if (job->options->headers && !add_recipients(job, raw, bcc ? result->blind : result->open,
                                                 to   ? "To"
                                                 : cc ? "Cc"
                                                      : "Bcc",
                                                 error))
      return FALSE;
    if (!job->options->headers && !bcc) { /* only to know who of the command line is no secret */
      g_autoptr(MlAddresses) found = ml_address_parse(raw);
      for (guint i = 0; i < found->mailboxes->len; i++) {
        char *address = complete(job->account, ((MlAddress *)g_ptr_array_index(found->mailboxes, i))->address);
        if (address)
          g_ptr_array_add(result->open, address);
      }
    }
    job->to |= to || cc;
  }
  if (bcc || is_field(field, name, "Return-Path") || is_field(field, name, "Resent-Bcc"))
    return TRUE;
  if (is_field(field, name, "From"))
    return take_from(job, field, length, error);
  if (is_field(field, name, "Message-ID")) {
    job->message_id = TRUE;
    g_free(result->message_id);
    result->message_id = unfolded(field, length);
  }
  if (is_field(field, name, "Subject")) {
    g_autofree char *raw = unfolded(field, length);
    g_free(result->subject);
    result->subject = ml_headers_decode(raw);
  }
  job->date |= is_field(field, name, "Date");
  g_string_append_len(job->out, field, (gssize)length);
  return TRUE;
}

static gboolean
take_header(Job *job, GError **error)
{
  for (gsize at = 0, end; at < job->head_length; at = end) {
    for (end = at;;) {
      const char *newline = memchr(job->head + end, '\n', job->head_length - end);
      end = newline ? (gsize)(newline - job->head) + 1 : job->head_length;
      if (end >= job->head_length || (job->head[end] != ' ' && job->head[end] != '\t'))
        break;
    }
    if (job->head[at] == '\r' || job->head[at] == '\n')
      break;
    if (!take_field(job, job->head + at, end - at, error))
      return FALSE;
  }
  return TRUE;
}

static char *
new_message_id(const char *from)
{
  guint8 chance[12];
  const char *at = strrchr(from, '@');
  if (getrandom(chance, sizeof chance, 0) != sizeof chance)
    for (guint i = 0; i < sizeof chance; i++)
      chance[i] = (guint8)g_random_int();
  g_autoptr(GString) hex = g_string_new("<");
  for (guint i = 0; i < sizeof chance; i++)
    g_string_append_printf(hex, "%02x", chance[i]);
  g_string_append_printf(hex, "%s>", at && at[1] ? at : "@localhost");
  return g_string_free(g_steal_pointer(&hex), FALSE);
}

static gboolean
add_missing(Job *job, GError **error)
{
  MlSubmission *result = job->result;
  if (!job->from) {
    if (!job->account->address)
      return malformed(error, "The message has no From, and the account in signet.conf has no address = either.");
    const char *name = job->options->full_name ? job->options->full_name : job->account->display_name;
    result->from = g_strdup(job->account->address);
    add_line(job, "From", ml_headers_write_mailbox(name, result->from));
  }
  if (!job->to)
    add_line(job, "To", g_strdup("undisclosed-recipients:;"));
  if (!job->date)
    add_line(job, "Date", ml_headers_write_date(job->options->now, FALSE));
  if (!job->message_id) {
    result->message_id = new_message_id(result->from);
    add_line(job, "Message-ID", g_strdup(result->message_id));
  }
  return TRUE;
}

/* Who of the command line is named in To or Cc is no secret; anybody else is. With -t those in the header get it
 * too. */
static gboolean
add_arguments(Job *job, GError **error)
{
  MlSubmission *result = job->result;
  g_autoptr(GPtrArray) named = NULL;
  if (!job->options->headers) {
    named = result->open;
    result->open = g_ptr_array_new_with_free_func(g_free);
  }
  for (const char *const *word = job->options->recipients; word && *word; word++) {
    g_autoptr(GPtrArray) some = g_ptr_array_new_with_free_func(g_free);
    if (!add_recipients(job, *word, some, "the command line", error))
      return FALSE;
    for (guint i = 0; i < some->len; i++) {
      const char *address = g_ptr_array_index(some, i);
      GPtrArray *list = named && contains(named, address) ? result->open : result->blind;
      if (!contains(result->open, address) && !contains(result->blind, address))
        g_ptr_array_add(list, g_strdup(address));
    }
  }
  guint count = result->open->len + result->blind->len;
  if (!count)
    return malformed(error, job->options->headers ? "The message has no recipient: neither To, Cc nor Bcc names one."
                                                  : "Nobody is named who should get it: give addresses, or -t to take "
                                                    "those in its header.");
  return count <= RECIPIENTS || malformed(error, "The message has more than 10,000 recipients: send it in parts.");
}

/* Without a header (`echo text | sendmail a@b.example`) all of it is text. */
static gsize
header_length(const char *data, gsize length)
{
  const char *newline = memchr(data, '\n', length);
  gsize first = newline ? (gsize)(newline - data) : length;
  if (!first || (first == 1 && data[0] == '\r'))
    return 0;
  return name_length(data, first) ? ml_header_block_length(data, length) : 0;
}

MlSubmission *
ml_submission_read(GBytes *input, const MlAccount *account, const MlSubmissionOptions *options, GError **error)
{
  g_autoptr(GBytes) text = ml_lines_crlf(input);
  g_autoptr(MlSubmission) result = g_new0(MlSubmission, 1);
  gsize length;
  const char *data = g_bytes_get_data(text, &length);
  if (length > 5 && memcmp(data, "From ", 5) == 0) { /* an mbox's line */
    const char *newline = memchr(data, '\n', length);
    gsize skip = newline ? (gsize)(newline - data) + 1 : length;
    data += skip;
    length -= skip;
  }
  gsize head = header_length(data, length);
  if (head > HEADER_MAX || (head && memchr(data, '\0', head))) {
    malformed(error, "The header of the message is too large, or holds a NUL.");
    return NULL;
  }
  g_autofree char *block = g_strndup(data, head);
  g_autoptr(GString) out = g_string_new(NULL);
  result->open = g_ptr_array_new_with_free_func(g_free);
  result->blind = g_ptr_array_new_with_free_func(g_free);
  Job job = {
    .account = account, .options = options, .head = block, .head_length = head, .out = out, .result = result
  };
  if (!take_header(&job, error) || !add_missing(&job, error) || !add_arguments(&job, error))
    return NULL;
  if (!result->subject)
    result->subject = g_strdup("");
  if (ml_lines_have(text, ML_OCTETS_NUL)) {
    malformed(error, "The message holds a NUL octet, which no mail may: send the file as an attachment.");
    return NULL;
  }
  for (const char *p = options->sender; p && *p; p++)
    if (g_ascii_iscntrl(*p) || strchr("<> ", *p)) {
      malformed(error, "The sender given by -f is no address: it holds a blank, an angle bracket or a line end.");
      return NULL;
    }
  gboolean usable = options->sender && (strchr(options->sender, '@') || account->sendmail);
  result->sender = g_strdup(usable ? options->sender : result->from);
  g_string_append(out, "\r\n");
  const char *body = data + head;
  gsize body_length = length - head;
  if (!head && body_length && *body == '\n') /* it began with the empty line */
    body++, body_length--;
  else if (!head && body_length > 1 && memcmp(body, "\r\n", 2) == 0)
    body += 2, body_length -= 2;
  MlSpill *whole = ml_spill_new();
  ml_spill_add(whole, out->str, out->len);
  ml_spill_add(whole, body, body_length);
  result->bytes = ml_spill_end(whole, error);
  return result->bytes ? g_steal_pointer(&result) : NULL;
}
