"""Time and memory of manifests, cuts and folds of corpora without audio, by number of utterances.

Usage: python utils/benchmark_manifests.py [--sizes "10000 100000"]

Each step of each size runs in a process of its own, as the stages do: manifests (make, check and
write), gate (read them, map labels, count), cuts (read the manifests, make and write Lhotse cuts)
and folds (read the manifests, choose references, split, audit, write). Speakers have 100
utterances.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dsnet.bin import run
from dsnet.corpus.audio import AudioFacts
from dsnet.corpus.gate import count, label
from dsnet.corpus.manifests import make_manifests, read_manifests, write_jsonl, write_manifests
from dsnet.corpus.utterance import Utterance
from dsnet.features.combine import make_cut
from dsnet.features.extract import target_samples
from dsnet.features.fbank import Fbank, FbankConfig
from dsnet.folds.build import build_task
from dsnet.task import FoldConfig, ReferenceConfig, TaskConfig

EMOTIONS = ("angry", "happy", "neutral", "sad")
RATE = 16000
TASK = TaskConfig(
    classes=list(EMOTIONS),
    label_map={name: name for name in EMOTIONS},
    folds=FoldConfig("speaker_groups", "next_group", num_groups=5),
    references=ReferenceConfig("neutral"),
)


def synthetic(size: int) -> Iterator[tuple[Utterance, AudioFacts]]:
    """Yield utterances of 1 to 9 seconds that no file holds."""
    for i in range(size):
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
            ),
            AudioFacts(RATE, 1, num_samples, 0, num_samples, f"{i:016x}", "", (), False),
        )


def manifests(folder: Path, size: int) -> None:
    write_manifests(folder, *make_manifests(synthetic(size)))


def gate(folder: Path, size: int) -> None:
    _, supervisions = read_manifests(folder)
    assert count(label(supervisions, TASK), TASK).utterances == size


def cuts(folder: Path, size: int) -> None:
    fbank = Fbank("fbank", FbankConfig())
    recordings, supervisions = read_manifests(folder)
    by_id = {recording.id: recording for recording in recordings}
    made = (
        make_cut(
            segment,
            by_id[segment.recording_id],
            fbank.num_frames(target_samples(segment.duration, fbank)),
            fbank,
            "feats.scp",
        )
        for segment in supervisions
    )
    write_jsonl(folder / "cuts.jsonl.gz", made)


def folds(folder: Path, size: int) -> None:
    _, supervisions = read_manifests(folder)
    report = build_task(TASK, list(supervisions), folder / "task")
    assert report["num_utterances"] == size


STEPS: dict[str, Callable[[Path, int], None]] = {
    "manifests": manifests,
    "gate": gate,
    "cuts": cuts,
    "folds": folds,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--sizes", default="10000 100000 1000000", help="(%(default)s)")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    sizes = [int(size) for size in args.sizes.split()]
    if args.step:
        measure(args.step, args.folder, sizes[0])
        return
    print(
        f"{'utterances':>12}  {'step':10}{'seconds':>10}{'CPU s':>10}{'peak GiB':>10}", flush=True
    )
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for step in STEPS:
                command = [sys.executable, __file__]
                command += ["--sizes", str(size), "--step", step, "--folder", folder]
                subprocess.run(command, check=True)


def measure(step: str, folder: Path, size: int) -> None:
    """Run one step and print a row; what importing takes is not in the seconds."""
    begin, cpu = time.perf_counter(), time.process_time()
    STEPS[step](folder, size)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{size:>12,}  {step:10}{seconds:10.1f}{cpu:10.1f}{peak:10.2f}", flush=True)


if __name__ == "__main__":
    run(main)
