"""Stages 3 and 4 of one fold, run as the recipes run them, up to the files that they leave."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from dsnet.bin import infer, train
from dsnet.errors import ConfigError, FeatureError, TrainingError
from dsnet.features.feats import FeatsInfo
from dsnet.files import digest
from dsnet.folds.task_data import TaskData
from dsnet.systems import SYSTEMS, code_digest
from dsnet.systems.catalog import resolve

TINY = """\
kind: {kind}
features: {features}
control: base
input: {{mode: crop, max_seconds: 0.16}}
encoder: {{channels: [4, 4, 6, 8], embed_dim: 8}}
linear: {{c_values: [0.1, 1.0]}}
train: {{batch_size: 4, max_epochs: 2}}
"""
NEUTRAL = "enrolment.source=neutral,enrolment.normalise=shift"
ANY = "enrolment.source=any,enrolment.normalise=shift,enrolment.count=2"
ONE_NEUTRAL = f"{NEUTRAL},enrolment.count=1"
PARTS = {"train": "cd", "dev": "b", "test": "a"}  # speakers of fold a


@pytest.fixture
def recipe(tmp_path, write_stages):
    """Return a recipe of four speakers after stage 2, with a config for each kind of system."""
    recipe = write_stages(tmp_path / "one", speakers="abcd")
    for kind, system in SYSTEMS.items():
        path = recipe.conf[0] / "systems" / f"{kind}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        features = "fbank" if system.is_network else "vectors"
        path.write_text(TINY.format(kind=kind, features=features))
    return recipe


@pytest.fixture
def run(recipe, monkeypatch):
    """A function that runs a program on a fold of a system and returns its folder."""

    def run_program(main, system, *options, fold="a"):
        monkeypatch.chdir(recipe.folder)
        words = ["--task", "task", "--system", system, "--folds", fold, "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["program", *words, *map(str, options)])
        main()
        return recipe.run("task", system, 1, fold)

    return run_program


def said_in(path):
    return json.loads(path.read_text())


def utterances(path):
    return [line.split("\t")[0] for line in path.read_text().splitlines()[1:]]


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_fold_is_trained_and_inferred(recipe, run, kind):
    folder = run(train.main, kind)
    trained = said_in(folder / "train.json")
    network = SYSTEMS[kind].is_network
    assert (trained["kind"], trained["seed"], trained["fold"]) == (kind, 1, "a")
    # the neutral utterance that dsc is given is not scored
    assert (trained["num_train"], trained["num_dev"]) == (8, 3 if kind == "dsc" else 4)
    assert trained["peak_memory_bytes"] > 1e7 and "peak_gpu_bytes" not in trained
    assert "cores" in trained["machine"]
    assert not (folder / "checkpoint.pt").exists()
    if network:
        entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        assert trained["seconds"] == pytest.approx(sum(entry["seconds"] for entry in entries))
        assert trained["seconds_per_epoch"] == pytest.approx(trained["seconds"] / 2)

    run(infer.main, kind)
    for part, speakers in PARTS.items():
        utt_ids = [f"{spk}-{rest}" for spk in speakers for rest in ("H-1", "H-2", "N-1", "N-2")]
        assert (folder / part / "embeddings.npz").exists() == network
        if network:
            stored = np.load(folder / part / "embeddings.npz")
            assert stored["utt_ids"].tolist() == utt_ids and stored["h"].shape[1] == 8
        posteriors = folder / part / "posteriors.tsv"
        assert posteriors.exists() == (part != "train")
        if part != "train":
            assert utterances(posteriors) == utt_ids


@pytest.mark.parametrize("kind", SYSTEMS)
def test_where_nobody_validates_all_others_train(recipe, run, write_stages, kind):
    write_stages(recipe.folder, speakers="abcd", validation="none")
    last = "train.select=last,train.stop_after=0,train.schedule=constant"
    name = f"{kind}@{last}"
    folder = run(train.main, name)
    trained = said_in(folder / "train.json")
    assert (trained["num_train"], trained["num_dev"], trained["dev_uar"]) == (12, 0, None)
    run(infer.main, name)
    assert utterances(folder / "dev" / "posteriors.tsv") == []
    assert {utt[0] for utt in utterances(folder / "test" / "posteriors.tsv")} == {"a"}
    if SYSTEMS[kind].is_network:
        assert len(np.load(folder / "train" / "embeddings.npz")["utt_ids"]) == 12


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ("train.select=last,train.stop_after=0", "train.schedule plateau"),
        ("train.schedule=constant", "train.select best, train.stop_after 20"),
    ],
)
def test_what_is_chosen_by_validation_speakers_needs_some(
    recipe, run, write_stages, changes, named
):
    write_stages(recipe.folder, speakers="abcd", validation="none")
    with pytest.raises(TrainingError, match=named):
        run(train.main, f"base@{changes}")


def test_run_json_says_what_was_tested_on_what(recipe, run):
    name = f"base@{NEUTRAL},train.max_epochs=1"
    folder = run(train.main, name)
    run(infer.main, name)
    said, trained = said_in(folder / "run.json"), said_in(folder / "train.json")
    assert said["training"].items() <= trained.items()
    assert said["training"].keys() > {"epochs", "seconds", "machine", "num_parameters"}
    del said["training"]
    features = "fbank"
    assert said == {
        "system": name,
        "base": "base",
        "changes": {
            "enrolment.source": "neutral",
            "enrolment.normalise": "shift",
            "train.max_epochs": "1",
        },
        "members": [],
        "kind": "base",
        "control": "base@train.max_epochs=1",
        "features": features,
        "enrolment": {"source": "neutral", "count": 3},
        "own_enrolment": True,
        "side_information": "3 neutral utterances of the speaker",
        "transductive": False,
        "given": ["a-N-1", "a-N-2", "b-N-1", "b-N-2"],
        "trained_on": "one",
        "tested_on": "one",
        "tested_task": "task",
        "task": "task",
        "task_changes": {},
        "normalised_by_target": "none",
        "seed": 1,
        "fold": "a",
        "digests": {
            "config": resolve(name).digest,
            "features": FeatsInfo.load(recipe.features(features)).digest,
            "task": TaskData.load(recipe.task("task")).digest,
            "code": code_digest("base"),
            "model": digest([(folder / "model.pt").read_bytes()]),
        },
        "tested_digests": {},
    }


@pytest.mark.parametrize(
    "system, enrolment, given, transductive",
    [
        ("base", {"source": "none", "count": 0}, [], False),
        ("dsc", {"source": "neutral", "count": 1}, ["N-1"], False),
        ("dat_transductive", {"source": "none", "count": 0}, [], True),
        ("svm@enrolment.source=all", {"source": "all", "count": 0}, [], True),
        (f"svm@{ONE_NEUTRAL}", {"source": "neutral", "count": 1}, ["N-1"], False),
        (f"base@{ANY}", {"source": "any", "count": 2}, None, False),
    ],
)
def test_what_a_system_was_given_is_said(run, system, enrolment, given, transductive):
    folder = run(train.main, system)
    run(infer.main, system)
    said = said_in(folder / "run.json")
    assert said["enrolment"] == enrolment
    if given is None:  # drawn
        assert [utt[0] for utt in said["given"]] == ["a", "a", "b", "b"]
    else:
        assert said["given"] == [f"{spk}-{utt}" for spk in "ab" for utt in given]
    assert said["transductive"] == transductive
    assert (said["side_information"] == "none") == (not said["given"] and not transductive)


def test_a_finished_fold_is_not_trained_again_until_it_is_another(recipe, run, capsys):
    folder = run(train.main, "base")
    before = (folder / "model.pt").stat().st_mtime_ns
    capsys.readouterr()
    run(train.main, "base")
    assert "train.json: already trained; nothing to do" in capsys.readouterr().out
    config = recipe.conf[0] / "systems" / "base.yaml"
    config.write_text(config.read_text().replace("control: base", "control: dsnet"))
    run(train.main, "base")  # what it is compared with makes it no other system
    assert (folder / "model.pt").stat().st_mtime_ns == before
    config.write_text(config.read_text().replace("max_epochs: 2", "max_epochs: 1"))
    run(train.main, "base")
    assert said_in(folder / "train.json")["epochs"] == 1


@pytest.mark.parametrize("kind", ["base", "dsc", "svm"])
@pytest.mark.parametrize(
    "own, others", [(NEUTRAL, "neutral:1 neutral:5"), (ANY, "any:1 any:3 all")]
)
def test_a_system_with_enrolment_is_tried_with_others(run, kind, own, others):
    system = f"{kind}@{own}"
    folder = run(train.main, system)
    run(infer.main, system, "--enrolments", others)
    usual = (folder / "test" / "posteriors.tsv").read_text()
    of_run = said_in(folder / "run.json")
    found = {}
    for name in others.replace(":", "_").split():
        other = folder / f"enrolment_{name}"
        assert (other / "dev" / "posteriors.tsv").exists() and not (other / "train").exists()
        found[name] = (other / "test" / "posteriors.tsv").read_text()
        said = said_in(other / "run.json")
        assert (of_run["own_enrolment"], said["own_enrolment"]) == (True, False)
        assert said["enrolment"]["source"] == name.partition("_")[0]
        assert said["transductive"] == (name == "all")
        assert (said["system"], said["digests"]) == (system, of_run["digests"])
        assert bool(said["given"]) == (name != "all" or kind == "dsc")
    if "neutral_5" in found:  # a speaker has two neutral utterances: all there is
        assert found.pop("neutral_5") == usual
    assert usual not in found.values()


def test_a_system_trained_without_enrolment_is_not_tried_with_one(run):
    run(train.main, "base")
    with pytest.raises(ConfigError, match="'all': the system was trained with .*source none;"):
        run(infer.main, "base", "--enrolments", "all")


def test_the_model_of_another_fold_is_refused(recipe, run):
    first, second = (run(train.main, "base", fold=fold) for fold in "ab")
    shutil.copy(second / "model.pt", first / "model.pt")
    with pytest.raises(TrainingError, match="model.pt: trained with fold b in the place of a than"):
        run(infer.main, "base")
    assert not (first / "run.json").exists()


def test_the_model_of_another_config_is_refused(recipe, run):
    run(train.main, "base")
    config = recipe.conf[0] / "systems" / "base.yaml"
    config.write_text(config.read_text().replace("max_epochs: 2", "max_epochs: 3"))
    with pytest.raises(TrainingError, match=r"another config \(train.max_epochs 2 -> 3\) than"):
        run(infer.main, "base")


def test_the_model_of_other_folds_or_features_is_refused(recipe, run):
    run(train.main, "base")
    feats = recipe.features("fbank") / "feats.json"
    whole = feats.read_text()
    feats.write_text(whole.replace('"digest": "features"', '"digest": "other"'))
    with pytest.raises(TrainingError, match="trained with other features than"):
        run(infer.main, "base")
    feats.write_text(whole)
    references = recipe.task("task") / "spk2neutral"
    references.write_text(references.read_text().replace("c c-N-1 c-N-2", "c c-N-2"))
    with pytest.raises(TrainingError, match="trained with other folds, labels or references than"):
        run(infer.main, "base")


def test_an_ensemble_or_a_fold_that_is_not_there_is_refused(recipe, run):
    with pytest.raises(ConfigError, match="an ensemble is not trained; its members are"):
        run(train.main, "base+dsnet")
    with pytest.raises(ConfigError, match="--job 3: --folds 'a b' has 1 to 2"):
        run(train.main, "base", "--job", "3", fold="a b")


@pytest.mark.parametrize("kind", ["base", "svm"])
@pytest.mark.parametrize("match", ["none", "corpus", "speaker"])
def test_a_model_is_tested_on_another_corpus(recipe, run, write_stages, kind, match):
    other = write_stages(recipe.folder.parent / "two", speakers="xyz", spread=2.0)
    folder = run(train.main, kind)
    target = recipe.folder.parent / "cross" / "one_on_two"
    on = ["--on", other.folder, "--on-task", "task", "--to", target, "--match-target", match]
    run(infer.main, kind, *on)
    said = said_in(target / "fold_a" / "run.json")
    assert (said["trained_on"], said["tested_on"]) == ("one", "two")
    assert (said["normalised_by_target"], said["transductive"]) == (match, match != "none")
    assert said["tested_digests"]["task"] == TaskData.load(other.task("task")).digest
    assert said["digests"] == said_in(folder / "train.json")["digests"] | {
        "model": digest([(folder / "model.pt").read_bytes()])
    }
    assert utterances(target / "fold_a" / "test" / "posteriors.tsv") == [
        f"{spk}-{rest}" for spk in "xyz" for rest in ("H-1", "H-2", "N-1", "N-2")
    ]
    # the model's own validation part is as it is without another corpus
    run(infer.main, kind)
    dev = "dev/posteriors.tsv"
    assert (target / "fold_a" / dev).read_bytes() == (folder / dev).read_bytes()


def test_a_model_given_neutral_utterances_is_given_them_elsewhere(recipe, run, write_stages):
    other = write_stages(recipe.folder.parent / "two", speakers="xyz")
    system = f"base@{NEUTRAL}"
    run(train.main, system)
    on = ["--on", other.folder, "--on-task", "task", "--to", recipe.folder / "cross"]
    run(infer.main, system, *on)
    said = said_in(recipe.folder / "cross" / "fold_a" / "run.json")
    assert said["given"] == [f"{spk}-N-{n}" for spk in "xyz" for n in (1, 2)]
    with pytest.raises(ConfigError, match="normalises its input by its enrolment already"):
        run(infer.main, system, *on, "--match-target", "speaker")


@pytest.mark.parametrize("system", [f"base@{NEUTRAL}", f"svm@{ONE_NEUTRAL}", "dsc"])
def test_the_only_neutral_utterance_of_a_speaker_is_not_scored(recipe, run, write_stages, system):
    """A speaker's one neutral utterance is given to the happy one, and to itself."""
    other = write_stages(recipe.folder.parent / "two", speakers="xyz", takes=1, count=1)
    run(train.main, system)
    on = ["--on", other.folder, "--on-task", "task", "--to", recipe.folder / "cross"]
    run(infer.main, system, *on)
    folder = recipe.folder / "cross" / "fold_a"
    assert said_in(folder / "run.json")["given"] == [f"{spk}-N-1" for spk in "xyz"]
    assert len(utterances(folder / "test" / "posteriors.tsv")) == 6


