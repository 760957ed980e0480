"""Continuations of many prompts at once, with a key-value cache."""
import torch


@torch.no_grad()
def generate(model, prompts, count, temperature=0.0, top=0):
    """prompts: [batch, time]. Returns (tokens [batch, time + count], best), all prompts going on for `count` tokens.

    temperature: one number, or one per row [batch]; 0 takes the likeliest token. With `top` > 0, best is (ids, logits),
    each [batch, count, top]: the likeliest tokens at each generated position and their logits; otherwise None.
    """
    dtype = model.output_norm.weight.dtype
    batch, time = prompts.shape
    t = torch.as_tensor(temperature, dtype=torch.float, device=prompts.device).expand(batch)[:, None]
    warm = (t[:, 0] > 0).nonzero()[:, 0]
    caches = model.caches(batch, time + count, dtype)
    tokens, new, ids, values = prompts, prompts, [], []
    for i in range(count):
        at = 0 if i == 0 else tokens.shape[1] - 1
        logits = model(new, caches, at, last=True)[:, 0].float()
        if top:
            v, k = logits.topk(top)
            ids.append(k)
            values.append(v)
        # The Gumbel trick: the argmax of perturbed logits is a sample; without noise it is the likeliest token.
        logits[warm] -= t[warm] * torch.empty_like(logits[warm]).exponential_().log()
        new = logits.argmax(-1, keepdim=True)
        tokens = torch.cat((tokens, new), 1)
    return tokens, (torch.stack(ids, 1), torch.stack(values, 1)) if top else None


def repeats(tokens, n=8):
    """How often the n-gram that ends at each position occurred before in its row: [batch, time]."""
    grams = tokens.unfold(1, n, 1)
    same = (grams[:, :, None] == grams[:, None]).all(-1).tril(-1)
    return torch.nn.functional.pad(same.sum(-1), (n - 1, 0))
