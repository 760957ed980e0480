"""The loop that all training stages share: a budget of running time, a learning rate that follows it, checkpoints."""
import functools
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from model import Llama, Shape
from optim import Optimiser

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CHECKPOINT_SECONDS = 120
PAUSE_SECONDS = 60  # a longer step was a stopped process: only so much of it counts


@functools.cache
def compiled(model):
    """The model with fused kernels where a compiler for them is at hand. Worth 20 % on a CPU."""
    return torch.compile(model, dynamic=False) if DEVICE == "cuda" or shutil.which("g++") else model


def autocast():
    return torch.autocast(DEVICE, dtype=torch.bfloat16)


def say(text):
    print(text, file=sys.stderr, flush=True)


@dataclass
class Stage:
    name: str
    seconds: float  # of running time
    rate: float  # peak learning rate
    warmup: int = 50  # steps
    flat: float = 0.4  # share of the time at the peak, then linearly to the floor
    floor: float = 0.02  # of the peak


def learning_rate(stage, step, share):
    down = min(1.0, max(stage.floor, (1 - share) / (1 - stage.flat)))
    return stage.rate * min(1.0, (step + 1) / stage.warmup) * down


def load(path):
    """(model, notes) of a checkpoint. notes: tokens seen by stage, losses."""
    saved = torch.load(path, map_location=DEVICE, weights_only=True)
    model = Llama(Shape(**saved["shape"])).to(DEVICE)
    model.load_state_dict(saved["model"])
    return model, saved["notes"]


def save(path, model, notes, **more):
    new = Path(f"{path}.new")
    torch.save(dict(shape=model.shape.dict(), model=model.state_dict(), notes=notes, **more), new)
    os.replace(new, path)


def train(stage, start, out, loss_of):
    """Trains for the stage's budget and leaves `out` (a checkpoint). Goes on from out.part if there is one.

    start() -> (model, notes) to begin with. loss_of(model, step, share) -> (loss, tokens, words for the log), where
    share in [0, 1] is how much of the budget has gone.
    """
    if out.exists():
        return load(out)
    part, step, spent, tokens = Path(f"{out}.part"), 0, 0.0, 0
    if part.exists():
        saved = torch.load(part, map_location=DEVICE, weights_only=True)
        model, notes = load(part)
        optimiser = Optimiser(model)
        optimiser.load_state_dict(saved["optimiser"])
        step, spent, tokens = saved["step"], saved["spent"], saved["tokens"]
        say(f"{stage.name}: goes on at step {step}, {spent / 60:.1f} minutes spent")
    else:
        model, notes = start()
        optimiser = Optimiser(model)
    mean, kept, began, told, first = None, spent, time.monotonic(), spent, tokens
    session = spent
    while spent < stage.seconds:
        share = spent / stage.seconds
        with autocast():
            loss, count, words = loss_of(model, step, share)
        loss.backward()
        optimiser.step(learning_rate(stage, step, share))
        step, tokens = step + 1, tokens + count
        now = time.monotonic()
        spent, began = spent + min(now - began, PAUSE_SECONDS), now
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        if spent - told > 20:
            told = spent
            say(f"{stage.name}: {spent / 60:.1f} of {stage.seconds / 60:.1f} minutes, step {step}, loss {mean:.3f}, "
                f"{(tokens - first) / (spent - session):.0f} tokens/s {words}")
        if spent - kept > CHECKPOINT_SECONDS:
            kept = spent
            save(part, model, notes, optimiser=optimiser.state_dict(), step=step, spent=spent, tokens=tokens)
    notes = {**notes, stage.name: dict(tokens=tokens, steps=step, loss=round(mean, 4) if mean else None)}
    save(out, model, notes)
    part.unlink(missing_ok=True)
    return model, notes
