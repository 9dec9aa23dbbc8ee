"""Memory of trainings that run at once, by hours of speech: features of noise, a few steps each.

Usage, in a recipe: python ../../utils/benchmark_memory.py [--hours "4 12 40"] [--jobs 5] \\
                        [--system base_matched_small]

Each job maps the one feature store (80 log-mels in half precision), checks its fold's part of it,
and takes some steps. Its own memory is what no other process can use (anonymous pages: weights,
batches, lists of utterances); the pages of the store are the system's cache, which it gives up
when others need it. Linux only; the features, 58 MB an hour, lie in a temporary folder (TMPDIR).
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from benchmark_manifests import TASK, Corpus, synthetic
from benchmark_training import steps

from dsnet.bin import run
from dsnet.corpus.kaldi_data import write_list
from dsnet.corpus.manifests import make_manifests
from dsnet.environment import limit_threads
from dsnet.features.fbank import Fbank, FbankConfig
from dsnet.features.feats import FeatsInfo
from dsnet.features.store import write_frames
from dsnet.folds.build import build_task
from dsnet.recipe import Recipe
from dsnet.systems.catalog import resolve
from dsnet.training.data import load_training_data
from dsnet.training.loop import Trainer

UTTERANCES_AN_HOUR = 720  # of 5 s
FBANK = Fbank("fbank", FbankConfig())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", default="4 12 40", help="(%(default)s)")
    parser.add_argument("--jobs", type=int, default=5, help="at once (%(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="of each (%(default)s)")
    parser.add_argument("--system", default="base_matched_small", help="(%(default)s)")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.folder:
        train(args.folder, args.system, args.steps)
        return
    print("hours  utterances  store GiB  own MiB a job  with its pages of the store  all jobs GiB")
    for hours in map(int, args.hours.split()):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            size = write_recipe(folder, hours * UTTERANCES_AN_HOUR)
            own, resident, shared = measure(folder, args.jobs, args.system, args.steps)
            print(
                f"{hours:5}{hours * UTTERANCES_AN_HOUR:12,}{size / 2**30:11.2f}"
                f"{max(own) / 2**10:15.0f}{max(resident) / 2**10:29.0f}"
                f"{sum(shared) / 2**20:14.2f}",
                flush=True,
            )


def write_recipe(folder: Path, size: int) -> int:
    """Write features and folds of `size` utterances; return the bytes of the feature store."""
    recipe = Recipe(folder)
    _, supervisions = make_manifests(synthetic(Corpus(size)))
    build_task(TASK, list(supervisions), recipe.task("task"))
    frames = {s.id: FBANK.num_frames(round(s.duration * FBANK.sampling_rate)) for s in supervisions}
    info = FeatsInfo(
        name="fbank", kind="fbank", dim=FBANK.dim, frame_shift_ms=FBANK.frame_shift_ms,
        config=vars(FBANK.config), digest="noise", manifests_digest="none", num_utterances=size,
        num_frames=sum(frames.values()), storage="float16",
    )  # fmt: skip
    feats_dir = recipe.features("fbank")
    feats_dir.mkdir(parents=True)
    write_frames(feats_dir, noise(frames), info)
    write_list(feats_dir / "utt2num_frames", {utt: str(count) for utt, count in frames.items()})
    info.write(feats_dir)
    return (feats_dir / "frames.bin").stat().st_size


def noise(frames: dict[str, int]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (T, F) float16 pieces of one noise."""
    stock = np.random.default_rng(0).normal(size=(2000, FBANK.dim)).astype("float16")
    for number, (utt, count) in enumerate(frames.items()):
        first = number * 37 % (len(stock) - count)
        yield utt, stock[first : first + count]


def measure(folder: Path, jobs: int, system: str, steps: int) -> tuple[list[int], ...]:
    """Train `jobs` at once; return KiB of each: its own, resident, its share of all."""
    command = [sys.executable, __file__, "--folder", folder, "--system", system]
    command += ["--steps", str(steps)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(jobs)
    ]
    for process in processes:
        if process.stdout.readline() != "trained\n":
            raise SystemExit("a job failed; its error is above")
    found = [memory_of(process.pid) for process in processes]
    for process in processes:
        process.communicate()
    return tuple([of[key] for of in found] for key in ("Anonymous", "Rss", "Pss"))


def memory_of(pid: int) -> dict[str, int]:
    """Return KiB of a process, by what Linux calls them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def train(folder: Path, system: str, number: int) -> None:
    """Train for some steps, say so, and wait to be measured."""
    limit_threads(1)
    config = resolve(system).config
    data = load_training_data(Recipe(folder), "task", "group1", config, torch.device("cpu"))
    for _ in itertools.islice(steps(Trainer(config, data, 1, folder)), number):
        pass
    print("trained", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    run(main)
