"""What becomes of DSNet's second part in training."""

import pytest
import torch

from dsnet.results.embeddings import spread


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "losses", "low", "high"),
    [
        # shrunk by the published difference loss, whatever the voice: see losses/published.py
        ("dsnet", {}, 0, 0.01),
        ("dsnet", {"difference": 0.0}, 0.1, 1),
        ("dsnet_plus", {}, 0.1, 1),
    ],
)
def test_s_shrinks_to_a_constant_by_the_published_difference_alone(
    train_on_voices, kind, losses, low, high
):
    system, voices = train_on_voices(kind, 240, embed_dim=64, rate=0.003, **losses)
    with torch.no_grad():
        parts = system(voices.draw().feats).embeddings
    assert low <= spread(parts["s"].numpy()) <= high
    assert spread(parts["e"].numpy()) > 0.3
