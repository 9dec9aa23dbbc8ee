"""How a command of steps runs: with their locks, in a process group that gets our signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from launch import signal_name
from signals import Signals, end_with_parent, signal_group

GRACE_SECONDS = 10  # from a forwarded signal to SIGKILL; run.py gives its jobs five


def call(
    command: Sequence[str],
    locks: Mapping[str, TextIO],
    variables: Mapping[str, str],
    each_time: Callable[[], None] = lambda: None,
) -> int:
    """Run a command in a process group of its own, to which signals are passed on.

    Args:
        locks: of the steps by their names; they say who runs them, and are held until it ends.
        variables: of its environment.
        each_time: is called again and again meanwhile.
    """
    signals = Signals()
    names = ", ".join(locks) if len(locks) < 4 else f"{len(locks)} steps"
    try:
        # The command ends with us. It inherits the locks, which are free once it has ended.
        process = subprocess.Popen(
            command,
            start_new_session=True,
            env={**os.environ, **variables},
            pass_fds=[lock.fileno() for lock in locks.values()],
            preexec_fn=end_with_parent(os.getpid()),
        )
    except OSError as error:
        print(f"  {names}: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126
    now = time.strftime("%F %T")
    for lock in locks.values():
        lock.truncate(0)
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
        each_time()
    if signals.received:
        signal_group(process.pid, signal.SIGKILL)  # what the command left behind
        return 128 + signals.received[0]
    status = status if status >= 0 else 128 - status
    if meaning := signal_name(status):
        print(f"  {names}: killed by {meaning}", file=sys.stderr)
    return status
