"""Shared classes: declarations that do not fit, and a class of the page by hand."""

import numpy as np
import pytest
import yaml

from dsnet.config import load
from dsnet.errors import ConfigError
from dsnet.results.classes import SharedClasses
from dsnet.results.runs import TestSet

CONFIG = {
    "classes": ["anger", "neutral"],
    "recipes": {
        "x": {
            "task": "5class",
            "label_map": {"calm": "neutral", "neutral": "neutral", "angry": "anger"},
            "ignored_labels": ["bored", "sad"],
        }
    },
}
X_CLASSES = ["neutral", "calm", "angry", "bored", "sad"]


@pytest.fixture
def make(tmp_path):
    def load_with(**changes):
        path = tmp_path / "shared.yaml"
        x = CONFIG["recipes"]["x"] | changes
        path.write_text(yaml.safe_dump(CONFIG | {"recipes": {"x": x}}))
        return load(path, SharedClasses)

    return load_with


def test_probabilities_and_labels_of_the_page_by_hand(make, tiny_task):
    declared = make().of("x")
    utt2emo = {"u1": "calm", "u2": "sad", "u3": "angry"}
    task = type(tiny_task)(**{**vars(tiny_task), "classes": X_CLASSES, "utt2emo": utt2emo})
    test = TestSet("x", task, {}, make().classes, declared.label_map)
    posteriors = np.array(
        [
            # neutral calm angry bored sad; of the page: anger, neutral
            [0.20, 0.20, 0.35, 0.25, 0.00],  # anger 0.35, neutral 0.40: the sum decides
            [0.05, 0.05, 0.15, 0.70, 0.05],  # bored is no answer: anger 0.15, neutral 0.10
            [0.30, 0.31, 0.39, 0.00, 0.00],  # angry is the highest alone, neutral in sum
        ]
    )
    np.testing.assert_allclose(posteriors @ test.matrix, [[0.35, 0.4], [0.15, 0.1], [0.39, 0.61]])
    assert test.labels == {"u1": 1, "u3": 0}  # u2 has no class of the page


def test_the_classes_of_one_task_are_themselves():
    shared = SharedClasses.of_one("x", "5class", X_CLASSES)
    shared.check()
    shared.check_task("x", X_CLASSES)
    assert shared.classes == X_CLASSES


def test_a_class_in_neither_list_stops(make):
    with pytest.raises(ConfigError, match="recipes.x: class 'fear' of its task 5class is neither"):
        make().check_task("x", [*X_CLASSES, "fear"])


def test_a_class_that_the_task_lacks_stops(make):
    with pytest.raises(ConfigError, match="'sad' is no class of its task 5class, which has neut"):
        make().check_task("x", X_CLASSES[:-1])


def test_a_recipe_that_is_not_named_stops(make):
    with pytest.raises(ConfigError, match=r"(?s)recipe 'y' \(they name x\).*add to.*\n  y: {task"):
        make().of("y")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"task": ""}, r"recipes\.x: no task; give the name of its conf/<task>\.yaml"),
        ({"label_map": {"angry": "rage"}}, r"label_map leads to \['rage'\], not among the classes"),
        ({"label_map": {"angry": "anger"}}, r"label_map: no class leads to \['neutral'\]"),
        ({"ignored_labels": ["angry"]}, r"\['angry'\] stand in label_map and in ignored_labels"),
        ({"label_mapp": {}}, "label_mapp"),
    ],
)
def test_unfit_declarations(make, changes, message):
    with pytest.raises(ConfigError, match=message):
        make(**changes)
