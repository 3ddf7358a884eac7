#include <string.h>

#include "mail/smtp-private.h"

/* RFC 5321 4.5.3.1.5 allows 512 octets a line; real servers are more talkative. */
enum { LINE_OCTETS = 4096, REPLY_LINES = 200, WORDS_OCTETS = 1000 };

struct MlReplies {
  GByteArray *data;
  gsize at; /* of the first byte not read yet */
  MlReply reply;
  gboolean open; /* a reply has begun */
};

MlReplies *
ml_replies_new(void)
{
  MlReplies *replies = g_new0(MlReplies, 1);
  replies->data = g_byte_array_new();
  replies->reply.lines = g_ptr_array_new_with_free_func(g_free);
  replies->reply.words = g_strdup("");
  return replies;
}

void
ml_replies_free(MlReplies *replies)
{
  if (!replies)
    return;
  g_byte_array_unref(replies->data);
  g_ptr_array_unref(replies->reply.lines);
  g_free(replies->reply.words);
  g_free(replies);
}

void
ml_replies_feed(MlReplies *replies, const void *data, gsize length)
{
  if (replies->at) {
    g_byte_array_remove_range(replies->data, 0, (guint)replies->at);
    replies->at = 0;
  }
  g_byte_array_append(replies->data, data, (guint)length);
}

gboolean
ml_replies_is_empty(const MlReplies *replies)
{
  return replies->at == replies->data->len && !replies->open;
}

static gboolean
refuse(GError **error, const char *what)
{
  g_set_error(error, ML_ERROR, ML_ERROR_PROTOCOL,
              "The mail server broke the rules of SMTP: %s. The connection was closed.", what);
  return FALSE;
}

/* One line, without its end. */
static gboolean
take_line(MlReplies *replies, const char *line, gsize length, gboolean *last, GError **error)
{
  MlReply *reply = &replies->reply;
  gboolean digits = length >= 3;
  for (gsize i = 0; digits && i < 3; i++)
    digits = g_ascii_isdigit(line[i]);
  guint code = digits ? (guint)((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0')) : 0;
  if (code < 200 || code > 599 || (length > 3 && line[3] != ' ' && line[3] != '-'))
    return refuse(error, "a reply does not begin with a code");
  if (!replies->open) {
    g_ptr_array_set_size(reply->lines, 0);
    reply->code = code;
    replies->open = TRUE;
  }
  if (code != reply->code)
    return refuse(error, "a reply changes its code");
  if (reply->lines->len == REPLY_LINES)
    return refuse(error, "a reply does not end");
  g_ptr_array_add(reply->lines, length > 4 ? g_utf8_make_valid(line + 4, (gssize)length - 4) : g_strdup(""));
  *last = length <= 3 || line[3] == ' ';
  return TRUE;
}

/* "550-5.1.1 No such" "550 5.1.1 user": the status code (RFC 2034) once, the words one after the other. */
static char *
join(const MlReply *reply)
{
  GString *words = g_string_new(NULL);
  g_string_append_printf(words, "%u", reply->code);
  gsize status = 0;
  for (guint i = 0; i < reply->lines->len && words->len < WORDS_OCTETS; i++) {
    const char *line = g_ptr_array_index(reply->lines, i);
    if (i == 0 && strspn(line, "0123456789.") >= 5)
      status = strspn(line, "0123456789.") + 1;
    else if (status && strlen(line) >= status &&
             strncmp(line, g_ptr_array_index(reply->lines, 0), status) == 0)
      line += status;
    if (*line)
      g_string_append_printf(words, " %s", line);
  }
  if (words->len > WORDS_OCTETS)
    g_string_truncate(words, (gsize)(g_utf8_find_prev_char(words->str, words->str + WORDS_OCTETS) - words->str));
  for (char *p = words->str; *p; p++)
    if (g_ascii_iscntrl(*p))
      *p = ' ';
  return g_string_free(words, FALSE);
}

const MlReply *
ml_replies_next(MlReplies *replies, GError **error)
{
  for (;;) {
    const char *line = (const char *)replies->data->data + replies->at;
    gsize left = replies->data->len - replies->at;
    const char *newline = left ? memchr(line, '\n', left) : NULL;
    gsize length = newline ? (gsize)(newline - line) : left;
    gboolean last = FALSE;
    if (length > LINE_OCTETS) {
      refuse(error, "a line does not end");
      return NULL;
    }
    if (!newline)
      return NULL;
    replies->at += length + 1;
    if (length && line[length - 1] == '\r')
      length--;
    if (memchr(line, '\0', length) || !take_line(replies, line, length, &last, error)) {
      if (error && !*error)
        refuse(error, "a reply holds a NUL");
      return NULL;
    }
    if (last) {
      replies->open = FALSE;
      g_free(replies->reply.words);
      replies->reply.words = join(&replies->reply);
      return &replies->reply;
    }
  }
}
