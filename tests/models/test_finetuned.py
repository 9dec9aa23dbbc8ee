"""Layers of an encoder that go on from a stored state: what they say, and what is trained of them.

Axes: B utterances, T frames, D hidden size, R rank.
"""

import sys

import pytest
import torch
from encoder_kinds import RATE, SETTINGS, known, noise, pretrained, rewritten
from tiny_encoders import INNER, D, random_weights, write_encoder

from dsnet.errors import ConfigError, FeatureError
from dsnet.models.encoder import EncoderConfig, build_encoder
from dsnet.models.finetuned import FinetunedConfig, FinetunedLayers

pytest.importorskip("transformers")
pytest.importorskip("peft")


def stored(folder, state, **changes):
    """Return what computes one state of an encoder."""
    return pretrained(folder, layers=[state], storage="float32", **changes)


def state_of(folder, state):
    """Return what the extractor makes of noise, (T, D), as a tensor that gradients may pass."""
    return stored(folder, state)(noise(RATE)).clone()


def layers(folder, state=1, disturbed=False, **config):
    """Return the layers above a state, in evaluation mode.

    Args:
        disturbed: adapters, which add nothing at first, are random numbers.
    """
    torch.manual_seed(0)
    made = FinetunedLayers(FinetunedConfig(**config), known(stored(folder, state)))
    if disturbed:
        for name, value in made.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(value, std=0.3)
    return made.eval()


# What they say


