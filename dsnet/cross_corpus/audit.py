"""Stage 2: may the models of one recipe be scored on another's utterances, and on which?"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from dsnet.cross_corpus.classes import SharedClasses
from dsnet.cross_corpus.recipe import Recipe
from dsnet.errors import FeatureError, FoldError
from dsnet.features.fbank import FbankConfig, differing_keys
from dsnet.features.feats import FeatsInfo
from dsnet.folds.build import read_supervisions
from dsnet.folds.task_data import TaskData


def audit(shared: SharedClasses, train: Recipe, test: Recipe) -> dict[str, Any]:
    """Compare features, classes and audio of two recipes; the result is what audit.json holds.

    Raises:
        ConfigError: a class that is not declared.
        FeatureError: features of different configs.
        FoldError: audio of the test is part of the training recipe's task.
    """
    there, asked = (FeatsInfo.load(recipe.feats_dir).config for recipe in (train, test))
    differing = differing_keys(there, FbankConfig(**asked))
    if differing:
        raise FeatureError(
            f"{train.feats_dir} and {test.feats_dir} were computed with different configs: "
            f"{differing}. Models hear the features that they were trained with: make the configs "
            "equal and run both recipes again"
        )
    train_task, test_task = TaskData.load(train.task_dir), TaskData.load(test.task_dir)
    heard = {*train_task.utt2emo, *(r for refs in train_task.references.values() for r in refs)}
    trained, tested = _hashes(train, heard), _hashes(test, test_task.utt2emo)
    _check_audio(trained, tested, train, test)
    return {
        "train": _describe(shared, train, train_task),
        "test": _describe(shared, test, test_task),
        "without_audio_hash": len(heard) - len(trained) + len(test_task.utt2emo) - len(tested),
    }


def _hashes(recipe: Recipe, utterances: Mapping[str, Any] | set[str]) -> dict[str, str]:
    """Return utterance to the digest of its samples, where known."""
    return {
        s.id: s.custom["audio_hash"]
        for s in read_supervisions(recipe.feats_dir)
        if s.id in utterances and "audio_hash" in (s.custom or {})
    }


def _check_audio(
    trained: Mapping[str, str], tested: Mapping[str, str], train: Recipe, test: Recipe
) -> None:
    owner = {audio_hash: utt for utt, audio_hash in trained.items()}
    leaks = sorted((utt, owner[h]) for utt, h in tested.items() if h in owner)
    if leaks:
        named = ", ".join(f"{utt} (there {other})" for utt, other in leaks[:10])
        raise FoldError(
            f"{len(leaks)} of {len(tested)} utterances of egs/{test.name} have the audio of an "
            f"utterance of egs/{train.name}, so its models may have been trained on them; first "
            f"ten: {named}. Score on another corpus, or leave them out of one of the two tasks"
        )


def _describe(shared: SharedClasses, recipe: Recipe, task: TaskData) -> dict[str, Any]:
    shared.matrix(recipe.name, task.classes)  # raises for a class that is not declared
    declared = shared.of(recipe.name)
    counts = Counter(task.utt2emo.values())
    by_class = {
        name: sum(counts[c] for c, into in declared.label_map.items() if into == name)
        for name in shared.classes
    }
    return {
        "recipe": recipe.name,
        "task": recipe.task,
        "folds": len(task.fold_names),
        "speakers": len(set(task.utt2spk.values())),
        "utterances": sum(by_class.values()),
        "by_class": by_class,
        "left_out": {name: counts[name] for name in declared.ignored_labels},
    }


def format_audit(report: Mapping[str, Any]) -> str:
    """Return an audit as text to print."""
    lines = []
    for side, words in (("train", "trained on"), ("test", "tested on")):
        part = report[side]
        lines.append(
            f"{words} {part['recipe']}, {part['task']}: {part['utterances']} utterances of "
            f"{part['speakers']} speakers in the shared classes: {_counts(part['by_class'])}"
        )
        if part["left_out"]:
            verb = "left out" if side == "test" else "trained on too, but no answer"
            lines.append(f"  {verb}: {_counts(part['left_out'])}")
    if report["without_audio_hash"]:
        lines.append(
            f"warning: {report['without_audio_hash']} utterances without audio_hash: not compared"
        )
    return "\n".join(lines)


def _counts(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name} {count}" for name, count in counts.items())
