"""slurm.py against a fake Slurm: what is submitted, joined, watched, cancelled and told."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

UTILS = Path(__file__).parents[2] / "utils"
IMPATIENT = "import slurm; slurm.FILE_SYSTEM_SECONDS = 0.1; slurm.run(slurm.main)"
# a training: says each epoch that it has kept, and is killed at the end of its time, two epochs
TRAINING = """
n=$(cat kept || echo 0); end=$((n + 2)); [ $end -lt 5 ] || end=5
while [ $n -lt $end ]; do n=$((n + 1)); echo $n > kept; echo "epoch $n/5  loss 1"; done
[ $n -eq 5 ] || kill -KILL $PPID
"""


@pytest.fixture
def cluster(folder):
    """Return the folder in which the fake Slurm looks what it shall do."""
    return folder.parent / "slurm"


def arguments(cluster, program="sbatch"):
    return (cluster / f"{program}.args").read_text().splitlines()


def test_sbatch_gets_the_resources_and_those_of_the_site(folder, launch, cluster):
    (folder / "site.conf").write_text("# ours\n\n--partition=gpu\n  --mem=1G\n--exclusive\n")
    options = ["--max-jobs-run", "4", "--gpu", "1", "--mem", "8G", "--time", "2:00:00",
               "--num-threads", "3", "--config", "site.conf"]  # fmt: skip
    launch(folder, "slurm.py", *options, "JOB=2:3", "exp/log/train.JOB.log", "echo", "JOB")
    assert arguments(cluster) == [
        "--parsable", "--partition=gpu", "--mem=1G", "--exclusive", "--job-name=train",
        "--array=2-3%4", f"--output={folder}/exp/log/q/train.out", "--open-mode=append",
        "--cpus-per-task=3", "--gres=gpu:1", "--mem=8G", "--time=2:00:00",
        "exp/log/q/train.sh", "0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("partition gpu\n", "line 1: 'partition gpu' is no option of sbatch; wanted for instance"),
        ("\n--array=1-9\n", "line 2: '--array=1-9' is set by slurm.py itself; remove the line"),
        (None, "No such file or directory"),
    ],
)
def test_a_bad_file_of_options_is_explained(folder, launch, cluster, text, message):
    if text is not None:
        (folder / "site.conf").write_text(text)
    code, err = launch(folder, "slurm.py", "--config", "site.conf", "x.log", "true")
    assert code == 1 and "slurm.py: --config " in err and "site.conf" in err and message in err
    assert not (cluster / "sbatch.args").exists()


def test_patterns_of_sbatch_in_a_path_stand_for_themselves(folder, launch, cluster):
    """Slurm 22 to 24 take a path with a backslash in it as it is, without the backslashes."""
    odd = "50%j b\\c"
    assert launch(folder, "slurm.py", f"{odd}/x.log", "echo", "hi")[0] == 0
    assert f"--output={folder}/50\\%j b\\\\c/q/x.out" in arguments(cluster)
    assert "\nhi\n" in (folder / odd / "x.log").read_text()


def test_more_jobs_than_an_array_may_have_are_split(folder, launch, cluster):
    """Indices stay below MaxArraySize; with a maximum one array begins after the other."""
    (cluster / "max").write_text("4")
    options = ["--max-jobs-run", "2", "JOB=2:9"]
    assert launch(folder, "slurm.py", *options, "x.JOB.log", "echo", "is JOB") == (0, "")
    for job in range(2, 10):
        assert f"\nis {job}\n" in (folder / f"x.{job}.log").read_text()
    assert "--array=0-1%2" in arguments(cluster) and "--dependency=afterany:78" in arguments(
        cluster
    )
    assert sorted(p.name for p in cluster.glob("7*_*")) == [
        "77_2", "77_3", "78_0", "78_1", "78_2", "78_3", "79_0", "79_1"
    ]  # fmt: skip


def test_an_end_marker_of_an_earlier_task_does_not_count(folder, launch, cluster):
    assert launch(folder, "slurm.py", "JOB=1:2", "x.JOB.log", "true")[0] == 0
    log = (folder / "x.1.log").read_text()
    assert ", task 77_1 of Slurm\n" in log
    script = f"printf '%s' '{log}' > x.1.log; kill -KILL $PPID"  # as one that still writes
    path = f"{folder.parent / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, "x.1.log", "sh", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(UTILS)},
        capture_output=True,
        text=True,
    )
    code, err = done.returncode, done.stderr
    assert code == 1 and "slurm.py: the job left no end marker" in err
    assert "what Slurm said is in q" in err


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("TIMEOUT", "its time limit ended it; ask for more by --time"),
        ("OUT_OF_MEMORY", "it took more memory than was asked for; ask for more by --mem"),
        ("PREEMPTED", "jobs with more rights took its place (preemption)"),
        ("NODE_FAIL", "its node vanished; `sinfo -R` says which are down"),
    ],
)
def test_what_ended_a_task_is_told(folder, launch, cluster, state, message):
    """An utterance is no epoch: nothing was kept, so it is not submitted again."""
    (cluster / "ends").write_text(f"{state}\n")
    script = "echo utterance 3/9; [ JOB != 2 ] || kill -KILL $PPID"
    code, err = launch(folder, "slurm.py", "JOB=1:3", "x.JOB.log", "sh", "-c", script)
    assert code == 1 and "1 of 3 jobs failed (JOB 2)" in err
    assert f"slurm.py: job 2 was cut short: {message}" in err
    assert len(list(cluster.glob("*.script"))) == 1


def test_a_training_that_gained_epochs_is_submitted_again(folder, launch, cluster):
    """Two epochs a try: 2, 4, 5 of 5; the job that was done is not submitted again."""
    (cluster / "ends").write_text("TIMEOUT\nPREEMPTED\n")
    script = f"[ JOB = 2 ] || exit 0; {TRAINING}"
    code, err = launch(folder, "slurm.py", "JOB=1:3", "x.JOB.log", "sh", "-c", script)
    assert (code, err.splitlines()) == (0, [
        "slurm.py: job 2: TIMEOUT after epoch 2; it is submitted again",
        "slurm.py: job 2: PREEMPTED after epoch 4; it is submitted again",
    ])  # fmt: skip
    assert "--array=2" in arguments(cluster) and (folder / "kept").read_text() == "5\n"


def test_a_training_that_gains_nothing_is_not_submitted_for_ever(folder, launch, cluster):
    (cluster / "ends").write_text("TIMEOUT\n" * 9)
    script = "echo 'epoch 1/5  loss 1'; kill -KILL $PPID"
    code, err = launch(folder, "slurm.py", "x.log", "sh", "-c", script)
    assert code == 1 and "the job was cut short: its time limit" in err
    assert len(list(cluster.glob("*.script"))) == 2


def test_a_second_launcher_joins_the_array_of_the_first(folder, start, launch, cluster, wait_for):
    """Only what the first one kept in q/x.1.json and the like tells it."""
    script = "echo JOB >> ran; while [ ! -e go ]; do sleep 0.05; done"
    args = ["slurm.py", "JOB=1:3", "x.JOB.log", "sh", "-c", script]
    first = start(folder, *args)
    wait_for((folder / "ran").exists)
    first.kill()
    first.wait()
    tasks = [json.loads((folder / f"q/x.{job}.json").read_text())["task"] for job in (1, 2, 3)]
    assert tasks == ["77_1", "77_2", "77_3"]
    second = start(folder, *args, stdout=subprocess.PIPE)
    assert second.stdout.readline() == "  Slurm job 77: goes on\n"
    other = launch(folder, *args[:-1], f"{script} # other")
    assert other[0] == 1 and "still writes x.1.log; wait until it has ended" in other[1]
    assert "scancel 77" in other[1]
    other = launch(folder, *args, env={"DSNET_STEP": "of other inputs"})
    assert other[0] == 1 and "another command or other inputs" in other[1]
    (folder / "go").touch()
    assert second.wait(timeout=10) == 0
    assert (folder / "ran").read_text() == "1\n2\n3\n"
    assert len(list(cluster.glob("*.script"))) == 1 and not list(folder.glob("q/*.json"))


def listed(folder, script, names):
    """Write a list of jobs with their names in the place of NAME; a step each."""
    lines = [
        {
            "log": f"{name}/x.log",
            "command": ["sh", "-c", script.replace("NAME", name)],
            "step": name,
        }
        for name in names
    ]
    (folder / "all.jobs").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def test_a_list_is_one_array(folder, launch, cluster):
    listed(folder, "echo 'is NAME'; [ NAME != b ]", "abc")
    code, err = launch(folder, "slurm.py", "--max-jobs-run", "2", "--list", "all.jobs")
    assert code == 1 and "slurm.py: 1 of 3 jobs failed; end of b/x.log:" in err
    assert "  b/x.log failed; the others go on\n" in err and "--array=1-3%2" in arguments(cluster)
    assert "\nis c\n" in (folder / "c/x.log").read_text()
    codes = json.loads((folder / "all.codes").read_text())
    assert codes == {"1": 0, "2": 1, "3": 0}


def test_a_step_that_is_done_runs_again_when_it_is_asked_for_again(folder, launch):
    """Though another failed beside it; that one goes on."""
    listed(folder, "echo NAME >> ran; [ NAME != b ]", "ab")
    assert launch(folder, "slurm.py", "--list", "all.jobs")[0] == 1
    assert [path.parts[-3] for path in folder.glob("*/q/x.json")] == ["b"]
    listed(folder, "echo NAME >> ran; [ NAME != b ]", "a")
    assert launch(folder, "slurm.py", "--list", "all.jobs") == (0, "")
    assert (folder / "ran").read_text() == "a\nb\na\n"


def test_what_runs_is_joined_by_another_list(folder, start, launch, cluster, wait_for):
    """Of a, b, c two are left to do when a launcher comes back, and d is new."""
    script = "echo NAME >> ran; until [ NAME = a -o -e go ]; do sleep 0.05; done"
    listed(folder, script, "abc")
    first = start(folder, "slurm.py", "--list", "all.jobs")
    wait_for(lambda: (folder / "ran").exists() and "b" in (folder / "ran").read_text())
    first.kill()
    first.wait()
    listed(folder, script, "dcb")
    second = start(folder, "slurm.py", "--list", "all.jobs", stdout=subprocess.PIPE)
    assert second.stdout.readline() == "  Slurm job 77: goes on\n"
    (folder / "go").touch()
    assert second.wait(timeout=15) == 0
    assert (folder / "ran").read_text() == "a\nb\nc\nd\n" and "--array=1" in arguments(cluster)


def test_what_of_a_joined_array_is_not_ours_is_not_cancelled(folder, start, cluster, wait_for):
    """The array of a and b is left by a killed launcher; another one asks for a only."""
    script = "echo NAME >> ran; sleep 60"
    listed(folder, script, "ab")
    first = start(folder, "slurm.py", "--list", "all.jobs")
    wait_for((folder / "ran").exists)
    first.kill()
    first.wait()
    listed(folder, script, "a")
    second = start(folder, "slurm.py", "--list", "all.jobs", stdout=subprocess.PIPE)
    assert second.stdout.readline() == "  Slurm job 77: goes on\n"
    second.send_signal(signal.SIGINT)
    assert second.wait(timeout=5) == 130
    assert arguments(cluster, "scancel") == ["77_1"]
    assert (cluster / "77_2").read_text() == "PENDING"


@pytest.mark.parametrize("step", ["some", ""])
def test_of_an_array_that_is_gone_all_jobs_run_again(folder, launch, cluster, step):
    """Only the programs know whether what they wrote is still whole; it costs them a look."""
    script = "printf JOB >> ran; [ JOB != 2 -a JOB != 3 -o -e mended ]"
    args = ["slurm.py", "JOB=1:4", "x.JOB.log", "sh", "-c", script]
    code, err = launch(folder, *args, env={"DSNET_STEP": step})
    assert code == 1 and "2 of 4 jobs failed (JOB 2, 3)" in err
    (folder / "mended").touch()
    assert launch(folder, *args, env={"DSNET_STEP": step}) == (0, "")
    assert (folder / "ran").read_text() == "12341234" and "--array=1-4" in arguments(cluster)


def test_a_damaged_file_of_tasks_is_named(folder, launch):
    (folder / "q").mkdir()
    (folder / "q/x.json").write_text('{"task": "77')
    code, err = launch(folder, "slurm.py", "x.log", "true")
    assert code == 1 and "slurm.py: q/x.json is damaged" in err


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("Resources", "job 77 waits: Resources\n"),
        ("JobHeldUser", "job 77 waits: JobHeldUser: it is held; scontrol release 77\n"),
        ("PartitionTimeLimit", "job 77 waits: PartitionTimeLimit: the partition does not give"),
    ],
)
def test_why_jobs_wait_is_told_once(folder, start, cluster, reason, message, wait_for):
    (cluster / "hold").write_text(reason)
    process = start(folder, "slurm.py", "JOB=1:2", "x.JOB.log", "true")
    wait_for((cluster / "squeue.args").exists)
    (cluster / "squeue.args").unlink()
    wait_for((cluster / "squeue.args").exists)
    (cluster / "hold").unlink()
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0 and message in err and err.count("\n") == 1


def test_sbatch_that_refuses(folder, launch, cluster):
    (cluster / "refuse").write_text("invalid partition specified: gpu")
    code, err = launch(folder, "slurm.py", "x.log", "true")
    assert code == 1 and "sbatch: error: invalid partition specified: gpu" in err
    assert "slurm.py: sbatch refused, so no job ran: sbatch --parsable" in err
    assert "`sinfo` lists partitions" in err


def test_an_array_that_cannot_be_kept_is_cancelled(folder, launch, cluster):
    """As on a full disk; here a file is in the place of the folder."""
    listed(folder, "sleep 60", "ab")
    (folder / "b").mkdir()
    (folder / "b/q").touch()
    code, err = launch(folder, "slurm.py", "--list", "all.jobs")
    assert code == 1 and "b/q" in err and arguments(cluster, "scancel") == ["77"]


def test_a_slurm_without_arrays(folder, launch, cluster):
    (cluster / "max").write_text("0")
    code, err = launch(folder, "slurm.py", "x.log", "true")
    assert code == 1 and err == "slurm.py: this Slurm has no job arrays (MaxArraySize=0)\n"


def test_an_interrupt_cancels_the_array(folder, start, cluster, wait_for, alive):
    script = "echo $$ > tmp; mv tmp pid; exec sleep 60"
    process = start(folder, "slurm.py", "JOB=1:2", "x.JOB.log", "sh", "-c", script)
    wait_for((folder / "pid").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=5) == 130
    assert arguments(cluster, "scancel") == ["77"]
    wait_for(lambda: not alive(int((folder / "pid").read_text())))


@pytest.mark.parametrize("program", ["sbatch", "squeue", "scancel"])
def test_an_interrupt_while_slurm_hangs_says_what_to_type(
    folder, start, cluster, wait_for, program
):
    """Within the ten seconds that once.py gives."""
    (cluster / "hang").write_text(f"{program} scancel")
    process = start(folder, "slurm.py", "x.log", "sleep", "60")
    wait_for((cluster / f"{program}.args").exists if program != "scancel" else
             (folder / "x.log").exists)  # fmt: skip
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=9)
    assert process.returncode == 130
    if program == "sbatch":
        assert "squeue --me --name=x; scancel NUMBER" in err
    else:
        assert "scancel has not answered for 4 s" in err
        assert "The jobs may run on. Cancel them by: scancel 77" in err
        os.killpg(int((cluster / "77.pid").read_text()), signal.SIGKILL)


@pytest.mark.slow
def test_a_real_slurm(tmp_path):
    """DSNET_SLURM names a program that runs a command inside a Slurm; jobs of 1 s end in 8 s."""
    if "DSNET_SLURM" not in os.environ or not shutil.which("sbatch"):
        pytest.skip("DSNET_SLURM is not set, or there is no sbatch")
    folder = tmp_path / "50%j b\\c"
    folder.mkdir()
    (folder / "run.sh").write_text(
        f'slurm() {{ {sys.executable} {UTILS}/slurm.py "$@"; }}\n'
        "SECONDS=0\n"
        "slurm JOB=1:3 --max-jobs-run 2 x.JOB.log sh -c 'sleep 1; test JOB != 2'\n"
        'echo "status $?"; (( SECONDS < 12 )) && echo soon\n'
        "slurm y.log sh -c 'echo >> ran; sleep 5' & sleep 2; kill -KILL $(pgrep -P $!)\n"
        "wait; slurm y.log sh -c 'echo >> ran; sleep 5'; echo \"status $?\"\n"
        'slurm --config <(echo --partition=nowhere) z.log true; echo "status $?"\n'
    )
    words = ["bash", os.environ["DSNET_SLURM"], "bash", "run.sh"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)
    assert [line for line in done.stdout.splitlines() if "job" not in line] == [
        "status 1", "soon", "status 0", "status 1"
    ], done.stderr  # fmt: skip
    assert "1 of 3 jobs failed (JOB 2)" in done.stderr
    assert "sbatch refused, so no job ran" in done.stderr
    assert (folder / "ran").read_text() == "\n"  # the second launcher has joined
