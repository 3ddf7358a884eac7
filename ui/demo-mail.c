#include "ui/demo-private.h"

#include <string.h>

/* Small pieces of MIME, all CRLF. An entity is a Content-Type header and what follows; NULL passes through, so that
 * the first failure empties everything after it. */
static char *
text_entity(const char *type, const char *body)
{
  g_auto(GStrv) lines = g_strsplit(body, "\n", -1);
  g_autofree char *crlf = g_strjoinv("\r\n", lines);

  return g_strdup_printf("Content-Type: %s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n%s\r\n", type, crlf);
}

static char *
plain(const char *body)
{
  return text_entity("text/plain; charset=utf-8", body);
}

static char *
base64_lines(gconstpointer data, gsize length)
{
  g_autofree char *all = g_base64_encode(data, length);
  GString *out = g_string_sized_new(strlen(all) * 80 / 76 + 4);

  for (const char *p = all; *p; p += MIN(strlen(p), 76)) {
    g_string_append_len(out, p, (gssize)MIN(strlen(p), 76));
    g_string_append(out, "\r\n");
  }
  return g_string_free(out, FALSE);
}

/* Parts that are given (taken), under one multipart. */
static char *
multipart(UiDemo *demo, const char *subtype, char *first, char *second)
{
  g_autofree char *a = first, *b = second;
  static guint boundaries;
  guint n = ++boundaries;

  if (!a || !b)
    return NULL;
  return g_strdup_printf("Content-Type: multipart/%s; boundary=\"demo-boundary-%u\"\r\n\r\n--demo-boundary-%u\r\n%s\r\n"
                         "--demo-boundary-%u\r\n%s\r\n--demo-boundary-%u--\r\n",
                         subtype, n, n, a, n, b, n);
}

static char *
base64_entity(const char *headers, GBytes *content)
{
  gsize length;
  gconstpointer data = g_bytes_get_data(content, &length);
  g_autofree char *lines = base64_lines(data, length);

  return g_strdup_printf("%sContent-Transfer-Encoding: base64\r\n\r\n%s", headers, lines);
}

static GBytes *
sign_bytes(UiDemo *demo, const char *entity, CryptoCert *signer, gint64 signing_time, gboolean detached, gboolean pss)
{
  g_autoptr(GPtrArray) chain = g_ptr_array_new();
  g_autoptr(GBytes) content = g_bytes_new(entity, strlen(entity));
  const CryptoSignOptions options = { .signing_time = signing_time, .pss = pss, .detached = detached, .chain = chain };

  g_ptr_array_add(chain, demo->mail_ca);
  return crypto_cms_sign(content, signer, &options, NULL, &demo->error);
}

typedef struct {
  CryptoCert *signer;
  gint64 signing_time; /* 0: before any of the mails came */
  gboolean opaque, pss;
  const char *change_from, *change_to; /* altered after signing */
} Signing;

/* multipart/signed, or opaque application/pkcs7-mime, over @entity (taken). */
static char *
sign(UiDemo *demo, char *entity, const Signing *how)
{
  g_autofree char *inner = entity;

  if (!inner || demo->error)
    return NULL;
  g_autoptr(GBytes) cms = sign_bytes(demo, inner, how->signer, how->signing_time ? how->signing_time : demo->now - 75 * 3600,
                                     !how->opaque, how->pss);
  if (!cms)
    return NULL;
  if (how->opaque)
    return base64_entity("Content-Type: application/pkcs7-mime; smime-type=signed-data; name=\"smime.p7m\"\r\n"
                         "Content-Disposition: attachment; filename=\"smime.p7m\"\r\n", cms);
  char *signature = base64_entity("Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"
                                  "Content-Disposition: attachment; filename=\"smime.p7s\"\r\n", cms);
  if (how->change_from) {
    g_auto(GStrv) pieces = g_strsplit(inner, how->change_from, 2);
    g_free(inner);
    inner = g_strjoinv(how->change_to, pieces);
  }
  return multipart(demo, "signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256", g_steal_pointer(&inner),
                   signature);
}

static char *
sign_by(UiDemo *demo, char *entity, CryptoCert *signer)
{
  return sign(demo, entity, &(Signing){ .signer = signer });
}

