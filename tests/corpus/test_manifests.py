"""Manifests: Lhotse opens them, says the same as the audio, and equal content is equal bytes."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import CutSet, RecordingSet, SupervisionSet, validate

from dsnet.corpus.audio import inspect
from dsnet.corpus.manifests import (
    make_manifests,
    manifests_digest,
    read_manifests,
    relative_path,
    write_manifests,
)
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    folder = tmp_path / "a folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (44100, 2))
    soundfile.write("long.wav", samples, 44100, subtype="PCM_16")
    soundfile.write(tmp_path / "whole.flac", samples[:30000, 0], 44100, subtype="PCM_16")
    return [
        Utterance("b2", "s2", "W", Path("long.wav"), channel=1, start=0.1, end=0.7, text="ja"),
        Utterance("b1", "s1", "N", Path("long.wav"), start=0.123456, session="S1", sex="male"),
        Utterance("a", "s1", "N", tmp_path / "whole.flac", custom={"take": "c"}),
    ]


def manifests(utterances):
    return make_manifests((u, inspect(u)) for u in utterances)


def test_lhotse_accepts_and_loads_them(corpus, tmp_path):
    write_manifests("m", *manifests(corpus))
    recordings = RecordingSet.from_file("m/recordings.jsonl.gz")
    supervisions = SupervisionSet.from_file("m/supervisions.jsonl.gz").to_eager()
    validate(recordings.to_eager(), read_data=True)
    assert [s.id for s in supervisions] == ["a", "b1", "b2"]
    assert [r.id for r in recordings] == ["a", "long"]
    assert [r.sources[0].source for r in recordings] == [str(tmp_path / "whole.flac"), "long.wav"]
    cuts = CutSet.from_manifests(recordings=recordings, supervisions=supervisions)
    trimmed = cuts.trim_to_supervisions(keep_overlapping=False)
    lengths = {cut.supervisions[0].id: cut.load_audio().shape[1] for cut in trimmed}
    assert lengths == {"a": 30000, "b1": 44100 - 5444, "b2": 26460}
    assert supervisions["b2"].custom.keys() == {"emotion", "audio_hash", "fingerprint"}
    assert supervisions["b1"].gender == "male"
    assert supervisions["b1"].custom["session"] == "S1"
    assert supervisions["a"].custom["take"] == "c"
    # 0.123456 s lies between two samples: the manifest says which one the utterance starts at
    assert supervisions["b1"].start * 44100 == pytest.approx(5444, abs=1e-6)
    assert supervisions["b2"].duration * 44100 == pytest.approx(26460, abs=1e-6)


def test_order_of_the_utterances_does_not_matter_and_equal_content_is_equal_bytes(corpus):
    write_manifests("m1", *manifests(corpus))
    write_manifests("m2", *manifests(reversed(corpus)))
    for name in ("recordings.jsonl.gz", "supervisions.jsonl.gz"):
        assert Path("m1", name).read_bytes() == Path("m2", name).read_bytes()
    assert manifests_digest("m1") == manifests_digest("m2")
    write_manifests("m2", *manifests(corpus[:2]))
    assert manifests_digest("m1") != manifests_digest("m2")


def test_round_trip(corpus):
    recordings, supervisions = manifests(corpus)
    write_manifests("m", recordings, supervisions)
    read = read_manifests("m")
    assert list(read[0]) == list(recordings)
    assert list(read[1]) == list(supervisions)


def test_two_files_under_one_recording_id(corpus, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.random.default_rng(1).uniform(-1, 1, 9000), 16000)
    other = Utterance("c", "s1", "N", tmp_path / "long.wav", end=0.5)
    with pytest.raises(
        CorpusError, match=r"two files under one recording id 'long': long\.wav and"
    ):
        manifests([*corpus, other])


def test_missing_or_damaged_manifests(corpus):
    with pytest.raises(
        CorpusError, match=r"m/recordings\.jsonl\.gz: no such manifest; run --stage"
    ):
        read_manifests("m")
    write_manifests("m", *manifests(corpus))
    path = Path("m/supervisions.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorpusError, match="not readable as Lhotse manifests"):
        read_manifests("m")


def test_relative_path(tmp_path, monkeypatch):
    (tmp_path / "recipe").mkdir()
    monkeypatch.chdir(tmp_path / "recipe")
    assert relative_path("data/x.ark") == "data/x.ark"
    assert relative_path(tmp_path / "recipe" / "data") == "data"
    assert relative_path("../corpus") == str(tmp_path / "corpus")
    assert relative_path(tmp_path / "recipe2") == str(tmp_path / "recipe2")
