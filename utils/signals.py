"""Signals that ask for the end: collected on receipt, passed on to process groups."""

import contextlib
import os
import signal


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
