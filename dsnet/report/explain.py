"""One HTML page that shows a person what a model made of one recording.

The page needs nothing but itself: sound and spectrogram are in it, lines are SVG, and a few lines
of script move a cursor along with the sound. All that has a time axis has the same one.
Axes: N samples, F mel bins, T frames, W windows, P points, D dimensions, K classes.
"""

import base64
import dataclasses
import io
import math
import os
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import soundfile
import torch

from dsnet.config import from_values
from dsnet.features.fbank import FbankConfig, compute_fbank
from dsnet.features.resample import resample
from dsnet.files import write_text
from dsnet.models.front_end import mel
from dsnet.recognizer.bundle import Bundle
from dsnet.recognizer.explain import (
    HOP_SECONDS,
    WINDOW_SECONDS,
    Attention,
    Explanation,
    Window,
    explain,
)
from dsnet.recognizer.profile import Profile
from dsnet.recognizer.recognizer import UNSURE, Recognizer, Result
from dsnet.recognizer.recording import as_samples
