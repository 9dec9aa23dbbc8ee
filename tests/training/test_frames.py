"""Batches of frames, on utterances small enough to write down."""

import numpy as np
import pytest
import torch


@pytest.fixture
def frames(make_frames):
    """Frames 0 1 2, then 10, then 20 21 22 23; one bin."""
    values = {"a": [0, 1, 2], "b": [10], "c": [20, 21, 22, 23]}
    return make_frames(**{utt: np.array(value)[:, None] for utt, value in values.items()})


def test_an_utterance_is_its_own_frames(frames):
    assert {utt: frames.whole(utt)[:, 0].tolist() for utt in "abc"} == {
        "a": [0, 1, 2],
        "b": [10],
        "c": [20, 21, 22, 23],
    }
    assert frames.positions(["c", "a"]).tolist() == [2, 0]
    assert frames.positions([]).dtype == torch.long


def test_fixed_length_repeats_and_cuts(frames):
    feats = frames.fixed(frames.positions(["c", "a", "b"]), 5)
    assert feats[:, :, 0].tolist() == [
        [20, 21, 22, 23, 20],
        [0, 1, 2, 0, 1],
        [10, 10, 10, 10, 10],
    ]
    assert frames.fixed(frames.positions(["c"]), 2)[0, :, 0].tolist() == [20, 21]


def test_variable_length_pads_with_zeros_and_repeats_what_is_too_short(frames):
    feats, lengths = frames.variable(frames.positions(["b", "c"]), min_frames=2)
    assert lengths.tolist() == [2, 4]
    assert feats[:, :, 0].tolist() == [[10, 10, 0, 0], [20, 21, 22, 23]]


def test_crops_are_runs_of_the_utterance_that_start_everywhere(frames):
    generator = torch.Generator().manual_seed(0)
    crops = {
        tuple(frames.variable(frames.positions(["c"]), 1, 2, None, generator)[0][0, :, 0].tolist())
        for _ in range(50)
    }
    assert crops == {(20, 21), (21, 22), (22, 23)}


def test_without_generator_a_crop_is_the_beginning(frames):
    feats, lengths = frames.variable(frames.positions(["c"]), 1, 3)
    assert lengths.tolist() == [3] and feats[0, :, 0].tolist() == [20, 21, 22]


def test_tempo_reads_between_frames_and_changes_the_length(frames):
    fast, slow = torch.tensor([2.0]), torch.tensor([0.5])
    feats, lengths = frames.variable(frames.positions(["c"]), 1, rates=fast)
    assert lengths.tolist() == [2] and feats[0, :, 0].tolist() == [20, 22]
    feats, lengths = frames.variable(frames.positions(["a"]), 1, rates=slow)
    assert lengths.tolist() == [6] and feats[0, :, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2]
    assert frames.fixed(frames.positions(["a"]), 3, fast)[0, :, 0].tolist() == [0, 2, 1]
