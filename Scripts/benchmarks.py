"""What the benchmark scripts share: clusters of real processes with cores of their own, prompts, ratios."""
import concurrent.futures
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
BIN = os.path.join(ROOT, ".build/release")
NACRE = os.path.join(BIN, "nacre")


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(arguments, **options):
    done = subprocess.run(arguments, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {' '.join(arguments)} failed ({done.returncode}):\n"
                 f"{done.stderr.strip()}")
    return done.stdout


class Nodes:
    """A coordinator and the nodes started with it, stopped at the end."""

    def __init__(self, **environment):
        self.environment = dict(os.environ, **environment)
        self.processes = []
        self.expected = 0
        ready = self.start("coordinator", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0").stdout.readline()
        words = dict(part.split("=", 1) for part in ready.split() if "=" in part)
        self.http, self.control = words["http"], words["control"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()

    def start(self, role, *arguments):
        process = subprocess.Popen([os.path.join(BIN, f"nacre-{role}"), *arguments, "--exit-with-stdin"],
                                   env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        self.processes.append(process)
        return process

    def node(self, role, model, slots, *arguments, context=512):
        self.expected += 1
        self.start(role, "--model", model, "--coordinator", self.control, "--slots", str(slots),
                   "--context", str(context), *arguments)

    def until_ready(self):
        while len(self.nodes()) < self.expected:
            if any(process.poll() is not None for process in self.processes):
                sys.exit(f"{os.path.basename(sys.argv[0])}: a process has ended")
            time.sleep(0.2)
        return self

    def nodes(self):
        return json.loads(run([NACRE, "nodes", "--json", "--coordinator", self.http]))["nodes"]

    def job(self, prompt, *options, tokens):
        return json.loads(run([NACRE, "run", "--json", "--coordinator", self.http, "--max-tokens", str(tokens),
                               *options, "-"], input=prompt))

    def together(self, texts, *options, tokens):
        """The jobs of all prompts at once, and their tokens per second, all together, by the clock on the wall."""
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(len(texts)) as pool:
            done = list(pool.map(lambda text: self.job(text, *options, tokens=tokens), texts))
        return done, sum(job["output_tokens"] for job in done) / (time.monotonic() - began)


def prompts(count, half="reporting"):
    """One prompt of each of the first `count` categories of a half; the categories over again if there are fewer."""
    groups = {}
    with open(os.path.join(ROOT, f"Models/prompts/{half}.txt")) as file:
        parts = re.split(r"^---(?: ([a-z0-9-]+))?\n", file.read(), flags=re.MULTILINE)
    for category, text in zip(parts[1::2], parts[2::2]):
        if text.strip():
            # The line break before the next separator is not the prompt's.
            groups.setdefault(category, []).append(text.removesuffix("\n"))
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


def alternated(variants, repetition):
    """Another variant begins each time, so that drift of the machine favours none."""
    shift = repetition % len(variants)
    return variants[shift:] + variants[:shift]


def machine():
    with open("/proc/cpuinfo") as file:
        lines = file.read().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = next((line for line in lines if line.startswith("flags")), "")
    extra = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8") if f" {f}" in flags]
    return f"{os.cpu_count()} cores, {model}, {' '.join(extra)}"
