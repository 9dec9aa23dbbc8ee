"""What stage 4 writes, read back as stage 5 reads it."""

import numpy as np
import torch

from dsnet.scoring.results import read_posteriors
from dsnet.training.inference import Predictions, write_predictions


def test_small_probabilities_keep_their_order(tmp_path):
    """Scored in fewer classes, a network that is certain of one that is not asked for still has an
    answer."""
    logits = torch.tensor([[40.0, 1.0, 3.0], [0.0, 0.0, 0.0]])
    write_predictions(tmp_path, ["u2", "u1"], ["x", "y", "z"], Predictions(logits, {}))
    utt_ids, posteriors = read_posteriors(tmp_path / "posteriors.tsv", ["x", "y", "z"])
    assert utt_ids == ["u1", "u2"]
    np.testing.assert_allclose(posteriors[0], 1 / 3, rtol=1e-5)
    # exp(-39) and exp(-37), beside which exp(0) is all of the sum
    np.testing.assert_allclose(posteriors[1, 1:], np.exp([-39.0, -37.0]), rtol=1e-4)
