"""Protocols: which speakers are tested, which validate and which train in each fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dsnet.errors import FoldError
from dsnet.task import PREDEFINED, FoldConfig, TaskConfig

PARTS = ("train", "dev", "test")
MOST_LINES = 20_000_000  # of the lists of all folds: about 0.5 GB

_TESTED = {
    "leave_one_speaker_out": "each speaker is tested by models that never heard that speaker",
    "speaker_groups": "each group of speakers is tested by models that never heard these speakers",
    "leave_one_session_out": "each session is tested by models that never heard its speakers",
}
_VALIDATED = {
    "next_speaker": "the next speaker in sorted order validates",
    "paired_speaker": "the other speaker of the same session validates",
    "next_group": "the next group validates",
    "next_session": "the next session in sorted order validates",
    "none": "nobody validates",
}


@dataclass(frozen=True)
class Fold:
    """The utterance ids of one fold, sorted; no speaker is in two parts."""

    train: list[str]
    dev: list[str]
    test: list[str]

    def parts(self) -> dict[str, list[str]]:
        """Return train, dev and test by name."""
        return {part: getattr(self, part) for part in PARTS}


def in_words(config: FoldConfig) -> str:
    """Say what a protocol does, for tables and reports."""
    if config.protocol == PREDEFINED:
        words = _predefined_in_words(config)
    else:
        words = f"{_TESTED[config.protocol]}; {_VALIDATED[config.validation]}; the rest trains"
    if config.repeated_text == "leave_out":
        words += (
            "; training has no text that is validated or tested, validation none that is tested"
        )
    return words


def _predefined_in_words(config: FoldConfig) -> str:
    train, dev = list(config.train), f"{' and '.join(config.dev)} validates"
    if config.validation == "none":
        train, dev = [*train, *config.dev], _VALIDATED["none"]
    return (
        f"the predefined split by {config.field}: {' and '.join(config.test)} tested; {dev}; "
        f"{' and '.join(train)} trains"
    )


def make_folds(
    config: FoldConfig,
    utt2spk: Mapping[str, str],
    spk2sessions: Mapping[str, Sequence[str]],
    spk2sex: Mapping[str, str],
) -> dict[str, Fold]:
    """Split the utterances of a task into folds.

    Args:
        config: protocol and validation; not predefined, whose fold `predefined_fold` makes.
        utt2spk: speaker of each utterance of the task.
        spk2sessions: the sessions of each speaker; only protocols with sessions look at it.
        spk2sex: sex of each speaker where it is known; only groups look at it.

    Returns:
        Name to fold, in the order of testing: speakers or sessions sorted, group1, group2, ...

    Raises:
        FoldError: too few speakers, groups or sessions, or sessions that do not fit the protocol.
    """
    speakers = sorted(set(utt2spk.values()))
    if config.protocol == "speaker_groups":
        units = _groups(speakers, spk2sex, config.num_groups)
    elif config.protocol == "leave_one_session_out":
        units = _sessions(speakers, spk2sessions)
    else:
        units = {speaker: [speaker] for speaker in speakers}
    names = list(units)
    if len(names) < config.least:
        raise FoldError(
            f"protocol {config.protocol} needs {config.least} or more ({config.sides}); "
            f"the task has {len(names)}: {', '.join(names)}"
        )
    _check_size(config, len(names), len(utt2spk))
    dev: dict[str, list[str]] = dict.fromkeys(names, [])
    if config.validation == "paired_speaker":
        partner = _partners(_sessions(speakers, spk2sessions))
        dev = {name: units[partner[name]] for name in names}
    elif config.validation != "none":
        dev = {name: units[after] for name, after in zip(names, names[1:] + names[:1], strict=True)}
    return {name: _fold(utt2spk, units[name], dev[name]) for name in names}


def _check_size(config: FoldConfig, num_folds: int, num_utterances: int) -> None:
    """Stop before lists are made that would fill memory and disk: every fold lists everything."""
    if num_folds * num_utterances > MOST_LINES:
        raise FoldError(
            f"protocol {config.protocol} makes {num_folds:,} folds, each a list of all "
            f"{num_utterances:,} utterances: {num_folds * num_utterances:,} lines, at most "
            f"{MOST_LINES:,}, and as many trainings as folds. Set folds.protocol to speaker_groups "
            "with validation next_group and num_groups 10 or so, or to predefined"
        )


def _fold(utt2spk: Mapping[str, str], test: list[str], dev: list[str]) -> Fold:
    side = {speaker: "dev" for speaker in dev} | {speaker: "test" for speaker in test}
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for utt in sorted(utt2spk):
        parts[side.get(utt2spk[utt], "train")].append(utt)
    return Fold(**parts)


def _groups(
    speakers: list[str], spk2sex: Mapping[str, str], num_groups: int
) -> dict[str, list[str]]:
    if len(speakers) < num_groups:
        raise FoldError(
            f"folds.num_groups is {num_groups}, but the task has {len(speakers)} speakers; "
            "choose fewer groups"
        )
    # By sex first: corpora that alternate the sexes would else give groups of one sex.
    dealt = sorted(speakers, key=lambda speaker: (spk2sex.get(speaker, ""), speaker))
    return {f"group{k + 1}": sorted(dealt[k::num_groups]) for k in range(num_groups)}


def _sessions(
    speakers: list[str], spk2sessions: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    sessions: dict[str, list[str]] = {}
    for speaker in speakers:
        found = sorted(set(spk2sessions.get(speaker, ())))
        if len(found) != 1:
            raise FoldError(
                f"speaker {speaker} is in {len(found)} sessions ({', '.join(found) or 'none'}); "
                "protocols with sessions need exactly one a speaker: let the recipe's prepare.py "
                "give it, or choose another folds.protocol or folds.validation"
            )
        sessions.setdefault(found[0], []).append(speaker)
    return dict(sorted(sessions.items()))


def _partners(sessions: dict[str, list[str]]) -> dict[str, str]:
    partner = {}
    for session, speakers in sessions.items():
        if len(speakers) != 2:
            raise FoldError(
                f"folds.validation paired_speaker needs two speakers a session; session {session} "
                f"has {len(speakers)} in this task: {', '.join(speakers)}. "
                "Choose next_speaker, or keep both speakers"
            )
        first, second = speakers
        partner |= {first: second, second: first}
    return partner


def known_fold_names(task: TaskConfig) -> list[str]:
    """Return the names of a task's folds as far as its config tells them; else nothing."""
    if task.folds.protocol == "speaker_groups":
        return [f"group{k + 1}" for k in range(task.folds.num_groups)]
    if task.folds.protocol == PREDEFINED:
        return [PREDEFINED]
    if task.folds.protocol == "leave_one_speaker_out":
        return sorted(task.gate.by_speaker)
    return []
