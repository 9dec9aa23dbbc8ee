"""Probes of many networks: means over folds with intervals, and the rows of a table.

Each fold has networks of its own, with a space of their own, so the fold is the unit: its seeds are
averaged, and the bootstrap draws folds. Folds share training speakers, and a speaker who validates
one is tested in another, so folds are not quite independent and the intervals a little narrow.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from dsnet.errors import ScoringError
from dsnet.files import read_json
from dsnet.probes.classifiers import CLASSIFIERS
from dsnet.probes.labels import TARGETS
from dsnet.probes.verification import VERIFICATIONS
from dsnet.results.embeddings import CONSTANT, is_constant
from dsnet.scoring.statistics import LEVEL, NUM_RESAMPLES

PROBES = "probes.json"
IDENTITY = ("system", "seed", "fold", "digests")  # what probes.json repeats of train.json
FOUND = ("targets", "variation", "parts", "similarity", "swap")
MIN_FOLDS = 5  # for an interval
BOOTSTRAP_SEED = 0
DASH = "–"
HEADER = [
    "system",
    "part",
    "variation",
    "speaker (EER)",
    "speaker, same sex (EER)",
    "speaker, same emotion (EER)",
    *TARGETS,
    "similarity of s and e",
    "decision follows e / s / neither",
]
EXPLANATION = (
    "What embeddings of speakers that the network was not trained on tell, in percent [95 % over "
    "folds]. Variation: the standard deviation over utterances as a share of the embedding's size; "
    f"what has no more than {100 * CONSTANT:g} is constant, the same for every utterance: it holds "
    "nothing, and is neither probed nor swapped. "
    "Speaker: equal error rate of saying by the cosine of two embeddings whether one "
    "person speaks both utterances; the lower, the more the embedding tells of the speaker. A pair "
    "never says the same text. Of all pairs; of pairs of the same sex, which are harder; and of "
    "pairs of the same emotion, where differences of emotion do not hide the voice. Sex, text, "
    "emotion: balanced accuracy of a linear probe; of nearest neighbours: the higher, the more the "
    "embedding tells. Disentangled would be: e tells the emotion and is near a guess for all else, "
    "s the reverse. Similarity: debiased linear CKA (0: none, 1: the same geometry). Decisions: of "
    "utterances recombined from the e of one and the s of another, percent decided as the one that "
    "gave e, gave s, neither."
)


def read_identity(folder: Path) -> dict[str, Any]:
    """Return which network a folder holds: system, seed, fold and digests.

    Raises:
        ScoringError: it has no train.json, or a damaged one.
    """
    remedy = "whose network is unknown; run --stage 3"
    about = read_json(folder / "train.json", ScoringError, remedy, IDENTITY)
    return {key: about[key] for key in IDENTITY}


def read_probes(folders: Mapping[str, Iterable[Path]]) -> dict[str, Any]:
    """Read the probes of systems and summarise them.

    Args:
        folders: of the networks of each system, by the system's name on the page. A network
            without probes.json is passed over, and so is a system without any.

    Returns:
        For each system `seeds`, `folds`, `num_networks`; `targets`: mean `chance` and `majority`,
        `num_asked` and `num_absent` networks; `variation` of each part with its interval over folds
        and `num_constant` networks; `parts`: for each target the mean `eer`, or balanced accuracy
        of each probe, in the same way, over networks whose part is not constant; `similarity` and
        `swap` likewise, None for systems without. JSON can hold it.

    Raises:
        ScoringError: probes of another network than the one that is there, or damaged ones.
    """
    networks = {name: [n for f in found if (n := _read(f))] for name, found in folders.items()}
    return {name: _summarise(found) for name, found in networks.items() if found}


def _read(folder: Path) -> dict[str, Any] | None:
    path = folder / PROBES
    if not path.is_file():
        return None
    remedy = (
        "delete it, or what an earlier version left (find exp -name probes.json -delete), and "
        "rerun stage 4"
    )
    network = read_json(path, ScoringError, remedy, (*IDENTITY, *FOUND))
    there = read_identity(folder)
    differing = [key for key in IDENTITY if network[key] != there[key]]
    if differing:
        raise ScoringError(
            f"{path}: {differing[0]} is {network[differing[0]]}, but train.json beside it has "
            f"{there[differing[0]]}: it is of an earlier network; rerun stage 4"
        )
    return network


def fold_interval(values: np.ndarray) -> dict[str, float | None]:
    """Return `estimate`, the mean of (F,) values of folds, and its interval `low` to `high`.

    None stands for what does not exist: an interval of under MIN_FOLDS folds, a mean of none.
    """
    if not len(values):
        return dict.fromkeys(("estimate", "low", "high"))
    estimate = float(np.mean(values))
    if len(values) < MIN_FOLDS:
        return {"estimate": estimate, "low": None, "high": None}
    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=NUM_RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(BOOTSTRAP_SEED),
    ).confidence_interval
    return {"estimate": estimate, "low": float(found.low), "high": float(found.high)}


def _summarise(networks: list[dict[str, Any]]) -> dict[str, Any]:
    folds = sorted({network["fold"] for network in networks})

    def over_folds(*keys: str) -> dict[str, float | None]:
        """Average a number of every network that has it, within folds and then over them."""
        by_fold: dict[str, list[float]] = {}
        for network in networks:
            value = _look_up(network, keys)
            if value is not None:
                by_fold.setdefault(network["fold"], []).append(value)
        means = [np.mean(by_fold[fold]) for fold in folds if fold in by_fold]
        return fold_interval(np.array(means))

    def all_of(group: str) -> dict[str, dict[str, float | None]] | None:
        names = next((network[group] for network in networks if network[group]), None)
        return {name: over_folds(group, name) for name in names} if names else None

    def target(name: str) -> dict[str, Any]:
        asked = sum(bool(network["targets"][name]) for network in networks)
        keys = ("chance",) if name in VERIFICATIONS else ("chance", "majority")
        guess = {key: over_folds("targets", name, key)["estimate"] for key in keys}
        return guess | {"num_asked": asked, "num_absent": len(networks) - asked}

    def scores(part: str) -> dict[str, Any]:
        eers = {name: {"eer": over_folds("parts", part, name, "eer")} for name in VERIFICATIONS}
        return eers | {
            name: {
                probe: over_folds("parts", part, name, probe, "balanced_accuracy")
                for probe in CLASSIFIERS
            }
            for name in TARGETS
        }

    def variation(part: str) -> dict[str, Any]:
        constant = sum(is_constant(network["variation"][part]) for network in networks)
        return over_folds("variation", part) | {"num_constant": constant}

    return {
        "seeds": sorted({network["seed"] for network in networks}),
        "folds": folds,
        "num_networks": len(networks),
        "targets": {name: target(name) for name in (*VERIFICATIONS, *TARGETS)},
        "variation": {part: variation(part) for part in networks[0]["parts"]},
        "parts": {part: scores(part) for part in networks[0]["parts"]},
        "similarity": all_of("similarity"),
        "swap": all_of("swap"),
    }


def _look_up(network: dict[str, Any], keys: Iterable[str]) -> float | None:
    value: Any = network
    for key in keys:
        if value is None:
            return None
        value = value[key]
    return value


def probe_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under HEADER: what a guess has, then for each system a row a part.

    Similarity and decisions stand beside the first part. A system that lacks folds of the one
    before may be asked for other classes; then the guess stands before it anew.

    Args:
        summary: from `read_probes`.
    """
    rows: list[list[str]] = []
    shown = None
    for name, system in summary.items():
        chances = [_percent(target["chance"]) for target in system["targets"].values()]
        if chances != shown:
            rows.append(["a guess", DASH, DASH, *chances, DASH, DASH])
            shown = chances
        for number, (part, scores) in enumerate(system["parts"].items()):
            cells = [_cell(found) for found in scores.values()]
            both = [_similarity(system), _swap(system)] if number == 0 else [DASH, DASH]
            rows.append([name, part, _variation(system, part), *cells, *both])
    return rows


