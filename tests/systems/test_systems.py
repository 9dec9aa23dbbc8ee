"""What all systems have in common, and the sizes and losses of base and dsnet."""

import pytest
import torch

from dsnet.errors import ConfigError
from dsnet.systems import SYSTEMS, build_system, find_system
from dsnet.systems.config import EnrolmentConfig, LossConfig, SystemConfig
from dsnet.systems.system import join

NETWORKS = [kind for kind, system in SYSTEMS.items() if system.is_network]
DISCRIMINATOR = 257 * 256  # its first layer; the second has 257 an output


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_published_dsnet_has_the_published_size(log_mels):
    torch.manual_seed(0)
    system = build_system(SystemConfig(kind="dsnet"), log_mels(), 4, 8)
    # a gated layer i -> o with bottleneck b = i / 2 has (i + 1) b + (b + 1) i + (i + 1) o
    gated = [
        (i + 1) * (i // 2) + (i // 2 + 1) * i + (i + 1) * o for i, o in ((256, 128), (128, 256))
    ]
    decoder = 513 * 256 + 257 * 256
    classifier = 257 * 256 + 1 + 512 + 257 * 4
    assert count(system.to_emotion) == sum(gated)
    assert count(system) == 4_570_336 + 2 * sum(gated) + decoder + classifier == 5_131_621
    assert system.inference_parameters() == 4_570_336 + sum(gated) + classifier == 4_786_085


def test_base_matched_is_dsnets_path_to_a_prediction(log_mels):
    matched, dsnet = (
        build_system(SystemConfig(kind=kind), log_mels(), 4, 8)
        for kind in ("base_matched", "dsnet")
    )
    assert count(matched) == dsnet.inference_parameters()


@pytest.mark.parametrize(
    "kind, training_only",
    [
        ("dat", DISCRIMINATOR + 257 * 8),
        ("dat_transductive", DISCRIMINATOR + 257 * 2),
        ("menan", DISCRIMINATOR + 257 * 8),
        ("isnet", 4_570_336 + DISCRIMINATOR + 257 * 8),
        ("dsc", 0),
    ],
)
def test_what_a_prediction_does_without(log_mels, kind, training_only):
    system = build_system(SystemConfig(kind=kind), log_mels(), 4, 8)
    assert count(system) - system.inference_parameters() == training_only


@pytest.mark.parametrize("smoothing", [0.0, 0.05])
def test_a_balanced_loss_is_lowest_where_posteriors_are_over_shares(make_system, smoothing):
    """By hand: posterior over share, mixed with even odds by the smoothing, of each kind of sound.

    The rows are sounds that tell nothing, and a bit, of which class they are. A class that is never
    trained on (the last) wins nowhere.
    """
    shares = torch.tensor([0.5, 0.399, 0.1, 0.001])
    told = torch.tensor([[0.5, 0.4, 0.1, 0.0], [0.3, 0.6, 0.1, 0.0], [0.4, 0.3, 0.3, 0.0]])
    system = make_system("base")
    system.label_smoothing, system.class_offsets = smoothing, shares.log()
    balanced = (1 - smoothing) * told / shares + smoothing
    logits = balanced.clamp(min=1e-9).log().requires_grad_()
    system.task_loss(logits, told).backward()
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), rtol=0, atol=1e-6)
    assert logits.argmax(1).tolist() == [1, 1, 2]


def test_total_loss_is_the_weighted_sum(make_system, make_batch):
    system = make_system("dsnet", similarity=2.0, difference=3.0, reconstruction=5.0)
    x = system.losses(make_batch())
    wanted = x["task"] + 2 * x["similarity"] + 3 * x["difference"] + 5 * x["reconstruction"]
    torch.testing.assert_close(x["loss"], wanted)


def test_auxiliary_losses_reach_the_encoder_and_leave_the_classifier_alone(make_system, make_batch):
    system = make_system("dsnet")
    losses = system.losses(make_batch())
    (losses["similarity"] + losses["difference"] + losses["reconstruction"]).backward()
    assert system.encoder.blocks[0].conv.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in system.classifier.parameters())


def test_an_utterance_without_reference_is_left_out_of_the_similarity(make_system, make_batch):
    system = make_system("dsnet").eval()
    batch = make_batch(has_neutral=(True, False, True, True))
    before = system.losses(batch)["similarity"]
    batch.neutral_feats[1] += 100
    torch.testing.assert_close(system.losses(batch)["similarity"], before)
    batch.has_neutral[:] = False
    assert system.losses(batch)["similarity"] == 0


def test_alpha_lets_the_irrelevant_part_into_the_decision(make_system):
    without, full = (make_system("dsnet", alpha=a).eval() for a in (0.0, 1.0))
    full.load_state_dict(without.state_dict())
    feats = torch.randn(2, 32, 20)
    parts = full(feats).embeddings
    torch.testing.assert_close(full(feats).logits, full.classifier(parts["s"] + parts["e"]))
    torch.testing.assert_close(without(feats).logits, full.classifier(parts["e"]))
    assert full.inference_parameters() > without.inference_parameters()


