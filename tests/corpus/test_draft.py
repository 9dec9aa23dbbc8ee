"""Drafted tasks load and say what the corpus has."""

import pytest

from dsnet.config import load
from dsnet.corpus.draft import draft_task
from dsnet.errors import ConfigError, CorpusError
from dsnet.task import TaskConfig

# each of them is something else than a word to some reader of YAML
ODD = [
    "01",
    "1e3",
    "no",
    "null",
    "~",
    "a,b",
    "a:b",
    "#c",
    "{d}",
    'q"u',
    "-",
    "É",
    "[e]",
    "08",
    "&f",
]


def corpus(speakers, labels):
    return [(speaker, label) for speaker in speakers for label in labels]


def drafted(tmp_path, utterances):
    path = tmp_path / "emotion.yaml"
    path.write_text(draft_task(utterances, "mycorpus"), encoding="utf-8")
    assert max(map(len, path.read_text().splitlines())) <= 100
    return load(path, TaskConfig)


def test_labels_are_classes_and_counts_the_gate(tmp_path):
    config = drafted(tmp_path, [*corpus("cab", ["happy", "neutral"]), ("a", "happy")])
    assert config.classes == ["happy", "neutral"]
    assert config.label_map == {"happy": "happy", "neutral": "neutral"}
    assert config.gate.utterances == 7
    assert config.gate.by_class == {"happy": 4, "neutral": 3}
    assert config.gate.by_speaker == {"a": 3, "b": 2, "c": 2}
    assert config.references.native_label == "neutral"


def test_names_of_every_kind_come_back(tmp_path):
    config = drafted(tmp_path, corpus(ODD, [*ODD, "neu"]))
    assert config.classes == sorted([*ODD, "neu"]) == sorted(config.gate.by_class)
    assert sorted(config.gate.by_speaker) == sorted(ODD)
    assert config.references.native_label == "neu"


@pytest.mark.parametrize(
    ("num_speakers", "protocol", "num_groups"),
    [
        (3, "leave_one_speaker_out", 0),
        (15, "leave_one_speaker_out", 0),
        (16, "speaker_groups", 12),
        (20, "speaker_groups", 10),  # of two
        (24, "speaker_groups", 12),
        (91, "speaker_groups", 13),
    ],
)
def test_many_speakers_are_tested_in_groups(tmp_path, num_speakers, protocol, num_groups):
    config = drafted(tmp_path, corpus([f"speaker{i}" for i in range(num_speakers)], "NW"))
    assert (config.folds.protocol, config.folds.num_groups) == (protocol, num_groups)
    assert len(config.gate.by_speaker) == num_speakers


@pytest.mark.parametrize("labels", [["happy", "sad"], ["N", "neutral", "sad"], ["calm", "nervous"]])
def test_an_unclear_neutral_label_stops_the_run_until_it_is_given(tmp_path, labels):
    with pytest.raises(ConfigError, match=r"emotion\.yaml: 'references\.native_label'"):
        drafted(tmp_path, corpus("abc", labels))
    path = tmp_path / "emotion.yaml"
    assert "Which label is neutral speech?" in path.read_text()
    path.write_text(path.read_text().replace("native_label:\n", f"native_label: {labels[0]}\n"))
    assert load(path, TaskConfig).references.native_label == labels[0]


@pytest.mark.parametrize("label", ["n", "N", "neu", "NEU", "Neutral"])
def test_neutral_labels(tmp_path, label):
    config = drafted(tmp_path, corpus("abc", [label, "W"]))
    assert config.references.native_label == label


def test_names_that_look_alike_stand_in_the_draft(tmp_path):
    drafted(tmp_path, corpus(["b1", "b01", "c"], ["happy", "Happy", "neutral"]))
    looks = [
        line for line in (tmp_path / "emotion.yaml").read_text().splitlines() if "Look" in line
    ]
    assert [line.partition(" look")[0] for line in looks] == [
        "# Look: speakers b01 and b1",
        "# Look: labels Happy and happy",
    ]


def test_too_few_labels_or_speakers():
    with pytest.raises(CorpusError, match="all 3 utterances have the label N; a task needs two"):
        draft_task(corpus("abc", "N"), "x")
    with pytest.raises(CorpusError, match="have the label N; .* three or more"):
        draft_task(corpus("ab", "N"), "x")
    with pytest.raises(CorpusError, match=r"2 speakers \(a, b\); .* three or more"):
        draft_task(corpus("ba", "NW"), "x")
