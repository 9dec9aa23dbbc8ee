"""Individual standardisation: what each update moves, and a reference encoder that stays alive."""

import pytest
import torch


def test_the_classifier_sees_what_the_translator_leaves(make_system):
    system = make_system("isnet").eval()
    feats = torch.randn(2, 32, 20)
    found = system(feats).embeddings
    torch.testing.assert_close(found["h"], system.encoder(feats))
    torch.testing.assert_close(found["s"], system.translator(found["h"]))
    torch.testing.assert_close(system(feats).logits, system.classifier(found["h"] - found["s"]))


def test_each_update_moves_its_own_parts(make_system, make_batch):
    system = make_system("isnet")
    moved = []

    def update(loss, group):
        system.zero_grad()
        loss.backward()
        own = {id(p) for p in system.parameter_groups()[group]}
        reached = {n.split(".")[0] for n, p in system.named_parameters() if p.grad is not None}
        names = {n.split(".")[0] for n, p in system.named_parameters() if id(p) in own}
        moved.append((group, names, reached))

    system.step(make_batch(), update)
    reference = {"translator", "reference_encoder", "speaker_classifier"}
    emotion = {"encoder", "classifier"}
    assert moved == [
        ("reference", reference, reference),
        # through the translator, which is no part of this update's optimiser
        ("emotion", emotion, emotion | {"translator"}),
    ]


def test_the_goal_is_the_mean_of_the_speakers_references(make_system, make_batch):
    system = make_system("isnet").eval()
    batch = make_batch(has_neutral=(True, True, True, False))
    h, r = torch.rand(2, 4, 8)
    found = system.reference_losses(h, r, batch)
    s, both = system.translator(h), (r[0] + r[1]) / 2
    rows = [(s[0] - both), (s[1] - both), (s[2] - r[2])]
    torch.testing.assert_close(found["standardisation"], torch.stack(rows).abs().mean())
    log_p = system.speaker_classifier(r).log_softmax(1)
    torch.testing.assert_close(found["guard"], -(log_p[0, 0] + log_p[1, 0] + log_p[2, 1]) / 3)


def test_no_references_at_all_are_no_loss(make_system, make_batch):
    system = make_system("isnet")
    losses = system.reference_losses(
        *torch.rand(2, 4, 8), make_batch(has_neutral=(False, False, False, False))
    )
    assert losses["standardisation"] == losses["guard"] == 0


def test_the_guard_pulls_collapsed_references_apart(make_system, make_batch):
    """Where all references are equal, speakers are pulled in different directions."""
    system = make_system("isnet")
    r = torch.full((4, 8), 0.5, requires_grad=True)
    losses = system.reference_losses(torch.rand(4, 8), r, make_batch())
    (pull,) = torch.autograd.grad(losses["guard"], r)
    torch.testing.assert_close(pull[0], pull[1])  # the same speaker
    assert (pull[0] - pull[2]).norm() > 1e-3


def variance_between_speakers(system, voices):
    with torch.no_grad():
        r = system.reference_encoder(voices.neutral())
    return r.reshape(-1, 4, 8).mean(0).var(0).mean().item()


@pytest.mark.parametrize("guard", [0.0, 1.0])
def test_the_reference_encoder_collapses_without_the_guard_and_not_with_it(train_on_voices, guard):
    before, after = (
        variance_between_speakers(*train_on_voices("isnet", steps, guard=guard))
        for steps in (0, 60)
    )
    if guard:
        assert after > 0.01  # units lie in (0, 1)
    else:
        assert after < before / 4 < 1e-3
