"""Bundles: a model of all speakers of a corpus, with all that a prediction needs and who made it.

    manifest.json        format, name, digests of the other files, what it was trained on, results
    config.yaml          classes, features, and of each member its system, temperature, thresholds
    model.safetensors    weights and voices, named <member>.<weight>
    card.md              what it is good for, and what not

in a folder, or in a zip file of it. Nothing in a bundle is executed. A bundle has up to three
members, by what they are given of a speaker: none, neutral, any.
Axes: K classes, F dimensions.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from dsnet.config import from_values
from dsnet.errors import BundleError
from dsnet.features import FEATURES
from dsnet.files import replacing_folder
from dsnet.systems.config import SystemConfig

FORMAT = 1
MANIFEST, CONFIG, WEIGHTS, CARD = "manifest.json", "config.yaml", "model.safetensors", "card.md"
FILES = (CONFIG, WEIGHTS, CARD)
MEMBERS = ("none", "neutral", "any")  # sources of enrolment that a member can be trained with
MODELS = Path(__file__).parent / "models"  # bundles that come with the package
VOICE = "voice."  # what the names of a voice's tensors begin with
WITHIN = "within"  # the tensor of that name


@dataclass(frozen=True)
class FeaturesFacts:
    """What a bundle says of its features; the same fields as those of `FeatsInfo`."""

    name: str
    kind: str
    dim: int
    frame_shift_ms: float | None
    config: dict[str, Any]
    num_layers: int = 1
    storage: str = "float32"
    identity: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Member:
    """One network of a bundle.

    Args:
        system: its config.
        num_speakers: that it was trained on.
        temperature: that makes its probabilities honest.
        held_out: of speakers that were left out, from sure to unsure: `confidence`, and `error`,
            the share of wrong answers among all that are at least so sure.
        weights: of the network, by name.
        voice: average voice of the training speakers, (F,) each; empty if the input stays as it is.
    """

    system: SystemConfig
    num_speakers: int
    temperature: float
    held_out: dict[str, list[float]]
    weights: Mapping[str, Tensor]
    voice: Mapping[str, Tensor]


@dataclass(frozen=True)
class Bundle:
    """A bundle, checked.

    Args:
        name: such as emodb-small.
        id: 16 hex digits that no other bundle has.
        classes: K names.
        features: of all members.
        members: by what they are given of a speaker.
        within: (F,) deviation of a dimension's mean between utterances of one training speaker.
        usual_distance: that 99 of 100 clips of a training speaker keep; see `profile.farthest`.
        facts: what manifest.json says of training and results, for people.
        card: Markdown.
    """

    name: str
    id: str
    classes: list[str]
    features: FeaturesFacts
    members: dict[str, Member]
    within: Tensor
    usual_distance: float
    facts: dict[str, Any]
    card: str


def find_bundle(name: str | Path) -> Path:
    """Return the folder or zip file of a bundle: a path, or the name of one in the package.

    Raises:
        BundleError: there is none.
    """
    path = Path(name)
    if path.exists():
        return path
    if (MODELS / path.name / MANIFEST).is_file() and path.name == str(name):
        return MODELS / path.name
    there = ", ".join(sorted(p.parent.name for p in MODELS.glob(f"*/{MANIFEST}"))) or "none"
    raise BundleError(
        f"--model {name}: no such folder or file, and no model of the package, which has: {there}"
    )


def read_bundle(path: Path) -> Bundle:
    """Read and check a bundle.

    Raises:
        BundleError: files that are missing, damaged, of another toolkit or of a later version.
    """
    manifest = _read_manifest(path)
    contents = {name: _read_file(path, name) for name in FILES}
    for name in FILES:
        wanted = manifest["files"].get(name)
        if wanted != _sha256(contents[name]):
            raise BundleError(
                f"{path}: {name} is not the file that manifest.json was written for; it was "
                "damaged or edited. Copy the bundle once more, or make it anew (--stage final)"
            )
    try:
        config = yaml.safe_load(contents[CONFIG])
        tensors = load_tensors(contents[WEIGHTS])
        kind = config["features"]["kind"]
        if kind not in FEATURES:
            raise BundleError(f"{path}: no kind of features '{kind}' in this version of dsnet")
        features = FeaturesFacts(**config["features"])
        members = {
            given: _read_member(path, given, values, tensors)
            for given, values in config["members"].items()
        }
        return Bundle(
            name=manifest["name"],
            id=_identity(manifest),
            classes=list(config["classes"]),
            features=features,
            members=members,
            within=tensors[WITHIN],
            usual_distance=config["usual_distance"],
            facts=manifest["facts"],
            card=contents[CARD].decode("utf-8"),
        )
    except (yaml.YAMLError, SafetensorError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise BundleError(
            f"{path}: config.yaml or model.safetensors is not what this version of dsnet writes "
            f"({type(error).__name__}: {error})"
        ) from error


def _read_member(
    path: Path, given: str, values: dict[str, Any], tensors: Mapping[str, Tensor]
) -> Member:
    system = from_values(values["system"], SystemConfig, f"{path}/{CONFIG}: members.{given}.system")
    start = f"{given}."
    own = {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
    return Member(
        system=system,
        num_speakers=values["num_speakers"],
        temperature=values["temperature"],
        held_out=values["held_out"],
        weights={name: t for name, t in own.items() if not name.startswith(VOICE)},
        voice={n.removeprefix(VOICE): t for n, t in own.items() if n.startswith(VOICE)},
    )


def check_place(folder: Path) -> None:
    """Raise BundleError for a folder that holds something else than a bundle."""
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    strange = sorted(there - {MANIFEST, *FILES})
    if strange or (folder.exists() and not folder.is_dir()):
        what = f"holds {strange[0]}" if strange else "is a file"
        raise BundleError(
            f"--bundle-dir {folder}: {what}, and a bundle would take its place; name a new folder"
        )


def write_bundle(
    folder: Path,
    name: str,
    classes: list[str],
    features: FeaturesFacts,
    members: Mapping[str, Member],
    within: Tensor,
    usual_distance: float,
    facts: dict[str, Any],
    card: str,
) -> None:
    """Write a bundle's folder; it is whole or absent, and replaces one that is there.

    For the arguments see `Bundle`.

    Raises:
        BundleError: the folder holds something else.
    """
    check_place(folder)
    config = {
        "classes": classes,
        "features": asdict(features),
        "usual_distance": usual_distance,
        "members": {
            given: {
                "system": asdict(member.system),
                "num_speakers": member.num_speakers,
                "temperature": member.temperature,
                "held_out": member.held_out,
            }
            for given, member in members.items()
        },
    }
    tensors = {
        f"{given}.{start}{key}": value.detach().cpu().contiguous()
        for given, member in members.items()
        for start, group in (("", member.weights), (VOICE, member.voice))
        for key, value in group.items()
    }
    tensors[WITHIN] = within.contiguous()
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100)
    contents = {CONFIG: text.encode(), WEIGHTS: save_tensors(tensors), CARD: card.encode()}
    manifest = {
        "format": FORMAT,
        "name": name,
        "files": {file: _sha256(content) for file, content in contents.items()},
        "facts": facts,
    }
    contents[MANIFEST] = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    with replacing_folder(folder) as temporary:
        for file, content in contents.items():
            (temporary / file).write_bytes(content)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(_read_file(path, MANIFEST))
        version, files = int(manifest["format"]), manifest["files"]
        _ = manifest["name"], manifest["facts"], files.items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(
            f"{path}: {MANIFEST} is not that of a bundle ({type(error).__name__}: {error})"
        ) from error
    if version != FORMAT:
        what = "make the bundle anew with this version" if version < FORMAT else "update dsnet"
        raise BundleError(
            f"{path}: a bundle of format {version}; this version of dsnet reads {FORMAT}: {what}"
        )
    return manifest


def _read_file(path: Path, name: str) -> bytes:
    """Return a file of a bundle that is a folder or a zip file, maybe of the folder itself."""
    if path.is_dir():
        if not (path / name).is_file():
            raise BundleError(
                f"{path}: no {name} in it; a bundle is a folder with {MANIFEST}, "
                f"{', '.join(FILES)}, as --stage final writes it"
            )
        return (path / name).read_bytes()
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [i for i in archive.namelist() if i.rpartition("/")[2] == name]
            if not inside:
                raise BundleError(f"{path}: no {name} in it; a bundle's zip file has {MANIFEST}")
            return archive.read(min(inside, key=len))
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError) as error:
        raise BundleError(
            f"{path}: neither a bundle's folder nor a zip file of one ({error})"
        ) from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _identity(manifest: dict[str, Any]) -> str:
    """Return 16 hex digits of what decides about predictions: weights and config."""
    return _sha256((manifest["files"][WEIGHTS] + manifest["files"][CONFIG]).encode())[:16]
