"""Time and memory of manifests, cuts and folds of corpora without audio, by number of utterances.

Usage: python utils/benchmark_manifests.py [--sizes "10000 100000"] [--landmarks 12]

Each step of each size runs in a process of its own, as the stages do: manifests (make, check and
write), gate (read them, map labels, count), cuts (read the manifests, make and write Lhotse cuts),
folds (read the manifests, choose references, split into five groups of speakers, audit, write),
predefined (the same with a split by a field) and load (read what that wrote). Speakers have 100
utterances.

Near copies are looked for among fingerprints, of which the corpora have none but with --landmarks:
so many an utterance, of random bits. That search alone grows with the square of their number;
speech has about 9 to 13, of which twice as many pairs as of random ones are compared.
"""

import argparse
import base64
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dsnet.bin import run
from dsnet.corpus.audio import AudioFacts
from dsnet.corpus.fingerprint import ROW
from dsnet.corpus.gate import count, label
from dsnet.corpus.manifests import make_manifests, read_manifests, write_jsonl, write_manifests
from dsnet.corpus.utterance import Utterance
from dsnet.features.combine import make_cut
from dsnet.features.extract import target_samples
from dsnet.features.fbank import Fbank, FbankConfig
from dsnet.folds.build import build_task
from dsnet.folds.task_data import TaskData
from dsnet.task import FoldConfig, ReferenceConfig, TaskConfig

EMOTIONS = ("angry", "happy", "neutral", "sad")
RATE = 16000
TASK = TaskConfig(
    classes=list(EMOTIONS),
    label_map={name: name for name in EMOTIONS},
    folds=FoldConfig("speaker_groups", "next_group", num_groups=5),
    references=ReferenceConfig("neutral"),
)
SIDES = ["Test", "Development", *(["Train"] * 8)]  # of every ten speakers
PREDEFINED = replace(
    TASK,
    folds=FoldConfig(
        "predefined",
        "predefined",
        train=["Train"],
        dev=["Development"],
        test=["Test"],
        field="side",
    ),
)


@dataclass(frozen=True)
class Corpus:
    """How many utterances, and landmarks in the fingerprint of each."""

    size: int
    num_landmarks: int = 0


def synthetic(corpus: Corpus) -> Iterator[tuple[Utterance, AudioFacts]]:
    """Yield utterances of 1 to 9 seconds that no file holds."""
    rng = np.random.default_rng(0)
    for i in range(corpus.size):
        speaker, turn = f"spk{i // 100:06}", i % 100
        utt, num_samples = f"{speaker}-{turn:02}", RATE + i * 7919 % (8 * RATE)
        yield (
            Utterance(
                id=utt,
                speaker=speaker,
                emotion=EMOTIONS[turn % 4],
                path=Path("corpus", speaker, f"{utt}.wav"),
                sex="female" if i // 100 % 2 else "male",
                text=f"sentence number {i % 5000}",
                session=f"session{i // 1000}",
                custom={"side": SIDES[i // 100 % 10]},
            ),
            AudioFacts(
                RATE,
                1,
                num_samples,
                0,
                num_samples,
                f"{i:016x}",
                prints(corpus.num_landmarks, rng),
                (),
                False,
            ),
        )


def prints(num_landmarks: int, rng: np.random.Generator) -> str:
    """Return the fingerprint of an utterance with landmarks of random bits."""
    rows = np.zeros(num_landmarks, ROW)
    rows["frame"] = 50 * np.arange(num_landmarks)
    rows["print"] = rng.integers(0, 256, rows["print"].shape)
    return base64.b64encode(rows.tobytes()).decode()


def manifests(folder: Path, corpus: Corpus) -> None:
    write_manifests(folder, *make_manifests(synthetic(corpus)))


def gate(folder: Path, corpus: Corpus) -> None:
    _, supervisions = read_manifests(folder)
    assert count(label(supervisions, TASK), TASK).utterances == corpus.size


def cuts(folder: Path, corpus: Corpus) -> None:
    fbank = Fbank("fbank", FbankConfig())
    recordings, supervisions = read_manifests(folder)
    by_id = {recording.id: recording for recording in recordings}
    made = (
        make_cut(
            segment,
            by_id[segment.recording_id],
            fbank.num_frames(
                target_samples(segment, by_id[segment.recording_id].sampling_rate, fbank)
            ),
            fbank,
            "feats.scp",
        )
        for segment in supervisions
    )
    write_jsonl(folder / "cuts.jsonl.gz", made)


def folds(folder: Path, corpus: Corpus) -> None:
    _, supervisions = read_manifests(folder)
    report = build_task(TASK, list(supervisions), folder / "task")
    assert report["num_utterances"] == corpus.size


def predefined(folder: Path, corpus: Corpus) -> None:
    _, supervisions = read_manifests(folder)
    report = build_task(PREDEFINED, list(supervisions), folder / "predefined")
    assert report["num_utterances"] == corpus.size


def load(folder: Path, corpus: Corpus) -> None:
    task = TaskData.load(folder / "predefined")
    parts = task.fold("predefined").parts()
    assert sum(map(len, parts.values())) == corpus.size


STEPS: dict[str, Callable[[Path, Corpus], None]] = {
    "manifests": manifests,
    "gate": gate,
    "cuts": cuts,
    "folds": folds,
    "predefined": predefined,
    "load": load,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--sizes", default="10000 100000 1000000", help="(%(default)s)")
    parser.add_argument("--landmarks", type=int, default=0, help="an utterance (%(default)s)")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    sizes = [int(size) for size in args.sizes.split()]
    if args.step:
        measure(args.step, args.folder, Corpus(sizes[0], args.landmarks))
        return
    print(
        f"{'utterances':>12}  {'step':10}{'seconds':>10}{'CPU s':>10}{'peak GiB':>10}", flush=True
    )
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for step in STEPS:
                command = [sys.executable, __file__]
                command += ["--sizes", str(size), "--step", step, "--folder", folder]
                command += ["--landmarks", str(args.landmarks)]
                subprocess.run(command, check=True)


def measure(step: str, folder: Path, corpus: Corpus) -> None:
    """Run one step and print a row; what importing takes is not in the seconds."""
    begin, cpu = time.perf_counter(), time.process_time()
    STEPS[step](folder, corpus)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{corpus.size:>12,}  {step:10}{seconds:10.1f}{cpu:10.1f}{peak:10.2f}", flush=True)


if __name__ == "__main__":
    run(main)
