"""The lessons' text -> HTML with MathML, or plain characters for the terminal."""

import re

from latex2mathml.converter import convert
from markupsafe import Markup, escape

_PIECE = re.compile(r"`([^`]*)`|\$([^$]*)\$")


def to_html(text: str) -> Markup:
    """`code` and $formulas$ -> HTML; all else is escaped.

    >>> to_html("a < b, `c`")
    Markup('a &lt; b, <code>c</code>')
    """
    parts, end = [], 0
    for piece in _PIECE.finditer(text):
        parts.append(escape(text[end : piece.start()]))
        code, formula = piece.groups()
        parts.append(Markup("<code>{}</code>").format(code) if code is not None else to_mathml(formula))
        end = piece.end()
    return Markup("").join([*parts, escape(text[end:])])


def to_plain(text: str) -> str:
    """The text without its marks.

    >>> to_plain("rate $p$ of `dropout`")
    'rate p of dropout'
    """
    return _PIECE.sub(lambda piece: piece.group(1) or piece.group(2) or "", text)


def to_mathml(latex: str) -> Markup:
    """A short formula as MathML, which browsers show without a library."""
    return Markup(convert(latex.replace("−", "-")))
