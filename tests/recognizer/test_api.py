"""The model of the package, and the lines of the README that use it."""

import doctest
import re
from pathlib import Path

import pytest
from tiny_bundles import RATE, sound

from dsnet.recognizer.bundle import MANIFEST, MODELS, find_bundle, read_bundle
from dsnet.recognizer.recognizer import Recognizer

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize("name", sorted(path.parent.name for path in MODELS.glob(f"*/{MANIFEST}")))
def test_models_of_the_package_load_and_keep_their_classes(name):
    bundle = read_bundle(find_bundle(name))
    assert bundle.name == name
    assert list(bundle.members) == ["none", "neutral", "any"]
    result = Recognizer(bundle)(sound(1.0), RATE)
    assert list(result.scores) == bundle.classes
    size = sum(path.stat().st_size for path in (MODELS / name).iterdir())
    assert size < 4e6


def test_classes_of_emodb_small_never_change():
    assert Recognizer.load("emodb-small").classes == [
        "anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness",
    ]  # fmt: skip


def test_the_readmes_lines_run():
    lines = re.findall(r"^ +(>>> .*)$", README.read_text(), re.MULTILINE)
    assert len(lines) > 4
    names = {"samples": sound(1.5), "clip": sound(2.0, 3), "sampling_rate": RATE}
    test = doctest.DocTestParser().get_doctest("\n".join(lines), names, "README", None, 0)
    assert doctest.DocTestRunner().run(test, clear_globs=False) == (0, len(lines))
    assert test.globs["result"].label in test.globs["recognizer"].classes
