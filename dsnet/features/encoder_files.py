"""The files of a pretrained encoder: in a folder of the user's, or on the Hugging Face hub."""

import json
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

from dsnet.errors import FeatureError

SETTINGS = ("config.json", "preprocessor_config.json")
HUB_SECONDS = 10  # to wait for an answer of the hub
WEIGHTS = (  # in one file, or in several and a list of them
    ["model.safetensors", "model-*.safetensors", "model.safetensors.index.json"],
    ["pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json"],
)


def find_model(model: str, revision: str, models_dir: str | None) -> Path:
    """Return the folder of an encoder's files; those that the hub has are fetched.

    Args:
        model: name on the hub, or a folder.
        revision: commit on the hub.
        models_dir: folder of folders that are looked at first: OWNER/NAME, NAME or NAME-encoder.

    Raises:
        FeatureError: says which files go where.
    """
    name = model.rpartition("/")[2]
    places = [Path(model)]
    if models_dir:
        top = Path(models_dir)
        places += [top / model, top / name, top / f"{name}-encoder"]
    for place in places:
        if (place / SETTINGS[0]).is_file():
            return _checked(place)
    try:
        return _fetched(model, revision)
    except Exception as error:  # the hub's client raises those of several libraries
        raise FeatureError(
            f"no files of {model}: looked at {', '.join(map(str, places))} and at the "
            f"Hugging Face hub ({first_line(error)}). Without access to the hub, put "
            f"{', '.join(SETTINGS)} and model.safetensors (or pytorch_model.bin) of "
            f"https://huggingface.co/{model}/tree/{revision} into FOLDER/{name} and "
            "give --models-dir FOLDER, or set DSNET_MODELS"
        ) from error


def first_line(error: Exception) -> str:
    """Return the type of an error and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])


def _checked(folder: Path) -> Path:
    missing = [name for name in SETTINGS if not (folder / name).is_file()]
    if not any(_has_weights(folder, files) for files in WEIGHTS):
        missing.append("model.safetensors (or pytorch_model.bin)")
    if missing:
        raise FeatureError(f"{folder}: {' and '.join(missing)} is missing; copy it there")
    return folder


def _has_weights(folder: Path, files: list[str]) -> bool:
    whole, index = folder / files[0], folder / files[-1]
    if whole.is_file() or not index.is_file():
        return whole.is_file()
    parts = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    return all((folder / part).is_file() for part in parts)


def _fetched(model: str, revision: str) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import LocalEntryNotFoundError

    with suppress(LocalEntryNotFoundError, FeatureError):  # not, or not all, in the hub's cache
        return _snapshot(model, revision, local_files_only=True)
    # a single request, since snapshot_download tries for long before it says that there is no hub
    url = hf_hub_url(model, SETTINGS[0], revision=revision)
    get_hf_file_metadata(url, timeout=HUB_SECONDS)
    return _snapshot(model, revision, local_files_only=False)


def _snapshot(model: str, revision: str, local_files_only: bool) -> Path:
    from huggingface_hub import snapshot_download

    for weights in WEIGHTS:  # the second form only where there is none of the first
        folder = Path(
            snapshot_download(
                model,
                revision=revision,
                allow_patterns=[*SETTINGS, *weights],
                local_files_only=local_files_only,
            )
        )
        if _has_weights(folder, weights):
            break
    return _checked(folder)


def stamps(folder: Path) -> dict[str, str]:
    """Return size and time of an encoder's files, by name."""
    wanted = [*SETTINGS, *(pattern for group in WEIGHTS for pattern in group)]
    stats = {path.name: path.stat() for path in sorted(folder.iterdir())}
    return {
        name: f"{stat.st_size} bytes of {stat.st_mtime_ns}"
        for name, stat in stats.items()
        if any(fnmatch(name, pattern) for pattern in wanted)
    }