def test_features_of_another_corpus_must_be_computed_alike(recipe, run, write_stages):
    other = write_stages(recipe.folder.parent / "two", speakers="xyz")
    run(train.main, "base")
    feats = other.features("fbank") / "feats.json"
    feats.write_text(feats.read_text().replace('"preemphasis": 0.97', '"preemphasis": 0.5'))
    on = ["--on", other.folder, "--on-task", "task", "--to", recipe.folder / "cross"]
    with pytest.raises(
        FeatureError, match=r"fbank' of egs/one and egs/two .*\(preemphasis 0.97 -> 0.5\)"
    ):
        run(infer.main, "base", *on)
    with pytest.raises(ConfigError, match="--on, --on-task and --to go together"):
        run(infer.main, "base", *on[:2])
    with pytest.raises(ConfigError, match="--match-target needs --on"):
        run(infer.main, "base", "--match-target", "corpus")


@pytest.mark.parametrize("program", ["train", "infer"])
def test_networks_train_and_infer_without_libraries_of_statistics(program):
    """They take seconds and 140 MB to import; a linear system imports them where it is fitted."""
    code = (
        f"import sys, dsnet.bin.{program}; print([m for m in ('sklearn', 'scipy.stats', 'pandas', "
        "'matplotlib', 'statsmodels') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
