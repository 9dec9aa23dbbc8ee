"""What run.py and slurm.py share: the command line of Kaldi's run.pl, logs, reports."""

import json
import os
import re
import shlex
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shown import note, red, shown

OPTIONS = ("--max-jobs-run", "--mem", "--gpu", "--num-threads", "--time", "--config", "--list")
JOBS = re.compile(r"([A-Z_][A-Z0-9_]*)=(\d+)(?::(\d+))?")
ENDED = re.compile(r"# Ended \(code (\d+)\)(?:.* elapsed time (\d+) seconds)?")
BEGUN = re.compile(rb"# Started at [^,\n]*, task (\S+) of Slurm\n")


@dataclass
class Launch:
    """A parsed command line; `name` is the word that stands for the job number, if any.

    `listed` are the jobs of --list instead: each has log, command and step (see slurm_kept.py).
    """

    log: str
    command: list[str]
    name: str = ""
    jobs: range = range(1, 2)
    max_jobs_run: int | None = None
    gpu: int = 0
    num_threads: int = 1
    mem: str = ""
    time: str = ""
    config: str = ""
    list_file: str = ""
    listed: Sequence[Mapping] = ()
    failed: set[int] = field(default_factory=set)  # jobs of the list that were told of

    def of_job(self, job: int) -> tuple[Path, list[str]]:
        """Return (log, command) of one job."""
        if self.listed:
            return Path(self.listed[job - 1]["log"]), self.listed[job - 1]["command"]
        if not self.name:
            return Path(self.log), self.command
        words = [word.replace(self.name, str(job)) for word in (self.log, *self.command)]
        return Path(words[0]), words[1:]

    def tell(self, codes: Mapping[int, int | None]) -> None:
        """Write the exit statuses of the jobs of --list that have ended, for who made it.

        That a job failed is shown at once; the others may take hours.
        """
        if not self.list_file:
            return
        for job in [job for job, code in codes.items() if code != 0 and job not in self.failed]:
            self.failed.add(job)
            note(red(f"  {shown(str(self.of_job(job)[0]))} failed; the others go on"))
        path = Path(self.list_file).with_suffix(".codes")
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(codes), encoding="utf-8")
        temporary.replace(path)


def parse(program: str, usage: str, argv: list[str]) -> Launch:
    """Parse [OPTION VALUE]... [JOB=1:N] [OPTION VALUE]... LOG CMD ARG... (or none of these two, and
    --list); exit on errors.

    Of several --max-jobs-run the smallest counts, as in run.pl: the user's and the recipe's both
    hold. Of another option the last counts.
    """

    def fail(message: str) -> None:
        sys.exit(f"{program}: {message}")

    words, found, name, jobs = deque(argv), {}, "", range(1, 2)
    while words and (words[0].startswith("-") or re.match(r"\w+=", words[0])):
        word = words.popleft()
        if word in ("-h", "--help"):
            print(usage)
            sys.exit(0)
        if word in OPTIONS:
            if not words:
                fail(f"option {word} needs a value")
            key, value = word[2:].replace("-", "_"), words.popleft()
            if key in ("max_jobs_run", "gpu", "num_threads"):
                if not value.isdigit() or (value == "0" and key != "gpu"):
                    fail(f"option {word} needs a positive integer, not '{value}'")
                value = int(value)
            found[key] = min(value, found.get(key, value)) if key == "max_jobs_run" else value
        elif match := JOBS.fullmatch(word):
            name, first, last = match[1], int(match[2]), int(match[3] or match[2])
            if not 1 <= first <= last:
                fail(f"bad job range {word}; wanted NAME=FIRST:LAST with 1 <= FIRST <= LAST")
            jobs = range(first, last + 1)
        elif word.startswith("-"):
            fail(f"unknown option {word}; there are {' '.join(OPTIONS)}")
        else:
            fail(f"bad job range {word}; wanted for instance JOB=1:10")
    if "list" in found:
        if words or name:
            fail("a log, a command and a job range are not wanted with --list")
        found["list_file"] = found.pop("list")
        text = Path(found["list_file"]).read_text(encoding="utf-8")
        listed = [json.loads(line) for line in text.splitlines()]
        return Launch("", [], "", range(1, len(listed) + 1), **found, listed=listed)
    if len(words) < 2:
        fail(f"a log and a command are wanted behind the options\n{usage}")
    log, *command = words
    if len(jobs) > 1 and name not in log:
        fail(f"{len(jobs)} jobs would write the one log {log}; put {name} into its name")
    return Launch(log, command, name, jobs, **found)


