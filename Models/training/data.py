"""Token streams on disk, and batches from them."""
import numpy as np
import torch


def encode(text_file, tokenizer, out):
    """Writes the NUL-ended documents of a file as uint16 tokens, each after a token 0."""
    documents = text_file.read_text().split("\0")[:-1]
    with open(out, "wb") as f:
        for i in range(0, len(documents), 200):
            for e in tokenizer.encode_batch(documents[i:i + 200]):
                np.array([0] + e.ids, dtype=np.uint16).tofile(f)


def stream(path):
    return np.memmap(path, dtype=np.uint16, mode="r")


def rows(tokens, starts, length):
    return torch.from_numpy(np.stack([tokens[i:i + length] for i in starts]).astype(np.int64))


class Windows:
    """Batches of windows of `length` + 1 tokens. Each pass through the stream has its own order and its own offset;
    the batch of a step depends on the step alone, so a resumed run goes on where it was."""

    def __init__(self, tokens, length, batch, seed=0):
        self.tokens, self.length, self.batch, self.seed = tokens, length, batch, seed
        self.per_pass = (len(tokens) - 2 * length - 1) // length // batch
        self.order = (-1, None)

    def __getitem__(self, step):
        number, at = divmod(step, self.per_pass)
        if self.order[0] != number:
            rng = np.random.default_rng([self.seed, number])
            offset = int(rng.integers(self.length))
            self.order = (number, offset + self.length * rng.permutation(self.per_pass * self.batch))
        return rows(self.tokens, self.order[1][at * self.batch:(at + 1) * self.batch], self.length + 1)
