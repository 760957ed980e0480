"""Beginnings of text for the model to go on with, out of a token stream."""
import numpy as np
import torch

from data import rows


class Prompts:
    """A share are random places; the others begin a document with a `def` or `class` line from somewhere in the
    stream, since a short prompt without context is what people type and where a small model falls into loops first."""

    def __init__(self, tokens, tokenizer, seed, places=0.25):
        """places: the share of random places."""
        starts = [i for i in map(tokenizer.token_to_id, ("def", "class", "async")) if i is not None]
        self.tokens, self.seed, self.places = tokens, seed, places
        is_start = np.isin(tokens, starts)
        words = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
        self.newline = np.array(["Ċ" in w for w in words])  # alone or with the indentation that follows
        at_margin = np.array([w.endswith("Ċ") for w in words])
        self.headers = np.flatnonzero(is_start[1:] & at_margin[tokens[:-1]])  # the token before the header

    def __call__(self, step, batch, length):
        """[batch, length] tokens, each row from 0 (end of text) on."""
        rng = np.random.default_rng([self.seed, step])
        room = len(self.tokens) - length - 1
        headers = self.headers[self.headers < room]
        places = int(self.places * batch)
        starts = np.concatenate((rng.choice(headers, batch - places), rng.integers(0, room, places)))
        out = rows(self.tokens, starts, length)
        out[:, 0] = 0
        return out


class Loops:
    """Texts that go on with some lines of theirs again and again."""

    PERIOD = (4, 48)  # tokens

    def __init__(self, tokens, newline, seed):
        """newline [vocab]: tokens that hold a line break, and the indentation after it."""
        self.tokens, self.newline, self.seed = tokens, newline, seed
        self.zeros = np.flatnonzero(tokens[:len(tokens) - 512] == 0)

    def __call__(self, step, batch, length):
        """[batch, length] tokens, each row the beginning of a document up to the end of some line, then a loop."""
        rng = np.random.default_rng([self.seed, step])
        out = []
        while len(out) < batch:
            at = rng.choice(self.zeros)
            text = np.asarray(self.tokens[at:at + length // 2], dtype=np.int64)
            breaks = np.flatnonzero(self.newline[text])
            # From line break to line break with the same indentation, so that a repetition is well-formed.
            pairs = [(i, j) for i in breaks for j in breaks
                     if text[i] == text[j] and self.PERIOD[0] <= j - i <= self.PERIOD[1] and not (text[1:j + 1] == 0).any()]
            if pairs:
                i, j = pairs[rng.integers(len(pairs))]
                out.append(np.concatenate((text[:i + 1], np.tile(text[i + 1:j + 1], length)))[:length])
        return torch.from_numpy(np.stack(out))
