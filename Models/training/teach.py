"""Text that the target writes, with its likeliest tokens at each position: what drafters are taught from."""
import itertools
import time

import numpy as np
import torch

from generate import generate
from objectives import KEPT
from trainer import DEVICE, say

LENGTHS = (8, 24, 64, 128)  # of prompts
COUNT = 160  # tokens written after each
TEMPERATURES = (0.0, 0.0, 0.0, 0.8)  # by turns of the rows


def teach(model, prompts, folder, seconds, batch=96):
    """Writes folder/N.npz until the time is used: text [batch, length + COUNT], ids and logits [batch, COUNT, KEPT]."""
    folder.mkdir(exist_ok=True)
    model = model.to(torch.bfloat16).eval()
    temperature = torch.tensor([TEMPERATURES[i % len(TEMPERATURES)] for i in range(batch)], device=DEVICE)
    done = len(list(folder.glob("*.npz")))
    clock = folder / "seconds"  # used so far, of an interrupted run too
    spent = float(clock.read_text()) if clock.exists() else 0.0
    for n in itertools.count(done):
        if spent > seconds:
            break
        began = time.monotonic()
        # Rows of a batch come by kinds (see Prompts), temperatures by turns: each gets all temperatures.
        start = prompts(n, batch, LENGTHS[n % len(LENGTHS)]).to(DEVICE)
        text, (ids, logits) = generate(model, start, COUNT, temperature, KEPT)
        new = folder / f"{n}.tmp"
        with open(new, "wb") as f:
            np.savez(f, text=text.cpu().numpy().astype(np.uint16), ids=ids.cpu().numpy().astype(np.uint16),
                     logits=logits.cpu().numpy().astype(np.float16))
        new.rename(folder / f"{n}.npz")
        spent += min(time.monotonic() - began, 60)
        clock.write_text(str(spent))
        if n % 5 == 0:
            say(f"teach: {spent / 60:.1f} of {seconds / 60:.1f} minutes, {(n + 1) * batch * COUNT:,} tokens written")


class Shards:
    """Batches of what teach() wrote; every pass in another order."""

    def __init__(self, folder):
        load = lambda p: dict(np.load(p))
        self.shards = [load(p) for p in sorted(folder.glob("*.npz"), key=lambda p: int(p.stem))]

    def __call__(self, step, batch):
        """(text [batch, length + COUNT], ids, logits [batch, COUNT, KEPT], length)."""
        rows = len(self.shards[0]["text"])
        parts = rows // batch
        number, at = divmod(step, parts * len(self.shards))
        shard, part = divmod(int(np.random.default_rng([1, number]).permutation(parts * len(self.shards))[at]), parts)
        pick = np.random.default_rng([2, number, shard]).permutation(rows)[part * batch:(part + 1) * batch]
        text, ids, logits = (torch.from_numpy(self.shards[shard][k][pick].astype(t)) for k, t in
                             (("text", np.int64), ("ids", np.int64), ("logits", np.float32)))
        return text, ids, logits, text.shape[1] - ids.shape[1]

    def texts(self):
        """The texts of all rows, as token lists without the 0 before each. Where the target ended one, another began."""
        for s in self.shards:
            for row in s["text"]:
                for text in np.split(row, np.flatnonzero(row == 0)):
                    if len(text) > 1:
                        yield text[text != 0].tolist()
