"""How signet and each peer is started on a mailbox of the lab, which keys it has, and where its caches lie."""
import os, shutil, subprocess

OPENSSL = '''
set smime_default_key="alice.0" smime_sign_as="alice.0"
set smime_ca_location="{s}/ca.pem" smime_certificates="{h}/smime/certificates" smime_keys="{h}/smime/keys"
set smime_pk7out_command="openssl smime -verify -in %f -noverify -pk7out"
set smime_get_cert_command="openssl pkcs7 -print_certs -in %f"
set smime_get_signer_cert_command="openssl smime -verify -in %f -noverify -signer %c -out /dev/null"
set smime_get_cert_email_command="openssl x509 -in %f -noout -email"
set smime_verify_command="openssl smime -verify -inform DER -in %s %C -content %f"
set smime_verify_opaque_command="openssl smime -verify -inform DER -in %s %C || openssl smime -verify -inform DER -in %s -noverify 2>/dev/null"
'''


class Client:
    """One program, set up one way; @mode is what the table calls it. @warm: its caches stay between two starts."""
    program = closes = None

    def __init__(self, lab, name, mode, warm=False, crypto=None, port=None, qresync=False, local=False):
        self.lab, self.name, self.mode, self.warm, self.crypto = lab, name, mode, warm, crypto
        self.port, self.qresync, self.local = port or lab.port, qresync, local
        self.home = f"{lab.dir}/home/{name}-{mode.replace(' ', '-')}-{crypto}-{'l' if local else 'i'}-{self.port}"
        os.makedirs(self.home + "/tmp", exist_ok=True)
        self.set_up()

    def set_up(self):
        pass

    def write(self, name, text):
        path = f"{self.home}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
            f.write(text)

    def wipe(self):
        for folder in ("hcache", "bcache", "cache"):
            shutil.rmtree(f"{self.home}/{folder}", ignore_errors=True)

    def env(self):
        return dict(HOME=self.home, TERM="tmux-256color", LC_ALL="C.UTF-8", PATH="/usr/bin:/bin", TMPDIR=self.home + "/tmp",
                    SSL_CERT_FILE=self.lab.ca, XDG_CONFIG_HOME=self.home + "/.config", XDG_CACHE_HOME=self.home + "/cache",
                    XDG_RUNTIME_DIR=self.home + "/tmp", MAIL="/dev/null")

    def hook(self, app, text):
        """Called at each look at the screen until it is ready."""

    def leave(self, app):
        app.key("q")


class Mutt(Client):
    """mutt and neomutt."""
    keys = dict(first="=", last="*", page="NPage", up="k", open="Enter", close="i")
    status = "successfully verified"
    shown = 26

    def argv(self, box):
        h, s, lab = self.home, self.lab.smime, self.lab
        url = f"imaps://{lab.user}@localhost:{self.port}/"
        rc = f'''
set certificate_file="{lab.ca}" imap_user="{lab.user}" imap_pass="{lab.password}" folder="{url}" spoolfile="{url}{box}"
set tmpdir="{h}/tmp" mbox_type=Maildir move=no quit=yes from="alice@example.org" realname="Alice Signer" use_from=yes
set wait_key=no record="" postponed="{h}/postponed" confirmappend=no timeout=600 mail_check=600 sleep_time=0
set crypt_use_gpgme=no
unset mark_old
'''
        if self.qresync:
            rc += "set imap_condstore=yes imap_qresync=yes\n"
        if self.warm:
            os.makedirs(h + "/hcache", exist_ok=True)
            rc += f'set header_cache="{h}/hcache/"\n'
        if self.crypto:
            rc += OPENSSL.format(s=s, h=h) + "set smime_is_default=yes crypt_verify_sig=yes\n"
            for folder, file in (("certificates", "alice.pem"), ("keys", "alice.key")):
                os.makedirs(f"{h}/smime/{folder}", exist_ok=True)
                shutil.copy(f"{s}/{file}", f"{h}/smime/{folder}/alice.0")
                self.write(f"smime/{folder}/.index", "alice@example.org alice.0 alice ? t\n")
        else:
            rc += "set crypt_verify_sig=no\n"
        self.write("rc", rc)
        return [f"/usr/bin/{self.name}", "-n", "-F", h + "/rc", "-f", f"{lab.local}/{box}" if self.local else url + box]


