"""What the stages minimise. Each is called by trainer.train as (model, step, share) -> (loss, tokens, words)."""
import copy

import torch
import torch.nn.functional as F

from generate import blocked, generate, repeats
from trainer import DEVICE, compiled


def next_token_loss(logits, targets):
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


def imitation(logits, ids, teacher):
    """KL(teacher || student) at each position; the teacher by its likeliest tokens (ids, logits: [..., kept])."""
    p = teacher.softmax(-1)  # of the kept tokens: what is outside has next to no mass
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


class Unloop:
    """Teaches a model to write without loops what it would write with n-gram blocking (Paulus et al. 2017,
    arXiv:1705.04304, section 2.5), on its own text (Agarwal et al. 2023, arXiv:2306.13649).

    The student goes on greedily with prompts; the teacher is the model as it was, whose distribution at each position
    leaves out the tokens that would complete an n-gram for the second time. The teacher stays, so the text cannot drift
    away; unlikelihood training alone (Welleck et al. 2019) made these small models collapse into babble.
    A batch of texts serves REUSE steps, a part in each: writing costs as much as learning.
    """

    NGRAM, REUSE, LENGTH, KEPT = 8, 4, 160, 24

    def __init__(self, teacher, likelihood, prompts, batch):
        self.teacher, self.likelihood, self.prompts, self.batch = teacher, likelihood, prompts, batch
        self.parts, self.words = [], ""

    @torch.no_grad()
    def write(self, model, step):
        turn = step // self.REUSE
        length = (8, 16, 24, 32, 48)[turn % 5]
        prompts = self.prompts(step, self.batch, length).to(DEVICE)
        with torch.autocast(DEVICE, enabled=False):
            # By turns as it will write, and led past its loops to where it would fall into the next one.
            text, _ = generate(copy.deepcopy(model).bfloat16(), prompts, self.LENGTH - length, block=self.NGRAM * (turn % 2))
        if turn % 2 == 0:
            looping = (repeats(text, self.NGRAM)[:, length:] > 1).any(1)  # three times: what evaluate.py calls a loop
            self.words = f"({looping.float().mean():.2f} of texts loop)"
        logits = self.teacher(text[:, :-1]).float()
        rows, at, tokens = blocked(text, self.NGRAM)
        late = at >= length - 1
        rows, at, tokens = rows[late], at[late], tokens[late]
        logits[rows, at, tokens] = -torch.inf
        seam = torch.zeros(text.shape[0], text.shape[1] - 1, dtype=torch.bool, device=text.device)
        seam[rows, at] = True
        values, ids = logits.topk(self.KEPT)
        # Neighbouring rows are of one kind (see Prompts): every part gets rows of both.
        self.parts = [tuple(x[i::self.REUSE] for x in (text, ids, values, seam)) for i in range(self.REUSE)]
        self.length = length

    def __call__(self, model, step, share):
        loss, tokens, _ = self.likelihood(model, step, share)
        if not self.parts:
            self.write(model, step)
        text, ids, values, seam = self.parts.pop()
        divergence = imitation(compiled(model)(text[:, :-1]), ids, values)[:, self.length - 1:]
        seam = seam[:, self.length - 1:]
        # Places with a blocked token are few, and count as much as all others.
        loss = loss + sum(divergence[m].mean() for m in (seam, ~seam) if m.any())
        return loss, tokens, self.words


class Distil:
    """Imitates the teacher on its own text: `shards` of (tokens, ids, logits) as teach.py writes them."""

    def __init__(self, shards, batch):
        self.shards, self.batch = shards, batch

    def __call__(self, model, step, share):
        text, ids, teacher, length = self.shards(step, self.batch)
        text, ids, teacher = text.to(DEVICE), ids.to(DEVICE), teacher.to(DEVICE).float()
        logits = compiled(model)(text[:, :-1])[:, length - 1:]
        return imitation(logits, ids, teacher).mean(), ids.shape[0] * ids.shape[1], ""
