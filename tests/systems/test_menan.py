"""Maximum-entropy adversary: each update moves its own part, the encoder's hides the speaker."""

import torch
from torch.distributions import Categorical


def changed(system, before):
    """Return which parts of a system differ from an earlier state."""
    now = system.state_dict()
    names = {name for name, _ in system.named_parameters()}
    return {n.split(".")[0] for n in names if not torch.equal(before[n], now[n])}


def copy(system):
    return {name: weight.clone() for name, weight in system.state_dict().items()}


def test_each_update_moves_its_own_part(make_system, make_batch):
    system = make_system("menan")
    moved = []
    optimizers = {n: torch.optim.SGD(g, 0.1) for n, g in system.parameter_groups().items()}

    def update(loss, group):
        before = copy(system)
        optimizers[group].zero_grad()
        loss.backward()
        optimizers[group].step()
        moved.append((group, changed(system, before)))

    system.step(make_batch(), update)
    assert moved == [("speaker", {"speaker_classifier"}), ("emotion", {"encoder", "classifier"})]


def test_a_step_along_the_adversary_raises_the_entropy_of_the_speakers(make_system, make_batch):
    system, batch = make_system("menan").eval(), make_batch()
    speaker_of = batch.speaker_targets
    optimizer = torch.optim.Adam(system.speaker_classifier.parameters(), 0.02)
    h = system.encoder(batch.feats).detach()
    for _ in range(200):  # until the speaker classifier is sure
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(system.speaker_classifier(h), speaker_of).backward()
        optimizer.step()

    def entropy():
        h = system.encoder(batch.feats)
        return Categorical(logits=system.speaker_classifier(h)).entropy().mean().item()

    before = entropy()
    weights = list(system.encoder.parameters())
    gradients = torch.autograd.grad(system.to_prior(system.encoder(batch.feats)), weights)
    assert all(torch.isfinite(g).all() for g in gradients)
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    assert norm > 0
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            weight -= 0.01 * gradient / norm
    assert entropy() > before


def test_the_prior_is_the_share_of_each_speaker(make_system, make_batch):
    system, batch = make_system("menan"), make_batch()
    batch.speaker_targets = torch.eye(2)[[0, 0, 0, 1]]
    for _ in range(10):
        system.step(batch, lambda loss, group: None)
    torch.testing.assert_close(system.utterances_seen, torch.tensor([31.0, 11.0]).double())
    # the term is least, the entropy of the prior, where the posteriors are the prior
    prior = Categorical(probs=torch.tensor([31.0, 11.0]))
    last = system.speaker_classifier[-1]
    last.weight.data.zero_()
    last.bias.data.copy_(prior.logits)
    least = system.to_prior(torch.rand(4, 8))
    torch.testing.assert_close(least, prior.entropy())
    last.bias.data += torch.tensor([0.3, -0.3])
    assert system.to_prior(torch.rand(4, 8)) > least
