"""Protocols on tables small enough to split by hand, and what must hold for any table."""

from pathlib import Path

import numpy as np
import pytest

from dsnet.config import load
from dsnet.errors import FoldError
from dsnet.folds.protocols import in_words, known_fold_names, make_folds
from dsnet.task import FoldConfig, TaskConfig

EGS = Path(__file__).parents[2] / "egs"

TWO_EACH = {f"{spk}-{n}": spk for spk in ("a", "b", "c", "d") for n in (2, 1)}


def speakers(utts: list[str]) -> str:
    return "".join(sorted({utt.split("-")[0] for utt in utts}))


def test_leave_one_speaker_out_by_hand():
    folds = make_folds(FoldConfig(), TWO_EACH, {}, {})
    assert list(folds) == ["a", "b", "c", "d"]
    assert folds["a"].test == ["a-1", "a-2"]
    assert folds["a"].dev == ["b-1", "b-2"]
    assert folds["a"].train == ["c-1", "c-2", "d-1", "d-2"]
    assert folds["d"].dev == ["a-1", "a-2"]  # after the last comes the first


@pytest.mark.parametrize(
    ("protocol", "groups", "tested"),
    [
        ("leave_one_speaker_out", 0, ["a", "b", "c", "d"]),
        ("speaker_groups", 3, ["ad", "b", "c"]),
        ("leave_one_session_out", 0, ["ab", "cd"]),  # two are enough
    ],
)
def test_where_nobody_validates_all_others_train(protocol, groups, tested):
    config = FoldConfig(protocol, "none", groups)
    config.check()
    sessions = {"a": ["1"], "b": ["1"], "c": ["2"], "d": ["2"]}
    folds = make_folds(config, TWO_EACH, sessions, {})
    assert [speakers(fold.test) for fold in folds.values()] == tested
    for fold in folds.values():
        assert fold.dev == []
        assert sorted([*fold.train, *fold.test]) == sorted(TWO_EACH)
    assert "nobody validates" in in_words(config)


def test_paired_speaker_validates_within_the_session():
    config = FoldConfig(validation="paired_speaker")
    sessions = {"a": ["2"], "c": ["2", "2"], "b": ["1"], "d": ["1"]}
    folds = make_folds(config, TWO_EACH, sessions, {})
    assert {name: speakers(fold.dev) for name, fold in folds.items()} == {
        "a": "c",
        "c": "a",
        "b": "d",
        "d": "b",
    }


@pytest.mark.parametrize(
    ("sessions", "message"),
    [
        ({}, r"speaker a is in 0 sessions \(none\)"),
        ({"a": ["1", "2"], "b": ["1"], "c": ["2"], "d": ["2"]}, r"speaker a is in 2 sessions"),
        ({"a": ["1"], "b": ["1"], "c": ["1"], "d": ["2"]}, r"session 1 has 3 .*: a, b, c"),
    ],
)
def test_paired_speaker_needs_sessions_of_two(sessions, message):
    with pytest.raises(FoldError, match=message):
        make_folds(FoldConfig(validation="paired_speaker"), TWO_EACH, sessions, {})


def test_sessions_by_hand():
    config = FoldConfig("leave_one_session_out", "next_session")
    sessions = {"a": ["s2"], "b": ["s1"], "c": ["s3"], "d": ["s1"]}
    folds = make_folds(config, TWO_EACH, sessions, {})
    assert list(folds) == ["s1", "s2", "s3"]
    assert [speakers(f.test) for f in folds.values()] == ["bd", "a", "c"]
    assert [speakers(f.dev) for f in folds.values()] == ["a", "c", "bd"]


