"""Stage 4: posteriors against a network that is run by hand, and target statistics end to end."""

import json

import numpy as np
import pytest
import torch

from dsnet.bin.cross_infer import main
from dsnet.config import load
from dsnet.errors import TrainingError
from dsnet.results.posteriors import read_posteriors
from dsnet.systems import build_system
from dsnet.systems.config import SystemConfig
from dsnet.training import checkpoint


@pytest.fixture
def infer(toys, run_program, tmp_path):
    """Run fold a of `one` on `two`; return utterance to posteriors (4,)."""

    def run(*options: str) -> dict[str, np.ndarray]:
        args = ["--system", "tiny", "--folds", "a b c", "--device", "cpu", *options]
        run_program(main, *args, "../one", "four", "../two", "three", tmp_path / "exp")
        path = tmp_path / "exp" / "fold_a" / "posteriors.tsv"
        utt_ids, posteriors = read_posteriors(path, toys["one"].classes)
        return dict(zip(utt_ids, posteriors, strict=True))

    return run


def test_each_utterance_equals_the_network_run_by_hand(toys, infer, tmp_path):
    found = infer()
    config = load(toys["one"].path / "conf" / "tiny.yaml", SystemConfig)
    system = build_system(config, 4, 1)
    system.load_state_dict(checkpoint.load(toys["one"].fold_dir("a") / "model.pt")["model"])
    feats = toys["two"].read_features()
    assert sorted(found) == sorted(feats) and len(found) == 18
    for utt, posteriors in found.items():
        with torch.inference_mode():
            logits = system.eval()(torch.from_numpy(feats[utt].copy())[None], None).logits
        np.testing.assert_allclose(posteriors, logits.softmax(1)[0], atol=1e-4)
    assert len({tuple(p) for p in found.values()}) > 1  # the test would see a constant network
    about = json.loads((tmp_path / "exp" / "fold_a" / "cross.json").read_text())
    assert (about["train"], about["test"], about["fold"]) == ("one", "two", "a")
    assert about["target_statistics"] == "none"


@pytest.mark.parametrize("kind", ["corpus", "speaker"])
def test_target_statistics_undo_a_fixed_filter(toys, infer, kind):
    """The target is audio of the training part, in other portions, through a filter and a gain."""
    one, two = toys["one"], toys["two"]
    feats = one.read_features()
    whole = np.concatenate([feats[utt] for utt in one.task.fold("a").train])
    portions = np.array_split(whole, 6)  # each speaker of two says all of it, in 6 utterances
    utts = sorted(two.task.utt2emo)
    clean = {utt: portions[i % 6] for i, utt in enumerate(utts)}
    gain = np.linspace(-2, 3, whole.shape[1])
    two.write_features(1, clean)
    wanted = infer()
    two.write_features(1, {utt: matrix + gain for utt, matrix in clean.items()})
    filtered = infer()
    restored = infer("--target-statistics", kind)
    assert max(np.abs(filtered[utt] - wanted[utt]).max() for utt in utts) > 0.05
    for utt in utts:
        np.testing.assert_allclose(restored[utt], wanted[utt], atol=1e-3)


def test_labels_of_the_target_take_no_part(toys, infer):
    before = infer("--target-statistics", "speaker")
    path = toys["two"].task_dir / "utt2emo"
    path.write_text(path.read_text().replace(" joy", " rest"))
    after = infer("--target-statistics", "speaker")
    for utt, posteriors in before.items():
        np.testing.assert_array_equal(posteriors, after[utt])


def test_nothing_is_written_into_the_recipes(toys, infer):
    def listing():
        paths = [p for toy in toys.values() for p in toy.path.rglob("*")]
        return {str(p): p.stat().st_mtime_ns for p in paths}

    before = listing()
    infer("--target-statistics", "corpus")
    assert listing() == before


def test_a_model_of_earlier_features_is_refused_and_the_result_stays(toys, infer, tmp_path):
    infer()
    toys["one"].write_features(9)
    with pytest.raises(TrainingError, match="trained with other features than are asked for now"):
        infer()
    assert (tmp_path / "exp" / "fold_a" / "cross.json").exists()  # stage 5 sees what changed


def test_neutral_clips_are_those_of_the_targets_speakers(toys, infer, tmp_path):
    one, two = toys["one"], toys["two"]
    config = one.path / "conf" / "tiny.yaml"
    config.write_text(config.read_text().replace("kind: base", "kind: dsc"))
    one.write_model("a")
    feats = two.read_features()
    with pytest.raises(TrainingError, match="3 of 18 .*first: a-rest-1, b-rest-1, c-rest-1"):
        infer()  # each serves its speaker alone
    references = {s: [f"{s}-rest-2", f"{s}-rest-1"] for s in "abc"}
    lines = "".join(f"{s} {' '.join(r)}\n" for s, r in references.items())
    (two.task_dir / "spk2neutral").write_text(lines)
    found = infer()
    system = build_system(load(config, SystemConfig), 4, 1).eval()
    system.load_state_dict(checkpoint.load(one.fold_dir("a") / "model.pt")["model"])
    for utt, posteriors in found.items():
        (reference, *_) = (r for r in references[utt[0]] if r != utt)
        clips = [torch.from_numpy(feats[name].copy())[None] for name in (utt, reference)]
        with torch.inference_mode():
            logits = system(clips[0], None, clips[1], None).logits
        np.testing.assert_allclose(posteriors, logits.softmax(1)[0], atol=1e-4)
    about = json.loads((tmp_path / "exp" / "fold_a" / "cross.json").read_text())
    assert about["side_information"] == "1 neutral clip of the speaker at inference"
    assert "neutral references of two" in about["inputs"]
