r"""Chemical formulas as LaTeX: the part of mhchem's `\ce{…}` that models write, for a converter that lacks it."""

import re

ARROWS = {
    "->": "rightarrow",
    "<-": "leftarrow",
    "<->": "leftrightarrow",
    "<=>": "rightleftharpoons",
    "<=>>": "rightleftharpoons",
    "<<=>": "rightleftharpoons",
    "→": "rightarrow",
    "⇌": "rightleftharpoons",
}
OPENER = re.compile(r"\\(?:ce|cee)\s*\{")
BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
GROUP = r"\{(?:[^{}]|\{[^{}]*\})*\}"
TOKEN = re.compile(
    rf"""(?P<arrow><=>>|<<=>|<=>|<->|->|<-|→|⇌)(?:\[(?P<above>[^\]]*)\])?(?:\[(?P<below>[^\]]*)\])?
    | (?P<space>\s+)
    | (?P<math>\$[^$]*\$)
    | (?P<script>[\^_])(?P<of>{GROUP}|\d+[+-]?|[+-]|\\?\w|\*)
    | (?P<command>\\[A-Za-z]+(?:{GROUP})*)
    | (?P<number>\d+(?:[./]\d+)*)
    | (?P<name>[^\W\d_]+)
    | (?P<other>\\.|.)""",
    re.VERBOSE | re.DOTALL,
)
FRACTION = re.compile(r"(\d+)/(\d+)")
WORD = re.compile(r"[A-Za-z]{2,}")
ENDS_WORD = frozenset(" \n\t)]},;")
SIGNS = {"-": "{-}", "=": "{=}", "#": r"{\equiv}", "+": "{+}", "*": r"\cdot ", "·": r"\cdot ", ".": r"\cdot "}


def expanded(latex: str) -> str:
    r"""LaTeX with each `\ce{…}` expanded; one without a closing bracket is kept as it is."""
    out: list[str] = []
    at = 0
    while opener := OPENER.search(latex, at):
        end = _closing(latex, opener.end())
        if end < 0:
            break
        out += latex[at : opener.start()], f"{{{_formula(latex[opener.end() : end])}}}"
        at = end + 1
    return "".join(out) + latex[at:]


def _closing(latex: str, at: int) -> int:
    depth = 1
    for match in BRACE.finditer(latex, at):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth:
            return match.start()
    return -1


def _formula(text: str) -> str:
    out: list[str] = []
    # The kind of token before: none yet in this word, a factor, or an atom that takes scripts.
    follows = ""
    for match in TOKEN.finditer(text):
        kind = match.lastgroup if match.lastgroup not in ("above", "below", "of") else None
        after = text[match.end() : match.end() + 1]
        if match["arrow"]:
            out.append(_arrow(match))
        elif match["space"]:
            out.append(" ")
        elif match["math"]:
            out.append(f"{{{match['math'][1:-1]}}}")
        elif match["script"]:
            # Mass and atomic numbers stand before their element.
            out.append(f"{'' if follows else '{}'}{match['script']}{{{_script(match['of'])}}}")
        elif match["number"]:
            out.append(f"_{{{match[0]}}}" if follows == "name" else FRACTION.sub(r"\\tfrac{\1}{\2}", match[0]) + r"\,")
        elif match["name"]:
            is_word = not follows and (not after or after.isspace())
            out.append({"v": r"\downarrow "}.get(match[0] if is_word else "", rf"\mathrm{{{match[0]}}}"))
        else:
            out.append(match["command"] or _sign(match["other"], follows, after))
        follows = _followed(kind, match[0], follows)
    return "".join(out)


def _followed(kind: str | None, text: str, follows: str) -> str:
    """The kind of token that the next token follows."""
    if kind in ("name", "command", "math") or text in (")", "]", "}", "\\}"):
        return "name"
    if kind in ("space", None) and not text.startswith(("^", "_")):
        return ""
    if kind == "other":
        return ""
    return "name" if follows or text.startswith(("^", "_")) else "number"


def _sign(sign: str, follows: str, after: str) -> str:
    ends = not after or after in ENDS_WORD
    if sign in "+-" and follows == "name" and ends:
        return f"^{{{sign}}}"
    if sign == "^" and not follows and ends:
        return r"\uparrow "
    if sign == "+" and not follows:
        return "+"
    return SIGNS.get(sign, sign)


def _script(text: str) -> str:
    inner = text[1:-1] if text.startswith("{") else text
    return WORD.sub(r"\\mathrm{\g<0>}", inner) if "\\" not in inner else inner


def _arrow(match: re.Match[str]) -> str:
    name = ARROWS[match["arrow"]]
    above, below = (_formula(match[side] or "") for side in ("above", "below"))
    if not above and not below:
        return rf"\{name} "
    long = {"rightarrow": "xrightarrow", "leftarrow": "xleftarrow"}.get(name, f"x{name}")
    return rf"\{long}{f'[{below}]' if below else ''}{{{above}}} "
