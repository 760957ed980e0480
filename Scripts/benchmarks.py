"""What the benchmark scripts share: clusters of real processes with cores of their own, prompts, ratios."""
import concurrent.futures
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
# NACRE_BIN: measures other executables than this clone's.
BIN = os.environ.get("NACRE_BIN") or os.path.join(ROOT, ".build/release")
NACRE = os.path.join(BIN, "nacre")


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(arguments, **options):
    done = subprocess.run(arguments, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {' '.join(arguments)} failed ({done.returncode}):\n"
                 f"{done.stderr.strip()}")
    return done.stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def at_once(count, job):
    """What job(0) ... job(count - 1) return, all run at the same time."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(job, range(count)))


class Node:
    """A process, and the file that takes what it writes to its standard error."""

    def __init__(self, role, command, environment=None, stdout=subprocess.PIPE):
        self.role = role
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=stdout,
                                        stderr=self.errors, text=True)

    def fail(self, what):
        """Ends the script with the last lines that the process wrote."""
        size = os.fstat(self.errors.fileno()).st_size
        # Without moving the file's position, at which the process writes.
        tail = os.pread(self.errors.fileno(), 4096, max(0, size - 4096)).decode(errors="replace")
        lines = "\n".join(tail.strip().splitlines()[-20:])
        sys.exit(f"{os.path.basename(sys.argv[0])}: a {self.role} {what}; it wrote last:\n{lines or '(nothing)'}")


class Nodes:
    """A coordinator and the nodes started with it, stopped at the end."""

    def __init__(self, **environment):
        self.environment = dict(os.environ, **environment)
        self.processes = []
        self.expected = 0
        coordinator = self.start("coordinator", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
        ready = coordinator.process.stdout.readline()
        words = dict(part.split("=", 1) for part in ready.split() if "=" in part)
        if not {"http", "control"} <= words.keys():
            self.stop()
            coordinator.fail("did not start")
        self.http, self.control = words["http"], words["control"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for node in self.processes:
            node.process.terminate()
        for node in self.processes:
            node.process.wait()

    def start(self, role, *arguments):
        command = [os.path.join(BIN, f"nacre-{role}"), *arguments, "--exit-with-stdin"]
        self.processes.append(Node(role, command, self.environment))
        return self.processes[-1]

    def check(self):
        """Ends the script if a process has ended."""
        for node in self.processes:
            if node.process.poll() is not None:
                node.fail(f"has ended ({node.process.returncode})")

    def call(self, *arguments, **options):
        try:
            return run([NACRE, *arguments, "--json", "--coordinator", self.http], **options)
        except SystemExit:
            self.check()  # says more, if that is why
            raise

    def node(self, role, model, slots, *arguments, context=512):
        self.expected += 1
        self.start(role, "--model", model, "--coordinator", self.control, "--slots", str(slots),
                   "--context", str(context), *arguments)

    def until_ready(self):
        while len(self.nodes()) < self.expected:
            self.check()
            time.sleep(0.2)
        return self

    def nodes(self):
        return json.loads(self.call("nodes"))["nodes"]

    def job(self, prompt, *options, tokens, ignore_eos=True):
        """A job of so many tokens; without ignore_eos of at most so many, for methods whose texts end."""
        length = ["--max-tokens", str(tokens), *(["--ignore-eos"] if ignore_eos else [])]
        return json.loads(self.call("run", *length, *options, "-", input=prompt))

    def together(self, texts, *options, tokens):
        """The jobs of all prompts at once, and their tokens per second, all together, by the clock on the wall."""
        began = time.monotonic()
        done = at_once(len(texts), lambda number: self.job(texts[number], *options, tokens=tokens))
        return done, sum(job["output_tokens"] for job in done) / (time.monotonic() - began)


class Planned(Nodes):
    """A cluster as `nacre up` plans it, stopped at the end; `announced` are the lines in which it says what it did."""

    def __init__(self, target, draft, *arguments):
        self.folder = tempfile.mkdtemp(prefix="nacre-bench-")
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=self.folder)
        self.http, self.expected = f"127.0.0.1:{free_port()}", 0
        # Should this script be killed, the signal makes `nacre up` stop what it has started.
        up = Node("nacre up", ["setpriv", "--pdeathsig", "TERM", NACRE, "up", "--target", target, "--draft", draft,
                               "--http", self.http, "--listen", f"127.0.0.1:{free_port()}", *arguments],
                  self.environment)
        self.processes = [up]
        self.announced = up.process.stdout.readline()
        if not self.announced.startswith("ready"):
            self.stop()
            up.fail(f"did not start ({up.process.returncode})")
        for line in up.process.stdout:
            self.announced += line
            if ": pid " in line:
                break

    def stop(self):
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def useless_drafter(folder, vocabulary):
    """A small model with random weights and the vocabulary of another one: what it drafts is never right."""
    path = os.path.join(folder, "useless.gguf")
    run([os.path.join(ROOT, "Scripts/python"), os.path.join(ROOT, "Models/tools/make_gguf.py"), "--preset", "tiny",
         "--mode", "random", "--type", "q8_0", "--vocab-from", vocabulary, "--ctx", "2048", path])
    return path


def categories(half="reporting"):
    """The prompts of a half by category, in the order of the file."""
    groups = {}
    with open(os.path.join(ROOT, f"Models/prompts/{half}.txt")) as file:
        parts = re.split(r"^---(?: ([a-z0-9-]+))?\n", file.read(), flags=re.MULTILINE)
    for category, text in zip(parts[1::2], parts[2::2]):
        if text.strip():
            # The line break before the next separator is not the prompt's.
            groups.setdefault(category, []).append(text.removesuffix("\n"))
    return groups


def prompts(count, half="reporting"):
    """One prompt of each of the first `count` categories of a half; the categories over again if there are fewer."""
    groups = categories(half)
    turns = max(len(group) for group in groups.values())
    return [group[turn] for turn in range(turns) for group in groups.values() if turn < len(group)][:count]


def cpus(cores):
    return ["--cpus", ",".join(map(str, cores))]


def quartiles(values):
    """Median, lower and upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def agreement(rows):
    """Of the statistics of jobs: the share of the judged drafts that was accepted, as text, and mean tokens a pass."""
    judged = sum(row["judged"] for row in rows)
    accepted = sum(row["accepted"] for row in rows)
    per_pass = statistics.mean(row["mean_accepted_tokens"] + 1 for row in rows)
    return f"{accepted / judged:.2f}" if judged else "–", per_pass


def alternated(variants, repetition):
    """Another variant begins each time, so that drift of the machine favours none, and every other time they go backwards, so
    that none always follows the same one."""
    shift = repetition // 2 % len(variants)
    turned = variants[shift:] + variants[:shift]
    return turned[::-1] if repetition % 2 else turned


def machine():
    with open("/proc/cpuinfo") as file:
        lines = file.read().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = next((line for line in lines if line.startswith("flags")), "")
    extra = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8") if f" {f}" in flags]
    return f"{os.cpu_count()} cores, {model}, {' '.join(extra)}"
