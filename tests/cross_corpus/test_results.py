"""Cells by hand, what makes a cell out of date, and the page that shows them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dsnet.bin.cross_infer import main as infer_program
from dsnet.bin.cross_score import main as score_program
from dsnet.cross_corpus.report import results_md
from dsnet.cross_corpus.results import read_matrices
from dsnet.cross_corpus.summary import summarise_matrices
from dsnet.errors import ScoringError
from dsnet.report.provenance import Provenance
from dsnet.report.summary import summarise
from dsnet.results.store import read_results

EXP = "exp/shared/tiny/none/one/two/seed_1"


@pytest.fixture
def inferred(toys, run_program, write_posteriors):
    """Models of `one` on `two`: fold a says rage to all, b is right, c says bored to all."""
    exp = Path(EXP)
    options = ["--system", "tiny", "--folds", "a b c", "--device", "cpu"]
    for job in (1, 2, 3):
        recipes = ["../one", "four", "../two", "three"]
        run_program(infer_program, *options, "--job", str(job), *recipes, exp)
    same = {"rage": "angry", "joy": "glad", "rest": "calm"}
    rows = sorted(toys["two"].task.utt2emo.items())
    answers = {
        "a": ["angry"] * len(rows),
        "b": [same[emotion] for _, emotion in rows],
        "c": ["bored"] * len(rows),
    }
    for fold, chosen in answers.items():
        given = {utt: answer for (utt, _), answer in zip(rows, chosen, strict=True)}
        write_posteriors(exp / f"fold_{fold}", toys["one"].classes, given)
    return toys


def cells(shared):
    matrices = read_matrices(Path("exp/shared"), shared)
    (matrix,) = summarise_matrices(matrices, shared, 0)["matrices"]
    return {(cell["train"], cell["test"]): cell for cell in matrix["cells"]}


def test_numbers_by_hand(inferred, shared):
    found = cells(shared)
    assert set(found) == {("one", "two"), ("one", "one"), ("two", "two")}
    cell = found["one", "two"]
    # 18 utterances, 6 a class; UARs 1/3, 1, 1/3 (bored alone: a tie, and anger is the first class)
    assert [model["uar"] for model in cell["uar_by_model"]] == pytest.approx([1 / 3, 1, 1 / 3])
    assert cell["uar_model_mean"] == pytest.approx(5 / 9)
    assert cell["uar_model_sd"] == pytest.approx((4 / 27) ** 0.5)  # of 1/3, 1, 1/3 with n - 1
    assert cell["uar"]["estimate"] == cell["war"]["estimate"] == pytest.approx(5 / 9)
    assert cell["recalls"] == pytest.approx({"anger": 1, "happiness": 1 / 3, "neutral": 1 / 3})
    assert cell["confusion"] == [[18, 0, 0], [12, 6, 0], [12, 0, 6]]
    assert (cell["utterances"], cell["speakers"], cell["models"]) == (18, 3, 3)
    assert cell["missing"] == []
    # every speaker of two has the same, so that drawing speakers moves nothing
    assert cell["uar"]["low"] == cell["uar"]["high"] == pytest.approx(5 / 9)


def test_the_diagonal_leaves_ignored_classes_out(inferred, shared):
    """Its posteriors are right throughout: 6 utterances a speaker without the bored ones."""
    cell = cells(shared)["one", "one"]
    assert cell["uar"]["estimate"] == cell["uar_model_mean"] == 1
    assert cell["uar_model_sd"] == 0 and cell["utterances"] == 18 and cell["models"] == 3
    assert cell["confusion"] == [[6, 0, 0], [0, 6, 0], [0, 0, 6]]


def test_the_diagonal_is_pooled_over_folds(inferred, shared):
    """Fold c takes all for calm, that is neutral: of its 6 scored utterances 2 are."""
    inferred["one"].write_test_posteriors("c", answer="calm")
    cell = cells(shared)["one", "one"]
    assert cell["uar_model_mean"] == pytest.approx((1 + 1 + 1 / 3) / 3)
    # pooled: anger and happiness 4 of 6, neutral 6 of 6
    assert cell["uar"]["estimate"] == pytest.approx((4 / 6 + 4 / 6 + 1) / 3)


def edit_references(toy):
    path = toy.task_dir / "spk2neutral"
    path.write_text(path.read_text().replace("a-calm-1", "a-calm-2"))


def edit_labels(toy):
    path = toy.task_dir / "utt2emo"
    path.write_text(path.read_text().replace("a-joy-1 joy", "a-joy-1 rage"))


def edit_config(toy):
    path = toy.path / "conf" / "tiny.yaml"
    path.write_text(path.read_text().replace("embed_dim: 8", "embed_dim: 12"))


def train_again(toy):
    toy.write_model("b", seed=1)


def compute_features_again(toy):
    toy.write_features(7)


def delete_model(toy):
    (toy.fold_dir("c") / "model.pt").unlink()


def delete_marker(toy):
    (toy.path / ".done" / "4-infer.four.tiny.1.json").unlink()


def delete_posteriors(toy):
    for fold in "abc":
        (toy.fold_dir(fold) / "test" / "posteriors.tsv").unlink()


def test_the_diagonal_is_what_the_recipe_itself_scores(inferred, shared):
    """Recipe two ignores nothing; its classes have other names here and another order."""
    rng, two = np.random.default_rng(0), inferred["two"]
    for fold in two.task.fold_names:
        path = two.fold_dir(fold) / "test" / "posteriors.tsv"
        lines = path.read_text().splitlines()
        rows = [line.split("\t")[0] for line in lines[1:]]
        drawn = rng.dirichlet(np.ones(3), len(rows))
        table = [
            "\t".join([u, *(f"{p:.6f}" for p in row)]) for u, row in zip(rows, drawn, strict=True)
        ]
        path.write_text("\n".join([lines[0], *table]) + "\n")
    task = two.task
    own = summarise(read_results(two.path / "exp" / "three", task), 0)["all"]["systems"]["tiny"]
    cell = cells(shared)["two", "two"]
    assert cell["uar"] == pytest.approx(own["uar"]) and cell["war"] == pytest.approx(own["war"])
    assert cell["uar_model_mean"] == pytest.approx(own["uar_fold_mean"])
    assert cell["uar_model_sd"] == pytest.approx(own["uar_fold_sd"])
    names = {"anger": "rage", "happiness": "joy", "neutral": "rest"}
    recalls = own["class_recalls"]
    assert cell["recalls"] == {name: recalls[native] for name, native in names.items()}
    assert min(recalls.values()) > 0 and max(recalls.values()) < 1


@pytest.mark.parametrize(
    "change, of, what",
    [
        (train_again, "one", "seed 1, fold b: changed since: the model of one"),
        (compute_features_again, "one", "features of one"),
        (compute_features_again, "two", "features of two"),
        (edit_references, "one", "folds, labels or references of one"),
        (edit_labels, "two", "utterances, speakers or classes of two"),
        (edit_config, "one", "config of tiny of one"),
        (delete_model, "one", "is no longer there"),
    ],
)
def test_a_change_of_what_it_was_computed_from(inferred, shared, change, of, what):
    change(inferred[of])
    cell = cells(shared)["one", "two"]
    assert what in cell["problem"] and "uar" not in cell


@pytest.mark.parametrize(
    "change, what",
    [
        (train_again, "fold b: the test posteriors may be of an earlier model"),
        (delete_marker, "the test posteriors may be of an earlier model"),
        (edit_config, "the config of tiny changed since it was trained"),
        (compute_features_again, "the features changed since it was trained"),
        (edit_references, "its folds, labels or references have changed since"),
        (delete_posteriors, "not tested on itself"),
    ],
)
def test_a_diagonal_that_is_not_current(inferred, shared, change, what):
    change(inferred["one"])
    assert what in cells(shared)["one", "one"]["problem"]


def test_references_of_the_target_do_not_matter(inferred, shared):
    path = inferred["two"].task_dir / "spk2neutral"
    path.write_text(path.read_text().replace("a-rest-1", "a-rest-2"))
    assert "uar" in cells(shared)["one", "two"]


def test_models_that_are_not_there_are_listed(inferred, shared):
    (Path(EXP) / "fold_b" / "cross.json").unlink()
    cell = cells(shared)["one", "two"]
    assert cell["models"] == 2 and cell["missing"] == [{"seed": 1, "fold": "b"}]
    assert cell["uar_model_mean"] == pytest.approx(1 / 3)
    assert "2 of 3 models; not there: seed 1 fold b" in page(shared)


def page(shared):
    summary = summarise_matrices(read_matrices(Path("exp/shared"), shared), shared, 0)
    provenance = Provenance("bash x", "r", {"torch": "2"}, "2026-11-24", 2)
    return results_md(summary, "shared", provenance, [[] for _ in summary["matrices"]])


def test_nothing_to_score(toys, shared, tmp_path):
    with pytest.raises(ScoringError, match="found none; run stage 4"):
        read_matrices(tmp_path, shared)


def test_posteriors_of_other_utterances(inferred, shared):
    path = Path(EXP) / "fold_a" / "posteriors.tsv"
    path.write_text(path.read_text().replace("a-joy-1", "a-joy-9"))
    with pytest.raises(ScoringError, match="which are not the 18 that egs/two has to be tested on"):
        cells(shared)


def test_the_page(inferred, shared_config, run_program, tmp_path, capsys):
    args = ["--command", "bash egs/cross_corpus/run.sh", "--results-dir", tmp_path / "results"]
    run_program(score_program, *args, shared_config, Path("exp/shared"))
    text = (tmp_path / "results" / "RESULTS.md").read_text()
    assert "| one | 100.0 ± 0.0; pooled 100.0 [100.0, 100.0] | 55.6 ± 38.5 [55.6, 55.6] |" in text
    assert "| two | – | 100.0 ± 0.0; pooled 100.0 [100.0, 100.0] |" in text
    assert "guessing has a UAR of 33.3 %" in text
    assert "| one, four | 3 | 3 | 18 | angry 6 | glad 6 | calm 6 | bored 6 |" in text
    drawn = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert drawn == ["figures/matrix_tiny.png", "figures/confusions_tiny.png"]
    for name in drawn:
        assert (tmp_path / "results" / name).read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "results" / "metrics.json").read_text())["classes"] == [
        "anger", "happiness", "neutral",
    ]  # fmt: skip
    assert "tiny    not used      one         two        3 × 1" in capsys.readouterr().out


def test_an_outdated_cell_on_the_page(inferred, shared):
    inferred["one"].write_model("b", seed=1)
    text = page(shared)
    assert "| one | – | out of date |" in text
    assert (
        "- trained on one, tested on two: no figures: seed 1, fold b: changed since: the model of "
        "one. Run: `bash egs/cross_corpus/run.sh --train egs/one --test egs/two --task shared "
        "--systems tiny --seeds 1`"
    ) in text
