"""An utterance as a corpus describes it, before any audio was read."""

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsnet.errors import CorpusError
from dsnet.recipe import FINAL

SEXES = ("female", "male")
MEAN = "mean"
UNKNOWN_SPEAKER = "unknown_speaker"  # custom field of utterances of nobody known
NAMES = ("id", "speaker", "emotion", "session", "dialogue", "recording")
OF_FOLDERS = ("speaker", "session")  # those that folds are named after


def plain_name(name: str) -> str:
    """Return a name in the one spelling that equal names have: ë is one letter, not two."""
    return unicodedata.normalize("NFC", name)


def wrong_name(field: str, name: object) -> str:
    """Say what a name in one of NAMES would have to be like; empty: it is right.

    >>> wrong_name("speaker", "ann")
    ''
    """
    if not isinstance(name, str) or name.split() != [name]:
        return "expected a name without white space (lists such as utt2spk are split at it)"
    if field in OF_FOLDERS and ("/" in name or name == FINAL):
        return f"expected a name without '/', other than {FINAL} (folders are named after it)"
    return ""


@dataclass(frozen=True)
class Utterance:
    """One utterance of one speaker with one emotion label.

    Args:
        id: name of the utterance; unique in the corpus, without white space, as all names here.
        speaker: name of the speaker; like that of a session without a slash. None: nobody knows,
            so it may be anybody; it becomes `unknown-<id>`, with UNKNOWN_SPEAKER in `custom`, and a
            task says what becomes of such (`unknown_speakers`).
        emotion: the label as the corpus spells it ("W", "exc"); the task config maps it to a class.
        path: audio file.
        channel: channel of the file, from 0; "mean": all of them averaged; None: nobody chose, so
            the first is taken, and stage 0 says so where the others differ from it.
        start: seconds into the file; None: from its start.
        end: seconds into the file; None: to its end.
        sex: "female" or "male"; None: unknown.
        text: the words; equal texts are equal strings.
        session: recording session, for protocols that split by it.
        dialogue: conversation that the utterance is part of.
        custom: further facts, kept in the manifest.
        recording: id of the recording; None: the utterance's id if it is the whole file, otherwise
            the name of the file, with _ for white space.

    Raises:
        CorpusError: a name is empty or holds what it may not, or `sex` or `channel` is none.
    """

    id: str
    speaker: str | None
    emotion: str
    path: Path
    channel: int | str | None = None
    start: float | None = None
    end: float | None = None
    sex: str | None = None
    text: str | None = None
    session: str | None = None
    dialogue: str | None = None
    custom: dict[str, Any] = field(default_factory=dict)
    recording: str | None = None

    def __post_init__(self) -> None:
        if self.speaker is None:
            object.__setattr__(self, "speaker", f"unknown-{self.id}")
            object.__setattr__(self, "custom", {**self.custom, UNKNOWN_SPEAKER: True})
        for name in NAMES:
            value = getattr(self, name)
            if value is None and name in ("session", "dialogue", "recording"):
                continue
            wrong = wrong_name(name, value)
            if wrong:
                raise CorpusError(
                    f"{self.path}: {name} of utterance {self.id!r} is {value!r}; {wrong}"
                )
            object.__setattr__(self, name, plain_name(value))
        if self.channel not in (None, MEAN) and not isinstance(self.channel, int):
            raise CorpusError(
                f"{self.path}: channel of utterance '{self.id}' is {self.channel!r}; expected 0 "
                f"for the first, 1, ..., '{MEAN}' for the average of all, or None"
            )
        if self.sex not in (None, *SEXES):
            raise CorpusError(
                f"{self.path}: sex of utterance '{self.id}' is {self.sex!r}; "
                f"expected {' or '.join(SEXES)}, or None where unknown"
            )

    @property
    def speaker_is_known(self) -> bool:
        """Whether anybody knows who speaks."""
        return UNKNOWN_SPEAKER not in self.custom

    @property
    def recording_id(self) -> str:
        """The id of the recording that holds this utterance."""
        if self.recording is not None:
            return self.recording
        if self.start is None and self.end is None:
            return self.id
        return plain_name("_".join(Path(self.path).stem.split()))
