"""extract and combine_feats as they are called: two jobs, then one feature folder."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import CutSet

from dsnet.corpus.prepare import prepare
from dsnet.corpus.utterance import Utterance
from dsnet.features.store import FeatureStore


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        soundfile.write(f"u{i}.wav", np.random.default_rng(i).uniform(-1, 1, 8000), 16000)
    prepare([Utterance(f"u{i}", "s", "N", Path(f"u{i}.wav")) for i in range(3)], Path("m"))
    Path("conf/features").mkdir(parents=True)
    Path("conf/features/few.yaml").write_text("kind: fbank\nnum_mel_bins: 23\n")
    return tmp_path


def call(program, *args, features="few"):
    command = [sys.executable, "-m", f"dsnet.bin.{program}", "--features", features, *args]
    return subprocess.run([*command, "m", "f"], capture_output=True, text=True)


def test_two_jobs(recipe):
    done = call("extract", "--job", "1", "--num-jobs", "2")
    assert done.stdout == "job 1 of 2: 1 of 1 utterances computed, 0 were there\n", done.stderr
    unfinished = call("combine_feats")
    assert unfinished.returncode == 1
    assert unfinished.stderr.startswith("combine_feats: f/f.2.ark: this job has not run")
    assert call("extract", "--job", "2", "--num-jobs", "2").returncode == 0
    done = call("combine_feats")
    assert done.stdout.startswith("f: 3 utterances, 150 frames of 23 dimensions, digest ")
    assert CutSet.from_file("f/cuts.jsonl.gz")[0].load_features().shape == (50, 23)
    assert FeatureStore.open(Path("f")).frames.shape == (150, 23)


def test_what_is_wrong_is_one_line(recipe):
    done = call("extract", features="few@num_mel_bin=24")
    assert done.returncode == 1
    assert "unknown key 'num_mel_bin'; did you mean 'num_mel_bins'?" in done.stderr
    done = call("extract", features="fbank")
    assert done.returncode == 1
    assert (
        done.stderr == "extract: no features 'fbank' in conf/features or ../conf/features; "
        "there are: few\n"
    )
