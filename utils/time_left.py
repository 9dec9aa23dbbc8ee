#!/usr/bin/env python3
"""Print how many trainings are left and about how long they take.

Usage: time_left.py EXP_DIR SYSTEMS SEEDS FOLDS FOLD_JOBS

SYSTEMS, SEEDS and FOLDS are lists in one word each. A training is done when its
EXP_DIR/<system>/seed_<seed>/fold_<fold>/train.json is there, which holds the seconds that it took;
one that is left is taken to last as long as the mean of its system's, or, before there is any, of
all.
"""

import json
import sys
from pathlib import Path
from statistics import mean


def main() -> None:
    exp_dir, systems, seeds, folds, fold_jobs = sys.argv[1:]
    done, seconds, left = count(Path(exp_dir), systems.split(), seeds.split(), folds.split())
    total = done + sum(left.values())
    if left and total > len(folds.split()):
        print(f"  {done} of {total} trainings are done{estimate(seconds, left, int(fold_jobs))}")


def count(exp_dir: Path, systems: list[str], seeds: list[str], folds: list[str]):
    """Return the number of trainings done, seconds of them by system, and those left by system."""
    seconds: dict[str, list[float]] = {}
    left: dict[str, int] = {}
    done = 0
    for system in systems:
        for seed in seeds:
            for fold in folds:
                path = exp_dir / system / f"seed_{seed}" / f"fold_{fold}" / "train.json"
                if path.is_file():
                    done += 1
                    about = json.loads(path.read_text(encoding="utf-8"))
                    seconds.setdefault(system, []).append(about["seconds"])
                else:
                    left[system] = left.get(system, 0) + 1
    return done, seconds, left


def estimate(seconds: dict[str, list[float]], left: dict[str, int], fold_jobs: int) -> str:
    """Return how long those left take; nothing is known before the first is done."""
    if not seconds:
        return ""
    overall = mean(value for values in seconds.values() for value in values)
    expected = sum(
        number * (mean(seconds[system]) if system in seconds else overall)
        for system, number in left.items()
    )
    return f"; about {in_words(expected / fold_jobs)} left"


def in_words(seconds: float) -> str:
    """Return a time in minutes, from 100 on in hours and minutes."""
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


if __name__ == "__main__":
    main()
