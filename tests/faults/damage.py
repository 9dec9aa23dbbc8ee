"""Files of a finished recipe, damaged: the program that reads one names it, or makes it again."""

import contextlib
import importlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from unittest import mock

from small_recipe import Recipe

from dsnet.errors import DsnetError

FBANK, TASK, SEED = "data/fbank", "data/4class", "exp/4class/tiny/seed_1"
FOLD, RESULTS = f"{SEED}/fold_f1", "exp/results/4class"
JOB = "--task 4class --system tiny --folds f1 --device cpu"
PROGRAMS = {
    "extract": f"--features fbank --num-jobs 2 data/manifests {FBANK}",
    "combine_feats": f"--features fbank data/manifests {FBANK}",
    "train": JOB,
    "infer": JOB,
    "probe": f"--folds f1 {TASK} {SEED}",
    "score": f"--task 4class --command x --results-dir {RESULTS}",
    "results": RESULTS,
}

Damage = Callable[[bytes, Random], bytes]


def cut(data: bytes, rng: Random) -> bytes:
    """Return the first half, or a little less: of a text, it ends within a line."""
    end = len(data) // 2
    while b"\n" in data[end - 1 : end + 1]:
        end -= 1
    return data[:end]


def cut_at_line(data: bytes, rng: Random) -> bytes:
    """Return the lines of a text but the last, each of them whole."""
    return b"".join(data.splitlines(keepends=True)[:-1])


DAMAGES: dict[str, Damage] = {
    "cut in half": cut,
    "emptied": lambda data, rng: b"",
    "random bytes": lambda data, rng: rng.randbytes(len(data)),
}


def flip(data: bytes, rng: Random) -> bytes:
    """Flip one bit."""
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


@dataclass(frozen=True)
class Row:
    """A file, the program that reads it, and what that does about damage: refuses or mends it."""

    path: str
    program: str
    mends: bool = False
    checked: bool = False  # by a checksum, so that a flipped bit is noticed
    lines: bool = False  # a text of several lines, of which none may be lost unnoticed

    @property
    def damages(self) -> dict[str, Damage]:
        more = {"a bit flipped": flip} if self.checked else {}
        return DAMAGES | more | ({"last line lost": cut_at_line} if self.lines else {})


ROWS = [
    Row("data/manifests/recordings.jsonl.gz", "extract"),
    Row("data/manifests/supervisions.jsonl.gz", "extract"),
    Row(f"{FBANK}/shards/1/stamp.json", "extract", mends=True),
    Row(f"{FBANK}/shards/1/index", "extract", mends=True, lines=True),
    Row(f"{FBANK}/fbank.1.ark", "combine_feats", checked=True),
    Row(f"{FBANK}/feats.json", "train"),
    Row(f"{FBANK}/utt2num_frames", "train", lines=True),
    Row(f"{FBANK}/utt2crc32", "train", lines=True),
    Row(f"{FBANK}/frames.bin", "infer", checked=True),
    Row(f"{TASK}/task.json", "train"),
    Row(f"{TASK}/utt2emo", "train", lines=True),
    Row(f"{TASK}/utt2spk", "train", lines=True),
    Row(f"{FOLD}/model.pt", "train", mends=True, checked=True),
    Row(f"{FOLD}/train.json", "train", mends=True),
    Row(f"{FOLD}/model.pt", "infer", checked=True),
    Row(f"{FOLD}/train.json", "infer"),
    Row(f"{FOLD}/model.pt", "probe", checked=True),
    Row(f"{FOLD}/train.json", "probe"),
    Row(f"{FOLD}/test/embeddings.npz", "probe", checked=True),
    Row(f"{FOLD}/probes.json", "score"),
    Row(f"{FOLD}/run.json", "score"),
    Row(f"{FOLD}/test/posteriors.tsv", "score", lines=True),
    Row(f"{FOLD}/log.jsonl", "score", lines=True),
    Row(f"{FOLD}/test/embeddings.npz", "score", checked=True),
    Row(f"{RESULTS}/ledger.jsonl", "score"),
    Row(f"{RESULTS}/metrics.json", "results"),
]


def call(folder: Path, program: str) -> str:
    """Run a program in a recipe's folder; return its error, or nothing if there is none."""
    module = importlib.import_module(f"dsnet.bin.{program}")
    words = [program, *PROGRAMS[program].split()]
    here = Path.cwd()
    os.chdir(folder)
    try:
        with mock.patch.object(sys, "argv", words), contextlib.redirect_stdout(io.StringIO()):
            module.main()
    except DsnetError as error:
        return str(error)
    finally:
        os.chdir(here)
    return ""


def play(recipe: Recipe, row: Row, damage: Damage, rng: Random) -> tuple[bool, str]:
    """Damage a file in a copy of a finished recipe and run the program that reads it.

    Returns:
        Whether the program did what it should, and its message or the error that it fell over.
    """
    with tempfile.TemporaryDirectory() as top:
        folder = shutil.copytree(recipe.folder.parents[1], Path(top, "a project")) / "egs" / "mini"
        path = folder / row.path
        damaged = damage(path.read_bytes(), rng)
        path.write_bytes(damaged)
        try:
            message = call(folder, row.program)
        except Exception as error:  # what a user would see as a traceback
            return False, f"{type(error).__name__}: {error}"
        if row.mends:
            return not message and path.read_bytes() != damaged, message
        return path.name in message and "\n" not in message, message
