"""An utterance as a corpus describes it, before any audio was read."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsnet.errors import CorpusError

SEXES = ("female", "male")
MEAN = "mean"


@dataclass(frozen=True)
class Utterance:
    """One utterance of one speaker with one emotion label.

    Args:
        id: name of the utterance; unique in the corpus, without white space.
        speaker: name of the speaker, without white space.
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
            the name of the file.

    Raises:
        CorpusError: a name is empty or holds white space, or `sex` or `channel` is none.
    """

    id: str
    speaker: str
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
        for name in ("id", "speaker", "emotion", "session", "dialogue", "recording"):
            value = getattr(self, name)
            if value is None and name in ("session", "dialogue", "recording"):
                continue
            if not isinstance(value, str) or value.split() != [value]:
                raise CorpusError(
                    f"{self.path}: {name} of utterance {self.id!r} is {value!r}; expected a name "
                    "without white space (lists such as utt2spk are split at it)"
                )
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
    def recording_id(self) -> str:
        """The id of the recording that holds this utterance."""
        if self.recording is not None:
            return self.recording
        return self.id if self.start is None and self.end is None else Path(self.path).stem
