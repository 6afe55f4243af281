"""The lessons' text -> HTML, or plain characters for the terminal."""

import re

from markupsafe import Markup, escape

_PIECE = re.compile(r"`([^`]*)`|\$([^$]*)\$")
_VARIABLE = re.compile(r"(?<![^\W\d_])[^\W\d_Σ](?![^\W\d_])")
"""A letter by itself; several are a word, such as max."""


def to_html(text: str) -> Markup:
    """`code` and $formulas$ -> HTML; all else is escaped.

    >>> to_html("a < b, `c`")
    Markup('a &lt; b, <code>c</code>')
    """
    parts, end = [], 0
    for piece in _PIECE.finditer(text):
        parts.append(escape(text[end : piece.start()]))
        code, formula = piece.groups()
        parts.append(Markup("<code>{}</code>").format(code) if code is not None else short_formula(formula))
        end = piece.end()
    return Markup("").join([*parts, escape(text[end:])])


def to_plain(text: str) -> str:
    """The text without its marks.

    >>> to_plain("rate $p$ of `dropout`")
    'rate p of dropout'
    """
    return _PIECE.sub(lambda piece: piece.group(1) or piece.group(2) or "", text)


def short_formula(formula: str) -> Markup:
    """A formula of a line in the text's own letters, variables in italics.

    MathML would leave the size of its digits to whichever font a reader has.

    >>> short_formula("max(z, 0)")
    Markup('<span class="short">max(<var>z</var>, 0)</span>')
    """
    return Markup('<span class="short">{}</span>').format(
        Markup(_VARIABLE.sub(r"<var>\g<0></var>", str(escape(formula))))
    )
