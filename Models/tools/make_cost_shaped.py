#!/usr/bin/env python3
"""Make, once, a GGUF that computes what a small model computes at the cost of a larger one; print its path.

  Scripts/cost-shaped 350m q4_0

How it is built, and why its tokens are the small model's, is told in cost_shaped.py. The file lies in the cache
($NACRE_CACHE, else $XDG_CACHE_HOME/nacre, else ~/.cache/nacre) and is made again when the small model or these tools
change. The path is all that goes to stdout.
"""
import argparse
import fcntl
import hashlib
import os
import sys
import time
from pathlib import Path

# preset: layers, width, heads, key-value heads, feed-forward units
PRESETS = {
    "25m": (8, 512, 8, 2, 1408),  # for drafters
    "100m": (10, 1024, 16, 4, 2304),
    "350m": (24, 1024, 16, 4, 3840),
    # TinyLlama's shape; 0.98 instead of 1.1 B parameters, because the vocabulary is the small model's.
    "1.1b": (22, 2048, 32, 4, 5632),
}
HERE = Path(__file__).resolve().parent


def main():
    a = arguments()
    if not a.source.is_file():
        fail(f"there is no model at {a.source}: give one with --source")
    key = digest(a)
    out = a.out or cache() / "models" / f"{a.source.stem}-as-{a.preset}-{a.type}.gguf"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with open(out.with_name(f".{out.name}.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two callers make one file
            if not is_made_with(key, out):
                make(a, out, key)
    except OSError as error:
        fail(f"could not write {out}: {error.strerror}: free some space, or set NACRE_CACHE to a folder you own")
    print(out)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("preset", choices=PRESETS)
    p.add_argument("type", choices=["q8_0", "q4_0", "bf16"])
    p.add_argument("--source", type=Path, default=HERE.parent / "pycode-8m-q8_0.gguf",
                   help="the small model: llama architecture, Q8_0, tied embeddings (default: %(default)s)")
    p.add_argument("--out", type=Path, help="default: in the cache, named after source, preset and type")
    return p.parse_args()


def cache():
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("NACRE_CACHE") or Path(home) / "nacre")


def digest(a):
    """A key of everything that decides the file's content."""
    key = hashlib.sha256(f"{a.preset} {PRESETS[a.preset]} {a.type} {a.source.name}".encode())
    for path in (a.source, HERE / "cost_shaped.py"):
        key.update(hashlib.sha256(path.read_bytes()).digest())
    return key.hexdigest()


def is_made_with(key, path):
    """The key is written right after the architecture, so a finished file has it in its first page."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return key.encode() in file.read(4096)


def make(a, out, key):
    # Imported here and not above: numpy and gguf take half a second, which an existing file should not cost.
    from cost_shaped import Misfit, Shape, write

    started = time.monotonic()
    print(f"nacre: making {out.name} ...", file=sys.stderr)
    temporary = out.with_name(f".{out.name}.partial")  # one name for all: the lock is held
    try:
        parameters = write(a.source, temporary, Shape(*PRESETS[a.preset]), a.type, key)
        size = temporary.stat().st_size
        os.replace(temporary, out)
    except Misfit as error:
        fail(str(error))
    finally:
        temporary.unlink(missing_ok=True)
    print(f"nacre: {out.name}: {parameters / 1e6:.1f} M parameters, {size / 1e6:.0f} MB, "
          f"{time.monotonic() - started:.1f} s", file=sys.stderr)


def fail(message):
    sys.exit(f"make_cost_shaped: {message}")


if __name__ == "__main__":
    main()
