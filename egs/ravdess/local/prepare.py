#!/usr/bin/env python3
"""RAVDESS speech: Actor_12/03-01-06-01-02-01-12.wav, seven numbers that say what was spoken how.

03        modality: audio only
01        vocal channel: speech
06        emotion, the native label: 01 neutral ... 08 surprised
01        intensity: 01 normal, 02 strong
02        statement: 01 kids, 02 dogs
01        repetition
12        actor: odd numbers are men
"""

import re
from collections.abc import Iterator
from pathlib import Path

from dsnet.corpus.prepare import find_audio, run_prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError

NAME = re.compile(
    r"03-01-(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<statement>0[12])-(?P<repetition>0[12])"
    r"-(?P<actor>0[1-9]|1\d|2[0-4])"
)
SONG = "03-02-"  # a part of its own, which unpacks into the same folders
ACTORS = [f"Actor_{number:02}" for number in range(1, 25)]
INTENSITIES = {"01": "normal", "02": "strong"}
TEXTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}


def utterances(corpus_dir: Path) -> Iterator[Utterance]:
    """Yield the utterances of Actor_*/*.wav, or .flac."""
    check_level(corpus_dir)
    songs = 0
    for actor in ACTORS:
        paths = find_audio(corpus_dir / actor, suffixes=(".wav", ".flac"))
        speech = [path for path in paths if not path.name.startswith(SONG)]
        if not speech:
            raise CorpusError(
                f"{corpus_dir / actor}: no wav or flac file of speech; is the copy complete?"
            )
        songs += len(paths) - len(speech)
        yield from map(utterance, speech)
    if songs:
        print(f"{songs} files of song ({SONG}...) left out")


def check_level(corpus_dir: Path) -> None:
    """Make sure that this is the folder that holds the actors' folders."""
    missing = [actor for actor in ACTORS if not (corpus_dir / actor).is_dir()]
    if not missing:
        return
    if corpus_dir.name in ACTORS:
        raise CorpusError(f"{corpus_dir}: this is one actor's folder; give {corpus_dir.parent}")
    if len(missing) < len(ACTORS):
        raise CorpusError(
            f"{corpus_dir}: {len(ACTORS) - len(missing)} of 24 actors are there; missing: "
            f"{', '.join(missing)}. Is the copy complete?"
        )
    below = [p.parent for d in ("*", "*/*", "*/*/*") for p in corpus_dir.glob(f"{d}/{ACTORS[0]}")]
    hint = f"did you mean {below[0]}?" if below else "give the folder that holds Actor_01 ... 24"
    raise CorpusError(f"{corpus_dir}: no folder Actor_01 in it; {hint}")


def utterance(path: Path) -> Utterance:
    """Return what the name of a file says."""
    name = NAME.fullmatch(path.stem)
    if not name or path.parent.name != f"Actor_{name['actor']}":
        raise CorpusError(
            f"{path}: expected a name such as Actor_12/03-01-06-01-02-01-12.wav: 03 audio only, 01 "
            "speech, emotion 01 to 08, intensity, statement, repetition, and the folder's actor"
        )
    return Utterance(
        id=path.stem,
        speaker=name["actor"],
        emotion=name["emotion"],
        path=path,
        sex="male" if int(name["actor"]) % 2 else "female",
        text=TEXTS[name["statement"]],
        custom={
            "intensity": INTENSITIES[name["intensity"]],
            "statement": name["statement"],
            "repetition": name["repetition"],
        },
    )


if __name__ == "__main__":
    run_prepare(utterances)