def open_log(log: Path, command: list[str]):
    """Create the log of one job and write its head."""
    log.parent.mkdir(parents=True, exist_ok=True)
    stream = log.open("w", encoding="utf-8")
    array, index = (os.environ.get(f"SLURM_ARRAY_{which}_ID") for which in ("JOB", "TASK"))
    task = f", task {array}_{index} of Slurm" if array else ""
    stream.write(f"# {shlex.join(command)}\n# Started at {time.ctime()}{task}\n#\n")
    stream.flush()
    return stream


def close_log(stream, code: int, seconds: float, num_threads: int) -> None:
    """Write the end marker of one job."""
    if meaning := signal_name(code):
        stream.write(f"# Killed by {meaning}\n")
    stream.write(f"# Accounting: time={seconds:.0f} threads={num_threads}\n")
    stream.write(f"# Ended (code {code}) at {time.ctime()}, elapsed time {seconds:.0f} seconds\n")
    stream.close()


def ended(log: Path) -> int | None:
    """Return the exit status in the end marker of a log; None if there is none."""
    lines = tail(log, 1)
    match = ENDED.match(lines[0]) if lines else None
    return int(match[1]) if match else None


def elapsed(log: Path) -> float:
    """Return how many seconds a job took, by the end marker of its log; 0 if there is none."""
    lines = tail(log, 1)
    match = ENDED.match(lines[0]) if lines else None
    return float(match[2] or 0) if match else 0.0


def slurm_task(log: Path) -> str:
    """Return which task of Slurm writes or wrote a log, such as 77_3; empty if none."""
    try:
        with log.open("rb") as stream:
            match = BEGUN.search(stream.read(1 << 16))
    except FileNotFoundError:
        return ""
    return match[1].decode() if match else ""


def tail(log: Path, count: int) -> list[str]:
    """Return the last lines of a log; of a progress bar (carriage returns) its last state."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - (1 << 16)))
            text = stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n") if line][-count:]


def signal_name(code: int) -> str:
    """Return what a shell's exit status says about a signal, or nothing."""
    try:
        name = signal.Signals(code - 128).name if code > 128 else ""
    except ValueError:
        return ""
    return f"{name}: out of memory?" if name == "SIGKILL" else name


def report(
    program: str, launch: Launch, codes: dict[int, int | None], why: Mapping[int, str] | None = None
) -> int:
    """Print which jobs failed and the end of the first failed log; return the exit status.

    Args:
        codes: exit status by job; None for a job that left no end marker.
        why: for jobs that were ended from outside, what did it.
    """
    failed = [job for job, code in codes.items() if code != 0]
    if not failed:
        return 0
    log, _ = launch.of_job(failed[0])
    which = f"{len(failed)} of {len(codes)} jobs failed"
    if launch.name:
        which += f" ({launch.name} {', '.join(map(str, failed))})"
    elif not launch.listed:
        which = "job failed"
    print(red(f"{program}: {which}; end of {shown(str(log))}:"), file=sys.stderr)
    for line in tail(log, 15):
        print(f"  | {line}", file=sys.stderr)
    for job in failed:
        code, where = codes[job], f"job {job}" if launch.name else "the job"
        if launch.listed:
            where = shown(str(launch.of_job(job)[0]))
        if why and job in why:
            print(f"{program}: {where} was cut short: {why[job]}", file=sys.stderr)
        elif code is None:
            print(
                f"{program}: {where} left no end marker: was it ended from outside "
                "(time limit, memory, lost machine)?",
                file=sys.stderr,
            )
        elif signal_name(code):
            print(f"{program}: {where} was killed by {signal_name(code)}", file=sys.stderr)
    return 1
