"""A model that computes what a small llama-architecture model computes, at the cost of a larger one.

Speculation is worth measuring on a target that is slow and agrees with its drafter. Trained ones do not fit a
repository, so this makes one from a small model (Q8_0, tied embeddings): more layers, a wider residual stream, more
heads and feed-forward units, none of which contributes. The tokens, and so the acceptance rate, are the small
model's; the time per pass is that of the stated shape.

What does not contribute is random, never absent: kernels do the same work as for trained weights. "Zero" below means
random quants under a block scale of zero.

  width    The stream of d numbers lies `copies` times in the wider D; the rest of it is zero. RMSNorm then sees a mean
           of squares smaller by copies * d / D: its weights are scaled by the root of that and its epsilon by the
           ratio. `copies` is chosen to make the ratio a power of four: both are then exact in floating point.
  heads    New query heads stand in the group of a key-value head, after the heads that were there; their columns of
           attn_output are zero. Head size and rotation stay as they are, rows of Q and K are copied unpermuted.
  units    New feed-forward units have zero columns in ffn_down.
  layers   New layers follow the old ones; their attn_output and ffn_down are zero.

q8_0 copies the trained blocks: sums are the small model's with zeros added in between, and its logits come out bit
for bit. q4_0 cannot hold a weight of 8 bits in 4, and rounding it would make another model. It holds each trained
weight in three, 16 a + b + c, on inputs that are there three times (copies of the stream, equal heads, equal units):
the small model's function up to the rounding of sums in float, of which a token in some hundreds notices. bf16 keeps
8 bits of a number; a trained weight, scale times quant, has up to 19, and lies in three as well, each the rounding of
what the ones before it leave. The token embedding, which is also the output matrix, stays Q8_0.

Such a file knows nothing that the small model did not: it is for measuring, and its `nacre.cost_shaped` says so.
"""
import shutil
from dataclasses import dataclass

import gguf
import numpy as np

