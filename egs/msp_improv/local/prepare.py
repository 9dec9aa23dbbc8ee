#!/usr/bin/env python3
"""MSP-IMPROV: Audio/session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav, all labels in one text file.

S01A   target sentence 01, target emotion A: the scene leads to both
F01    speaker 01F, a woman, of session 1; M01 is the man of that session
P      scenario: P between the scenes, S improvised scene, T its target sentence, R that sentence
       read
FM01   turn
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dsnet.corpus.prepare import check_pairs, find_audio, run_prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError

SESSIONS = [f"session{number}" for number in range(1, 7)]
LABEL_FILES = ("Evalution.txt", "Evaluation.txt")  # the release has the former
SEXES = {"F": "female", "M": "male"}
NAME = re.compile(
    r"MSP-IMPROV-(?P<scene>(?P<sentence>S\d\d)(?P<target>[AHSN]))-(?P<sex>[FM])0(?P<session>[1-6])"
    r"-(?P<scenario>[PRST])-[FM]{2}\d{2,3}"
)
RATINGS = {"A": "activation", "V": "valence", "D": "dominance", "N": "naturalness"}
NUMBER = r"\d+(?:\.\d+)?|NaN"
LABEL_LINE = re.compile(
    r"UTD-(?P<id>\S+)\.avi\s*;\s*(?P<emotion>[AHSNOX])\s*"
    + "".join(rf";\s*{letter}\s*:\s*(?P<{name}>{NUMBER})\s*" for letter, name in RATINGS.items())
    + ";?"
)


class Label(NamedTuple):
    """What a label line says; `ratings` leaves out what is NaN there."""

    emotion: str
    ratings: dict[str, float]
    where: str


def utterances(corpus_dir: Path) -> Iterator[Utterance]:
    """Yield every utterance of the six sessions, whatever its label."""
    audio_dir = find_audio_dir(corpus_dir)
    labels = read_labels(find_label_file(corpus_dir))
    wavs: dict[str, Path] = {}
    for session in SESSIONS:
        wavs |= find_wavs(audio_dir / session)
    check_pairs(corpus_dir, labels, wavs)
    for utt_id, label in sorted(labels.items()):
        name = NAME.fullmatch(utt_id)
        session = f"session{name['session']}"
        yield Utterance(
            id=utt_id,
            speaker=f"0{name['session']}{name['sex']}",
            emotion=label.emotion,
            path=wavs[utt_id],
            sex=SEXES[name["sex"]],
            session=session,
            # the sentences of scenario R were read alone
            dialogue=None if name["scenario"] == "R" else f"{session}-{name['scene']}",
            custom={
                "scenario": name["scenario"],
                "sentence": name["sentence"],
                "target": name["target"],
                **label.ratings,
            },
        )


def find_audio_dir(corpus_dir: Path) -> Path:
    """Return the folder of the sessions: Audio/ where there is one, or the corpus folder itself."""
    there = [
        folder
        for folder in (corpus_dir / "Audio", corpus_dir)
        if any((folder / session).is_dir() for session in SESSIONS)
    ]
    if not there:
        absolute = corpus_dir.absolute()
        near = [
            *(p for depth in ("*", "*/*", "*/*/*") for p in corpus_dir.glob(f"{depth}/session1")),
            *(p for p in (absolute, *absolute.parents) if p.name in SESSIONS),
        ]
        near = [p.parent.parent if p.parent.name == "Audio" else p.parent for p in near]
        hint = f"did you mean {near[0]}?" if near else "give the folder that holds the label file"
        raise CorpusError(
            f"{corpus_dir}: no folders session1 to session6 in it, nor in its folder Audio; {hint}"
        )
    if len(there) > 1:
        raise CorpusError(
            f"{corpus_dir}: sessions both here and in Audio; move one of the two copies elsewhere"
        )
    missing = [session for session in SESSIONS if not (there[0] / session).is_dir()]
    if missing:
        raise CorpusError(f"{there[0]}: lacks {', '.join(missing)}; is the copy complete?")
    return there[0]


def find_label_file(corpus_dir: Path) -> Path:
    """Return the label file under whichever of its two names."""
    there = [corpus_dir / name for name in LABEL_FILES if (corpus_dir / name).is_file()]
    if not there:
        above = [p for name in LABEL_FILES if (p := corpus_dir.absolute().parent / name).is_file()]
        hint = f"it is in {above[0].parent}: give that folder" if above else "is the copy complete?"
        raise CorpusError(f"{corpus_dir}: no label file {' or '.join(LABEL_FILES)} in it; {hint}")
    if len({path.read_bytes() for path in there}) > 1:
        raise CorpusError(
            f"{corpus_dir}: {' and '.join(LABEL_FILES)} are both there and differ; keep the owners'"
        )
    return there[0]


def read_labels(path: Path) -> dict[str, Label]:
    """Return the label of every utterance; single raters' lines are passed over."""
    labels: dict[str, Label] = {}
    # raters' remarks may hold any byte; ids and labels are ASCII
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(map(str.strip, text.split("\n")), 1):
        if not line.startswith("UTD-IMPROV"):
            continue
        where = f"{path}:{number}"
        found = LABEL_LINE.fullmatch(line)
        if not found or not NAME.fullmatch(f"MSP-{found['id']}"):
            raise CorpusError(
                f"{where}: expected 'UTD-IMPROV-S01A-F01-P-FM01.avi; label; A:1.0; V:1.0; D:1.0; "
                f"N:1.0;', the label one of A H S N O X; found {line!r}"
            )
        utt_id = f"MSP-{found['id']}"
        if utt_id in labels:
            raise CorpusError(
                f"{where}: second label line of '{utt_id}' ({found['emotion']}); the first is "
                f"{labels[utt_id].where} ({labels[utt_id].emotion}). Put back the owners' file"
            )
        ratings = {name: float(found[name]) for name in RATINGS.values()}
        ratings = {name: value for name, value in ratings.items() if not math.isnan(value)}
        labels[utt_id] = Label(found["emotion"], ratings, where)
    return labels


def find_wavs(session_dir: Path) -> dict[str, Path]:
    """Return the audio file of every utterance of a session."""
    paths = find_audio(session_dir, depth=3)
    for path in paths:
        name = NAME.fullmatch(path.stem)
        if not name:
            raise CorpusError(f"{path}: expected a name such as MSP-IMPROV-S01A-F01-P-FM01.wav")
        place = (f"session{name['session']}", name["scene"], name["scenario"])
        if path.parts[-4:-1] != place:
            raise CorpusError(
                f"{path}: an utterance of {'/'.join(place)} in the folder of another; "
                "put back the owners' copy"
            )
    return {path.stem: path for path in paths}


if __name__ == "__main__":
    run_prepare(utterances)
