"""Shapes of the three models and sizes of the batches, for a CPU and for a GPU."""
from dataclasses import dataclass

from model import Shape


@dataclass
class Preset:
    target: Shape
    drafter: Shape  # of another width or number of units than the target it takes no weights from it: noise
    other: Shape
    batch: int  # windows of 256 tokens per step of the target
    teach_batch: int
    drafter_batch: int
    rate: float


PRESETS = {
    "cpu": Preset(Shape(4096, 256, 8, 4, 768), Shape(4096, 256, 3, 4, 768, kv_heads=2), Shape(1536, 128, 2, 2, 384),
                  batch=24, teach_batch=96, drafter_batch=24, rate=2e-3),
    # 20.7 M parameters: 22 MB at 8 bits.
    "gpu": Preset(Shape(4096, 384, 10, 6, 1152), Shape(4096, 384, 1, 6, 640), Shape(1536, 192, 2, 3, 512),
                  batch=256, teach_batch=768, drafter_batch=96, rate=2.5e-3),
}

# Of the time budget. What is left is for the corpus, the vocabularies and the evaluation.
SHARES = dict(target=0.30, own=0.24, teach=0.10, drafter=0.24, other=0.05)
