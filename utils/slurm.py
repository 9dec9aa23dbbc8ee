#!/usr/bin/env python3
"""Run a command on a Slurm cluster, once or as N jobs; the command line is that of run.py.

Usage: slurm.py [--max-jobs-run K] [--num-threads T] [--gpu G] [--mem M] [--time T]
                [--config FILE] ([JOB=1:N] LOG CMD ARG... | --list FILE)

Submits a job array and returns when all its tasks have ended.  Each task is run.py on the machine
that Slurm chose, so logs look the same.  FILE holds options of sbatch for this site, one a line:
--partition=gpu, --account=NAME, --mem=16G, --time=4:00:00, ...; a line with # in front is a remark.

The folder q beside the logs holds the batch script, what Slurm prints, and which task runs which
job.  A launcher that comes back while tasks wait or run joins them, if it is for the same command
and inputs.  A job that its time
limit, preemption or the loss of its node ended is submitted again if it had gained an epoch.
"""

import sys
import time

import slurm_calls as slurm
from launch import Launch, ended, parse, report, slurm_task
from progress import Progress, last_step
from shown import run, shown
from signals import Signals
from slurm_kept import Kept
from slurm_submit import read_config, sbatch, script_path, submit, write_script

LOG_SECONDS = 0.05, 1.0  # from one look at the logs to the next: at first, and at most
QUEUE_SECONDS = 0.5, 5.0  # from one look at Slurm's queue to the next
FILE_SYSTEM_SECONDS = 20.0  # how long the last lines of a log may take over a network
NO_NEWS = ("None", "Dependency", "JobArrayTaskLimit")  # reasons to wait that are our own


def main() -> None:
    launch = parse("slurm.py", __doc__, sys.argv[1:])
    try:
        status = Run(launch, read_config(launch.config)).all_jobs()
    except slurm.SlurmError as error:
        sys.exit(f"slurm.py: {error}")
    if status:
        folder = shown(str(script_path(launch).parent))
        print(f"slurm.py: what Slurm said is in {folder}", file=sys.stderr)
    sys.exit(status)


