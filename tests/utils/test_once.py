"""Which steps run again and which do not."""

import fcntl
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

STEP = """\
stage 1 features
once fbank --reads conf/fbank.yaml "$corpus_dir" --writes data/feats.scp -- \\
  sh -c 'echo ran >> count; echo feats > data/feats.scp' sh --nj "$nj"
stage 2 folds
once folds --reads data/feats.scp --writes data/folds -- cp data/feats.scp data/folds
"""


@pytest.fixture
def step(recipe):
    """Return STEP as a recipe whose stage 1 has run."""
    for name in ("conf", "data", "corpus/a"):
        (recipe.folder / name).mkdir(parents=True)
    (recipe.folder / "conf/fbank.yaml").write_text("num_bins: 80\n")
    (recipe.folder / "corpus/a/1.wav").write_text("audio")
    recipe.corpus = ("--corpus-dir", str(recipe.folder / "corpus"))
    recipe.write(STEP)
    assert "fbank: first run" in recipe.ok(*recipe.corpus)
    recipe.count = lambda: len((recipe.folder / "count").read_text().splitlines())
    return recipe


def test_a_step_that_is_done_is_skipped(step):
    out = step.ok(*step.corpus)
    assert "already done: fbank" in out and "already done: folds" in out and step.count() == 1


def test_what_is_left_for_tensorboard_changes_nothing(step):
    (step.folder / "corpus/a/tensorboard/scored").mkdir(parents=True)
    (step.folder / "corpus/a/tensorboard/scored/events").touch()
    assert "already done: fbank" in step.ok(*step.corpus)


def change_config(folder):
    (folder / "conf/fbank.yaml").write_text("num_bins: 40\n")


def remove_output(folder):
    (folder / "data/feats.scp").unlink()


def touch_in_folder(folder):
    os.utime(folder / "corpus/a/1.wav", ns=(0, 12345))


def add_to_folder(folder):
    (folder / "corpus/a/2.wav").touch()


def cut_marker(folder):
    (folder / ".done/1-fbank.json").write_text('{"command": [')


def spoil_marker(folder):
    (folder / ".done/1-fbank.json").write_bytes(b"\xff\0\x1f")


def strange_marker(folder):
    (folder / ".done/1-fbank.json").write_text('{"command": 3}')


MARKERS = (cut_marker, spoil_marker, strange_marker)


def damage_output(folder):
    path = folder / "data/feats.scp"
    before = path.stat()
    path.write_text("fea7s\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_config, "conf/fbank.yaml changed"),
        (remove_output, "data/feats.scp is missing"),
        (touch_in_folder, "corpus changed"),
        (add_to_folder, "corpus changed"),
        (damage_output, "data/feats.scp is not what this step wrote"),
        *((change, ".done/1-fbank.json is damaged") for change in MARKERS),
    ],
)
def test_a_change_runs_the_step_again_and_says_why(step, change, reason):
    change(step.folder)
    out = step.ok(*step.corpus)
    assert f"  fbank: {step.seen}/{reason}\n" in out and step.count() == 2
    assert "already done: folds" in out  # its input came out as before


def test_rewriting_the_same_content_changes_nothing(step):
    (step.folder / "conf/fbank.yaml").write_text("num_bins: 80\n")
    (step.folder / "corpus/.DS_Store").touch()
    assert "already done: fbank" in step.ok(*step.corpus)


def test_a_loop_of_links_in_a_folder_ends(step):
    (step.folder / "corpus/a/up").symlink_to("..")
    assert f"fbank: {step.seen}/corpus changed" not in step.ok(*step.corpus)


def test_another_command_runs_and_says_which_word_changed(step):
    assert "fbank: command changed: '3', before '2'" in step.ok(*step.corpus, "--nj", "3")


def test_force_runs_everything_from_stage_on(step):
    out = step.ok(*step.corpus, "--force", "true")
    assert "fbank: --force" in out and "folds: --force" in out
    out = step.ok("--stage", "2", "--force", "true")
    assert "fbank" not in out and "folds: --force" in out


def test_the_launcher_is_no_part_of_the_command(recipe):
    recipe.write("stage 1 x\nonce x --reads --writes -- $cmd JOB=1:2 x.JOB.log true JOB\n")
    recipe.ok()
    assert "already done: x" in recipe.ok("--cmd", "run.py --max-jobs-run 1 --mem 2G")
    recipe.write("stage 1 x\nonce x --reads --writes -- $cmd JOB=1:3 x.JOB.log true JOB\n")
    assert "already done: x" in recipe.ok()
    recipe.write("stage 1 x\nonce x --reads --writes -- $cmd JOB=1:3 x.JOB.log test JOB\n")
    assert "x: command changed: 'test', before 'true'" in recipe.ok()


