"""Means over folds and their intervals, from probes.json files of known numbers."""

import json

import numpy as np
import pytest

from dsnet.errors import ScoringError
from dsnet.probes.summary import HEADER, fold_interval, probe_rows, read_probes

DIGESTS = {"config": "c", "task": "t"}
GUESSES = {
    "speaker": 0.5, "speaker_same_sex": 0.5, "speaker_same_emotion": 0.5,
    "sex": 0.5, "text": 0.1, "emotion": 0.25,
}  # fmt: skip


def write(exp_dir, system, seed, fold, scores, similarity=None, absent=(), variation=0.4):
    """Write probes.json whose every probe of part h, s, e has `scores` of that part; its folder.

    The EER is a tenth of them.
    """
    about = {"system": system, "seed": seed, "fold": fold, "digests": DIGESTS}
    targets = {name: {"chance": chance, "majority": 0.6} for name, chance in GUESSES.items()}
    parts = {
        part: {name: probed(name, score) for name in targets} for part, score in scores.items()
    }
    for name in absent:
        for asked in (targets, *parts.values()):
            asked[name] = None
    swap = {"num_pairs": 9, "follows_e": 0.7, "follows_s": 0.2, "neither": 0.1, "unswapped": 0.9}
    both = {"similarity": similarity, "swap": swap if similarity else None}
    folder = exp_dir / f"{system} {seed} {fold}"
    folder.mkdir(parents=True)
    variations = dict.fromkeys(scores, variation)
    text = json.dumps(
        {**about, "targets": targets, "variation": variations, "parts": parts, **both}
    )
    (folder / "probes.json").write_text(text)
    (folder / "train.json").write_text(json.dumps({**about, "epochs": 3}))
    return folder


def probed(target, score):
    if target.startswith("speaker"):
        return {"eer": score / 10}
    scores = {"linear": score, "knn": score - 0.1}
    return {name: {"balanced_accuracy": value} for name, value in scores.items()}


def test_interval_over_folds_is_that_of_a_mean():
    values = np.random.default_rng(0).normal(0.6, 0.1, 40)
    mean, half = values.mean(), 1.96 * values.std() / np.sqrt(40)
    assert fold_interval(values) == pytest.approx(
        {"estimate": mean, "low": mean - half, "high": mean + half}, abs=0.005
    )


def test_few_folds_have_no_interval():
    assert fold_interval(np.array([0.6, 0.7, 0.8, 0.9])) == {
        "estimate": pytest.approx(0.75), "low": None, "high": None,
    }  # fmt: skip
    assert fold_interval(np.linspace(0.6, 1, 5))["low"] is not None
    assert fold_interval(np.array([]))["estimate"] is None


def test_seeds_are_averaged_within_folds_and_folds_count_alike(tmp_path):
    folders = [
        write(tmp_path, "base", 1, "A", {"h": 0.9}),
        write(tmp_path, "base", 2, "A", {"h": 0.7}, absent=["sex", "speaker_same_sex"]),
        write(tmp_path, "base", 1, "B", {"h": 0.4}, absent=["sex", "speaker_same_sex"]),
    ]
    found = read_probes({"base": folders})["base"]
    assert (found["seeds"], found["folds"], found["num_networks"]) == ([1, 2], ["A", "B"], 3)
    h = found["parts"]["h"]
    assert h["emotion"]["linear"]["estimate"] == pytest.approx(0.6)
    assert h["emotion"]["knn"]["estimate"] == pytest.approx(0.5)
    assert h["speaker"]["eer"]["estimate"] == pytest.approx(0.06)
    assert h["speaker_same_sex"]["eer"]["estimate"] == pytest.approx(0.09)
    assert h["sex"]["linear"] == {"estimate": 0.9, "low": None, "high": None}
    assert found["targets"]["sex"] == {
        "chance": 0.5, "majority": 0.6, "num_asked": 1, "num_absent": 2,
    }  # fmt: skip
    assert found["targets"]["speaker"] == {"chance": 0.5, "num_asked": 3, "num_absent": 0}
    assert found["similarity"] is found["swap"] is None
    json.dumps(found, allow_nan=False)


def test_rows(tmp_path):
    similarity = {"debiased": 0.25, "biased": 0.5}
    no_sex = ["sex", "speaker_same_sex"]
    parts = {"h": 0.9, "s": 0.8, "e": 0.6}
    base = [write(tmp_path, "base", 1, fold, {"h": 0.9}, absent=no_sex) for fold in "ABCDE"]
    dsnet = [write(tmp_path, "dsnet", 1, fold, parts, similarity) for fold in "ABCDE"]
    rows = probe_rows(read_probes({"base": base, "dsnet": dsnet}))
    assert {len(row) for row in rows} == {len(HEADER)}
    eer, score = "9.0 [9.0, 9.0]", "90.0 [90.0, 90.0]; 80.0"
    guess = ["a guess", "–", "–", *["50.0"] * 4, "10.0", "25.0", "–", "–"]
    varies = "40.0 [40.0, 40.0]"
    assert rows[0] == [*guess[:4], "–", "50.0", "–", *guess[7:]]
    assert rows[1] == ["base", "h", varies, eer, "–", eer, "–", score, score, "–", "–"]
    assert rows[2] == guess  # dsnet is asked for the sex, too
    assert rows[3] == [
        "dsnet", "h", varies, *[eer] * 3, *[score] * 3, "0.25 [0.25, 0.25]", "70.0 / 20.0 / 10.0",
    ]  # fmt: skip
    assert [row[1] for row in rows[3:]] == ["h", "s", "e"]
    assert rows[5][3:] == [*["6.0 [6.0, 6.0]"] * 3, *["60.0 [60.0, 60.0]; 50.0"] * 3, "–", "–"]


def test_a_constant_part_is_counted_and_has_no_figures(tmp_path):
    nothing = GUESSES.keys()
    folders = [write(tmp_path, "dsnet", 1, "A", {"s": 0.9}, absent=nothing, variation=0.001)]
    row = probe_rows(read_probes({"dsnet": folders}))[1]
    assert row == ["dsnet", "s", "constant in 1 of 1", *["–"] * 8]
    folders.append(write(tmp_path, "dsnet", 2, "A", {"s": 0.9}))
    row = probe_rows(read_probes({"dsnet": folders}))[1]
    assert row[2:4] == ["20.1 [–], constant in 1 of 2", "9.0 [–]"]  # of the one that varies


def test_one_guess_stands_for_systems_that_are_asked_the_same(tmp_path):
    folders = {name: [write(tmp_path, name, 1, "A", {"h": 0.9})] for name in ("base", "other")}
    rows = probe_rows(read_probes(folders))
    assert [row[0] for row in rows] == ["a guess", "base", "other"]
    assert rows[1][3] == "9.0 [–]"


def test_what_has_no_probes_is_passed_over(tmp_path):
    folder = write(tmp_path, "base", 1, "A", {"h": 0.9})
    found = read_probes({"base": [folder, tmp_path / "base 1 B"], "svm": [tmp_path / "svm"]})
    assert {name: system["num_networks"] for name, system in found.items()} == {"base": 1}


def test_probes_of_an_earlier_network_are_refused(tmp_path):
    folder = write(tmp_path, "base", 1, "A", {"h": 0.9})
    about = json.loads((folder / "train.json").read_text())
    about["digests"] = {**DIGESTS, "config": "changed"}
    (folder / "train.json").write_text(json.dumps(about))
    with pytest.raises(ScoringError, match="digests is .*: it is of an earlier network"):
        read_probes({"base": [folder]})
