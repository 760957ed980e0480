"""Byte-level BPE vocabularies: trained here, or taken from a GGUF. Token 0 is <|endoftext|>."""
import gguf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END = "<|endoftext|>"


def byte_level(bpe):
    tokenizer = Tokenizer(bpe)
    # llama.cpp's "gpt-2" pre-tokeniser splits by the same expression.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def trained(documents, size):
    tokenizer = byte_level(models.BPE())
    tokenizer.train_from_iterator(documents, trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return tokenizer


def tables(tokenizer):
    """(tokens by id, merges as 'left right'): what a GGUF keeps."""
    import json
    spec = json.loads(tokenizer.to_str())["model"]
    tokens = [t for t, _ in sorted(spec["vocab"].items(), key=lambda kv: kv[1])]
    return tokens, [m if isinstance(m, str) else " ".join(m) for m in spec["merges"]]


def from_gguf(path):
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = byte_level(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.add_special_tokens([END])
    return tokenizer