@pytest.mark.parametrize("option", ["--num-jobs", "--num-threads", "--device"])
def test_how_many_and_where_is_no_part_of_the_command(recipe, option):
    recipe.write(f"stage 1 x\nonce x --reads --writes -- echo {option} 2 made\n")
    recipe.ok()
    recipe.write(f"stage 1 x\nonce x --reads --writes -- echo {option} 3 made\n")
    assert "already done: x" in recipe.ok()


def test_a_command_is_told_whether_its_inputs_are_those_of_before(recipe):
    """DSNET_STEP stays as it is until an input or the command changes, or with --force."""
    body = "stage 1 a\nonce a --reads in --writes out -- run.py --max-jobs-run {} x.log sh -c {}\n"
    script = "'echo $DSNET_STEP >> ../keys; exit 1'"
    recipe.write(body.format(1, script))
    (recipe.folder / "in").write_text("1")
    recipe.fails()
    recipe.write(body.format(2, script))  # how it is launched does not matter
    recipe.fails()
    (recipe.folder / "in").write_text("2")
    recipe.fails()
    recipe.write(body.format(2, script.replace("1", "2")))
    recipe.fails()
    recipe.fails("--force")
    recipe.fails("--force")
    keys = (recipe.folder.parent / "keys").read_text().split()
    assert keys[0] == keys[1] and len(keys) == 6 and len(set(keys)) == 5


def test_force_removes_what_was_written_first(recipe):
    """A program that skips what is there does not skip it then."""
    lazy = "[ -e data/out/kept ] || { mkdir -p data/out; echo $$ > data/out/kept; }"
    recipe.write(f"stage 1 x\nonce x --reads --writes data/out -- sh -c '{lazy}'\n")
    recipe.ok()
    kept = recipe.folder / "data/out/kept"
    before = kept.read_text()
    recipe.ok("--force", "true")
    assert kept.read_text() != before


def test_force_removes_no_more_than_what_was_written(recipe):
    """A link goes, not what it points to; what lies around the recipe is not touched."""
    elsewhere = recipe.where / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").touch()
    (recipe.folder / "out").symlink_to(elsewhere)
    recipe.write("stage 1 x\nonce x --reads --writes out/ -- mkdir -p out\n")
    recipe.ok("--force")
    assert (elsewhere / "mine").exists() and not (recipe.folder / "out").is_symlink()
    for path in (".", ".."):
        recipe.write(f"stage 1 x\nonce x --reads --writes {path} -- true\n")
        assert f"{path} holds the recipe itself" in recipe.fails("--force")
    assert recipe.script.exists()


def test_a_changed_input_removes_nothing(step):
    step.write(STEP.replace("data/feats.scp --", "data/feats.scp data/kept --"))
    (step.folder / "data/kept").touch()
    change_config(step.folder)
    step.ok(*step.corpus)
    assert (step.folder / "data/kept").exists()


def test_a_later_stage_starts_if_the_earlier_ones_are_done(step):
    """No corpus folder, another number of jobs: neither matters to what stage 1 has made."""
    out = step.ok("--stage", "2", "--nj", "9")
    assert "stage 1" not in out and "already done: folds" in out and step.count() == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_config, "conf/fbank.yaml changed"),
        (remove_output, "data/feats.scp is missing"),
        (damage_output, "data/feats.scp is not what this step wrote"),
        *((change, ".done/1-fbank.json is damaged") for change in MARKERS),
    ],
)
def test_a_later_stage_stops_if_an_earlier_one_is_out_of_date(step, change, reason):
    change(step.folder)
    done = step.run("--stage", "2", "--nj", "4")
    assert done.returncode == 1 and step.count() == 1
    first, second = done.stderr.splitlines()
    assert first == f"stage 1, fbank: not up to date: {step.seen}/{reason}. Run first:"
    assert second == f"  bash '{step.script}' --nj 4 --stage 1"


def test_a_missing_input_names_the_step_that_writes_it(step):
    (step.folder / "data/feats.scp").unlink()
    step.write(STEP[STEP.index("stage 2") :])
    err = step.fails()
    assert f"stage 2, folds: {step.seen}/data/feats.scp is missing; fbank of stage 1" in err
    assert err.endswith("--stage 1\n") and err.count("\n") == 2


def test_the_step_that_writes_a_file_counts_before_the_one_that_writes_its_folder(recipe):
    recipe.write(
        "stage 1 x\nonce x --reads --writes out -- mkdir -p out\n"
        "stage 2 y\nonce y --reads --writes out/file -- touch out/file\n"
    )
    recipe.ok()
    (recipe.folder / "out/file").unlink()
    recipe.write("stage 3 z\nonce z --reads out/file --writes -- true\n")
    assert "y of stage 2 writes it" in recipe.fails()


def test_a_missing_input_that_no_step_writes(step):
    (step.folder / "conf/fbank.yaml").unlink()
    assert "conf/fbank.yaml is missing; if an option names it" in step.fails(*step.corpus)


def test_an_input_that_was_not_given(step):
    assert "an input has no path; give the option for it" in step.fails("--force", "true")


