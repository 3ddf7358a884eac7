#include <gio/gio.h>
#include <string.h>

#include "mail/fetch.h"

/* Where a fetch may be led to: a server of HTTP on loopback sends from /from to 127.0.0.1, which nobody listed. */
static guint16 port;
static GSocketService *service;

static gboolean
on_connection(GThreadedSocketService *self, GSocketConnection *connection, GObject *source, gpointer data)
{
  char request[4096] = "";
  GInputStream *in = g_io_stream_get_input_stream(G_IO_STREAM(connection));
  for (gsize used = 0; used < sizeof request - 1 && !strstr(request, "\r\n\r\n");) {
    gssize got = g_input_stream_read(in, request + used, sizeof request - 1 - used, NULL, NULL);
    if (got <= 0)
      return TRUE;
    used += (gsize)got;
  }
  g_autofree char *moved = g_strdup_printf("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/there\r\n"
                                           "Content-Length: 0\r\nConnection: close\r\n\r\n", port);
  const char *answer = g_str_has_prefix(request, "GET /from ") ? moved
                                                              : "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
                                                                "Connection: close\r\n\r\nthere";
  g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)), answer, strlen(answer), NULL, NULL,
                            NULL);
  return TRUE;
}

static gboolean
fetched(const char *path, gboolean vouched, const char *internal, GError **error)
{
  g_autofree char *url = g_strdup_printf("http://localhost:%u%s", port, path);
  const CryptoAsk ask = { CRYPTO_ASK_ISSUER, url, NULL, 1000, vouched };
  g_autoptr(GBytes) bytes = ml_fetch(&ask, internal, NULL, error);
  g_assert_true(!bytes || g_bytes_get_size(bytes) == 5);
  return bytes != NULL;
}

static void
test_redirect(void)
{
  g_autoptr(GError) error = NULL;
  g_assert_true(fetched("/there", FALSE, "localhost", &error));
  g_assert_no_error(error);
  g_assert_false(fetched("/there", FALSE, NULL, NULL));
  g_assert_true(fetched("/from", TRUE, NULL, &error)); /* who named it is trusted, and it was inside already */
  g_assert_no_error(error);
  g_assert_true(fetched("/from", FALSE, "localhost 127.0.0.1", &error)); /* both are listed */
  g_assert_no_error(error);
  g_assert_false(fetched("/from", FALSE, "localhost", &error)); /* one that is listed does not list another */
  g_assert_nonnull(error);
  g_assert_nonnull(strstr(error->message, "internal-hosts"));
}

/* No proxy of the environment stands between the guard and the address. */
static void
test_proxy(void)
{
  static const char *const names[] = { "http_proxy", "all_proxy", "ALL_PROXY" };
  g_autoptr(GError) error = NULL;
  g_unsetenv("no_proxy");
  g_unsetenv("NO_PROXY");
  for (guint i = 0; i < G_N_ELEMENTS(names); i++)
    g_setenv(names[i], "http://127.0.0.1:1", TRUE);
  g_assert_true(fetched("/there", FALSE, "localhost", &error));
  g_assert_no_error(error);
  for (guint i = 0; i < G_N_ELEMENTS(names); i++)
    g_unsetenv(names[i]);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  service = g_threaded_socket_service_new(4);
  g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
  g_autoptr(GSocketAddress) address = g_inet_socket_address_new(loopback, 0);
  g_autoptr(GSocketAddress) bound = NULL;
  g_assert_true(g_socket_listener_add_address(G_SOCKET_LISTENER(service), address, G_SOCKET_TYPE_STREAM,
                                              G_SOCKET_PROTOCOL_TCP, NULL, &bound, NULL));
  port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
  g_signal_connect(service, "run", G_CALLBACK(on_connection), NULL);
  g_autoptr(GMainContext) context = g_main_context_ref_thread_default();
  g_autoptr(GMainLoop) loop = g_main_loop_new(context, FALSE);
  GThread *thread = g_thread_new("server", (GThreadFunc)(void (*)(void))g_main_loop_run, loop);
  g_test_add_func("/fetch/redirect", test_redirect);
  g_test_add_func("/fetch/proxy", test_proxy);
  int code = g_test_run();
  g_main_loop_quit(loop);
  g_thread_join(thread);
  g_socket_service_stop(service);
  g_socket_listener_close(G_SOCKET_LISTENER(service));
  g_object_unref(service);
  return code;
}
