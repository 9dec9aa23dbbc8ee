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

    def run_program(main, kind, changes=""):
        (tmp_path / "conf").mkdir(exist_ok=True)
        (tmp_path / "conf" / f"{kind}.yaml").write_text(TINY.format(kind=kind))
        monkeypatch.chdir(tmp_path)
        name = f"{kind}@{changes}" if changes else kind
        seed_dir = f"exp/{name}/seed_1"
        options = ["--system", name, "--folds", "a", "--device", "cpu", "task", ".", seed_dir]
        monkeypatch.setattr(sys, "argv", ["program", *options])
        main()
        return tmp_path / seed_dir / "fold_a"

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
    assert not (tmp_path / "exp" / "dsc" / "seed_1" / "fold_a" / "model.pt").exists()


@pytest.mark.parametrize("kind", ["base", "dsc"])
def test_a_calibrated_system_is_tried_with_other_clips(tmp_path, write_stages, run, kind):
    write_stages(tmp_path)
    changes = "input.calibrate=neutral"
    folder = run(train.main, kind, changes)
    about = json.loads((folder / "train.json").read_text())
    assert "3 neutral clips of the speaker at inference" in about["side_information"]
    assert about["given_utterances"] == ["a-N-1", "a-N-2", "b-N-1", "b-N-2"]
    run(infer.main, kind, changes)
    found = {}
    for name in ("neutral1", "neutral5", "unlabelled", "own_neutral"):
        other = tmp_path / "exp" / f"{kind}@{changes}-{name}" / "seed_1" / "fold_a"
        assert (other / "dev" / "posteriors.tsv").exists()
        found[name] = (other / "test" / "posteriors.tsv").read_text()
        about = json.loads((other / "train.json").read_text())
        labelled = name.startswith("neutral")
        assert about["kind"] == (kind if labelled else f"{kind}_transductive")
        assert bool(about["given_utterances"]) == labelled
    usual = (folder / "test" / "posteriors.tsv").read_text()
    assert found["neutral5"] == usual  # a speaker has two neutral clips, which is all there is
    assert found["unlabelled"] != usual


def test_a_speaker_without_clip_is_named_before_training(tmp_path, write_stages, run):
    write_stages(tmp_path)
    (tmp_path / "task" / "neutral2spk").write_text("".join(f"{spk}-N-1 {spk}\n" for spk in "abc"))
    (tmp_path / "task" / "spk2neutral").write_text("".join(f"{spk} {spk}-N-1\n" for spk in "abc"))
    with pytest.raises(TrainingError, match="a-N-1.*references.if_missing"):
        run(train.main, "base", "input.calibrate=neutral")
