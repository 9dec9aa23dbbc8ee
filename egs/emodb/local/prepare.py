#!/usr/bin/env python3
"""EmoDB: wav/03a01Fa.wav is speaker 03, sentence a01, emotion F, take a."""

import re
from collections.abc import Iterator
from pathlib import Path

from dsnet.corpus.prepare import find_audio, run_prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError

NAME = re.compile(r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<emotion>[WLEAFNT])(?P<take>[a-z])")
MALE = {"03", "10", "11", "12", "15"}
TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}


def ratings(path: Path) -> dict[str, dict[str, float]]:
    """Return per utterance what listeners thought, in percent; nothing without the file."""
    if not path.is_file():
        print(f"note: no {path.name} in {path.parent}: no listeners' ratings")
        return {}
    found = {}
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines()[1:], 2):
        fields = line.replace(",", ".").split()
        if not fields:
            continue
        try:
            _, name, recognised, natural = fields
            found[Path(name).stem] = {"recognised": float(recognised), "natural": float(natural)}
        except ValueError as error:
            raise CorpusError(
                f"{path}:{number}: expected number, file, recognised, natural; found {line!r}"
            ) from error
    return found


def utterances(corpus_dir: Path) -> Iterator[Utterance]:
    """Yield the utterances of wav/*.wav, or of *.wav where there is no folder wav."""
    wav_dir = corpus_dir / "wav"
    if not wav_dir.is_dir() and find_audio(corpus_dir):
        if corpus_dir.name == "wav":
            raise CorpusError(f"{corpus_dir}: this is the wav folder; give {corpus_dir.parent}")
        wav_dir = corpus_dir
    if not wav_dir.is_dir():
        below = [str(p.parent) for p in sorted(corpus_dir.glob("*/wav"))]
        hint = f"did you mean {below[0]}?" if below else "give the folder that holds wav/*.wav"
        raise CorpusError(f"{corpus_dir}: no folder wav in it; {hint}")
    rated = ratings(corpus_dir / "erkennung.txt")
    for path in find_audio(wav_dir):
        name = NAME.fullmatch(path.stem)
        if not name or name["sentence"] not in TEXTS:
            raise CorpusError(
                f"{path}: expected a name such as 03a01Fa.wav: speaker 03, one of "
                f"the sentences {' '.join(TEXTS)}, one of W L E A F N T, take a"
            )
        yield Utterance(
            id=path.stem,
            speaker=name["speaker"],
            emotion=name["emotion"],
            path=path,
            sex="male" if name["speaker"] in MALE else "female",
            text=TEXTS[name["sentence"]],
            custom={"sentence": name["sentence"], "take": name["take"], **rated.get(path.stem, {})},
        )


if __name__ == "__main__":
    run_prepare(utterances)
