"""Reads a page as a person would: its sections, tables and text."""

from html.parser import HTMLParser

VOID = {"meta", "input", "img", "br", "wbr", "link"}


class Reader(HTMLParser):
    """Collects tables (lists of rows of cells), all text, and whether every tag is closed."""

    def __init__(self, page: str):
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.sections: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self._cells: list[int] = []
        self._glue = " "
        self.feed(page)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "wbr":  # a name may be broken here, and is one word
            self._glue = ""
        if tag == "table":
            self.tables.append([])
            self._cells.append(len(self.tables) - 1)
        if tag == "tr" and self._cells:
            self.tables[self._cells[-1]].append([])
        if tag in ("td", "th") and self._cells:
            self.tables[self._cells[-1]][-1].append("")
        if tag == "section":
            self.sections.append(attributes["id"])

    def handle_endtag(self, tag):
        assert tag not in VOID and self.open.pop() == tag, f"</{tag}> closes nothing"
        if tag == "table":
            self._cells.pop()

    def handle_startendtag(self, tag, attributes):
        pass  # shapes of SVG

    def handle_data(self, text):
        if self.open and self.open[-1] in ("style", "script"):
            return
        text = " ".join(text.split())
        if not text:
            return
        self.text = (self.text + self._glue + text).strip()
        if self._cells and self.tables[self._cells[-1]] and self.tables[self._cells[-1]][-1]:
            cell = self.tables[self._cells[-1]][-1]
            cell[-1] = (cell[-1] + self._glue + text).strip()
        self._glue = " "

    def table(self, *header: str) -> list[list[str]]:
        """Return the first table whose header begins with some cells."""
        return next(t for t in self.tables if t and t[0][: len(header)] == list(header))

    def row(self, *header: str, name: str) -> dict[str, str]:
        """Return a table's row by its first cell, as a dict by the header."""
        table = self.table(*header)
        return next(dict(zip(table[0], row, strict=True)) for row in table if row[0] == name)