BLOCK = 32  # weights per block, of all types (bf16 has none: any number would do)
Q8 = np.dtype([("d", "<f2"), ("q", "i1", BLOCK)])
Q4 = np.dtype([("d", "<f2"), ("q", "u1", BLOCK // 2)])

BF16 = np.dtype([("w", "<u2", BLOCK)])


@dataclass(frozen=True)
class Type:
    blocks: np.dtype
    code: gguf.GGMLQuantizationType
    file: gguf.LlamaFileType
    parts: int  # weights that hold one trained weight
    spread: float  # standard deviation of a random quant


TYPES = {
    "q8_0": Type(Q8, gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0, parts=1, spread=42),
    "q4_0": Type(Q4, gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0, parts=3, spread=4.6),
    "bf16": Type(BF16, gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16, parts=3, spread=1),
}


class Misfit(Exception):
    """The source cannot be made into the wanted model; says why and what to do."""


@dataclass(frozen=True)
class Shape:
    layers: int
    dim: int
    heads: int
    kv_heads: int
    ffn: int


def write(source_path, out, big, type_name, key):
    """Writes the model to `out`; returns its number of parameters."""
    source = Source(source_path)
    kind = TYPES[type_name]
    wider = Wider(source, big, kind)
    plan = wider.plan()
    parameters = sum(int(np.prod(shape)) for _, shape, _, _ in plan)
    total = sum(nbytes(shape, held) for _, shape, held, _ in plan)
    free = shutil.disk_usage(out.parent).free
    if free < total + (64 << 20):
        raise Misfit(f"{out.parent} has {free >> 20} MiB free and {(total >> 20) + 64} are needed: free some, or set "
                     "NACRE_CACHE to a folder with more")

    writer = gguf.GGUFWriter(out, "llama")
    writer.add_string("nacre.cost_shaped.key", key)  # first, so that it is found without reading the rest
    cost = f"cost of {parameters / 1e6:.0f} M parameters"
    writer.add_string("nacre.cost_shaped", f"{source_path.name}, {cost}")
    changed = wider.fields() | {
        "general.name": f"{source.field('general.name')} at the {cost}",
        "general.file_type": int(kind.file),
    }
    for name, field in source.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            inner = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(name, changed.get(name, field.contents()), field.types[0], sub_type=inner)
    for name, shape, held, _ in plan:
        code = held.code if held else gguf.GGMLQuantizationType.F32
        writer.add_tensor_info(name, shape, np.dtype(np.float32), nbytes(shape, held), raw_dtype=code)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, _, _, weights in plan:  # one at a time: the whole model need not fit in memory
        writer.write_tensor_data(weights())
    writer.close()
    return parameters


def nbytes(shape, held):
    """Bytes of a tensor of quantised type `held` (None: float)."""
    weights = int(np.prod(shape))
    return weights // BLOCK * held.blocks.itemsize if held else weights * 4


class Source:
    """The small model."""

    def __init__(self, path):
        self.path = path
        try:
            reader = gguf.GGUFReader(path)
        except ValueError as error:
            raise Misfit(f"{path} is not a GGUF file ({error}): give another --source") from error
        self.fields = reader.fields
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        if self.field("general.architecture") != "llama" or "output.weight" in self.tensors:
            raise Misfit(f"{path} is not a llama-architecture model with tied embeddings: give another --source")
        self.shape = Shape(self.field("llama.block_count"), self.field("llama.embedding_length"),
                           self.field("llama.attention.head_count"), self.field("llama.attention.head_count_kv"),
                           self.field("llama.feed_forward_length"))

    def field(self, name):
        return self.fields[name].contents()

    def blocks(self, name):
        """A matrix as blocks, [rows, columns / 32]."""
        tensor = self.tensors[name]
        if tensor.tensor_type != gguf.GGMLQuantizationType.Q8_0:
            raise Misfit(f"{name} of {self.path} is {tensor.tensor_type.name}, not Q8_0: give another --source")
        return np.ascontiguousarray(tensor.data).view(Q8)


def split(blocks, kind):
    """Q8_0 blocks as arrays of the wanted type that sum to them exactly."""
    if kind.parts == 1:
        return [blocks]
    if kind.blocks == BF16:
        return split_floats(blocks, kind.parts)
    q = blocks["q"].astype(np.int16)
    a = np.minimum((q + 8) >> 4, 7)
    b = np.minimum(q - 16 * a, 7)
    c = q - 16 * a - b  # 0 ... 8; 4 bits hold -8 ... 7, hence its negative under a negative scale
    d = blocks["d"]
    return [pack(np.float16(16) * d, a), pack(d, b), pack(-d, -c)]


def split_floats(blocks, parts):
    """Q8_0 blocks as bf16 arrays that sum to them exactly: 3 times 8 bits hold the 19 of a scale times a quant."""
    left = blocks["d"].astype(np.float32)[..., None] * blocks["q"]
    arrays = []
    for _ in range(parts):
        part = to_bf16(left)
        left = left - from_bf16(part)
        block = np.empty(blocks.shape, BF16)
        block["w"] = part
        arrays.append(block)
    if left.any():
        raise Misfit("a weight does not fit three bf16 numbers: choose another type")
    return arrays


def to_bf16(numbers):
    """Rounded to even, as bits; numbers are finite."""
    bits = numbers.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def pack(d, values):
    """Q4_0 blocks: the low nibbles are the first half of a block, the high ones the second, all biased by 8."""
    nibbles = (values + 8).astype(np.uint8)
    blocks = np.empty(d.shape, Q4)
    blocks["d"] = d
    blocks["q"] = nibbles[..., :BLOCK // 2] | nibbles[..., BLOCK // 2:] << 4
    return blocks


class Filler:
    """Random matrices, repeated from one tile; its odd length keeps rows from being equal soon."""

    def __init__(self):
        rng = np.random.default_rng(1)
        q8, q4, self.floats = np.zeros(65_537, Q8), np.zeros(65_537, Q4), rng.normal(0, 1, (65_537, BLOCK))
        q8["q"] = np.clip(np.rint(rng.normal(0, TYPES["q8_0"].spread, q8["q"].shape)), -127, 127)
        q4["q"] = rng.integers(0, 256, q4["q"].shape)
        self.tiles = {Q8: q8, Q4: q4}

    def matrix(self, rows, columns, kind, zero=False):
        """Blocks whose products with normed inputs are of order one, or add nothing (`zero`)."""
        scale = 0 if zero else 1 / (kind.spread * columns ** 0.5)
        if kind.blocks == BF16:
            # Here the zeros are absent for once: a float has no scale beside it. Its kernels take no shortcuts.
            tile = np.empty(len(self.floats), BF16)
            tile["w"] = to_bf16(self.floats * scale)
        else:
            tile = self.tiles[kind.blocks].copy()
            tile["d"] = scale
        return np.resize(tile, (rows, columns // BLOCK))


class Wider:
    """The small model inside the larger shape."""

    def __init__(self, source, big, kind):
        self.source, self.small, self.big, self.kind = source, source.shape, big, kind
        self.head = self.small.dim // self.small.heads
        self.copies = self.copies_of_stream()
        self.check()
        self.ratio = self.copies * self.small.dim / big.dim
        self.gain = np.float32(self.ratio ** 0.5)
        self.filler = Filler()

    def copies_of_stream(self):
        """One copy per part at least, and, if there is room, so many that the ratio is a power of four."""
        counts = range(self.kind.parts, self.big.dim // self.small.dim + 1)
        exact = (n for n in counts if any(n * self.small.dim * 4 ** k == self.big.dim for k in range(16)))
        return next(exact, self.kind.parts)

    def check(self):
        small, big, parts = self.small, self.big, self.kind.parts
        faults = {
            "its matrices are not whole blocks of 32": small.dim % BLOCK or self.head % BLOCK or small.ffn % BLOCK,
            f"its heads are {self.head} wide, those of the preset {big.dim // big.heads}":
                big.dim // big.heads != self.head,
            f"it has {small.layers} layers, the preset {big.layers}": small.layers > big.layers,
            f"{self.copies} times {small.dim} is wider than {big.dim}": self.copies * small.dim > big.dim,
            f"it has {small.kv_heads} key-value heads, the preset {big.kv_heads}": small.kv_heads > big.kv_heads,
            f"{parts} times its query heads do not fit the groups":
                small.heads // small.kv_heads * parts > big.heads // big.kv_heads,
            f"{parts} times {small.ffn} feed-forward units do not fit {big.ffn}": small.ffn * parts > big.ffn,
        }
        for fault, is_so in faults.items():
            if is_so:
                raise Misfit(f"{self.source.path.name} does not fit: {fault}: choose another preset or source")

    def fields(self):
        """The metadata that differs from the small model's."""
        return {
            "llama.block_count": self.big.layers,
            "llama.embedding_length": self.big.dim,
            "llama.attention.head_count": self.big.heads,
            "llama.attention.head_count_kv": self.big.kv_heads,
            "llama.feed_forward_length": self.big.ffn,
            "llama.attention.layer_norm_rms_epsilon":
                self.source.field("llama.attention.layer_norm_rms_epsilon") * self.ratio,
        }

    def plan(self):
        """All tensors: name, shape, quantised type (None: float) and what makes the weights."""
        words, dim = self.source.field("llama.vocab_size"), self.big.dim
        plan = [("token_embd.weight", (words, dim), TYPES["q8_0"], lambda: self.embedding(words)),
                ("output_norm.weight", (dim,), None, lambda: self.norm("output_norm.weight", 1))]
        for layer in range(self.big.layers):
            plan += self.layer(f"blk.{layer}.", is_new=layer >= self.small.layers)
        return plan

    def layer(self, prefix, is_new):
        big, kv = self.big, self.big.kv_heads * self.head
        rows_kv = [(0, 0, self.small.kv_heads * self.head)]
        heads, units = self.heads(), self.units()

        def norm(name):
            name = f"{prefix}{name}.weight"
            copies_read = 0 if is_new else self.kind.parts
            return name, (big.dim,), None, lambda: self.norm(name, copies_read)

        def matrix(name, rows, columns, place, places):
            name = f"{prefix}{name}.weight"
            adds = name.endswith(("output.weight", "down.weight"))
            fill = lambda: self.filler.matrix(rows, columns, self.kind, zero=adds)
            return name, (rows, columns), self.kind, fill if is_new else lambda: place(name, fill(), places)

        return [
            norm("attn_norm"),
            matrix("attn_q", big.dim, big.dim, self.reading, sum(heads, [])),
            matrix("attn_k", kv, big.dim, self.reading, rows_kv),
            matrix("attn_v", kv, big.dim, self.reading, rows_kv),
            matrix("attn_output", big.dim, big.dim, self.writing, heads),
            norm("ffn_norm"),
            matrix("ffn_gate", big.ffn, big.dim, self.reading, sum(units, [])),
            matrix("ffn_up", big.ffn, big.dim, self.reading, sum(units, [])),
            matrix("ffn_down", big.dim, big.ffn, self.writing, units),
        ]

    def heads(self):
        """For each part, where the trained query heads go: (old first row, new first row, rows)."""
        group, small_group = self.big.heads // self.big.kv_heads, self.small.heads // self.small.kv_heads
        def place(query, part):
            kv_head, offset = divmod(query, small_group)
            return query * self.head, (kv_head * group + part * small_group + offset) * self.head, self.head
        return [[place(query, part) for query in range(self.small.heads)] for part in range(self.kind.parts)]

    def units(self):
        """For each part, where the trained feed-forward units go."""
        return [[(0, part * self.small.ffn, self.small.ffn)] for part in range(self.kind.parts)]

    def reading(self, name, matrix, places):
        """Puts a trained matrix that reads the stream into `matrix`: part k of a weight reads copy k."""
        trained = np.concatenate(split(self.source.blocks(name), self.kind), axis=1)
        for old, new, count in places:
            matrix[new:new + count, :trained.shape[1]] = trained[old:old + count]
        return matrix

    def writing(self, name, matrix, places):
        """Puts a trained matrix that adds to the stream into `matrix`: all parts add to all copies."""
        for trained, places_of_part in zip(split(self.source.blocks(name), self.kind), places):
            for old, new, count in places_of_part:
                old, new, count = old // BLOCK, new // BLOCK, count // BLOCK
                rows = self.copies * self.small.dim
                matrix[:rows, new:new + count] = np.tile(trained[:, old:old + count], (self.copies, 1))
        return matrix

    def norm(self, name, copies_read):
        """Norm weights: zero where a copy is not read, any number where the stream is zero anyway."""
        weights = np.full(self.big.dim, self.gain, np.float32)
        if copies_read:
            weights[:self.copies * self.small.dim] = 0
            weights[:copies_read * self.small.dim] = np.tile(self.source.tensors[name].data * self.gain, copies_read)
        return weights

    def embedding(self, words):
        """The stream's copies, zero beside them."""
        trained = self.source.blocks("token_embd.weight")
        matrix = self.filler.matrix(words, self.big.dim, TYPES["q8_0"], zero=True)
        matrix[:, :self.copies * self.small.dim // BLOCK] = np.tile(trained, self.copies)
        return matrix
