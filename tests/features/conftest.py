"""A small corpus with manifests: mono, stereo, another rate, and parts of a long file."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse.features.io import close_cached_file_handles

from dsnet.corpus.prepare import prepare
from dsnet.corpus.utterance import Utterance


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Return a recipe folder with a space in its name, as the current folder, after stage 0."""
    close_cached_file_handles()  # Lhotse keeps feats.scp open by its path, here always the same
    folder = tmp_path / "my recipe"
    (folder / "corpus").mkdir(parents=True)
    monkeypatch.chdir(folder)
    rng = np.random.default_rng(0)
    made = []
    for i, (rate, seconds) in enumerate([(16000, 0.5), (48000, 0.7183), (44100, 1.0005)]):
        path = Path("corpus", f"u{i}.wav")
        soundfile.write(path, rng.uniform(-0.5, 0.5, (int(rate * seconds), 2)), rate)
        made.append(Utterance(f"u{i}", f"s{i % 2}", "N", path, channel=i % 2))
    outside = tmp_path / "long.flac"
    soundfile.write(outside, rng.uniform(-0.5, 0.5, 48000), 24000)
    for i in range(3):
        made.append(Utterance(f"part{i}", "s2", "W", outside, start=0.3 * i, end=0.3 * i + 0.5111))
    prepare(made, Path("data/manifests"))
    return folder
