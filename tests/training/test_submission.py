"""The file for the owners of a hidden test set, from manifests and models to its rows."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from lhotse import Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.audio import AudioSource

from dsnet.bin import ensemble, infer, submission, train
from dsnet.bin.submission import posteriors_of
from dsnet.config import load
from dsnet.corpus.manifests import write_manifests
from dsnet.errors import ConfigError, FoldError, TrainingError
from dsnet.folds.build import build_task
from dsnet.folds.hidden import native_label_of
from dsnet.results.posteriors import read_posteriors
from dsnet.systems import SYSTEMS
from dsnet.task import TaskConfig

EGS = Path(__file__).parents[2] / "egs"
SIDES = {"a": "Train", "b": "Train", "c": "Train", "d": "Dev", "e": "T1", "z": "T3"}
TASK = {
    "classes": ["neutral", "happy"],
    "label_map": {"N": "neutral", "H": "happy"},
    "ignored_labels": ["hidden"],
    "folds": {
        "protocol": "predefined",
        "validation": "predefined",
        "field": "side",
        "train": ["Train"],
        "dev": ["Dev"],
        "test": ["T1"],
    },
    "references": {"native_label": "N", "if_missing": "no_reference"},
}
SYSTEM = """\
kind: {kind}
features: {features}
input: {{mode: crop, max_seconds: 0.16}}
encoder: {{channels: [4, 4, 6, 8], embed_dim: 8}}
linear: {{c_values: [0.1, 1.0]}}
train: {{batch_size: 4, max_epochs: 2}}
"""
HIDDEN = [f"z-{emotion}-{n}" for emotion in "HN" for n in (1, 2, 3)]


@pytest.fixture
def recipe(tmp_path, write_stages):
    """A recipe after stage 2, whose ids tell the emotion; the labels of speaker z are hidden."""
    recipe = write_stages(tmp_path / "one", speakers="".join(SIDES), takes=3)
    (recipe.conf[0] / "systems").mkdir(parents=True)
    for kind, system in SYSTEMS.items():
        features = "fbank" if system.is_network else "vectors"
        text = SYSTEM.format(kind=kind, features=features)
        (recipe.conf[0] / "systems" / f"{kind}.yaml").write_text(text)
    make_task(recipe)
    return recipe


def make_task(recipe, hidden=True, **changes):
    """Write manifests and stage 2; audio/z-H-1.wav is the file of the first hidden utterance."""
    segments = [
        SupervisionSegment(
            f"{speaker}-{emotion}-{n}",
            f"{speaker}-{emotion}-{n}",
            0.0,
            1.0,
            speaker=speaker,
            custom={"emotion": "hidden" if hidden and speaker == "z" else emotion, "side": side},
        )
        for speaker, side in SIDES.items()
        for emotion in "HN"
        for n in (1, 2, 3)
    ]
    recordings = [
        Recording(s.id, [AudioSource("file", [0], f"audio/{s.id}.wav")], 16000, 16000, 1.0)
        for s in segments
    ]
    write_manifests(
        recipe.manifests,
        RecordingSet.from_recordings(recordings),
        SupervisionSet.from_segments(segments),
    )
    (recipe.conf[0] / "task.yaml").write_text(yaml.safe_dump(TASK | changes, sort_keys=False))
    build_task(load(recipe.conf[0] / "task.yaml", TaskConfig), segments, recipe.task("task"))


@pytest.fixture
def run(recipe, monkeypatch):
    """A function that runs a program for a system of the task."""

    def run_program(main, system, *options):
        monkeypatch.chdir(recipe.folder)
        words = ["--task", "task", "--system", system, *map(str, options)]
        monkeypatch.setattr(sys, "argv", ["program", *words])
        main()

    return run_program


@pytest.fixture
def submit(recipe, run):
    """A function that writes the file and returns its rows."""

    def write(system, *options, value="T3"):
        run(submission.main, system, "--value", value, "--device", "cpu", *options, "sent/out.csv")
        with (recipe.folder / "sent" / "out.csv").open(newline="") as stream:
            return list(csv.reader(stream))

    return write


def train_fold(run, system, seed=1):
    run(train.main, system, "--folds", "predefined", "--seed", seed, "--device", "cpu")


def test_classes_that_can_be_told_are_told(run, submit, capsys):
    train_fold(run, "svm")
    rows = submit("svm", "--columns", "FileName", "EmoClass")
    # an id tells the emotion, which the manifests hide
    assert rows == [["FileName", "EmoClass"], *([f"{utt}.wav", utt[2]] for utt in HIDDEN)]
    assert "sent/out.csv: 6 rows, T3 by svm: N 3, H 3" in capsys.readouterr().out


@pytest.mark.parametrize("system, seeds", [("base", "1"), ("base+dsnet", "1 2")])
def test_posteriors_are_those_of_stage_4_if_labels_were_known(
    recipe, run, submit, monkeypatch, system, seeds
):
    one_by_one = [(member, seed) for member in system.split("+") for seed in seeds.split()]
    for member, seed in one_by_one:
        train_fold(run, member, seed)
    found = []
    monkeypatch.setattr(
        submission, "posteriors_of", lambda *args: found.append(posteriors_of(*args)) or found[0]
    )
    rows = submit(system, "--seeds", seeds)
    assert rows[0] == ["file", "label"]
    assert [label for _, label in rows[1:]] == ["NH"[k] for k in found[0].argmax(1)]

    make_task(recipe, hidden=False, folds=TASK["folds"] | {"test": ["T1", "T3"]})
    for member, seed in one_by_one:  # the same training and validation: the same weights
        train_fold(run, member, seed)
        run(infer.main, member, "--folds", "predefined", "--seed", seed, "--device", "cpu")
    if "+" in system:
        run(ensemble.main, system, "--seeds", seeds, "--folds", "predefined", "exp/task")
    table = recipe.run("task", system, 1, "predefined") / "test" / "posteriors.tsv"
    utts, expected = read_posteriors(table, TASK["classes"])
    assert utts[-6:] == HIDDEN
    np.testing.assert_allclose(found[0], expected[-6:], rtol=1e-4)


@pytest.mark.parametrize(
    "system, given",
    [
        ("base@enrolment.source=neutral,enrolment.normalise=shift", "enrolment.source neutral"),
        ("svm@enrolment.source=all", "enrolment.source all"),
        ("base+dsc", "a neutral utterance"),
    ],
)
def test_systems_that_are_given_clips_of_the_speaker_are_refused(submit, system, given):
    with pytest.raises(ConfigError, match=rf"given clips of the tested speaker \({given}\)"):
        submit(system)


def test_values_that_are_not_hidden_are_refused(recipe, submit):
    for value, side in (("T1", "test"), ("Dev", "dev"), ("Train", "train")):
        with pytest.raises(ConfigError, match=rf"{value}: folds.{side} names it.*T3 \(6 utt"):
            submit("base", value=value)
    with pytest.raises(ConfigError, match=r"T4: no utterance .* 'side' .* there are T3 \(6 utter"):
        submit("base", value="T4")
    make_task(recipe, folds={}, hidden=False)
    with pytest.raises(ConfigError, match=r"folds.protocol is leave_one_speaker_out.*predefined"):
        submit("base")


def test_an_untrained_system_is_refused_with_the_command_that_trains_it(recipe, run, submit):
    train_fold(run, "base")
    command = "bash run.sh --stage 3 --stop-stage 3 --task task --systems base --seeds '1 2'"
    with pytest.raises(TrainingError, match="1 of 2 models .*seed_2/fold_predefined") as raised:
        submit("base", "--seeds", "1 2")
    assert str(raised.value).endswith(command)
    assert not (recipe.folder / "sent").exists()


def test_a_model_of_another_task_is_refused(recipe, run, submit):
    train_fold(run, "svm")
    path = recipe.conf[0] / "task.yaml"
    swapped = TASK | {"label_map": {"N": "happy", "H": "neutral"}}
    path.write_text(yaml.safe_dump(swapped, sort_keys=False))
    with pytest.raises(FoldError, match="made of another config .*30 utterances.*--stage 2"):
        submit("svm")
    make_task(recipe, label_map=swapped["label_map"])
    with pytest.raises(TrainingError, match="other folds, labels or references than"):
        submit("svm")


def test_several_native_labels_of_a_class_must_be_chosen_from(run, submit, recipe):
    both = {"N": "neutral", "H": "happy", "E": "happy"}
    make_task(recipe, label_map=both)
    train_fold(run, "svm")
    with pytest.raises(ConfigError, match="happy is H and E. .* such as --native happy=H"):
        submit("svm")
    with pytest.raises(ConfigError, match="--native happy=N: .* neutral=N; happy=H or E"):
        submit("svm", "--native", "happy=N")
    assert {label for _, label in submit("svm", "--native", "happy=E")[1:]} == {"N", "E"}


def test_a_row_is_a_file(recipe, submit):
    path = recipe.manifests / "recordings.jsonl.gz"
    recordings = list(RecordingSet.from_file(path))
    for recording in recordings[-2:]:
        recording.sources[0].source = f"{recording.id}/sound.wav"
    RecordingSet.from_recordings(recordings).to_file(path)
    with pytest.raises(ConfigError, match="1 names of audio files .* several utterances: sound.w"):
        submit("base")


@pytest.mark.parametrize("task", ["8class", "4class"])
def test_msp_podcast_writes_the_letters_of_its_owners(task):
    config = load(EGS / "msp_podcast" / "conf" / f"{task}.yaml", TaskConfig)
    letters = native_label_of(config)
    assert "".join(sorted(letters.values())) == ("ACDFHNSU" if task == "8class" else "AHNS")
    assert [letters[name] for name in ("anger", "sadness")] == ["A", "S"]
