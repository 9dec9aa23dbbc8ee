"""What slurm.py gives to sbatch: options, the script of a task, the site's options in a file."""

import math
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import slurm_calls as slurm
from launch import Launch
from signals import Signals

OURS = ("--array", "--job-name", "--open-mode", "--output", "--parsable", "--wait", "--wrap")


def read_config(path: str) -> list[str]:
    """Return the options of sbatch that a file holds, one a line; none without a file.

    Raises:
        SlurmError: there is no such file, or a line in it that is no option for it.
    """
    if not path:
        return []
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise slurm.SlurmError(f"--config {Path(path).absolute()}: {error}") from error
    options = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        name, equals, _ = line.partition("=")
        if not name.startswith("--") or (" " in name):
            problem = "is no option of sbatch; wanted for instance --partition=gpu"
        elif name in OURS:
            problem = "is set by slurm.py itself; remove the line"
        else:
            options.append(line)
            continue
        raise slurm.SlurmError(f"--config {path}, line {number}: '{line}' {problem}")
    return options


def script_path(launch: Launch) -> Path:
    """Return q/train.sh for the log train.JOB.log, or that of the first job of a list."""
    log = Path(launch.log or launch.of_job(1)[0])
    name = log.name.removesuffix(".log")
    if launch.name:
        name = name.replace(f".{launch.name}", "")
    return log.parent / "q" / f"{name}.sh"


def write_script(launch: Launch) -> Path:
    """Write what each task runs; its argument is what the job number is above the task's."""
    path = script_path(launch)
    path.parent.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, str(Path(__file__).resolve().with_name("run.py"))]
    words += ["--num-threads", str(launch.num_threads)]
    start = f"exec {shlex.join(words)}"
    job = "$((SLURM_ARRAY_TASK_ID + $1))"
    if launch.listed:  # all of it is in the script, of which Slurm keeps a copy
        of_jobs = [launch.of_job(job) for job in launch.jobs]
        cases = [
            f"{n}) {start} {shlex.join([str(log), *command])} ;;\n"
            for n, (log, command) in enumerate(of_jobs, start=1)
        ]
        start = f"case {job} in\n{''.join(cases)}esac"
    else:
        name = f'{launch.name}="{job}" ' if launch.name else ""
        start += f" {name}{shlex.join([launch.log, *launch.command])}"
    path.write_text(
        "#!/usr/bin/env bash\n"
        f"cd {shlex.quote(str(Path.cwd()))} || exit 1\n"
        "unset DSNET_TRAININGS DSNET_STEP  # each task tells of itself\n"
        f"{start}\n",
        encoding="utf-8",
    )
    return path


def sbatch(
    launch: Launch, site: list[str], indices: Iterable[int], offset: int, before: str
) -> list[str]:
    """Return the command that submits an array; it begins when the job `before` has ended.

    Args:
        site: options in front of ours; of an option that is there twice the last counts.
        indices: the tasks.
        offset: job numbers are so much higher.
        before: number of a job of Slurm, or empty.
    """
    script = script_path(launch)
    at_once = f"%{launch.max_jobs_run}" if launch.max_jobs_run else ""
    options = [
        f"--job-name={script.stem}",
        f"--array={slurm.ranges(indices)}{at_once}",
        f"--output={slurm.escaped(str(Path.cwd() / script.with_suffix('.out')))}",
        "--open-mode=append",
        f"--cpus-per-task={launch.num_threads}",
    ]
    if launch.gpu:
        options.append(f"--gres=gpu:{launch.gpu}")
    if launch.mem:
        options.append(f"--mem={launch.mem}")
    if launch.time:
        options.append(f"--time={launch.time}")
    if before:
        options.append(f"--dependency=afterany:{before}")
    return ["sbatch", "--parsable", *site, *options, str(script), str(offset)]


def submit(command: list[str], signals: Signals) -> str:
    """Return the number of the job that sbatch has submitted.

    Raises:
        SlurmError: sbatch refused.
        KeyboardInterrupt: a signal came, and sbatch did not answer any more.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C must not take it before its number is known
        )
    except FileNotFoundError as error:
        raise slurm.SlurmError("there is no sbatch here; use run.py") from error
    begin, limit = time.monotonic(), math.inf
    while process.poll() is None:
        time.sleep(0.02)
        now = time.monotonic()
        if now > begin + slurm.ANSWER_SECONDS:
            slurm.tell("sbatch has not answered yet; `scontrol ping` says how Slurm is")
        if signals.received:
            limit = min(limit, now + slurm.CANCEL_SECONDS)
        if now > limit:
            process.kill()
            process.wait()
            name = Path(command[-2]).stem
            slurm.tell(
                "sbatch has not answered. Once Slurm does, look whether there is a job, and "
                f"cancel it: squeue --me --name={name}; scancel NUMBER"
            )
            raise KeyboardInterrupt
    if process.returncode:
        raise slurm.SlurmError(
            f"sbatch refused, so no job ran: {shlex.join(command)}\n  `sinfo` lists partitions; "
            "mend the options of slurm.py, or those in the file of its --config"
        )
    return process.stdout.read().split()[0].partition(";")[0]
