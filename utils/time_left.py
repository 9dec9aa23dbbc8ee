#!/usr/bin/env python3
"""Print how many trainings of stage 3 are done and about how long the others take.

Usage: time_left.py [--order] TASK SYSTEMS SEEDS FOLDS FOLD_JOBS SINCE

With --order it prints the systems instead: those that are not known first, then the slowest first.
SYSTEMS, SEEDS and FOLDS are lists in one word each. A training is done if its
train.json is of the system, the features and the folds as they are now, and not older than SINCE
(seconds since 1970; --force redoes what is older). The launchers of stage 3 tell the same while it
runs: they find the arguments in DSNET_TRAININGS, a line each.

A training takes as long as the mean of those of its system that are there. Of a system without any,
those that run now tell: seconds an epoch times all epochs, at most. Of one that has not begun
nothing is known, and it is named: about 9 min + dsnet left. FOLD_JOBS run at a time.
"""

import heapq
import json
import math
import sys
from pathlib import Path
from statistics import mean


class Trainings:
    """All trainings of stage 3; the arguments are those of the program, as they are typed."""

    def __init__(self, task: str, systems: str, seeds: str, folds: str, fold_jobs: str, since: str):
        self.task, self.systems = task, systems.split()
        self.seeds, self.folds = seeds.split(), folds.split()
        self.fold_jobs, self.since = int(fold_jobs), float(since)
        self.current = {name: current_identity(task, name) for name in self.systems}
        self._seen: dict[Path, tuple[int, float | None]] = {}

    def in_words(self, began: float = math.inf) -> str:
        """Return how many are done and how long the others take; nothing if all are done.

        Args:
            began: when the launcher of what runs now did, seconds since 1970; a log.jsonl that was
                written later is of a training that runs.
        """
        done, left, expected, at_most = self._look(began)
        if not left:
            return ""
        each = ""
        if len(self.systems) == 1 and expected:
            each = f" ({short(expected[self.systems[0]])} each)"
        total = done + len(left)
        return f"{done} of {total} trainings done{each}; {self._left(left, expected, at_most)}"

    def slowest_first(self) -> list[str]:
        """Return the systems: those without any training first, for nobody knows."""
        _, _, expected, _ = self._look(math.inf)
        return sorted(self.systems, key=lambda name: -expected.get(name, math.inf))

    def _look(self, began: float) -> tuple[int, list[tuple[str, float]], dict[str, float], bool]:
        """Return what the folders of the trainings tell; `began` as for `in_words`.

        Returns:
            How many trainings are done; of each of the others its system and the seconds it has
            trained so far; by system the seconds that a training takes; whether that is the most.
        """
        done = 0
        took: dict[str, list[float]] = {name: [] for name in self.systems}  # seconds a training
        paces: dict[str, list[float]] = {name: [] for name in self.systems}  # seconds an epoch
        left: list[tuple[str, float]] = []
        for name in self.systems:
            for seed in self.seeds:
                for fold in self.folds:
                    folder = Path("exp", self.task, name, f"seed_{seed}", f"fold_{fold}")
                    changed, seconds = self._trained(folder / "train.json", name)
                    if seconds is not None:
                        took[name].append(seconds)
                    if seconds is not None and changed >= self.since:
                        done += 1
                        continue
                    epochs = seconds_of_epochs(folder / "log.jsonl", began)
                    paces[name] += epochs
                    left.append((name, sum(epochs)))
        expected = {name: mean(values) for name, values in took.items() if values}
        at_most = False
        for name, values in paces.items():
            if values and name not in expected:
                train = self.current[name]["config"]["train"]
                expected[name] = train["max_epochs"] * mean(values)
                at_most |= train["stop_after"] > 0
        return done, left, expected, at_most

    def _left(
        self, left: list[tuple[str, float]], expected: dict[str, float], at_most: bool
    ) -> str:
        known = [
            (spent, max(0.0, expected[name] - spent)) for name, spent in left if name in expected
        ]
        unknown = dict.fromkeys(name for name, _ in left if name not in expected)
        if not known:
            return "time left not known yet"
        known.sort(key=lambda both: (both[0] == 0, -both[1]))  # what runs, then the longest
        seconds = makespan([rest for _, rest in known], self.fold_jobs)
        names = list(unknown) if len(unknown) < 3 else [f"{len(unknown)} systems"]
        about = "at most" if at_most else "about"
        return f"{about} {' + '.join([short(seconds), *names])} left"

    def _trained(self, path: Path, system: str) -> tuple[float, float | None]:
        """Return when a train.json was written, and how long that training of the system took.

        Seconds are None if there is none, or if it is of the system as it was earlier.
        """
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0.0, None
        if path not in self._seen or self._seen[path][0] != changed:
            about, seconds = read(path), None
            if about and self.current[system].items() <= about.get("identity", {}).items():
                # until lately a train.json told of the epochs alone
                seconds = about.get("process_seconds", about["seconds"])
            self._seen[path] = changed, seconds
        return changed / 1e9, self._seen[path][1]


def read(path: Path) -> dict | None:
    """Return the object that a JSON file holds; None if there is none, or a damaged one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def current_identity(task: str, system: str) -> dict:
    """Return what a training of a system is now, as its train.json says it."""
    about = read(Path("exp", task, system, "system.json"))
    feats = read(Path("data", about["config"]["features"], "feats.json"))
    folds = read(Path("data", task, "task.json"))
    return {
        "config": about["config"],
        "code_digest": about["code"],
        "features_digest": feats and feats.get("digest"),
        "task_digest": folds and folds.get("digest"),
    }


def seconds_of_epochs(log: Path, since: float) -> list[float]:
    """Return how long each epoch took; nothing if the log is not there, or older than `since`."""
    try:
        if log.stat().st_mtime < since:
            return []
        lines = log.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line)["seconds"] for line in lines]


def makespan(seconds: list[float], at_a_time: int) -> float:
    """Return when the last of some jobs ends that begin in this order.

    >>> makespan([60, 20, 60, 60], 2)  # 60 + 60 on one slot, 20 + 60 on the other
    120
    """
    slots = [0.0] * at_a_time
    for duration in seconds:
        heapq.heapreplace(slots, slots[0] + duration)
    return max(slots)


def short(seconds: float) -> str:
    """Return a time in seconds, from 100 on in minutes, from 100 of those on in hours and minutes.

    >>> short(99), short(100), short(6000)
    ('99 s', '2 min', '1 h 40 min')
    """
    minutes = round(seconds / 60)
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def main() -> None:
    if sys.argv[1] == "--order":
        print(*Trainings(*sys.argv[2:]).slowest_first())
    elif words := Trainings(*sys.argv[1:]).in_words():
        print(f"  {words}")


if __name__ == "__main__":
    main()
