"""Drives one terminal program in a 120x40 tmux pane through a single control-mode connection of tmux.

A look at the screen costs some 0.03 to 0.3 ms this way (no process for each), so that looking every millisecond disturbs
little. floor_page() is what a key and a whole new page cost a program that does nothing else.

What measures must not wait for what is measured: on two processors that a server and a client share, tmux and this one
were late by 5 to 20 ms now and then, and that was counted as the client's. Both have real-time priority while a figure is
taken, where the system allows it (root); what they start has not."""
import atexit, functools, os, re, signal, subprocess, sys, tempfile, time

W, H = 120, 40


def urge(pid, on=True):
    """Real-time priority for a process, not for those that it starts."""
    try:
        os.sched_setscheduler(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK if on else os.SCHED_OTHER, os.sched_param(1 if on else 0))
    except OSError: # it is not allowed
        pass


def at_once(function):
    """With that priority for this process: a floor that it takes itself has the common one."""
    @functools.wraps(function)
    def run(*args, **more):
        before = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
        urge(0)
        try:
            return function(*args, **more)
        finally:
            urge(0, before == os.SCHED_RR) # one of them may call another
    return run


class Tmux:
    def __init__(self, name=None):
        self.sock = name or f"signet-bench-{os.getpid()}"
        self.base = ["tmux", "-L", self.sock, "-f", "/dev/null"]
        env = dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8")
        subprocess.run(self.base + ["new-session", "-d", "-x", str(W), "-y", str(H), "-s", "m", "sleep 100000"], check=True, env=env)
        self.p = subprocess.Popen(self.base + ["-u", "-C", "attach", "-t", "m", "-f", "no-output"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=-1, env=env)
        self.first = True
        for o in ("set -g status off", f"refresh-client -C {W}x{H}", "set -s escape-time 0",
                  "set -g history-limit 0", "set -g default-terminal tmux-256color"):
            for k in range(100):       # the attach may not be through yet
                try:
                    self.cmd(o)
                    break
                except RuntimeError:
                    time.sleep(0.02)
        for pid in (self.p.pid, int(self.cmd("display-message -p '#{pid}'")[0])):
            urge(pid)
        atexit.register(self.close)

    def cmd(self, c):
        self.p.stdin.write((c + "\n").encode())
        self.p.stdin.flush()
        while True:
            out, inside, bad = [], False, False
            while True:
                ln = self.p.stdout.readline()
                if not ln:
                    raise RuntimeError("tmux gone")
                ln = ln.decode("utf-8", "replace").rstrip("\n")
                if not inside:
                    if ln.startswith("%begin "):
                        inside, flag = True, ln.split()[-1]
                    continue
                if ln.startswith("%end ") or ln.startswith("%error "):
                    bad = ln.startswith("%error ")
                    break
                out.append(ln)
            if flag == "0":            # the reply to the attach itself
                continue
            if bad:
                raise RuntimeError(c + ": " + " ".join(out))
            return out

    def close(self):
        subprocess.run(self.base + ["kill-server"], stderr=subprocess.DEVNULL)
        self.p.wait()


class App:
    @at_once
    def __init__(self, tm, argv, env=None, cwd=None):
        self.tm = tm
        words = ["-c", cwd] if cwd else []
        for name, value in (env or {}).items():
            words += ["-e", f"{name}={value}"]
        # A single word would be given to a shell, whose start is not what is measured.
        words += argv if len(argv) > 1 else ["/usr/bin/env", *argv]
        line = " ".join('"' + re.sub(r'([\\"$])', r"\\\1", word) + '"' for word in words)
        self.t0 = time.perf_counter()
        r = tm.cmd(f'new-window -d -P -F "#{{pane_id}} #{{pane_pid}}" {line}')[0].split()
        self.pane, self.pid = r[0], int(r[1])

    def cap(self):
        return self.tm.cmd(f"capture-pane -p -t {self.pane}")

    def text(self):
        return "\n".join(self.cap())

    @at_once
    def key(self, *ks, literal=False):
        t = time.perf_counter()
        if literal:
            self.tm.cmd(f"send-keys -t {self.pane} -l '{ks[0]}'")     # no single quotes, please
        else:
            q = " ".join('"' + k.replace('"', '\\"').replace("$", "\\$") + '"' for k in ks)
            self.tm.cmd(f"send-keys -t {self.pane} {q}")
        return t

    def alive(self):
        try:                                # tmux may be late to reap: a zombie has ended
            with open(f"/proc/{self.pid}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
        except (OSError, IndexError):
            return False

    @at_once
    def wait(self, pred, t0=None, timeout=120, poll=0.005, hook=None):
        """Seconds from t0 until pred(text) is true; None at the time limit or when the program ended."""
        t0 = t0 if t0 is not None else time.perf_counter()
        if isinstance(pred, str):
            s = pred
            pred = lambda x: s in x
        end = time.perf_counter() + timeout
        while time.perf_counter() < end:
            try:
                x = self.text()
            except RuntimeError:
                return None
            if pred(x):
                return time.perf_counter() - t0
            if hook:
                hook(self, x)
            time.sleep(poll)
        return None

    @at_once
    def settle(self, before, t0, quiet=0.06, timeout=20, poll=0.0003):
        """(first change, last change) in seconds from t0 relative to the screen `before`."""
        first = last = None
        prev, end = before, time.perf_counter() + timeout
        while time.perf_counter() < end:
            x = self.text()
            now = time.perf_counter() - t0
            if x != prev:
                first = first if first is not None else now
                last, prev = now, x
            elif last is not None and now - last > quiet:
                return first, last
            time.sleep(poll)
        return first, last

    def mem(self):
        d = {}
        for ln in open(f"/proc/{self.pid}/status"):
            k, _, v = ln.partition(":")
            if k in ("VmHWM", "VmRSS", "RssAnon"):
                d[k] = int(v.split()[0]) / 1024
        return d

    def switches(self):
        """How often its threads were woken, or gave up the processor."""
        n = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            for ln in open(f"/proc/{self.pid}/task/{task}/status"):
                if "ctxt_switches" in ln:
                    n += int(ln.split()[1])
        return n

    def cpu(self):
        f = open(f"/proc/{self.pid}/stat").read().rsplit(")", 1)[1].split()
        return sum(int(x) for x in f[11:15]) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        try:
            self.tm.cmd(f"kill-pane -t {self.pane}")
        except RuntimeError:
            pass
        for _ in range(400):
            if not self.alive():
                return
            time.sleep(0.005)
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


PAGER = """import curses, sys
def m(w):
    k = 0
    while True:
        for y in range(39): w.addstr(y, 0, ("%06d page %d " % (y * 7919 + k * 31337, k)).ljust(119, "abcdefgh"[(y + k) % 8]))
        w.addstr(39, 0, "END %d" % k); w.refresh(); w.getch(); k += 1
curses.wrapper(m)
"""


def floor_pages(tm, n=40, pause=0):
    """[seconds]: key -> whole new 120x40 page drawn by a curses program which does nothing else"""
    with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as f:
        f.write(PAGER)
    a = App(tm, [sys.executable, f.name], dict(TERM="tmux-256color"))
    a.wait("END 0")
    ts = []
    for k in range(1, n):
        t = a.key("n", literal=True)
        ts.append(a.wait(f"END {k}", t, 5, 0.0002))
        time.sleep(pause)
    a.stop()
    os.unlink(f.name)
    return [t for t in ts if t is not None]


def floor_page(tm, n=40):
    """The median of them, in ms."""
    ts = sorted(floor_pages(tm, n))
    return ts[len(ts) // 2] * 1000
