"""Measures a target and its drafters. Everything is computed in float32 from the files that are shipped.

    evaluate.py --target T.gguf --drafter D.gguf --other O.gguf --held-out held_out.txt [--json OUT.json]

Models are GGUF files of weights.py. Printed, and with --json written:
  loss            of each model on the held-out documents: nats per token and bits per byte (comparable across vocabularies)
  loops           greedy text of the target after each held-out prompt, to its end and also through ends for all of its 128
                  tokens; a loop is an n-gram of 8 tokens that occurs more than twice. The same after --rows places of
                  held-out documents, where the text seldom ends at once: a target that ends everything early, or has no
                  text for a longer context, passes the prompts alone. And the mean probability of the tokens chosen there:
                  a target that was driven out of its loops into gibberish is sure of nothing
  greedy          share of positions of the target's own greedy text where the drafter's likeliest token is the target's
  chain           the same in rounds of --gamma drafts: accepted / (accepted + rejected), and tokens per round
  on code         the same share along the held-out documents themselves: text of people, without loops
  sampled         the mean of sum(min(p, q)) along text the target samples at T = 0.8, both at T = 0.8
  slem            for the other vocabulary: drafts of --gamma tokens as text, in the target's tokens, against its greedy text
"""
import argparse
import json
import math
from pathlib import Path
from statistics import fmean, median

import torch

import vocabulary
import weights
from generate import generate, repeats

HERE = Path(__file__).parent
LENGTH, CONTINUATION = 256, 128


def prompts(path):
    return [p.rstrip("\n") for p in path.read_text().split("---\n")]


@torch.no_grad()
def loss(model, tokenizer, documents, windows=192):
    """(nats per token, bits per byte) over windows of LENGTH tokens spread over the documents."""
    ids, size = [], []  # tokens, and the bytes that each stands for
    for document in documents:
        tokens = tokenizer.encode(document).ids
        ids += [0] + tokens
        size += [1] + [len(tokenizer.id_to_token(t)) for t in tokens]  # one letter of the byte alphabet per byte
    ids, size = torch.tensor(ids), torch.tensor(size)
    starts = torch.linspace(0, len(ids) - LENGTH - 2, windows).long()
    nats, bytes_ = 0.0, 0
    for at in starts.split(16):
        x = torch.stack([ids[i:i + LENGTH + 1] for i in at])
        nats += torch.nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten(), reduction="sum").item()
        bytes_ += sum(size[i + 1:i + LENGTH + 1].sum().item() for i in at)
    return nats / (windows * LENGTH), nats / math.log(2) / bytes_


def ended(tokens, length):
    """Where a continuation stops: at the end-of-text token, or at its last token."""
    end = (tokens[length:] == 0).nonzero()
    return length + int(end[0]) if len(end) else len(tokens)


def has_loop(new):
    """Whether an n-gram of 8 tokens occurs more than twice."""
    return len(new) >= 8 and bool((repeats(new[None]) > 1).any())


def loops(model, tokenizer, texts, count=CONTINUATION):
    """Per prompt: (looping, tokens written, text, looping somewhere in what it writes through the ends of texts)."""
    out = []
    for text in texts:
        prompt = torch.tensor([[0] + tokenizer.encode(text).ids])
        written = generate(model, prompt, count)[0][0]
        new = written[prompt.shape[1]:ended(written, prompt.shape[1])]
        out.append((has_loop(new), len(new), tokenizer.decode(new.tolist()), has_loop(written[prompt.shape[1]:])))
    return out


