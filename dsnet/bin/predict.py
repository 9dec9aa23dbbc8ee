"""Recognise emotions in recordings.

A recording is judged whole; --windows gives a time line, --segments judges the parts that a file
lists. A file that cannot be judged is a row with its error, the others are judged, and the exit
status is 1. --speaker tells what is known of the speaker: see `dsnet enrol`.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from dsnet.corpus.levels import WEAKER, remarks
from dsnet.corpus.sound import BadAudio, NoSignal, audio_hash
from dsnet.environment import limit_threads
from dsnet.errors import BundleError, DsnetError
from dsnet.recognizer.embeddings import EmbeddingStore
from dsnet.recognizer.inputs import (
    Inputs,
    Item,
    Segment,
    find_inputs,
    require_names,
    with_segments,
)
from dsnet.recognizer.outputs import BY_NAME, FORMATS, WITHOUT_ERRORS, Row
from dsnet.recognizer.profile import Profile, profile_path, read_profile
from dsnet.recognizer.recognizer import MAX_SECONDS, Recognizer
from dsnet.recognizer.recording import MIXED, Recording, Stretch, check_sound, windows

BATCH, BATCH_SECONDS = 32, 96.0  # windows that are judged together, at most
LEAST_HOP = 0.01  # seconds


@dataclass
class Notes:
    """What is said once, at the end: how many recordings, and the first of them."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, what: str, file: str) -> None:
        files = self.found.setdefault(what, [])
        if not files or files[-1] != file:
            files.append(file)

    def tell(self, total: int) -> None:
        for what, files in self.found.items():
            some = f"{files[0]}" if len(files) == 1 else f"{len(files)} of {total} files"
            print(f"note: {some}: {what}", file=sys.stderr)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a model, which several commands have."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model",
        default="emodb-small",
        help="a bundle's folder or zip file, or a model of the package (%(default)s)",
    )
    group.add_argument(
        "--encoder", type=Path, help="folder of the pretrained encoder that the model needs"
    )
    group.add_argument("--device", default="cpu", help="cpu or cuda:N (%(default)s)")
    group.add_argument("--num-threads", type=int, default=1, help="on the CPU (%(default)s)")
    group.add_argument(
        "--channel", default=MIXED, help="0, 1, ..., or mix: the mean of all (%(default)s)"
    )


def make_parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(program, description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "recordings", nargs="+", help="sound files, folders of such, or - for a list of files"
    )
    parser.add_argument("-0", "--null", action="store_true", help="the list has NUL, no line ends")
    parts = parser.add_argument_group("parts of a recording")
    parts.add_argument("--windows", type=float, metavar="SECONDS", help="a row for each window")
    parts.add_argument("--hop", type=float, help="seconds between windows (half a window)")
    parts.add_argument(
        "--segments", type=Path, help="RTTM, Lhotse supervisions, or Kaldi's segments"
    )
    speaker = parser.add_argument_group("speaker").add_mutually_exclusive_group()
    speaker.add_argument("--speaker", help="whom all recordings are of, enrolled before")
    speaker.add_argument("--neutral", nargs="+", metavar="FILE", help="neutral clips of them")
    speaker.add_argument("--any", nargs="+", metavar="FILE", help="clips of whatever emotion")
    answers = parser.add_argument_group("answers")
    answers.add_argument("--format", choices=FORMATS, default="table", help="(%(default)s)")
    answers.add_argument("--output", type=Path, help="a new file, in the place of the terminal")
    answers.add_argument("--overwrite", action="store_true", help="files that are there")
    answers.add_argument(
        "--reject",
        type=float,
        metavar="ERROR",
        help="say 'unsure' below the confidence that kept the share of wrong answers at this, such "
        "as 0.2, on whole recordings of held-out speakers; the card says how well it does",
    )
    answers.add_argument("--embeddings", metavar="NAMES", help="keep these, such as e,s,h")
    answers.add_argument(
        "--embeddings-file", type=Path, default=Path("embeddings.npz"), help="npz or ark"
    )
    answers.add_argument(
        "--explain", type=Path, metavar="HTML", help="write a page about one recording"
    )
    add_model_options(parser)
    return parser


