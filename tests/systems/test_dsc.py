"""Speaker conditioning: the neutral utterance has a say, and nothing else has."""

import torch


def test_another_neutral_clip_gives_another_posterior(make_system, make_batch):
    system, batch = make_system("dsc").eval(), make_batch()
    first = system(batch.feats, None, batch.neutral_feats, None).logits.softmax(1)
    other = system(batch.feats, None, batch.neutral_feats + 2, None).logits.softmax(1)
    assert (first - other).abs().max(1).values.min() > 1e-5
    # and that of one utterance does not reach the others
    batch.neutral_feats[0] += 2
    mixed = system(batch.feats, None, batch.neutral_feats, None).logits.softmax(1)
    torch.testing.assert_close(mixed[1:], first[1:])
    torch.testing.assert_close(mixed[0], other[0])


def test_the_condition_scales_and_shifts(make_system):
    film = make_system("dsc").film
    film.linear.weight.data.zero_()
    film.linear.bias.data[:8], film.linear.bias.data[8:] = 0.5, -2.0
    h = torch.rand(4, 8)
    torch.testing.assert_close(film(h, torch.rand(4, 8)), 1.5 * h - 2)


def test_an_utterance_without_reference_trains_unconditioned(make_system, make_batch):
    system = make_system("dsc").eval()
    batch = make_batch(has_neutral=(True, True, False, True))
    before = system.losses(batch)["task"]
    batch.neutral_feats[2] += 100
    torch.testing.assert_close(system.losses(batch)["task"], before)
    h, r = torch.rand(2, 4, 8)
    assert torch.equal(system.film(h, r, batch.has_neutral)[2], h[2])


def test_neutral_clips_of_other_lengths_in_one_padded_batch(make_system, make_batch):
    """Training passes both branches at once; the sum must be what each gives by itself."""
    system, batch = make_system("dsc").eval(), make_batch()
    batch.lengths, batch.neutral_lengths = torch.tensor([32, 20, 32, 17]), torch.tensor([40] * 4)
    batch.neutral_feats = torch.randn(4, 40, 20)
    real = torch.arange(32) < batch.lengths[:, None]
    batch.feats = batch.feats * real[:, :, None]
    logits = system(batch.feats, batch.lengths, batch.neutral_feats, batch.neutral_lengths).logits
    torch.testing.assert_close(
        system.losses(batch)["task"], system.task_loss(logits, batch.targets)
    )
