"""Files of models: what was saved decides the same, and what is not asked for is refused."""

import dataclasses

import pytest
import torch

from dsnet.errors import TrainingError
from dsnet.systems import SYSTEMS, code_digest
from dsnet.training import checkpoint
from dsnet.training.inference import predict
from dsnet.training.loop import MODEL, Trainer

NETWORKS = [kind for kind, system in SYSTEMS.items() if system.is_network]


def train(config, fold, folder):
    trainer = Trainer(config, fold, 1, folder)
    trainer.run(lambda entry: None)
    return trainer.system


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_file_says_all_that_is_needed_to_use_it(fold, make_config, tmp_path, kind):
    config = make_config(kind, max_epochs=1)
    trained = train(config, fold, tmp_path)
    loaded, content = checkpoint.load_model(tmp_path / MODEL)
    assert type(loaded) is SYSTEMS[kind] and not loaded.training
    asked = (fold.frames, fold.dev, fold.dev_references, config)
    torch.testing.assert_close(
        predict(loaded, *asked).logits, predict(trained, *asked).logits, atol=0, rtol=0
    )
    assert content["features"] == dataclasses.asdict(fold.frames.info)
    assert (content["fold"], content["seed"], content["classes"]) == ("01", 1, fold.classes)


@pytest.fixture
def saved(fold, make_config, tmp_path):
    """Return the path and content of a dsnet of fold 01 and seed 1, and what it is."""
    config = make_config(max_epochs=1)
    train(config, fold, tmp_path)
    expected = {
        "config": checkpoint.config_values(config),
        "classes": fold.classes,
        "task_digest": "task",
        "features_digest": "features",
        "code_digest": code_digest("dsnet"),
        "fold": "01",
        "seed": 1,
    }
    return tmp_path / MODEL, checkpoint.load(tmp_path / MODEL), expected


def test_what_is_asked_for_is_accepted(saved):
    path, content, expected = saved
    checkpoint.check(path, content, expected)
    checkpoint.check(path, content, {"fold": "01"})


def test_what_a_system_is_compared_with_does_not_count(make_config):
    config = make_config()
    values = checkpoint.config_values(config)
    assert checkpoint.config_values(dataclasses.replace(config, control="other")) == values


@pytest.mark.parametrize(
    "change, message",
    [
        ({"classes": ["a", "b", "c"]}, "other classes"),
        ({"task_digest": "x"}, "other folds, labels or references"),
        ({"features_digest": "x"}, "other features"),
        ({"code_digest": "x"}, "other code of models, losses, training or the system"),
        ({"fold": "02"}, "fold 01 in the place of 02"),
        ({"seed": 2}, "seed 1 in the place of 2"),
        ({"fold": "02", "task_digest": "x"}, "other folds.* and fold 01 in the place of 02"),
    ],
)
def test_a_model_of_something_else_is_refused(saved, change, message):
    path, content, expected = saved
    with pytest.raises(TrainingError, match=f"trained with {message} than .* train again"):
        checkpoint.check(path, content, expected | change)


def test_a_model_of_another_config_is_refused_with_the_keys_that_differ(saved, make_config):
    path, content, expected = saved
    other = checkpoint.config_values(make_config("base", max_epochs=1, learning_rate=0.5))
    changes = r"kind dsnet -> base, train.learning_rate 0.001 -> 0.5"
    with pytest.raises(TrainingError, match=rf"another config \({changes}\) than"):
        checkpoint.check(path, content, expected | {"config": other})


def test_what_is_no_checkpoint_is_an_error_that_names_it(tmp_path):
    path = tmp_path / MODEL
    with pytest.raises(TrainingError, match="model.pt: no such checkpoint; train this fold first"):
        checkpoint.load(path)
    path.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(TrainingError, match="model.pt: not a checkpoint of this toolkit"):
        checkpoint.load(path)
    torch.save({"format": 1}, path)
    with pytest.raises(TrainingError, match=f"format {checkpoint.FORMAT}, found 1; train again"):
        checkpoint.load(path)
