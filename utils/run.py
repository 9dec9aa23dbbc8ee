#!/usr/bin/env python3
"""Run a command here, once or as N jobs, each with a log; the command line is that of run.pl.

Usage: run.py [--max-jobs-run K] [--num-threads T] [--gpu G] [--mem M] [--time T]
              [--config FILE] ([JOB=1:N] LOG CMD ARG... | --list FILE)

JOB=1:N: N jobs; the text JOB in LOG and in every word of the command becomes 1 ... N.  JOB=3: one
job, number 3.  K jobs run at a time; without --max-jobs-run as many as there are processors, or
with --gpu G as there are sets of G GPUs, which are dealt to the jobs by CUDA_VISIBLE_DEVICES.
All jobs run even if one fails; then the exit status is 1.  --mem, --time and --config are for
clusters.  The words of the command are passed on as they are; no shell reads them.

--list FILE in the place of JOB=1:N LOG CMD ARG...: a job a line, such as
{"log": "x.log", "command": ["sleep", "1"], "step": ""}.  They begin in this order, and the exit
statuses of those that have ended stand in the file whose name ends in .codes instead.
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from forked import Fork, can_fork
from launch import Launch, close_log, open_log, parse, report
from progress import Progress
from shown import run
from signals import Signals, end_with_parent, signal_group

GRACE_SECONDS = 5.0  # from SIGTERM to SIGKILL
POLL_SECONDS = 0.03


@dataclass
class Running:
    """A job that runs."""

    job: int
    log: Path
    stream: TextIO
    process: subprocess.Popen | Fork
    slot: int
    start: float


def main() -> None:
    launch = parse("run.py", __doc__, sys.argv[1:])
    signals = Signals()
    devices = gpu_sets(launch.gpu) if launch.gpu else []
    processors = max(1, len(os.sched_getaffinity(0)) // launch.num_threads)
    limit = launch.max_jobs_run or len(devices) or processors
    codes = run_jobs(launch, limit, devices, signals)
    if signals.received:
        sys.exit(128 + signals.received[0])
    sys.exit(report("run.py", launch, dict(sorted(codes.items()))))


def run_jobs(launch: Launch, limit: int, devices: list[str], signals: Signals) -> dict[int, int]:
    """Run the jobs, `limit` at a time; return their exit statuses by number."""
    codes: dict[int, int] = {}
    running: list[Running] = []
    waiting = list(launch.jobs)
    progress = Progress({job: launch.of_job(job)[0] for job in waiting})
    while (waiting or running) and not signals.received:
        while waiting and len(running) < limit:
            job = waiting.pop(0)
            slot = min(set(range(limit)) - {r.slot for r in running})
            started = start(launch, job, slot, devices)
            if isinstance(started, int):
                codes[job] = started
                launch.tell(codes)
            else:
                running.append(started)
        for entry in list(running):
            if entry.process.poll() is not None:
                codes[entry.job] = finish(entry, launch)
                launch.tell(codes)
                running.remove(entry)
        if running:
            progress.show(codes, [entry.job for entry in running])
            time.sleep(POLL_SECONDS)
    progress.clear()
    end_groups(running)
    for entry in running:
        finish(entry, launch)
    return codes


def start(launch: Launch, job: int, slot: int, devices: list[str]) -> Running | int:
    """Start one job; return its exit status if it cannot be started."""
    log, command = launch.of_job(job)
    stream, begin = open_log(log, command), time.monotonic()
    environment = dict(os.environ)
    if devices:
        environment["CUDA_VISIBLE_DEVICES"] = devices[slot % len(devices)]
    if can_fork(command):
        process = Fork(command, stream.fileno(), environment)
        return Running(job, log, stream, process, slot, begin)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # a process group of its own, to end all that it starts
            preexec_fn=end_with_parent(os.getpid()),
        )
    except OSError as error:
        code = 127 if isinstance(error, FileNotFoundError) else 126
        stream.write(f"cannot run {command[0]}: {error.strerror}\n")
        close_log(stream, code, 0.0, launch.num_threads)
        return code
    return Running(job, log, stream, process, slot, begin)


def finish(entry: Running, launch: Launch) -> int:
    """Write the end of the log of a job that has ended; return its exit status."""
    code = entry.process.wait()
    code = code if code >= 0 else 128 - code
    close_log(entry.stream, code, time.monotonic() - entry.start, launch.num_threads)
    return code


def end_groups(running: list[Running]) -> None:
    """End the jobs: SIGTERM, after some seconds SIGKILL, also to what they have left behind."""
    for entry in running:
        signal_group(entry.process.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(r.process.poll() is None for r in running) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for entry in running:
        signal_group(entry.process.pid, signal.SIGKILL)


def gpu_sets(count: int) -> list[str]:
    """Return values for CUDA_VISIBLE_DEVICES, `count` GPUs each; none without enough GPUs."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        gpus = [gpu for gpu in visible.split(",") if gpu]
    else:
        try:
            listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
        except OSError:
            listing = ""
        gpus = [
            str(i) for i in range(sum(line.startswith("GPU ") for line in listing.splitlines()))
        ]
    return [",".join(gpus[i : i + count]) for i in range(0, len(gpus) - count + 1, count)]


if __name__ == "__main__":
    run(main)
