"""What stage 4 computes and writes, read back as stage 5 reads it."""

import numpy as np
import pytest
import torch

from dsnet.results.posteriors import read_posteriors, write_posteriors
from dsnet.systems import build_system
from dsnet.training.inference import Predictions, predict, write_embeddings


def test_small_probabilities_keep_their_order(tmp_path):
    """Scored in fewer classes, a network that is certain of one that is not asked for still has an
    answer."""
    logits = torch.tensor([[40.0, 1.0, 3.0], [0.0, 0.0, 0.0]])
    posteriors = Predictions(logits, {}).posteriors
    write_posteriors(tmp_path / "posteriors.tsv", ["u2", "u1"], ["x", "y", "z"], posteriors)
    utt_ids, posteriors = read_posteriors(tmp_path / "posteriors.tsv", ["x", "y", "z"])
    assert utt_ids == ["u1", "u2"]
    np.testing.assert_allclose(posteriors[0], 1 / 3, rtol=1e-5)
    # exp(-39) and exp(-37), beside which exp(0) is all of the sum
    np.testing.assert_allclose(posteriors[1, 1:], np.exp([-39.0, -37.0]), rtol=1e-4)


def test_embeddings_are_found_by_utterance(tmp_path):
    embeddings = {"h": torch.tensor([[2.0, 2.0], [1.0, 1.0]])}
    write_embeddings(tmp_path, ["u2", "u1"], Predictions(torch.zeros(2, 3), embeddings))
    stored = np.load(tmp_path / "embeddings.npz")
    assert stored["utt_ids"].tolist() == ["u1", "u2"]
    assert stored["h"].tolist() == [[1, 1], [2, 2]]


@pytest.mark.parametrize("mode", ["fixed", "variable"])
def test_a_system_with_neutral_clips_gets_its_reference(fold, make_config, mode):
    torch.manual_seed(0)
    config, frames = make_config("dsc", mode), fold.frames
    system = build_system(config, frames.info, 3, 3)
    found = predict(system, frames, fold.dev, fold.dev_references, config, batch_size=3)
    for i, utt in enumerate(fold.dev):
        read = []
        for name in (utt, fold.dev_references[utt]):
            position = frames.positions([name])
            if mode == "fixed":
                read += [frames.fixed(position, 48), None]
            else:
                read += [*frames.variable(position, 16)]
        with torch.inference_mode():
            torch.testing.assert_close(found.logits[i], system(*read).logits[0])
    others = {utt: fold.references[utt][-1] for utt in fold.dev}
    other = predict(system, frames, fold.dev, others, config)
    assert not torch.allclose(found.logits, other.logits, atol=1e-6)


def test_a_system_that_needs_no_reference_does_not_look_at_them(fold, make_config):
    base = build_system(make_config("base"), fold.frames.info, 3, 3)
    predict(base, fold.frames, fold.dev, {}, make_config())


def test_one_vector_an_utterance_is_read_as_it_is(make_frames, make_config):
    vectors = {"u": [[1.0, 2.0]], "v": [[3.0, -1.0]]}
    frames = make_frames("opensmile", **vectors)
    svm = build_system(make_config("svm"), frames.info, 2, 2)
    svm.scale.fill_(1)
    svm.coefficients.copy_(torch.eye(2))
    found = predict(svm, frames, ["v", "u"], {}, make_config("svm"))
    assert found.logits.tolist() == [[3, -1], [1, 2]]
    assert found.embeddings == {}
