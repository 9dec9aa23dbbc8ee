"""Policies by hand, speakers without neutral utterances, and files that a person has edited."""

from dataclasses import replace
from pathlib import Path

import pytest
from lhotse import SupervisionSegment

from dsnet.corpus.gate import native_labels
from dsnet.errors import FoldError
from dsnet.folds.references import choose_references, read_references
from dsnet.task import ReferenceConfig


def utterance(utt, emotion, duration=1.0, text=None) -> SupervisionSegment:
    return SupervisionSegment(
        id=utt,
        recording_id=utt,
        start=0.0,
        duration=duration,
        text=text,
        speaker=utt[0],
        custom={"emotion": emotion},
    )


def choose(config, supervisions, task):
    return choose_references(config, supervisions, native_labels(supervisions), task)


CORPUS = [
    utterance("b2", "neu", 3.0, "hot"),
    utterance("a4", "neu", 2.0, "hot"),
    utterance("a1", "ang", 1.0, "cold"),
    utterance("a2", "neu", 1.0, "hot"),
    utterance("a3", "neu", 3.0, "cold"),
    utterance("b1", "sad", 1.0, "cold"),
    utterance("a5", "neu", 2.0, "wet"),
]
TASK = {s.id for s in CORPUS}


def test_policy_first_is_sorted_by_id():
    chosen = choose(ReferenceConfig("neu", count=3), CORPUS, TASK)
    assert chosen.file_name == "spk2neutral"
    assert chosen.table == {"a": ["a2", "a3", "a4"], "b": ["b2"]}
    assert chosen.neutral2spk == {"a2": "a", "a3": "a", "a4": "a", "a5": "a", "b2": "b"}


def test_a_reference_never_pairs_with_itself():
    utt2spk = {s.id: s.speaker for s in CORPUS}
    chosen = choose(ReferenceConfig("neu", count=3), CORPUS, TASK)
    pairs = chosen.by_utterance(utt2spk)
    assert pairs["a1"] == ["a2", "a3", "a4"]
    assert pairs["a3"] == ["a2", "a4"]
    assert pairs["b2"] == []  # the speaker's only neutral utterance


def test_policy_longest_breaks_ties_by_id():
    chosen = choose(ReferenceConfig("neu", "longest", count=3), CORPUS, TASK)
    assert chosen.table["a"] == ["a3", "a4", "a5"]


def test_policy_random_depends_on_seed_and_speaker_only():
    config = ReferenceConfig("neu", "random", count=3, seed=1)
    many = [utterance(f"{spk}{n:02d}", "neu") for spk in "abc" for n in range(50)]
    ids = {s.id for s in many}
    table = choose(config, many, ids).table
    assert all(len(set(refs)) == 3 and {r[0] for r in refs} == {k} for k, refs in table.items())
    numbers = {tuple(ref[1:] for ref in refs) for refs in table.values()}
    assert len(numbers) == 3, "speakers draw the same numbers"
    alone = choose(config, [s for s in many if s.speaker == "b"], ids).table
    assert alone["b"] == table["b"]
    assert choose(replace(config, seed=2), many, ids).table["b"] != table["b"]
    # of 300 speakers with three neutral utterances about a third draws each
    wide = [utterance(f"{chr(1000 + k)}{n}", "neu") for k in range(300) for n in (0, 1, 2)]
    drawn = choose(replace(config, count=1), wide, {s.id for s in wide}).table
    counts = [sum(refs[0].endswith(str(n)) for refs in drawn.values()) for n in (0, 1, 2)]
    assert min(counts) > 70


def test_policy_same_text_prefers_the_text_then_file_order():
    chosen = choose(ReferenceConfig("neu", "same_text", count=2), CORPUS, TASK)
    assert chosen.file_name == "utt2neutral"
    assert chosen.table == {
        "a1": ["a3", "a2"],  # cold: a3, then the first other
        "a2": ["a4", "a3"],  # hot: a4 (not itself)
        "a3": ["a2", "a4"],  # no other cold one
        "a4": ["a2", "a3"],
        "a5": ["a2", "a3"],
        "b1": ["b2"],
    }  # b2 has nobody but itself


def test_references_need_not_be_in_the_task():
    chosen = choose(ReferenceConfig("neu"), CORPUS, {"a1", "b1"})
    assert chosen.by_utterance({"a1": "a", "b1": "b"}) == {"a1": ["a2", "a3", "a4"], "b1": ["b2"]}


WITHOUT = [*CORPUS, utterance("c1", "sad"), utterance("c2", "ang"), utterance("d9", "neu")]
WITHOUT_TASK = TASK | {"c1", "c2"}


def test_speaker_without_neutral_is_an_error_by_default():
    with pytest.raises(FoldError, match="1 of 3 speakers .*: c. .*ang, neu, sad"):
        choose(ReferenceConfig("neu"), WITHOUT, WITHOUT_TASK)


