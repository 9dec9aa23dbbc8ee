#!/usr/bin/env python3
"""IEMOCAP: Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_M000.wav, label in a text file.

Ses01     session
F         who wore the markers in this dialogue; the speaker is another letter
impro04   dialogue: impro, improvised, or script, scripted
M         speaker Ses01M
000       turn

Session1/dialog/EmoEvaluation/Ses01F_impro04.txt holds the labels of the dialogue, and
Session1/dialog/transcriptions/Ses01F_impro04.txt its words.
"""

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from dsnet.corpus.prepare import check_pairs, find_audio, run_prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError

SESSIONS = [f"Session{number}" for number in range(1, 6)]
WAVS, LABELS, TEXTS = "sentences/wav", "dialog/EmoEvaluation", "dialog/transcriptions"
EMOTIONS = ("ang", "hap", "sad", "neu", "exc", "fru", "fea", "sur", "dis", "oth", "xxx")
SEXES = {"F": "female", "M": "male"}
NAME = re.compile(
    r"(?P<dialogue>Ses0(?P<session>[1-5])[FM]_(?P<condition>impro|script)\w+)_(?P<sex>[FM])\d{3}"
)
NUMBER = r"(\d+(?:\.\d+)?|NaN)"
LABEL_LINE = re.compile(
    rf"\[[\d.]+ *- *[\d.]+\]\s+(\S+)\s+({'|'.join(EMOTIONS)})\s+"
    rf"\[{NUMBER}, *{NUMBER}, *{NUMBER}\]"
)
TEXT_LINE = re.compile(r"(\S+) +\[[^]]*\]: *(.*)")


class Label(NamedTuple):
    """What a label line says; `ratings` leaves out what is NaN there."""

    emotion: str
    ratings: dict[str, float]
    where: str


def utterances(corpus_dir: Path) -> Iterator[Utterance]:
    """Yield every utterance of the five sessions that has a label, whatever the label."""
    check_level(corpus_dir)
    labels: dict[str, Label] = {}
    wavs: dict[str, Path] = {}
    for session in SESSIONS:
        wavs |= find_wavs(corpus_dir / session)
        labels |= read_labels(corpus_dir / session)
    check_pairs(corpus_dir, labels, wavs)
    texts = read_texts(corpus_dir, labels)
    for utt_id, label in sorted(labels.items()):
        name = NAME.fullmatch(utt_id)
        session = f"Ses0{name['session']}"
        yield Utterance(
            id=utt_id,
            speaker=session + name["sex"],
            emotion=label.emotion,
            path=wavs[utt_id],
            sex=SEXES[name["sex"]],
            text=texts.get(utt_id),
            session=session,
            dialogue=name["dialogue"],
            custom={"condition": name["condition"], **label.ratings},
        )


def check_level(corpus_dir: Path) -> None:
    """Make sure that this is the folder that holds the sessions, with audio and labels."""
    missing = [session for session in SESSIONS if not (corpus_dir / session).is_dir()]
    if len(missing) == len(SESSIONS):
        absolute = corpus_dir.absolute()
        near = [
            *(p.parent for d in ("*", "*/*", "*/*/*") for p in corpus_dir.glob(f"{d}/Session1")),
            *(p.parent for p in (absolute, *absolute.parents) if p.name in SESSIONS),
        ]
        hint = f"did you mean {near[0]}?" if near else "give the folder that holds them"
        raise CorpusError(f"{corpus_dir}: no folders Session1 to Session5 in it; {hint}")
    folders = [f"{session}/{part}" for session in SESSIONS for part in (WAVS, LABELS)]
    missing = missing or [folder for folder in folders if not (corpus_dir / folder).is_dir()]
    if missing:
        raise CorpusError(f"{corpus_dir}: lacks {', '.join(missing)}; is the copy complete?")


def find_wavs(session_dir: Path) -> dict[str, Path]:
    """Return the audio file of every utterance of a session."""
    paths = find_audio(session_dir / WAVS, depth=2)
    for path in paths:
        check_place(path.stem, path.parent.name, session_dir, str(path))
    return {path.stem: path for path in paths}


def check_place(utt_id: str, dialogue: str, session_dir: Path, where: str) -> None:
    """Make sure that an utterance stands where its name says."""
    name = NAME.fullmatch(utt_id)
    if not name:
        raise CorpusError(f"{where}: expected a name such as Ses01F_impro04_M000, found '{utt_id}'")
    there = (session_dir.name, dialogue)
    if there != (f"Session{name['session']}", name["dialogue"]):
        raise CorpusError(
            f"{where}: utterance '{utt_id}' is of dialogue {name['dialogue']} in "
            f"Session{name['session']}, but stands in {dialogue} of {session_dir.name}; "
            "put back the owners' copy"
        )


def read_labels(session_dir: Path) -> dict[str, Label]:
    """Return the label of every utterance of a session; single raters' lines are passed over."""
    labels: dict[str, Label] = {}
    for path in sorted((session_dir / LABELS).glob("[!.]*.txt")):
        for where, line in lines_of(path):
            if not line.startswith("[") and "\tSes" not in line:
                continue
            found = LABEL_LINE.fullmatch(line)
            if not found:
                raise CorpusError(
                    f"{where}: expected '[start - end] utterance label [valence, activation, "
                    f"dominance]', the label one of {' '.join(EMOTIONS)}; found {line!r}"
                )
            utt_id, emotion, *values = found.groups()
            check_place(utt_id, path.stem, session_dir, where)
            if utt_id in labels:
                raise CorpusError(
                    f"{where}: second label line of '{utt_id}' ({emotion}); the first is "
                    f"{labels[utt_id].where} ({labels[utt_id].emotion}). Put back the owners' file"
                )
            ratings = zip(("valence", "activation", "dominance"), map(float, values), strict=True)
            labels[utt_id] = Label(
                emotion, {what: value for what, value in ratings if not math.isnan(value)}, where
            )
    return labels


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (file:line, text) of a text file."""
    # raters' remarks and words may hold any byte; ids and labels are ASCII
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.split("\n"), 1):
        yield f"{path}:{number}", line.strip()


def read_texts(corpus_dir: Path, labels: Iterable[str]) -> dict[str, str]:
    """Return the words of the utterances that have a label; say which have none."""
    labels = set(labels)
    texts: dict[str, str] = {}
    unused = []
    absent = [s for s in SESSIONS if not (corpus_dir / s / TEXTS).is_dir()]
    for session in SESSIONS:
        for path in sorted((corpus_dir / session / TEXTS).glob("[!.]*.txt")):
            for where, line in lines_of(path):
                found = TEXT_LINE.fullmatch(line)
                if not found or found[1] not in labels or found[1] in texts:
                    unused += [where] if line else []
                elif found[2]:
                    texts[found[1]] = found[2]
    if absent:
        print(f"note: no folder {TEXTS} in {', '.join(absent)}: no texts from there")
    without = sorted(labels - texts.keys())
    if without:
        print(f"note: {len(without)} of {len(labels)} utterances without text, first {without[0]}")
    if unused:
        print(
            f"note: {len(unused)} lines of the transcriptions left out: turns without audio or "
            f"number, or a second text of an utterance; first {unused[0]}"
        )
    return texts


if __name__ == "__main__":
    run_prepare(utterances)
