"""A llama-architecture language model: RMSNorm, rotary attention, SwiGLU, tied embeddings. Names follow GGUF's."""
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

EPS = 1e-5
ROPE_BASE = 10_000.0
CONTEXT = 2048


@dataclass
class Shape:
    vocab: int = 4096
    dim: int = 256
    layers: int = 8
    heads: int = 4
    ffn: int = 768
    kv_heads: int = 0  # 0: as many as heads

    def dict(self):
        return asdict(self)


class Norm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return F.rms_norm(x, x.shape[-1:], self.weight.to(x.dtype), EPS)


def rotate(x, cos, sin):
    """Rotary position embedding on neighbouring pairs, the order in which llama GGUF files keep them."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


def attention(q, k, v):
    """One new token sees the whole cache; several must start at position 0 and each sees those before it.
    Query heads share key-value heads by groups of neighbours (Ainslie et al. 2023), as in llama.cpp."""
    t = q.shape[2]
    if k.shape[1] < q.shape[1]:
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, is_causal=t > 1)
    # On a CPU, and for short contexts, the plain form is faster than the blocked one: 1.5 times in the backward pass.
    b, h, _, d = q.shape
    q, k, v = (x.reshape(b * h, -1, d) for x in (q, k, v))
    if t == 1:
        scores = (q @ k.mT) * d ** -0.5
    else:
        mask = torch.full((t, t), -torch.inf, dtype=q.dtype).triu(1).expand(b * h, t, t)
        scores = torch.baddbmm(mask, q, k.mT, alpha=d ** -0.5)
    return (F.softmax(scores, -1) @ v).view(b, h, t, d)


class Layer(nn.Module):
    def __init__(self, s):
        super().__init__()
        kv = s.dim // s.heads * (s.kv_heads or s.heads)
        linear = lambda i, o: nn.Linear(i, o, bias=False)
        self.attn_norm, self.ffn_norm = Norm(s.dim), Norm(s.dim)
        self.attn_q, self.attn_k, self.attn_v = linear(s.dim, s.dim), linear(s.dim, kv), linear(s.dim, kv)
        self.attn_output, self.head = linear(s.dim, s.dim), s.dim // s.heads
        self.ffn_gate, self.ffn_up, self.ffn_down = linear(s.dim, s.ffn), linear(s.dim, s.ffn), linear(s.ffn, s.dim)

    def forward(self, x, cos, sin, cache=None, at=0):
        """x: [batch, time, dim]; cos, sin: [time, head / 2]. cache: (keys, values), [batch, heads, room, head]."""
        b, t, d = x.shape
        h = self.attn_norm(x)
        q, k, v = (w(h).view(b, t, -1, self.head).transpose(1, 2) for w in (self.attn_q, self.attn_k, self.attn_v))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            cache[0][:, :, at:at + t], cache[1][:, :, at:at + t] = k, v
            k, v = cache[0][:, :, :at + t], cache[1][:, :, :at + t]
        y = attention(q, k, v)
        x = x + self.attn_output(y.transpose(1, 2).reshape(b, t, d))
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Llama(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocab, shape.dim)
        self.blk = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape.dim)
        half = shape.dim // shape.heads // 2
        angle = torch.outer(torch.arange(CONTEXT).float(), ROPE_BASE ** -(torch.arange(half).float() / half))
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                residual = name.endswith(("attn_output.weight", "ffn_down.weight"))
                scale = 1 / math.sqrt(2 * shape.layers) if residual else 1
                nn.init.normal_(p, std=0.02 if "embd" in name else 0.5 * scale / math.sqrt(p.shape[1]))

    def forward(self, tokens, caches=None, at=0, last=False):
        """tokens: [batch, time] -> logits [batch, time, vocab]; only those of the last position with `last`."""
        x = self.token_embd(tokens)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        end = at + tokens.shape[1]
        cos, sin = self.cos[at:end].to(x.dtype), self.sin[at:end].to(x.dtype)
        for i, layer in enumerate(self.blk):
            x = layer(x, cos, sin, None if caches is None else caches[i], at)
        return F.linear(self.output_norm(x[:, -1:] if last else x), self.token_embd.weight)

    def caches(self, batch, room, dtype):
        s = self.shape
        zeros = lambda: torch.zeros(batch, s.kv_heads or s.heads, room, s.dim // s.heads, dtype=dtype, device=self.cos.device)
        return [(zeros(), zeros()) for _ in self.blk]
