"""An SVM on a fold: what is stored decides the same, and the test has no say."""

import json
import re

import numpy as np
import pytest
import torch
from sklearn.metrics import recall_score

from dsnet.files import digest
from dsnet.folds.task_data import TaskData
from dsnet.systems.config import EnrolmentConfig
from dsnet.training.checkpoint import load_model
from dsnet.training.data import load_training_data
from dsnet.training.enrolment import enrolled_pools
from dsnet.training.fit import LOG, fit, vectors
from dsnet.training.inference import predict
from dsnet.training.loop import MODEL
from dsnet.training.normalisation import Normalisation

CPU = torch.device("cpu")
ENROLMENTS = {
    "none": EnrolmentConfig(),
    "neutral": EnrolmentConfig("neutral", 3, "shift"),
    "all": EnrolmentConfig("all"),
}


@pytest.fixture
def run_fold(tmp_path, write_stages, make_config):
    """A function that fits an SVM on fold a of a corpus; returns data, facts and decisions."""

    def run(enrolment="none", folder=tmp_path, fold="a", **corpus):
        recipe = write_stages(folder, speakers="abcd", takes=8, **corpus)
        config = make_config("svm")
        config.enrolment = ENROLMENTS[enrolment]
        data = load_training_data(recipe, "task", fold, config, CPU)
        facts = fit(config, data, 1, folder)
        system, _ = load_model(folder / MODEL)
        task = TaskData.load(recipe.task("task"))
        tested, normalisation = task.fold(fold).test, None
        if enrolment != "none":
            parts = [enrolled_pools(config.enrolment, tested, task)]
            own = data.normalisation
            normalisation = Normalisation(data.frames, parts, own.voice, data.front_end, own.scale)
        asked = (system, data.frames, tested, {}, config, normalisation)
        labels = [task.classes.index(task.utt2emo[utt]) for utt in tested]
        found = predict(*asked).logits.argmax(1).numpy()
        return data, facts, np.mean(found == labels)

    return run


def test_what_is_written_of_an_svm(run_fold, tmp_path):
    data, facts, _ = run_fold(noise=1.0)
    log = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [entry["C"] for entry in log] == [0.01, 0.1, 1.0, 10.0]
    (chosen,) = (entry for entry in log if entry["chosen"])
    assert (facts["C"], facts["cross_validation_uar"]) == (chosen["C"], chosen["uar"])
    assert facts["num_parameters"] == facts["inference_parameters"] == 2 * (6 + 1)
    system, content = load_model(tmp_path / MODEL)
    assert (content["fold"], content["classes"]) == ("a", ["neutral", "happy"])
    with torch.inference_mode():
        decisions = system(vectors(data, data.dev)[:, None]).logits.argmax(1)
    labels = [data.labels[utt] for utt in data.dev]
    assert facts["dev_uar"] == pytest.approx(recall_score(labels, decisions, average="macro"))


@pytest.mark.parametrize("enrolment", ENROLMENTS)
def test_speakers_who_are_alike_need_no_enrolment(run_fold, enrolment):
    assert run_fold(enrolment)[2] == 1


def test_enrolment_takes_away_what_differs_between_speakers(run_fold):
    assert run_fold("none", spread=30)[2] < 0.8  # guessing: 0.5
    assert run_fold("neutral", spread=30)[2] == 1
    assert run_fold("all", spread=30)[2] == 1


@pytest.mark.parametrize("enrolment", ENROLMENTS)
def test_nothing_of_the_test_steers_the_fit(
    tmp_path, write_stages, replace_audio, make_config, enrolment
):
    """Other audio and other labels of the test speaker give the same SVM, C included."""
    recipe = write_stages(tmp_path, speakers="abcd", takes=8, spread=0.5, noise=1.5)
    config = make_config("svm")
    config.enrolment = ENROLMENTS[enrolment]

    def fitted(name):
        data = load_training_data(recipe, "task", "a", config, CPU)
        facts = fit(config, data, 1, tmp_path / name)
        model = load_model(tmp_path / name / MODEL)[1]["model"]
        return facts["C"], digest(tensor.numpy().tobytes() for tensor in model.values())

    before = fitted("first")
    replace_audio(recipe, "vectors", TaskData.load(recipe.task("task")).fold("a").test)
    labels = recipe.task("task") / "utt2emo"
    text = labels.read_text()
    labels.write_text(re.sub(r"^(a-\S+) neutral$", r"\1 happy", text, flags=re.MULTILINE))
    assert labels.read_text() != text
    assert fitted("other") == before
    log = [json.loads(line) for line in (tmp_path / "first" / LOG).read_text().splitlines()]
    assert len({entry["uar"] for entry in log}) > 1  # there was a choice
