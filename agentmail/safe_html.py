"""PURE: makes a stranger's HTML mail fit to be looked at; must not let it run, ask anybody for anything or pose as us.

This is one of three walls: the page is also served with a policy that allows nothing, inside a frame that is sandboxed
(docs/console.md, "HTML mail").
"""

import html
import re
from html.parser import HTMLParser

import nh3

# The parser's time is quadratic in the depth of nested blocks: 10,000 tags take 0.25 s, 100,000 would take 8 s. It is
# so in the number of bare "&" too.
MAX_TAGS = 10_000
MAX_CHARS = 200_000

CUT_NOTE = "Only the beginning of this mail is shown. The original has all of it."

# fmt: off
_TAGS = frozenset(
    {
        "a", "abbr", "address", "article", "b", "bdi", "big", "blockquote", "br", "caption", "center", "cite",
        "code", "col", "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "font", "footer", "h1", "h2",
        "h3", "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li", "main", "mark", "ol", "p",
        "pre", "q", "s", "samp", "section", "small", "span", "strike", "strong", "sub", "sup", "table",
        "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var", "wbr",
    }
)
# Nobody reads what these hold; of any other tag that is not allowed, the words stay.
_UNREAD = frozenset(
    {
        "head", "iframe", "noembed", "noframes", "noscript", "object", "script", "style", "svg", "math",
        "template", "title",
    }
)
# fmt: on
_ATTRIBUTES = {
    "*": {"style", "dir"},
    "a": {"href"},
    "img": {"src", "alt"},
    "font": {"color"},
    "table": {"bgcolor", "border"},
    "td": {"bgcolor", "colspan", "rowspan"},
    "th": {"bgcolor", "colspan", "rowspan"},
    "ol": {"start"},
}
# No property here takes a url(), moves a thing off its place or makes words too small, too faint or too far to see.
_PROPERTIES = {
    *("background-color", "color", "direction", "font-style", "font-weight", "text-align", "text-decoration"),
    *("vertical-align", "white-space", "border-collapse", "border-color", "border-style", "border-width", "padding"),
}
# A drawing in SVG may hold script and outside links; these are pixels.
_PIXELS = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
_SPAN = re.compile(r"[1-9]\d?")
# Characters that make what follows run the other way: with them "gpj.exe" reads as "exe.jpg".
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")

_STYLE = """
:root { color-scheme: light; }
body { margin: 12px; background: #fff; color: #1f2733; font: 14px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; }
table { max-width: 100%; }
pre { white-space: pre-wrap; }
.link { text-decoration: underline; }
.target { color: #566074; font-size: 12px; }
.cut { border: 1px solid #c77700; padding: 6px 10px; }
"""


def render_html_mail(markup: str, title: str) -> str:
    """Returns a whole document that shows the mail, or its beginning when it is larger than can be read safely.

    There is no script, form, frame, outside image or link in it: where a link leads stands behind its words. Styles
    that could hide words are left out, so what a mail hides comes to light.
    """
    shown = _cut(markup)
    note = "" if len(shown) == len(markup) else f'<p class="cut">{CUT_NOTE}</p>'
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><main>{note}{sanitise(shown)}</main></body></html>\n"
    )


def sanitise(markup: str) -> str:
    """Returns the markup with nothing in it that acts; the sanitiser has the last word, after links became text."""
    writer = _LinksAsText()
    writer.feed(_clean(markup))
    writer.close()
    return _clean("".join(writer.written))


def _cut(markup: str) -> str:
    shown = markup[:MAX_CHARS]
    if shown.count("<") <= MAX_TAGS:
        return shown
    pieces = shown.split("<", MAX_TAGS + 1)
    return "<".join(pieces[: MAX_TAGS + 1])


def _clean(markup: str) -> str:
    return nh3.clean(
        markup,
        tags=set(_TAGS),
        clean_content_tags=set(_UNREAD),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_judge_attribute,
        # "data" is for pictures alone: see _judge_attribute.
        url_schemes={"http", "https", "mailto", "tel", "data"},
        url_relative="deny",
        allowed_classes={"span": {"link", "target"}},
        filter_style_properties=_PROPERTIES,
        link_rel=None,
    )


def _judge_attribute(_tag: str, name: str, value: str) -> str | None:
    match name:
        case "src":
            return value if _PIXELS.fullmatch(value) else None
        case "href":
            return None if value.lower().lstrip().startswith("data:") else value
        case "colspan" | "rowspan":
            return value if _SPAN.fullmatch(value) else None
        case _:
            return _REORDERING.sub("", value)


class _LinksAsText(HTMLParser):
    """Writes clean markup again, with each link as its words and, behind them, the address that it leads to."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.written: list[str] = []
        self._targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self._targets.append(given.get("href", ""))
            self.written.append('<span class="link">')
            return
        if tag == "img":
            given.setdefault("alt", "")
        members = "".join(f' {name}="{html.escape(value)}"' for name, value in given.items())
        self.written.append(f"<{tag}{members}>")

    def handle_endtag(self, tag: str) -> None:
        if tag != "a":
            self.written.append(f"</{tag}>")
            return
        target = self._targets.pop() if self._targets else ""
        shown = f' <span class="target">[{html.escape(_REORDERING.sub("", target))}]</span>' if target else ""
        self.written.append(f"</span>{shown}")

    def handle_data(self, data: str) -> None:
        self.written.append(html.escape(_REORDERING.sub("", data), quote=False))
