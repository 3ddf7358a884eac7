/* The benchmark's peer: libcrypto, in one process. It makes the material (`make`), and does with it what signet does,
 * so that both are measured on the same messages in the same run. Not part of signet: nothing else links libcrypto. */
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH = 4096, DAYS = 30 };

static void
die(const char *what)
{
  fprintf(stderr, "peer: %s\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static void *
need(void *thing, const char *what)
{
  if (!thing)
    die(what);
  return thing;
}

static double
now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *
place(char *path, const char *folder, const char *name)
{
  snprintf(path, PATH, "%s/%s", folder, name);
  return path;
}

static BIO *
create(const char *folder, const char *name)
{
  char path[PATH];
  return need(BIO_new_file(place(path, folder, name), "wb"), path);
}

/* --- certificates */

static void
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
  X509_EXTENSION *extension = need(X509V3_EXT_conf_nid(NULL, &context, nid, value), value);
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
}

static X509 *
issue(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key, const char *address, long serial)
{
  X509 *cert = need(X509_new(), "a certificate");
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * DAYS);
  X509_set_pubkey(cert, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
  X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
  X509 *above = issuer ? issuer : cert;
  add_extension(cert, above, NID_subject_key_identifier, "hash");
  if (issuer)
    add_extension(cert, above, NID_authority_key_identifier, "keyid");
  if (!address) {
    add_extension(cert, above, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, above, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    char san[256];
    snprintf(san, sizeof san, "email:%s", address);
    add_extension(cert, above, NID_basic_constraints, "CA:FALSE");
    add_extension(cert, above, NID_key_usage, "critical,digitalSignature,keyEncipherment");
    add_extension(cert, above, NID_ext_key_usage, "emailProtection");
    add_extension(cert, above, NID_subject_alt_name, san);
  }
  if (!X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()))
    die("signing a certificate");
  return cert;
}

typedef struct {
  EVP_PKEY *key;
  X509 *root, *authority, *cert;
  STACK_OF(X509) * between;
} Identity;

static Identity
make_identity(const char *folder)
{
  Identity who = { .key = need(EVP_RSA_gen(2048), "a key"), .between = sk_X509_new_null() };
  EVP_PKEY *root_key = need(EVP_RSA_gen(2048), "a key"), *authority_key = need(EVP_RSA_gen(2048), "a key");
  who.root = issue(root_key, "Bench root", NULL, NULL, NULL, 1);
  who.authority = issue(authority_key, "Bench authority", who.root, root_key, NULL, 2);
  who.cert = issue(who.key, "Alice Bench", who.authority, authority_key, "alice@example.org", 3);
  sk_X509_push(who.between, who.authority);
  BIO *out = create(folder, "root.pem");
  PEM_write_bio_X509(out, who.root);
  BIO_free(out);
  out = create(folder, "alice.pem");
  PEM_write_bio_X509(out, who.cert);
  BIO_free(out);
  out = create(folder, "alice.key");
  PEM_write_bio_PrivateKey(out, who.key, NULL, NULL, 0, NULL, NULL);
  BIO_free(out);
  PKCS12 *bag = need(PKCS12_create("bench", "Alice", who.key, who.cert, who.between, 0, 0, 2048, 2048, 0), "PKCS#12");
  out = create(folder, "alice.p12");
  i2d_PKCS12_bio(out, bag);
  BIO_free(out);
  PKCS12_free(bag);
  out = create(folder, "password");
  BIO_puts(out, "bench\n");
  BIO_free(out);
  return who;
}

/* --- messages */

static void
put_header(BIO *out, int number)
{
  BIO_printf(out,
             "From: Alice Bench <alice@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: Message %d\r\n"
             "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%d@example.org>\r\n",
             number, number);
}

static BIO *
text_of(int number)
{
  BIO *text = BIO_new(BIO_s_mem());
  BIO_puts(text, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
  for (int line = 0; line < 20; line++)
    BIO_printf(text, "Line %d of message %d, which is like no other message: %d.\r\n", line, number,
               number * 7919 + line);
  return text;
}

static void
make_small(const char *folder, const Identity *who, int count)
{
  char path[PATH], name[32];
  mkdir(place(path, folder, "signed"), 0700);
  mkdir(place(path, folder, "encrypted"), 0700);
  STACK_OF(X509) *to = sk_X509_new_null();
  sk_X509_push(to, who->cert);
  for (int i = 0; i < count; i++) {
    snprintf(name, sizeof name, "signed/%05d", i);
    BIO *text = text_of(i), *out = create(folder, name);
    int flags = CMS_DETACHED | CMS_STREAM | CMS_BINARY | CMS_CRLFEOL;
    CMS_ContentInfo *cms = need(CMS_sign(who->cert, who->key, who->between, text, flags), "signing");
    put_header(out, i);
    if (!SMIME_write_CMS(out, cms, text, flags))
      die("writing");
    CMS_ContentInfo_free(cms);
    BIO_free(text);
    BIO_free(out);
    snprintf(name, sizeof name, "encrypted/%05d", i);
    text = text_of(i);
    out = create(folder, name);
    cms = need(CMS_encrypt(to, text, EVP_aes_256_cbc(), CMS_STREAM | CMS_BINARY), "encrypting");
    put_header(out, i);
    if (!SMIME_write_CMS(out, cms, text, CMS_STREAM | CMS_BINARY))
      die("writing");
    CMS_ContentInfo_free(cms);
    BIO_free(text);
    BIO_free(out);
  }
  sk_X509_free(to);
}

/* A part of @size octets, made as it is read: an attachment in base64. */
static BIO *
large_text(const char *folder, size_t size)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char path[PATH], line[79];
  FILE *file = need(fopen(place(path, folder, "large"), "wb"), path);
  size_t written = (size_t)fprintf(file, "Content-Type: application/octet-stream; name=large.bin\r\n"
                                         "Content-Transfer-Encoding: base64\r\n\r\n");
  unsigned long state = 2026;
  for (; written + 78 <= size; written += 78) {
    for (int i = 0; i < 76; i++) {
      state = state * 6364136223846793005UL + 1442695040888963407UL;
      line[i] = digits[state >> 58];
    }
    memcpy(line + 76, "\r\n", 3);
    fwrite(line, 1, 78, file);
  }
  if (fclose(file) != 0)
    die(path);
  return need(BIO_new_file(path, "rb"), path);
}

static void
write_large(const char *folder, const char *name, CMS_ContentInfo *cms, BIO *text, int flags)
{
  BIO *out = create(folder, name);
  put_header(out, 0);
  if (!cms || !SMIME_write_CMS(out, cms, text, flags))
    die(name);
  CMS_ContentInfo_free(cms);
  BIO_free(text);
  BIO_free(out);
}

/* The same without base64: what is left is the decryption. */
static void
write_binary(const char *folder, const char *name, CMS_ContentInfo *cms, BIO *text, int flags)
{
  BIO *out = create(folder, name);
  put_header(out, 0);
  BIO_puts(out, "MIME-Version: 1.0\r\n"
                "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n"
                "Content-Transfer-Encoding: binary\r\n\r\n");
  if (!cms || !i2d_CMS_bio_stream(out, cms, text, flags))
    die(name);
  CMS_ContentInfo_free(cms);
  BIO_free(text);
  BIO_free(out);
}

static void
make_large(const char *folder, const Identity *who, size_t size)
{
  STACK_OF(X509) *to = sk_X509_new_null();
  sk_X509_push(to, who->cert);
  int stream = CMS_STREAM | CMS_BINARY;
  BIO *text = large_text(folder, size);
  write_large(folder, "large-cbc", CMS_encrypt(to, text, EVP_aes_256_cbc(), stream), text, stream);
  text = large_text(folder, size);
  write_binary(folder, "large-binary", CMS_encrypt(to, text, EVP_aes_256_cbc(), stream), text, stream);
  text = large_text(folder, size);
  write_large(folder, "large-gcm", CMS_encrypt(to, text, EVP_aes_256_gcm(), stream), text, stream);
  text = large_text(folder, size);
  int detached = stream | CMS_DETACHED;
  write_large(folder, "large-signed", CMS_sign(who->cert, who->key, who->between, text, detached), text, detached);
  text = large_text(folder, size);
  write_large(folder, "large-opaque", CMS_sign(who->cert, who->key, who->between, text, stream), text, stream);
  sk_X509_free(to);
}

static int
make(const char *folder, int count, size_t size)
{
  mkdir(folder, 0700);
  Identity who = make_identity(folder);
  make_small(folder, &who, count);
  make_large(folder, &who, size);
  return 0;
}

/* --- the same work */

static int
verify(const char *folder, int count)
{
  char path[PATH], name[32];
  double start = now();
  X509_STORE *store = X509_STORE_new();
  X509_STORE_load_locations(store, place(path, folder, "root.pem"), NULL);
  X509_VERIFY_PARAM *parameters = X509_VERIFY_PARAM_new();
  X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SMIME_SIGN);
  X509_STORE_set1_param(store, parameters);
  int good = 0;
  for (int i = 0; i < count; i++) {
    snprintf(name, sizeof name, "signed/%05d", i);
    BIO *in = need(BIO_new_file(place(path, folder, name), "rb"), path), *content = NULL, *out = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = SMIME_read_CMS(in, &content);
    good += cms && CMS_verify(cms, NULL, store, content, out, CMS_BINARY) == 1;
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(content);
    BIO_free(out);
  }
  printf("%.6f %d\n", now() - start, good);
  return good == count ? 0 : 1;
}

