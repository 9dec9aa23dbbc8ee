"""What is the speaker's goes away, computed by hand."""

import dataclasses

import numpy as np
import pytest

from dsnet.classical.adaptation import fold_references, standardise_speakers, subtract_references
from dsnet.errors import FoldError
from dsnet.features.functionals import Functionals
from dsnet.folds.protocols import Fold


@pytest.fixture
def functionals():
    return Functionals(
        values=np.array([[1, 10, 7], [3, 30, 7], [2, 50, 7], [5, 0, 1], [9, 4, 2]], np.float32),
        speakers=np.array(["a", "a", "a", "b", "b"]),
        row={"a1": 0, "a2": 1, "a3": 2, "b1": 3, "b2": 4},
        digest="",
        opensmile_version="",
    )


def test_each_speaker_has_mean_0_and_deviation_1(functionals):
    s = np.sqrt(1.5)  # of -1, 0, 1 divided by their deviation, the root of 2/3
    expected = [[-s, -s, 0], [s, 0, 0], [0, s, 0], [-1, -1, -1], [1, 1, 1]]
    np.testing.assert_allclose(standardise_speakers(functionals), expected)


def test_another_speakers_audio_changes_nothing(functionals):
    before = standardise_speakers(functionals)
    functionals.values[3:] *= 17
    np.testing.assert_array_equal(standardise_speakers(functionals)[:3], before[:3])


def test_the_mean_of_the_references_goes(functionals):
    found = subtract_references(functionals, ["a1", "b2"], [["a2", "a3"], ["b1"]])
    np.testing.assert_allclose(found, [[1 - 2.5, 10 - 40, 0], [4, 4, 1]])


def test_at_most_three_references_and_never_itself(task):
    references = fold_references(task, task.fold("a"))
    assert references["a_sad_0"] == ["a_neutral_0", "a_neutral_1", "a_neutral_2"]
    assert references["a_neutral_1"] == ["a_neutral_0", "a_neutral_2", "a_neutral_3"]
    assert set(references) == set(task.utt2spk)


def test_what_a_fold_leaves_out_of_training_serves_nobody(task):
    whole = task.fold("a")
    fold = Fold([utt for utt in whole.train if utt != "c_neutral_0"], whole.dev, whole.test)
    assert fold_references(task, fold)["c_sad_0"] == [f"c_neutral_{i}" for i in (1, 2, 3)]


def test_an_utterance_without_reference_is_named(task):
    task = dataclasses.replace(task, references=task.references | {"d_sad_4": []})
    with pytest.raises(FoldError, match="1 utterances have no neutral reference.* d_sad_4"):
        fold_references(task, task.fold("a"))
