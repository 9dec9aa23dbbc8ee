"""Utterances on no side of a predefined split: a test set whose labels only its owners have."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from lhotse import RecordingSet, SupervisionSegment

from dsnet.corpus.gate import first_ten, label
from dsnet.errors import ConfigError, FoldError
from dsnet.folds.protocols import PARTS
from dsnet.folds.task_data import TaskData
from dsnet.task import PREDEFINED, FoldConfig, TaskConfig


def hidden_utterances(
    config: FoldConfig, value: str, supervisions: Sequence[SupervisionSegment]
) -> list[SupervisionSegment]:
    """Return the utterances whose `config.field` has a value that no side names.

    Args:
        config: the protocol, with the values of each side.
        value: such as Test3.
        supervisions: all of the corpus.

    Raises:
        ConfigError: another protocol, or a value that a side names or no utterance has.
    """
    if config.protocol != PREDEFINED:
        raise ConfigError(
            f"folds.protocol is {config.protocol}, in which every label is known; expected "
            f"{PREDEFINED}, whose folds.field tells a hidden set: choose another --task"
        )
    named = {name: part for part in PARTS for name in getattr(config, part)}
    values = {s.id: str(s.custom[config.field]) for s in supervisions if config.field in s.custom}
    free = Counter(found for found in values.values() if found not in named)
    if not free[value]:
        why = f"no utterance has that value of '{config.field}'"
        if value in named:
            why = f"folds.{named[value]} names it, so that its labels are known"
        there = ", ".join(f"{found} ({n} utterances)" for found, n in sorted(free.items()))
        raise ConfigError(
            f"--value {value}: {why}; expected a value of '{config.field}' that no side names: "
            f"there are {there or 'none'}"
        )
    return [s for s in supervisions if values.get(s.id) == value]


def require_same_task(
    config: TaskConfig,
    supervisions: Sequence[SupervisionSegment],
    hidden: Sequence[SupervisionSegment],
    task: TaskData,
) -> None:
    """Refuse a task folder that was made of another config or of other manifests.

    Args:
        config: as it is now.
        supervisions: all of the corpus.
        hidden: those on no side.
        task: as stage 2 left it.

    Raises:
        FoldError: an utterance has another class there, or is hidden and on a side.
    """
    utt2emo = label(supervisions, config).utt2emo
    strange = [utt for utt, emotion in task.utt2emo.items() if utt2emo.get(utt) != emotion]
    strange += [s.id for s in hidden if s.id in task.utt2emo]
    if strange:
        raise FoldError(
            f"{task.task_dir}: made of another config or of other manifests than there are now; "
            f"{len(strange)} utterances have another class or side: {first_ten(sorted(strange))}. "
            "Run the recipe with --stage 2"
        )


def native_label_of(config: TaskConfig, chosen: Sequence[str] = ()) -> dict[str, str]:
    """Return the native label to be written for each class, in the order of the classes.

    Args:
        config: with the label map.
        chosen: pairs CLASS=LABEL, needed where several labels are one class.

    Raises:
        ConfigError: a class of several labels of which none is chosen, or a pair that does not fit.
    """
    labels: dict[str, list[str]] = {name: [] for name in config.classes}
    for native, name in config.label_map.items():
        labels[name].append(native)
    for pair in chosen:
        name, _, native = pair.partition("=")
        if native not in labels.get(name, ()):
            there = "; ".join(f"{n}={' or '.join(own)}" for n, own in labels.items())
            raise ConfigError(f"--native {pair}: expected one of label_map: {there}")
        labels[name] = [native]
    several = {name: own for name, own in labels.items() if len(own) > 1}
    if several:
        words = "; ".join(f"{name} is {' and '.join(own)}" for name, own in several.items())
        example = " ".join(f"--native {name}={own[0]}" for name, own in several.items())
        raise ConfigError(
            f"label_map makes one class of several native labels: {words}. Say which is to be "
            f"written, such as {example}"
        )
    return {name: own[0] for name, own in labels.items()}


def file_names(hidden: Sequence[SupervisionSegment], recordings: RecordingSet) -> Mapping[str, str]:
    """Return the name of each utterance's audio file, without folders.

    Raises:
        ConfigError: two utterances have one name.
    """
    sources = {recording.id: recording.sources[0].source for recording in recordings}
    names = {s.id: Path(sources[s.recording_id]).name for s in hidden}
    twice = sorted(name for name, count in Counter(names.values()).items() if count > 1)
    if twice:
        raise ConfigError(
            f"{len(twice)} names of audio files stand for several utterances: {first_ten(twice)}. "
            "A row is told by its file name: let stage 0 take whole files of different names"
        )
    return names
