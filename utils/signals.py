"""Signals that ask for the end: collected on receipt, passed on to process groups, sent to orphans.

Usage: signals.py CMD ARG...    run a command that is ended when whoever started it is gone
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # of Linux's prctl.h
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class Signals:
    """Collects SIGINT, SIGTERM and SIGHUP in `received`, so that nothing is interrupted halfway."""

    def __init__(self) -> None:
        self.received: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup ignores SIGHUP on purpose; bash ignores SIGINT in every background process
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, frame: self.received.append(number))


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group, if it still exists."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def end_with_parent(parent: int) -> Callable[[], None]:
    """Return what a process calls to get SIGTERM when its parent ends, even by SIGKILL.

    Only Linux can do that; elsewhere it does nothing. It holds for a program that the process
    becomes by exec, not for what it starts.
    """

    def ask() -> None:
        if _prctl is not None:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a parent's Signals only collect it
            _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it ended just before
                os.kill(os.getpid(), signal.SIGTERM)

    return ask


if __name__ == "__main__":
    end_with_parent(os.getppid())()
    os.execvp(sys.argv[1], sys.argv[1:])
