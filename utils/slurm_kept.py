"""Which task of Slurm runs which job: kept beside its log until all of its step has ended well."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from launch import Launch
from shown import shown


class Kept:
    """The tasks of a launch by job, such as {3: "77_3"}; those of earlier launchers at first.

    A job is that of an earlier launcher if its command is the same, and its step as once.py tells
    it (command and inputs), in DSNET_STEP or in the list of jobs; `others` are jobs whose log
    another task has. A job without a step has an empty one.
    """

    def __init__(self, launch: Launch):
        self.paths: dict[int, Path] = {}
        self.about: dict[int, dict] = {}
        self.tasks: dict[int, str] = {}
        self.others: set[int] = set()
        for job in launch.jobs:
            log, command = launch.of_job(job)
            step = launch.listed[job - 1]["step"] if launch.listed else os.environ.get("DSNET_STEP")
            self.paths[job] = log.parent / "q" / f"{log.name.removesuffix('.log')}.json"
            self.about[job] = {"command": command, "step": step or ""}
            if self.paths[job].exists():
                self._read(job)

    def _read(self, job: int) -> None:
        try:
            content = json.loads(self.paths[job].read_text(encoding="utf-8"))
            self.tasks[job] = content.pop("task")
        except (ValueError, AttributeError, KeyError) as error:
            sys.exit(
                f"slurm.py: {shown(str(self.paths[job]))} is damaged ({error}); if squeue --me "
                "shows no job that writes the log there, remove it"
            )
        if content != self.about[job]:
            self.others.add(job)

    def step(self, job: int) -> str:
        """Return the step of a job; without one nobody knows whether its inputs are as before."""
        return self.about[job]["step"]

    def forget(self, jobs: Iterable[int]) -> None:
        """Forget the tasks of some jobs, as far as it is not written."""
        self.tasks = {job: task for job, task in self.tasks.items() if job not in jobs}

    def add(self, tasks: dict[int, str]) -> None:
        """Keep the tasks that run some jobs."""
        self.tasks |= tasks
        for job, task in tasks.items():
            temporary = self.paths[job].with_suffix(".tmp")
            temporary.parent.mkdir(parents=True, exist_ok=True)
            content = {**self.about[job], "task": task}
            temporary.write_text(json.dumps(content), encoding="utf-8")
            temporary.replace(self.paths[job])

    def remove(self, jobs: Iterable[int]) -> None:
        """Remove what is written of some jobs."""
        for job in jobs:
            self.paths[job].unlink(missing_ok=True)

    def numbers(self, jobs: Iterable[int]) -> list[str]:
        """Return the numbers, in order, of the jobs of Slurm whose tasks run some jobs."""
        return sorted({self.tasks[job].partition("_")[0] for job in jobs}, key=int)
