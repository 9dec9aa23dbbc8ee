#!/usr/bin/env python3
"""Run a command on a Slurm cluster, once or as N jobs; the command line is that of run.py.

Usage: slurm.py [--max-jobs-run K] [--num-threads T] [--gpu G] [--mem M] [--time T] [JOB=1:N]
                LOG CMD ARG...

Submits one job array with `sbatch --wait` and returns when all its tasks have ended.  Each task is
run.py on the machine that Slurm chose, so logs look the same.  Partition, account and the like
come from the environment, which sbatch reads itself (SBATCH_PARTITION, SBATCH_ACCOUNT, ...).  The
batch script and what it prints lie in the folder q beside the logs.
"""

import contextlib
import shlex
import subprocess
import sys
import time
from pathlib import Path

from launch import Launch, ended, parse, report
from progress import Progress
from shown import run, shown
from signals import Signals

POLL_SECONDS = 0.2
FILE_SYSTEM_SECONDS = 20.0  # how long the last lines of a log may take over a network


def main() -> None:
    launch = parse("slurm.py", __doc__, sys.argv[1:])
    signals = Signals()
    logs = {job: launch.of_job(job)[0] for job in launch.jobs}
    for log in logs.values():
        log.unlink(missing_ok=True)  # its end marker would count as that of this run
    command = ["sbatch", "--parsable", "--wait", *resources(launch), str(write_script(launch))]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C must not take sbatch before the job is cancelled
        )
    except FileNotFoundError:
        sys.exit("slurm.py: there is no sbatch here; use run.py")
    progress = Progress(logs)
    while process.poll() is None and not signals.received:
        if progress.due():
            found = {job: ended(log) for job, log in logs.items() if log.exists()}
            codes = {job: code for job, code in found.items() if code is not None}
            progress.show(codes, [job for job in found if job not in codes])
        time.sleep(POLL_SECONDS)
    progress.clear()
    if signals.received:
        cancel(process)
        sys.exit(128 + signals.received[0])
    if process.returncode and not any(log.exists() for log in logs.values()):
        sys.exit(f"slurm.py: no job ran; failed with {process.returncode}: {shlex.join(command)}")
    status = report("slurm.py", launch, wait_for_logs(logs, process.returncode))
    if status:
        folder = shown(str(script_path(launch).parent))
        print(f"slurm.py: what Slurm said is in {folder}", file=sys.stderr)
    sys.exit(status)


def resources(launch: Launch) -> list[str]:
    """Return the options of sbatch."""
    output = script_path(launch).with_suffix("").as_posix().replace("%", "%%")
    options = [f"--job-name={Path(output).name}", f"--cpus-per-task={launch.num_threads}"]
    if launch.name:
        at_once = f"%{launch.max_jobs_run}" if launch.max_jobs_run else ""
        options.append(f"--array={launch.jobs[0]}-{launch.jobs[-1]}{at_once}")
        options.append(f"--output={output}.%A_%a.out")
    else:
        options.append(f"--output={output}.%j.out")
    if launch.gpu:
        options.append(f"--gres=gpu:{launch.gpu}")
    if launch.mem:
        options.append(f"--mem={launch.mem}")
    if launch.time:
        options.append(f"--time={launch.time}")
    return options


def script_path(launch: Launch) -> Path:
    """Return q/train.sh for the log train.JOB.log."""
    log = Path(launch.log)
    name = log.name.removesuffix(".log")
    if launch.name:
        name = name.replace(f".{launch.name}", "")
    return log.parent / "q" / f"{name}.sh"


def write_script(launch: Launch) -> Path:
    """Write what each task runs."""
    path = script_path(launch)
    path.parent.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, str(Path(__file__).resolve().with_name("run.py"))]
    words += ["--num-threads", str(launch.num_threads)]
    job = f'{launch.name}="$SLURM_ARRAY_TASK_ID" ' if launch.name else ""
    path.write_text(
        "#!/usr/bin/env bash\n"
        f"cd {shlex.quote(str(Path.cwd()))} || exit 1\n"
        "unset DSNET_TRAININGS  # each task tells of itself\n"
        f"exec {shlex.join(words)} {job}{shlex.join([launch.log, *launch.command])}\n",
        encoding="utf-8",
    )
    return path


def wait_for_logs(logs: dict[int, Path], status: int) -> dict[int, int | None]:
    """Return the exit statuses by job, given that of sbatch; wait for files under way."""
    deadline = time.monotonic() + (0 if status else FILE_SYSTEM_SECONDS)
    while True:
        codes = {job: ended(log) for job, log in logs.items()}
        if None not in codes.values() or time.monotonic() > deadline:
            return codes
        time.sleep(POLL_SECONDS)


def cancel(process: subprocess.Popen) -> None:
    """Cancel the job that sbatch has submitted, then end sbatch."""
    job = process.stdout.readline().strip().partition(";")[0]  # first line: the job's number
    if job:
        subprocess.run(["scancel", job], check=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
    process.kill()
    process.wait()


if __name__ == "__main__":
    run(main)
