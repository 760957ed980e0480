"""Who answers prompts in bench-peers: Nacre and llama.cpp's own tools, behind one question.

A side has `job(text, tokens)`, which returns an `Answer`. All decode greedily and end at the model's own end of text or
after so many tokens. Nacre and llama-server are both asked by curl and both stream; they are timed by when their tokens
arrive here, not by what they say.
"""
import contextlib
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import time
from typing import NamedTuple, Optional

from benchmarks import Node, alternated, at_once, free_port, prompts, say

CONTEXT = 512  # tokens of a job, prompt and output
CALM = 1.0  # seconds between samples


class Answer(NamedTuple):
    text: str
    tokens: Optional[list]   # ids; None where the tool does not tell
    count: int               # output tokens
    decode: float            # tokens per second of decoding alone: see `Arrivals`
    first: Optional[float]   # seconds from the question to the first token; None where nobody knows
    seconds: Optional[float]  # prompt and decoding without the load of the models; None: by the clock on the wall
    drafted: int             # draft tokens that were compared with the target's
    accepted: int
    statistics: dict         # Nacre's, of the job; empty for others


def fail(what):
    sys.exit(f"{os.path.basename(sys.argv[0])}: {what}")


def events(url, question, *options):
    """What a server sends for a POST, event by event: when it came, in seconds since the question, and the JSON of its
    data lines. They are parsed when all have come: the cores are the servers'."""
    command = ["curl", "-sSN", "--fail-with-body", "--max-time", "900", *options, url, "-d", "@-"]
    began = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as curl:
        with contextlib.suppress(BrokenPipeError):  # its exit status says why
            curl.stdin.write(json.dumps(question))
            curl.stdin.close()
        lines = [(time.monotonic() - began, line) for line in curl.stdout]
        errors = curl.stderr.read()
    if curl.returncode != 0:
        said = errors + "".join(line for _, line in lines)
        fail(f"{shlex.join(command)} failed ({curl.returncode}):\n{said.strip()}")
    found = [(at, json.loads(line[6:])) for at, line in lines if line.startswith("data: {")]
    if not found:
        fail(f"{shlex.join(command)} gave no events")
    return found


class Arrivals:
    """When tokens came: (seconds, how many) of each event that brought any."""

    def __init__(self, came):
        self.came = [(at, count) for at, count in came if count > 0]

    @property
    def first(self):
        return self.came[0][0] if self.came else None

    @property
    def decode(self):
        """Tokens per second of decoding alone, the same for all: those behind the first event, by the time from the
        first event to the last. 0 where there is no second one."""
        if len(self.came) < 2:
            return 0.0
        return sum(count for _, count in self.came[1:]) / (self.came[-1][0] - self.came[0][0])


class Nacre:
    """Jobs of one kind on a running cluster."""

    def __init__(self, nodes, **options):
        self.nodes, self.options = nodes, options

    def job(self, text, tokens):
        question = {"prompt": text, "max_tokens": tokens, "temperature": 0, "stream": True, **self.options}
        try:
            parts = events(f"http://{self.nodes.http}/v1/jobs", question, "--http2-prior-knowledge")
        except SystemExit:
            self.nodes.check()  # says more, if that is why
            raise
        last = parts.pop()[1]
        if last.get("state") != "done":
            fail(f"a job of Nacre ended as {last.get('state')}: {last.get('error') or last.get('waiting')}")
        used = last["statistics"]
        arrived = Arrivals((at, len(part.get("tokens") or [])) for at, part in parts)
        return Answer(last["text"], last["tokens"], last["output_tokens"], arrived.decode, arrived.first, None,
                      used["judged"], used["accepted"], used)


def confined(cores, command):
    """The command on these cores; it ends with this script, however that ends."""
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", ",".join(map(str, cores)), *command]


def drafting(draft, length, threads):
    return ["--spec-draft-model", draft, "--spec-type", "draft-simple", "--spec-draft-n-max", str(length),
            "--spec-draft-threads", str(threads), "--spec-draft-threads-batch", str(threads)]


class Server:
    """llama-server with as many threads as it has cores, for target and draft model each; nothing is kept of earlier
    prompts, as nothing is in Nacre."""

    def __init__(self, tools, target, cores, slots, draft=None, length=0, extra=()):
        self.port = free_port()
        threads = str(len(cores))
        command = [os.path.join(tools, "llama-server"), "--model", target, "--host", "127.0.0.1", "--port",
                   str(self.port), "--threads", threads, "--threads-batch", threads, "--parallel", str(slots),
                   "--ctx-size", str(CONTEXT * slots), "--no-cache-prompt", "--cache-ram", "0", "--no-webui",
                   "--offline", *(drafting(draft, length, threads) if draft else []), *extra]
        self.node = Node("llama-server", confined(cores, command), stdout=subprocess.DEVNULL)
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def wait_until_ready(self):
        deadline = time.monotonic() + 120
        health = ["curl", "-sf", "--max-time", "5", f"http://127.0.0.1:{self.port}/health"]
        while subprocess.run(health, capture_output=True).returncode != 0:
            if self.node.process.poll() is not None:
                self.node.fail(f"has ended ({self.node.process.returncode})")
            if time.monotonic() > deadline:
                self.node.fail("was not ready after two minutes")
            time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.node.process.terminate()
        try:
            self.node.process.wait(10)
        except subprocess.TimeoutExpired:
            self.node.process.kill()
            self.node.process.wait()

    def job(self, text, tokens):
        question = {"prompt": text, "n_predict": tokens, "temperature": 0, "top_k": 1, "cache_prompt": False,
                    "return_tokens": True, "stream": True}
        try:
            parts = events(f"http://127.0.0.1:{self.port}/completion", question)
        except SystemExit:
            if self.node.process.poll() is not None:
                self.node.fail(f"has ended ({self.node.process.returncode})")
            raise
        times = parts[-1][1]["timings"]
        ids = [token for _, part in parts[:-1] for token in part["tokens"]]
        arrived = Arrivals((at, len(part["tokens"])) for at, part in parts[:-1])
        return Answer("".join(part["content"] for _, part in parts), ids, len(ids), arrived.decode, arrived.first, None,
                      times.get("draft_n", 0), times.get("draft_n_accepted", 0), {})


