"""A type of features is found by its name, in the recipe, else among those that all share."""

from pathlib import Path

import pytest

from dsnet.errors import ConfigError
from dsnet.features import FEATURES, build_extractor, load_features

EGS = Path(__file__).parents[2] / "egs"
SHIPPED = sorted(path.stem for path in (EGS / "conf" / "features").glob("*.yaml"))
NEEDS = {"opensmile": "opensmile", "pretrained": "transformers"}  # what may not be installed


@pytest.fixture
def recipe(tmp_path):
    """Return a recipe with features of its own, one of them called as one that all share."""
    texts = {
        "conf/features/fbank.yaml": "kind: fbank\nframe_length_ms: 25\n",
        "conf/features/deep.yaml": "inherit: fbank\nnum_mel_bins: 23\n",
        "toy/conf/features/fbank.yaml": "inherit: fbank\nsampling_rate: 8000\nhigh_freq_hz: 0\n",
        "toy/conf/features/odd.yaml": "kind: fbnak\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "toy"


def test_64_bins_are_a_matter_of_config_alone():
    at_80, at_64 = (build_extractor(name, EGS / "emodb") for name in ("fbank", "fbank_64"))
    assert (at_80.dim, at_64.dim) == (80, 64)
    assert vars(at_64.config) == vars(at_80.config) | {"num_mel_bins": 64}
    assert build_extractor("fbank@num_mel_bins=64", EGS / "emodb").config == at_64.config


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_type_of_features_is_valid(name):
    config = load_features(name, EGS / "emodb")
    if config.kind in NEEDS:
        pytest.importorskip(NEEDS[config.kind])
    extractor = build_extractor(name, EGS / "emodb")
    assert (extractor.name, extractor.kind) == (name, config.kind)
    assert isinstance(extractor, FEATURES[config.kind][1])


def test_the_recipes_own_comes_first_and_may_build_on_the_shared_one(recipe):
    own = load_features("fbank", recipe)
    assert (own.sampling_rate, own.frame_length_ms) == (8000, 25)
    # what all share does not know of the recipe, but the recipe's own comes first here too
    assert load_features("deep", recipe).sampling_rate == 8000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fbnk", "no features 'fbnk' in .*; did you mean 'fbank'?"),
        ("xyz@num_mel_bins=64", "no features 'xyz' in .*; there are: deep, fbank, odd"),
        ("odd", "odd.yaml: no kind of features 'fbnak'; did you mean 'fbank'?"),
        ("fbank@num_mel_bin=64", "unknown key 'num_mel_bin'; did you mean 'num_mel_bins'?"),
        ("fbank@num_mel_bins=4000", "fbank@num_mel_bins=4000.yaml: num_mel_bins 4000 is too many"),
    ],
)
def test_what_is_wrong_is_named(recipe, name, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        build_extractor(name, recipe)
