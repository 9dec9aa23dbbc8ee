"""What is wrong with a corpus, collected and told at once: by kind, the first twenty of each."""

from pathlib import Path

from dsnet.errors import CorpusError

SHOWN = 20


class Problems:
    """Collects what a person has to correct, so that one run names all of it.

    Args:
        where: file that they are in.
    """

    def __init__(self, where: Path | str):
        self.where = where
        self._by_kind: dict[str, list[str]] = {}
        self._advice: dict[str, str] = {}

    def add(self, kind: str, message: str, advice: str = "") -> None:
        """Note a problem.

        Args:
            kind: what all problems of its kind are, in the plural.
            message: "file:line: what was found; what to do".
            advice: what to do about all of its kind, told once.
        """
        self._by_kind.setdefault(kind, []).append(message)
        self._advice[kind] = advice

    def check(self) -> None:
        """Stop if there are any.

        Raises:
            CorpusError: the only one as it is, or all kinds with their number and first twenty.
        """
        number = sum(map(len, self._by_kind.values()))
        if number == 1:
            ((kind, (message,)),) = self._by_kind.items()
            raise CorpusError(f"{message}. {self._advice[kind]}".removesuffix(". "))
        if number:
            lines = [f"{self.where}: {number} problems"]
            for kind, messages in self._by_kind.items():
                shown = f"; the first {SHOWN}:" if len(messages) > SHOWN else ":"
                lines += [f"  {len(messages)} {kind}{shown}"]
                lines += [f"    {message}" for message in messages[:SHOWN]]
                lines += [f"    {self._advice[kind]}"] if self._advice[kind] else []
            raise CorpusError("\n".join(lines))
