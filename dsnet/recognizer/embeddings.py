"""Embeddings of what was judged, in a file: NumPy's npz, or Kaldi's ark and scp."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from dsnet.errors import BundleError
from dsnet.files import replacing
from dsnet.recognizer.outputs import Row


class EmbeddingStore(AbstractContextManager):
    """Collects embeddings, and writes them at the end of a `with` statement.

    npz: `files`, `start`, `end`, and (U, D) for each name. ark: <stem>.<name>.ark and .scp; a key
    is <file without suffix>-<segment, if any>-<milliseconds>, and of several that would be the same
    the second has -2 behind it, and so on.
    """

    def __init__(self, path: Path, names: Sequence[str]):
        if path.suffix not in (".npz", ".ark"):
            raise BundleError(f"--embeddings-file {path}: ends in .npz or .ark")
        if path.suffix == ".ark" and "," in str(path):
            raise BundleError(f"--embeddings-file {path}: Kaldi's form takes no comma in a path")
        self.path, self.names = path, list(names)
        self.files = [path]
        if path.suffix == ".ark":
            self.files = [
                path.with_suffix(f".{name}.{end}") for name in self.names for end in ("ark", "scp")
            ]
        if not path.absolute().parent.is_dir():
            raise BundleError(f"--embeddings-file {path}: no such folder")
        self.rows: list[Row] = []

    def add(self, row: Row) -> None:
        """Remember a row's embeddings.

        Raises:
            BundleError: the model has none of a name.
        """
        there = row.result.embeddings
        for name in self.names:
            if name not in there:
                raise BundleError(
                    f"--embeddings {name}: the model has {', '.join(there) or 'no embeddings'}"
                )
        self.rows.append(row)

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if not self.rows or kind is not None:  # a part of them would look like all
            return
        arrays = {
            name: np.stack([row.result.embeddings[name] for row in self.rows])
            for name in self.names
        }
        if self.path.suffix == ".npz":
            where = {
                "files": np.array([row.file for row in self.rows]),
                "start": np.array([row.start for row in self.rows]),
                "end": np.array([row.end for row in self.rows]),
            }
            with replacing(self.path) as temporary:
                np.savez(temporary, **where, **arrays)
            return
        import kaldiio

        for name, values in arrays.items():
            stem = self.path.with_suffix(f".{name}")
            with kaldiio.WriteHelper(f"ark,scp:{stem}.ark,{stem}.scp") as write:
                for key, value in zip(_keys(self.rows), values, strict=True):
                    write(key, value)


def _keys(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a key of each row, without white space."""
    times: Counter[str] = Counter()
    for row in rows:
        words = [Path(row.file).stem, row.segment, f"{round(1000 * row.start):08d}"]
        key = "-".join("_".join(word.split()) for word in words if word)
        times[key] += 1
        yield key if times[key] == 1 else f"{key}-{times[key]}"
