"""egs/stages.sh with programs that only write: what an edited task runs again."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BODY = """\
task=4class features= allow_count_mismatch=false allow_near_copies=false
stage 0 prepare
once manifests --reads corpus --writes data/manifests/{recordings,supervisions}.jsonl.gz \\
  -- touch data/manifests/{recordings,supervisions}.jsonl.gz
. ../stages.sh
"""
# stands for check_gate and make_folds: the last argument is the file or folder that they write
PYTHON = """\
#!/usr/bin/env bash
case $2 in
  *make_folds) mkdir -p "${@: -1}"; touch "${@: -1}"/task.json ;;
  *) touch "${@: -1}" ;;
esac
"""


@pytest.fixture
def staged(recipe, project):
    """Return a recipe whose stages 0 to 2 have run."""
    shutil.copy(ROOT / "egs" / "stages.sh", project / "egs")
    fake = project / "utils" / "python"  # path.sh puts utils first
    fake.write_text(PYTHON)
    fake.chmod(0o755)
    for name in ("conf", "corpus", "data/manifests", "data/4class"):
        (recipe.folder / name).mkdir(parents=True)
    (recipe.folder / "data" / "4class" / ".config.json").write_text("{}")
    (recipe.folder / "conf" / "4class.yaml").write_text("classes: [a, b]\n")
    recipe.write(BODY)
    recipe.ok("--stop-stage", "2")
    return recipe


def test_a_task_that_was_edited_goes_on_at_stage_2(staged):
    (staged.folder / "conf" / "4class.yaml").write_text("classes: [a, b, c]\n")
    out = staged.ok("--stage", "2", "--stop-stage", "2")
    assert f"gate.4class: {staged.seen}/conf/4class.yaml changed" in out
    assert f"folds.4class: {staged.seen}/conf/4class.yaml changed" in out
    assert "manifests" not in out  # only checked


def test_folds_of_an_edited_task_are_not_made_unasked(staged):
    (staged.folder / "conf" / "4class.yaml").write_text("classes: [a, b, c]\n")
    message = staged.fails("--stage", "3")
    changed = f"{staged.seen}/conf/4class.yaml changed"
    assert f"stage 2, folds.4class: not up to date: {changed}" in message
    command = message.split("Run first:")[1].split()
    assert command[-2:] == ["--stage", "2"]
    staged.ok("--stage", "2", "--stop-stage", "2")


# programs that, like the real ones, leave what is there and go on where a killed one stopped
LAZY = """\
#!/usr/bin/env bash
fold=exp/4class/tiny/seed_1/fold_A
case $2 in
  *make_folds) mkdir -p data/4class; echo A > data/4class/folds
    echo '{"digest": "t"}' > data/4class/task.json ;;
  *extract) [[ -e data/fbank/shards/$6 ]] || echo "extract $6" >> ran
    mkdir -p data/fbank/shards/$6 ;;
  *combine_feats) touch data/fbank/{feats.scp,utt2num_frames,cuts.jsonl.gz,frames.bin,utt2crc32}
    echo '{"digest": "f"}' > data/fbank/feats.json ;;
  *train) [[ ! -e $fold/checkpoint.pt ]] || echo resumed >> ran
    [[ -e $fold/train.json ]] || echo train >> ran
    mkdir -p $fold; touch $fold/model.pt; echo '{"seconds": 60}' > $fold/train.json ;;
  *) touch "${@: -1}" ;;
esac
"""
TRAINED = """\
task=4class features=fbank systems=tiny fold_jobs=1 num_threads=1 processes=1
device=auto cuda_cmd=run.py allow_count_mismatch=false allow_near_copies=false
_features_of[tiny]=fbank
stage 0 prepare
once manifests --reads corpus --writes data/manifests/{recordings,supervisions}.jsonl.gz \\
  -- touch data/manifests/{recordings,supervisions}.jsonl.gz
. ../stages.sh
"""


@pytest.fixture
def trained(staged, project):
    """Return a recipe whose stages 0 to 3 have run, with .ran(): what was computed since."""
    (project / "utils" / "python").write_text(LAZY)
    for name, text in {
        "data/fbank/config.json": "{}",
        "exp/4class/tiny/system.json": '{"code": "c", "config": {"features": "fbank"}}',
    }.items():
        path = staged.folder / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    staged.write(TRAINED)

    def ran():
        path = staged.folder / "ran"
        text = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        return sorted(text.splitlines())

    staged.ran = ran
    staged.ok("--force", "--stop-stage", "3")
    assert ran() == ["extract 1", "extract 2", "train"]
    return staged


def test_force_computes_features_and_trains_anew(trained):
    """Also where a killed training has left a checkpoint."""
    checkpoint = trained.folder / "exp/4class/tiny/seed_1/fold_A/checkpoint.pt"
    checkpoint.touch()
    trained.ok("--force", "--stage", "1", "--stop-stage", "3")
    assert trained.ran() == ["extract 1", "extract 2", "train"] and not checkpoint.exists()
    trained.ok("--force", "--stage", "3", "--stop-stage", "3")
    assert trained.ran() == ["train"]


def test_another_number_of_jobs_computes_nothing(trained):
    out = trained.ok("--stop-stage", "3", "--nj", "5", "--cmd", "run.py --max-jobs-run 1")
    assert trained.ran() == [] and ": command changed" not in out and "done in" not in out


def test_features_that_were_not_combined_are_computed_for_the_jobs_there_are(trained):
    """The number of jobs is that of the archives, whatever is asked for now."""
    (trained.folder / "data/fbank/feats.scp").unlink()
    out = trained.ok("--stop-stage", "1", "--nj", "5")
    assert trained.ran() == [] and "already done: fbank.jobs" in out and "fbank: done" in out
