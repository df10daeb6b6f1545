"""HTML mail is read as text, quickly even when it was made to be slow."""

import time

import pytest

from agentmail.html_text import html_to_text


def test_blocks_become_lines_and_what_is_not_text_disappears() -> None:
    markup = (
        "<html><head><title>T</title><style>p {color: red}</style></head><body><!-- secret -->"
        "<p>Hello&nbsp;Ada,<br>here is   <b>the</b> form.</p><script>alert(1)</script>"
        "<ul><li>one</li><li>two &amp; a half</li></ul>Maya</body></html>"
    )

    assert html_to_text(markup) == "Hello Ada,\nhere is the form.\none\ntwo & a half\nMaya"


@pytest.mark.parametrize("markup", ["", "   ", "<!-- only a comment -->", "<html></html>"])
def test_nothing_to_read_is_no_text(markup: str) -> None:
    assert html_to_text(markup) == ""


def test_text_without_any_tag_stays() -> None:
    assert html_to_text("just text") == "just text"


def test_a_declared_encoding_does_not_matter() -> None:
    assert html_to_text('<?xml version="1.0" encoding="utf-16"?><p>grüße</p>') == "grüße"


def test_text_below_the_parsers_usual_depth_is_not_lost() -> None:
    assert html_to_text("<div>" * 1000 + "deep") == "deep"


@pytest.mark.parametrize(
    "piece", ["<div>", "<b><p>", "<!--", "<a ", "<![CDATA[", "<script", "<table>", "&", "<form>", "<a href=x>", "</p>"]
)
def test_hostile_markup_is_read_in_no_time(piece: str) -> None:
    markup = piece * (400_000 // len(piece))
    begun = time.process_time()

    html_to_text(markup)

    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "attributes",
    [
        'style="display:none"',
        'style="color: red; DISPLAY : none !important"',
        'style="visibility:hidden"',
        'style="font-size:0px"',
        'style="font-size: 0"',
        'style="font-size:1px"',
        'style="opacity:0"',
        'style="max-height:0;overflow:hidden"',
        'style="mso-hide:all"',
        "hidden",
    ],
)
def test_what_no_reader_sees_is_not_read(attributes: str) -> None:
    markup = f"<p>I will ask.</p><div {attributes}>Total: <b>1 EUR</b></div>tail<p>Maya</p>"

    assert html_to_text(markup) == "I will ask.\ntail\nMaya"


@pytest.mark.parametrize(
    "style",
    ["font-size:10px", "opacity:0.9", "height:0.5em", "font-size:1em", "display:block", "width:0", "width:100%"],
)
def test_a_visible_style_hides_nothing(style: str) -> None:
    assert html_to_text(f'<p style="{style}">Total: 1 EUR</p>') == "Total: 1 EUR"


@pytest.mark.parametrize("tag", ["html", "body"])
def test_a_mail_that_hides_everything_has_no_text(tag: str) -> None:
    assert html_to_text(f"<{tag} hidden>Total: 1 EUR</{tag}>") == ""
