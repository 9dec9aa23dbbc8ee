"""The command line that training and inference share: one fold of one system and seed."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch

from dsnet.environment import choose_device
from dsnet.errors import ConfigError
from dsnet.systems.catalog import load_system_config
from dsnet.systems.config import SystemConfig


@dataclass
class Job:
    """One fold of one system and seed, and where its files are."""

    config: SystemConfig
    system: str  # its name
    fold: str
    seed: int
    device: torch.device
    task_dir: Path
    feats_dir: Path
    folder: Path  # of the fold's results


def parse_job(description: str) -> Job:
    """Parse the command line and set the number of threads.

    Raises:
        ConfigError: a config, fold or device that is not there.
    """
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--system", required=True, help="such as dsnet, or dsnet@losses.alpha=1")
    parser.add_argument("--folds", required=True, help="fold names, such as '03 08 09'")
    parser.add_argument("--job", type=int, default=1, help="which fold, from 1 (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (%(default)s)")
    parser.add_argument("--num-threads", type=int, default=1, help="on the CPU (%(default)s)")
    parser.add_argument("task_dir", type=Path, help="data/<task>, from stage 2")
    parser.add_argument("feats_dir", type=Path, help="data/<feats>, from stage 1")
    parser.add_argument("seed_dir", type=Path, help="exp/<task>/<system>/seed_<seed>")
    args = parser.parse_args()
    folds = args.folds.split()
    if not 1 <= args.job <= len(folds):
        raise ConfigError(f"--job {args.job}: --folds '{args.folds}' has 1 to {len(folds)}")
    fold = folds[args.job - 1]
    torch.set_num_threads(args.num_threads)
    return Job(
        config=load_system_config(args.system),
        system=args.system,
        fold=fold,
        seed=args.seed,
        device=choose_device(args.device),
        task_dir=args.task_dir,
        feats_dir=args.feats_dir,
        folder=args.seed_dir / f"fold_{fold}",
    )
