"""From named packages to three GGUF files. `make` runs this; every stage that is complete is skipped, one that was
interrupted goes on from its checkpoint."""
import argparse
import json
import re
from pathlib import Path

import torch
from tokenizers import Tokenizer

import corpus
import evaluate
import vocabulary
import weights
from data import SHORT_CHARACTERS, Beginnings, Both, Windows, encode, stream, units, write
from model import Llama
from objectives import Distil, NextToken, OwnWords
from presets import PRESETS, SHARES
from prompts import Loops, Prompts
from teach import Shards, teach
from trainer import DEVICE, Stage, load, say, train

LENGTH = 256
TAUGHT_FROM = 0.35  # of the drafter's time
HEAD = 64  # width of a head in all presets


class Pipeline:
    def __init__(self, a):
        self.out, self.preset, self.earlier = a.out, PRESETS[a.preset], a.earlier
        self.seconds = {stage: share * a.budget for stage, share in SHARES.items()}

    def run(self):
        self.out.mkdir(parents=True, exist_ok=True)
        if not (self.out / "corpus.json").exists():
            corpus.main(self.out)
        tokenizer = self.vocabulary("target", self.preset.target.vocab, 0)
        target = self.target(tokenizer)
        folder = self.out / "taught"
        if not (folder / "complete").exists():
            teach(target, Prompts(self.tokens("target"), tokenizer, 2, places=0.5), folder, self.seconds["teach"], self.preset.teach_batch)
            (folder / "complete").touch()
        shards = Shards(folder)
        target = load(self.out / "target.pt")[0]  # teach() left it in bfloat16
        drafter = self.drafter(target, shards)
        second = self.vocabulary("other", self.preset.other.vocab, 1)
        other = self.other(second, tokenizer, shards)
        for name, model, words in (("target", target, tokenizer), ("drafter", drafter, tokenizer), ("other", other, second)):
            self.export(name, model, words)
        notes = {kind: load(self.out / f"{part}.pt")[1] for kind, part in
                 (("target", "target"), ("drafter", "drafter"), ("other", "other"))}
        (self.out / "training.json").write_text(json.dumps(notes, indent=1) + "\n")
        evaluate.main(["--target", str(self.out / self.file("target")), "--drafter", str(self.out / self.file("drafter")),
                       "--other", str(self.out / self.file("other")), "--held-out", str(self.out / "held_out.txt"),
                       "--json", str(self.out / "figures.json")])

    def name(self, kind):
        """pycode-8m, pycode-3m, pycode-600k-v1536: by the number of parameters."""
        shape = getattr(self.preset, kind)
        count = sum(p.numel() for p in Llama(shape).parameters())
        size = f"{count / 1e6:.0f}m" if count > 1e6 else f"{count / 1e5:.0f}00k"
        return f"pycode-{size}" + (f"-v{shape.vocab}" if kind == "other" else "")

    def file(self, kind):
        return f"{self.name(kind)}-q8_0.gguf"

    def export(self, kind, model, tokenizer):
        weights.write(self.out / self.file(kind), model, tokenizer, self.name(kind))
        say(f"export: {self.out / self.file(kind)}")

    def begin(self, kind):
        """The weights of an earlier set, if --from has a file of that name and shape, or new ones."""
        path, shape = self.earlier and self.earlier / self.file(kind), getattr(self.preset, kind)
        if path and path.exists():
            model = weights.read(path)
            sizes = lambda m: [p.shape for p in m.parameters()]
            # A drafter knows one vocabulary: that of the earlier set's target.
            if sizes(model) == sizes(Llama(shape)) and (kind != "drafter" or (self.earlier / self.file("target")).exists()):
                return model.to(DEVICE), {"start": path.name}
            say(f"{kind}: {path.name} is of another shape or vocabulary; begins anew")
        torch.manual_seed(1)
        return Llama(shape).to(DEVICE), {"start": "noise"}

    def vocabulary(self, kind, size, sample):
        """An earlier set's vocabulary, or one trained on a quarter of the corpus: another quarter for each kind."""
        folder = self.out / kind
        folder.mkdir(exist_ok=True)
        path = self.earlier and self.earlier / self.file(kind)
        kept = folder / "tokenizer.json"
        if kept.exists():
            tokenizer = Tokenizer.from_file(str(kept))
        elif path and path.exists():
            tokenizer = vocabulary.from_gguf(path)
        else:
            documents = (self.out / "train.txt").read_text().split("\0")
            tokenizer = vocabulary.trained(documents[sample::4], size)
        tokenizer.save(str(kept))
        for part in ("train", "held_out"):
            if not (folder / f"{part}.bin").exists():
                say(f"vocabulary: {kind}, {size} tokens: encoding {part}.txt")
                encode(self.out / f"{part}.txt", tokenizer, folder / f"{part}.bin")
        if kind == "target" and not (folder / "short.bin").exists():
            documents = (self.out / "train.txt").read_text().split("\0")[:-1]
            write(list(units(documents)), tokenizer, folder / "units.bin")
            write(list(units(documents, SHORT_CHARACTERS)), tokenizer, folder / "short.bin")
        return tokenizer

    def tokens(self, kind, part="train"):
        return stream(self.out / kind / f"{part}.bin")

    def mixed(self, length, batch, seed):
        """Half text in its course, half functions and classes from their first token to their end."""
        return Both(Windows(self.tokens("target"), length, batch // 2, seed),
                    Beginnings(self.tokens("target", "units"), length, batch // 2, seed))

    def target(self, tokenizer):
        p, tokens = self.preset, self.tokens("target")
        # Twice the context for the last third, so that positions beyond 256 are known.
        text = NextToken(self.mixed(LENGTH, p.batch, 0), self.mixed(2 * LENGTH, p.batch // 2, 1))
        first, notes = train(Stage("target", self.seconds["target"], p.rate, floor=0.1), lambda: self.begin("target"),
                             self.out / "target-first.pt", text)
        prompts = Prompts(tokens, tokenizer, 1)
        loops = Loops(self.tokens("target", "units"), prompts.newline, 1)
        text = NextToken(self.short(LENGTH, p.batch // 4, 2), self.short(2 * LENGTH, p.batch // 8, 3), switch=0.85)
        own = OwnWords(first, text, loops, prompts, rows=p.batch)
        return train(Stage("own words", self.seconds["own"], 0.4 * p.rate, floor=0.05), lambda: (first, notes),
                     self.out / "target.pt", own)[0]

    def short(self, length, batch, seed):
        """Equal parts of text in its course, of functions and classes, and of those that end within the length."""
        return Both(Windows(self.tokens("target"), length, batch // 3, seed),
                    Beginnings(self.tokens("target", "units"), length, batch // 3, seed),
                    Beginnings(self.tokens("target", "short"), length, batch // 3, seed))

    def drafter(self, target, shards):
        def start():
            model, notes = self.begin("drafter")
            if notes["start"] == "noise" and model.shape.dim == target.shape.dim and model.shape.ffn == target.shape.ffn:
                # The embeddings and the outer layers of the target are a better start than noise.
                layers, last = model.shape.layers, target.shape.layers - 1
                model.load_state_dict({k: v for k, v in target.state_dict().items() if not k.startswith("blk.")}, strict=False)
                for i, layer in enumerate(model.blk):
                    theirs = target.blk[round(i * last / max(1, layers - 1))].state_dict()
                    layer.load_state_dict({k: pooled(theirs[k], v) for k, v in layer.state_dict().items()})
                notes = {"start": "outer layers of the target"}
            return model, notes
        batch = self.preset.drafter_batch
        imitate = Distil(target, self.mixed(LENGTH, batch, 5), shards, batch, TAUGHT_FROM)
        return train(Stage("drafter", self.seconds["drafter"], self.preset.rate / 2), start, self.out / "drafter.pt", imitate)[0]

    def other(self, tokenizer, target_tokenizer, shards):
        """Sequence-level distillation (Kim & Rush 2016): the text that the target writes is the corpus."""
        written = self.out / "other" / "taught"
        if not written.with_suffix(".bin").exists():
            written.with_suffix(".txt").write_text("".join(target_tokenizer.decode(t) + "\0" for t in shards.texts()))
            encode(written.with_suffix(".txt"), tokenizer, written.with_suffix(".bin"))
        text = NextToken(Windows(stream(written.with_suffix(".bin")), LENGTH, self.preset.batch))
        return train(Stage("other", self.seconds["other"], self.preset.rate), lambda: self.begin("other"), self.out / "other.pt", text)[0]


def pooled(theirs, ours):
    """A matrix of the target in a shape with fewer rows: key-value heads are means of neighbours."""
    if theirs.shape == ours.shape:
        return theirs
    heads = ours.shape[0] // HEAD
    return theirs.view(heads, -1, HEAD, theirs.shape[1]).mean(1).flatten(0, 1)


def seconds(text):
    """90m, 2h, 1h30m -> seconds."""
    m = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+)m)?", text)
    if not text or not m:
        raise argparse.ArgumentTypeError(f"'{text}' is not a time: write 90m, 2h or 1h30m")
    return 3600 * float(m[1] or 0) + 60 * float(m[2] or 0)


def arguments():
    p = argparse.ArgumentParser(prog="make", description=__doc__)
    p.add_argument("--budget", type=seconds, default="2h", help="running time of all training stages together (default 2h)")
    p.add_argument("--out", type=Path, required=True, help="folder for the corpus, checkpoints and the finished GGUF files")
    p.add_argument("--preset", choices=PRESETS, default="gpu" if DEVICE == "cuda" else "cpu")
    p.add_argument("--from", dest="earlier", type=Path, help="folder of an earlier set to start from (Models)")
    return p.parse_args()


if __name__ == "__main__":
    Pipeline(arguments()).run()
