"""Slurm's programs, each with a time limit, and what its states and reasons mean.

Of accounting (sacct) nothing is asked, since not every site keeps it: squeue knows the tasks that
have ended, too, for some minutes (MinJobAge of slurm.conf).
"""

import functools
import shlex
import subprocess
import time
from collections.abc import Iterable, Sequence

from shown import note
from signals import Signals

ANSWER_SECONDS = 30.0
CANCEL_SECONDS = 4.0  # once.py gives a step ten to end

# States of tasks that have ended; those in all others wait, run or are just being ended.
ENDED = {
    "BOOT_FAIL": "its node did not boot; `sinfo -R` says which are down",
    "CANCELLED": "it was cancelled (scancel, or a dependency that failed)",
    "COMPLETED": "it ended well",
    "DEADLINE": "its deadline ended it",
    "FAILED": "it failed",
    "NODE_FAIL": "its node vanished; `sinfo -R` says which are down, --exclude=NODE in the file of "
    "--config leaves one out",
    "OUT_OF_MEMORY": "it took more memory than was asked for; ask for more by --mem",
    "PREEMPTED": "jobs with more rights took its place (preemption)",
    "TIMEOUT": "its time limit ended it; ask for more by --time (`sinfo -o '%P %l'` says how much "
    "a partition gives)",
}
BY_ITSELF = ("COMPLETED", "FAILED")  # of ENDED; the others come from outside
RESUMED = ("BOOT_FAIL", "NODE_FAIL", "PREEMPTED", "TIMEOUT")  # no fault of what ran

# What squeue says of a task that waits: the beginning of a reason, and what to do. Of the others
# waiting is all.
STUCK = {
    "AccountNotAllowed": "this partition does not take the account; see --account and --partition",
    "Assoc": "the account has used up what it may; `sshare`, or ask for less",
    "BadConstraints": "no node has what is asked for; `sinfo -o '%P %c %m %G'` says what they have",
    "JobHeld": "it is held; scontrol release JOB",
    "Nodes_required_for_job": "the nodes are down or reserved; `sinfo -R` says why",
    "Partition": "the partition does not give that much time or that many nodes, or is down; "
    "`sinfo -o '%P %a %l %D'`",
    "QOS": "the quality of service does not give that much; `sacctmgr show qos`, or ask for less",
    "ReqNodeNotAvail": "the nodes are down or reserved; `sinfo -R` says why",
    "launch_failed": "its start failed on a node; scontrol release JOB tries again",
}


class SlurmError(Exception):
    """Slurm does not do what it is asked to, and what to do."""


@functools.cache
def tell(text: str) -> None:
    """Write a line, once."""
    note(f"slurm.py: {text}")


def call(words: Sequence[str], signals: Signals, seconds: float = ANSWER_SECONDS) -> str:
    """Return what one of Slurm's programs prints.

    Raises:
        SlurmError: it failed, is not there, or did not answer within so many seconds.
        KeyboardInterrupt: a signal came meanwhile.
    """
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C is for the launcher
        )
    except FileNotFoundError as error:
        raise SlurmError(f"there is no {words[0]} here; use run.py") from error
    before, deadline = len(signals.received), time.monotonic() + seconds
    while True:
        try:
            out, err = process.communicate(timeout=0.1)
            break
        except subprocess.TimeoutExpired as error:
            interrupted = len(signals.received) > before
            if interrupted or time.monotonic() > deadline:
                process.kill()
                process.communicate()
                if interrupted:
                    raise KeyboardInterrupt from error
                raise SlurmError(f"{words[0]} has not answered for {seconds:.0f} s") from error
    if process.returncode:
        said = err.strip() or f"exit status {process.returncode}"
        raise SlurmError(f"{shlex.join(words)}: {said}")
    return out


def max_array_size(signals: Signals) -> int:
    """Return the number that the indices of an array must stay below.

    Raises:
        SlurmError: as `call`; or this Slurm has no arrays.
    """
    for line in call(["scontrol", "show", "config"], signals).splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "MaxArraySize":
            if int(value) < 2:
                raise SlurmError(f"this Slurm has no job arrays (MaxArraySize={value.strip()})")
            return int(value)
    raise SlurmError("scontrol show config tells no MaxArraySize")


def states(jobs: Iterable[str], signals: Signals) -> dict[str, tuple[str, str]]:
    """Return (state, reason) of all tasks that Slurm still knows, such as 77_3, of some jobs.

    Raises:
        SlurmError: as `call`.
    """
    words = ["squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%r"]
    try:
        lines = call([*words, f"--jobs={','.join(jobs)}"], signals).splitlines()
    except SlurmError as error:
        if "Invalid job id" in str(error):  # all have ended long ago
            return {}
        raise
    rows = [line.strip().split("|", 2) for line in lines if line.strip()]
    return {task: (state, reason) for task, state, reason in rows}


def advice(reason: str, job: str) -> str:
    """Return what to do about a reason why a job waits, behind a colon; nothing if waiting helps.

    >>> advice("JobHeldUser", "77"), advice("Resources", "77")
    (': it is held; scontrol release 77', '')
    """
    found = [text for start, text in STUCK.items() if reason.replace(" ", "_").startswith(start)]
    return f": {found[0].replace('JOB', job)}" if found else ""


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers as sbatch's --array takes them.

    >>> ranges([9, 1, 3, 7, 8])
    '1,3,7-9'
    """
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in spans)


def escaped(path: str) -> str:
    """Return a path as sbatch's --output takes it; it knows patterns such as %j.

    >>> escaped("/a b/x"), escaped("/50%/x")
    ('/a b/x', '/50\\\\%/x')
    """
    return path.replace("\\", "\\\\").replace("%", "\\%")
