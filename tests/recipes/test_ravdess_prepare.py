"""RAVDESS's prepare.py on small trees in the layout of the release."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsnet.corpus.manifests import read_manifests
from dsnet.errors import CorpusError

PREPARE = Path(__file__).parents[2] / "egs" / "ravdess" / "local" / "prepare.py"
utterances = runpy.run_path(str(PREPARE))["utterances"]


@pytest.fixture
def corpus(tmp_path):
    """An utterance of each actor; odd ones as wav, even ones as flac, actor 5 in stereo."""
    folder = tmp_path / "Lehrstühle, copy" / "RAVDESS"
    for actor in range(1, 25):
        path = folder / f"Actor_{actor:02}" / f"03-01-0{1 + actor % 8}-01-02-01-{actor:02}"
        path.parent.mkdir(parents=True)
        samples = np.random.default_rng(actor).uniform(-0.5, 0.5, 9600)
        if actor == 5:
            samples = np.stack([samples, samples], 1)
        soundfile.write(path.with_suffix(".wav" if actor % 2 else ".flac"), samples, 48000)
        (path.parent / f"._{path.name}.wav").write_bytes(b"\0\5\26\7")
    return folder


def test_utterances(corpus, tmp_path):
    command = [sys.executable, str(PREPARE), str(corpus), str(tmp_path / "m")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "24 utterances of 24 speakers, 0.00 h, 48000 Hz" in done.stdout
    assert "channel" not in done.stdout  # two equal ones are no news
    recordings, supervisions = read_manifests(tmp_path / "m")
    first, fifth = supervisions["03-01-02-01-02-01-01"], supervisions["03-01-06-01-02-01-05"]
    assert (first.speaker, first.gender, first.custom["emotion"]) == ("01", "male", "02")
    assert first.text == "Dogs are sitting by the door."
    assert {k: first.custom[k] for k in ("intensity", "statement", "repetition")} == {
        "intensity": "normal",
        "statement": "02",
        "repetition": "01",
    }
    assert supervisions["03-01-03-01-02-01-02"].gender == "female"
    assert fifth.channel == 0 and recordings[fifth.recording_id].num_channels == 2


def test_wav_and_flac_of_the_same_utterance(corpus, tmp_path):
    source = corpus / "Actor_02" / "03-01-03-01-02-01-02.flac"
    soundfile.write(source.with_suffix(".wav"), *soundfile.read(source))
    command = [sys.executable, str(PREPARE), str(corpus), str(tmp_path / "m")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "two utterances with the id '03-01-03-01-02-01-02'" in done.stderr


def test_wrong_level(corpus):
    with pytest.raises(CorpusError, match=f"one actor's folder; give {corpus}"):
        list(utterances(corpus / "Actor_03"))
    with pytest.raises(CorpusError, match=rf"no folder Actor_01 in it; did you mean {corpus}\?"):
        list(utterances(corpus.parent))
    (corpus.parent.parent / "audio_speech_actors_01-24").mkdir()
    corpus.parent.rename(corpus.parent.parent / "audio_speech_actors_01-24" / "again")
    top = corpus.parent.parent
    there = top / "audio_speech_actors_01-24" / "again" / corpus.name
    with pytest.raises(CorpusError, match=rf"no folder Actor_01 in it; did you mean {there}\?"):
        list(utterances(top))
    (top / "nothing").mkdir()
    with pytest.raises(CorpusError, match="give the folder that holds Actor_01"):
        list(utterances(top / "nothing"))


def test_missing_actors_are_named(corpus):
    for actor in ("Actor_07", "Actor_19"):
        (corpus / actor).rename(corpus / f"old {actor}")
    with pytest.raises(CorpusError, match="22 of 24 actors are there; missing: Actor_07, Actor_19"):
        list(utterances(corpus))
    (corpus / "Actor_07").mkdir()
    (corpus / "Actor_19").mkdir()
    with pytest.raises(CorpusError, match="Actor_07: no wav or flac file of speech"):
        list(utterances(corpus))


def test_copies_that_hold_more(corpus, capsys):
    """Song unpacked among the speech, and the speech once more in a folder below."""
    before = [u.id for u in utterances(corpus)]
    shutil.copytree(corpus, corpus / "audio_speech_actors_01-24")
    for actor in (1, 2, 24):
        path = next((corpus / f"Actor_{actor:02}").glob("03-01*"))
        shutil.copy(path, path.with_stem(f"03-02-02-01-02-01-{actor:02}"))
    assert capsys.readouterr().out == ""
    assert [u.id for u in utterances(corpus)] == before
    assert capsys.readouterr().out == "3 files of song (03-02-...) left out\n"
    next((corpus / "Actor_24").glob("03-01*")).unlink()
    with pytest.raises(CorpusError, match="Actor_24: no wav or flac file of speech"):
        list(utterances(corpus))


@pytest.mark.parametrize(
    "name",
    [
        "01-01-02-01-02-01-01",  # with video
        "03-01-09-01-02-01-01",  # no such emotion
        "03-01-02-01-02-01-02",  # another actor
        "speech",
    ],
)
def test_unknown_name(corpus, name):
    path = corpus / "Actor_01" / "03-01-02-01-02-01-01.wav"
    path.rename(path.with_stem(name))
    with pytest.raises(CorpusError, match=rf"{name}\.wav: expected a name such as"):
        list(utterances(corpus))
