"""Code and Markdown as HTML in which nothing that was written by others can act."""

from __future__ import annotations

import difflib

from jinja2 import Undefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import DiffLexer, PythonLexer

# No raw HTML, links or pictures: feedback holds names that generated code chose; the page must not call out.
_MARKDOWN = MarkdownIt("js-default", {"html": False, "linkify": False}).disable(["image", "link", "autolink"])
_LONGEST = 100_000


def code(source: str) -> Markup:
    """Python source with `<span>`s around its tokens; pygments escapes the text."""
    return Markup(highlight(source[:_LONGEST], PythonLexer(), HtmlFormatter(nowrap=True)))


def diff(before: str, after: str) -> Markup:
    """What changed between two programs, as a unified diff with its lines marked; escaped like `code`."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
    text = "\n".join(list(lines)[2:])  # without the names of the files
    return Markup(highlight(text[:_LONGEST], DiffLexer(), HtmlFormatter(nowrap=True)))


def markdown(source: str) -> Markup:
    """Markdown (CommonMark with tables) as HTML. Headings start two levels lower, below the page's own."""
    tokens = _MARKDOWN.parse(source[:_LONGEST])
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 3)}"
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def plain(value: object) -> str:
    """Any JSON value in one readable line: rounded numbers, no quotes, no brackets around a single level."""
    if value is None or isinstance(value, Undefined):
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if value in ([], {}, ""):
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {plain(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(f"({plain(one)})" if isinstance(one, (list, tuple)) else plain(one) for one in value)
    return str(value)


def centimetres(values: object) -> str:
    """Lengths in metres as centimetres: "4.0, 4.0, 6.5 cm"."""
    numbers = (
        [one for one in values if isinstance(one, (int, float))] if isinstance(values, (list, tuple)) else []
    )
    return ", ".join(f"{100 * one:.1f}" for one in numbers) + " cm" if numbers else "—"
