"""How far jobs are: a line that is redrawn on a terminal, a line a minute elsewhere.

    3 of 8 jobs done, 2 running; 12 a minute; about 25 s left | infer.5: last line of its log
    0 of 2 jobs done, 2 running; 420 of 5531 utterances; 310 a minute; about 16 min left | ...
    5 of 16 trainings done (24 s each); about 4 min + menan left | ...

A job tells how far it is by lines of its log that begin like `epoch 3/30` or `utterance 40/112`.
"""

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from launch import tail
from time_left import Trainings, short

TERMINAL_SECONDS = 2.0
PLAIN_SECONDS = 60.0
KNOWN_SECONDS = 5.0  # before that a speed would be a guess
STEP = re.compile(r"([a-z]+) (\d+)/(\d+)\b")


class Progress:
    """Shows how far the jobs are that have the given logs, by their numbers."""

    def __init__(self, logs: Mapping[int, Path]):
        self.logs, self.began = logs, time.time()
        self.on_terminal = sys.stderr.isatty()
        self.every = TERMINAL_SECONDS if self.on_terminal else PLAIN_SECONDS
        self.next = time.monotonic() + (0.0 if self.on_terminal else self.every)
        stage = os.environ.get("DSNET_TRAININGS")  # see time_left.py
        self.trainings = Trainings(*stage.split("\n")) if stage else None

    def due(self) -> bool:
        """Return whether it is time for the next line."""
        return time.monotonic() >= self.next

    def show(self, codes: Mapping[int, int], running: Sequence[int]) -> None:
        """Write the line if it is due.

        Args:
            codes: exit statuses of the jobs that have ended.
            running: the jobs that run now.
        """
        if not self.due():
            return
        self.next = time.monotonic() + self.every
        text = self.in_words(codes, running)
        if self.on_terminal:
            width = os.get_terminal_size(sys.stderr.fileno()).columns or 80
            sys.stderr.write("\r\x1b[K" + text[: width - 1])
        else:
            sys.stderr.write(f"  {time.strftime('%H:%M')} {text}\n")
        sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line from the terminal."""
        if self.on_terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def in_words(self, codes: Mapping[int, int], running: Sequence[int]) -> str:
        """Return the line; arguments as in `show`."""
        failed = sum(code != 0 for code in codes.values())
        text = f"{failed} failed; " if failed else ""
        stage = self.trainings.in_words(self.began) if self.trainings else ""
        text += stage or self._jobs(codes, running)
        logs = [self.logs[job] for job in running]
        youngest = max(logs, key=lambda log: log.stat().st_mtime, default=None)
        lines = [line for line in tail(youngest, 5) if line[0] != "#"] if youngest else []
        if lines:
            text += f" | {youngest.stem}: " + "".join(c for c in lines[-1] if c.isprintable())
        return text

    def _jobs(self, codes: Mapping[int, int], running: Sequence[int]) -> str:
        """Return how many jobs and what they count are done, how fast, and how long they take."""
        total, begun = len(self.logs), [*codes, *running]
        text = f"{len(codes)} of {total} jobs done, {len(running)} running"
        steps = {job: step for job in begun if (step := last_step(self.logs[job]))}
        done = len(codes) + sum(steps[job][1] / steps[job][2] for job in running if job in steps)
        count = len(codes)  # of what the speed is of
        if steps:
            unit = next(iter(steps.values()))[0]
            count = sum(step[1] for step in steps.values())
            whole = f" of {sum(step[2] for step in steps.values())}" * (len(steps) == total)
            text += f"; {count}{whole} {unit}s"
        seconds = time.time() - self.began
        if done and seconds >= KNOWN_SECONDS:
            text += f"; {pace(count, seconds)}; about {short(seconds * (total - done) / done)} left"
        return text


def last_step(log: Path) -> tuple[str, int, int] | None:
    """Return (what is counted, how many are done, of how many) as a log says last, if it does."""
    for line in reversed(tail(log, 20)):
        if (match := STEP.match(line)) and int(match[3]):
            return match[1], int(match[2]), int(match[3])
    return None


def pace(count: int, seconds: float) -> str:
    """Return a speed.

    >>> pace(30, 60), pace(1, 120)
    ('30 a minute', 'one in 2 min')
    """
    if count and count < seconds / 60:
        return f"one in {short(seconds / count)}"
    return f"{60 * count / seconds:.0f} a minute"
