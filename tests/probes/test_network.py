"""All probes of a network, on embeddings whose contents are known."""

import numpy as np
import pytest
import torch

from dsnet.errors import ScoringError
from dsnet.probes.network import probe_network
from dsnet.systems.system import Output


def probe(networks, folder, recombine=None, fold="A"):
    return probe_network(folder, networks.task, fold, networks.labels, recombine)


def test_disentangled_parts_are_found_to_be_so(networks):
    found = [
        probe(networks, networks.write("ideal", seed, "A", networks.disentangled(seed)))
        for seed in range(5)
    ]
    chance = {"speaker": 0.5, "text": 0.25, "emotion": 1 / 3}
    held = {"h": ("speaker", "emotion"), "s": ("speaker",), "e": ("emotion",)}
    for part, targets in held.items():
        for target, level in chance.items():
            for name in ("linear", "knn"):
                scores = [n["parts"][part][target][name]["balanced_accuracy"] for n in found]
                if target in targets:
                    assert np.mean(scores) > 0.95
                else:
                    assert np.mean(scores) == pytest.approx(level, abs=0.1)
    debiased = np.mean([n["similarity"]["debiased"] for n in found])
    assert debiased == pytest.approx(0, abs=0.05)
    assert found[0]["num_train"] == 96
    assert found[0]["num_held_out"] == 48
    assert found[0]["targets"]["emotion"]["majority"] == pytest.approx(1 / 3)


def test_swap_takes_the_networks_own_decisions(networks):
    arrays = networks.disentangled(0)
    arrays["e"] = np.eye(3, dtype=np.float32)[
        [
            networks.task.classes.index(networks.task.utt2emo[u])
            for u in sorted(networks.task.utt2emo)
        ]
    ]
    folder = networks.write("dsnet", 1, "A", arrays)
    swap = probe(networks, folder, lambda s, e: Output(e, {}))["swap"]
    assert (swap["follows_e"], swap["unswapped"]) == (1, 1)
    assert swap["num_pairs"] == 48 * 32
    swap = probe(networks, folder, lambda s, e: Output(torch.roll(e, 1, 1), {}))["swap"]
    assert swap["follows_e"] == swap["unswapped"] == 0
    assert swap["follows_s"] == swap["neither"] == pytest.approx(0.5)


def test_a_system_without_parts_has_no_similarity(networks):
    h = networks.disentangled(0)["h"]
    found = probe(networks, networks.write("base", 1, "A", {"h": h}))
    assert list(found["parts"]) == ["h"]
    assert found["similarity"] is found["swap"] is None


def test_sex_is_absent_where_the_held_out_speakers_share_it(networks):
    found = probe(networks, networks.write("x", 1, "C", networks.disentangled(0)), fold="C")
    assert found["targets"]["sex"] is None
    assert found["parts"]["s"]["sex"] is None


def test_files_of_another_fold_are_refused(networks):
    folder = networks.write("x", 1, "A", networks.disentangled(0))
    with pytest.raises(ScoringError, match="96 utterances, expected the 96 of the fold"):
        probe(networks, folder, fold="B")
    (folder / "train" / "embeddings.npz").unlink()
    with pytest.raises(ScoringError, match="train/embeddings.npz: no such file; run --stage 4"):
        probe(networks, folder)


def test_embeddings_that_are_not_finite_are_refused(networks):
    arrays = networks.disentangled(0)
    arrays["e"][:, 3] = np.nan
    folder = networks.write("x", 1, "A", arrays)
    with pytest.raises(ScoringError, match="'e' is not finite"):
        probe(networks, folder)
