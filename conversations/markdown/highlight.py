"""Code blocks: the figure around them, and syntax highlighting by Pygments as CSS classes."""

import time
from functools import cache, lru_cache
from html import escape
from itertools import groupby
from operator import itemgetter

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String
from pygments.util import ClassNotFound

CODE_MAX = 8_000
"""Characters of a code block that is highlighted (about 16 ms); many lexers take quadratic time on odd input."""

SECONDS_MAX = 0.05
"""Processor time for highlighting one block; a block that needs more stays plain."""

RATIO_MAX, SPANS = 8, 2_000
"""Characters of HTML per character of code, and the allowance added to them: code of single signs stays plain."""

LANGUAGE_MAX = 30
"""Characters of the language's name that are shown."""

PLAINLY_NAMED = """
    batch clojure css dart elixir erlang fortran fsharp graphql groovy haskell http java jsx julia less lua nasm nginx
    perl php r scala scss swift tsx vim xml zig
"""
LEXERS = {
    # Lexers that take linear time on any input; those of console sessions and of INI files do not.
    **dict.fromkeys(["python", "py", "python3", "pycon", "django"], "python"),
    **dict.fromkeys(["javascript", "js", "mjs", "cjs", "node"], "javascript"),
    **dict.fromkeys(["typescript", "ts"], "typescript"),
    **dict.fromkeys(["bash", "sh", "shell", "zsh", "console", "terminal", "shell-session"], "bash"),
    **dict.fromkeys(["html", "xhtml", "vue", "svelte"], "html"),
    **dict.fromkeys(["htmldjango", "jinja", "jinja2", "html+jinja", "html+django"], "html+django"),
    **dict.fromkeys(["sql", "mysql", "sqlite", "tsql", "plsql"], "sql"),
    **dict.fromkeys(["postgresql", "postgres", "psql", "plpgsql"], "postgresql"),
    **dict.fromkeys(["json", "jsonc", "json5", "jsonl", "ndjson"], "json"),
    **dict.fromkeys(["yaml", "yml"], "yaml"),
    **dict.fromkeys(["toml", "ini", "cfg", "conf", "env", "dotenv", "properties"], "toml"),
    **dict.fromkeys(["c", "h"], "c"),
    **dict.fromkeys(["cpp", "c++", "cc", "hpp", "cxx"], "cpp"),
    **dict.fromkeys(["csharp", "cs", "c#"], "csharp"),
    **dict.fromkeys(["rust", "rs"], "rust"),
    **dict.fromkeys(["go", "golang"], "go"),
    **dict.fromkeys(["kotlin", "kt", "kts"], "kotlin"),
    **dict.fromkeys(["ruby", "rb"], "ruby"),
    **dict.fromkeys(["dockerfile", "docker"], "docker"),
    **dict.fromkeys(["makefile", "make"], "make"),
    **dict.fromkeys(["powershell", "ps1", "pwsh"], "powershell"),
    **dict.fromkeys(["terraform", "hcl", "tf"], "hcl"),
    **dict.fromkeys(["latex", "tex"], "latex"),
    **dict.fromkeys(["diff", "patch"], "diff"),
    **dict.fromkeys(["objc", "objective-c"], "objc"),
    **dict.fromkeys(["protobuf", "proto"], "protobuf"),
    **{name: name for name in PLAINLY_NAMED.split()},
}
"""Language as written after a fence -> name of the Pygments lexer."""

Kind = tuple[str, ...]
"""A kind of token: its name in parts. Pygments has them as tuples that know their `parent`."""

CLASSES: dict[Kind, str] = {
    Comment: "c",
    Comment.Preproc: "k",
    Comment.PreprocFile: "s",
    Keyword: "k",
    Operator.Word: "k",
    Name.Tag: "k",
    Name.Decorator: "k",
    Name.Function: "f",
    Name.Class: "f",
    String: "s",
    Number: "m",
    Generic.Deleted: "d",
    Generic.Inserted: "i",
    Generic.Heading: "c",
    Generic.Subheading: "c",
}
"""Kind of token -> class in `answer.css`; a missing kind has its parent's class, or the colour of the text."""


def can_colour(language: str, code: str) -> bool:
    """Whether code of this language and size may be highlighted."""
    return len(code) <= CODE_MAX and language.strip()[:LANGUAGE_MAX].lower() in LEXERS


def is_slow(language: str, code: str) -> bool:
    """Whether highlighting this code takes longer than `SECONDS_MAX`."""
    return bool(code) and _coloured(language.strip()[:LANGUAGE_MAX].lower(), code) is None


def figure(language: str, code: str, *, coloured: bool) -> str:
    """HTML of one code block; `language` is the text after the fence, or empty."""
    name = language.strip()[:LANGUAGE_MAX]
    body = coloured_code(name.lower(), code) if coloured else escape(code, quote=False)
    return f"{figure_start(name)}{body}{FIGURE_END}"


def figure_start(name: str) -> str:
    """HTML of a figure up to its code."""
    return (
        f'<figure class="code"><figcaption><span>{escape(name or "code", quote=False)}</span>'
        '<button type="button" class="quiet" data-copy>Copy code</button></figcaption><pre tabindex="0"><code>'
    )


FIGURE_END = "</code></pre></figure>"


def coloured_code(language: str, code: str) -> str:
    """Code as HTML with a span around each highlighted token; only escaped where language or bounds forbid it."""
    return _coloured(language, code) or escape(code, quote=False)


@lru_cache(maxsize=256)
def _coloured(language: str, code: str) -> str | None:
    """Highlighted HTML of the code, or None where it takes longer than `SECONDS_MAX`.

    The cache is bounded: 256 blocks of `CODE_MAX` characters with their spans are about 10 MB.
    """
    lexer = _lexer(language)
    if lexer is None or len(code) > CODE_MAX:
        return escape(code, quote=False)
    pieces: list[tuple[str, str]] = []
    started = time.thread_time()
    deadline = time.perf_counter() + SECONDS_MAX
    for _, kind, text in lexer.get_tokens_unprocessed(code):
        # White space has no colour: it joins the piece before it, which saves a span.
        pieces.append((pieces[-1][0] if pieces and text.isspace() else _class(kind), text))
        # The wall clock is cheap to read; only processor time tells a slow lexer from a busy machine.
        if time.perf_counter() > deadline and time.thread_time() - started > SECONDS_MAX:
            return None
    if "".join(text for _, text in pieces) != code:
        # A faulty lexer lost or repeated some code: the text matters more than its colours.
        return escape(code, quote=False)
    html: list[str] = []
    for name, group in groupby(pieces, key=itemgetter(0)):
        text = escape("".join(piece[1] for piece in group), quote=False)
        html.append(f'<span class="{name}">{text}</span>' if name else text)
    coloured = "".join(html)
    return coloured if len(coloured) <= RATIO_MAX * len(code) + SPANS else escape(code, quote=False)


@cache
def _class(kind: Kind) -> str:
    known = (CLASSES[kind[:size]] for size in range(len(kind), 0, -1) if kind[:size] in CLASSES)
    return next(known, "")


@cache
def _lexer(language: str) -> Lexer | None:
    name = LEXERS.get(language)
    if name is None:
        return None
    try:
        return get_lexer_by_name(name)
    except ClassNotFound:
        return None