class Alpine(Client):
    keys = dict(first="Home", last="End", page="NPage", up="Up", open="Enter", close="<")
    status = "This message was cryptographically signed. ]"
    shown = 5 # it aligns its pages from the first message on

    def argv(self, box):
        h, s = self.home, self.lab.smime
        os.makedirs(h + "/mail", exist_ok=True)
        for folder, file, name in (("public", "alice.pem", "alice@example.org.crt"), ("private", "alice.key", "alice@example.org.key"),
                                   ("ca", "ca.pem", "ca.crt")):
            os.makedirs(f"{h}/.alpine-smime/{folder}", exist_ok=True)
            shutil.copy(f"{s}/{file}", f"{h}/.alpine-smime/{folder}/{name}")
        where = f"{{localhost:{self.port}/ssl/novalidate-cert/user={self.lab.user}}}"
        self.write("pinerc", f'''personal-name=Alice Signer
user-domain=example.org
inbox-path={where}{box}
feature-list=enable-aggregate-command-set,disable-password-file-saving,enable-jump-shortcut,quit-without-confirm,no-save-will-quote-leading-froms,no-enable-mouse-in-xterm{"" if self.crypto else ",smime-dont-do-smime"}
initial-keystroke-list=
last-version-used=6.26
sort-key=Arrival
startup-rules=last
incoming-startup-rule=last
''')
        return ["/usr/bin/alpine", "-p", h + "/pinerc", "-bail", "-nowrite_password_cache", "-i", "-f", where + box]

    def hook(self, app, text): # there is no way without a person: typed as soon as it asks
        if "ENTER PASSWORD" in text and not getattr(app, "typed", False):
            app.typed = True
            app.key(self.lab.password, literal=True)
            app.key("Enter")


class Aerc(Client):
    keys = dict(first="G", last="g", page="NPage", up="j", open="Enter", close="q")
    status = None # Debian's has no S/MIME
    shown = 38

    def argv(self, box):
        source = f"maildir://{self.lab.local}" if self.local else \
            f"imaps://{self.lab.user}:{self.lab.password}@localhost:{self.port}"
        self.write(".config/aerc/accounts.conf", f"[bench]\nsource = {source}\ndefault = {box}\nfolders = {box}\n"
                   f"cache-headers = {'true' if self.warm else 'false'}\nfrom = Alice <alice@example.org>\n")
        for name in ("aerc.conf", "binds.conf"):
            self.write(f".config/aerc/{name}", open(f"/usr/share/aerc/{name}").read())
        return ["/usr/bin/aerc"]

    def leave(self, app):
        app.key(":quit", "Enter")


class Signet(Client):
    keys = dict(first="Home", last="End", page="NPage", up="Up", open="Enter", close="i")
    status = "SIGNED BY"
    shown = 36

    def set_up(self):
        lab = self.lab
        profile = self.home + "/p"
        os.makedirs(profile)
        where = f"maildir = {lab.local}" if self.local else \
            f"imap = imaps://{lab.user}@localhost:{self.port}\npassword-command = echo {lab.password}"
        self.write("p/signet.conf", f"[account bench]\naddress = alice@example.org\n{where}\n[keys]\nsystem-tokens = no\n")
        for file, trust in ((lab.ca, ["--trust", "--tls"]), (lab.smime + "/ca.pem", ["--trust"])):
            subprocess.run(self.run("cert", "import", file, *trust), env={**os.environ, **self.env()}, check=True,
                           stdout=subprocess.DEVNULL)

    def run(self, *words):
        return [Signet.program, "--profile", self.home + "/p", *words]

    def wipe(self):
        for folder in ("data", "state", "cache"):
            shutil.rmtree(f"{self.home}/p/{folder}", ignore_errors=True)

    def argv(self, box):
        return self.run(box)


KINDS = {"signet": Signet, "mutt": Mutt, "neomutt": Mutt, "alpine": Alpine, "aerc": Aerc}


def make(lab, name, mode="", **more):
    return KINDS[name](lab, name, mode, **more)
