"""What HTML of a mail may be: text and shape, nothing that runs, loads or asks for input.

Values are escaped for text. Anywhere else, in an attribute, a style, a comment, escaping would not
hold them, so there must be no hole.
"""

from html.parser import HTMLParser

import msgspec

MARKS = ("x\ue000", "x\ue001")
"""Stand for a person's names while HTML is looked at: a letter, so that they make a tag wherever a
name could, and a character that no text contains."""

_REFUSED_TAGS = frozenset(
    {"script", "iframe", "frame", "object", "embed", "applet", "form", "input", "button", "base"}
    | {"link", "meta", "svg", "math", "audio", "video", "source"}
)
_RAW_TEXT = frozenset({"style", "script"})
_LOADING = frozenset({"src", "srcset", "background", "poster", "data"})


class MarkupFault(msgspec.Struct, frozen=True):
    """One thing that HTML of a mail may not do, and where."""

    line: int
    reason: str


def find_markup_faults(html: str) -> list[MarkupFault]:
    """Return what ``html``, filled with marks for names, does that it may not."""
    reader = _Reader()
    reader.feed(html)
    if reader.rawdata.startswith("<") or reader.cdata_elem:
        reader.note("the HTML ends in the middle of a tag")
    return reader.faults


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.faults: list[MarkupFault] = []
        self._inside: str | None = None

    def note(self, reason: str) -> None:
        """Remember a fault at the place that is being read."""
        self.faults.append(MarkupFault(self.getpos()[0], reason))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Refuse tags that run or load, and names inside of any tag."""
        if _has_mark(tag):
            self.note("a name inside of a tag")
        elif tag in _REFUSED_TAGS:
            self.note(f"<{tag}> is not allowed in a mail")
        for name, value in attrs:
            self._look_at(name, value or "")
        self._inside = tag if tag in _RAW_TEXT else None

    def handle_endtag(self, tag: str) -> None:
        """Leave a style."""
        if _has_mark(tag):
            self.note("a name inside of a tag")
        self._inside = None

    def handle_data(self, data: str) -> None:
        """Refuse names and loading in a style."""
        if self._inside and (_has_mark(data) or "url(" in data or "@import" in data):
            self.note(f"a name, or something loaded, inside of <{self._inside}>")

    def handle_comment(self, data: str) -> None:
        """Refuse names in comments."""
        if _has_mark(data):
            self.note("a name inside of a comment")

    def handle_decl(self, decl: str) -> None:
        """Refuse names in declarations."""
        self.handle_comment(decl)

    def unknown_decl(self, data: str) -> None:
        """Refuse names in declarations."""
        self.handle_comment(data)

    def handle_pi(self, data: str) -> None:
        """Refuse names in processing instructions."""
        self.handle_comment(data)

    def _look_at(self, name: str, value: str) -> None:
        plain = "".join(value.split()).lower()
        if _has_mark(name) or _has_mark(value):
            self.note(f"a name inside of the attribute {_shown(name)!r}")
        elif name.startswith("on"):
            self.note(f"the attribute {name!r} is not allowed in a mail")
        elif name in _LOADING and not plain.startswith(("cid:", "data:image/")):
            self.note(f"the attribute {name!r} would load something")
        elif name == "href" and not plain.startswith(("https://", "mailto:", "#")):
            self.note("a link must begin with https:// or mailto:")
        elif name == "style" and "url(" in plain:
            self.note("the attribute 'style' would load something")


def _has_mark(text: str) -> bool:
    return any(mark in text for mark in MARKS)


def _shown(name: str) -> str:
    return "".join(character for character in name if character not in MARKS)
