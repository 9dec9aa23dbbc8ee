"""Utterances: names that lists can hold, and the recording that an utterance is part of."""

from pathlib import Path

import pytest

from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": "a b"},
        {"speaker": "s\t1"},
        {"emotion": None},
        {"session": " "},
        {"speaker": "a/b"},
        {"session": "final"},
    ],
)
def test_names_are_words(change):
    values = {"id": "a", "speaker": "s", "emotion": "N", "path": Path("x.wav"), **change}
    with pytest.raises(CorpusError, match=rf"x\.wav: {next(iter(change))} of utterance"):
        Utterance(**values)


def test_equal_names_are_equal_strings():
    """Whether ë came as one letter or as e and two dots."""
    a, b = (Utterance(n, n, n, Path("x.wav")) for n in ("Zo\u00eb", "Zoe\u0308"))
    assert a == b and len(a.speaker) == 3


def test_unknown_sex_is_named():
    with pytest.raises(CorpusError, match="'f'; expected female or male"):
        Utterance("a", "s", "N", Path("x.wav"), sex="f")


def test_recording_is_the_utterance_unless_it_is_a_part_of_a_file():
    assert Utterance("a", "s", "N", Path("d/x.wav")).recording_id == "a"
    assert Utterance("a", "s", "N", Path("d/x.wav"), start=1.0).recording_id == "x"
    assert Utterance("a", "s", "N", Path("d/x  y.wav"), end=1.0).recording_id == "x_y"
    assert Utterance("a", "s", "N", Path("d/x.wav"), recording="r").recording_id == "r"