@pytest.mark.parametrize("kind", NETWORKS)
def test_steps_lower_the_task_loss_of_their_batch(make_system, make_batch, take_steps, kind):
    system = make_system(kind)
    for part in system.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    losses = [x["task"].item() for x in take_steps(system, make_batch(), 30)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("kind", NETWORKS)
def test_balanced_classes_raise_the_logits_in_training_alone(
    make_system, make_batch, take_steps, kind
):
    """Classifiers that say nothing have the cross entropy of the shares, and answer all alike."""
    system, batch, shares = make_system(kind), make_batch(), torch.tensor([0.7, 0.2, 0.1])
    torch.nn.init.zeros_(system.classifier[-1].weight)
    torch.nn.init.zeros_(system.classifier[-1].bias)
    system.class_offsets = shares.log()
    (losses,) = take_steps(system, batch, 1, rate=0.0)
    torch.testing.assert_close(losses["task"], -shares.log()[[0, 1, 2, 0]].mean())
    system.eval()
    given = [batch.neutral_feats, None] if system.neutral_at_inference else []
    assert (system(batch.feats, None, *given).logits == 0).all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_parameter_belongs_to_one_optimiser(make_system, kind):
    system = make_system(kind)
    grouped = [id(p) for group in system.parameter_groups().values() for p in group]
    assert sorted(grouped) == sorted(id(p) for p in system.parameters())


@pytest.mark.parametrize("kind", ["dat", "dat_transductive", "dsc", "menan", "isnet"])
def test_encoder_and_classifier_start_from_the_weights_of_base(make_system, kind):
    """So that under one seed systems differ by what they do, not by where they begin."""
    base, other = make_system("base").state_dict(), make_system(kind).state_dict()
    assert all(torch.equal(weight, other[name]) for name, weight in base.items())


def test_what_a_prediction_rests_on_is_declared():
    declared = {kind: system.side_information for kind, system in SYSTEMS.items()}
    assert declared.pop("dsc") == "1 neutral utterance of the speaker at inference"
    assert declared.pop("dat_transductive") == "unlabelled audio of the test speakers in training"
    assert set(declared.values()) == {"none"}
    for system in SYSTEMS.values():
        needs = system.neutral_at_inference or system.needs_unlabelled
        assert needs == (system.side_information != "none")


def test_an_unknown_kind_is_answered_by_the_nearest_or_all():
    with pytest.raises(ConfigError, match=r"no kind of system 'dnset'; did you mean 'dsnet'\?"):
        find_system(SystemConfig(kind="dnset"))
    with pytest.raises(ConfigError, match="there are: base, .*, dsnet_plus, svm, logistic$"):
        find_system(SystemConfig(kind="xyz"))


@pytest.mark.parametrize(
    "kind, losses, message",
    [
        ("base", {"adversary": 0.5}, "losses.adversary is 0.5, which kind 'base' does not use"),
        (
            "menan",
            {"similarity": 0.0},
            "its keys are label_smoothing, balance, adversary",
        ),
        ("svm", {"label_smoothing": 0.1}, "kind 'svm' does not use; its keys are none. Remove it"),
    ],
)
def test_a_loss_key_of_another_system_is_refused(kind, losses, message):
    with pytest.raises(ConfigError, match=message):
        find_system(SystemConfig(kind=kind, losses=LossConfig(**losses)))


@pytest.mark.parametrize("kind", SYSTEMS)
def test_features_that_a_system_cannot_read_are_refused(log_mels, functionals, kind):
    config = SystemConfig(kind=kind)
    if SYSTEMS[kind].is_network:
        with pytest.raises(
            ConfigError, match="reads frames .*; the features 'egemaps' are one vector"
        ):
            build_system(config, functionals(), 3, 2)
        with pytest.raises(ConfigError, match="needs 16 mel bins or more; .*'fbank_15' have 15"):
            build_system(config, log_mels(15), 3, 2)
        build_system(config, log_mels(64), 3, 2)
    else:
        with pytest.raises(ConfigError, match="one vector an utterance; .* 'fbank_80' have"):
            build_system(config, log_mels(), 3, 2)
        build_system(config, functionals(), 3, 2)


def test_join_pads_the_shorter_side():
    feats, lengths = join(
        torch.ones(1, 2, 1), torch.tensor([2]), 2 * torch.ones(1, 3, 1), torch.tensor([3])
    )
    assert feats[:, :, 0].tolist() == [[1, 1, 0], [2, 2, 2]]
    assert lengths.tolist() == [2, 3]


def test_a_neutral_vector_has_no_deviation_to_normalise_by(functionals):
    config = SystemConfig(kind="svm", enrolment=EnrolmentConfig("neutral"))
    with pytest.raises(ConfigError, match="'egemaps' have one vector.*normalise to shift"):
        build_system(config, functionals(), 3, 2)
    config = SystemConfig(kind="svm", enrolment=EnrolmentConfig("neutral", normalise="shift"))
    build_system(config, functionals(), 3, 2)
