"""The frame store on matrices small enough to write down."""

import numpy as np
import pytest
import torch

from dsnet.errors import FeatureError
from dsnet.training.frames import FrameStore


def a_store(**options):
    """Frames 0 1 2, then 10, then 20 21 22 23; one bin; matrices in another order than lengths."""
    values = {"a": [0, 1, 2], "b": [10], "c": [20, 21, 22, 23]}
    matrices = [(u, np.array(values[u], dtype=np.float32)[:, None]) for u in "cab"]
    return FrameStore({u: len(v) for u, v in values.items()}, matrices, "cpu", **options)


def test_a_store_too_large_for_memory_is_mapped_and_reads_the_same():
    mapped, store = a_store(max_bytes=10), a_store()
    assert torch.equal(mapped.frames, store.frames)
    assert store.frames[:, 0].tolist() == [0, 1, 2, 10, 20, 21, 22, 23]


def test_a_matrix_of_another_length_than_announced_is_refused():
    with pytest.raises(FeatureError, match="'a' has 2 frames, utt2num_frames says 3"):
        FrameStore({"a": 3}, [("a", np.zeros((2, 1), np.float32))], "cpu")


def test_fixed_length_repeats_and_cuts():
    store = a_store()
    feats = store.fixed(store.positions(["c", "a", "b"]), 5)
    assert feats[:, :, 0].tolist() == [
        [20, 21, 22, 23, 20],
        [0, 1, 2, 0, 1],
        [10, 10, 10, 10, 10],
    ]
    assert store.fixed(store.positions(["c"]), 2)[0, :, 0].tolist() == [20, 21]


def test_variable_length_pads_with_zeros_and_repeats_what_is_too_short():
    store = a_store()
    feats, lengths = store.variable(store.positions(["b", "c"]), min_frames=2)
    assert lengths.tolist() == [2, 4]
    assert feats[:, :, 0].tolist() == [[10, 10, 0, 0], [20, 21, 22, 23]]


def test_crops_are_runs_of_the_utterance_that_start_everywhere():
    store = a_store()
    generator = torch.Generator().manual_seed(0)
    crops = {
        tuple(store.variable(store.positions(["c"]), 1, 2, None, generator)[0][0, :, 0].tolist())
        for _ in range(50)
    }
    assert crops == {(20, 21), (21, 22), (22, 23)}


def test_without_generator_a_crop_is_the_beginning():
    store = a_store()
    feats, lengths = store.variable(store.positions(["c"]), 1, 3)
    assert lengths.tolist() == [3] and feats[0, :, 0].tolist() == [20, 21, 22]


def test_tempo_reads_between_frames_and_changes_the_length():
    store = a_store()
    fast, slow = torch.tensor([2.0]), torch.tensor([0.5])
    feats, lengths = store.variable(store.positions(["c"]), 1, rates=fast)
    assert lengths.tolist() == [2] and feats[0, :, 0].tolist() == [20, 22]
    feats, lengths = store.variable(store.positions(["a"]), 1, rates=slow)
    assert lengths.tolist() == [6] and feats[0, :, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2]
    assert store.fixed(store.positions(["a"]), 3, fast)[0, :, 0].tolist() == [0, 2, 1]