def main(program: str, words: Sequence[str]) -> int:
    """Judge recordings; return 1 if some could not be judged."""
    args = make_parser(program).parse_args(words)
    check_options(args)
    limit_threads(args.num_threads)
    inputs = find_inputs(args.recordings, sys.stdin.buffer, args.null)
    if args.segments:
        inputs = with_segments(inputs, args.segments)
    for option, given in (
        ("--format audacity", args.format == "audacity"),
        ("--explain", args.explain),
    ):
        if given and len(inputs.items) > 1:
            raise BundleError(f"{option} is about one recording, found {len(inputs.items)}")
    if args.format in BY_NAME or (args.embeddings and args.embeddings_file.suffix == ".ark"):
        require_names(inputs, "--format and --embeddings-file")
    check_places(args, inputs)
    recognizer = Recognizer.load(args.model, args.encoder, args.device)
    speaker = find_speaker(args, recognizer)
    if args.reject is not None:
        recognizer.threshold(args.reject, speaker.kind if speaker else "none")
    notes = Notes()
    failed = count = 0
    with ExitStack() as stack:
        store = None
        if args.embeddings:
            store = EmbeddingStore(args.embeddings_file, args.embeddings.split(","))
            stack.enter_context(store)
        stream = open_output(args, stack)
        files = [str(item.path) for item in inputs.items]
        writer = FORMATS[args.format](stream, recognizer.classes, files)
        writer.begin()
        hidden = None if stream is not sys.stdout or not sys.stdout.isatty() else True
        for item in tqdm(inputs.items, unit=" files", disable=hidden or len(files) < 2 or None):
            errors, judged = [], 0
            for row in judge_file(item, recognizer, speaker, args, notes):
                writer.write(row)
                stream.flush()
                errors.append(bool(row.error) and not (row.silent and args.windows is not None))
                judged += row.result is not None
                if row.error and args.format in WITHOUT_ERRORS:
                    print(f"{row.file}: {row.error}", file=sys.stderr)
                if store and row.result:
                    store.add(row)
            if args.windows is not None:  # a silent window is no failure, a silent file is
                errors = [any(errors) or judged == 0]
            failed, count = failed + sum(errors), count + len(errors)
    if args.explain and not failed:
        explain(inputs.items[0], recognizer, speaker, args)
    say_the_rest(inputs, failed, count, notes)
    return 1 if failed else 0


def check_options(args: argparse.Namespace) -> None:
    """Raise BundleError for options that do not go together, before anything is loaded."""
    if args.windows is not None and args.segments:
        raise BundleError("--windows and --segments are two ways to cut; choose one")
    if args.windows is not None and not 0.5 <= args.windows <= MAX_SECONDS:
        raise BundleError(
            f"--windows {args.windows:g}: from half a second or more to {MAX_SECONDS:.0f} s; 3 is "
            "usual"
        )
    if args.hop is not None and args.windows is None:
        raise BundleError("--hop goes with --windows")
    if args.hop is not None and not LEAST_HOP <= args.hop < float("inf"):
        raise BundleError(f"--hop {args.hop:g}: {LEAST_HOP} seconds or more")
    if args.num_threads < 1:
        raise BundleError(f"--num-threads {args.num_threads}: 1 or more")
    if args.channel != MIXED and not (args.channel.isascii() and args.channel.isdecimal()):
        raise BundleError(f"--channel {args.channel}: 0, 1, ... or {MIXED}")
    if args.reject is not None and not 0 < args.reject < 1:
        raise BundleError(f"--reject {args.reject:g}: a share between 0 and 1, such as 0.2")
    if args.explain and (args.windows is not None or args.segments):
        raise BundleError("--explain judges a recording whole, and shows windows of its own")
    files = (args.output, args.explain, args.embeddings_file if args.embeddings else None)
    for path in files:
        if path is not None and path.exists() and not args.overwrite:
            raise BundleError(f"{path} exists; choose another name, or give --overwrite")


