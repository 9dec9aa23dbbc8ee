"""Stage 2: what is counted, and which pairs are refused."""

import dataclasses
import json

import pytest

from dsnet.bin.cross_audit import main as audit_program
from dsnet.cross_corpus.audit import audit
from dsnet.errors import ConfigError, FeatureError, FoldError


def test_counts_by_hand(toys, shared_config, run_program, tmp_path, capsys):
    run_program(audit_program, shared_config, "../two", "../one", tmp_path / "audit.json")
    report = json.loads((tmp_path / "audit.json").read_text())
    assert report == {
        "train": {
            "recipe": "two",
            "task": "three",
            "folds": 3,
            "speakers": 3,
            "utterances": 18,
            "by_class": {"anger": 6, "happiness": 6, "neutral": 6},
            "left_out": {},
        },
        "test": {
            "recipe": "one",
            "task": "four",
            "folds": 3,
            "speakers": 3,
            "utterances": 18,
            "by_class": {"anger": 6, "happiness": 6, "neutral": 6},
            "left_out": {"bored": 6},
        },
        "without_audio_hash": 0,
    }
    assert "left out: bored 6" in capsys.readouterr().out


def test_other_features_are_refused_by_key(toys, shared):
    toys["two"].write_features(1, preemphasis=0.9, frame_length_ms=25.0)
    with pytest.raises(FeatureError, match=r"frame_length_ms is 40\.0, asked for 25\.0, preemph"):
        audit(shared, toys["one"].recipe, toys["two"].recipe)


def test_the_same_audio_is_refused_and_named(toys, shared):
    names = {"b-rage-1": "0 a-bored-2", "c-joy-2": "0 b-calm-1"}
    rehash(toys["two"], names)
    message = (
        r"2 of 18 utterances of egs/two .* egs/one.*first ten: b-rage-1 \(there a-bored-2\), "
        r"c-joy-2 \(there b-calm-1\)"
    )
    with pytest.raises(FoldError, match=message):
        audit(shared, toys["one"].recipe, toys["two"].recipe)
    # the other way round too: of an ignored class, a-bored-2 is not scored, but it is in the task
    with pytest.raises(FoldError, match="2 of 24 utterances of egs/one"):
        audit(shared, toys["two"].recipe, toys["one"].recipe)


def rehash(toy, names):
    """Give utterances of a toy the audio of others."""
    from lhotse import CutSet

    path = toy.path / "data" / "fbank" / "cuts.jsonl.gz"
    cuts = list(CutSet.from_file(path).to_eager())
    for cut in cuts:
        segment = cut.supervisions[0]
        segment.custom["audio_hash"] = names.get(segment.id, segment.custom["audio_hash"])
    CutSet.from_cuts(cuts).to_file(path)


def test_a_class_that_is_not_declared_is_refused(toys, shared):
    ignoring = dataclasses.replace(shared.recipes["one"], ignored_labels=[])
    other = dataclasses.replace(shared, recipes=shared.recipes | {"one": ignoring})
    with pytest.raises(ConfigError, match="class 'bored' of its task four is neither in"):
        audit(other, toys["one"].recipe, toys["two"].recipe)
