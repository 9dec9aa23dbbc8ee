"""Shared classes: posteriors and labels by hand, and declarations that do not fit."""

import numpy as np
import pytest
import yaml

from dsnet.config import load
from dsnet.cross_corpus.classes import RecipeClasses, SharedClasses, shared_answers, shared_labels
from dsnet.errors import ConfigError

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


def test_answers_by_hand(make):
    matrix = make().matrix("x", X_CLASSES)
    posteriors = np.array(
        [
            # neutral calm angry bored sad; shared: anger, neutral
            [0.20, 0.20, 0.35, 0.25, 0.00],  # anger 0.35, neutral 0.40: the sum decides
            [0.05, 0.05, 0.15, 0.70, 0.05],  # bored is no answer: anger 0.15, neutral 0.10
            [0.30, 0.31, 0.39, 0.00, 0.00],  # angry is the highest alone, neutral in sum
        ]
    )
    np.testing.assert_allclose(posteriors @ matrix, [[0.35, 0.4], [0.15, 0.1], [0.39, 0.61]])
    assert shared_answers(posteriors, matrix).tolist() == [1, 0, 1]


def test_labels_by_hand(make):
    matrix = make().matrix("x", X_CLASSES)
    # neutral calm angry bored sad
    assert shared_labels(np.array([0, 1, 2, 3, 4, 2]), matrix).tolist() == [1, 1, 0, -1, -1, 0]


def test_without_ignored_or_joined_classes_nothing_changes():
    """Whatever the order of both lists: the answer is the highest of the model's classes."""
    rng = np.random.default_rng(0)
    names = ["a", "b", "c", "d"]
    own = RecipeClasses("t", {name: name.upper() for name in names})
    shared = SharedClasses(["D", "A", "C", "B"], {"x": own})
    posteriors = rng.dirichlet(np.ones(4), 50)
    answers = shared_answers(posteriors, shared.matrix("x", names))
    assert [shared.classes[a] for a in answers] == [names[p].upper() for p in posteriors.argmax(1)]


def test_a_class_in_neither_list_stops(make):
    with pytest.raises(ConfigError, match="recipes.x: class 'fear' of its task 5class is neither"):
        make().matrix("x", [*X_CLASSES, "fear"])


def test_a_class_that_the_task_lacks_stops(make):
    with pytest.raises(ConfigError, match="'sad' is no class of its task 5class, which has neut"):
        make().matrix("x", X_CLASSES[:-1])


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
