"""What becomes of DSNet's second part in training."""

import pytest
import torch
from torch.nn.functional import normalize

from dsnet.results.embeddings import variation
from dsnet.systems.dsnet import DSNet


def difference_of_unit_rows(s, e):
    """Compute the published difference, with a gradient through the norm of a row."""
    s, e = (normalize(x - x.mean(0), dim=1) for x in (s, e))
    return (s.T @ e).square().mean()


@pytest.mark.slow
def test_s_shrinks_where_no_gradient_goes_through_the_norm(train_on_voices, monkeypatch):
    """Published: see losses/published.py. With another gradient of the same value it does not."""

    def left_of_s(kind, **losses):
        system, voices = train_on_voices(kind, 240, embed_dim=64, rate=0.003, **losses)
        with torch.no_grad():
            parts = system(voices.draw().feats).embeddings
        return variation(parts["s"].numpy())

    published = left_of_s("dsnet")
    assert published < 0.01
    assert left_of_s("dsnet_plus", reconstruction=0.1) > 10 * published
    monkeypatch.setattr(DSNet, "difference", staticmethod(difference_of_unit_rows))
    assert left_of_s("dsnet") > 10 * published
