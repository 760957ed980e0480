"""What bench-peers measures: a pair laid out on this host's cores in one way or another, sample by sample."""
import contextlib
import tempfile
import time

import peers_report
from benchmarks import Nodes, Planned, cpus, prompts, say, useless_drafter
from peers import CONTEXT, Cells, Nacre, Server, Simple, fastest, together

ROUNDS_MIN = 3  # that a pair has whatever its time: fewer samples have no quartiles
MANY = 4  # from so many requests on llama-server's draft length is chosen at that load


class Size:
    """How much is measured, and until when."""

    def __init__(self, options):
        quick = options.quick
        self.tokens = 24 if quick else 32
        self.tuning = 1 if quick else 2
        self.lengths, self.loads, self.repeats = options.lengths, options.loads, options.repeats
        self.rising = options.loads if options.chosen_loads or quick else [1, 2, 4, 8, 16]
        self.minutes = options.minutes
        self.begin()

    def begin(self):
        """The time of a pair begins."""
        self.until = time.monotonic() + 60 * self.minutes

    def sample(self, title, cells, rounds=None):
        """Rounds of one sample of everything, so that drift of the machine is in all of it alike."""
        texts, rounds, took = prompts(999), rounds or self.repeats, 0.0
        for number in range(rounds):
            began = time.monotonic()
            if number >= ROUNDS_MIN and began + took > self.until:
                say(f"bench-peers: {title}: {number} rounds of {rounds}: the time of this pair is up (--minutes)")
                break
            left = f", about {(rounds - number) * took / 60:.0f} min left of this part" if number else ""
            for cell in cells:
                say(f"bench-peers: {title}: round {number + 1} of {rounds}: {cell.load} request(s) at once, "
                    f"{len(cell.sides)} variants{left} ...")
                cell.sample(number, texts)
            took = time.monotonic() - began


class Setting:
    """Servers and clusters for one way to lay out a pair on this host's cores, and the variants to measure there."""

    def __init__(self, stack, pair, size, tools, slots, server_cores):
        self.stack, self.size, self.tools, self.slots = stack, size, tools, slots
        self.target, self.draft = pair
        self.server_cores = server_cores
        self.sides, self.chosen = {}, {}

    def cluster(self, verifying, drafting):
        nodes = self.stack.enter_context(Nodes())
        nodes.node("verifier", self.target, self.slots, *cpus(verifying), context=CONTEXT)
        nodes.until_ready()  # one after the other, so that none is measured while another loads
        nodes.node("drafter", self.draft, self.slots, *cpus(drafting), context=CONTEXT)
        return nodes.until_ready()

    def speculating(self, nodes, method):
        length, rates, answers = fastest(
            f"γ of Nacre's {method}", self.size.lengths,
            lambda gamma: contextlib.nullcontext(Nacre(nodes, method=method, gamma=gamma)), self.size)
        self.chosen[f"nacre {method}"] = {"length": length, "rates": rates,
                                          "statistics": [answer.statistics for answer in answers]}
        return Nacre(nodes, method=method, gamma=length)

    def server(self, length, *extra):
        return Server(self.tools, self.target, self.server_cores, self.slots, self.draft, length, extra)

    def peers(self):
        """llama.cpp's tools on the server's cores."""
        plain = self.stack.enter_context(Server(self.tools, self.target, self.server_cores, self.slots))
        self.sides["llama-server"] = plain
        options = self.thread_options()
        length, rates, _ = fastest("llama-server's draft length", self.size.lengths,
                                   lambda n: self.server(n, *options), self.size)
        self.chosen["llama-server drafts"] = {"length": length, "rates": rates, "options": options}
        self.sides["llama-server drafts"] = self.stack.enter_context(self.server(length, *options))
        self.sides["llama-speculative-simple"] = Simple(self.tools, self.target, self.server_cores, self.draft, length,
                                                        options)
        if max(self.size.loads) >= MANY and len(self.server_cores) > 1:
            many, rates, _ = fastest(f"its draft length at {MANY} requests", self.size.lengths,
                                     lambda n: self.server(n, *options), self.size, MANY)
            self.chosen[f"llama-server drafts, {MANY} requests and more"] = {"length": many, "rates": rates}
            self.many = (self.sides["llama-server drafts"] if many == length
                         else self.stack.enter_context(self.server(many, *options)))

    def thread_options(self):
        """What lets llama-server draft fastest on several cores, where the threads of its two models may be in each
        other's way: tried at one draft length on the tuning half."""
        if len(self.server_cores) == 1:
            return []
        one = ["--spec-draft-threads", "1", "--spec-draft-threads-batch", "1"]
        calm = ["--poll", "0", "--spec-draft-poll", "0"]
        tried = {"as it is": [], "one draft thread": one, "no polling": calm, "both": one + calm}
        best, rates, _ = fastest("llama-server's threads", tried, lambda name: self.server(2, *tried[name]), self.size)
        self.chosen["llama-server's threads"] = {"length": best, "rates": rates, "options": tried[best]}
        return tried[best]

    def at(self, load):
        sides = {name: side for name, side in self.sides.items() if load == 1 or not isinstance(side, Simple)}
        if load >= MANY and hasattr(self, "many"):
            sides["llama-server drafts"] = self.many
        return sides

    def results(self, title, loads, reference, rounds=None):
        for name, side in self.at(1).items():
            say(f"bench-peers: {title}: warming up: {name}")
            together(side, prompts(1, "tuning"), 8)
        cells = [Cells(self.at(load), load, self.size.tokens, reference) for load in loads]
        self.size.sample(title, cells, rounds)
        return {"chosen": self.chosen, "loads": {cell.load: cell.rows for cell in cells}}


