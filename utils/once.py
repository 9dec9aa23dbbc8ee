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
import sys
import time
from pathlib import Path

from contents import digest, is_in_state, state
from launch import JOBS
from shown import red, run, shown
from signals import end_with_parent
from step_call import call
from time_left import short

TOLD = 64  # exit status: the message says all, recipe.sh adds nothing
NO_MATTER = ("--job", "--num-jobs", "--device", "--num-threads")  # options with a value
LAUNCHERS = ("run.py", "slurm.py", "run.pl", "slurm.pl", "queue.pl")


class StepError(Exception):
    """A step that cannot run."""


def main() -> None:
    mode, stage, resume, *words = sys.argv[1:]
    step = make_step(stage, words)
    end_with_parent(os.getppid())()
    try:
        if mode == "check":
            step.check(resume)
        elif step.begin(resume, mode == "force"):
            sys.exit(step.run())
    except StepError as error:
        print(red(str(error)), file=sys.stderr)
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

    def error(self, text: str) -> StepError:
        """Return an error that says which step cannot run."""
        return StepError(f"stage {self.stage}, {self.name}: {text}")

    def check(self, resume: str) -> None:
        """Raise StepError, with the command to run, if the step is not done."""
        marker = _load(self.marker)
        reason = self._damage() or "it has not been run to its end"
        reason = reason if marker is None else self._stale(marker, self._digests())
        if reason:
            raise self.error(f"not up to date: {reason}. Run first:\n  {resume} {self.stage}")

    def begin(self, resume: str, force: bool) -> bool:
        """Lock the step and get ready to run its command; return False if it is done."""
        if not force and not self._reason(self._digests()):
            return self._skip()
        self.lock = self._lock_path().open("a+", encoding="utf-8")  # held until we end
        self._take(self.lock)
        self._before = self._digests()
        reason = "--force" if force else self._reason(self._before)
        if not reason:  # another run ended it just now
            self.lock.close()
            return self._skip()
        self._require_inputs(self._before, resume)
        print(f"  {self.name}: {reason}", flush=True)
        self.marker.unlink(missing_ok=True)
        if force:
            self._remove_outputs()
        self._began = time.monotonic()
        self.key = key(self.command, self._before, self._began if force else None)
        return True

    def run(self) -> int:
        """Run the command, once it has begun; return its exit status."""
        status = call(self.command, {self.name: self.lock}, {"DSNET_STEP": self.key})
        if status == 0:
            self.finish(time.monotonic() - self._began)
        return status

    def _skip(self) -> bool:
        print(f"  already done: {self.name}", flush=True)
        return False

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
            raise self.error(
                "an input has no path; give the option for it, such as --corpus-dir FOLDER "
                "(--help lists the options)"
            )
        for path in (path for path, value in digests.items() if value is None):
            writer = _writer(path)
            if writer:
                stage, name = writer
                raise self.error(
                    f"{shown(path)} is missing; {name} of stage {stage} writes it. Run first:\n"
                    f"  {resume} {stage}"
                )
            raise self.error(
                f"{shown(path)} is missing; if an option names it, correct the option; "
                "if a stage writes it, run that stage first"
            )

    def _remove_outputs(self) -> None:
        """Remove what the step wrote, so that no program takes it for done."""
        for path in (path.rstrip("/") or path for path in self.writes):
            if Path.cwd().is_relative_to(os.path.realpath(path)):
                raise self.error(f"{path} holds the recipe itself; --force does not remove it")
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
            raise self.error(
                f"{holder} runs this step in {os.getcwd()}; wait until it ends, or {end}"
            ) from error

    def finish(self, seconds: float) -> None:
        """Write the marker, with the digests from before the command ran."""
        for path in self.writes:
            if not os.path.exists(path):
                raise self.error(f"the command ended well but did not write {shown(path)}")
        for path, value in self._before.items():
            if digest(path) != value:
                print(
                    f"  {self.name}: {shown(path)} changed meanwhile; the next run redoes this step"
                )
        content = {
            "command": self.command,
            "reads": self._before,
            "writes": self.writes,
            "written": {path: state(path) for path in self.writes},
            "finished": time.strftime("%F %T"),
            "seconds": round(seconds, 1),
        }
        temporary = self.marker.with_suffix(".tmp")
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        temporary.replace(self.marker)
        print(f"  {self.name}: done in {short(seconds)}", flush=True)


def make_step(stage: str, words: list[str]) -> Step:
    """Return the step that the words of a command line name, from NAME on."""
    split = words.index("--")
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("name")
    parser.add_argument("--reads", nargs="*", default=[])
    parser.add_argument("--writes", nargs="*", default=[])
    args = parser.parse_args(words[:split])
    return Step(stage, args.name, args.reads, args.writes, words[split + 1 :])


def essence(command: list[str]) -> list[str]:
    """Return the command without what does not alter its result.

    >>> essence(["slurm.py", "--gpu", "1", "JOB=1:2", "a.JOB.log", "x.py", "--num-jobs", "2"])
    ['a.JOB.log', 'x.py']
    """
    _, words = split_launcher(command)
    kept = []
    while words:
        if words[0] in NO_MATTER:
            words = words[2:]
        else:
            kept.append(words.pop(0))
    return kept


def split_launcher(command: list[str]) -> tuple[list[str], list[str]]:
    """Return (the launcher and its options without JOB=1:N, the words behind).

    >>> split_launcher(["run.py", "--gpu", "1", "JOB=1:2", "a.JOB.log", "x.py"])
    (['run.py', '--gpu', '1'], ['a.JOB.log', 'x.py'])
    """
    words, launcher = list(command), []
    if os.path.basename(words[0]) in LAUNCHERS:
        launcher.append(words.pop(0))
        while len(words) > 1 and (words[0].startswith("-") or JOBS.fullmatch(words[0])):
            if words[0].startswith("-"):
                launcher += words[:2]
                words = words[2:]
            else:
                words = words[1:]
    return launcher, words


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
