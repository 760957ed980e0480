"""Token streams on disk, and batches from them."""
import ast
import warnings

import numpy as np
import torch


def encode(text_file, tokenizer, out):
    """Writes the NUL-ended documents of a file as uint16 tokens, each after a token 0."""
    write(text_file.read_text().split("\0")[:-1], tokenizer, out)


def write(documents, tokenizer, out):
    new = out.with_suffix(".new")
    with open(new, "wb") as f:
        for i in range(0, len(documents), 200):
            for e in tokenizer.encode_batch(documents[i:i + 200]):
                np.array([0] + e.ids, dtype=np.uint16).tofile(f)
    new.rename(out)  # what has its name is complete


UNIT_CHARACTERS = (60, 4000)
SHORT_CHARACTERS = (60, 600)


def units(documents, characters=UNIT_CHARACTERS):
    """The functions and classes at the outer level of documents, each by itself: what a short prompt begins, and how it
    ends."""
    for document in documents:
        try:
            with warnings.catch_warnings(action="ignore"):
                nodes = ast.parse(document).body
        except SyntaxError:  # of a later Python than this one
            continue
        lines = document.split("\n")
        for node in nodes:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                first = min([node.lineno] + [d.lineno for d in node.decorator_list])
                text = "\n".join(lines[first - 1:node.end_lineno]) + "\n"
                if characters[0] <= len(text) <= characters[1]:
                    yield text


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
        return rows(self.tokens, self.starts(step), self.length + 1)

    def starts(self, step):
        number, at = divmod(step, self.per_pass)
        if self.order[0] != number:
            rng = np.random.default_rng([self.seed, number])
            offset = int(rng.integers(self.length))
            self.order = (number, offset + self.length * rng.permutation(self.per_pass * self.batch))
        return self.order[1][at * self.batch:(at + 1) * self.batch]


class Beginnings(Windows):
    """Windows that are moved on to the next beginning of a document: row 0 is always token 0."""

    def __init__(self, tokens, length, batch, seed=0):
        super().__init__(tokens, length, batch, seed)
        self.zeros = np.flatnonzero(tokens[:len(tokens) - length - 1] == 0)

    def starts(self, step):
        return self.zeros[np.searchsorted(self.zeros, super().starts(step)) % len(self.zeros)]


class Both:
    """Rows of two sources of batches in one."""

    def __init__(self, *sources):
        self.sources = sources

    def __getitem__(self, step):
        return torch.cat([s[step] for s in self.sources])
