#!/usr/bin/env python3
"""Plays sbatch, squeue, scancel or scontrol, as it is called; a task after the other, in order.

Its state lies in the folder slurm beside its own: a file with the state of each task (77_1), the
arguments of each program's last call, and what a test may write there: `refuse` (sbatch does),
`hang` (the names of programs that do not answer), `hold` (tasks wait with this reason), `ends`
(what becomes of the tasks that end badly, a state a line), `max` (MaxArraySize).
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(sys.argv[0]).resolve().parents[1] / "slurm"


def given(name: str) -> str:
    return (HOME / name).read_text() if (HOME / name).exists() else ""


def sbatch(args: list[str]) -> None:
    if given("refuse"):
        sys.exit(f"sbatch: error: {given('refuse')}")
    number = 77 + len(list(HOME.glob("*.script")))
    *options, script, offset = args
    (array,) = [word.partition("=")[2] for word in options if word.startswith("--array=")]
    spans = [span.split("-") for span in array.partition("%")[0].split(",")]
    tasks = [n for span in spans for n in range(int(span[0]), int(span[-1]) + 1)]
    for task in tasks:
        (HOME / f"{number}_{task}").write_text("PENDING")
    (HOME / f"{number}.script").write_text(script)
    if os.fork() == 0:  # the cluster
        os.setsid()
        (HOME / f"{number}.pid").write_text(str(os.getpid()))
        with open(os.devnull, "r+") as null:
            for stream in range(3):
                os.dup2(null.fileno(), stream)
        for task in tasks:
            run(number, task, ["bash", script, offset])
        os._exit(0)
    print(f"{number};cluster")


def run(number: int, task: int, command: list[str]) -> None:
    while given("hold"):
        time.sleep(0.05)
    state = HOME / f"{number}_{task}"
    state.write_text("RUNNING")
    ids = {"SLURM_ARRAY_JOB_ID": str(number), "SLURM_ARRAY_TASK_ID": str(task)}
    code = subprocess.run(command, env={**os.environ, **ids}).returncode
    end, _, ends = given("ends").partition("\n")
    if code and end:
        (HOME / "ends").write_text(ends)
    state.write_text((end or "FAILED") if code else "COMPLETED")


def squeue(args: list[str]) -> None:
    (jobs,) = [word.partition("=")[2].split(",") for word in args if word.startswith("--jobs=")]
    for path in sorted(HOME.iterdir()):
        if re.fullmatch(r"\d+_\d+", path.name) and path.name.split("_")[0] in jobs:
            state = path.read_text()
            print(f"{path.name}|{state}|{(given('hold') or 'None') if state == 'PENDING' else ''}")


def scancel(args: list[str]) -> None:
    for number in args:
        if "_" not in number:
            subprocess.run(["kill", "-KILL", "--", f"-{given(f'{number}.pid')}"], check=True)
        for path in HOME.glob(number if "_" in number else f"{number}_*"):
            if path.read_text() in ("PENDING", "RUNNING"):
                path.write_text("CANCELLED")


def scontrol(args: list[str]) -> None:
    print(f"MaxArraySize            = {given('max') or 1001}")


program = Path(sys.argv[0]).name
(HOME / f"{program}.args").write_text("\n".join(sys.argv[1:]) + "\n")
if program in given("hang"):
    time.sleep(60)
{"sbatch": sbatch, "squeue": squeue, "scancel": scancel, "scontrol": scontrol}[program](
    sys.argv[1:]
)
