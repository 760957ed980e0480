"""What the stages minimise. Each is called by trainer.train as (model, step, share) -> (loss, tokens, words)."""
import copy

import numpy as np
import torch
import torch.nn.functional as F

from generate import generate, repeats
from trainer import DEVICE, compiled


def next_token_loss(logits, targets):
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


KEPT = 24  # likeliest tokens of the teacher per position


def imitation(logits, ids, teacher):
    """KL(teacher || student) at each position; the teacher by its likeliest tokens (ids, logits: [..., KEPT])."""
    p = teacher.float().softmax(-1)  # of the kept tokens: what is outside has next to no mass
    logq = logits.float().log_softmax(-1).gather(-1, ids)
    return (p * (p.clamp(min=1e-9).log() - logq)).sum(-1)


class NextToken:
    """Maximum likelihood on windows of the corpus: `windows` until `share` reaches `switch`, then `longer`."""

    def __init__(self, windows, longer=None, switch=0.7):
        self.windows, self.longer, self.switch = windows, longer, switch

    def __call__(self, model, step, share):
        w = self.longer if self.longer and share > self.switch else self.windows
        x = w[step].to(DEVICE)
        return next_token_loss(compiled(model)(x[:, :-1]), x[:, 1:]), x[:, 1:].numel(), ""


class OwnText:
    """Text that the model writes while it learns, and how much of it loops and ends."""

    LENGTH, LENGTHS = 160, (8, 12, 16, 24, 32, 48)  # of a text, and of the prompts that it goes on from, by turns

    def __init__(self, prompts):
        self.prompts, self.texts, self.shares, self.words = prompts, None, [], ""

    @torch.no_grad()
    def write(self, model, turn, count, temperature):
        """(texts [count, LENGTH], whether each loops [count]). temperature: [count], of the rows."""
        length = self.LENGTHS[turn % len(self.LENGTHS)]
        with torch.autocast(DEVICE, enabled=False):
            prompts = self.prompts(turn * self.EVERY, count, length).to(DEVICE)
            texts, _ = generate(copy.deepcopy(model).bfloat16(), prompts, self.LENGTH - length, temperature)
        ended = (texts[:, length:] == 0).cumsum(1) > 0
        again = ((repeats(texts)[0][:, length:] > 1) & ~ended).any(1)  # three times: what evaluate.py calls a loop
        self.shares.append((again[temperature == 0].float().mean().item(), ended.any(1).float().mean().item()))
        loop, end = (sum(s) / len(s) for s in zip(*self.shares[-6:]))
        self.words = f"{loop:.2f} of texts loop, {end:.2f} end"
        return texts, again

    def keep(self, texts):
        self.texts = torch.cat((self.texts, texts))[-self.POOL:] if self.texts is not None else texts


