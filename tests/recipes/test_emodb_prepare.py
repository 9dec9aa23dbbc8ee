"""EmoDB's prepare.py on small trees in the layout of the release."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsnet.corpus.manifests import read_manifests
from dsnet.errors import CorpusError

PREPARE = Path(__file__).parents[2] / "egs" / "emodb" / "local" / "prepare.py"
utterances = runpy.run_path(str(PREPARE))["utterances"]
NAMES = ["03a01Fa", "03a01Nc", "08b10Wd", "16b02Tb"]


@pytest.fixture
def corpus(tmp_path):
    wav = tmp_path / "EmoDB copy" / "wav"
    wav.mkdir(parents=True)
    for i, name in enumerate(NAMES):
        samples = np.random.default_rng(i).uniform(-0.5, 0.5, 3200)
        soundfile.write(wav / f"{name}.wav", samples, 16000)
    (wav / "._03a01Fa.wav").write_bytes(b"\0\5\26\7")  # a Mac's copy leaves these
    return wav.parent


def test_utterances(corpus, tmp_path):
    # as in the release: no-break spaces behind the numbers, Windows line ends
    (corpus / "erkennung.txt").write_bytes(
        b"Nr.\tSatz\terkannt\tnatuerlich\r\n1\xa0\xa0\t03a01Fa.wav\t90,00\xa0\xa0\t75,50\xa0\r\n"
    )
    command = [sys.executable, str(PREPARE), str(corpus), str(tmp_path / "m")]
    subprocess.run(command, check=True)
    _, supervisions = read_manifests(tmp_path / "m")
    found = [(s.id, s.speaker, s.custom["emotion"], s.gender) for s in supervisions]
    assert found == [
        ("03a01Fa", "03", "F", "male"),
        ("03a01Nc", "03", "N", "male"),
        ("08b10Wd", "08", "W", "female"),
        ("16b02Tb", "16", "T", "female"),
    ]
    first, second = list(supervisions)[:2]
    assert first.text == second.text == "Der Lappen liegt auf dem Eisschrank."
    assert first.custom.pop("audio_hash")
    del first.custom["fingerprint"]
    assert first.custom == {
        "emotion": "F",
        "sentence": "a01",
        "take": "a",
        "recognised": 90.0,
        "natural": 75.5,
    }
    assert "recognised" not in second.custom


def test_without_folder_and_ratings(corpus, capsys):
    """Copies with the files in one folder: read alike, and the lack of ratings is said."""
    before = [(u.id, u.speaker, u.emotion, u.text, u.custom) for u in utterances(corpus)]
    assert capsys.readouterr().out == f"note: no erkennung.txt in {corpus}: no listeners' ratings\n"
    flat = (corpus / "wav").rename(corpus.parent / "flat")
    (flat / "erkennung.txt").write_text("Nr. Satz erkannt natuerlich\n1 03a01Fa.wav 90 75\n")
    found = {u.id: u for u in utterances(flat)}
    assert capsys.readouterr().out == ""
    assert found["03a01Fa"].custom.pop("recognised") == 90
    assert found["03a01Fa"].custom.pop("natural") == 75
    after = [(u.id, u.speaker, u.emotion, u.text, u.custom) for u in found.values()]
    assert after == before


def test_wrong_level(corpus, tmp_path):
    with pytest.raises(CorpusError, match=f"this is the wav folder; give {corpus}"):
        list(utterances(corpus / "wav"))
    with pytest.raises(CorpusError, match=rf"no folder wav in it; did you mean {corpus}\?"):
        list(utterances(corpus.parent))
    with pytest.raises(CorpusError, match="give the folder that holds"):
        list(utterances(corpus.parent / "nothing"))


@pytest.mark.parametrize("name", ["03a01Xa", "03a99Fa", "speech"])
def test_unknown_name(corpus, name):
    (corpus / "wav" / "03a01Fa.wav").rename(corpus / "wav" / f"{name}.wav")
    with pytest.raises(CorpusError, match=rf"{name}\.wav: expected a name such as 03a01Fa\.wav"):
        list(utterances(corpus))


def test_malformed_ratings(corpus):
    (corpus / "erkennung.txt").write_text("Nr. Satz erkannt natuerlich\n1 03a01Fa.wav 90\n")
    with pytest.raises(CorpusError, match=r"erkennung\.txt:2: expected number, file"):
        list(utterances(corpus))