def held_out_prompts(tokenizer, documents, count=48, length=64):
    """The first tokens of held-out documents from some line in their first half on, each after token 0."""
    out = []
    for i, document in enumerate(documents):
        lines = document.split("\n")
        ids = tokenizer.encode("\n".join(lines[(i % 5) * len(lines) // 10:])).ids[:length - 1]
        if len(ids) == length - 1 and len(out) < count:
            out.append([0] + ids)
    return torch.tensor(out)


@torch.no_grad()
def certainty(model, written, length):
    """Mean probability of the tokens that the model chose greedily behind `length` tokens, up to each text's end."""
    p = model(written[:, :-1])[:, length - 1:].softmax(-1).amax(-1)
    return torch.cat([row_p[:ended(row, length) - length] for row_p, row in zip(p, written)]).mean().item()


@torch.no_grad()
def agreement(target, drafter, starts, greedy, gamma, through=False):
    """Acceptance of a drafter of the same vocabulary: (greedy, chain, tokens per round, sampled). greedy: the target's text
    after starts, judged up to the end of each text and that included, or through ends."""
    judged = lambda row: len(row) if through else min(ended(row, starts.shape[1]) + 1, len(row))
    length = starts.shape[1]
    right = total = accepted = rejected = rounds = 0
    guess = drafter(greedy[:, :-1]).argmax(-1) == greedy[:, 1:]
    for row, hit in zip(greedy, guess):
        hits = hit[length - 1:judged(row) - 1].tolist()
        right, total, at = right + sum(hits), total + len(hits), 0
        while at < len(hits):
            run = next((i for i, h in enumerate(hits[at:at + gamma]) if not h), min(gamma, len(hits) - at))
            accepted, rounds = accepted + run, rounds + 1
            rejected += run < gamma and at + run < len(hits)
            at += run + 1
    text, _ = generate(target, starts, CONTINUATION, 0.8)
    p, q = ((m(text[:, :-1])[:, length - 1:] / 0.8).softmax(-1) for m in (target, drafter))
    shared = torch.minimum(p, q).sum(-1)
    kept = torch.cat([s[:judged(row) - length] for s, row in zip(shared, text)])
    return right / total, accepted / max(1, accepted + rejected), total / rounds, kept.mean().item()


@torch.no_grad()
def on_text(target, drafter, tokenizer, documents, windows=32):
    """Share of positions of the documents themselves where both have the same likeliest token."""
    ids = torch.tensor([t for d in documents for t in [0] + tokenizer.encode(d).ids])
    same = [(target(x).argmax(-1) == drafter(x).argmax(-1)).float().mean().item() for x in
            (ids[i:i + LENGTH][None] for i in torch.linspace(0, len(ids) - LENGTH - 1, windows).long())]
    return sum(same) / windows


@torch.no_grad()
def slem(tokens_t, drafter, tokens_d, greedy, length, gamma):
    """String-level exact match along the target's greedy text behind `length` tokens of prompt: (accepted target tokens /
    judged ones, tokens per round).

    A round encodes the committed text for the drafter, drafts `gamma` of its tokens, encodes their text for the target
    and compares. The last token of that encoding is left out, as later text might be merged into it.
    """
    accepted = judged = rounds = committed = 0
    for row in greedy.tolist():
        at, end = length, ended(torch.tensor(row), length)
        while at < end:
            text = tokens_t.decode(row[1:at], skip_special_tokens=False)
            context = torch.tensor([[0] + tokens_d.encode(text).ids])
            draft = generate(drafter, context, gamma)[0][0, context.shape[1]:]
            draft = draft[:ended(draft, 0)].tolist()
            offer = tokens_t.encode(text + tokens_d.decode(draft)).ids
            offer = offer[at - 1:-1] if offer[:at - 1] == row[1:at] else []  # a seam: nothing to offer
            offer = offer[:end - at]
            run = next((i for i, (x, y) in enumerate(zip(offer, row[at:end])) if x != y), len(offer))
            accepted, judged = accepted + run, judged + min(run + 1, len(offer))
            step = min(run + 1, end - at)
            rounds, committed, at = rounds + 1, committed + step, at + step
    return accepted / max(1, judged), committed / rounds


def arguments(argv):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--target", required=True)
    p.add_argument("--drafter")
    p.add_argument("--other")
    p.add_argument("--held-out", required=True, type=Path)
    p.add_argument("--prompts", type=Path, default=HERE.parent / "prompts" / "held_out_20.txt")
    p.add_argument("--gamma", type=int, default=5)
    p.add_argument("--rows", type=int, default=48, help="held-out places for the acceptance rates")
    p.add_argument("--show", action="store_true", help="print the greedy texts")
    p.add_argument("--json", type=Path)
    return p.parse_args(argv)


def main(argv=None):
    a = arguments(argv)
    torch.manual_seed(1)
    documents = a.held_out.read_text().split("\0")[:-1]
    result = {}

    def report(key, value):
        result[key] = value
        print(f"{key:46} {value}", flush=True)

    models = {k: (weights.read(path), vocabulary.from_gguf(path)) for k, path in
              (("target", a.target), ("drafter", a.drafter), ("other", a.other)) if path}
    for key, (model, tokenizer) in models.items():
        report(f"{key}: parameters", sum(p.numel() for p in model.parameters()))
        nats, bits = loss(model, tokenizer, documents)
        report(f"{key}: loss, nats/token", round(nats, 3))
        report(f"{key}: loss, bits/byte", round(bits, 3))
    target, tokenizer = models["target"]
    written = loops(target, tokenizer, prompts(a.prompts))
    report("target: prompts without a loop", f"{sum(not w[0] for w in written)} of {len(written)}")
    report("target: prompts without one, ends ignored", f"{sum(not w[3] for w in written)} of {len(written)}")
    report("target: texts it ended itself", sum(w[1] < CONTINUATION for w in written))
    report("target: tokens per text, mean and median", [round(f([w[1] for w in written]), 1) for f in (fmean, median)])
    starts = held_out_prompts(tokenizer, documents, a.rows)
    length = starts.shape[1]
    greedy, _ = generate(target, starts, CONTINUATION)
    texts = [row[length:ended(row, length)] for row in greedy]
    report("target: places without a loop", f"{sum(not has_loop(t) for t in texts)} of {len(texts)}")
    report("target: tokens per text there", round(sum(map(len, texts)) / len(texts), 1))
    report("target: mean probability there", round(certainty(target, greedy, length), 3))
    if "drafter" in models:
        keys = ("greedy acceptance", "chain acceptance", "tokens per round", "sampled acceptance, T 0.8")
        for through in (False, True):
            values = agreement(target, models["drafter"][0], starts, greedy, a.gamma, through)
            for key, value in zip(keys, values):
                report(f"drafter: {key}{', ends ignored' * through}", round(value, 3))
        report("drafter: agreement on code", round(on_text(target, models["drafter"][0], tokenizer, documents), 3))
    if "other" in models:
        accepted, per_round = slem(tokenizer, *models["other"], greedy[:a.rows // 3], length, a.gamma)
        report("other: SLEM greedy acceptance", round(accepted, 3))
        report("other: tokens per round", round(per_round, 3))
    if a.show:
        for text, (looping, count, new, _) in zip(prompts(a.prompts), written):
            print(f"---- {'LOOP' if looping else 'no loop'}, {count} tokens\n{text}\x1b[2m{new}\x1b[0m")
    if a.json:
        a.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
