"""What an HTML page consists of, read with the standard library: elements, anchors, links, unclosed elements."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass(frozen=True)
class Element:
    """A start tag and the text in it, without that of elements in it."""

    tag: str
    attributes: dict[str, str]
    texts: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """A parsed page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.faults: list[str] = []
        """End tags that close nothing, and elements that are not closed."""
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        self.faults += [f"<{one.tag}> is not closed" for one in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of SVG that closes itself."""
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, whose tag it must be."""
        if self._open and self._open[-1].tag == tag:
            self._open.pop()
        else:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if self._open:
            self._open[-1].texts.append(data)

    def all(self, tag: str) -> list[Element]:
        """Return the elements of a tag."""
        return [one for one in self.elements if one.tag == tag]

    @property
    def text(self) -> str:
        """All text but that of styles, in one line."""
        parts = [text for one in self.elements if one.tag != "style" for text in one.texts]
        return " ".join(" ".join(parts).split())

    @property
    def ids(self) -> list[str]:
        """All ids, in their order."""
        return [one.attributes["id"] for one in self.elements if "id" in one.attributes]

    @property
    def fragments(self) -> set[str]:
        """The anchors that links lead to."""
        return {one.attributes["href"][1:] for one in self.all("a") if one.attributes["href"].startswith("#")}
