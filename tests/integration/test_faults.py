"""Faults, played on a finished small recipe: a program that meets one names it, or mends it.

Usage: python tests/integration/test_faults.py [SEED]    plays all rows, prints a Markdown table
"""

import contextlib
import importlib
import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from unittest import mock

import pytest

from dsnet.errors import DsnetError

pytestmark = pytest.mark.slow

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
DAMAGES: dict[str, Damage] = {
    "cut in half": lambda data, rng: data[: len(data) // 2],
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

    @property
    def damages(self) -> dict[str, Damage]:
        return DAMAGES | ({"a bit flipped": flip} if self.checked else {})


ROWS = [
    Row("data/manifests/recordings.jsonl.gz", "extract"),
    Row("data/manifests/supervisions.jsonl.gz", "extract"),
    Row(f"{FBANK}/shards/1/stamp.json", "extract", mends=True),
    Row(f"{FBANK}/shards/1/index", "extract", mends=True),
    Row(f"{FBANK}/fbank.1.ark", "combine_feats", checked=True),
    Row(f"{FBANK}/feats.json", "train"),
    Row(f"{FBANK}/utt2num_frames", "train"),
    Row(f"{FBANK}/utt2crc32", "train"),
    Row(f"{FBANK}/frames.bin", "infer", checked=True),
    Row(f"{TASK}/task.json", "train"),
    Row(f"{TASK}/utt2emo", "train"),
    Row(f"{TASK}/utt2spk", "train"),
    Row(f"{FOLD}/model.pt", "train", mends=True, checked=True),
    Row(f"{FOLD}/train.json", "train", mends=True),
    Row(f"{FOLD}/model.pt", "infer", checked=True),
    Row(f"{FOLD}/train.json", "infer"),
    Row(f"{FOLD}/model.pt", "probe", checked=True),
    Row(f"{FOLD}/train.json", "probe"),
    Row(f"{FOLD}/test/embeddings.npz", "probe", checked=True),
    Row(f"{FOLD}/probes.json", "score"),
    Row(f"{FOLD}/run.json", "score"),
    Row(f"{FOLD}/test/posteriors.tsv", "score"),
    Row(f"{FOLD}/log.jsonl", "score"),
    Row(f"{FOLD}/test/embeddings.npz", "score", checked=True),
    Row(f"{RESULTS}/ledger.jsonl", "score"),
    Row(f"{RESULTS}/metrics.json", "results"),
]
KILLED = {  # what run.sh does when it is killed, and the file by which that is seen
    "it computes features": f"{FBANK}/fbank.2.ark",
    "it trains": f"{FOLD}/checkpoint.pt",
}


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


def play(recipe, row: Row, damage: Damage, rng: Random) -> tuple[bool, str]:
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


def kill_run_sh(recipe, sign: str) -> bool:
    """SIGKILL run.sh alone; return whether all that it had started has ended soon after."""
    recipe.kill_when(sign, alone=True)
    limit = time.monotonic() + 20
    while recipe.processes() and time.monotonic() < limit:
        time.sleep(0.1)
    return not recipe.processes()


@pytest.fixture(scope="module")
def finished(make_recipe, tmp_path_factory):
    recipe = make_recipe(tmp_path_factory.mktemp("faults") / "a project")
    recipe.run()
    return recipe


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.path}-{row.program}")
def test_damage_is_named_or_mended(finished, row):
    rng = Random(row.path)
    for name, damage in row.damages.items():
        well, message = play(finished, row, damage, rng)
        assert well, f"{name}: {message or 'unnoticed'}"


def test_a_rerun_makes_all_damaged_files_again(finished, make_recipe, tmp_path):
    """What a step writes, that is: not the archives, for which the message says what to do."""
    shutil.copytree(finished.top, tmp_path / "moved project")
    recipe, rng = make_recipe(tmp_path / "moved project"), Random(0)
    names = [
        "data/manifests/recordings.jsonl.gz", f"{FBANK}/feats.scp", f"{FBANK}/utt2crc32",
        f"{FBANK}/frames.bin", f"{FBANK}/feats.json", f"{FBANK}/cuts.jsonl.gz", f"{TASK}/task.json",
        f"{FOLD}/model.pt", f"{FOLD}/train.json", f"{FOLD}/run.json", f"{FOLD}/probes.json",
        f"{FOLD}/test/posteriors.tsv", f"{RESULTS}/metrics.json", ".done/2-folds.4class.json",
    ]  # fmt: skip
    for number, name in enumerate(names):
        damage = list(DAMAGES.values())[number % len(DAMAGES)]
        path = recipe.folder / name
        path.write_bytes(damage(path.read_bytes(), rng))
    out = recipe.run().stdout
    assert all(f"{name} is not what this step wrote" in out for name in names[:2])
    for name in (f"{FBANK}/frames.bin", f"{FBANK}/utt2crc32", f"{FOLD}/test/posteriors.tsv"):
        assert (recipe.folder / name).read_bytes() == (finished.folder / name).read_bytes()
    assert recipe.run().stdout.count("already done") == 10


def test_the_model_of_another_fold_is_refused(finished):
    """It has heard the speaker that this fold tests."""
    row = Row(f"{FOLD}/model.pt", "infer")
    other = (finished.folder / SEED / "fold_m1" / "model.pt").read_bytes()
    well, message = play(finished, row, lambda data, rng: other, Random(0))
    assert well and "trained with fold m1 in the place of f1" in message
    assert play(finished, Row(row.path, "train", mends=True), lambda data, rng: other, Random(0))[0]


@pytest.mark.parametrize("sign", KILLED.values(), ids=KILLED)
def test_all_processes_end_with_a_killed_run_sh(true_recipe, sign):
    assert kill_run_sh(true_recipe, sign)


def main() -> None:
    """Play all rows on a recipe of its own; print the table."""
    from conftest import Recipe, environment  # beside this file

    rng = Random(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    with tempfile.TemporaryDirectory() as top:
        recipe = Recipe(Path(top) / "a project", environment())
        killed = [(when, kill_run_sh(recipe, sign)) for when, sign in KILLED.items()]
        recipe.run()
        print("| fault | tried | survived | lost | message |\n|---|---|---|---|---|")
        for when, ended in killed:
            said = "all processes end, the rerun goes on" if ended else "processes go on"
            print(
                f"| SIGKILL of run.sh while {when} | 1 | {int(ended)} | {int(not ended)} | {said} |"
            )
        for row in ROWS:
            played = [play(recipe, row, damage, rng) for damage in row.damages.values()]
            good = sum(well for well, _ in played)
            message = next((m for well, m in played if not well), played[0][1]) or "made again"
            fault = f"{row.path}, read by {row.program}: {', '.join(row.damages)}"
            message = message.replace("|", "\\|").replace("\n", " ")
            print(f"| {fault} | {len(played)} | {good} | {len(played) - good} | {message} |")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
