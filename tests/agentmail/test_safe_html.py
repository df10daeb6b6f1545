"""Hostile HTML mail: nothing of it runs, asks or leads anywhere, and what it hides comes to light."""

from __future__ import annotations

import threading

import pytest

from agentmail.safe_html import CUT_NOTE, MAX_CHARS, MAX_TAGS, render_html_mail, sanitise

PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("<script>alert(1)</script>Hello", "Hello"),
        ("<p onclick=alert(1) onmouseover='x()'>Hello</p>", "<p>Hello</p>"),
        ("<svg><script>alert(1)</script><a xlink:href='javascript:x'>T</a></svg>Hello", "Hello"),
        ("<math><mtext><img src=x onerror=alert(1)></mtext></math>Hello", "Hello"),
        ("<iframe src='//evil.example'></iframe><object data=x></object><embed src=x>Hello", "Hello"),
        ("<meta http-equiv=refresh content='0;url=//evil.example'><base href='//evil.example'>Hello", "Hello"),
        ("<link rel=stylesheet href='//evil.example/x.css'><style>*{background:url(//evil.example)}</style>Hi", "Hi"),
        ("<form action='//evil.example'><input name=pw><button>Pay</button></form>", "Pay"),
        ("<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>", '<img alt="">\'&gt;'),
        ("<template><script>alert(1)</script></template><title>T</title>Hello", "Hello"),
        ("<p id=csrf name=x class='chip-human link'>Hello</p>", "<p>Hello</p>"),
        ("<!--[if mso]><p>only Outlook</p><![endif]-->Hello", "Hello"),
    ],
)
def test_what_acts_is_gone_and_its_words_stay(markup: str, shown: str) -> None:
    assert sanitise(markup) == shown


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        (
            '<a href="https://bank.example/?a=1&amp;b=2" target=_top onclick=x()>Your <b>bank</b></a>',
            '<span class="link">Your <b>bank</b></span> <span class="target">[https://bank.example/?a=1&amp;b=2]</span>',
        ),
        (
            '<a href="mailto:maya@vendor.example">Maya</a>',
            '<span class="link">Maya</span> <span class="target">[mailto:maya@vendor.example]</span>',
        ),
        ('<a href="javascript:alert(1)">Pay</a>', '<span class="link">Pay</span>'),
        ('<a href=" java\tscript:alert(1)">Pay</a>', '<span class="link">Pay</span>'),
        ('<a href="data:text/html,<script>alert(1)</script>">Pay</a>', '<span class="link">Pay</span>'),
        ('<a href="//evil.example/x">Pay</a>', '<span class="link">Pay</span>'),
        ('<a href="/admin/logout/">Pay</a>', '<span class="link">Pay</span>'),
        (
            '<a href="http://x.example/<script>">x</a>',
            '<span class="link">x</span> <span class="target">[http://x.example/&lt;script&gt;]</span>',
        ),
    ],
)
def test_a_link_leads_nowhere_and_says_where_it_would_have_led(markup: str, shown: str) -> None:
    assert sanitise(markup) == shown


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        (f'<img src="{PIXEL}" alt="Logo">', f'<img src="{PIXEL}" alt="Logo">'),
        ('<img src="data:image/svg+xml;base64,PHN2Zz4=" alt="Logo">', '<img alt="Logo">'),
        ('<img src="data:text/html,x">', '<img alt="">'),
        ('<img src="https://track.example/p.gif">', '<img alt="">'),
        ('<img src="//track.example/p.gif" srcset="//track.example/2x.gif">', '<img alt="">'),
        ('<img src="cid:logo" alt="Logo" style="background:url(//evil.example)">', '<img alt="Logo" style="">'),
        (
            '<table background="//track.example/x"><tr><td>a</td></tr></table>',
            "<table><tbody><tr><td>a</td></tr></tbody></table>",
        ),
    ],
)
def test_only_pictures_that_came_with_the_mail_are_shown(markup: str, shown: str) -> None:
    assert sanitise(markup) == shown


@pytest.mark.parametrize(
    "style",
    [
        "display:none",
        "visibility:hidden",
        "font-size:0",
        "opacity:0",
        "position:fixed;top:0;left:0;width:9999px;height:9999px;z-index:9",
        "background:url(//evil.example)",
        "background-image:url(//evil.example)",
        "list-style:url(//evil.example)",
        "behavior:url(#x);-moz-binding:url(//evil.example)",
        "transform:scale(9);margin-left:-9999px",
    ],
)
def test_a_style_cannot_hide_move_or_fetch(style: str) -> None:
    assert sanitise(f'<p style="color:red;{style}">Words</p>') == '<p style="color:red">Words</p>'


def test_characters_that_turn_the_reading_round_are_taken_out() -> None:
    assert sanitise("invoice-&#x202E;gpj.exe<img alt='&#x202e;gpj.exe'>") == 'invoice-gpj.exe<img alt="gpj.exe">'
    assert sanitise("<bdo dir=rtl>gpj.exe</bdo><p dir=rtl>שלום</p>") == 'gpj.exe<p dir="rtl">שלום</p>'


def test_cells_do_not_span_more_than_a_page_has() -> None:
    shown = sanitise("<table><tr><td colspan=2>a</td><td rowspan=65534>b</td></tr></table>")

    assert shown == '<table><tbody><tr><td colspan="2">a</td><td>b</td></tr></tbody></table>'


def test_the_sanitiser_changes_nothing_in_what_it_has_cleaned() -> None:
    once = sanitise(f'<p style="color:red">a &lt;b&gt; &amp; <a href="https://x.example/">x</a><img src="{PIXEL}"></p>')

    assert sanitise(once) == once


def test_the_page_is_whole_has_a_title_and_no_script() -> None:
    page = render_html_mail("<p>Hello</p>", "<script>Mail</script>")

    assert page.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
    assert "<title>&lt;script&gt;Mail&lt;/script&gt;</title>" in page
    assert "<body><main><p>Hello</p></main></body></html>" in page
    assert "<script" not in page


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * 60_000,
        "<table><tr><td>" * 20_000,
        "<b><p>" * 30_000,
        "<" * 300_000,
        "x" * (MAX_CHARS + 1),
    ],
    ids=["divs", "tables", "formatting", "brackets", "words"],
)
def test_a_mail_that_is_too_large_is_shown_in_part_and_says_so(markup: str) -> None:
    page = render_html_mail(markup, "Mail")

    assert CUT_NOTE in page
    assert len(page) < 5 * MAX_CHARS


def test_a_mail_within_the_caps_is_not_called_cut() -> None:
    assert CUT_NOTE not in render_html_mail("<p>a</p>" * (MAX_TAGS // 2), "Mail")


def test_deep_nesting_fits_the_stack_of_a_thread() -> None:
    pages: list[str] = []
    thread = threading.Thread(target=lambda: pages.append(render_html_mail("<div>" * MAX_TAGS + "Hello", "Mail")))

    thread.start()
    thread.join()

    assert "Hello" in pages[0]