def test_a_command_that_does_not_write_what_it_should(recipe):
    recipe.write("stage 1 x\nonce x --reads --writes data/y -- true\n")
    assert f"x: the command ended well but did not write {recipe.seen}/data/y" in recipe.fails()
    assert not (recipe.folder / ".done/1-x.json").exists()


def test_a_command_that_is_not_there(recipe):
    recipe.write("stage 1 x\nonce x --reads --writes -- local/prepare.py\n")
    err = recipe.fails()
    assert "x: cannot run local/prepare.py: No such file" in err and "exit status 127" in err


def test_an_input_that_changes_meanwhile_counts_as_changed(step):
    step.write(
        "stage 1 x\nonce x --reads conf/fbank.yaml --writes -- "
        "sh -c 'if [ ! -e once ]; then touch once; echo 1 >> conf/fbank.yaml; fi'\n"
    )
    assert "conf/fbank.yaml changed meanwhile" in step.ok()
    assert f"x: {step.seen}/conf/fbank.yaml changed\n" in step.ok()
    assert "already done: x" in step.ok()


def test_a_negative_stage(recipe):
    recipe.write(
        "stage -1 download\nonce x --reads --writes y -- touch y\nstage 0 prepare\n"
        "once z --reads y --writes -- true\n"
    )
    assert "x: first run" in recipe.ok("--stage", "-1")
    (recipe.folder / "y").unlink()
    assert "  bash '" in (err := recipe.fails()) and err.endswith("--stage -1\n")


SLOW = "stage 1 x\nonce x --reads --writes y -- sh -c 'touch y; echo $$ > pid.tmp; " \
       "mv pid.tmp pid; exec sleep 60'\n"  # fmt: skip


def parent_of(pid):
    """Return the process that started another: here once.py."""
    return int(re.search(r"PPid:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


@pytest.fixture
def slow(recipe, wait_for, alive):
    """Return a recipe whose step, once done, is running again; with `.process` and `.pid`."""
    recipe.write(SLOW.replace("sleep 60", "true"))
    recipe.ok()
    (recipe.folder / "pid").unlink()
    recipe.write(SLOW)
    recipe.process = recipe.start()
    recipe.pid = int(wait_for((recipe.folder / "pid").exists) and
                     (recipe.folder / "pid").read_text())  # fmt: skip
    yield recipe
    if alive(recipe.pid):
        os.kill(recipe.pid, signal.SIGKILL)
    recipe.process.communicate(timeout=5)


def test_a_killed_command_leaves_no_marker_and_runs_again(slow):
    assert not (slow.folder / ".done/1-x.json").exists()  # gone before the command began
    os.kill(slow.pid, signal.SIGKILL)
    _, err = slow.process.communicate(timeout=5)
    assert slow.process.returncode == 137 and "failed with exit status 137" in err
    assert "x: killed by SIGKILL: out of memory?" in err
    assert (slow.folder / "y").exists() and not (slow.folder / ".done/1-x.json").exists()
    slow.write(SLOW.replace("sleep 60", "true"))
    assert "x: first run" in slow.ok()
    assert json.loads((slow.folder / ".done/1-x.json").read_text())["writes"] == ["y"]


def test_a_second_run_of_a_step_stops_and_another_step_runs(slow):
    err = slow.fails()
    assert f"stage 1, x: process {slow.pid} on " in err and "runs this step in" in err
    slow.write("stage 1 x\nonce other --reads --writes -- true\n")
    assert "other: first run" in slow.ok()


def test_the_command_ends_with_a_killed_once_py(slow, wait_for, alive):
    os.kill(parent_of(slow.pid), signal.SIGKILL)
    wait_for(lambda: not alive(slow.pid))
    with open(slow.folder / ".done/.1-x.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # free again, or this blocks


def test_all_ends_with_a_killed_run_sh(slow, wait_for, alive):
    between = parent_of(slow.pid)
    slow.process.kill()
    wait_for(lambda: not alive(slow.pid) and not alive(between))
    slow.write(SLOW.replace("sleep 60", "true"))
    slow.ok()


def test_a_command_that_does_not_end_holds_the_lock_and_is_named(recipe, wait_for, alive):
    recipe.write(SLOW.replace("exec sleep 60", "trap : TERM; while :; do sleep 0.1; done"))
    process = recipe.start()
    wait_for((recipe.folder / "pid").exists)
    pid = int((recipe.folder / "pid").read_text())
    os.kill(parent_of(pid), signal.SIGKILL)
    process.wait(timeout=5)
    message = recipe.fails()
    assert f"process {pid} on {os.uname().nodename}, started" in message
    assert message.splitlines()[0].endswith(f"by: kill -KILL -- -{pid}")
    subprocess.run(["bash", "-c", message.splitlines()[0].split(" by: ")[1]], check=True)
    wait_for(lambda: not alive(pid))