@pytest.mark.parametrize("first, last", [(0, 4), (0, 2), (1, 3), (2, 4), (3, 0)])
@pytest.mark.parametrize("rank", [0, 4])
@pytest.mark.parametrize("name", SETTINGS)
def test_before_training_they_give_the_encoders_own_state(encoders, name, rank, first, last):
    below, above = state_of(encoders[name], first), state_of(encoders[name], last or 4)
    found = layers(encoders[name], first, last_layer=last, lora_rank=rank)(below[None])[0]
    torch.testing.assert_close(found, above, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("rank", [0, 4])
@pytest.mark.parametrize("name", SETTINGS)
def test_padding_changes_nothing(encoders, name, rank, training):
    made = layers(encoders[name], disturbed=True, lora_rank=rank).train(training)
    for module in made.modules():
        if "dropout" in vars(module):  # a number of its own
            module.dropout = 0.0
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    feats, lengths = torch.randn(3, 50, D), torch.tensor([50, 16, 37])
    found = made(feats, lengths)
    assert found.isfinite().all()
    for one, states, length in zip(found, feats, lengths, strict=True):
        alone = made(states[None, :length])[0]
        torch.testing.assert_close(one[:length], alone, rtol=1e-4, atol=1e-5)
    encoder = build_encoder(config(), known(stored(encoders[name], 1))).eval()
    other = feats.clone()
    other[1, 16:], other[2, 37:] = 7.0, -7.0
    torch.testing.assert_close(encoder(feats, lengths), encoder(other, lengths))
    alone = encoder(feats[1:2, :16])
    torch.testing.assert_close(encoder(feats, lengths)[1:2], alone, rtol=1e-4, atol=1e-5)


def config(**changes):
    finetuned = FinetunedConfig(**{"lora_rank": 2, **changes})
    return EncoderConfig("finetuned", [4, 6], embed_dim=8, finetuned=finetuned)


@pytest.mark.parametrize("targets, part", [("feed_forward", "fc1"), ("attention", "self_attn.v_")])
def test_adapters_are_a_product_of_two_matrices_on_top_of_weights(
    encoders, tmp_path, targets, part
):
    """The same encoder with the sum W + alpha / R * B A in its file gives the same state."""
    made = layers(
        encoders["whisper"],
        1,
        True,
        last_layer=3,
        lora_rank=3,
        lora_alpha=6.0,
        lora_targets=targets,
    )
    weights = random_weights(SETTINGS["whisper"])
    adapters = {name: value.detach() for name, value in made.state_dict().items()}
    changed = 0
    for name, a in adapters.items():
        if "lora_A" in name:
            b = adapters[name.replace("lora_A", "lora_B")]
            layer, rest = name.removeprefix("layers.").split(".", 1)
            place = f"model.encoder.layers.{int(layer) + 1}.{rest.partition('.lora_A')[0]}.weight"
            weights[place] = weights[place] + 2 * b @ a
            changed += part in place
    assert changed == 2  # layers
    folder = rewritten(write_encoder(tmp_path / "merged", SETTINGS["whisper"]), weights)
    below, expected = state_of(encoders["whisper"], 1), state_of(folder, 3)
    assert (expected - state_of(encoders["whisper"], 3)).abs().max() > 0.1
    torch.testing.assert_close(made(below[None])[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["whisper", "hubert", "wavlm"])
def test_no_layer_is_left_out_in_training(tmp_path, name):
    settings, front = SETTINGS[name]
    off = dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout"), 0.0)
    always = {"layerdrop": 1.0, "encoder_layerdrop": 1.0}
    folder = write_encoder(tmp_path / name, ({**settings, **off, **always}, front))
    made, feats = layers(folder), torch.randn(2, 30, D)
    torch.testing.assert_close(made(feats), made.train()(feats))


def test_dropout_is_that_of_the_settings(encoders):
    made = layers(encoders["hubert"]).train()  # whose settings name 0.1, the library's default
    feats = torch.randn(2, 30, D)
    assert not torch.equal(made(feats), made(feats))


# What is trained


@pytest.mark.parametrize("rank", [0, 4])
@pytest.mark.parametrize("name", SETTINGS)
def test_gradients_reach_what_is_trained_and_nothing_else(encoders, name, rank):
    made = layers(encoders[name], 2, disturbed=True, lora_rank=rank).train()
    made(torch.randn(2, 30, D), torch.tensor([30, 20])).square().sum().backward()
    reached = {n for n, p in made.named_parameters() if p.grad is not None and p.grad.any()}
    trained = {n for n, p in made.named_parameters() if p.requires_grad}
    # what is added to all scores alike goes in the softmax; rounding may leave some of it
    assert {n for n in trained - reached if not n.endswith("k_proj.bias")} == set()
    assert reached <= trained
    if rank:
        assert all("lora_" in name for name in trained)
        # two layers, two maps D -> INNER -> D, two matrices for each
        assert sum(p.numel() for p in made.parameters() if p.requires_grad) == 2 * 2 * 4 * (
            D + INNER
        )
    else:
        own = [n for n in dict(made.named_parameters()) if n.startswith(("layers.", "norm."))]
        assert trained == set(own) and not any(n.startswith("distances.") for n in trained)


@pytest.mark.parametrize("rank", [0, 4])
@pytest.mark.parametrize("name", ["whisper", "wavlm", "wavlm_large"])
def test_what_is_saved_is_what_is_trained(encoders, name, rank):
    features = known(stored(encoders[name], 2))
    torch.manual_seed(1)
    trained = build_encoder(config(lora_rank=rank), features).eval()
    for value in trained.parameters():
        if value.requires_grad:
            value.data += 0.1 * torch.randn_like(value)
    saved = trained.state_dict()
    wanted = {n for n, p in trained.named_parameters() if p.requires_grad} | {"layer_weights"}
    assert saved.keys() == wanted | {n for n, _ in trained.named_buffers()}
    fresh = build_encoder(config(lora_rank=rank), features).eval()
    feats = torch.randn(2, 40, D)
    assert not torch.equal(trained(feats), fresh(feats))
    fresh.load_state_dict(saved)
    assert torch.equal(trained(feats), fresh(feats))
    assert saved.keys() == trained.state_dict().keys()  # loading adds nothing to it
    del saved[next(iter(wanted & {n for n in wanted if n.startswith("layers.")}))]
    with pytest.raises(RuntimeError, match="Missing key"):
        fresh.load_state_dict(saved)


# What is refused


def test_another_encoder_is_refused(tmp_path):
    folder = write_encoder(tmp_path / "mine", SETTINGS["whisper"])
    features = known(stored(folder, 2))
    FinetunedLayers(FinetunedConfig(), features)
    rewritten(folder, random_weights(SETTINGS["whisper"], seed=1))
    message = "mine: another encoder than the one that computed the features 'toy': its weights dif"
    with pytest.raises(FeatureError, match=message):
        FinetunedLayers(FinetunedConfig(), features)
    (folder / "config.json").unlink()
    with pytest.raises(FeatureError, match="no files of .*mine: looked at .*DSNET_MODELS"):
        FinetunedLayers(FinetunedConfig(), features)


@pytest.mark.parametrize(
    "state, last, found",
    [(2, 2, "2; the"), (2, 1, "1; the"), (1, 5, "5; the"), (4, 0, "0, that is 4; the")],
)
def test_layers_that_there_are_not(encoders, state, last, found):
    for features in (stored(encoders["wavlm"], state), known(stored(encoders["wavlm"], state))):
        with pytest.raises(ConfigError) as raised:
            FinetunedLayers(FinetunedConfig(last_layer=last), features)
        assert str(raised.value) == (
            f"encoder.finetuned.last_layer is {found} features 'toy' are state {state} of "
            f"{encoders['wavlm']}, which has 4 layers: expected a layer above {state}, 4 at most"
        )


@pytest.mark.parametrize(
    "change, found",
    [
        ({"layers": [1, 2]}, r"layers \[1, 2\], pooling none"),
        ({"layers": [1, 2], "combine": "concat"}, r"layers \[1, 2\], pooling none"),
        ({"layers": []}, "layers all, pooling none"),
        (
            {"layers": [1], "combine": "concat", "pooling": "statistics"},
            r"layers \[1\], pooling statistics",
        ),
    ],
)
def test_features_that_are_not_one_state(encoders, change, found):
    features = pretrained(encoders["hubert"], **change)
    with pytest.raises(ConfigError, match=f"the features 'toy' have {found}. Name features such"):
        FinetunedLayers(FinetunedConfig(), features)


def test_adapters_that_a_wavlm_would_not_hear(encoders):
    with pytest.raises(
        ConfigError, match="lora_targets is attention, but .*set it to feed_forward"
    ):
        layers(encoders["wavlm"], lora_targets="attention")


def test_without_peft_the_error_says_what_to_install(encoders, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(FeatureError, match=r"peft.*pip install -e '.\[pretrained\]'.*lora_rank to"):
        layers(encoders["whisper"])
    layers(encoders["whisper"], lora_rank=0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lora_rank": -1}, "finetuned.lora_rank must be 0 or above, found -1"),
        ({"last_layer": -1}, "finetuned.last_layer must be 0 or above, found -1"),
        ({"lora_alpha": 0.0}, "finetuned.lora_alpha must be above 0, found 0"),
        ({"learning_rate_factor": 0.0}, "learning_rate_factor must be above 0, found 0"),
        ({"lora_targets": "all"}, "lora_targets is 'all'; allowed: feed_forward, attention"),
    ],
)
def test_config_check(change, message):
    with pytest.raises(ValueError, match=message):
        FinetunedConfig(**change).check()
