#!/usr/bin/env python3
"""Print how many trainings of stage 3 are left and about how long they take.

Usage: time_left.py TASK SYSTEMS SEEDS FOLDS FOLD_JOBS SINCE

SYSTEMS, SEEDS and FOLDS are lists in one word each. A training is done if its train.json is of the
system, the features and the folds as they are now, and not older than SINCE (seconds since 1970;
--force redoes what is older). One that is left is taken to last as long as the mean of those
of its system; of a system without any, as the mean of all, which the message then says. The
trainings of a system and seed run FOLD_JOBS at a time, and none of the next begins before.
"""

import json
import math
import sys
from pathlib import Path
from statistics import mean


def main() -> None:
    task, systems, seeds, folds, fold_jobs, since = sys.argv[1:]
    done = total = 0
    seconds: dict[str, list[float]] = {}  # by system, of its trainings that are there
    left: list[tuple[str, int]] = []  # (system, trainings left), an entry a seed
    for system in systems.split():
        current = current_identity(task, system)
        for seed in seeds.split():
            missing = 0
            for fold in folds.split():
                path = Path("exp", task, system, f"seed_{seed}", f"fold_{fold}", "train.json")
                trained = read(path)
                same = (
                    trained is not None and current.items() <= trained.get("identity", {}).items()
                )
                if same:
                    seconds.setdefault(system, []).append(trained["seconds"])
                is_done = same and path.stat().st_mtime >= float(since)
                done, total, missing = done + is_done, total + 1, missing + (not is_done)
            left.append((system, missing))
    if done < total:
        print(f"  {done} of {total} trainings are done{estimate(seconds, left, int(fold_jobs))}")


def read(path: Path) -> dict | None:
    """Return the object that a JSON file holds; None if there is none, or a damaged one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def current_identity(task: str, system: str) -> dict:
    """Return what a training of a system is now, as its train.json says it."""
    system = json.loads(Path("exp", task, system, "system.json").read_text(encoding="utf-8"))
    folds = read(Path("data", task, "task.json"))
    feats = read(Path("data", system["config"]["features"], "feats.json"))
    return {
        "config": system["config"],
        "code_digest": system["code"],
        "features_digest": feats and feats.get("digest"),
        "task_digest": folds and folds.get("digest"),
    }


def estimate(seconds: dict[str, list[float]], left: list[tuple[str, int]], fold_jobs: int) -> str:
    """Return how long those left take; nothing is known before the first is done."""
    if not seconds:
        return ""
    means = {system: mean(values) for system, values in seconds.items()}
    overall = mean(value for values in seconds.values() for value in values)
    expected = sum(
        math.ceil(number / fold_jobs) * means.get(system, overall) for system, number in left
    )
    guessed = dict.fromkeys(system for system, number in left if number and system not in means)
    names = (
        " and ".join(guessed) if len(guessed) < 3 else f"the {len(guessed)} systems not yet begun"
    )
    condition = f", if {names} {'take' if len(guessed) > 1 else 'takes'} as long as the others"
    return f"; about {in_words(expected)} left{condition if guessed else ''}"


def in_words(seconds: float) -> str:
    """Return a time in minutes, from 100 on in hours and minutes."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


if __name__ == "__main__":
    main()
