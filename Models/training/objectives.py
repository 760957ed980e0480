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


class OwnWords:
    """What ends loops: on its own text the model imitates its teacher, itself as it was before, of whom repetition is
    discounted and who comes to an end in time. The text is the student's, written anew as it learns (on-policy
    distillation, Agarwal et al. 2024, arXiv:2306.13649), so that it learns what to do where it is about to loop.

    Discounted is each token that would complete an n-gram again, by so many nats for each time that it did; the end of
    text gains at once, and more with the length, and so comes where the teacher takes it for possible: after a
    statement. Places where the discount moves much probability count more. A third of the rows are lines of the corpus
    repeated, into which the student need not fall any more. Likelihood of the corpus goes on beside.

    The teacher stays a language model, and so does who imitates it. Pushing the probability of repetitions down for its
    own sake (as unlikelihood does) ends loops too, but leads to a model that knows nothing else to say: evaluate.py
    tells it by the mean probability of the tokens that are chosen.
    """

    NGRAM, LENGTH, LENGTHS = 6, 160, (8, 12, 16, 24, 32, 48)  # LENGTHS: of the prompts, by turns
    DISCOUNT, END, LATE = 5.0, 1.0, 9.0  # nats
    PLACES = 6.0
    WRITE, EVERY, POOL = 48, 10, 240  # texts at once, steps between, texts that are kept
    TEXT, OWN = 0.5, 2.0  # weights of the corpus and of its own text

    def __init__(self, teacher, text, loops, prompts, rows):
        self.teacher = copy.deepcopy(teacher).bfloat16().eval()
        self.text, self.loops, self.prompts, self.rows = text, loops, prompts, rows
        self.texts, self.shares, self.words = None, [], ""
        self.temperature = torch.zeros(self.WRITE, device=DEVICE)
        self.temperature[::4] = 0.5

    @torch.no_grad()
    def write(self, model, turn):
        """WRITE texts of LENGTH tokens into the pool; and how many loop and end."""
        length = self.LENGTHS[turn % len(self.LENGTHS)]
        with torch.autocast(DEVICE, enabled=False):
            prompts = self.prompts(turn * self.EVERY, self.WRITE, length).to(DEVICE)
            texts, _ = generate(copy.deepcopy(model).bfloat16(), prompts, self.LENGTH - length, self.temperature)
        new = texts[:, length:]
        ended = (new == 0).cumsum(1) > 0
        again = ((repeats(new) > 1) & ~ended).any(1)  # three times: what evaluate.py calls a loop
        self.shares.append((again[self.temperature == 0].float().mean().item(), ended.any(1).float().mean().item()))
        loop, end = (sum(s) / len(s) for s in zip(*self.shares[-6:]))
        self.words = f"{loop:.2f} of texts loop, {end:.2f} end"
        self.texts = torch.cat((self.texts, texts))[-self.POOL:] if self.texts is not None else texts

    def __call__(self, model, step, share):
        if self.texts is None or step % self.EVERY == 0:
            self.write(model, step // self.EVERY)
        text, tokens, _ = self.text(model, step, share)
        own = self.rows * 2 // 3
        pick = np.random.default_rng([4, step]).integers(len(self.texts), size=own)
        x = torch.cat((self.texts[torch.from_numpy(pick).to(DEVICE)],
                       self.loops(step, self.rows - own, self.LENGTH).to(DEVICE)))
        with torch.no_grad():
            teacher = compiled(self.teacher)(x[:, :-1]).float()
            time = torch.arange(teacher.shape[1], device=DEVICE) / teacher.shape[1]
            teacher[..., 0] += self.END + self.LATE * time
            p = (teacher - self.DISCOUNT * completions(x, self.NGRAM, teacher.shape[-1])).log_softmax(-1)
            moved = (teacher.softmax(-1) - p.exp()).clamp(min=0).sum(-1)
            # Behind the end of a text others begin: not judged. The token 0 that texts begin with is no end.
            first = (x[:, :1] == 0).long()
            weight = (1 + self.PLACES * moved) * ((x[:, :-1] == 0).cumsum(1) <= first)
        q = compiled(model)(x[:, :-1]).float().log_softmax(-1)
        loss = ((p.exp() * (p - q)).sum(-1) * weight).sum() / weight.sum()
        words = f"({self.words}; text {text:.3f}, own {loss:.3f}, moved {moved.mean():.3f})"
        return self.TEXT * text + self.OWN * loss, tokens + x.numel(), words


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
    them. Every fourth step stays with the corpus, so that the drafter still follows text of people. What the teacher
    writes behind the end of a text, the next one, counts like other text: jobs may go on there."""

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
