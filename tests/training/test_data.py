"""What a fold loads: its own parts, their references, and test audio only where it is declared."""

import pytest
import torch

from dsnet.errors import TrainingError
from dsnet.systems import SYSTEMS
from dsnet.systems.config import SystemConfig
from dsnet.training.data import load_training_data


def load(folder, kind, fold="a"):
    config = SystemConfig(kind=kind)
    return load_training_data(folder / "task", folder, fold, torch.device("cpu"), config)


def test_what_a_fold_leaves_out_is_no_reference_either(tmp_path, write_stages):
    write_stages(tmp_path, repeated_text="leave_out")
    data = load(tmp_path, "dsnet")
    assert data.train == ["c-H-1", "c-H-2", "c-N-2"]
    assert data.references == {"c-H-1": ["c-N-2"], "c-H-2": ["c-N-2"], "c-N-2": []}
    assert "c-N-1" not in data.store.index
    other = load(tmp_path, "dsnet", fold="b")
    # fold b validates with c, whose sentence a, in training, has too
    assert other.references["a-H-1"] == ["a-N-2"]


@pytest.mark.parametrize("kind", SYSTEMS)
def test_test_audio_is_loaded_only_where_it_is_declared(tmp_path, write_stages, kind):
    write_stages(tmp_path)
    data = load(tmp_path, kind)
    tested = {"a-H-1", "a-H-2", "a-N-1", "a-N-2"}
    validated = {utt.replace("a", "b") for utt in tested}
    transductive = kind == "dat_transductive"
    assert set(data.store.index) & tested == (tested if transductive else set())
    assert set(data.unlabelled) == (tested | validated if transductive else set())
    assert not set(data.labels) & tested  # never
    assert data.train_speakers == ["c"] and set(data.speakers.values()) == {"c"}


def test_validation_has_the_references_of_its_own_speaker(tmp_path, write_stages):
    write_stages(tmp_path)
    data = load(tmp_path, "dsc")
    first = {utt: data.references[utt][0] for utt in data.dev}
    assert first == {"b-H-1": "b-N-1", "b-H-2": "b-N-1", "b-N-1": "b-N-2", "b-N-2": "b-N-1"}
    assert "b-H-1" not in load(tmp_path, "isnet").references  # predicts without


def test_a_missing_reference_is_named_before_training(tmp_path, write_stages):
    write_stages(tmp_path, count=1)  # N-1 serves, and has nobody to serve itself
    with pytest.raises(TrainingError, match=r"3 of 12 .*first: c-N-1, b-N-1, a-N-1\. Set refer"):
        load(tmp_path, "dsc")
    assert load(tmp_path, "dsnet").references["c-N-1"] == []
