"""What must have been run before recipes are compared, and which command runs it."""

import sys
from pathlib import Path

import pytest
import yaml

from dsnet.bin.cross_tasks import main
from dsnet.errors import ConfigError

SHARED = {
    "classes": ["x", "y"],
    "recipes": {
        n: {"task": f"{n}_task", "label_map": {"x": "x", "y": "y"}} for n in ("one", "two")
    },
}


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Two recipes with empty files where stages 1 to 3 leave theirs; we are beside them."""
    here = tmp_path / "a project" / "egs" / "cross_corpus"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    (here / "shared.yaml").write_text(yaml.safe_dump(SHARED))
    for name in ("one", "two"):
        names = [f"data/fbank/{f}" for f in ("feats.json", "feats.scp", "cuts.jsonl.gz")]
        names += ["run.sh", "conf/base.yaml", f"data/{name}_task/task.json"]
        names += [
            f"exp/{name}_task/base/seed_{seed}/fold_{fold}/{f}"
            for seed in (1, 2)
            for fold in "ab"
            for f in ("model.pt", "train.json")
        ]
        for path in (here.parent / name / f for f in names):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (here.parent / name / "data" / f"{name}_task" / "folds").write_text("a\nb\n")

    def run(train="../one", test="../two", system="base", seeds="1 2", folds=""):
        options = ["--systems", system, "--seeds", seeds, "--folds", folds]
        monkeypatch.setattr(sys, "argv", ["cross_tasks", *options, "shared.yaml", train, test])
        main()
        return capsys.readouterr().out

    return run


def test_prints_the_tasks(check):
    assert check() == "one_task two_task\n"
    assert check("../two", "../one") == "two_task one_task\n"


@pytest.mark.parametrize(
    "train", ["", "../three", "/elsewhere/one", "one", "..", "../cross_corpus"]
)
def test_what_is_no_recipe(check, train):
    with pytest.raises(ConfigError, match="--train: expected a recipe of this project, such as"):
        check(train)


def test_a_recipe_against_itself(check):
    with pytest.raises(ConfigError, match="both egs/one; a recipe against itself is the diagonal"):
        check("../one", "../one")


def test_features_or_folds_are_missing(check):
    Path("../two/data/fbank/feats.json").unlink()
    with pytest.raises(ConfigError) as error:
        check()
    assert "../two/data/fbank/feats.json is missing (1 of 4 files" in str(error.value)
    assert "bash egs/two/run.sh --task two_task --stop-stage 2" in str(error.value)


def test_models_are_missing(check):
    Path("../one/exp/one_task/base/seed_2/fold_b/model.pt").unlink()
    with pytest.raises(ConfigError) as error:
        check()
    assert "seed_2/fold_b/model.pt is missing (1 of 8 files" in str(error.value)
    command = "bash egs/one/run.sh --task one_task --systems base --seeds '1 2' --stop-stage 3"
    assert command in str(error.value)
    assert check(seeds="1") and check(folds="a")  # what is asked for is there
    assert check("../two", "../one")  # the tested recipe needs no models


def test_a_system_that_the_recipe_lacks(check):
    with pytest.raises(ConfigError, match="no such system; egs/one has trained for one_task: base"):
        check(system="base dsnet")