static char *
encrypt(UiDemo *demo, char *entity, CryptoCert *to, CryptoCipher cipher, gboolean oaep)
{
  g_autofree char *inner = entity;
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();

  if (!inner || demo->error)
    return NULL;
  g_ptr_array_add(recipients, to);
  g_autoptr(GBytes) content = g_bytes_new(inner, strlen(inner));
  g_autoptr(GBytes) cms = crypto_cms_encrypt(content, recipients, cipher, oaep, &demo->error);
  if (!cms)
    return NULL;
  gboolean gcm = cipher == CRYPTO_CIPHER_AES128_GCM || cipher == CRYPTO_CIPHER_AES256_GCM;
  g_autofree char *headers =
      g_strdup_printf("Content-Type: application/pkcs7-mime; smime-type=%s; name=\"smime.p7m\"\r\n"
                      "Content-Disposition: attachment; filename=\"smime.p7m\"\r\n",
                      gcm ? "authEnveloped-data" : "enveloped-data");
  return base64_entity(headers, cms);
}

static UiDemoMail
mail(const char *from, const char *subject, const char *flags, guint hours)
{
  return (UiDemoMail){ .from = from, .subject = subject, .headers = "", .flags = flags, .hours = hours };
}

#define ANNA "Anna Keller <anna@demo.example>"
#define CAROL "Carol Mwangi <carol@demo.example>"
#define ACCOUNTS "Accounts Payable <accounts@demo.example>"
#define OPS "deploy@ci.demo.example"

static void
deliver(UiDemo *demo, UiDemoMail what, char *entity)
{
  ui_demo_deliver(demo, &what, entity);
}

static void
write_signed(UiDemo *demo)
{
  deliver(
      demo, mail(ANNA, "Contract, second draft", "S", 4),
      sign_by(
          demo,
          plain("Hello,\n\nthe second draft is as we agreed on the phone. Please read section 4 once more:\n"
                "the delivery date moved to March.\n\nAnna"),
          demo->anna));
  deliver(
      demo, mail(CAROL, "Minutes of Thursday (signed with an elliptic-curve key)", "S", 7),
      sign_by(
          demo,
          plain(
              "Minutes are below. Present: Anna, Carol, you.\n\n1. Budget: approved.\n2. Travel: postponed."),
          demo->carol));
  deliver(
      demo, mail(ANNA, "Opaque signature: nothing to see without S/MIME", "S", 30),
      sign(demo,
           plain(
               "Signed as one block (application/pkcs7-mime). Clients without S/MIME cannot show this text."),
           &(Signing){ .signer = demo->anna, .opaque = TRUE }));
  deliver(demo, mail(ANNA, "Signed with RSA-PSS", "S", 31),
          sign(demo, plain("The newer padding of RSA signatures."), &(Signing){ .signer = demo->anna, .pss = TRUE }));
  deliver(demo, mail(ACCOUNTS, "Invoice 4711: pay 1,200.00", "", 2),
          sign(demo, plain("Please pay 1,200.00 to the account you know.\n\nAccounts Payable"),
               &(Signing){ .signer = demo->accounts, .change_from = "to the account you know",
                           .change_to = "to account DE99 0000 1234 today" }));
  deliver(
      demo, mail(ACCOUNTS, "Urgent: new bank details", "", 1),
      sign_by(
          demo,
          plain("Dear colleague,\n\nour bank details have changed. Use only the new account from today.\n\n"
                "Accounts Payable"),
          demo->mallory));
  deliver(demo, mail("A Stranger <stranger@far.example>", "You do not know my authority", "S", 50),
          sign_by(demo, plain("My certificate comes from an authority that you have never heard of."), demo->stranger));
  deliver(demo, mail("Hermit <hermit@cave.example>", "I vouch for myself", "S", 52),
          sign_by(demo, plain("Self-signed: anybody could have made this certificate."), demo->hermit));
  deliver(demo, mail("Erin Stolen-Laptop <erin@demo.example>", "Hello from my laptop", "", 3),
          sign_by(demo, plain("This key was revoked after the laptop was stolen."), demo->erin));
  deliver(demo,
          mail("Oskar Retired <oskar@demo.example>", "An old letter, its certificate expired since", "S",
               24 * 200),
          sign(demo, plain("When this arrived, the certificate was valid. It still counts, with a note."),
               &(Signing){ .signer = demo->oskar, .signing_time = demo->now - (gint64)200 * UI_DEMO_DAY }));
  deliver(demo, mail("Oskar Retired <oskar@demo.example>", "Signed after its certificate had expired", "S", 60),
          sign_by(demo, plain("This one does not count: the certificate had ended before."), demo->oskar));
  deliver(demo, mail("Wendy Weak <wendy@demo.example>", "A key of 1024 bits", "S", 62),
          sign_by(demo, plain("Intact, but the key is too short to prove anything today."), demo->wendy));
  deliver(demo, mail("Announcements <announce@lists.demo.example>", "[all] Office closed on Friday", "S", 70),
          multipart(demo, "mixed",
                    sign_by(demo, plain("The office is closed on Friday.\n\nAnna"), demo->anna),
                    plain("_______________________________________________\nall mailing list: this footer is "
                          "signed by nobody")));
}

