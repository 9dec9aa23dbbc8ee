"""Scoring reads what a classical system leaves, and sees the decisions of the SVM."""

import json
import sys

import numpy as np
import pytest
from scipy.special import softmax

from dsnet.bin import classical
from dsnet.classical.systems import SYSTEMS, run_fold
from dsnet.features.functionals import functionals_path
from dsnet.report.summary import summarise
from dsnet.results.posteriors import read_posteriors
from dsnet.results.store import read_results


@pytest.fixture
def functionals(tmp_path, make_functionals):
    """Return noisy functionals, which lie in data/opensmile too."""
    made = make_functionals(speaker_spread=0.3, noise=0.5)
    path = functionals_path(tmp_path / "data" / "opensmile", "egemaps")
    path.parent.mkdir()
    np.savez(
        path,
        values=made.values,
        speakers=made.speakers,
        utt_ids=np.array(list(made.row)),
        digest=made.digest,
        opensmile_version=made.opensmile_version,
    )
    return made


@pytest.mark.parametrize("system", ["egemaps_svm", "egemaps_svm_speaker_norm"])
def test_scoring_reads_every_fold(system, tmp_path, task, functionals, monkeypatch):
    data = tmp_path / "data"
    folders = [str(task.task_dir), str(data / "opensmile"), str(tmp_path / "exp")]
    options = ["--system", system, "--folds", " ".join(task.fold_names)]
    monkeypatch.setattr(sys, "argv", ["classical", *options, *folders])
    classical.main()
    results = read_results(tmp_path / "exp", task)
    (found,) = results.systems
    assert (found.name, found.missing, found.kind) == (system, [], SYSTEMS[system].kind)
    for run in found.runs:
        outcome = run_fold(SYSTEMS[system], functionals, task, run.fold, seed=1)
        np.testing.assert_array_equal(run.predictions, outcome.decisions["test"].argmax(1))
        lines = (run.folder / "c_values.jsonl").read_text().splitlines()
        chosen = {entry["C"]: entry for entry in map(json.loads, lines)}[run.train["C"]]
        assert chosen["C"] == outcome.selected.c
        assert chosen["dev"]["uar"] == run.train["dev_uar"]
        assert run.train["side_information"] == SYSTEMS[system].side_information
        assert run.train["versions"]["opensmile"] == "2.6.0"
        utts, posteriors = read_posteriors(run.folder / "test/posteriors.tsv", task.classes)
        fold = task.fold(run.fold)
        expected = dict(zip(fold.test, outcome.decisions["test"], strict=True))
        logits = np.array([expected[utt] for utt in utts])
        np.testing.assert_allclose(posteriors, softmax(logits, axis=1), rtol=1e-4)
        assert (run.folder / "dev" / "posteriors.tsv").is_file()
    scores = summarise(results, seed=0)["all"]["systems"][system]
    json.dumps(scores)
    assert 0.5 < scores["uar"]["estimate"] <= 1
