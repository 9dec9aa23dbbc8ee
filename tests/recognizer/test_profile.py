import json

import numpy as np
import pytest
from tiny_bundles import BINS, RATE, sound

from dsnet.errors import BundleError
from dsnet.recognizer.profile import farthest, profile_path, read_profile, write_profile


@pytest.fixture
def profile(recognizer):
    clips = [(sound(1, seed), RATE) for seed in (1, 2)]
    return recognizer.enrol("Änne Müller", clips, "any", ["a.wav", "b 1.wav"])


def test_a_profile_comes_back_as_it_was_written(profile, tmp_path):
    path = tmp_path / "Änne Müller.json"
    write_profile(path, profile)
    back = read_profile(path, "tiny", profile.model_id, 2 * BINS)
    assert (back.speaker, back.kind, back.model) == ("Änne Müller", "any", "tiny")
    assert [clip.file for clip in back.clips] == ["a.wav", "b 1.wav"]
    assert np.allclose(back.measured(), profile.measured(), atol=1e-6)
    assert len(path.read_text().splitlines()) < 15  # a person can read it


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": 1}', '{"format": 2, "clips": []}', "null"]
)
def test_what_is_no_profile_is_refused(tmp_path, text):
    (tmp_path / "anna.json").write_text(text)
    with pytest.raises(BundleError, match="not a profile"):
        read_profile(tmp_path / "anna.json", "tiny", "0" * 16, 2 * BINS)


def test_a_profile_of_another_model_or_size_is_refused(profile, tmp_path):
    path = tmp_path / "anna.json"
    write_profile(path, profile)
    with pytest.raises(BundleError, match="not of other"):
        read_profile(path, "other", "0" * 16, 2 * BINS)
    content = json.loads(path.read_text())
    content["clips"][0]["measured"].pop()
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="damaged"):
        read_profile(path, "tiny", profile.model_id, 2 * BINS)


@pytest.mark.parametrize("name", ["", "../anna", "a/b", ".hidden", " anna"])
def test_names_that_are_no_file_names_are_refused(name):
    with pytest.raises(BundleError, match="a name without /"):
        profile_path(name, "0" * 16)


def test_profiles_lie_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("DSNET_SPEAKERS", str(tmp_path))
    assert profile_path("anna", "12ab") == tmp_path / "12ab" / "anna.json"
    monkeypatch.delenv("DSNET_SPEAKERS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert profile_path("anna", "12ab") == tmp_path / "data/dsnet/speakers/12ab/anna.json"


def test_distances_by_hand():
    """Means 0, 0 and 3 with deviation 1: the third is 3 from the mean of two, over sqrt(1.5)."""
    clips = [np.array([0.0, 9.0]), np.array([0.0, 9.0]), np.array([3.0, 9.0])]
    assert farthest(clips, np.array([1.0])) == pytest.approx(
        [1.5 / 1.5**0.5, 1.5 / 1.5**0.5, 3 / 1.5**0.5]
    )


def test_distances_of_one_voice_are_one_on_average():
    rng = np.random.default_rng(0)
    clips = [np.concatenate([rng.normal(5, 2, 50), np.zeros(50)]) for _ in range(40)]
    assert np.square(farthest(clips, np.full(50, 2.0))).mean() == pytest.approx(1, abs=0.1)