class Unloop(OwnText):
    """Likelihood, and what breaks the loop: a token that completes an n-gram again must be less likely than it was the
    first time (DITTO, Xu et al. 2022, arXiv:2206.02369), by a power instead of a factor. A continuation that was certain,
    the rest of a name, stays likely; one that was a choice is the place to turn off. Only what is above the bound costs,
    as the likelihood of real repetitions is for the other rows to teach.

    Half of the rows are lines of the corpus repeated, half loops into which the model itself falls, greedily.
    """

    NGRAM = 6
    WRITE, EVERY, POOL = 64, 10, 256  # texts at once, steps between, looping texts that are kept
    OWN, REPEATED = 1.5, 0.5  # weights of the two halves

    def __init__(self, likelihood, finish, loops, prompts, rows, begin):
        """likelihood until share = begin, then finish and loops."""
        super().__init__(prompts)
        self.likelihood, self.finish, self.loops = likelihood, finish, loops
        self.half, self.begin = rows // 2, begin

    def __call__(self, model, step, share):
        if share < self.begin:
            return self.likelihood(model, step, share)
        if self.texts is None or step % self.EVERY == 0:
            texts, again = self.write(model, step // self.EVERY, self.WRITE, torch.zeros(self.WRITE, device=DEVICE))
            self.keep(texts[again])
        loss, tokens, _ = self.finish(model, step, share)
        if len(self.texts):
            pick = np.random.default_rng([4, step]).integers(len(self.texts), size=self.half)
            own = self.texts[torch.from_numpy(pick).to(DEVICE)]
        else:  # it has fallen into none so far
            own = self.loops(step + 2**32, self.half, self.LENGTH).to(DEVICE)
        x = torch.cat((own, self.loops(step, self.half, self.LENGTH).to(DEVICE)))
        logits = compiled(model)(x[:, :-1])
        own, repeated = (over(l, rows, self.NGRAM) for l, rows in zip(logits.split(self.half), x.split(self.half)))
        words = f"({self.words}; text {loss:.3f}, above the bound {own:.3f}, {repeated:.3f})"
        return loss + self.OWN * own + self.REPEATED * repeated, tokens + x.numel(), words


def over(logits, x, n):
    """Mean of -log(1 - (p - bound)) over the tokens that complete an n-gram again. bound: p_1 ** 2 for the second time,
    where p_1 is the probability at the first; p_1 ** 6, and at most 0.2, from then on."""
    count, first = repeats(x, n)
    count, before = count[:, 1:], (first[:, 1:] - 1).clamp(min=0)
    p = torch.gather(logits.float().softmax(-1), 2, x[:, 1:, None])[..., 0]  # of the tokens at 1, 2, ...
    once = p.detach().gather(1, before)
    bound = torch.where(count > 1, (once ** 6).clamp(max=0.2), once ** 2)
    excess = (p - bound).clamp(min=0, max=0.999)[count > 0]
    return -(1 - excess).log().sum() / max(1, len(excess))


class OwnWords(OwnText):
    """What ends loops that `Unloop` leaves: on its own text the model imitates its teacher, itself as it was before, of whom repetition is
    discounted and who comes to an end in time. The text is the student's, written anew as it learns (on-policy
    distillation, Agarwal et al. 2024, arXiv:2306.13649), so that it learns what to do where it is about to loop.

    Discounted is each token that would complete an n-gram again, by so many nats for each time that it did; the end of
    text gains with the length, up to LATE nats, and so comes where the teacher takes it for possible: after a
    statement. Places where the discount moves much probability count more. A third of the rows are lines of the corpus
    repeated, into which the student need not fall any more. Likelihood of the corpus goes on beside.
    """

    NGRAM = 6
    DISCOUNT, LATE = 3.5, 3.0  # nats
    PLACES = 6.0
    WRITE, EVERY, POOL = 48, 10, 240  # texts at once, steps between, texts that are kept
    OWN = 2.0  # weight beside the likelihood

    def __init__(self, teacher, text, loops, prompts, rows):
        self.teacher = copy.deepcopy(teacher).bfloat16().eval()
        super().__init__(prompts)
        self.text, self.loops, self.rows = text, loops, rows
        self.temperature = torch.zeros(self.WRITE, device=DEVICE)
        self.temperature[::4] = 0.5

    def __call__(self, model, step, share):
        if self.texts is None or step % self.EVERY == 0:
            self.keep(self.write(model, step // self.EVERY, self.WRITE, self.temperature)[0])
        text, tokens, _ = self.text(model, step, share)
        own = self.rows * 2 // 3
        pick = np.random.default_rng([4, step]).integers(len(self.texts), size=own)
        x = torch.cat((self.texts[torch.from_numpy(pick).to(DEVICE)],
                       self.loops(step, self.rows - own, self.LENGTH).to(DEVICE)))
        with torch.no_grad():
            teacher = compiled(self.teacher)(x[:, :-1]).float()
            time = torch.arange(teacher.shape[1], device=DEVICE) / teacher.shape[1]
            teacher[..., 0] += self.LATE * time
            p = (teacher - self.DISCOUNT * completions(x, self.NGRAM, teacher.shape[-1])).log_softmax(-1)
            moved = (teacher.softmax(-1) - p.exp()).clamp(min=0).sum(-1)
            # Behind the end of a text others begin: not judged. The token 0 that texts begin with is no end.
            first = (x[:, :1] == 0).long()
            weight = (1 + self.PLACES * moved) * ((x[:, :-1] == 0).cumsum(1) <= first)
        q = compiled(model)(x[:, :-1]).float().log_softmax(-1)
        loss = ((p.exp() * (p - q)).sum(-1) * weight).sum() / weight.sum()
        words = f"({self.words}; text {text:.3f}, own {loss:.3f}, moved {moved.mean():.3f})"
        return text + self.OWN * loss, tokens + x.numel(), words


def completions(x, n, vocab):
    """[batch, time - 1, vocab]: how often each token has followed the n - 1 tokens up to each position before."""
    grams = x.unfold(1, n - 1, 1)[:, :-1]  # end at n - 2 ... time - 2
    same = (grams[:, :, None] == grams[:, None]).all(-1).tril(-1).float()
    following = x[:, n - 1:]
    out = torch.zeros(x.shape[0], x.shape[1] - 1, vocab, device=x.device)
    out[:, n - 2:].scatter_add_(2, following[:, None].expand(-1, same.shape[1], -1), same)
    return out


class Distil:
    """Imitates the teacher: along the corpus until share = begin, which is always new text, then on the teacher's own
    text, where a drafter works (DistillSpec, Zhou et al. 2024): `shards` of (tokens, ids, logits) as teach.py writes
    them. Every fourth step stays with the corpus, so that the drafter still follows text of people."""

    CORPUS = 4

    def __init__(self, teacher, windows, shards, batch, begin):
        self.teacher = copy.deepcopy(teacher).bfloat16().eval()
        self.windows, self.shards, self.batch, self.begin = windows, shards, batch, begin

    def __call__(self, model, step, share):
        if share < self.begin or step % self.CORPUS == 0:
            text = self.windows[step].to(DEVICE)[:, :-1]
            with torch.no_grad():
                teacher, ids = compiled(self.teacher)(text).float().topk(KEPT)
            logits = compiled(model)(text)
        else:
            text, ids, teacher, length = self.shards(step, self.batch)
            text, ids, teacher = text.to(DEVICE), ids.to(DEVICE), teacher.to(DEVICE)
            logits = compiled(model)(text[:, :-1])[:, length - 1:]
        return imitation(logits, ids, teacher).mean(), ids.shape[0] * ids.shape[1], ""
