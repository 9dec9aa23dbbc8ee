"""A pretrained encoder on disk: its settings, its weights, and where its layers are.

What is loaded is numbers, never code.
"""

import json
import os
from functools import cached_property
from pickle import UnpicklingError
from types import ModuleType
from typing import Any

import torch
from torch import nn

from dsnet.errors import FeatureError
from dsnet.features.encoder_files import SETTINGS, find_model, first_line, stamps
from dsnet.files import digest

KINDS = ("whisper", "wav2vec2", "hubert", "wavlm", "data2vec-audio")  # `model_type` in config.json


class StoredEncoder:
    """An encoder of a kind that is known, found, but not loaded.

    Attributes:
        model: its name on the Hugging Face hub, or its folder.
        folder: of its files.
        settings: what its config.json says.
        transformers: the library.

    Raises:
        FeatureError: transformers is not installed, or the files are not there.
    """

    def __init__(self, model: str, revision: str):
        """Args: name on the hub, or a folder; commit on the hub."""
        self.model = model
        self.transformers = _import_transformers()
        self.folder = find_model(model, revision, os.environ.get("DSNET_MODELS"))
        self.settings = self._load_settings()

    def _load_settings(self) -> Any:
        path = self.folder / SETTINGS[0]
        try:
            kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
        except (ValueError, AttributeError) as error:
            raise FeatureError(f"{path}: not the settings of an encoder: {error}") from error
        if kind not in KINDS:
            raise FeatureError(f"{path}: model_type is '{kind}'; known are {', '.join(KINDS)}")
        return self.transformers.AutoConfig.from_pretrained(self.folder, trust_remote_code=False)

    @property
    def is_whisper(self) -> bool:
        return self.settings.model_type == "whisper"

    @property
    def depth(self) -> int:
        """Return L, the number of layers."""
        return self.settings.num_hidden_layers

    @property
    def ends_in_norm(self) -> bool:
        """Say whether state L is behind a norm."""
        return self.is_whisper or getattr(self.settings, "do_stable_layer_norm", False)

    @cached_property
    def front(self) -> Any:
        """Return what turns samples into the input of the encoder."""
        cls = self.transformers.AutoFeatureExtractor
        try:
            return cls.from_pretrained(self.folder, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise FeatureError(f"{self.folder / SETTINGS[1]}: {first_line(error)}") from error

    def load(self) -> nn.Module:
        """Return the encoder in evaluation mode, frozen, in float32.

        Raises:
            FeatureError: weights that cannot be read, or are of another model.
        """
        from safetensors import SafetensorError

        quietly = self.transformers.utils.logging
        quietly.disable_progress_bar()
        before = quietly.get_verbosity()
        quietly.set_verbosity_error()
        cls = self.transformers.AutoModel
        unreadable = (OSError, EOFError, RuntimeError, ValueError, SafetensorError)
        options: dict[str, Any] = {}
        if self.is_whisper:  # without its decoder, whether the file has it or not
            cls = self.transformers.models.whisper.modeling_whisper.WhisperEncoder
            options["key_mapping"] = {r"^(model\.)?encoder\.": ""}
        try:
            model, found = cls.from_pretrained(
                self.folder,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # named below
                local_files_only=True,
                trust_remote_code=False,
                weights_only=True,  # pytorch_model.bin is a pickle, which could run anything
                **options,
            )
        except UnpicklingError as error:
            raise FeatureError(
                f"{self.folder}: pytorch_model.bin is not loaded: it is cut off, or holds more "
                "than numbers and might run anything. Copy it once more, or take model.safetensors"
            ) from error
        except unreadable as error:
            raise FeatureError(
                f"{self.folder}: weights that cannot be read: {first_line(error)}"
            ) from error
        finally:
            quietly.set_verbosity(before)
        of_other_size = {key for key, *_ in found["mismatched_keys"]}
        missing = sorted({*found["missing_keys"], *of_other_size} - {"masked_spec_embed"})
        if missing:
            raise FeatureError(
                f"{self.folder}: {len(missing)} weights of {self.model} are missing or of "
                f"another size, first: {', '.join(missing[:5])}. Is the file of another model?"
            )
        return model.eval().requires_grad_(False)

    def stack(self, encoder: nn.Module) -> nn.Module:
        """Return the part of a loaded encoder that has its `layers` and its `layer_norm`.

        The norm is behind the last layer where the encoder `ends_in_norm`.
        """
        return encoder if self.is_whisper else encoder.encoder

    def files(self) -> dict[str, str]:
        """Return size and time of the files, by name."""
        return stamps(self.folder)

    def identity(self, encoder: nn.Module) -> dict[str, str]:
        """Return digests of what decides about the states of a loaded encoder, whole."""
        return {
            "weights": weights_digest(encoder),
            "settings": digest((self.folder / name).read_bytes() for name in SETTINGS),
        }


def weights_digest(encoder: nn.Module) -> str:
    """Return 16 hex digits that identify the weights, however they are stored."""
    return digest(
        part
        for name, value in sorted(encoder.state_dict().items())
        if name != "masked_spec_embed"
        for part in (name, value.numpy().tobytes())
    )


def _import_transformers() -> ModuleType:
    try:
        import transformers
    except ImportError as error:
        raise FeatureError(
            f"transformers, which runs pretrained encoders, is not there ({error}); install it "
            "with `. path.sh && python -m pip install -e '.[pretrained]'` in the root of the "
            "project"
        ) from error
    return transformers
