"""Formulas as outlines: MathML's brackets and roots stretch only where the reader has a font made for it."""

from markupsafe import Markup

_UNITS_AN_EM = 10
_MARGIN = 1.0


def draw_formula(latex: str, alt: str) -> Markup:
    """A formula as an SVG in the size and colour of the text around it.

    Args:
        latex: what matplotlib's mathtext knows of TeX.
        alt: the same in plain characters, for those who cannot see it.
    """
    import matplotlib
    from matplotlib.path import Path
    from matplotlib.textpath import TextPath

    with matplotlib.rc_context({"mathtext.fontset": "stix"}):
        outline = TextPath((0, 0), f"${latex}$", size=_UNITS_AN_EM)
    box = outline.get_extents()
    letter = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
    drawn = []
    for points, code in outline.iter_segments(curves=True, simplify=False):
        # An SVG's y runs downward.
        numbers = " ".join(f"{-value if place % 2 else value:.2f}" for place, value in enumerate(points))
        drawn.append("Z" if code == Path.CLOSEPOLY else f"{letter[code]}{numbers}")
    width, height = box.width + 2 * _MARGIN, box.height + 2 * _MARGIN
    view = f"{box.x0 - _MARGIN:.2f} {-box.y1 - _MARGIN:.2f} {width:.2f} {height:.2f}"
    return Markup(
        '<svg class="math" role="img" aria-label="{}" viewBox="{}" style="width:{:.2f}em">'
        '<path fill="currentColor" d="{}"/></svg>'
    ).format(alt, view, width / _UNITS_AN_EM, "".join(drawn))