def check_places(args: argparse.Namespace, inputs: Inputs) -> None:
    """Raise BundleError if something would be written over what is read, or twice."""
    places = [path for path in (args.output, args.explain) if path is not None]
    if args.embeddings:
        store = EmbeddingStore(args.embeddings_file, args.embeddings.split(","))
        places += store.files
        for path in store.files:
            if path.exists() and not args.overwrite:
                raise BundleError(f"{path} exists; choose another name, or give --overwrite")
    clips = [*(args.neutral or ()), *(args.any or ()), *([args.segments] if args.segments else ())]
    names = map(str, (*(item.path for item in inputs.items), *clips))
    read = {os.path.realpath(name) for name in names if "\0" not in name}
    written = [os.path.realpath(path) for path in places]
    for path in written:
        if path in read or written.count(path) > 1:
            raise BundleError(f"{path} would be written over what is read, or twice")
    if args.explain and not args.explain.absolute().parent.is_dir():
        raise BundleError(f"--explain {args.explain}: no such folder")
    if args.explain and inputs.items[0].path.is_fifo():
        raise BundleError("--explain reads a recording twice; save what comes by the pipe first")


def open_output(args: argparse.Namespace, stack: ExitStack) -> TextIO:
    """Return where rows go.

    Raises:
        BundleError: it cannot be written.
    """
    if args.output is None:
        return sys.stdout
    try:
        file = args.output.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise BundleError(f"--output {args.output}: {error.strerror}") from error
    return stack.enter_context(file)


def find_speaker(args: argparse.Namespace, recognizer: Recognizer) -> Profile | None:
    """Return what is known of the speaker."""
    if args.speaker is not None:
        path = profile_path(args.speaker, recognizer.bundle.id)
        if not path.is_file():
            there = ", ".join(sorted(p.stem for p in path.parent.glob("*.json"))) or "nobody"
            words = shlex.join(["--model", str(args.model), args.speaker])
            raise BundleError(
                f"no speaker '{args.speaker}' is enrolled for the model {recognizer.name} (but "
                f"{there}, in {path.parent}). Enrol with: dsnet enrol {words} FILE..."
            )
        return read_profile(path, recognizer.name, recognizer.bundle.id, recognizer.num_measured)
    files = args.neutral or args.any
    if not files:
        return None
    kind = "neutral" if args.neutral else "any"
    return recognizer.enrol("of these clips", read_clips(files, args.channel), kind, files)


def read_clips(files: Sequence[str], channel: str) -> list[tuple]:
    """Return samples and sampling rate of clips.

    Raises:
        BundleError: one that cannot be read; names it.
    """
    clips = []
    for file in files:
        try:
            with Recording(file, channel) as recording:
                clips.append((recording.read().samples, recording.sampling_rate))
        except BadAudio as error:
            raise BundleError(f"clip {file}: {error}") from error
    return clips


def judge_file(
    item: Item,
    recognizer: Recognizer,
    speaker: Profile | None,
    args: argparse.Namespace,
    notes: Notes,
) -> Iterator[Row]:
    """Yield the rows of a file; what goes wrong is a row, too."""
    file = str(item.path)
    try:
        with Recording(item.path, args.channel) as recording:
            take_note(recording, recognizer, args, notes)
            if speaker is not None and recording.seconds <= MAX_SECONDS:
                # a clip says nothing about parts of itself either
                speaker = speaker.without(audio_hash(recording.read().samples))
            parts = parts_of(item, recording, args)
            size = 1 if args.windows is None else max(1, int(BATCH_SECONDS / args.windows))
            size = min(size, BATCH)
            for first in range(0, len(parts), size):
                some = parts[first : first + size]
                yield from judge_parts(recording, some, recognizer, speaker, args, notes)
    except DsnetError as error:
        yield Row(file, error=str(error))


