"""SVG inside a page whose content security policy forbids style attributes, and SVG that was read from a file."""

import re
from xml.etree import ElementTree

NAMESPACE = "http://www.w3.org/2000/svg"
_ELEMENTS = frozenset({"svg", "defs", "g", "path", "rect", "text", "use", "clipPath"})
_GEOMETRY = frozenset({"d", "x", "y", "width", "height", "viewBox", "transform", "clip-path"})
_STYLES = frozenset(
    {
        *("fill", "fill-opacity", "fill-rule", "opacity"),
        *("stroke", "stroke-dasharray", "stroke-dashoffset", "stroke-linecap", "stroke-linejoin"),
        *("stroke-miterlimit", "stroke-opacity", "stroke-width"),
        *("font-family", "font-size", "font-style", "font-weight", "text-anchor", "white-space"),
    }
)
_OTHERS = frozenset({"id", "class", "role", "aria-label", "href"})
_VALUE = re.compile(r"(?!.*(?:url\((?!#)|javascript:|expression|\\)).*", re.DOTALL | re.IGNORECASE)


def inline_styles(root: ElementTree.Element) -> None:
    """Replace style attributes by presentation attributes, in place, and remove style elements.

    The rules for all shapes in matplotlib's style element become attributes of the root, which shapes inherit.
    """
    for parent in root.iter():
        for child in parent.findall(f"{{{NAMESPACE}}}style"):
            parent.remove(child)
        for declaration in filter(str.strip, parent.attrib.pop("style", "").split(";")):
            name, _, value = declaration.partition(":")
            parent.set(name.strip(), value.strip())
    root.set("stroke-linejoin", "round")


def checked(text: str) -> str:
    """Return the text of a chart that a file holds.

    Raises:
        ValueError: It holds an element or an attribute that no chart has, such as a script or a foreign reference.
    """
    if "<!" in text or "<?" in text:
        raise ValueError("a chart has a declaration")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError("a chart is not SVG") from error
    for element in root.iter():
        if str(element.tag).removeprefix(f"{{{NAMESPACE}}}") not in _ELEMENTS:
            raise ValueError("a chart holds an element that no chart has")
        for name, value in element.attrib.items():
            if name not in _GEOMETRY | _STYLES | _OTHERS or not _VALUE.fullmatch(value):
                raise ValueError("a chart holds an attribute that no chart has")
            if name == "href" and not value.startswith("#"):
                raise ValueError("a chart refers to another file")
    return text