class Run:
    """The jobs of one launch: submitted or joined, watched, submitted again where that helps."""

    def __init__(self, launch: Launch, site: list[str]):
        self.launch, self.site, self.signals = launch, site, Signals()
        self.logs = {job: launch.of_job(job)[0] for job in launch.jobs}
        self.kept = Kept(launch)
        self.progress = Progress(self.logs)
        self.ours: set[int] = set()  # jobs that were submitted or joined
        self.submitted: set[str] = set()  # Slurm's numbers of the arrays that are all ours
        self.codes: dict[int, int | None] = {}  # exit status of the jobs that have ended
        self.states: dict[str, tuple[str, str]] = {}  # of Slurm's tasks: state and reason
        self.epochs: dict[int, int] = {}  # how far the earlier tries of a job got

    def all_jobs(self) -> int:
        """Run all jobs; return the exit status."""
        try:
            if self.kept.tasks:
                self._join()
            while jobs := [job for job in self.logs if job not in self.codes]:
                self._submit(jobs)
                self._watch(jobs)
        except KeyboardInterrupt:
            self.progress.clear()
            self._cancel()
            sys.exit(128 + self.signals.received[0])
        self.progress.clear()
        codes = dict(sorted(self.codes.items()))
        why = {job: slurm.ENDED[self._state(job)] for job in codes if self._cut_short(job)}
        return report("slurm.py", self.launch, codes, why)

    def _join(self) -> None:
        """Wait for the tasks that an earlier launcher has left, and see what they have done."""
        numbers = self.kept.numbers(self.kept.tasks)
        self.states = slurm.states(numbers, self.signals)
        while "COMPLETING" in {self._state(job) for job in self.kept.tasks}:
            slurm.tell(f"job {', '.join(numbers)} of an earlier run is about to end")
            self._pause(LOG_SECONDS[1])
            self.states = slurm.states(numbers, self.signals)
        alive = [job for job in self.kept.tasks if self._is_alive(job)]
        others = [job for job in alive if job in self.kept.others]
        if others:
            raise slurm.SlurmError(
                "an earlier run, with another command or other inputs, still writes "
                f"{shown(str(self.logs[others[0]]))}; wait until it has ended, or cancel it by: "
                f"scancel {' '.join(self.kept.numbers(others))}"
            )
        self.kept.forget(self.kept.others)
        if alive:
            print(f"  Slurm job {', '.join(self.kept.numbers(alive))}: goes on", flush=True)
        # of an array that is gone, whether the outputs are still there nobody knows but the jobs
        done = [job for job in self.kept.tasks if alive and self._code(job) == 0]
        if done:
            print(f"  {len(done)} of {len(self.logs)} jobs had ended well", flush=True)
        self.ours = set(alive)
        self._end(dict.fromkeys(done, 0))
        self._watch([job for job in alive if job not in self.codes])

    def _submit(self, jobs: list[int]) -> None:
        """Submit jobs as one array, or as several if there are more than an array may have."""
        size = slurm.max_array_size(self.signals)
        write_script(self.launch).with_suffix(".out").unlink(missing_ok=True)
        for job in jobs:
            self.logs[job].unlink(missing_ok=True)
        self.kept.forget(jobs)
        before = ""
        for block in sorted({job // size for job in jobs}):
            part = [job for job in jobs if job // size == block]
            indices, offset = [job % size for job in part], block * size
            try:
                number = submit(
                    sbatch(self.launch, self.site, indices, offset, before), self.signals
                )
                self.ours |= set(part)
                self.submitted.add(number)
                self.kept.add({job: f"{number}_{job % size}" for job in part})
            except (slurm.SlurmError, OSError):  # nothing runs that nobody watches
                self._cancel()
                raise
            what = shown(self.launch.log) if self.launch.log else f"{len(part)} jobs"
            print(f"  Slurm job {number}: {what}", flush=True)
            before = number if self.launch.max_jobs_run else ""

    def _watch(self, jobs: list[int]) -> None:
        """Wait until jobs have ended and set their exit statuses, but of those to run again."""
        waiting, pause, every = set(jobs), LOG_SECONDS[0], QUEUE_SECONDS[0]
        ask = time.monotonic() + every
        gone: dict[int, float] = {}  # since when Slurm has no more of a job
        failed: set[int] = set()
        while waiting:
            found = {job: self._code(job) for job in waiting}
            fresh = {job for job, code in found.items() if code} - failed
            failed |= fresh
            now = time.monotonic()
            if (fresh or now >= ask) and self._look(waiting):
                every = min(2 * every, QUEUE_SECONDS[1])
                ask = now + every
                alive = {job for job in waiting if self._is_alive(job)}
                alive -= {job for job in alive if self._is_completing(job) and found[job]}
                gone = {job: gone.get(job, now) for job in waiting - alive}
            for job, code in found.items():
                late = job in gone and now >= gone[job] + FILE_SYSTEM_SECONDS
                sure = code is not None or self._cut_short(job)  # Slurm may begin a job again
                sure = sure and not self._is_completing(job)  # which can take its node for ever
                if code == 0 or (job in gone and sure) or late:
                    waiting.remove(job)
                    if not self._gained(job, code):
                        self._end({job: code})
            begun = [job for job in waiting if self.logs[job].exists()]
            self.progress.show(self.codes, begun)
            if waiting:
                self._pause(pause)
                pause = min(2 * pause, LOG_SECONDS[1])

    def _end(self, codes: dict[int, int | None]) -> None:
        """Note the exit statuses of further jobs; forget the tasks of steps that are done."""
        self.codes |= codes
        self.launch.tell(self.codes)
        for step in {self.kept.step(job) for job in codes}:
            jobs = [job for job in self.logs if self.kept.step(job) == step]
            if all(self.codes.get(job) == 0 for job in jobs):
                self.kept.remove(jobs)

    def _look(self, jobs: set[int]) -> bool:
        """Ask Slurm for the states; tell why jobs wait. Return whether it answered."""
        try:
            found = slurm.states(self.kept.numbers(jobs), self.signals)
        except slurm.SlurmError as error:
            slurm.tell(f"the logs are watched, though Slurm does not answer: {error}")
            return False
        ended = {task: what for task, what in self.states.items() if what[0] in slurm.ENDED}
        self.states = ended | found  # what Slurm has forgotten meanwhile does not run
        for job in sorted(jobs):
            number = self.kept.tasks[job].partition("_")[0]
            state, reason = self.states.get(self.kept.tasks[job], ("", ""))
            if state == "PENDING" and reason not in NO_NEWS:
                slurm.tell(f"job {number} waits: {reason}{slurm.advice(reason, number)}")
        return True

    def _gained(self, job: int, code: int | None) -> bool:
        """Return whether a job was ended from outside after an epoch more than the last time."""
        step = last_step(self.logs[job])
        if code == 0 or self._state(job) not in slurm.RESUMED or not step or step[0] != "epoch":
            return False
        if step[1] <= self.epochs.get(job, 0):
            return False
        self.epochs[job] = step[1]
        slurm.tell(f"job {job}: {self._state(job)} after epoch {step[1]}; it is submitted again")
        return True

    def _code(self, job: int) -> int | None:
        """Return the exit status in the log of a job; None without an end marker of its task."""
        log = self.logs[job]
        return ended(log) if slurm_task(log) == self.kept.tasks[job] else None

    def _state(self, job: int) -> str:
        """Return the state of a job as Slurm said last; empty if it knows it no more."""
        return self.states.get(self.kept.tasks[job], ("", ""))[0]

    def _is_alive(self, job: int) -> bool:
        return self._state(job) not in ("", *slurm.ENDED)

    def _is_completing(self, job: int) -> bool:
        return self._state(job) == "COMPLETING"

    def _cut_short(self, job: int) -> bool:
        """Return whether Slurm has ended a job, and not the job itself."""
        return self._state(job) in slurm.ENDED and self._state(job) not in slurm.BY_ITSELF

    def _pause(self, seconds: float) -> None:
        """Wait; raise KeyboardInterrupt at a signal."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.signals.received:
                raise KeyboardInterrupt
            time.sleep(0.05)

    def _cancel(self) -> None:
        """Cancel the tasks that wait or run, as far as is known."""
        tasks = [self.kept.tasks[job] for job in self.ours - self.codes.keys()]
        whole = {task.partition("_")[0] for task in tasks} & self.submitted
        # an array that was joined may have tasks that another launcher waits for
        names = sorted(whole) + sorted(t for t in tasks if t.partition("_")[0] not in whole)
        if not names:
            return
        try:
            slurm.call(["scancel", *names], self.signals, slurm.CANCEL_SECONDS)
        except slurm.SlurmError as error:
            slurm.tell(f"{error}\n  The jobs may run on. Cancel them by: scancel {' '.join(names)}")


if __name__ == "__main__":
    run(main)
