#!/usr/bin/env python3
"""Write a model with the first N tokens of another one's vocabulary: its weights, fewer rows.

For tests of drafters and targets of tiny vocabularies (bridge `slrs`). The first 257 tokens of the shipped models are
the end of text and the bytes, and merges follow in the order in which they were learnt: any N from 257 on is a
byte-level vocabulary that spells every text. What such a model says means little, as it was trained on longer tokens.

  cut_vocabulary.py MODEL.gguf 257 bytes.gguf
"""
import argparse

import gguf

ROWS = ("token_embd.weight", "output.weight")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("tokens", type=int)
    parser.add_argument("out")
    options = parser.parse_args()
    reader = gguf.GGUFReader(options.model)
    fields = reader.fields
    pieces = fields["tokenizer.ggml.tokens"].contents()
    if not 1 <= options.tokens <= len(pieces):
        parser.error(f"{options.model} has {len(pieces)} tokens")
    kept = set(pieces[:options.tokens])
    writer = gguf.GGUFWriter(options.out, fields["general.architecture"].contents())
    for key, field in fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        value, kind = field.contents(), field.types[0]
        if key == "tokenizer.ggml.merges":
            value = [merge for merge in value if merge.replace(" ", "") in kept]
        elif key.startswith("tokenizer.") and kind == gguf.GGUFValueType.ARRAY and len(value) == len(pieces):
            value = value[:options.tokens]
        elif key.endswith(".vocab_size"):
            value = options.tokens
        elif key.endswith("_token_id") and value >= options.tokens:
            continue
        if kind == gguf.GGUFValueType.ARRAY:
            if len(value) > 0:
                writer.add_key_value(key, list(value), kind, sub_type=field.types[-1])
        else:
            writer.add_key_value(key, value, kind)
    for tensor in reader.tensors:
        data = tensor.data[:options.tokens] if tensor.name in ROWS else tensor.data
        writer.add_tensor(tensor.name, data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
