"""Python code in quiet colours: keywords, comments and what is defined stand out, nothing else."""

from markupsafe import Markup

STYLE = """.k, .kc, .kd, .kn, .ow { color: var(--blue); }
.c1 { color: var(--muted); font-style: italic; }
.nf, .nc { font-weight: 600; }"""
"""Of the classes that pygments gives to keywords, comments and names of functions and classes."""


def highlight_python(code: str) -> Markup:
    """The code as HTML, its tokens in spans."""
    import pygments
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return Markup(pygments.highlight(code, PythonLexer(), HtmlFormatter(nowrap=True)))
