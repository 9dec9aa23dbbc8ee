"""Kaldi data directories: what is exported comes back, and commands are never run."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsnet.corpus.audio import inspect
from dsnet.corpus.kaldi_data import export_kaldi, read_kaldi, read_list
from dsnet.corpus.manifests import make_manifests
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a b").mkdir()
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 44100)
    for name in ("long.wav", "Z.wav", "ä.wav"):
        soundfile.write(Path("a b", name), samples, 44100)
    return [
        Utterance("long-2", "s2", "W", Path("a b/long.wav"), start=0.1, end=0.7, text="ja  doch"),
        Utterance("long-1", "s1", "N", Path("a b/long.wav"), start=1 / 3, session="1", sex="male"),
        Utterance("Z", "s1", "N", Path("a b/Z.wav"), session="1", sex="male", dialogue="d"),
        Utterance("ä", "S1", "exc", Path("a b/ä.wav"), sex="female"),
    ]


def manifests(utterances):
    return make_manifests((u, inspect(u)) for u in utterances)


@pytest.mark.parametrize("part", [slice(0, 4), slice(2, 4)], ids=["segments", "whole files"])
def test_round_trip(corpus, tmp_path, part):
    made = manifests(corpus[part])
    assert export_kaldi(*made, tmp_path / "k") == len(corpus[part])
    assert (tmp_path / "k" / "segments").exists() == (part.start == 0)
    again = manifests(read_kaldi(tmp_path / "k"))
    for segment in made[1]:
        if segment.text:
            segment.text = "ja doch"  # white space is one space in a list
    strip = [r.to_dict() for r in made[0]], [s.to_dict() for s in made[1]]
    assert ([r.to_dict() for r in again[0]], [s.to_dict() for s in again[1]]) == strip


def test_lists_are_sorted_as_bytes_and_agree(corpus, tmp_path):
    export_kaldi(*manifests(corpus), tmp_path)
    for name in ("utt2spk", "spk2utt", "utt2emo", "wav.scp", "segments", "spk2gender"):
        lines = (tmp_path / name).read_bytes().splitlines()
        keys = [line.split(b" ")[0] for line in lines]
        assert keys == sorted(keys), name
    assert (tmp_path / "utt2spk").read_text() == "Z s1\nlong-1 s1\nlong-2 s2\nä S1\n"
    assert (tmp_path / "spk2utt").read_text() == "S1 ä\ns1 Z long-1\ns2 long-2\n"
    assert (tmp_path / "spk2gender").read_text() == "S1 f\ns1 m\n"
    assert (tmp_path / "text").read_text() == "long-2 ja doch\n"
    assert read_list(tmp_path / "wav.scp")["Z"] == str(tmp_path / "a b" / "Z.wav")


def test_export_of_a_task_with_features(corpus, tmp_path):
    made = manifests(corpus)
    export_kaldi(*made, tmp_path / "k")  # leaves lists that the next one has no use for
    utt2emo = {"Z": "neutral", "ä": "happy"}
    Path("data").mkdir()
    Path("data/fbank.1.ark").touch()
    feats = {utt_id: f"data/fbank.1.ark:{n}" for n, utt_id in enumerate(("Z", "long-1", "ä"))}
    assert export_kaldi(*made, tmp_path / "k", utt2emo, feats) == 2
    assert read_list(tmp_path / "k" / "utt2emo") == utt2emo
    assert read_list(tmp_path / "k" / "feats.scp") == {
        "Z": f"{tmp_path}/data/fbank.1.ark:0",
        "ä": f"{tmp_path}/data/fbank.1.ark:2",
    }
    assert set(read_list(tmp_path / "k" / "wav.scp")) == {"Z", "ä"}
    assert not (tmp_path / "k" / "segments").exists()
    assert not (tmp_path / "k" / "text").exists()
    with pytest.raises(CorpusError, match="1 of 1 utterances to export have no features: long-2"):
        export_kaldi(*made, tmp_path / "k", {"long-2": "W"}, feats)
    with pytest.raises(CorpusError, match=r"1 of them not in the manifests \(other\)"):
        export_kaldi(*made, tmp_path / "k", {"Z": "N", "other": "N"})


def test_second_channel_cannot_be_exported(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (8000, 2))
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    made = manifests([Utterance("a", "s", "N", tmp_path / "a.wav", channel=1)])
    with pytest.raises(CorpusError, match="not the first channel"):
        export_kaldi(*made, tmp_path)


def kaldi_dir(folder, **lists):
    lists = {"wav.scp": "u1 a.wav\n", "utt2spk": "u1 s\n", "utt2emo": "u1 N\n", **lists}
    for name, text in lists.items():
        (folder / name).write_text(text)
    return folder


def test_commands_are_refused(tmp_path):
    there = tmp_path / "touched"
    folder = kaldi_dir(tmp_path, **{"wav.scp": f"u1 touch {there}; cat a.wav |\n"})
    with pytest.raises(CorpusError, match=r"wav\.scp: 1 of 1 entries are commands, first: 'u1 tou"):
        read_kaldi(folder)
    assert not there.exists()


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"utt2spk": "u1 s\nu2 s\n"}, "utt2spk has 2 utterances, wav.scp 1; .*: u2"),
        ({"utt2emo": "u2 N\n"}, "only in one of them: u1, u2"),
        ({"utt2spk": "u1\n"}, "utt2spk:1: expected 'key value', found 'u1'"),
        ({"utt2spk": "u1 s\nu1 t\n"}, "utt2spk:2: 'u1' is listed twice"),
        ({"spk2gender": "s female\n"}, "spk2gender: 's female'; expected f or m"),
        ({"segments": "u1 u1 0\n"}, "expected 'utterance recording start end', found 'u1 u1 0'"),
        ({"segments": "u1 r2 0 1\n"}, "recording 'r2' of 'u1' is not in wav.scp"),
    ],
)
def test_malformed_directories(tmp_path, lists, message):
    with pytest.raises(CorpusError, match=message):
        read_kaldi(kaldi_dir(tmp_path, **lists))


def test_a_transcript_may_be_empty(tmp_path):
    folder = kaldi_dir(tmp_path, text="u1 \n")
    assert [u.text for u in read_kaldi(folder)] == [None]


def test_missing_list(tmp_path):
    with pytest.raises(CorpusError, match=r"wav\.scp: no such list; is .* a Kaldi data directory"):
        read_kaldi(tmp_path)


def test_end_of_minus_one_is_the_end_of_the_file(tmp_path):
    folder = kaldi_dir(tmp_path, segments="u1 u1 0.5 -1\n")
    (utterance,) = read_kaldi(folder)
    assert (utterance.start, utterance.end, utterance.recording_id) == (0.5, None, "u1")