static void
write_encrypted(UiDemo *demo)
{
  deliver(demo, mail(ANNA, "Encrypted: AES-256-CBC", "S", 9),
          encrypt(demo,
                  plain("Only you can read this. But nobody has signed it:\nanybody could have written it."),
                  demo->you, CRYPTO_CIPHER_AES256_CBC, FALSE));
  deliver(demo, mail(ANNA, "Encrypted: AES-256-GCM", "S", 10),
          encrypt(demo, plain("Protected against change, too (AuthEnvelopedData)."), demo->you,
                  CRYPTO_CIPHER_AES256_GCM, FALSE));
  deliver(demo, mail(ANNA, "Encrypted: RSA-OAEP", "S", 11),
          encrypt(demo, plain("The newer padding of RSA encryption."), demo->you, CRYPTO_CIPHER_AES256_CBC, TRUE));
  deliver(demo, mail(CAROL, "Encrypted to your elliptic-curve key", "S", 12),
          encrypt(demo, plain("ECDH on P-256, AES key wrap."), demo->you_ec, CRYPTO_CIPHER_AES256_GCM, FALSE));
  deliver(demo, mail("Old Printer <printer@demo.example>", "Encrypted by something old: 3DES", "S", 80),
          encrypt(demo, plain("Scanned page 1 of 1."), demo->you, CRYPTO_CIPHER_3DES_CBC, FALSE));
  deliver(demo, mail(ANNA, "This was for Dave", "S", 81),
          encrypt(demo, plain("You cannot read this."), demo->dave, CRYPTO_CIPHER_AES256_CBC, FALSE));
  deliver(
      demo, mail(ANNA, "Budget 2027, signed and encrypted", "FS", 5),
      encrypt(
          demo,
          sign_by(
              demo,
              plain("The figures for 2027 are these.\n\n  travel     12,000\n  machines   48,500\n\nAnna"),
              demo->anna),
          demo->you, CRYPTO_CIPHER_AES256_CBC, FALSE));
  deliver(demo, mail(CAROL, "Triple-wrapped: signed, encrypted, signed again", "S", 82),
          sign_by(demo,
                  encrypt(demo, sign_by(demo, plain("As armies and some gateways do it."), demo->carol),
                          demo->you, CRYPTO_CIPHER_AES256_CBC, FALSE),
                  demo->carol));
}

static char *
html_letter(void)
{
  return text_entity("text/html; charset=utf-8",
                     "<html><body><h1>Quarterly letter</h1><p>Dear reader,</p><p>our <b>new page</b> is "
                     "<a href=\"https://www.demo.example/q3?id=1\">here</a>, the archive is "
                     "<a href=\"https://www.demo.example/archive\">there</a>.</p>"
                     "<ul><li>first point</li><li>second point</li></ul>"
                     "<table><tr><td>North</td><td>12</td></tr><tr><td>South</td><td>9</td></tr></table>"
                     "<img src=\"https://tracker.demo.example/seen.gif\" alt=\"logo\"></body></html>");
}

