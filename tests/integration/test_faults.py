"""Faults, played on a finished small recipe: a program that meets one names it, or mends it.

tests/fault_matrix.py plays more of the same, and prints a table.
"""

import shutil
from random import Random

import pytest
from faults.damage import DAMAGES, FBANK, FOLD, RESULTS, ROWS, SEED, TASK, Row, play
from faults.kills import KILLED, kill_run_sh

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(make_recipe, tmp_path_factory):
    recipe = make_recipe(tmp_path_factory.mktemp("faults") / "a project")
    recipe.run()
    return recipe


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.path}-{row.program}")
def test_damage_is_named_or_mended(finished, row):
    rng = Random(row.path)
    for name, damage in row.damages.items():
        well, message = play(finished, row, damage, rng)
        assert well, f"{name}: {message or 'unnoticed'}"


def test_a_rerun_makes_all_damaged_files_again(finished, make_recipe, tmp_path):
    """What a step writes, that is: not the archives, for which the message says what to do."""
    shutil.copytree(finished.top, tmp_path / "moved project")
    recipe, rng = make_recipe(tmp_path / "moved project"), Random(0)
    names = [
        "data/manifests/recordings.jsonl.gz", f"{FBANK}/feats.scp", f"{FBANK}/utt2crc32",
        f"{FBANK}/frames.bin", f"{FBANK}/feats.json", f"{FBANK}/cuts.jsonl.gz", f"{TASK}/task.json",
        f"{FOLD}/model.pt", f"{FOLD}/train.json", f"{FOLD}/run.json", f"{FOLD}/probes.json",
        f"{FOLD}/test/posteriors.tsv", f"{RESULTS}/metrics.json", ".done/2-folds.4class.json",
    ]  # fmt: skip
    for number, name in enumerate(names):
        damage = list(DAMAGES.values())[number % len(DAMAGES)]
        path = recipe.folder / name
        path.write_bytes(damage(path.read_bytes(), rng))
    out = recipe.run().stdout
    assert all(f"{name} is not what this step wrote" in out for name in names[:2])
    for name in (f"{FBANK}/frames.bin", f"{FBANK}/utt2crc32", f"{FOLD}/test/posteriors.tsv"):
        assert (recipe.folder / name).read_bytes() == (finished.folder / name).read_bytes()
    assert recipe.run().stdout.count("already done") == 10


def test_the_model_of_another_fold_is_refused(finished):
    """It has heard the speaker that this fold tests."""
    row = Row(f"{FOLD}/model.pt", "infer")
    other = (finished.folder / SEED / "fold_m1" / "model.pt").read_bytes()
    well, message = play(finished, row, lambda data, rng: other, Random(0))
    assert well and "trained with fold m1 in the place of f1" in message
    assert play(finished, Row(row.path, "train", mends=True), lambda data, rng: other, Random(0))[0]


@pytest.mark.parametrize("sign", KILLED.values(), ids=KILLED)
def test_all_processes_end_with_a_killed_run_sh(true_recipe, sign):
    assert kill_run_sh(true_recipe, sign)
