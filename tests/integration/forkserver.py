"""A `python` that starts at once: a server has imported what the programs need, and forks.

What a recipe spends on importing PyTorch for every program is most of the time of a small run. A
program is a process of its own with the caller's folder, environment and open files; only signals
do not reach it, so runs that are to be killed take the true Python.

Usage: forkserver.py FOLDER    serves FOLDER/python, which it writes, until it is ended
"""

import json
import os
import runpy
import signal
import socket
import sys
import threading
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "utils"))
from forked import exit_status, forget_own_modules, run_module

CLIENT = """\
#!{python} -ES
import json, os, socket, sys
if sys.argv[1:2] != ["-m"] and not sys.argv[1:2][0].endswith(".py"):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
call = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(call).to_bytes(8, "big")], [0, 1, 2])
server.sendall(call)
status = server.recv(1)
sys.exit(status[0] if status else 1)
"""


def main() -> None:
    folder = Path(sys.argv[1])
    import_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "socket"))
    server.listen(64)
    client = folder / "python"
    client.write_text(CLIENT.format(python=sys.executable, address=str(folder / "socket")))
    client.chmod(0o755)  # last: who sees it can call
    while True:
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            serve(connection)
        connection.close()


def import_all() -> None:
    """Import what takes time; no thread may run when the server forks."""
    import opensmile  # noqa: F401
    import sklearn.svm  # noqa: F401

    import dsnet.bin.score
    import dsnet.bin.train  # noqa: F401

    forget_own_modules()
    assert threading.active_count() == 1


def serve(connection: socket.socket) -> None:
    """Run one program in this process, which ends with it."""
    size, files, _, _ = socket.recv_fds(connection, 8, 3)
    call = b""
    while len(call) < int.from_bytes(size, "big"):
        call += connection.recv(1 << 16)
    argv, folder, environment = json.loads(call)
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    status = 1
    try:
        status = run(argv)
    finally:
        connection.sendall(bytes([status]))
        os._exit(status)


def run(argv: list[str]) -> int:
    """Do what Python does with `-m MODULE ARG...` or `SCRIPT ARG...`; return the exit status."""
    if argv[0] == "-m":
        return run_module(argv[1:])
    sys.argv = argv
    sys.path.insert(0, str(Path(argv[0]).parent.absolute()))
    return exit_status(lambda: runpy.run_path(argv[0], run_name="__main__"))


if __name__ == "__main__":
    main()