static void
write_plain(UiDemo *demo)
{
  static const char letter[] = "A,B\r\n1,2\r\n";
  g_autoptr(GBytes) csv = g_bytes_new_static(letter, sizeof letter - 1);
  UiDemoMail first = mail(ANNA, "Lunch on Wednesday?", "S", 21);
  UiDemoMail answer = mail(CAROL, "Re: Lunch on Wednesday?", "S", 20);
  UiDemoMail second = mail(ANNA, "Re: Lunch on Wednesday?", "S", 19);

  deliver(demo, mail("signet <signet@demo.example>", "Welcome: start here", "", 0),
          plain("This mailbox is a demonstration. Everything in it was made a moment ago,\n"
                "by an authority and keys that are thrown away when you leave.\n\n"
                "  Enter   open a message          J, K    next and previous message\n"
                "  V       what exactly was signed, by whom, and which rule failed\n"
                "  I       install the sender's certificate\n"
                "  v       parts and attachments   ?       all keys\n"
                "  q       back, and out\n\n"
                "Look at \"Urgent: new bank details\" first: it is signed, and the\nsignature is valid.\n\n"
                "The rows above each message are ours: no mail can write there."));
  deliver(demo, mail("Newsletter <news@demo.example>", "HTML only, with links and a tracker", "S", 90), html_letter());
  deliver(demo, mail("Newsletter <news@demo.example>", "The same letter as text and HTML", "S", 91),
          multipart(demo, "alternative",
                    plain("Quarterly letter\n\nthe plain version is the one that is shown."), html_letter()));
  deliver(demo, mail(OPS, "build 8841 passed, report attached", "", 6),
          multipart(demo, "mixed", plain("All 2,114 tests passed. The report is attached."),
                    base64_entity("Content-Type: text/csv; name=\"report 8841.csv\"\r\n"
                                  "Content-Disposition: attachment; filename=\"report 8841.csv\"\r\n", csv)));
  first.id = "lunch-1";
  deliver(demo, first, plain("Shall we? Anna"));
  answer.id = "lunch-2";
  answer.headers = "In-Reply-To: <lunch-1@demo.example>\r\nReferences: <lunch-1@demo.example>\r\n";
  deliver(demo, answer, plain("> Shall we? Anna\n\nYes, at twelve. Carol"));
  second.headers =
      "In-Reply-To: <lunch-2@demo.example>\r\nReferences: <lunch-1@demo.example> <lunch-2@demo.example>\r\n";
  deliver(demo, second, plain("> Yes, at twelve. Carol\n\nGood. Anna"));
  deliver(demo, mail("=?utf-8?B?5bGx55Sw5aSq6YOO?= <taro@demo.example>",
                     "=?utf-8?B?5Lya6K2w44Gu6LOH5paZ44Gr44Gk44GE44Gm?=", "S", 100),
          plain("\xe5\xb1\xb1\xe7\x94\xb0\xe3\x81\xa7\xe3\x81\x99\xe3\x80\x82\xe4\xbc\x9a\xe8\xad\xb0\xe3\x81\xae"
                "\xe8\xb3\x87\xe6\x96\x99\xe3\x82\x92\xe9\x80\x81\xe3\x82\x8a\xe3\x81\xbe\xe3\x81\x99\xe3\x80\x82"));
  deliver(demo,
          mail("=?utf-8?B?2YHYp9i32YXYqQ==?= <fatima@demo.example>",
               "=?utf-8?B?2YXYsdit2KjYpyDYqNmD2YU=?=", "S", 101),
          plain("\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7 \xd8\xa8\xd9\x83\xd9\x85"));
  deliver(demo,
          mail("Party Committee <party@demo.example>",
               "=?utf-8?B?8J+OiSBQYXJ0eSBvbiBGcmlkYXkg8J+OiA==?=", "S", 102),
          plain("\xf0\x9f\x8d\xb0 cake, \xf0\x9f\x8e\xb5 music, caf\xc3\xa9 au lait"));
  deliver(demo, mail("Prankster <prank@demo.example>",
                     "=?utf-8?B?G1syShtbMTsxSBtbMzJtU0lHTkVEG10wO293bmVkB+KArmdwai5leGU=?=", "S", 103),
          plain("The Subject of this mail clears screens and turns text around in other programs."));
  deliver(demo, mail("Prankster <prank@demo.example>", "A painted seal", "S", 104),
          plain(" SIGNED by accounts@demo.example, certified by Demo Mail Authority\n"
                "-------------------------------------------------------------------------------\n"
                "  From: Accounts Payable <accounts@demo.example>\n"
                "| Everything here only looks like the rows that signet draws.\n"
                "| It stands in the body: it has no row of its own and no bar beside it.\n"
                "[-- S/MIME signature: VALID --]"));
}

static void
write_forwarded(UiDemo *demo)
{
  g_autofree char *signed_entity =
      sign_by(demo, plain("I hereby approve the purchase. Carol"), demo->carol);

  if (!signed_entity)
    return;
  char *inner = g_strdup_printf("Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n"
                                "From: " CAROL "\r\nTo: " ANNA "\r\nSubject: Purchase approved\r\n"
                                "Date: Mon, 02 Nov 2026 09:00:00 +0000\r\nMessage-ID: <approved@demo.example>\r\n"
                                "MIME-Version: 1.0\r\n%s",
                                signed_entity);
  deliver(demo, mail(ANNA, "Fwd: Purchase approved (open the part with v: it has its own verdict)", "S", 8),
          multipart(demo, "mixed", plain("See below. My own words here are signed by nobody.\n\nAnna"), inner));
}

void
ui_demo_write_mail(UiDemo *demo)
{
  write_signed(demo);
  write_encrypted(demo);
  write_plain(demo);
  write_forwarded(demo);
}