/* Runs a command and prints its wall and CPU seconds, its peak RSS in KiB and its exit code. A parent that is small
 * itself: the kernel lets a child's peak begin with its parent's. */
static int
timed(char **argv)
{
  double start = now();
  pid_t child = fork();
  if (child == 0) {
    execvp(argv[0], argv);
    _exit(127);
  }
  int status = 0;
  struct rusage usage;
  if (child < 0 || wait4(child, &status, 0, &usage) != child)
    die("wait4");
  double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  fprintf(stderr, "\ntimed %.6f %.6f %ld %d\n", now() - start, cpu, usage.ru_maxrss,
          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 0;
}

int
main(int argc, char **argv)
{
  if (argc == 5 && strcmp(argv[1], "make") == 0)
    return make(argv[2], (int)strtol(argv[3], NULL, 10), (size_t)strtol(argv[4], NULL, 10));
  if (argc == 4 && strcmp(argv[1], "verify") == 0)
    return verify(argv[2], (int)strtol(argv[3], NULL, 10));
  if (argc > 2 && strcmp(argv[1], "timed") == 0)
    return timed(argv + 2);
  fprintf(stderr, "peer make FOLDER COUNT SIZE | peer verify FOLDER COUNT | peer timed COMMAND ...\n");
  return 2;
}
