"""export_kaldi and import_kaldi as they are called: out and back again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from dsnet.corpus.kaldi_data import read_list, write_list
from dsnet.corpus.manifests import read_manifests
from dsnet.corpus.prepare import prepare
from dsnet.corpus.utterance import Utterance


def call(program, *args):
    command = [sys.executable, "-m", f"dsnet.bin.{program}", *args]
    return subprocess.run(command, capture_output=True, text=True)


def test_out_and_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        soundfile.write(f"u{i}.wav", np.random.default_rng(i).uniform(-1, 1, 8000), 16000)
    prepare([Utterance(f"u{i}", "s", "N", Path(f"u{i}.wav")) for i in range(3)], Path("m"))
    write_list(Path("task/utt2emo"), {"u0": "neutral", "u2": "neutral"})
    write_list(Path("f/feats.scp"), {f"u{i}": f"f/fbank.1.ark:{i}" for i in range(3)})
    Path("f/fbank.1.ark").touch()

    options = ["--manifests", "m", "--task", "task", "--feats", "f"]
    done = call("export_kaldi", *options, "kaldi")
    assert done.stdout == "kaldi: 2 utterances\n", done.stderr
    assert read_list(Path("kaldi/feats.scp"))["u2"] == f"{tmp_path}/f/fbank.1.ark:2"

    done = call("import_kaldi", "kaldi", "m2", "--nj", "1")
    assert "2 utterances of 1 speakers" in done.stdout, done.stderr
    there = {s.id: s for s in read_manifests("m2")[1]}
    assert {u: s.custom["emotion"] for u, s in there.items()} == {"u0": "neutral", "u2": "neutral"}
    first = {s.id: s for s in read_manifests("m")[1]}
    assert there["u0"].custom["audio_hash"] == first["u0"].custom["audio_hash"]


def test_from_outside_of_the_recipe(tmp_path, monkeypatch):
    """Its paths begin in its folder, wherever the program is called."""
    recipe = tmp_path / "egs" / "x"
    recipe.mkdir(parents=True)
    monkeypatch.chdir(recipe)
    soundfile.write("u0.wav", np.random.default_rng(0).uniform(-1, 1, 8000), 16000)
    prepare([Utterance("u0", "s", "N", Path("u0.wav"))], Path("data/manifests"))
    write_list(Path("data/f/feats.scp"), {"u0": "data/f/f.1.ark:3"})
    Path("data/f/f.1.ark").touch()
    monkeypatch.chdir(tmp_path)
    words = ["--manifests", "egs/x/data/manifests", "--feats", "egs/x/data/f", "k"]
    done = call("export_kaldi", *words)
    assert done.stdout == "k: 1 utterances\n", done.stderr
    assert read_list(Path("k/feats.scp")) == {"u0": f"{recipe}/data/f/f.1.ark:3"}
    assert read_list(Path("k/wav.scp")) == {"u0": f"{recipe}/u0.wav"}
    (recipe / "data/f/f.1.ark").unlink()
    done = call("export_kaldi", *words)
    assert done.returncode == 1 and f"such as {recipe}/data/f/f.1.ark:3; run this" in done.stderr


def test_missing_folder(tmp_path):
    done = call("import_kaldi", str(tmp_path), str(tmp_path / "m"))
    assert done.returncode == 1
    assert "wav.scp: no such list" in done.stderr
