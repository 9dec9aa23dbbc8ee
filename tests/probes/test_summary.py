"""Means over folds and their intervals, from probes.json files of known numbers."""

import json

import numpy as np
import pytest

from dsnet.errors import ScoringError
from dsnet.probes.summary import HEADER, fold_interval, probe_rows, read_probes


def write(exp_dir, system, seed, fold, scores, similarity=None, sex=True):
    """Write probes.json whose every probe of part h, s, e has `scores` of that part."""
    targets = {
        name: {"chance": chance, "majority": 0.6}
        for name, chance in (("speaker", 0.5), ("sex", 0.5), ("text", 0.1), ("emotion", 0.25))
    }
    parts = {
        part: {
            target: {
                "linear": {"balanced_accuracy": score},
                "knn": {"balanced_accuracy": score - 0.1},
            }
            for target in targets
        }
        for part, score in scores.items()
    }
    if not sex:
        targets["sex"] = None
        for part in parts.values():
            part["sex"] = None
    swap = {"num_pairs": 9, "follows_e": 0.7, "follows_s": 0.2, "neither": 0.1, "unswapped": 0.9}
    about = {"system": system, "seed": seed, "fold": fold, "task_digest": "digest"}
    both = {"similarity": similarity, "swap": swap if similarity else None}
    folder = exp_dir / system / f"seed_{seed}" / f"fold_{fold}"
    folder.mkdir(parents=True)
    text = json.dumps({**about, "targets": targets, "parts": parts, **both})
    (folder / "probes.json").write_text(text)


def test_interval_over_folds_is_that_of_a_mean():
    values = np.random.default_rng(0).normal(0.6, 0.1, 40)
    found = fold_interval(values, np.random.default_rng(0))
    half = 1.96 * values.std() / np.sqrt(40)
    assert found.estimate == pytest.approx(values.mean())
    assert [found.low, found.high] == pytest.approx(
        [values.mean() - half, values.mean() + half], abs=0.005
    )


def test_seeds_are_averaged_within_folds_and_folds_count_alike(tmp_path):
    write(tmp_path, "base", 1, "A", {"h": 0.9})
    write(tmp_path, "base", 2, "A", {"h": 0.7}, sex=False)
    write(tmp_path, "base", 1, "B", {"h": 0.4}, sex=False)
    found = read_probes([tmp_path / "base"], "digest")["base"]
    assert (found["seeds"], found["folds"], found["num_networks"]) == ([1, 2], ["A", "B"], 3)
    speaker = found["parts"]["h"]["speaker"]
    assert speaker["linear"] == pytest.approx({"estimate": 0.6, "low": 0.4, "high": 0.8})
    assert speaker["knn"]["estimate"] == pytest.approx(0.5)
    sex = found["parts"]["h"]["sex"]["linear"]
    assert sex == {"estimate": 0.9, "low": None, "high": None}
    assert found["targets"]["sex"] == {
        "chance": 0.5, "majority": 0.6, "num_asked": 1, "num_absent": 2,
    }  # fmt: skip
    assert found["similarity"] is found["swap"] is None
    json.dumps(found, allow_nan=False)


def test_rows(tmp_path):
    similarity = {"debiased": 0.25, "biased": 0.5}
    for fold in "AB":
        write(tmp_path, "base", 1, fold, {"h": 0.9}, sex=False)
        write(tmp_path, "dsnet", 1, fold, {"h": 0.9, "s": 0.8, "e": 0.6}, similarity)
    rows = probe_rows(read_probes([tmp_path / "base", tmp_path / "dsnet"], "digest"))
    assert {len(row) for row in rows} == {len(HEADER)}
    score = "90.0 [90.0, 90.0]; 80.0"
    guess = ["a guess", "–", "50.0", "50.0", "10.0", "25.0", "–", "–"]
    assert rows[0] == [*guess[:3], "–", *guess[4:]]
    assert rows[1] == ["base", "h", score, "–", score, score, "–", "–"]
    assert rows[2] == guess  # dsnet is asked for the sex, too
    assert rows[3] == [
        "dsnet", "h", *[score] * 4, "0.25 [0.25, 0.25]", "70.0 / 20.0 / 10.0",
    ]  # fmt: skip
    assert [row[1] for row in rows[3:]] == ["h", "s", "e"]
    assert rows[5][2:] == ["60.0 [60.0, 60.0]; 50.0"] * 4 + ["–", "–"]


def test_one_guess_stands_for_systems_that_are_asked_the_same(tmp_path):
    for system in ("base", "other"):
        write(tmp_path, system, 1, "A", {"h": 0.9})
    rows = probe_rows(read_probes([tmp_path / "base", tmp_path / "other"], "digest"))
    assert [row[0] for row in rows] == ["a guess", "base", "other"]


def test_probes_of_another_task_are_refused(tmp_path):
    write(tmp_path, "base", 1, "A", {"h": 0.9})
    with pytest.raises(ScoringError, match="with digest digest, expected other"):
        read_probes([tmp_path / "base"], "other")
    with pytest.raises(ScoringError, match="dsnet: no seed_"):
        read_probes([tmp_path / "dsnet"], "digest")
