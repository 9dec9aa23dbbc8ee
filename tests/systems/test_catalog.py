"""What `--systems` names: a file of the recipe or of all, with changes, or an ensemble."""

import re
from pathlib import Path

import pytest

from dsnet.errors import ConfigError
from dsnet.features import build_extractor, load_features
from dsnet.models.front_end import build_front_end
from dsnet.systems import build_system, find_system
from dsnet.systems.catalog import is_transductive, resolve, side_information
from dsnet.systems.config import EnrolmentConfig, SystemConfig

EGS = Path(__file__).parents[2] / "egs"
SHIPPED = sorted(path.stem for path in (EGS / "conf" / "systems").glob("*.yaml"))
A_RECIPE = EGS / "emodb"
NEEDS = {"opensmile": "opensmile", "pretrained": "transformers"}  # what may not be installed


@pytest.fixture
def recipe(tmp_path):
    texts = {
        "conf/systems/one.yaml": "kind: base\nencoder: {embed_dim: 40}\ncontrol: both\n",
        "conf/systems/both.yaml": "kind: base\nencoder: {embed_dim: 40}\n",
        "toy/conf/systems/both.yaml": "inherit: both\ntrain: {max_epochs: 3}\n",
        "toy/conf/systems/own.yaml": "inherit: one\nkind: dsnet\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "toy"


def test_the_recipes_own_comes_first_and_may_build_on_the_shared_one(recipe):
    both, one = resolve("both", recipe), resolve("one", recipe)
    assert (both.config.train.max_epochs, both.config.encoder.embed_dim) == (3, 40)
    assert (one.config.train.max_epochs, one.config.encoder.embed_dim) == (80, 40)
    assert (both.control, one.control) == (None, "both")
    assert resolve("own", recipe).config.kind == "dsnet"


def test_a_name_may_change_keys(recipe):
    spec = resolve("own@losses.alpha=0.50,train.max_epochs=3", recipe)
    assert (spec.name, spec.base) == ("own@losses.alpha=0.50,train.max_epochs=3", "own")
    assert spec.changes == {"losses.alpha": "0.50", "train.max_epochs": "3"}  # as typed
    assert (spec.config.losses.alpha, spec.config.train.max_epochs) == (0.5, 3)
    assert (spec.control, spec.members) == ("both@train.max_epochs=3", ())


@pytest.mark.parametrize(
    "changes, shared",
    [
        ("features=fbank_64,train.max_epochs=3", "@features=fbank_64,train.max_epochs=3"),
        ("encoder.channels=[8,8,8,8],kind=dsc", "@encoder.channels=[8,8,8,8]"),
        ("losses.balance=1,train.max_epochs=3", "@losses.balance=1,train.max_epochs=3"),
        ("losses.label_smoothing=0.1,enrolment.count=5", "@losses.label_smoothing=0.1"),
        ("kind=dsnet,losses.similarity=0,losses.alpha=1", ""),
    ],
)
def test_a_changed_system_is_compared_with_its_control_changed_alike(recipe, changes, shared):
    spec = resolve(f"one@{changes}", recipe)
    assert spec.control == f"both{shared}"
    assert resolve(spec.control, recipe).config.features == spec.config.features
    assert resolve("both@features=fbank_64", recipe).control is None


def test_an_ensemble_is_its_members_in_any_order(recipe):
    spec = resolve("one+both@train.max_epochs=2", recipe)
    assert (spec.base, spec.changes) == (spec.name, {"both.train.max_epochs": "2"})
    assert spec.members == ("one", "both@train.max_epochs=2")
    assert (spec.config, spec.control) == (None, "one")
    assert spec.digest == resolve("both@train.max_epochs=2+one", recipe).digest
    assert spec.digest != resolve("one+both", recipe).digest


def test_the_digest_is_of_what_the_system_is(recipe):
    plain = resolve("one", recipe)
    assert resolve("one@control=own", recipe).digest == plain.digest
    assert resolve("one@encoder.embed_dim=40", recipe).digest == plain.digest
    assert resolve("one@features=fbank_64", recipe).digest != plain.digest
    assert resolve("one@encoder.embed_dim=44", recipe).digest != plain.digest


@pytest.mark.parametrize(
    "name, message",
    [
        ("bth@losses.alpha=1", "no system 'bth' in .*; did you mean 'both'?"),
        ("xyz", "no system 'xyz' in .*; there are: both, one, own$"),
        ("one+bth", "no system 'bth' in .*; did you mean 'both'?"),
        ("one+", "'one+': an ensemble is two or more different systems"),
        ("one@trian.max_epochs=1", "unknown key 'trian'; did you mean 'train'?"),
        ("one@kind=dnset", "no kind of system 'dnset'; did you mean 'dsnet'?"),
        ("one@losses.alpha=1", "losses.alpha is 1.0, which kind 'base' does not use"),
        (
            "one@enrolment.source=neutrl",
            "enrolment.source is 'neutrl'; allowed: none, neut",
        ),
        ("one@train.max_epochs", "expected key=value, found 'train.max_epochs'"),
    ],
)
def test_what_is_wrong_is_named(recipe, name, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?").replace("+", r"\+")):
        resolve(name, recipe)


@pytest.mark.parametrize(
    "change, message",
    [
        ("losses.difference=-1", "losses.difference must be 0 .off. or above, found -1"),
        ("losses.similarity=nan", "losses.similarity must be a finite number, found nan"),
        ("losses.label_smoothing=1", r"losses.label_smoothing must lie in .0, 1., found 1"),
        ("augment.mixup=inf", "augment.mixup must be a finite number, found inf"),
        ("linear.c_values=[1,nan]", "linear.c_values must be a finite number, found nan"),
        ("classifier.dropout=1", r"classifier.dropout must lie in .0, 1., found 1"),
        ("train.learning_rate=nan", "train.learning_rate must be a finite number"),
        ("train.weight_decay=-0.1", "train.weight_decay must be 0 .off. or above, found -0.1"),
        ("train.stop_after=-1", "train.stop_after must be 0 .off. or above, found -1"),
        ("train.patience=0", "train.patience must be 1 or more epochs, found 0"),
        ("train.batch_size=2", "train.batch_size must be 3 or more, found 2: an odd number"),
        ("train.warmup=1.5", "train.warmup must be a share between 0 and 1, found 1.5"),
    ],
)
def test_values_that_would_train_in_vain_are_refused(change, message):
    with pytest.raises(ConfigError, match=f"@{re.escape(change)}.*: {message}"):
        resolve(f"dsnet@{change}", A_RECIPE)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_system_builds_on_its_features_and_has_its_control(name):
    spec = resolve(name, A_RECIPE)
    kind = load_features(spec.config.features, A_RECIPE).kind
    if kind in NEEDS:
        pytest.importorskip(NEEDS[kind])
    if spec.config.encoder.kind == "finetuned":
        pytest.importorskip("peft")
    extractor = build_extractor(spec.config.features, A_RECIPE)
    build_front_end(spec.config.augment, extractor, vars(extractor.config))
    build_system(spec.config, extractor, num_classes=4, num_speakers=8)
    if spec.control is not None:
        control = resolve(spec.control, A_RECIPE)
        assert control.digest != spec.digest
        assert find_system(control.config).is_network == find_system(spec.config).is_network


@pytest.mark.parametrize("name", [name for name in SHIPPED if name.endswith("_small")])
def test_small_systems_are_trained_as_their_control_is(name):
    spec = resolve(name, A_RECIPE)
    if spec.control is None:
        assert name == "base_small"
        return
    control = resolve(spec.control, A_RECIPE).config
    for section in ("input", "encoder", "classifier", "train"):
        assert getattr(spec.config, section) == getattr(control, section)


def test_64_bins_are_a_matter_of_config_alone():
    spec = resolve("dsnet_small@features=fbank_64", A_RECIPE)
    extractor = build_extractor(spec.config.features, A_RECIPE)
    system = build_system(spec.config, extractor, 4, 8)
    assert system.encoder.norm.num_features == 4 * 64
    assert spec.control == "base_matched_small@features=fbank_64"


@pytest.mark.parametrize(
    "kind, source, count, words, transductive",
    [
        ("base", "none", 3, "none", False),
        ("base", "neutral", 3, "3 neutral utterances of the speaker", False),
        ("svm", "neutral", 1, "1 neutral utterance of the speaker", False),
        ("svm", "all", 3, "all unlabelled audio of the speaker", True),
        ("dsc", "none", 3, "1 neutral utterance of the speaker at inference", False),
        (
            "dsc",
            "neutral",
            3,
            "1 neutral utterance of the speaker at inference; 3 neutral utterances of the speaker",
            False,
        ),
        (
            "dat_transductive",
            "none",
            3,
            "unlabelled audio of the test speakers in training",
            True,
        ),
    ],
)
def test_what_a_prediction_rests_on_is_said(kind, source, count, words, transductive):
    config, enrolment = SystemConfig(kind=kind), EnrolmentConfig(source, count)
    assert side_information(config, enrolment, False) == words
    assert is_transductive(config, enrolment, False) == transductive


def test_an_ensemble_is_not_of_one_system_twice(recipe):
    with pytest.raises(ConfigError, match="'one\\+one': an ensemble is two or more different"):
        resolve("one+one", recipe)


def test_unlabelled_audio_of_training_is_not_that_of_another_corpus():
    """dat_transductive heard its own corpus's test speakers; of another corpus it heard nothing."""
    config = resolve("dat_transductive_small", A_RECIPE).config
    assert is_transductive(config, config.enrolment, across=False)
    assert side_information(config, config.enrolment, across=False) != "none"
    assert not is_transductive(config, config.enrolment, across=True)
    assert side_information(config, config.enrolment, across=True) == "none"