def test_speaker_without_neutral_falls_back_to_all_of_theirs():
    config = ReferenceConfig("neu", if_missing="all_utterances")
    chosen = choose(config, WITHOUT, WITHOUT_TASK)
    assert chosen.table["c"] == ["c1", "c2"]
    assert chosen.fallback_speakers == ["c"]
    assert "c1" not in chosen.neutral2spk
    assert "d" not in chosen.table  # has no utterance in the task
    by_text = choose(replace(config, policy="same_text"), WITHOUT, WITHOUT_TASK)
    assert by_text.table["c1"] == ["c2"]


def test_speaker_without_neutral_can_be_dropped():
    config = ReferenceConfig("neu", if_missing="drop_speaker")
    chosen = choose(config, WITHOUT, WITHOUT_TASK)
    assert chosen.dropped_speakers == {"c": 2}
    assert set(chosen.table) == {"a", "b"}


UTT2SPK = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "b2": "b", "c1": "c", "c2": "c"}
NEUTRAL2SPK = {"a2": "a", "a3": "a", "a8": "a", "b2": "b"}  # a8 is outside the task


def read(folder: Path, name: str, text: str):
    (folder / name).write_text(text)
    return read_references(folder, UTT2SPK, NEUTRAL2SPK, ["c"])


def test_edited_spk2neutral_is_read_as_it_stands(tmp_path):
    references, used = read(tmp_path, "spk2neutral", "c c1 c2\na  a8 a3\nb b2\n")
    assert references == {
        "a1": ["a8", "a3"],
        "a2": ["a8", "a3"],
        "a3": ["a8"],
        "b1": ["b2"],
        "b2": [],
        "c1": ["c2"],
        "c2": ["c1"],
    }
    assert used == {"a8", "a3", "b2"}  # c1 and c2 stand in, they are not neutral


def test_edited_utt2neutral_is_read_as_it_stands(tmp_path):
    text = "a1 a8 a3\na2 a3\na3 a2\nb1 b2\nc1 c2\n"
    references, used = read(tmp_path, "utt2neutral", text)
    assert references["a1"] == ["a8", "a3"]
    assert references["b2"] == references["c2"] == []
    assert used == {"a8", "a3", "a2", "b2"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b b9", r"spk2neutral:2: 'b9' is neither a neutral utterance nor one of this task"),
        ("b a2", r"spk2neutral:2: 'a2' is an utterance of speaker a, not of b"),
        ("", r"spk2neutral:2: empty line"),
        ("b b1", r"spk2neutral:2: 'b1' is not neutral"),
        ("b", r"spk2neutral:2: 'b' has no reference"),
        ("x b2", r"spk2neutral:2: 'x' is no speaker"),
        ("a a3", r"spk2neutral:2: 'a' has a line already"),
        ("b b2 b2", r"spk2neutral:2: an utterance stands there twice"),
        ("c c1", r"spk2neutral: no line for 'b'"),
    ],
)
def test_edited_spk2neutral_with_a_mistake(tmp_path, line, message):
    last = "" if line.startswith("c") else "c c1 c2\n"
    with pytest.raises(FoldError, match=message):
        read(tmp_path, "spk2neutral", f"a a2 a3\n{line}\n{last}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a1 a2\na2 a2 a3\n", r"utt2neutral:2: 'a2' cannot be its own reference"),
        ("a1 a2\na9 a2\n", r"utt2neutral:2: 'a9' is no utterance"),
        ("a1 a2\na2 a3\na3 a2\n", r"utt2neutral: no line for 'b1'"),
    ],
)
def test_edited_utt2neutral_with_a_mistake(tmp_path, text, message):
    with pytest.raises(FoldError, match=message):
        read(tmp_path, "utt2neutral", text)


def test_exactly_one_of_the_two_files(tmp_path):
    with pytest.raises(FoldError, match="found none"):
        read_references(tmp_path, UTT2SPK, NEUTRAL2SPK, ["c"])
    (tmp_path / "utt2neutral").write_text("a1 a2\n")
    with pytest.raises(FoldError, match="found spk2neutral and utt2neutral"):
        read(tmp_path, "spk2neutral", "a a2\nb b2\nc c1\n")


def test_a_speaker_without_neutral_can_stay_without_a_reference(tmp_path):
    corpus = [*CORPUS, utterance("c1", "sad"), utterance("c2", "ang")]
    config = ReferenceConfig("neu", count=1, if_missing="no_reference")
    chosen = choose(config, corpus, {s.id for s in corpus})
    assert chosen.table == {"a": ["a2"], "b": ["b2"]}
    assert chosen.without_reference == ["c"] and chosen.fallback_speakers == []
    assert chosen.by_utterance({"c1": "c", "b1": "b"}) == {"c1": [], "b1": ["b2"]}


def test_references_that_grow_with_the_square_of_a_speaker_are_refused():
    silent = [utterance(f"c{n}", "sad") for n in range(7072)]  # 7,072 squared: 50,013,184
    config = ReferenceConfig("neu", if_missing="all_utterances")
    with pytest.raises(FoldError, match="c with 7072 utterances among them, so that 50,013,184"):
        choose(config, silent, {s.id for s in silent})
    assert len(choose(config, silent[1:], {s.id for s in silent[1:]}).table["c"]) == 7071