def parts_of(item: Item, recording: Recording, args: argparse.Namespace) -> list[Segment]:
    """Return the parts of a recording that are wanted.

    Raises:
        BadAudio: it is too long to be judged at once.
    """
    if item.segments is not None:
        return item.segments
    if args.windows is not None:
        hop = args.hop or args.windows / 2
        spans = windows(recording.seconds, args.windows, hop)
        return [Segment("", start, end) for start, end in spans]
    if recording.seconds > MAX_SECONDS:
        raise BadAudio(
            f"{recording.seconds:.0f} s are too long to be judged at once ({MAX_SECONDS:.0f} s); "
            "give --windows 3 for a time line"
        )
    return [Segment("")]


def judge_parts(
    recording: Recording,
    segments: Sequence[Segment],
    recognizer: Recognizer,
    speaker: Profile | None,
    args: argparse.Namespace,
    notes: Notes,
) -> list[Row]:
    """Return a row for each of some parts of a recording."""
    file = str(recording.path)
    rows: list[Row] = []
    good: list[tuple[int, Stretch]] = []
    part = "in part " if args.windows is not None or args.segments else ""
    for segment in segments:
        try:
            if segment.end is not None and segment.end - segment.start > MAX_SECONDS:
                raise BadAudio(f"longer than the {MAX_SECONDS:.0f} s that are judged at once")
            stretch = recording.read(segment.start, segment.end)
            if stretch.weak:
                notes.add(f"{part}{WEAKER}", file)
            check_sound(stretch.samples)
        except BadAudio as error:
            silent = isinstance(error, NoSignal)
            where = (file, segment.start, segment.end, segment.name)
            rows.append(Row(*where, error=str(error), silent=silent))
            continue
        for words in remarks(stretch.samples):
            notes.add(f"{part}{words}", file)
        good.append((len(rows), stretch))
        rows.append(Row(file, stretch.start, stretch.end, segment.name))
    sounds = [stretch.samples for _, stretch in good]
    found = recognizer.judge(sounds, recording.sampling_rate, speaker, args.reject)
    for (place, stretch), result in zip(good, found, strict=True):
        name = rows[place].segment
        rows[place] = Row(file, stretch.start, stretch.end, name, result)
    return rows


def take_note(
    recording: Recording, recognizer: Recognizer, args: argparse.Namespace, notes: Notes
) -> None:
    """Remember what the user should hear of."""
    file = str(recording.path)
    if recording.sampling_rate < recognizer.sampling_rate:
        notes.add(
            f"sampled below {recognizer.sampling_rate} Hz, so that upper frequencies are empty; "
            "the model has heard no such recordings",
            file,
        )
    if recording.num_channels > 1 and args.channel == MIXED:
        notes.add("several channels, mixed down; --channel 0 takes the first", file)


def explain(
    item: Item, recognizer: Recognizer, speaker: Profile | None, args: argparse.Namespace
) -> None:
    """Write the page about a recording."""
    from dsnet.report.explain import write_explanation  # imports matplotlib, which takes a second

    with Recording(item.path, args.channel) as recording:
        stretch = recording.read()
    write_explanation(
        args.explain,
        recognizer,
        item.path,
        stretch.samples,
        recording.sampling_rate,
        speaker,
        args.reject,
    )
    print(f"{args.explain}: a page to look at", file=sys.stderr)


def say_the_rest(inputs: Inputs, failed: int, count: int, notes: Notes) -> None:
    """Say on the terminal what the rows do not say."""
    notes.tell(len(inputs.items))
    silent = sum(item.segments == [] for item in inputs.items)
    if silent:
        print(f"note: {silent} recordings have no segment", file=sys.stderr)
    if inputs.strangers:
        print(
            f"note: segments of {inputs.strangers} other recordings are passed over",
            file=sys.stderr,
        )
    say_passed_over(inputs)
    if failed:
        print(f"{failed} of {count} could not be judged", file=sys.stderr)


def say_passed_over(inputs: Inputs) -> None:
    """Say how many files of the folders were left out."""
    if inputs.passed_over:
        print(
            f"note: {inputs.passed_over} files in the folders are not sound files by their names",
            file=sys.stderr,
        )
