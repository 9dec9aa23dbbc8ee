"""The program: from checkpoints and stored embeddings to probes.json."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dsnet.bin import probe
from dsnet.errors import ScoringError, TrainingError
from dsnet.models.encoder import EncoderConfig
from dsnet.probes.network import read_embeddings
from dsnet.probes.summary import read_probes
from dsnet.systems import build_system
from dsnet.systems.config import SystemConfig
from dsnet.training.checkpoint import config_values, load, save

DIM = 8


def write_network(networks, kind, fold, changes=None):
    """Write an untrained network and what stages 3 and 4 would leave of it; return both."""
    torch.manual_seed(0)
    config = SystemConfig(kind=kind, encoder=EncoderConfig(channels=[3, 4, 5, 6], embed_dim=DIM))
    features = {"name": "fbank", "kind": "fbank", "dim": 20, "frame_shift_ms": 10.0}
    system = build_system(config, SimpleNamespace(**features), 3, 4).eval()
    h = torch.randn(len(networks.task.utt2spk), DIM)
    if kind == "dsnet":
        s, e = system.to_irrelevant(h), system.to_emotion(h)
        parts = {"h": h, "s": s, "e": e}
    else:
        parts = {"h": h, "e": system.to_emotion(h)}
    arrays = {name: x.detach().numpy() for name, x in parts.items()}
    folder = networks.write(kind, 1, fold, arrays)
    counts = {"config": {}, "manifests_digest": "m", "num_utterances": 144, "num_frames": 9}
    content = {
        "config": config_values(config),
        "features": {**features, **counts, "digest": "f"},
        "classes": networks.task.classes,
        "task_digest": networks.task.digest,
        "features_digest": "f",
        "code_digest": "k",
        "num_speakers": 4,
        "fold": fold,
        "seed": 1,
        "model": system.state_dict(),
        **(changes or {}),
    }
    save(folder / "model.pt", content)
    return folder, system


def run(networks, seed_dir, folds, monkeypatch):
    words = ["probe", str(networks.task.task_dir), str(seed_dir), "--folds", folds]
    monkeypatch.setattr("sys.argv", words)
    probe.main()


def test_each_network_is_probed_and_can_be_summarised(networks, monkeypatch, capsys):
    folders = [write_network(networks, "base_matched", fold)[0] for fold in "AC"]
    run(networks, folders[0].parent, "A C", monkeypatch)
    found = json.loads((folders[1] / "probes.json").read_text())
    about = {"system": "base_matched", "seed": 1, "fold": "C"}
    assert about.items() <= found.items()
    assert found["digests"]["task"] == networks.task.digest
    assert list(found["parts"]) == ["h", "e"]
    assert found["similarity"] is found["swap"] is None
    assert found["num_held_out"] == 48
    assert f"{folders[0].parent}: 2 networks probed" in capsys.readouterr().out
    summary = read_probes({"name on the page": folders})["name on the page"]
    assert summary["folds"] == ["A", "C"]
    assert summary["targets"]["sex"]["num_absent"] == 1


def test_a_constant_part_is_said(networks, monkeypatch, capsys):
    folder, _ = write_network(networks, "dsnet", "A")
    for part in ("train", "dev", "test"):
        path = folder / part / "embeddings.npz"
        stored = dict(np.load(path))
        np.savez(path, **{**stored, "s": np.full_like(stored["s"], 0.5)})
    run(networks, folder.parent, "A", monkeypatch)
    words = f"{folder.parent}: s is the same for every utterance in 1 of 1 networks"
    assert words in capsys.readouterr().out


def test_a_folders_name_says_nothing(networks, monkeypatch):
    folder, _ = write_network(networks, "base_matched", "C")
    moved = networks.exp_dir.parent / "moved" / "fold_B"
    moved.parent.mkdir()
    folder.rename(moved)
    run(networks, moved.parent, "B", monkeypatch)
    found = json.loads((moved / "probes.json").read_text())
    assert (found["system"], found["seed"], found["fold"]) == ("base_matched", 1, "C")


def test_parts_are_swapped_through_the_networks_own_decoder(networks, monkeypatch):
    folder, system = write_network(networks, "dsnet", "A")
    run(networks, folder.parent, "A", monkeypatch)
    swap = json.loads((folder / "probes.json").read_text())["swap"]

    fold = networks.task.fold("A")
    sides = [(folder / part / "embeddings.npz", getattr(fold, part)) for part in ("dev", "test")]
    stored = [read_embeddings(*side) for side in sides]
    h, s, e = (torch.from_numpy(np.concatenate([x.arrays[p] for x in stored])) for p in "hse")
    own = system.classifier(system.to_emotion(h)).argmax(1).tolist()
    counts = {"follows_e": 0, "follows_s": 0, "unswapped": 0}
    with torch.inference_mode():
        for i in range(len(own)):
            h = system.decoder(torch.cat([s, e[i].expand_as(s)], 1))
            decisions = system.classifier(system.to_emotion(h)).argmax(1).tolist()
            counts["unswapped"] += decisions[i] == own[i]
            for j, decision in enumerate(decisions):
                if own[i] != own[j]:
                    counts["follows_e"] += decision == own[i]
                    counts["follows_s"] += decision == own[j]
    pairs = sum(a != b for a in own for b in own)
    assert swap["num_pairs"] == pairs > 0
    assert swap["follows_e"] == pytest.approx(counts["follows_e"] / pairs)
    assert swap["follows_s"] == pytest.approx(counts["follows_s"] / pairs)
    assert swap["unswapped"] == pytest.approx(counts["unswapped"] / 48)


def test_parts_of_a_network_that_hears_several_speeds_are_swapped_too(networks, monkeypatch):
    """By the embedding at the speed of the recording, so as if it heard that alone."""
    folder, _ = write_network(networks, "dsnet", "A")
    found = []
    for speeds in ([], [0.9, 1.1]):
        content = load(folder / "model.pt")
        content["features"]["config"] = {"speeds": speeds}
        save(folder / "model.pt", content)
        run(networks, folder.parent, "A", monkeypatch)
        found.append(json.loads((folder / "probes.json").read_text())["swap"])
    assert found[0] is not None and found[0] == found[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task_digest": "another"}, "trained with other folds, labels or references"),
        ({"fold": "B"}, "trained with fold B in the place of A"),
        ({"features_digest": "another", "code_digest": "too"}, "other features and other code"),
        ({"seed": 2}, "trained with seed 2 in the place of 1"),
    ],
)
def test_a_model_that_is_not_the_one_of_train_json_is_refused(
    networks, monkeypatch, changes, message
):
    folder, _ = write_network(networks, "base_matched", "A", changes)
    with pytest.raises(TrainingError, match=message):
        run(networks, folder.parent, "A", monkeypatch)


def test_a_folder_without_network_is_refused(networks, monkeypatch):
    with pytest.raises(ScoringError, match="train.json: no such file; .* run --stage 3"):
        run(networks, networks.exp_dir / "dsnet" / "seed_1", "A", monkeypatch)
