"""The benchmark's corpus without audio goes through the same steps as a real one."""

import json

from benchmark_manifests import STEPS, Corpus, synthetic


def test_every_step_on_a_small_corpus(tmp_path):
    for step in STEPS.values():
        step(tmp_path, Corpus(600, num_landmarks=2))
    audit = json.loads((tmp_path / "task" / "audit.json").read_text())
    assert audit["num_utterances"] == 600 and audit["num_speakers"] == 6
    # six speakers in five groups: one group has two
    sizes = [fold["test"]["utterances"] for fold in audit["folds"].values()]
    assert sorted(sizes) == [100, 100, 100, 100, 200]
    audit = json.loads((tmp_path / "predefined" / "audit.json").read_text())
    sizes = {part: audit["folds"]["predefined"][part]["utterances"] for part in ("train", "test")}
    assert sizes == {"train": 400, "test": 100}
    assert audit["num_without_fingerprint"] == 0 and audit["near_copies"] == []


def test_utterances_last_one_to_nine_seconds_and_differ():
    made = list(synthetic(Corpus(1000)))
    seconds = [facts.num_samples / facts.sampling_rate for _, facts in made]
    assert 1 <= min(seconds) < 1.1 and 8.9 < max(seconds) <= 9
    assert len({u.id for u, _ in made}) == len({f.audio_hash for _, f in made}) == 1000
