"""LaTeX formulas to MathML, whole or half written.

The converter is native code that recurses; on unmatched opening brackets it takes time exponential in their number, and
cannot be stopped. So this module bounds a formula before conversion: its length, its depth, and the brackets that take
part in the search for partners.
"""

import re
import unicodedata
from functools import lru_cache
from html import escape

from math_core import LatexError, LatexToMathML

from conversations.markdown import chemistry

LENGTH_MAX = 2_500
"""Characters of a formula; a longer one is shown as its source."""

REMEMBERED_MAX = 300
"""Characters of a formula whose conversion is cached; a thousand of these take 10 MB at most."""

DEPTH_MAX = 40
"""Nested groups of a formula; the converter's stack overflows at some thousands, and sooner in a thread."""

OPENERS_MAX = 12
"""Opening brackets passed to the converter as such: 12 cost at most a tenth of a millisecond, 24 half a second."""

OPENERS = {
    "lparen": "(",
    "lbrack": "[",
    "lbrace": "\\{",
    "{": "\\{",
    "langle": "⟨",
    "lang": "⟨",
    "lAngle": "⟪",
    "lceil": "⌈",
    "lfloor": "⌊",
    "lgroup": "⟮",
    "llbracket": "⟦",
    "llcorner": "⌞",
    "llparenthesis": "⦇",
    "lmoustache": "⎰",
    "lvert": "|",
    "lVert": "‖",
    "ulcorner": "⌜",
}
TOKEN = re.compile(r"\s*(\\(?:[A-Za-z]+|.)|\S)", re.DOTALL)
SIZED = re.compile(r"\\(?:left|right|middle|[bB]igg?[lrm]?)")
OPTIONAL = re.compile(r"\\(?:sqrt|\\)")
DEFINITION = re.compile(r"\\(?:(?:re|provide)?newcommand|providecommand|[egx]?def|let|DeclareMathOperator)(?![A-Za-z])")

# Environments that models write for numbered or aligned formulas, by those that need no inline style.
ENVIRONMENT = re.compile(
    r"(\\(?:begin|end))\{(align|alignat|eqnarray|split|flalign|equation|gather|multline)\*?\}(\{\d\})?"
)
ENVIRONMENTS = {"equation": "gathered", "gather": "gathered", "multline": "gathered"}
TAG = re.compile(r"\\tag\*?\s*\{([^{}]*)\}")
NOISE = re.compile(
    r"\\(?:label\s*\{[^{}]*\}|(?:nonumber|notag|tiny|small|normalsize|large|Large|LARGE|huge|Huge)(?![A-Za-z]))"
)
TEXT_WITH_MATH = re.compile(r"\\(text|mbox|textrm)\s*\{([^{}$]*\$[^{}]*)\}")
ROWS = re.compile(r"\\\\|(?<!\\)&")
INNERMOST = re.compile(r"\{[^{}]*\}")

STYLE = re.compile(r' style="([^"]*)"')
GROUP = re.compile(
    r"""\\begin\s*\{(?P<begin>[A-Za-z]+\*?)\} | (?P<end>\\end\s*\{[A-Za-z]+\*?\}) | \\(?:left|right)(?![A-Za-z])
    | (?P<pair>\\(?:[cdt]?frac|[dt]?binom|overset|underset|stackrel)(?![A-Za-z])) | \\. | [{}]""",
    re.DOTALL | re.VERBOSE,
)

CONVERTER = LatexToMathML(
    fancy_error=False,
    macros={
        "cancelto": r"{\cancel{#2}}^{#1}",
        "substack": r"\begin{matrix}#1\end{matrix}",
        "pu": r"\mathrm{#1}",
        "mbox": r"\text{#1}",
    },
    max_expansions=64,
)


def mathml(latex: str, *, display: bool) -> str | None:
    """The `<math>` element of a formula, or None when it is malformed or exceeds the bounds."""
    if len(latex) > REMEMBERED_MAX:
        return _convert(latex, display=display)
    return _remembered(latex, display=display)


@lru_cache(maxsize=1024)
def _remembered(latex: str, *, display: bool) -> str | None:
    return _convert(latex, display=display)