def one_host(title, pair, size, tools, cores, placement, reference):
    """All cores for whoever uses them: Nacre in turn on all, apart on halves, and as `nacre up` plans it."""
    with contextlib.ExitStack() as stack:
        setting = Setting(stack, pair, size, tools, max(size.loads), cores)
        shared = setting.cluster(cores, cores)
        apart = setting.cluster(cores[:-1] or cores, cores[-1:])
        arguments = ["--placement", placement] if placement else []
        planned = Planned(*pair, "--slots", str(setting.slots), "--context", str(CONTEXT), *arguments)
        stack.enter_context(planned)
        setting.sides["nacre autoregressive"] = Nacre(shared, method="autoregressive")
        setting.sides["nacre speculative"] = setting.speculating(shared, "speculative")
        setting.sides["nacre pearl"] = setting.speculating(apart, "pearl")
        setting.sides["nacre stream"] = Nacre(apart, method="stream")
        setting.sides["nacre up"] = Nacre(planned)
        setting.peers()
        figures = setting.results(f"{title}, one host", size.loads, reference)
        figures["planned"] = "; ".join(planned.announced.splitlines()[1:-1])  # between "ready" and the processes
        return figures


def two_hosts(title, pair, size, tools, cores, reference):
    """The drafter has a host of its own, for which the last core stands; the server has the verifier's cores."""
    verifying, drafting = cores[:-1] or cores, cores[-1:]
    with contextlib.ExitStack() as stack:
        setting = Setting(stack, pair, size, tools, max(size.loads), verifying)
        nodes = setting.cluster(verifying, drafting)
        setting.sides["nacre autoregressive"] = Nacre(nodes, method="autoregressive")
        for method in ("speculative", "pearl"):
            setting.sides[f"nacre {method}"] = setting.speculating(nodes, method)
        setting.sides["nacre stream"] = Nacre(nodes, method="stream")
        setting.peers()
        loads = [load for load in size.loads if load == 1] or size.loads[:1]
        # One request at once is short: there is time for more of them.
        return setting.results(f"{title}, two hosts", loads, reference, size.repeats + 3)


def never_slower(title, pair, size, cores, reference):
    """The default against plain decoding at rising loads, with the pair's drafter and with one that is never right.

    Plain decoding is each time that of the same verifier: two processes differ by some percent, by where their weights
    lie, however equal their work is.
    """
    verifying, drafting = cores[:-1] or cores, cores[-1:]
    target, draft = pair
    with tempfile.TemporaryDirectory(prefix="nacre-bench-") as folder, contextlib.ExitStack() as stack:
        sides = {}
        for name, model in (("good", draft), ("useless", useless_drafter(folder, target))):
            setting = Setting(stack, (target, model), size, None, max(size.rising), [])
            nodes = setting.cluster(verifying, drafting)
            sides[peers_report.plain_beside(name)] = Nacre(nodes, method="autoregressive")
            sides[peers_report.default_with(name)] = Nacre(nodes)
        for side in sides.values():
            together(side, prompts(1, "tuning"), 8)
        cells = [Cells(sides, load, size.tokens, reference) for load in size.rising]
        size.sample(f"{title}, never slower", cells)
        return {cell.load: cell.rows for cell in cells}
