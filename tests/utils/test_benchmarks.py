"""The benchmarks run: small corpora of noise, a round each."""

import io
import json
import sys
from pathlib import Path
from unittest import mock

import benchmark_memory
import benchmarks
import pytest

from dsnet.features.store import FeatureStore
from dsnet.recipe import Recipe

EMODB = Path(__file__).parents[2] / "egs" / "emodb"


def test_a_training_on_noise(tmp_path, monkeypatch, capsys):
    size = benchmark_memory.write_recipe(tmp_path, 600)
    store = FeatureStore.open(Recipe(tmp_path).features("fbank"))
    assert len(store.index) == 600 and size == store.info.num_frames * 80 * 2
    monkeypatch.chdir(EMODB)  # whose systems are all
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    benchmark_memory.train(tmp_path, "base_matched_small", 1)
    assert capsys.readouterr().out == "trained\n"


def test_a_row_has_both_and_their_ratio(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(EMODB)
    words = ["x", "--only", "features", "--rounds", "1", "--json", str(tmp_path / "rows.json")]
    with mock.patch.object(sys, "argv", words):
        benchmarks.main()
    content = json.loads((tmp_path / "rows.json").read_text())
    (row,) = content["rows"]
    assert row["ratio"] == row["seconds"] / row["seconds_against"] and not row["why"]
    assert f"| x {row['ratio']:.2f} |" in capsys.readouterr().out


def test_a_row_that_cannot_be_measured_says_why(tmp_path, monkeypatch):
    pytest.importorskip("transformers")  # else that is why
    monkeypatch.chdir(EMODB)
    monkeypatch.setenv("DSNET_MODELS", str(tmp_path))
    row = benchmarks.measure(*benchmarks.ROWS["encode"], 1)
    assert row.seconds == 0 and "whisper-base" in row.why and "not measured: " in str(row)
