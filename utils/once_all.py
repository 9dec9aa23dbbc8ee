#!/usr/bin/env python3
"""Run steps of a recipe unless they are done, the jobs of all in one queue; see once.py.

Usage: once_all.py run|force|check STAGE RESUME STEPS

STEPS is a file with those that `queue` in recipe.sh has noted: of each, the number of its words
and the words themselves (NAME --reads PATH... --writes PATH... -- CMD ARG... as of once.py), a NUL
behind each. All are launched alike: the launcher and its options are those of the first.

Jobs begin in the order of the steps. A step has its marker as soon as its last job has ended well.
Kaldi's launchers know no lists of jobs: with them, a step runs after the other.
"""

import json
import os
import sys
import time
from pathlib import Path

from launch import elapsed, parse
from once import TOLD, Step, StepError, make_step, split_launcher
from shown import red, run
from signals import end_with_parent
from step_call import call

WITH_LISTS = ("run.py", "slurm.py")


def main() -> None:
    mode, stage, resume, path = sys.argv[1:]
    steps = read_steps(stage, os.fsdecode(Path(path).read_bytes()).split("\0")[:-1])
    end_with_parent(os.getppid())()
    try:
        if mode == "check":
            for step in steps:
                step.check(resume)
            return
        begun = [step for step in steps if step.begin(resume, mode == "force")]
        if begun and os.path.basename(begun[0].command[0]) in WITH_LISTS:
            sys.exit(Queue(begun).run())
        for step in begun:
            if status := step.run():
                sys.exit(status)
    except StepError as error:
        print(red(str(error)), file=sys.stderr)
        sys.exit(TOLD)


def read_steps(stage: str, words: list[str]) -> list[Step]:
    """Return the steps that `queue` has noted."""
    steps = []
    while words:
        count = int(words[0])
        steps.append(make_step(stage, words[1 : count + 1]))
        words = words[count + 1 :]
    return steps


class Queue:
    """The jobs of some steps as a list for the launcher, and what has become of them."""

    def __init__(self, steps: list[Step]):
        self.steps, self.status = steps, 0
        self.list = _list_of(steps[0])
        self.codes = self.list.with_suffix(".codes")
        for step in steps:  # what a killed queue has left
            for path in (_list_of(step), _list_of(step).with_suffix(".codes")):
                path.unlink(missing_ok=True)
        self.jobs: list[dict] = []
        self.left: dict[Step, range] = {}  # the jobs of the steps that are not done
        self.began: dict[int, float] = {}  # when the jobs that have ended well began, about
        for step in steps:
            launch = parse(os.path.basename(step.command[0]), "", step.command[1:])
            first = len(self.jobs) + 1
            for log, command in map(launch.of_job, launch.jobs):
                self.jobs.append({"log": str(log), "command": command, "step": step.key})
            self.left[step] = range(first, len(self.jobs) + 1)

    def run(self) -> int:
        """Run all jobs; return the exit status."""
        launcher, _ = split_launcher(self.steps[0].command)
        lines = [json.dumps(job) + "\n" for job in self.jobs]
        self.list.write_text("".join(lines), encoding="utf-8")
        try:
            locks = {step.name: step.lock for step in self.steps}
            status = call([*launcher, "--list", str(self.list)], locks, {}, self.look)
            self.look()
        finally:
            self.list.unlink()
            self.codes.unlink(missing_ok=True)
        return status or self.status

    def look(self) -> None:
        """Give the steps their markers whose jobs have all ended well."""
        try:
            codes = json.loads(self.codes.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        now = time.monotonic()
        well = {int(job) for job, code in codes.items() if code == 0}
        for job in well - self.began.keys():
            self.began[job] = now - elapsed(Path(self.jobs[job - 1]["log"]))
        for step in [step for step, jobs in self.left.items() if well.issuperset(jobs)]:
            begin = min(self.began[job] for job in self.left.pop(step))
            try:
                step.finish(now - begin)
            except StepError as error:
                print(red(str(error)), file=sys.stderr)
                self.status = TOLD


def _list_of(step: Step) -> Path:
    """Return where the jobs of a queue are listed whose first step it is."""
    return step.marker.with_name(f".{step.marker.stem}.jobs")


if __name__ == "__main__":
    run(main)
