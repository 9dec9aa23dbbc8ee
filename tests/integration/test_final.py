"""Stage final: from a recipe's runs to an answer on a sound file."""

import json

import numpy as np
import pytest
import soundfile

from dsnet.features.store import FeatureStore
from dsnet.folds.task_data import TaskData
from dsnet.models.front_end import build_front_end
from dsnet.models.voice import Voice
from dsnet.recipe import FINAL, Recipe
from dsnet.recognizer.recognizer import Recognizer
from dsnet.systems.catalog import resolve
from dsnet.training.checkpoint import load_model
from dsnet.training.frames import Frames
from dsnet.training.inference import predict
from dsnet.training.normalisation import Normalisation, Pools

pytestmark = pytest.mark.slow
LAST = "kind: base_matched\ninherit: tiny\ntrain: {select: last, schedule: constant}\n"
OPTIONS = ("--systems", "last last_any")


@pytest.fixture(scope="module")
def bundled(make_recipe, tmp_path_factory):
    recipe = make_recipe(tmp_path_factory.mktemp("final") / "a project")
    recipe.write_system("last", LAST)
    recipe.write_system("last_any", "inherit: last\nenrolment: {source: any, count: 4}\n")
    done = recipe.run(*OPTIONS, "--stop-stage", "final")
    return recipe, done


def bundle_of(recipe):
    return recipe.folder / "exp" / "4class.final" / "mini-fbank"


def test_all_speakers_train_it_and_the_card_says_so(bundled):
    recipe, done = bundled
    assert "stage final: a model of all speakers" in done.stdout
    trained = json.loads((recipe.folder / "exp/4class.final/last/seed_1/train.json").read_text())
    assert (trained["fold"], trained["num_train"], trained["num_dev"]) == ("final", 224, 0)
    card = (bundle_of(recipe) / "card.md").read_text()
    assert "Trained on all 224 utterances of all 8 speakers of mini" in card
    assert "--systems 'last last_any' --stop-stage final" in card


def test_it_runs_again_only_if_something_changed(bundled):
    recipe, _ = bundled
    done = recipe.run(*OPTIONS, "--stage", "final")
    assert done.stdout.count("already done") == 4  # counts, two trainings, the bundle
    recipe.run(*OPTIONS, "--stage", "5")
    done = recipe.run(*OPTIONS, "--stage", "final")
    assert "first run" not in done.stdout


@pytest.mark.parametrize("given", ["none", "any"])
def test_it_hears_a_file_as_the_recipe_hears_an_utterance(bundled, given, monkeypatch):
    """The same network over the feature store and over the sound file: the same scores."""
    recipe, _ = bundled
    monkeypatch.chdir(recipe.folder)
    name = {"none": "last", "any": "last_any"}[given]
    own = Recipe()
    task, store = TaskData.load(own.task("4class")), FeatureStore.open(own.features("fbank"))
    frames, config = Frames(store, "cpu"), resolve(name).config
    system, content = load_model(own.run("4class", name, 1, FINAL) / "model.pt")
    utts = task.spk2utt["f2"][:10]
    clips = task.spk2utt["f2"][10:14]

    def read(utt):
        return soundfile.read(f"data/corpus/wav/{utt}.wav", dtype="float32")

    recognizer = Recognizer.load(bundle_of(recipe))
    normalisation, speaker = None, None
    if given == "any":
        pools = Pools({"f2": clips}, dict.fromkeys(utts, "f2"))
        front_end = build_front_end(config.augment, store.info, store.info.config)
        voice = Voice(**content["voice"])
        normalisation = Normalisation(frames, [pools], voice, front_end, scale=True)
        speaker = recognizer.enrol("f2", [read(utt) for utt in clips], "any")
    logits = predict(system, frames, utts, {}, config, normalisation).logits.double()
    expected = (logits / recognizer.bundle.members[given].temperature).softmax(1).numpy()
    found = [list(recognizer(*read(utt), speaker=speaker).scores.values()) for utt in utts]
    assert np.abs(expected - found).max() < 1e-5


def test_what_is_missing_is_said_with_the_command(recipe):
    done = recipe.run("--stage", "final", check=False)
    assert done.returncode == 1
    assert "cannot be in the bundle: all speakers train, so that nobody validates" in done.stderr
