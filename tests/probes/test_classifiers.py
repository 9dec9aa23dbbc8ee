"""Probes on simulated embeddings: what is in them is found, and nothing else is."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dsnet.probes.classifiers import MAX_SPLITS, Rows, answer, pose

DIM = 16


def directions(values, rng, noise=0.3):
    """Return embeddings (N, DIM) that hold nothing but `values` and noise."""
    names, which = np.unique(values, return_inverse=True)
    centres = rng.normal(size=(len(names), DIM))
    return centres[which] + noise * rng.normal(size=(len(values), DIM))


def grid(speakers, texts=6, takes=4):
    """Return the speakers and texts of utterances: each says each text so many times."""
    rows = [(spk, f"t{t}") for spk in speakers for t in range(texts) for _ in range(takes)]
    return [spk for spk, _ in rows], [text for _, text in rows]


def balanced(result):
    return {name: scores["balanced_accuracy"] for name, scores in result.items()}


def mean_balanced(question, embed, repetitions=30):
    """Return the mean of both probes over random embeddings, from embed(rng) -> train, test."""
    runs = [
        balanced(answer(question, *embed(np.random.default_rng(seed))))
        for seed in range(repetitions)
    ]
    return {name: np.mean([run[name] for run in runs]) for name in runs[0]}


def test_what_is_in_the_embedding_is_found_and_the_rest_is_at_chance():
    rng = np.random.default_rng(0)
    speakers, texts = grid("AB")
    emotions = ["happy", "sad"] * (len(speakers) // 2)
    x = directions(speakers, rng)
    for labels, low, high in ((speakers, 1, 1), (emotions, 0.3, 0.7)):
        question = pose(*2 * [Rows(labels, texts)])
        for value in balanced(answer(question, x, x)).values():
            assert low <= value <= high


def test_a_text_is_never_on_both_sides():
    speakers, texts = grid("AB", texts=7)
    question = pose(*2 * [Rows(speakers, texts)])
    assert len(question.splits) == MAX_SPLITS
    for train, test in question.splits:
        assert not {texts[i] for i in train} & {texts[i] for i in test}
        assert len(train) + len(test) == len(texts)
    assert question.judged.tolist() == list(range(len(texts)))


def test_an_embedding_of_who_says_what_tells_nothing_of_who():
    """Each speaker and text has a point: split by utterance, a probe would know all of them."""
    speakers, texts = grid("AB", texts=8, takes=8)
    pairs = [f"{spk} {text}" for spk, text in zip(speakers, texts, strict=True)]

    def embed(rng):
        x = directions(pairs, rng, noise=0.05)
        return x, x

    own = [str(i) for i in range(len(pairs))]
    by_utterance = mean_balanced(pose(*2 * [Rows(speakers, own)]), embed, 3)
    by_text = mean_balanced(pose(*2 * [Rows(speakers, texts)]), embed, 15)
    for name in by_text:
        assert by_utterance[name] > 0.95
        assert by_text[name] == pytest.approx(0.5, abs=0.08)


def test_an_embedding_of_the_utterance_alone_tells_nothing():
    speakers, texts = grid("ABC", texts=6, takes=3)
    labels = ["xyz"[i % 3] for i in range(len(speakers))]
    question = pose(*2 * [Rows(labels, texts)])

    def embed(rng):
        x = rng.normal(size=(len(labels), DIM))
        return x, x

    for value in mean_balanced(question, embed).values():
        assert value == pytest.approx(1 / 3, abs=0.03)


def test_unequal_classes_do_not_move_chance():
    rng = np.random.default_rng(1)
    labels = ["often"] * 80 + ["seldom"] * 20
    texts = [f"t{t}" for t in rng.integers(10, size=100)]
    question = pose(*2 * [Rows(labels, texts)])

    def embed(rng):
        x = rng.normal(size=(100, DIM))
        return x, x

    for value in mean_balanced(question, embed).values():
        assert value == pytest.approx(0.5, abs=0.04)
    assert question.describe() == {
        "num_classes": 2,
        "chance": 0.5,
        "majority": 0.8,
        "num_splits": 5,
        "num_judged": 100,
        "num_left_out": 0,
    }


def test_within_one_set_of_rows_it_is_grouped_cross_validation():
    rng = np.random.default_rng(2)
    speakers, texts = grid("ABC", texts=5)
    x = directions(speakers, rng, noise=3.0)
    result = answer(pose(*2 * [Rows(speakers, texts)]), x, x)
    probes = {
        "linear": LogisticRegression(class_weight="balanced", max_iter=1000),
        "knn": KNeighborsClassifier(5),
    }
    for name, probe in probes.items():
        guess = cross_val_predict(
            make_pipeline(StandardScaler(), probe), x, speakers, groups=texts, cv=GroupKFold(5)
        )
        assert result[name]["balanced_accuracy"] == balanced_accuracy_score(speakers, guess)
        assert result[name]["accuracy"] == np.mean(guess == np.array(speakers))
        assert 0.4 < result[name]["accuracy"] < 1


def test_without_shared_groups_all_rows_train_once():
    train, test = Rows(["a", "b", "a", None], list("1234")), Rows(["b", "a", "c"], list("567"))
    question = pose(train, test)
    [(train_rows, test_rows)] = question.splits
    assert train_rows.tolist() == [0, 1, 2]
    assert test_rows.tolist() == [0, 1]
    assert question.classes == ["a", "b"]
    assert question.describe()["num_left_out"] == 1


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (Rows(["a", "b"], ["1", "2"]), Rows(["a", "a"], ["3", "4"])),  # one class is judged
        (Rows(["a", "a"], ["1", "2"]), Rows(["a", "b"], ["3", "4"])),  # one class is known
        (Rows([None, None], ["1", "2"]), Rows([None, None], ["3", "4"])),
        (Rows(["a", "b"], ["1", "1"]), Rows(["a", "b"], ["1", "1"])),  # one group
        (Rows(["a", "b"], ["1", "2"]), Rows(["a", "b"], ["1", "2"])),  # a group tells the class
    ],
)
def test_what_cannot_be_asked_is_absent(train, test):
    assert pose(train, test) is None


def test_a_collapsed_part_is_at_chance():
    speakers, texts = grid("AB")
    x = np.full((len(speakers), DIM), 0.5, np.float32)
    result = answer(pose(*2 * [Rows(speakers, texts)]), x, x)
    assert balanced(result) == {"linear": 0.5, "knn": 0.5}
