"""Sound files with damaged headers: accepted or refused, never a traceback, in bounded memory."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import soundfile

from dsnet.corpus.audio import inspect
from dsnet.corpus.sound import BadAudio
from dsnet.corpus.utterance import Utterance

RATE = 16000


def containers() -> Iterator[tuple[str, bytes]]:
    """Yield a second of noise in each container and coding that libsndfile writes, and its name."""
    noise = np.random.default_rng(0).normal(0, 0.1, RATE)
    for container in soundfile.available_formats():
        for coding in soundfile.available_subtypes(container):
            file = io.BytesIO()
            try:
                soundfile.write(file, noise, RATE, format=container, subtype=coding)
            except soundfile.SoundFileError:  # at another rate only, or not at all
                continue
            if container != "RAW":  # which has no header
                yield f"{container.lower()}.{coding.lower()}", file.getvalue()


def damage_header(content: bytes, rng: Random) -> bytes:
    """Overwrite one to eight bytes near the beginning; of every fifth file, lose the end too."""
    damaged = bytearray(content)
    head = min(len(damaged), rng.choice([12, 44, 128, 512]))
    for _ in range(rng.choice([1, 1, 2, 4, 8])):
        damaged[rng.randrange(head)] = rng.choice([0, 255, rng.randrange(256)])
    return bytes(damaged[: rng.randrange(len(damaged))] if rng.random() < 0.2 else damaged)


def judge(path: Path) -> tuple[bool, str]:
    """Let stage 0 look at a file; return whether it knew what to say, and that or the error."""
    sys.stdout.flush()
    quiet, stdout, stderr = os.open(os.devnull, os.O_WRONLY), os.dup(1), os.dup(2)
    os.dup2(quiet, 1)  # libraries of C print there
    os.dup2(quiet, 2)
    try:
        inspect(Utterance("u", "s", "neutral", path))
    except BadAudio as error:
        return True, str(error)
    except Exception as error:  # what a user would see as a traceback
        return False, f"{type(error).__name__}: {error}"
    finally:
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        for copy in (stdout, stderr, quiet):
            os.close(copy)
    return True, ""
