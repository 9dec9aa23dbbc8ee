"""Rows of results as a table, csv, json lines, labels and segments; each is written at once.

table       for people
csv, jsonl  a row a recording, or window, or segment; a probability a class
audacity    a label track: start, end, label
rttm        EMOTION lines of NIST's Rich Transcription Time Marked form
lhotse      supervisions, the emotion as a custom field, for SupervisionSet.from_file
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from dsnet.recognizer.recognizer import UNSURE, Result


@dataclass(frozen=True)
class Row:
    """A recording, or a part of it, judged or not.

    Args:
        file: its name as given.
        start, end: in seconds; None if it could not be opened.
        segment: its name, if it has one.
        result: None: there is none.
        error: why there is none; else empty.
        silent: it is a part without any signal, which is no failure among others.
    """

    file: str
    start: float | None = None
    end: float | None = None
    segment: str = ""
    result: Result | None = None
    error: str = ""
    silent: bool = False


class Writer:
    """Writes rows to a stream; what is written is there, whatever comes after."""

    def __init__(self, stream: TextIO, classes: Sequence[str], files: Sequence[str]):
        """Args: where to; K classes; names of all files."""
        self.stream, self.classes = stream, classes
        self.widest = max([len(_on_a_line(file)) for file in files] + [4])

    def begin(self) -> None:
        """Write what stands before the rows."""

    def write(self, row: Row) -> None:
        """Write a row."""
        raise NotImplementedError


class Table(Writer):
    """For people; the second guess is shown where it is half as probable as the first or more."""

    def begin(self) -> None:
        self._line("file", "start", "end", "label", "confidence")

    def write(self, row: Row) -> None:
        times = [_seconds(time) or "–" for time in (row.start, row.end)]
        if row.result is None:
            self._line(_on_a_line(row.file), *times, f"error: {row.error}", "")
            return
        ranked = sorted(row.result.scores.items(), key=lambda pair: -pair[1])
        best, second = ranked[0], ranked[1]
        words = f"{best[1]:.2f}"
        if row.result.label == UNSURE:
            words += f" {best[0]}"
        if second[1] >= best[1] / 2:
            words += f", {second[1]:.2f} {second[0]}"
        self._line(_on_a_line(row.file), *times, row.result.label, words)

    def _line(self, file: str, start: str, end: str, label: str, confidence: str) -> None:
        longest = max(map(len, [*self.classes, UNSURE]))
        line = f"{file:<{self.widest}}  {start:>7}  {end:>7}  {label:<{longest}}  {confidence}"
        self.stream.write(line.rstrip() + "\n")


class Csv(Writer):
    """One header, whatever happens; empty cells where there is nothing."""

    def begin(self) -> None:
        self._csv = csv.writer(self.stream, lineterminator="\n")
        names = ["file", "start", "end", "segment", "label", *self.classes, "confidence", "error"]
        self._csv.writerow(names)

    def write(self, row: Row) -> None:
        label, scores, confidence = "", [""] * len(self.classes), ""
        if row.result is not None:
            label, confidence = row.result.label, f"{row.result.confidence:.6f}"
            scores = [f"{row.result.scores[name]:.6f}" for name in self.classes]
        where = [row.file, _seconds(row.start), _seconds(row.end), row.segment]
        self._csv.writerow([*where, label, *scores, confidence, row.error])


class JsonLines(Writer):
    """An object a row."""

    def write(self, row: Row) -> None:
        content = {"file": row.file, "start": row.start, "end": row.end}
        content |= {"segment": row.segment} if row.segment else {}
        if row.result is None:
            content["error"] = row.error
        else:
            content["label"] = row.result.label
            content["confidence"] = round(row.result.confidence, 6)
            content["scores"] = {name: round(p, 6) for name, p in row.result.scores.items()}
        self.stream.write(json.dumps(content) + "\n")


class Audacity(Writer):
    """A label track; of one recording, since tracks do not name files."""

    def write(self, row: Row) -> None:
        if row.result is not None:
            self.stream.write(f"{row.start:.6f}\t{row.end:.6f}\t{row.result.label}\n")


class Rttm(Writer):
    """Type, file, channel, start, duration, text, label, name, confidence, look-ahead."""

    def write(self, row: Row) -> None:
        if row.result is not None:
            name = "_".join(Path(row.file).stem.split())
            self.stream.write(
                f"EMOTION {name} 1 {row.start:.3f} {row.end - row.start:.3f} <NA> "
                f"{row.result.label} <NA> {row.result.confidence:.4f} <NA>\n"
            )


class Lhotse(Writer):
    """Supervisions; `recording_id` is the file's name without suffix."""

    def begin(self) -> None:
        self._count = 0

    def write(self, row: Row) -> None:
        if row.result is None:
            return
        recording = Path(row.file).stem
        self._count += 1
        content = {
            "id": f"{recording}-{self._count:06d}",
            "recording_id": recording,
            "start": round(row.start, 6),
            "duration": round(row.end - row.start, 6),
            "channel": 0,
            "custom": {
                **({"segment": row.segment} if row.segment else {}),
                "emotion": row.result.label,
                "confidence": round(row.result.confidence, 6),
                "scores": {name: round(p, 6) for name, p in row.result.scores.items()},
            },
        }
        self.stream.write(json.dumps(content) + "\n")


BY_NAME = ("rttm", "lhotse")  # that know recordings by name alone
WITHOUT_ERRORS = ("audacity", "rttm", "lhotse")
FORMATS: dict[str, type[Writer]] = {
    "table": Table,
    "csv": Csv,
    "jsonl": JsonLines,
    "audacity": Audacity,
    "rttm": Rttm,
    "lhotse": Lhotse,
}


def _seconds(time: float | None) -> str:
    return "" if time is None else f"{time:.2f}"


def _on_a_line(file: str) -> str:
    """Return a name without what would move the cursor."""
    return "".join(c if c >= " " and c != "\x7f" else repr(c)[1:-1] for c in file)
