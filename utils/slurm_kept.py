"""Which task of Slurm runs which job: kept beside the logs until all jobs have ended well."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from launch import Launch
from shown import shown


class Kept:
    """The tasks of a launch by job, such as {3: "77_3"}; those of an earlier launcher at first.

    `same` says whether those are of the same command and jobs, and of the same step as once.py
    tells it in DSNET_STEP (command and inputs); `step` is empty without one.
    """

    def __init__(self, path: Path, launch: Launch):
        self.path, self.step = path, os.environ.get("DSNET_STEP", "")
        jobs = [launch.jobs[0], launch.jobs[-1]]
        self.about = {"command": [launch.log, *launch.command], "jobs": jobs, "step": self.step}
        self.tasks: dict[int, str] = {}
        self.same = True
        if path.exists():
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                tasks = content.pop("tasks")
                self.tasks = {int(job): task for job, task in tasks.items()}
            except (ValueError, AttributeError, KeyError) as error:
                sys.exit(
                    f"slurm.py: {shown(str(path))} is damaged ({error}); if squeue --me shows no "
                    "job that writes the logs there, remove it"
                )
            self.same = content == self.about

    def forget(self, jobs: Iterable[int]) -> None:
        """Forget the tasks of some jobs, as far as it is not written."""
        self.tasks = {job: task for job, task in self.tasks.items() if job not in jobs}

    def add(self, tasks: dict[int, str]) -> None:
        """Keep further tasks, in the place of earlier ones of the same jobs."""
        self.tasks |= tasks
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps({**self.about, "tasks": self.tasks}), encoding="utf-8")
        temporary.replace(self.path)

    def remove(self) -> None:
        """Forget all: every job has ended well."""
        self.path.unlink(missing_ok=True)

    def numbers(self, jobs: Iterable[int]) -> list[str]:
        """Return the numbers, in order, of the jobs of Slurm whose tasks run some jobs."""
        return sorted({self.tasks[job].partition("_")[0] for job in jobs}, key=int)
