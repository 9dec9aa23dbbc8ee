"""A small bundle, and files of sounds."""

from pathlib import Path

import pytest
import soundfile
from tiny_bundles import RATE, sound, write_tiny

from dsnet.recognizer.recognizer import Recognizer


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny(folder)
    return folder


@pytest.fixture(scope="session")
def recognizer(tiny_folder):
    return Recognizer.load(tiny_folder)


@pytest.fixture
def write_sound(tmp_path):
    """Write sound number `seed` to a file; return its path."""

    def write(name: str, seconds: float = 1.0, seed: int = 0, rate: int = RATE, **options) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sound(seconds, seed, rate), rate, **options)
        return path

    return write
