"""PURE: turns the HTML of a mail into plain text; must not be used to show HTML (it does not sanitise)."""

import re
from typing import Any

from lxml import etree, html  # type: ignore[import-untyped]

# Reading stays linear, but nobody writes an answer of this length.
MAX_CHARS = 200_000
_STYLE_CHARS = 2_000

_UNREADABLE = ("head", "script", "style", "template", "noscript")
_BLOCKS = ("p", "div", "br", "tr", "li", "table", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "pre")


# What a reader of the mail cannot have seen is nobody's word. Colours are not compared: a mail program changes them.
_HIDDEN = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|opacity:0*(?:\.0+)?(?=;|$|!)|mso-hide:all"
    r"|font-size:(?:0(?:\.\d+)?[a-z%]*|1(?:px|pt|%))(?=;|$|!))"
)
_CLOSED = re.compile(r"(?:^|;)(?:max-)?(?:height|width):0[a-z%]*(?=;|$|!)")


def _is_hidden(element: Any) -> bool:
    if "hidden" in element.attrib:
        return True
    style = re.sub(r"\s+|/\*.*?\*/", "", element.get("style", "")[:_STYLE_CHARS].lower())
    return bool(_HIDDEN.search(style)) or ("overflow:hidden" in style and bool(_CLOSED.search(style)))


def html_to_text(markup: str) -> str:
    """Returns the text that a reader sees, blocks on lines of their own; "" for none. Reads at most MAX_CHARS."""
    # With huge_tree off, libxml2 drops everything below its 256th level; bytes, because it refuses text that
    # declares an encoding.
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        root = html.document_fromstring(markup[:MAX_CHARS].encode(), parser=parser)
    except (etree.LxmlError, ValueError):
        return ""
    etree.strip_elements(root, *_UNREADABLE, with_tail=False)
    for element in [found for found in root.iter(etree.Element) if _is_hidden(found)]:
        if element.getparent() is None:
            return ""
        element.drop_tree()
    for element in root.iter(*_BLOCKS):
        element.text = "\n" + (element.text or "")
        element.tail = "\n" + (element.tail or "")
    lines = (" ".join(line.split()) for line in "".join(root.itertext()).splitlines())
    return "\n".join(line for line in lines if line)
