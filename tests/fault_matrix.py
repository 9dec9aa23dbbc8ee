"""Play what can go wrong on a machine, and print what became of it, as a table in Markdown.

Usage: python tests/fault_matrix.py [--kills 50] [--seed 0]

A run is killed at random moments of all stages, the disk filled in each of them (as root, who can
mount one), every file damaged that a program reads, every container of sound given headers at
random. It takes some ten minutes; the exit status is 1 if anything was lost.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random

from faults.damage import ROWS, play
from faults.disk import fill_in_every_stage
from faults.headers import containers, damage_header, judge
from faults.kills import KILLED, kill_often, kill_run_sh
from small_recipe import Recipe, environment, outcome

HEADERS = 100  # a container


@dataclass
class Row:
    """A line of the table: a fault, how often it was tried and survived, and what was said."""

    fault: str
    tried: int = 0
    survived: int = 0
    said: str = ""

    def count(self, survived: bool, said: str = "") -> None:
        """Count one; what is said of the first that was lost stands for all."""
        lost_before = self.survived < self.tried
        self.tried += 1
        self.survived += survived
        if not lost_before and (not survived or not self.said):
            self.said = said

    def __str__(self) -> str:
        said = self.said.replace("|", "\\|").replace("\n", " ")
        cells = (self.fault, self.tried, self.survived, self.tried - self.survived, said)
        return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng, lost = Random(args.seed), 0
    print("| fault | tried | survived | lost | what it says |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        whole = Recipe(top / "a project", environment())
        start = time.monotonic()
        whole.run()
        seconds = time.monotonic() - start
        for row in chain(
            play_kills(top, whole, args.kills, seconds, rng),
            play_disks(top, whole),
            play_damage(whole, rng),
            play_headers(top, rng),
        ):
            print(str(row).replace(f"{top}/", "").replace(f"{top}/"[1:], ""), flush=True)
            lost += row.tried - row.survived
    sys.exit(lost > 0)


def play_kills(top: Path, whole: Recipe, number: int, seconds: float, rng: Random) -> Iterator[Row]:
    """Kill all of a run, and run.sh alone."""
    made = 0

    def make_recipe() -> Recipe:
        nonlocal made
        made += 1
        return Recipe(top / f"killed {made}", whole.env)

    hit, recipes = kill_often(make_recipe, number, seconds, rng)
    stages = ", ".join(f"{stage}: {hit[stage]}" for stage in sorted(hit))
    row = Row(f"all processes killed at random (stage {stages}), then the same command again")
    row.tried = hit.total()
    same = [outcome(recipe) == outcome(whole) for recipe in recipes]
    row.survived = row.tried if all(same) else 0
    row.said = f"{sum(same)} of {len(recipes)} runs end with equal weights, posteriors and metrics"
    yield row
    row = Row(f"run.sh alone killed while {' or '.join(KILLED)}")
    for number, sign in enumerate(KILLED.values()):
        recipe = Recipe(top / f"orphan {number}", whole.env)
        row.count(kill_run_sh(recipe, sign), "all that it had started ends")
    yield row


def play_disks(top: Path, whole: Recipe) -> Iterator[Row]:
    """Fill the disk in each stage."""
    row = Row("disk full in each stage; room made, then the same command again")
    try:
        for well, said, recipe in fill_in_every_stage(top / "disk", whole.env):
            row.count(well, said)
            if recipe:
                row.count(outcome(recipe) == outcome(whole), said)
    except (subprocess.CalledProcessError, FileNotFoundError):
        row.said = "only root can mount a disk to fill"
    yield row


def play_damage(whole: Recipe, rng: Random) -> Iterator[Row]:
    """Damage each file that a program reads; a row a kind of damage."""
    rows: dict[str, Row] = {}
    for row in ROWS:
        for name, damage in row.damages.items():
            words = f"a file that a program reads: {name}"
            rows.setdefault(name, Row(words)).count(*play(whole, row, damage, rng))
    yield from rows.values()


def play_headers(top: Path, rng: Random) -> Iterator[Row]:
    """Damage the headers of sound files."""
    row, names = Row(""), set()
    for name, content in containers():
        names.add(name.partition(".")[0])
        for _ in range(HEADERS):
            path = top / name
            path.write_bytes(damage_header(content, rng))
            row.count(*judge(path))
    row.fault = f"damaged headers of sound, {HEADERS} for each coding of {len(names)} containers"
    yield row


if __name__ == "__main__":
    main()