def test_groups_hold_as_many_of_each_sex():
    """As in RAVDESS: 24 actors, odd ones male; dealing in plain order would part the sexes."""
    utt2spk = {f"{actor:02d}-x": f"{actor:02d}" for actor in range(1, 25)}
    sex = {spk: "male" if int(spk) % 2 else "female" for spk in utt2spk.values()}
    folds = make_folds(FoldConfig("speaker_groups", "next_group", 6), utt2spk, {}, sex)
    assert list(folds) == [f"group{k}" for k in range(1, 7)]
    for fold in folds.values():
        assert len(fold.test) == 4
        assert sum(sex[utt2spk[utt]] == "male" for utt in fold.test) == 2
    assert folds["group1"].dev == folds["group2"].test
    assert folds["group6"].dev == folds["group1"].test


@pytest.mark.parametrize(
    ("config", "num_folds"),
    [("ravdess/conf/8class", 12), ("crema_d/conf/6class", 13), ("crema_d/conf/6class_voted", 13)],
)
def test_default_groups_are_enough_for_significance(config, num_folds):
    """Folds are permuted, so p is at least 2 / 2^folds; five folds cannot have p under 0.06."""
    names = known_fold_names(load(EGS / f"{config}.yaml", TaskConfig))
    assert len(names) == num_folds
    assert 2 / 2 ** len(names) < 0.001


def test_too_few_speakers_groups_and_sessions():
    three = {"a-1": "a", "b-1": "b", "c-1": "c"}
    make_folds(FoldConfig(), three, {}, {})
    with pytest.raises(FoldError, match="has 2: a, b"):
        make_folds(FoldConfig(), {"a-1": "a", "b-1": "b"}, {}, {})
    with pytest.raises(FoldError, match="num_groups is 4, but the task has 3 speakers"):
        make_folds(FoldConfig("speaker_groups", "next_group", 4), three, {}, {})
    with pytest.raises(FoldError, match="has 2: 1, 2"):
        config = FoldConfig("leave_one_session_out", "next_session")
        make_folds(config, three, {"a": ["1"], "b": ["1"], "c": ["2"]}, {})


@pytest.mark.parametrize("num_speakers", [3, 4, 7, 12])
@pytest.mark.parametrize(
    "config",
    [
        FoldConfig(),
        FoldConfig("speaker_groups", "next_group", 3),
        FoldConfig("leave_one_session_out", "next_session"),
    ],
    ids=lambda config: config.protocol,
)
def test_every_split_is_disjoint_whole_and_tests_each_once(config, num_speakers):
    rng = np.random.default_rng(num_speakers)
    names = [f"s{k}" for k in range(num_speakers)]
    # one utterance of each at least, the others drawn
    drawn = names + [names[k] for k in rng.integers(num_speakers, size=50)]
    utt2spk = {f"u{k:03d}": spk for k, spk in enumerate(drawn)}
    sessions = {spk: [f"session{k % 3}"] for k, spk in enumerate(names)}
    folds = make_folds(config, utt2spk, sessions, {})
    for fold in folds.values():
        parts = list(fold.parts().values())
        assert sorted(utt for part in parts for utt in part) == sorted(utt2spk)
        spoken = [{utt2spk[utt] for utt in part} for part in parts]
        assert all(spoken) and sum(map(len, spoken)) == num_speakers
    assert sorted(utt for fold in folds.values() for utt in fold.test) == sorted(utt2spk)
    assert sorted(utt for fold in folds.values() for utt in fold.dev) == sorted(utt2spk)
    again = make_folds(config, dict(reversed(utt2spk.items())), sessions, {})
    assert again == folds


def test_words_say_who_validates():
    paired = in_words(FoldConfig(validation="paired_speaker"))
    assert "same session" in paired
    assert paired != in_words(FoldConfig())


def test_folds_that_would_fill_the_disk_are_refused_with_another_protocol():
    utt2spk = {f"{n}": f"s{n % 2000}" for n in range(10_001)}
    with pytest.raises(FoldError) as caught:
        make_folds(FoldConfig(), utt2spk, {}, {})
    assert "2,000 folds, each a list of all 10,001 utterances: 20,002,000 lines" in str(
        caught.value
    )
    assert "Set folds.protocol to speaker_groups" in str(caught.value)
    assert len(make_folds(FoldConfig("speaker_groups", "next_group", 10), utt2spk, {}, {})) == 10
