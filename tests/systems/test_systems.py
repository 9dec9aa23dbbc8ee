"""The systems: sizes as counted by hand, and what each loss may touch."""

import pytest
import torch

from dsnet.errors import ConfigError
from dsnet.models.encoder import EncoderConfig
from dsnet.systems import SYSTEMS, build_system
from dsnet.systems.config import LossConfig, SystemConfig
from dsnet.systems.system import Batch


def small(kind, **losses):
    encoder = EncoderConfig(num_bins=20, channels=[3, 4, 5, 6], embed_dim=8)
    return SystemConfig(kind=kind, encoder=encoder, losses=LossConfig(**losses))


def a_batch(has_neutral=(True, True, True, True)):
    feats, neutral = torch.randn(2, 4, 32, 20).unbind()
    targets = torch.eye(3)[[0, 1, 2, 0]]
    return Batch(feats, None, targets, neutral, None, torch.tensor(has_neutral))


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_published_dsnet_has_the_published_size():
    torch.manual_seed(0)
    system = build_system(SystemConfig(kind="dsnet"), 4)
    # a gated layer i -> o with bottleneck b = i / 2 has (i + 1) b + (b + 1) i + (i + 1) o
    gated = [
        (i + 1) * (i // 2) + (i // 2 + 1) * i + (i + 1) * o for i, o in ((256, 128), (128, 256))
    ]
    decoder = 513 * 256 + 257 * 256
    classifier = 257 * 256 + 1 + 512 + 257 * 4
    assert count(system.to_emotion) == sum(gated)
    assert count(system) == 4_570_336 + 2 * sum(gated) + decoder + classifier == 5_131_621
    assert system.inference_parameters() == 4_570_336 + sum(gated) + classifier == 4_786_085


def test_base_matched_is_dsnets_path_to_a_prediction():
    matched = build_system(SystemConfig(kind="base_matched"), 4)
    assert count(matched) == build_system(SystemConfig(kind="dsnet"), 4).inference_parameters()


def test_total_loss_is_the_weighted_sum():
    torch.manual_seed(0)
    system = build_system(small("dsnet", similarity=2.0, difference=3.0, reconstruction=5.0), 3)
    x = system.losses(a_batch())
    wanted = x["task"] + 2 * x["similarity"] + 3 * x["difference"] + 5 * x["reconstruction"]
    torch.testing.assert_close(x["loss"], wanted)


def test_auxiliary_losses_reach_the_encoder_and_leave_the_classifier_alone():
    system = build_system(small("dsnet"), 3)
    losses = system.losses(a_batch())
    (losses["similarity"] + losses["difference"] + losses["reconstruction"]).backward()
    assert system.encoder.blocks[0].conv.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in system.classifier.parameters())


def test_an_utterance_without_reference_is_left_out_of_the_similarity():
    torch.manual_seed(0)
    system = build_system(small("dsnet"), 3).eval()
    batch = a_batch(has_neutral=(True, False, True, True))
    before = system.losses(batch)["similarity"]
    batch.neutral_feats[1] += 100
    torch.testing.assert_close(system.losses(batch)["similarity"], before)
    batch.has_neutral[:] = False
    assert system.losses(batch)["similarity"] == 0


def test_alpha_lets_the_irrelevant_part_into_the_decision():
    torch.manual_seed(0)
    without, full = (build_system(small("dsnet", alpha=a), 3).eval() for a in (0.0, 1.0))
    full.load_state_dict(without.state_dict())
    feats = torch.randn(2, 32, 20)
    parts = full(feats).embeddings
    torch.testing.assert_close(full(feats).logits, full.classifier(parts["s"] + parts["e"]))
    torch.testing.assert_close(without(feats).logits, full.classifier(parts["e"]))
    assert full.inference_parameters() > without.inference_parameters()


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_step_lowers_the_loss_of_its_batch(kind):
    torch.manual_seed(0)
    system = build_system(small(kind), 3)
    optimizer = torch.optim.Adam(system.parameters(), 0.01)

    def update(loss, group):
        assert group == "all"
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    batch = a_batch()
    losses = [system.step(batch, update)["loss"].item() for _ in range(30)]
    assert sum(losses[-5:]) < sum(losses[:5])


def test_unknown_kind_names_the_known_ones():
    with pytest.raises(ConfigError, match="known systems: base, base_matched, dsnet"):
        build_system(SystemConfig(kind="dnset"), 3)
