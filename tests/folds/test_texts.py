"""Texts that parts share: what counts as the same, and what then leaves a fold."""

import pytest

from dsnet.folds.protocols import Fold
from dsnet.folds.texts import leave_out_repeated, text_key


@pytest.mark.parametrize(
    ("one", "other"),
    [("Excuse me.", "excuse  me"), ("It's -- fine!", "it's fine"), ("STRASSE", "straße?")],
)
def test_case_punctuation_and_spaces_make_no_difference(one, other):
    assert text_key(one) == text_key(other)


def test_other_words_do():
    assert text_key("I know.") != text_key("I knew.")
    assert text_key("its") != text_key("it's")
    assert text_key("...") == ""


def test_letters_of_two_codes_are_one_and_marks_belong_to_their_letter():
    assert text_key("stu\u0308ck") == text_key("st\u00fcck")
    assert text_key("\u0915\u0940") != text_key("\u0915\u093e")  # two syllables of Hindi
    assert text_key("a_b") != text_key("a b")


def test_the_part_nearer_to_the_test_keeps_a_text():
    fold = Fold(train=["n1", "n2", "n3", "n4"], dev=["d1", "d2"], test=["t1", "t2"])
    keys = {"t1": "hello", "d1": "hello", "d2": "bye", "n1": "hello", "n2": "bye", "n3": "well"}
    left = leave_out_repeated(fold, keys)  # t2 and n4 have no known text
    assert left == Fold(train=["n3", "n4"], dev=["d2"], test=["t1", "t2"])


def test_a_text_that_validation_lost_still_stays_out_of_training():
    fold = Fold(train=["n1"], dev=["d1", "d2"], test=["t1"])
    keys = {"t1": "a", "d1": "a", "n1": "a", "d2": "b"}
    assert leave_out_repeated(fold, keys).train == []
