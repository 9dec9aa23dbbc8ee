"""Stages 3 and 4 of one fold, run as the recipes run them, up to the files that they leave."""

import json
import sys

import numpy as np
import pytest

from dsnet.bin import infer, train
from dsnet.errors import TrainingError
from dsnet.systems import SYSTEMS

TINY = """\
kind: {kind}
input: {{mode: crop, max_frames: 16}}
encoder: {{num_bins: 20, channels: [4, 4, 6, 8], embed_dim: 8}}
train: {{batch_size: 4, max_epochs: 2}}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a program on fold a of a system in the recipe folder `tmp_path`."""

    def run_program(main, kind):
        (tmp_path / "conf").mkdir(exist_ok=True)
        (tmp_path / "conf" / f"{kind}.yaml").write_text(TINY.format(kind=kind))
        monkeypatch.chdir(tmp_path)
        options = ["--system", kind, "--folds", "a", "--device", "cpu", "task", ".", f"exp/{kind}"]
        monkeypatch.setattr(sys, "argv", ["program", *options])
        main()
        return tmp_path / "exp" / kind / "fold_a"

    return run_program


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_fold_is_trained_and_inferred(tmp_path, write_stages, run, kind):
    write_stages(tmp_path)
    folder = run(train.main, kind)
    about = json.loads((folder / "train.json").read_text())
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert about["kind"] == kind and about["side_information"] == SYSTEMS[kind].side_information
    assert about["seconds"] == pytest.approx(sum(entry["seconds"] for entry in entries))
    assert about["seconds_per_epoch"] == pytest.approx(about["seconds"] / 2)
    assert about["peak_memory_bytes"] > 1e7 and "peak_gpu_bytes" not in about
    assert "cores" in about["machine"]

    run(infer.main, kind)
    speakers = {"train": "c", "dev": "b", "test": "a"}
    for part, speaker in speakers.items():
        utt_ids = [f"{speaker}-{rest}" for rest in ("H-1", "H-2", "N-1", "N-2")]
        stored = np.load(folder / part / "embeddings.npz")
        assert stored["utt_ids"].tolist() == utt_ids and stored["h"].shape == (4, 8)
        posteriors = folder / part / "posteriors.tsv"
        assert posteriors.exists() == (part != "train")
        if part != "train":
            lines = posteriors.read_text().splitlines()
            assert [line.split("\t")[0] for line in lines] == ["utt_id", *utt_ids]


def test_a_speaker_without_reference_is_named_before_training(tmp_path, write_stages, run):
    write_stages(tmp_path, count=1)
    with pytest.raises(TrainingError, match="no neutral reference beside themselves"):
        run(train.main, "dsc")
    assert not (tmp_path / "exp" / "dsc" / "fold_a" / "model.pt").exists()