class Simple:
    """llama-speculative-simple: one process per prompt. The load of the models is not counted. Its own report is taken:
    its time of decoding begins before the pass that gives the first token, and counts that token."""

    def __init__(self, tools, target, cores, draft, length, extra=()):
        threads = str(len(cores))
        self.command = confined(cores, [
            os.path.join(tools, "llama-speculative-simple"), "--model", target, "--threads", threads, "--threads-batch",
            threads, "--ctx-size", str(CONTEXT), "--temp", "0", "--top-k", "1", "--no-escape", "--offline",
            "--log-colors", "off", *drafting(draft, length, threads), *extra])

    def job(self, text, tokens):
        # It ends after more tokens than it was told.
        done = subprocess.run([*self.command, "--n-predict", str(tokens - 1), "--prompt", text], capture_output=True,
                              text=True)
        told = done.stdout + done.stderr
        times = re.findall(r"(?:en|de)coded +(\d+) tokens in +([\d.]+) seconds", told)
        drafts = dict(re.findall(r"n_(drafted|accept) += (\d+)", told))
        if done.returncode != 0 or len(times) != 2 or len(drafts) != 2:
            fail(f"llama-speculative-simple failed ({done.returncode}):\n{told.strip()[-2000:]}")
        (_, reading), (count, decoding) = times
        answer = done.stdout.partition(text)[2]
        return Answer(answer, None, int(count), int(count) / float(decoding), None, float(reading) + float(decoding),
                      int(drafts["drafted"]), int(drafts["accept"]), {})


def together(side, texts, tokens):
    """All prompts at once: the answers, and their tokens per second, all together, prompts included. Begins when those
    before have had time to fall asleep: llama.cpp's threads spin for a while after their last pass, on the cores that
    another one has now."""
    time.sleep(CALM)
    began = time.monotonic()
    answers = at_once(len(texts), lambda number: side.job(texts[number], tokens))
    seconds = time.monotonic() - began
    if len(answers) == 1 and answers[0].seconds is not None:
        seconds = answers[0].seconds
    return answers, sum(answer.count for answer in answers) / seconds


class Cells:
    """What the sides did at one load, sample by sample: a sample is one batch of so many requests at once."""

    def __init__(self, sides, load, tokens, reference):
        self.sides, self.load, self.tokens, self.reference = sides, load, tokens, reference
        self.rows = {name: {"tokens_per_second": [], "decode": [], "first": [], "judged": 0, "accepted": 0,
                            "answers": 0, "different": 0, "statistics": []} for name in sides}

    def sample(self, number, texts):
        """One sample of each side, in turn: another one begins each time."""
        begin = number * self.load
        texts = [texts[index % len(texts)] for index in range(begin, begin + self.load)]
        done = {}
        for name in alternated(list(self.sides), number):
            done[name], rate = together(self.sides[name], texts, self.tokens)
            self.rows[name]["tokens_per_second"].append(rate)
        for name, row in self.rows.items():  # the first side is plain decoding of Nacre
            for text, answer in zip(texts, done[name]):
                plain = self.reference.setdefault(text, answer)
                row["decode"].append(answer.decode)
                row["first"] += [] if answer.first is None else [answer.first]
                row["judged"] += answer.drafted
                row["accepted"] += answer.accepted
                row["answers"] += 1
                row["different"] += differs(answer, plain)
                row["statistics"] += [answer.statistics] if answer.statistics else []


def differs(answer, plain):
    """Whether two texts part before the shorter one ends: budgets are kept to within a round."""
    if answer.tokens is not None:
        length = min(len(answer.tokens), len(plain.tokens))
        return answer.tokens[:length] != plain.tokens[:length]
    return not answer.text.startswith(plain.text.rstrip("\n"))


def fastest(title, choices, side, size, load=1):
    """Of some choices the fastest on the tuning half, what each had in tokens per second, and all answers.

    `side` gives a context for each, so that a server that cannot change a setting is started for each.
    """
    say(f"bench-peers: choosing: {title} ...")
    texts = prompts(max(size.tuning, load), "tuning")
    rates, answers = {}, []
    for choice in choices:
        with side(choice) as running:
            together(running, texts[:1], 8)  # warms up
            given = [together(running, texts[start:start + load], size.tokens) for start in range(0, len(texts), load)]
        rates[choice] = statistics.mean(rate for _, rate in given)
        answers += [answer for done, _ in given for answer in done]
    return max(rates, key=rates.get), rates, answers
