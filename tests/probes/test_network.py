"""All probes of a network, on embeddings whose contents are known."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dsnet.errors import ScoringError
from dsnet.probes import network
from dsnet.probes.network import probe_network
from dsnet.results.embeddings import variation
from dsnet.systems.system import Output


def probe(networks, folder, system=None, fold="A"):
    return probe_network(folder, networks.task, fold, networks.labels, system)


def test_disentangled_parts_are_found_to_be_so(networks):
    found = [
        probe(networks, networks.write("ideal", seed, "A", networks.disentangled(seed)))
        for seed in range(5)
    ]
    chance = {"text": 0.25, "emotion": 1 / 3}
    for part, targets in {"h": ["emotion"], "s": [], "e": ["emotion"]}.items():
        for target, level in chance.items():
            for name in ("linear", "knn"):
                scores = [n["parts"][part][target][name]["balanced_accuracy"] for n in found]
                if target in targets:
                    assert np.mean(scores) > 0.95
                else:
                    assert np.mean(scores) == pytest.approx(level, abs=0.1)
    eers = {part: np.mean([n["parts"][part]["speaker"]["eer"] for n in found]) for part in "hse"}
    assert eers["s"] < 0.02 < eers["h"] < 0.3
    assert eers["e"] == pytest.approx(0.5, abs=0.03)
    debiased = np.mean([n["similarity"]["debiased"] for n in found])
    assert debiased == pytest.approx(0, abs=0.05)
    assert found[0]["num_train"] == 96
    assert found[0]["num_held_out"] == 48
    assert found[0]["targets"]["emotion"]["majority"] == pytest.approx(1 / 3)
    # 24 utterances of each of two speakers, 6 of each text: pairs of 24 with 18 of other texts
    assert found[0]["targets"]["speaker"] == {
        "chance": 0.5, "num_target": 2 * 24 * 18 // 2, "num_impostor": 24 * 18,
    }  # fmt: skip
    json.dumps(found, allow_nan=False)


def test_swap_takes_the_networks_own_decisions(networks):
    arrays = networks.disentangled(0)
    arrays["e"] = np.eye(3, dtype=np.float32)[
        [
            networks.task.classes.index(networks.task.utt2emo[u])
            for u in sorted(networks.task.utt2emo)
        ]
    ]
    arrays["h"] = arrays["e"]
    folder = networks.write("dsnet", 1, "A", arrays)
    system = SimpleNamespace(decide=lambda h: Output(h, {}), recombine=lambda s, e: Output(e, {}))
    swap = probe(networks, folder, system)["swap"]
    assert (swap["follows_e"], swap["unswapped"]) == (1, 1)
    assert swap["num_pairs"] == 48 * 32
    system.recombine = lambda s, e: Output(torch.roll(e, 1, 1), {})
    swap = probe(networks, folder, system)["swap"]
    assert swap["follows_e"] == swap["unswapped"] == 0
    assert swap["follows_s"] == swap["neither"] == pytest.approx(0.5)


def test_a_system_without_parts_has_no_similarity(networks):
    h = networks.disentangled(0)["h"]
    found = probe(networks, networks.write("base", 1, "A", {"h": h}))
    assert list(found["parts"]) == ["h"]
    assert found["similarity"] is found["swap"] is None


def test_rounding_is_not_probed(networks):
    """What differs by a millionth could tell all, once it is standardised."""
    arrays = networks.disentangled(0)
    arrays["s"] = 1 + 1e-6 * arrays["e"]
    found = probe(networks, networks.write("x", 1, "A", arrays))
    assert found["variation"]["s"] < 1e-5 and found["variation"]["e"] > 0.1
    assert set(found["parts"]["s"].values()) == {None}
    assert found["parts"]["e"]["emotion"]["linear"]["balanced_accuracy"] > 0.95
    assert found["similarity"] is None


def test_swapping_a_constant_is_no_test(networks):
    arrays = networks.disentangled(0)
    arrays["s"] = np.ones_like(arrays["s"])
    system = SimpleNamespace(
        decide=lambda h: Output(h[:, :3], {}), recombine=lambda s, e: Output(e[:, :3], {})
    )
    folder = networks.write("x", 1, "A", arrays)
    assert probe(networks, folder, system)["swap"] is None


def test_variation_is_a_standard_deviation_as_a_share_of_the_size():
    assert variation(np.array([[3.0, 4], [3, 4]])) == variation(np.zeros((2, 2))) == 0
    assert variation(np.array([[3.0, 4], [-3, -4]])) == 1
    assert variation(np.ones((1, 2))) is variation(np.ones((0, 2))) is None
    # 1 to either side of (2, 0): mean square of the norms 5
    assert variation(np.array([[2.0, 1], [2, -1]])) == pytest.approx(1 / np.sqrt(5))


def test_sex_is_absent_where_the_held_out_speakers_share_it(networks):
    found = probe(networks, networks.write("x", 1, "C", networks.disentangled(0)), fold="C")
    assert found["targets"]["sex"] is found["parts"]["s"]["sex"] is None
    assert found["parts"]["s"]["speaker_same_sex"] == found["parts"]["s"]["speaker"]


def test_voices_of_two_sexes_leave_no_pairs_within_one(networks):
    found = probe(networks, networks.write("x", 1, "A", networks.disentangled(0)))
    assert found["targets"]["speaker_same_sex"] is None
    assert found["parts"]["s"]["speaker_same_sex"] is None


def test_of_many_utterances_some_are_paired(networks, monkeypatch):
    monkeypatch.setattr(network, "MAX_IN_PAIRS", 20)
    folder = networks.write("x", 1, "A", networks.disentangled(0))
    first = SimpleNamespace(
        decide=lambda h: Output(h[:, :3], {}), recombine=lambda s, e: Output(e[:, :3], {})
    )
    found = probe(networks, folder, first)
    speaker = found["targets"]["speaker"]
    assert 100 < speaker["num_target"] + speaker["num_impostor"] < 20 * 19 / 2
    assert 0 < found["swap"]["num_pairs"] < 20 * 20
    assert found["parts"]["s"]["speaker"]["eer"] < 0.1
    assert found == probe(networks, folder, first)


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