def _variation(system: dict[str, Any], part: str) -> str:
    """Return the variation with its interval, and in how many networks the part is constant."""
    found = system["variation"][part]
    constant, total = found["num_constant"], system["num_networks"]
    words = f"constant in {constant} of {total}" if constant else ""
    if found["estimate"] is None:
        return DASH
    return words if constant == total else ", ".join(filter(None, [_interval(found), words]))


def _cell(scores: dict[str, dict[str, float | None]]) -> str:
    """Return the first score with its interval, then the others' estimates."""
    first, *others = scores.values()
    if first["estimate"] is None:
        return DASH
    return _interval(first) + "".join(f"; {_percent(other['estimate'])}" for other in others)


def _interval(found: dict[str, float | None]) -> str:
    ends = DASH
    if found["low"] is not None:
        ends = f"{_percent(found['low'])}, {_percent(found['high'])}"
    return f"{_percent(found['estimate'])} [{ends}]"


def _similarity(system: dict[str, Any]) -> str:
    if system["similarity"] is None:
        return DASH
    found = system["similarity"]["debiased"]
    ends = DASH if found["low"] is None else f"{found['low']:.2f}, {found['high']:.2f}"
    return f"{found['estimate']:.2f} [{ends}]"


def _swap(system: dict[str, Any]) -> str:
    if system["swap"] is None:
        return DASH
    shares = (system["swap"][name]["estimate"] for name in ("follows_e", "follows_s", "neither"))
    return " / ".join(_percent(share) for share in shares)


def _percent(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.1f}"
