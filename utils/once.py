#!/usr/bin/env python3
"""Run a command of a recipe unless it is done; `once` in recipe.sh calls this.

Usage: once.py run|force|check STAGE RESUME NAME --reads PATH... --writes PATH...
               -- CMD ARG...

A marker .done/STAGE-NAME.json holds the command and a digest of every path in --reads: of a file
its content, of a folder the path, size and time of each file (those with a leading
dot, and what is in a folder tensorboard, left out).
A step is done if its marker has the same command and digests, and all --writes are there as it
wrote them: a file that was damaged or edited is made again; of a folder it is enough that it
exists. How a command is launched (run.py or slurm.py, their options, how many jobs, on which
device) is no part of it: it does not alter the result. Mode force removes the --writes and runs,
whatever is done. Mode check runs nothing and compares no commands; it stops if the step is not
done.
RESUME is the user's command up to the stage number. Empty paths are options without a value.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from contents import digest, is_in_state, state
from launch import JOBS, signal_name
from shown import red, run, shown
from signals import Signals, end_with_parent, signal_group
from time_left import short

TOLD = 64  # exit status: the message says all, recipe.sh adds nothing
GRACE_SECONDS = 10  # from a forwarded signal to SIGKILL; run.py gives its jobs five
NO_MATTER = ("--job", "--num-jobs", "--device", "--num-threads")  # options with a value
LAUNCHERS = ("run.py", "slurm.py", "run.pl", "slurm.pl", "queue.pl")


class StepError(Exception):
    """A step that cannot run."""


def main() -> None:
    split = sys.argv.index("--")
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("mode", choices=("run", "force", "check"))
    parser.add_argument("stage")
    parser.add_argument("resume")
    parser.add_argument("name")
    parser.add_argument("--reads", nargs="*", default=[])
    parser.add_argument("--writes", nargs="*", default=[])
    args = parser.parse_args(sys.argv[1:split])
    step = Step(args.stage, args.name, args.reads, args.writes, sys.argv[split + 1 :])
    end_with_parent(os.getppid())()
    try:
        if args.mode == "check":
            step.check(args.resume)
        else:
            sys.exit(step.run(args.resume, args.mode == "force"))
    except StepError as error:
        print(red(f"stage {step.stage}, {step.name}: {error}"), file=sys.stderr)
        sys.exit(TOLD)


class Step:
    """One call of `once`: what it reads, writes and runs."""

    def __init__(
        self, stage: str, name: str, reads: list[str], writes: list[str], command: list[str]
    ):
        self.stage, self.name, self.command, self.writes = stage, name, command, writes
        self.reads = [path for path in reads if path]
        self.lacks_input = len(self.reads) < len(reads)
        if "/" in name:
            raise SystemExit(f"once: the name of a step may not hold '/': {name}")
        self.marker = Path(".done", f"{stage}-{name}.json")

    def check(self, resume: str) -> None:
        """Raise StepError, with the command to run, if the step is not done."""
        marker = _load(self.marker)
        reason = self._damage() or "it has not been run to its end"
        reason = reason if marker is None else self._stale(marker, self._digests())
        if reason:
            raise StepError(f"not up to date: {reason}. Run first:\n  {resume} {self.stage}")

    def run(self, resume: str, force: bool) -> int:
        """Run the command unless it is done; return its exit status."""
        if not force and not self._reason(self._digests()):
            return self._skip()
        with open(self._lock_path(), "a+", encoding="utf-8") as lock:
            self._take(lock)
            before = self._digests()
            reason = "--force" if force else self._reason(before)
            if not reason:  # another run ended it just now
                return self._skip()
            self._require_inputs(before, resume)
            print(f"  {self.name}: {reason}", flush=True)
            self.marker.unlink(missing_ok=True)
            if force:
                self._remove_outputs()
            start = time.monotonic()
            status = self._call(lock, key(self.command, before, start if force else None))
            if status == 0:
                self._finish(before, time.monotonic() - start)
            return status

    def _skip(self) -> int:
        print(f"  already done: {self.name}", flush=True)
        return 0

    def _digests(self) -> dict[str, str | None]:
        return {path: digest(path) for path in self.reads}

    def _reason(self, digests: dict[str, str | None]) -> str:
        """Say why the command must run; empty if it need not."""
        marker = _load(self.marker)
        if marker is None:
            return self._damage() or "first run"
        old, new = essence(marker["command"]), essence(self.command)
        if old != new:
            return f"command changed: {_difference(old, new)}"
        return self._stale(marker, digests)

    def _damage(self) -> str:
        """Say that there is a marker that cannot be read; asked when none could."""
        return f"{shown(str(self.marker))} is damaged" if self.marker.exists() else ""

    def _stale(self, marker: dict, digests: dict[str, str | None]) -> str:
        for path, value in digests.items():
            if value is None:
                return f"{shown(path)} is missing"
            if path not in marker["reads"]:
                return f"{shown(path)} was not read before"
            if value != marker["reads"][path]:
                return f"{shown(path)} changed"
        for path in self.writes:
            if not os.path.exists(path):
                return f"{shown(path)} is missing"
            if not is_in_state(path, marker.get("written", {}).get(path)):
                return f"{shown(path)} is not what this step wrote"
        return ""

    def _require_inputs(self, digests: dict[str, str | None], resume: str) -> None:
        if self.lacks_input:
            raise StepError(
                "an input has no path; give the option for it, such as --corpus-dir FOLDER "
                "(--help lists the options)"
            )
        for path in (path for path, value in digests.items() if value is None):
            writer = _writer(path)
            if writer:
                stage, name = writer
                raise StepError(
                    f"{shown(path)} is missing; {name} of stage {stage} writes it. Run first:\n"
                    f"  {resume} {stage}"
                )
            raise StepError(
                f"{shown(path)} is missing; if an option names it, correct the option; "
                "if a stage writes it, run that stage first"
            )

    def _remove_outputs(self) -> None:
        """Remove what the step wrote, so that no program takes it for done."""
        for path in (path.rstrip("/") or path for path in self.writes):
            if Path.cwd().is_relative_to(os.path.realpath(path)):
                raise StepError(f"{path} holds the recipe itself; --force does not remove it")
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.unlink(path)

    def _lock_path(self) -> Path:
        self.marker.parent.mkdir(exist_ok=True)
        return self.marker.with_name(f".{self.stage}-{self.name}.lock")

    def _take(self, lock) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            found = re.match(r"process (\d+) on (\S+),", holder)
            end = f"end it on {found[2]} by: kill -KILL -- -{found[1]}" if found else "stop it"
            raise StepError(
                f"{holder} runs this step in {os.getcwd()}; wait until it ends, or {end}"
            ) from error

    def _call(self, lock, key: str) -> int:
        """Run the command in a process group of its own, to which signals are passed on.

        Args:
            key: what tells the command that an earlier call was for the same inputs.
        """
        signals = Signals()
        try:
            # The command ends with once.py. It inherits the lock, which is free once it has ended.
            process = subprocess.Popen(
                self.command,
                start_new_session=True,
                env={**os.environ, "DSNET_STEP": key},
                pass_fds=[lock.fileno()],
                preexec_fn=end_with_parent(os.getpid()),
            )
        except OSError as error:
            print(f"  {self.name}: cannot run {self.command[0]}: {error.strerror}", file=sys.stderr)
            return 127 if isinstance(error, FileNotFoundError) else 126
        lock.truncate(0)
        now = time.strftime("%F %T")
        lock.write(f"process {process.pid} on {os.uname().nodename}, started {now},")
        lock.flush()
        deadline = None
        while True:
            try:
                status = process.wait(timeout=0.1)
                break
            except subprocess.TimeoutExpired:
                if signals.received and deadline is None:
                    signal_group(process.pid, signals.received[0])
                    deadline = time.monotonic() + GRACE_SECONDS
                if deadline is not None and time.monotonic() > deadline:
                    signal_group(process.pid, signal.SIGKILL)
        if signals.received:
            signal_group(process.pid, signal.SIGKILL)  # what the command left behind
            return 128 + signals.received[0]
        status = status if status >= 0 else 128 - status
        if meaning := signal_name(status):
            print(f"  {self.name}: killed by {meaning}", file=sys.stderr)
        return status

    def _finish(self, before: dict[str, str | None], seconds: float) -> None:
        """Write the marker, with the digests from before the command ran."""
        for path in self.writes:
            if not os.path.exists(path):
                raise StepError(f"the command ended well but did not write {shown(path)}")
        for path, value in before.items():
            if digest(path) != value:
                print(
                    f"  {self.name}: {shown(path)} changed meanwhile; the next run redoes this step"
                )
        content = {
            "command": self.command,
            "reads": before,
            "writes": self.writes,
            "written": {path: state(path) for path in self.writes},
            "finished": time.strftime("%F %T"),
            "seconds": round(seconds, 1),
        }
        temporary = self.marker.with_suffix(".tmp")
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        temporary.replace(self.marker)
        print(f"  {self.name}: done in {short(seconds)}", flush=True)


def essence(command: list[str]) -> list[str]:
    """Return the command without what does not alter its result.

    >>> essence(["slurm.py", "--gpu", "1", "JOB=1:2", "a.JOB.log", "x.py", "--num-jobs", "2"])
    ['a.JOB.log', 'x.py']
    """
    words = list(command)
    if os.path.basename(words[0]) in LAUNCHERS:
        words = words[1:]
        while len(words) > 1 and (words[0].startswith("-") or JOBS.fullmatch(words[0])):
            words = words[2:] if words[0].startswith("-") else words[1:]
    kept = []
    while words:
        if words[0] in NO_MATTER:
            words = words[2:]
        else:
            kept.append(words.pop(0))
    return kept


def key(command: list[str], digests: dict[str, str | None], force: float | None) -> str:
    """Return a digest of a command, of what it reads and, if it is forced, of when."""
    text = json.dumps([essence(command), digests, force])
    return hashlib.sha256(text.encode()).hexdigest()


def _difference(old: list[str], new: list[str]) -> str:
    for before, after in zip(old, new, strict=False):
        if before != after:
            return f"'{after}', before '{before}'"
    return f"{len(new)} words, before {len(old)}"


def _load(marker: Path) -> dict | None:
    """Return what a marker says; None if there is none, or a damaged one."""
    try:
        content = json.loads(marker.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    parts = {"command": list, "reads": dict, "writes": list}
    whole = isinstance(content, dict) and all(
        isinstance(content.get(name), kind) for name, kind in parts.items()
    )
    return content if whole else None


def _writer(path: str) -> tuple[str, str] | None:
    """Return (stage, name) of the step whose marker says that it writes `path`, or its folder."""
    writers = {
        written.rstrip("/"): marker.stem
        for marker in sorted(Path(".done").glob("*.json"))
        for written in (_load(marker) or {}).get("writes", [])
    }
    around = [written for written in writers if f"{path}/".startswith(f"{written}/")]
    if not around:
        return None
    return re.fullmatch(r"(-?\d+)-(.*)", writers[max(around, key=len)]).groups()


if __name__ == "__main__":
    run(main)
