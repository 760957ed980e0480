"""Models in and out of GGUF files, and vocabularies with them."""
import gguf
import numpy as np
import torch

import vocabulary
from model import CONTEXT, EPS, ROPE_BASE, Llama, Shape

TYPES = {"q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
         "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
         "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32)}


def read(path):
    """The model in a GGUF that write() made, as float32."""
    reader = gguf.GGUFReader(path)
    number = lambda key: int(reader.fields[f"llama.{key}"].contents())
    tensors = {t.name: torch.from_numpy(gguf.dequantize(t.data, t.tensor_type).astype(np.float32).copy())
               for t in reader.tensors}
    model = Llama(Shape(vocab=tensors["token_embd.weight"].shape[0], dim=number("embedding_length"),
                        layers=number("block_count"), heads=number("attention.head_count"),
                        ffn=number("feed_forward_length"), kv_heads=number("attention.head_count_kv")))
    model.load_state_dict(tensors)
    return model


def write(path, model, tokenizer, name, kind="q8_0"):
    s, w = model.shape, gguf.GGUFWriter(path, "llama")
    w.add_name(name)
    w.add_license("apache-2.0")
    w.add_context_length(CONTEXT)
    w.add_embedding_length(s.dim)
    w.add_block_count(s.layers)
    w.add_feed_forward_length(s.ffn)
    w.add_head_count(s.heads)
    w.add_head_count_kv(s.kv_heads or s.heads)
    w.add_rope_dimension_count(s.dim // s.heads)
    w.add_rope_freq_base(ROPE_BASE)
    w.add_layer_norm_rms_eps(EPS)
    w.add_vocab_size(s.vocab)
    tokens, merges = vocabulary.tables(tokenizer)
    if len(tokens) != s.vocab:
        raise ValueError(f"the vocabulary has {len(tokens)} tokens, the model {s.vocab}: they do not belong together")
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([gguf.TokenType.CONTROL] + [gguf.TokenType.NORMAL] * (len(tokens) - 1))
    w.add_token_merges(merges)
    w.add_bos_token_id(0)
    w.add_eos_token_id(0)
    w.add_add_bos_token(True)
    w.add_add_eos_token(False)
    matrix, file = TYPES[kind]
    w.add_file_type(file)
    for tensor, value in model.state_dict().items():
        array = value.float().cpu().numpy()
        if array.ndim == 1:
            w.add_tensor(tensor, array)
        else:
            w.add_tensor(tensor, gguf.quants.quantize(array, matrix), raw_dtype=matrix)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
