"""Jobs that run a module of Python, as forks of this process.

PyTorch and the rest take a program seconds to import; here they are imported once for all jobs of a
launcher. A job is a process of its own all the same, in a group of its own, and imports what is
not a library by itself.
"""

import importlib
import os
import runpy
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from signals import end_with_parent

OWN = "dsnet"
PROGRAMS = f"{OWN}.bin."  # they do nothing when they are imported
_imported: dict[str, bool] = {}  # whether a module can be forked


def can_fork(command: list[str]) -> bool:
    """Say whether a command is a program of ours and this very Python's; import what it needs."""
    python, *words = command
    if not python.startswith("python") or words[:1] != ["-m"] or len(words) < 2:
        return False
    if not words[1].startswith(PROGRAMS):
        return False
    found = shutil.which(python)
    if found is None or Path(found).parent != Path(sys.executable).parent:
        return False
    if words[1] not in _imported:
        _imported[words[1]] = _import_libraries(words[1])
    return _imported[words[1]]


def _import_libraries(module: str) -> bool:
    """Import a module with all that it needs; keep the libraries, not the project's own."""
    sys.path[0] = os.getcwd()  # as `python -m` has it; before, it was the folder of this file
    try:
        importlib.import_module(module)
    except BaseException:  # whatever it is, the job's own log is to show it
        return False
    forget_own_modules()
    return threading.active_count() == 1  # a fork has no other threads


def forget_own_modules() -> None:
    """Let whoever is forked import the project's own modules anew; libraries stay."""
    for name in [name for name in sys.modules if name.partition(".")[0] == OWN]:
        del sys.modules[name]


class Fork:
    """A job; `pid`, `poll` and `wait` are those of subprocess.Popen."""

    def __init__(self, command: list[str], output: int, environment: dict[str, str]):
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            end_with_parent(parent)()
            _become(command, output, environment)

    def poll(self) -> int | None:
        return self._ask(os.WNOHANG)

    def wait(self) -> int:
        return self._ask(0)

    def _ask(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


def _become(command: list[str], output: int, environment: dict[str, str]) -> None:
    """Do in a fork what Python does for `-m MODULE ARG...`, and end."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
                signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.environ.clear()
        os.environ.update(environment)
        status = run_module(command[2:])
    finally:
        os._exit(status)


def run_module(argv: list[str]) -> int:
    """Do what Python does for `-m MODULE ARG...`; return its exit status."""
    sys.argv = argv

    def call() -> None:
        runpy.run_module(argv[0], run_name="__main__", alter_sys=True)

    return exit_status(call)


def exit_status(call: Callable[[], object]) -> int:
    """Call a program; print what ended it, as Python does, and return its exit status."""
    try:
        call()
        status = 0
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status & 255
