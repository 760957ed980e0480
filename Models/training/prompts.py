"""Beginnings of text for the model to go on with, out of a token stream."""
import numpy as np

from data import rows


class Prompts:
    """Half are random places; half begin a document with a `def` or `class` line from somewhere in the stream, since a
    short prompt without context is what people type and where a small model falls into loops first."""

    def __init__(self, tokens, tokenizer, seed):
        starts = [i for i in map(tokenizer.token_to_id, ("def", "class", "async")) if i is not None]
        self.tokens, self.seed = tokens, seed
        is_start = np.isin(tokens, starts)
        newline = np.array(["Ċ" in tokenizer.id_to_token(i)[-1:] for i in range(tokenizer.get_vocab_size())])
        self.headers = np.flatnonzero(is_start[1:] & newline[tokens[:-1]])  # the token before the header

    def __call__(self, step, batch, length):
        """[batch, length] tokens, each row from 0 (end of text) on."""
        rng = np.random.default_rng([self.seed, step])
        room = len(self.tokens) - length - 1
        headers = self.headers[self.headers < room]
        starts = np.concatenate((rng.choice(headers, batch // 2), rng.integers(0, room, batch - batch // 2)))
        out = rows(self.tokens, starts, length)
        out[:, 0] = 0
        return out