def _convert(latex: str, *, display: bool) -> str | None:
    if len(latex) > LENGTH_MAX:
        return None
    bounded = bound(plain(latex.strip(), display=display))
    if bounded is None:
        return None
    try:
        html = CONVERTER.convert_with_local_state(bounded, displaystyle=display)
    except LatexError:
        return None
    return STYLE.sub(_alignment, html)


def half(latex: str, *, display: bool) -> str:
    """HTML of a formula that is still being written: as much as is valid, else its source."""
    shown = latex
    for _ in range(4):
        html = _convert(completed(shown), display=display)
        if html is not None:
            return html
        # The last command may lack an argument or the rest of its name: show the part before it.
        shown = shown[: max(shown.rfind("\\"), 0)]
    return f"<code>{escape(latex.strip(), quote=False)}</code>"


def plain(latex: str, *, display: bool) -> str:
    """The formula without numbers, labels and sizes, its environments as plain aligned rows."""
    if "\\" not in latex:
        return latex
    if "\\ce" in latex:
        latex = chemistry.expanded(latex)
    latex = ENVIRONMENT.sub(lambda m: f"{m[1]}{{{ENVIRONMENTS.get(m[2], 'aligned')}}}", latex)
    latex = NOISE.sub("", TAG.sub(r"\\qquad\\text{(\1)}", latex))
    latex = TEXT_WITH_MATH.sub(_split_text, latex)
    if display and "\\begin" not in latex and (rows := ROWS.findall(_outermost(latex))):
        name = "aligned" if "&" in rows else "gathered"
        latex = f"\\begin{{{name}}}{latex}\\end{{{name}}}"
    return latex


def bound(latex: str) -> str | None:
    """The formula with few enough brackets for the converter, or None when it is too deep or defines macros.

    Brackets beyond `OPENERS_MAX` become text: they look alike and take no part in the search for partners.
    """
    if DEFINITION.search(latex):
        return None
    out: list[str] = []
    depth = openers = kept = 0
    previous = ""
    for match in TOKEN.finditer(latex):
        piece = match[1]
        written = match[0]
        if piece in "{}":
            depth += 1 if piece == "{" else -1
            if depth > DEPTH_MAX:
                return None
        elif re.fullmatch(r"\\[bB]igg?l|\\mathopen", piece):
            openers += 1
            written = {"\\mathopen": "\\mathord"}.get(piece, piece.removesuffix("l")) + " "
        elif piece[1:] in OPENERS or unicodedata.category(piece[0]) == "Ps":
            openers += 1
            if OPTIONAL.fullmatch(previous):
                kept += 1
            elif not SIZED.fullmatch(previous):
                written = f"\\text{{{OPENERS.get(piece[1:], piece)}}}"
        out.append(written)
        previous = piece
    if openers <= OPENERS_MAX:
        return latex
    return "".join(out) if kept <= OPENERS_MAX else None


def completed(latex: str) -> str:
    """The formula with every open group closed, and empty arguments where some are required."""
    closers: list[str] = []
    wanted = closer = ""
    latex = latex.rstrip("\\^_& \n")
    for match in GROUP.finditer(latex):
        piece = match[0]
        if piece == "{":
            closers.append("}{}" if wanted == "{}{}" else "}")
        elif match["begin"]:
            closers.append(f"\\end{{{match['begin']}}}")
        elif piece == "\\left":
            closers.append("\\right.")
        elif piece == "}" or match["end"] or piece == "\\right":
            closer = closers.pop() if closers else ""
        wanted = "{}{}" if match["pair"] else "{}" if piece == "}" and closer == "}{}" else ""
    return latex + wanted + "".join(reversed(closers))


def _outermost(latex: str) -> str:
    """The formula without its groups."""
    for _ in range(DEPTH_MAX):
        shorter = INNERMOST.sub("", latex)
        if shorter == latex:
            break
        latex = shorter
    return latex


def _split_text(match: re.Match[str]) -> str:
    r"""`\text{if $x$ holds}` as text, formula, text: the converter does not support formulas within text."""
    parts = match[2].split("$")
    return "".join(f"{{{part}}}" if at % 2 else f"\\{match[1]}{{{part}}}" for at, part in enumerate(parts))


def _alignment(match: re.Match[str]) -> str:
    """A class in place of the converter's inline style, which the content security policy forbids."""
    found = re.search(r"text-align: (left|right)", match[1])
    return f' class="{found[1]}"' if found else ""
