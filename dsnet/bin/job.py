"""The command line that training and inference share: one fold of one system and seed."""

import argparse
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from dsnet.config import split_changes
from dsnet.environment import choose_device, limit_threads
from dsnet.errors import ConfigError, TrainingError
from dsnet.features.feats import FeatsInfo
from dsnet.folds.task_data import TaskData
from dsnet.recipe import Recipe
from dsnet.systems import find_system
from dsnet.systems.catalog import SystemSpec, resolve
from dsnet.systems.config import SystemConfig


@dataclass
class Job:
    """One fold of one system and seed of a recipe's task."""

    recipe: Recipe
    task: str
    spec: SystemSpec
    config: SystemConfig  # of the system
    seed: int
    fold: str
    device: torch.device  # the CPU for linear systems

    @property
    def folder(self) -> Path:
        """Where stage 3 writes."""
        return self.recipe.run(self.task, self.spec.name, self.seed, self.fold)

    @property
    def task_changes(self) -> dict[str, str]:
        """Changed keys of the task's config, as typed."""
        _, changes = split_changes(Path(f"{self.task}.yaml"))
        return dict(change.split("=", 1) for change in changes)


def job_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the options that `make_job` takes."""
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--recipe", type=Path, default=Path(), help="folder (the current one)")
    parser.add_argument("--task", required=True, help="such as 4class")
    parser.add_argument("--system", required=True, help="such as dsnet, or dsnet@losses.alpha=1")
    parser.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--folds", required=True, help="fold names, such as '03 08 09'")
    parser.add_argument("--job", type=int, default=1, help="which fold, from 1 (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (%(default)s)")
    parser.add_argument("--num-threads", type=int, default=1, help="on the CPU (%(default)s)")
    return parser


def make_job(args: argparse.Namespace) -> Job:
    """Return the job that the options name; sets the number of threads.

    Raises:
        ConfigError: a system, fold or device that is not there.
    """
    folds = args.folds.split()
    if not 1 <= args.job <= len(folds):
        raise ConfigError(f"--job {args.job}: --folds '{args.folds}' has 1 to {len(folds)}")
    spec = resolve(args.system, args.recipe)
    if spec.config is None:
        raise ConfigError(f"--system {args.system}: an ensemble is not trained; its members are")
    limit_threads(args.num_threads)
    device = choose_device(args.device)
    if not find_system(spec.config).is_network:
        device = torch.device("cpu")
    return Job(
        recipe=Recipe(args.recipe),
        task=args.task,
        spec=spec,
        config=spec.config,
        seed=args.seed,
        fold=folds[args.job - 1],
        device=device,
    )


def require_voices(info: FeatsInfo, task: TaskData, utts: Iterable[str]) -> None:
    """Make sure that normalising by all audio of a speaker leaves something of an utterance.

    Args:
        info: of the features.
        task: of the utterances.
        utts: that will be read.

    Raises:
        TrainingError: an utterance is one vector, and the only one of its speaker.
    """
    counts = Counter(task.utt2spk[utt] for utt in utts)
    alone = sorted(speaker for speaker, number in counts.items() if number < 2)
    if info.frame_shift_ms is None and alone:
        raise TrainingError(
            f"{len(alone)} of {len(counts)} speakers have one utterance each, first: "
            f"{', '.join(alone[:5])}. Of the features '{info.name}' it is one vector, and minus "
            "its own mean nothing is left of it. Leave out systems that hear all audio of a "
            "speaker (enrolment.source all, --match-target speaker), choose features with frames, "
            "or leave these speakers out of the task (those of nobody known by --task "
            f"{task.task_dir.name}@unknown_speakers=leave_out)"
        )
