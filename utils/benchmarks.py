"""What costs time, each beside what it is compared with: one table, on any machine.

Usage: python utils/benchmarks.py [--rounds 7] [--only WORD] [--json FILE]

Each round takes one turn of both, so that a machine that slows down slows both; a ratio is the
median over rounds. Everything runs on noise, with one thread, in a temporary folder. A row whose
packages or weights (DSNET_MODELS) are not here says so. --json writes the rows, with the machine.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import kaldiio
import torch
from benchmark_memory import write_recipe
from benchmark_predict import RATE, noise, onnx_session

from dsnet.bin import run
from dsnet.environment import git_revision, limit_threads, versions
from dsnet.errors import DsnetError
from dsnet.features import build_extractor
from dsnet.features.store import FeatureStore
from dsnet.recipe import Recipe
from dsnet.recognizer.recognizer import Recognizer

ROOT = Path(__file__).parents[1]
JOBS = 4  # that a launcher starts
MODEL = "emodb-small"

Turn = Callable[[], object]


@dataclass
class Row:
    """A line of the table; `why` there is none."""

    what: str
    against: str
    seconds: float = 0.0
    seconds_against: float = 0.0
    ratio: float = 0.0
    why: str = ""

    def __str__(self) -> str:
        if self.why:
            return f"| {self.what} | {self.against} | not measured: {self.why} | | |"
        return (
            f"| {self.what} | {self.against} | {in_words(self.seconds)} | "
            f"{in_words(self.seconds_against)} | x {self.ratio:.2f} |"
        )


def start_of_jobs(folder: Path) -> tuple[Turn, Turn]:
    """Start jobs that end at once: forked by run.py, and each by itself."""
    program = ["python", "-m", "dsnet.bin.train", "--help"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}

    def call(words: list) -> None:
        subprocess.run(words, env=environment, cwd=folder, check=True, capture_output=True)

    launcher = [sys.executable, ROOT / "utils" / "run.py", "--max-jobs-run", "1", f"JOB=1:{JOBS}"]
    return (
        lambda: call([*launcher, "log/JOB", *program]),
        lambda: [call(program) for _ in range(JOBS)],
    )


def read_features(folder: Path) -> tuple[Turn, Turn]:
    """Read 720 utterances from the store, checksums included, and from an ark by kaldiio."""
    write_recipe(folder, 720)
    feats_dir = Recipe(folder).features("fbank")
    store = FeatureStore.open(feats_dir)
    spans = dict(zip(store.index, zip(store.offsets, store.lengths, strict=True), strict=True))
    matrices = {utt: store.frames[a : a + n].float().numpy() for utt, (a, n) in spans.items()}
    kaldiio.save_ark(str(folder / "all.ark"), matrices, scp=str(folder / "all.scp"))

    def ours() -> None:
        store = FeatureStore.open(feats_dir)
        store.require(store.index)
        for start, length in zip(store.offsets, store.lengths, strict=True):
            store.frames[start : start + length].float()

    def ark() -> None:
        for matrix in kaldiio.load_scp(str(folder / "all.scp")).values():
            torch.from_numpy(matrix.copy())

    return ours, ark


def encode(folder: Path) -> tuple[Turn, Turn]:
    """Encode 3 s by Whisper's base encoder: states 2 to 4, and all of 30 s as transformers does."""
    os.chdir(ROOT / "egs" / "emodb")
    extractor = build_extractor("whisper_base")
    samples = torch.from_numpy(noise(3.0))
    model, front = extractor._model, extractor._stored.front
    padded = front(samples.numpy(), sampling_rate=RATE, return_tensors="pt").input_features

    @torch.inference_mode()
    def whole() -> None:
        model(padded)

    return lambda: extractor(samples), whole


def predict(folder: Path) -> tuple[Turn, Turn]:
    """Judge 3 s: ONNX, and torch."""
    samples = noise(3.0)
    recognizer = Recognizer.load(MODEL)
    return onnx_session(MODEL, samples, folder / "m.onnx"), lambda: recognizer(samples, RATE)


ROWS: dict[str, tuple[Callable[[Path], tuple[Turn, Turn]], str, str]] = {
    "start": (start_of_jobs, f"{JOBS} jobs start, forked by run.py", "each by itself"),
    "features": (read_features, "720 utterances from the store, checked", "from arks by kaldiio"),
    "encode": (encode, "Whisper base on 3 s", "padded to 30 s, all layers"),
    "predict": (predict, f"{MODEL} on 3 s, onnxruntime", "torch"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="(%(default)s)")
    parser.add_argument("--only", choices=ROWS, help="one row")
    parser.add_argument("--json", type=Path, help="where the rows go, too")
    args = parser.parse_args()
    path = args.json.absolute() if args.json else None
    limit_threads(1)
    machine = f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, {platform.system()}"
    revision = git_revision()
    print(f"{machine}, {revision}\n\n| what | against | takes | that takes | ratio |")
    print("|---|---|---|---|---|", flush=True)
    rows = []
    for name in [args.only] if args.only else ROWS:
        rows.append(measure(*ROWS[name], args.rounds))
        print(rows[-1], flush=True)
    if path:
        content = {"machine": machine, "revision": revision, "versions": versions()}
        path.write_text(json.dumps(content | {"rows": list(map(asdict, rows))}, indent=1) + "\n")


def measure(prepare: Callable, what: str, against: str, rounds: int) -> Row:
    """Take turns; return the row."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            turns = prepare(Path(folder))
        except (DsnetError, ImportError, subprocess.CalledProcessError) as error:
            return Row(what, against, why=str(error).splitlines()[0])
        taken = [[timed(turn) for turn in turns] for _ in range(rounds + 1)][1:]  # the first warms
    ours, theirs = (median(pair[side] for pair in taken) for side in (0, 1))
    return Row(what, against, ours, theirs, median(a / b for a, b in taken))


def timed(turn: Turn) -> float:
    begin = time.perf_counter()
    turn()
    return time.perf_counter() - begin


def in_words(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.2f} ms"


if __name__ == "__main__":
    run(main)
