"""The program: from checkpoints and stored embeddings to probes.json."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from dsnet.bin import probe
from dsnet.errors import TrainingError
from dsnet.models.encoder import EncoderConfig
from dsnet.probes.network import read_embeddings
from dsnet.probes.summary import read_probes
from dsnet.systems import build_system
from dsnet.systems.config import SystemConfig
from dsnet.training.checkpoint import save

DIM = 8


def write_network(networks, kind, fold, digest=None):
    """Write an untrained network and what stage 4 would leave of it; return the network."""
    torch.manual_seed(0)
    encoder = EncoderConfig(num_bins=20, channels=[3, 4, 5, 6], embed_dim=DIM)
    config = SystemConfig(kind=kind, encoder=encoder)
    system = build_system(config, 3, 4).eval()
    h = torch.randn(len(networks.task.utt2spk), DIM)
    if kind == "dsnet":
        s, e = system.to_irrelevant(h), system.to_emotion(h)
        parts = {"h": h, "s": s, "e": e}
    else:
        parts = {"h": h, "e": system.to_emotion(h)}
    arrays = {name: x.detach().numpy() for name, x in parts.items()}
    folder = networks.write(kind, 1, fold, arrays)
    content = {
        "config": dataclasses.asdict(config),
        "classes": networks.task.classes,
        "task_digest": digest or networks.task.digest,
        "num_speakers": 4,
        "model": system.state_dict(),
    }
    save(folder / "model.pt", content)
    return system


def run(networks, kind, folds, monkeypatch):
    """Run the program and return the folder of the system."""
    folder = networks.exp_dir / kind
    words = ["probe", str(networks.task.task_dir), str(folder / "seed_1"), "--folds", folds]
    monkeypatch.setattr("sys.argv", words)
    probe.main()
    return folder


def test_each_fold_is_probed_and_can_be_summarised(networks, monkeypatch, capsys):
    for fold in "AC":
        write_network(networks, "base_matched", fold)
    folder = run(networks, "base_matched", "A C", monkeypatch)
    found = json.loads((folder / "seed_1" / "fold_C" / "probes.json").read_text())
    about = {"system": "base_matched", "seed": 1, "fold": "C"}
    assert about.items() <= found.items()
    assert list(found["parts"]) == ["h", "e"]
    assert found["similarity"] is found["swap"] is None
    assert "fold_C/probes.json: 48 held-out utterances" in capsys.readouterr().out
    summary = read_probes([folder], networks.task.digest)["base_matched"]
    assert summary["folds"] == ["A", "C"]
    assert summary["targets"]["sex"]["num_absent"] == 1


def test_parts_are_swapped_through_the_networks_own_decoder(networks, monkeypatch):
    system = write_network(networks, "dsnet", "A")
    folder = run(networks, "dsnet", "A", monkeypatch) / "seed_1" / "fold_A"
    swap = json.loads((folder / "probes.json").read_text())["swap"]

    fold = networks.task.fold("A")
    sides = [(folder / part / "embeddings.npz", getattr(fold, part)) for part in ("dev", "test")]
    stored = [read_embeddings(*side) for side in sides]
    s, e = (torch.from_numpy(np.concatenate([x.arrays[p] for x in stored])) for p in "se")
    own = [networks.task.classes.index(networks.task.utt2emo[u]) for x in stored for u in x.utt_ids]
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
    assert swap["num_pairs"] == 48 * 32
    assert swap["follows_e"] == pytest.approx(counts["follows_e"] / (48 * 32))
    assert swap["follows_s"] == pytest.approx(counts["follows_s"] / (48 * 32))
    assert swap["unswapped"] == pytest.approx(counts["unswapped"] / 48)


def test_a_network_of_other_folds_is_refused(networks, monkeypatch):
    write_network(networks, "base_matched", "A", digest="another")
    with pytest.raises(TrainingError, match="trained with other classes, folds"):
        run(networks, "base_matched", "A", monkeypatch)
