"""Who answers prompts in bench-peers: Nacre and llama.cpp's own tools, behind one question.

A side has `job(text, tokens)`, which returns an `Answer`. All decode greedily and end at the model's own end of text or
after so many tokens. Nacre and llama-server are both asked by curl and both stream.
"""
import json
import os
import re
import statistics
import subprocess
import sys
import time
from typing import NamedTuple, Optional

from benchmarks import Node, alternated, at_once, free_port, prompts, run, say

CONTEXT = 512  # tokens of a job, prompt and output


class Answer(NamedTuple):
    text: str
    tokens: Optional[list]   # ids; None where the tool does not tell
    count: int               # output tokens
    decode: float            # tokens per second of decoding alone, as the tool itself measured
    seconds: Optional[float]  # prompt and decoding without the load of the models; None: by the clock on the wall
    drafted: int             # draft tokens that were compared with the target's
    accepted: int
    statistics: dict         # Nacre's, of the job; empty for others


def fail(what):
    sys.exit(f"{os.path.basename(sys.argv[0])}: {what}")


def events(url, question, *options):
    """What a server sends for a POST, event by event: the JSON of its data lines."""
    out = run(["curl", "-sSN", "--fail-with-body", "--max-time", "900", *options, url, "-d", "@-"],
              input=json.dumps(question))
    return [json.loads(line[6:]) for line in out.splitlines() if line.startswith("data: {")]


class Nacre:
    """Jobs of one kind on a running cluster."""

    def __init__(self, nodes, **options):
        self.nodes, self.options = nodes, options

    def job(self, text, tokens):
        question = {"prompt": text, "max_tokens": tokens, "temperature": 0, "stream": True, **self.options}
        try:
            last = events(f"http://{self.nodes.http}/v1/jobs", question, "--http2-prior-knowledge")[-1]
        except SystemExit:
            self.nodes.check()  # says more, if that is why
            raise
        if last.get("state") != "done":
            fail(f"a job of Nacre ended as {last.get('state')}: {last.get('error') or last.get('waiting')}")
        used = last["statistics"]
        return Answer(last["text"], last["tokens"], last["output_tokens"], used.get("tokens_per_second") or 0.0, None,
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
        times = parts[-1]["timings"]
        ids = [token for part in parts[:-1] for token in part["tokens"]]
        return Answer("".join(part["content"] for part in parts), ids, len(ids), times["predicted_per_second"], None,
                      times.get("draft_n", 0), times.get("draft_n_accepted", 0), {})


class Simple:
    """llama-speculative-simple: one process per prompt. The load of the models is not counted."""

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
        return Answer(answer, None, int(count), int(count) / float(decoding), float(reading) + float(decoding),
                      int(drafts["drafted"]), int(drafts["accept"]), {})


def together(side, texts, tokens):
    """All prompts at once: the answers, and their tokens per second, all together, prompts included."""
    began = time.monotonic()
    answers = at_once(len(texts), lambda number: side.job(texts[number], tokens))
    seconds = time.monotonic() - began
    if len(answers) == 1 and answers[0].seconds is not None:
        seconds = answers[0].seconds
    return answers, sum(answer.count for answer in answers) / seconds


def measure(sides, load, count, size, reference):
    """Rates of all sides at a load, in alternation; whose text differs from the reference's, and how often."""
    texts = size.texts(load, count)
    wall, answers = {name: [] for name in sides}, {name: [] for name in sides}
    for repetition in range(size.repetitions):
        for turn, start in enumerate(range(0, len(texts), load)):
            for name in alternated(list(sides), repetition + turn):
                done, rate = together(sides[name], texts[start:start + load], size.tokens)
                wall[name].append(rate)
                answers[name] += zip(texts[start:start + load], done)
    rows = {}
    for name, given in answers.items():
        for text, answer in given:  # the first side is plain decoding of Nacre
            reference.setdefault(text, answer)
        judged, accepted = (sum(getattr(a, key) for _, a in given) for key in ("drafted", "accepted"))
        rows[name] = {
            "tokens_per_second": wall[name], "decode": [a.decode for _, a in given],
            "accepted": accepted / judged if judged else None,
            "answers": len(given), "different": sum(differs(answer, reference[text]) for text, answer in given),
            "statistics": [a.statistics for _, a in given if a.statistics]}
    return rows


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
