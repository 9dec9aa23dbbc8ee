"""Encoders: size, range, features that they read, and padding that leaves no trace."""

import dataclasses

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from dsnet.errors import ConfigError
from dsnet.models.encoder import ENCODERS, EncoderConfig, build_encoder, without_mean
from dsnet.models.finetuned import FinetunedConfig

KINDS = [kind for kind in ENCODERS if kind != "finetuned"]  # has a test file of its own


def small(kind):
    channels = [4, 6, 8, 10][: ENCODERS[kind].num_widths]
    return EncoderConfig(kind=kind, channels=channels, embed_dim=12, dropout=0.0)


@pytest.fixture
def features_for(log_mels, states):
    """A function from a kind of encoder to features of 80 dimensions that it reads."""
    return lambda kind: {"fbank": log_mels(80), "pretrained": states(80)}[ENCODERS[kind].reads]


def test_number_of_parameters(log_mels):
    # weights of the 5x5 convolutions, batch norms of bins and channels, two 1x1 convolutions
    convolutions = 25 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    wanted = convolutions + 2 * (80 + 64 + 128 + 256 + 512) + 2 * (512 * 256 + 256)
    encoder = build_encoder(EncoderConfig(), log_mels(80))
    assert sum(p.numel() for p in encoder.parameters()) == wanted == 4_570_336


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shortest", [16, 37, 99])
def test_padding_does_not_change_the_embedding(features_for, kind, training, shortest):
    torch.manual_seed(0)
    encoder = build_encoder(small(kind), features_for(kind))
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout | torch.nn.Dropout1d):
            module.p = 0.0
    encoder(torch.randn(4, 50, 80))  # running statistics that are not the initial ones
    encoder.train(training)
    lengths = torch.tensor([100, shortest, 64])
    feats = pad_sequence([torch.randn(n, 80) * 3 - 5 for n in lengths], batch_first=True)
    more = torch.nn.functional.pad(feats, (0, 0, 0, 29), value=7.0)
    torch.testing.assert_close(encoder(feats, lengths), encoder(more, lengths))
    if not training:
        for b, n in enumerate(lengths):
            alone = encoder(feats[b : b + 1, :n])
            torch.testing.assert_close(encoder(feats, lengths)[b : b + 1], alone)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frames", [64, 75])
def test_lengths_without_padding_change_nothing_in_training(features_for, kind, frames):
    torch.manual_seed(0)
    encoder = build_encoder(small(kind), features_for(kind))
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout | torch.nn.Dropout1d):
            module.p = 0.0
    feats = torch.randn(5, frames, 80)
    gradients = []
    for lengths in (None, torch.full((5,), frames)):
        h = encoder(feats, lengths)
        encoder.zero_grad()
        (h * torch.linspace(-1, 1, h.numel()).reshape(h.shape)).sum().backward()
        learned = (p for p in encoder.parameters() if p.requires_grad)
        gradients.append([h, *(p.grad.clone() for p in learned)])
    for without, behind in zip(*gradients, strict=True):
        torch.testing.assert_close(without, behind, rtol=1e-3, atol=1e-5)


def test_a_single_layer_has_no_weight_to_learn(states):
    """Its softmax is one; a gradient of it would cost one of all frames."""
    torch.manual_seed(0)
    encoder = build_encoder(small("frames"), states(12))
    assert all(p.requires_grad == (n != "layer_weights") for n, p in encoder.named_parameters())
    feats = torch.randn(8, 30, 12)
    as_it_is = encoder.eval()(feats)
    encoder.layer_weights.fill_(5.0)
    assert torch.equal(encoder(feats), as_it_is)


@pytest.mark.parametrize("kind", KINDS)
def test_every_unit_lies_between_zero_and_one(features_for, kind):
    h = build_encoder(small(kind), features_for(kind))(torch.randn(3, 40, 80) * 10)
    assert h.shape == (3, 12) and h.min() > 0 and h.max() < 1


def test_the_mean_is_that_of_the_real_frames():
    feats = torch.tensor([[[1.0], [3.0], [99.0]], [[1.0], [2.0], [6.0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    centred = without_mean(feats, mask)
    assert centred[0, :2, 0].tolist() == [-1, 1] and centred[1, :, 0].tolist() == [-2, -1, 3]


@pytest.mark.parametrize("kind, least", [("conv", 16), ("compact", 4)])
def test_the_features_decide_the_number_of_bins(log_mels, kind, least):
    for dim in (least, least + 1, 23, 64):
        for frames in (16, 17):
            h = build_encoder(small(kind), log_mels(dim))(torch.randn(2, frames, dim))
            assert h.shape == (2, 12) and torch.isfinite(h).all()
    message = f"needs {least} mel bins or more; the features 'fbank_{least - 1}' have {least - 1}"
    with pytest.raises(ConfigError, match=f"encoder.kind {kind} {message}"):
        build_encoder(small(kind), log_mels(least - 1))


@pytest.mark.parametrize("kind", KINDS)
def test_features_of_another_kind_are_refused(functionals, log_mels, states, kind):
    message = f"encoder.kind {kind} reads .*; the features 'egemaps' are one vector an utterance of"
    with pytest.raises(ConfigError, match=message):
        build_encoder(small(kind), functionals())
    other = log_mels() if ENCODERS[kind].reads == "pretrained" else states()
    with pytest.raises(ConfigError, match=f"{kind} reads .* are frames of kind {other.kind}"):
        build_encoder(small(kind), other)
    pooled = dataclasses.replace(states(), frame_shift_ms=None)
    with pytest.raises(ConfigError, match="one vector an utterance is for a system of kind svm or"):
        build_encoder(small(kind), pooled)


def test_layers_are_weighed_alike_at_first_and_the_weights_learn(states):
    """Three layers, of which only the second is not constant."""
    torch.manual_seed(0)
    encoder = build_encoder(small("frames"), states(12, num_layers=3))
    assert encoder.layer_weights.softmax(0).tolist() == pytest.approx([1 / 3] * 3)
    feats = torch.randn(8, 30, 12)
    feats[:, :, :4] = feats[:, :, 8:] = 1.0
    encoder(feats).square().sum().backward()
    gradient = encoder.layer_weights.grad
    assert gradient[1] != 0
    assert gradient[0] == pytest.approx(float(gradient[2]), abs=1e-6)  # alike, and of no use
    swapped = build_encoder(small("frames"), states(12, num_layers=3)).eval()
    with torch.no_grad():
        swapped.layer_weights.copy_(torch.tensor([-99.0, 0.0, -99.0]))
        other = torch.cat([torch.randn(8, 30, 4), feats[:, :, 4:8], torch.randn(8, 30, 4)], 2)
        torch.testing.assert_close(swapped(feats), swapped(other))  # the second layer alone


@pytest.mark.parametrize(
    "change, message",
    [
        ({"kind": "cnov"}, "'cnov'; allowed: conv, compact, frames, finetuned"),
        ({"channels": [1, 2, 3]}, r"of kind conv must be 4 widths, found \[1, 2, 3\]"),
        ({"kind": "frames"}, r"of kind frames must be 2 widths, found \[64, 128, 256, 512\]"),
        ({"finetuned": FinetunedConfig(lora_rank=4)}, "is of kind finetuned; encoder.kind is conv"),
        ({"kernel_size": 4}, "must be odd, found 4"),
        ({"dropout": 1.0}, r"lie in \[0, 1\), found 1.0"),
        ({"embed_dim": 10}, "a multiple of 4, found 10"),
    ],
)
def test_config_check(change, message):
    with pytest.raises(ValueError, match=message):
        EncoderConfig(**change).check()
