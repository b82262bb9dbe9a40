"""Texts that are expensive for a renderer: slow, large in output, or deeply nested."""

from itertools import chain

UNITS = {
    "fences in items": "- ````\n",
    "fences": "```\n```\n",
    "fences in quotes": "> ```\n",
    "open displays": "$$a",
    "open displays in lines": "$$a\n",
    "formulas": "$a$ ",
    "open formulas": "\\(a",
    "fractions": "$\\frac{1}{2}$ ",
    "brackets in formulas": "$((((((((((((x$ ",
    "primes in formulas": f"${'′' * 1_000}{chr(39) * 1_000}$ ",
    "rows of formulas": "$$\na\\\\b&c\\\\\n$$\n",
    "deep quotes": ">" * 32 + " a\n",
    "one quote": ">",
    "brackets": "[",
    "open links": "[a](",
    "links": "[a](http://b) ",
    "pictures": "![a](",
    "empty links": "[]()",
    "stars": "*",
    "emphasis": "_a_",
    "open emphasis": "**a *b ",
    "signs": "*_~",
    "struck": "~~a~~ ",
    "ticks": "` `` ``` ",
    "references": "[a]: http://b\n",
    "footnotes": "[^a] [^b]: c\n",
    "entities": "&#x41;&amp;&",
    "tags": "<b><i></b>",
    "comments": "<!--",
    "details": "<details><summary>a</summary>\n\nb\n\n</details>\n\n",
    "addresses": "http://a.b/(((c ",
    "mail": "<a@b>",
    "headings": "#\n",
    "underlined": "a\n=\n",
    "rules": "---\n\n",
    "items": "-\n",
    "numbered": "1. a\n",
    "tasks": "- [ ] a\n",
    "tabs": "-\ta\n\n\t- b\n",
    "paragraphs": "a\n\n",
    "lines": "a\n",
    "hard lines": "a  \n",
    "line feeds": "\n",
    "carriage returns": "\r",
    "blanks": " ",
    "small tables": "|a|b|\n|-|-|\n|c|d|\n\n",
    "bars": "|\n",
    "backslashes": "\\*",
    "controls": "\u0000\u0007",
    "direction": "\u202ea\u202c\u2067b",
    "families": "👩\u200d👩\u200d👧\u200d👦",
    "CJK": "重要**：**请",
    "marks": "a\u0301\u0302\u0303",
    "code of signs": "```python\n" + "[1]," * 900 + "\n```\n",
    "code of line feeds": "```java\n" + "\n" * 900 + "x\n```\n",
    "words": "The quick brown fox jumps over the lazy dog. ",
}
"""Name -> a piece of text that is repeated to the requested size."""


def hostile(size: int) -> dict[str, str]:
    """Each hostile text by name, of `size` characters."""
    texts = {name: (unit * (size // len(unit) + 1))[:size] for name, unit in UNITS.items()}
    wide = "|a" * 1_000
    texts |= {
        "a wide table": f"{wide}|\n{'|-' * 1_000}|\n" + "|\n" * size,
        "a large table": "| a | b |\n|---|---|\n" + "| some words | **17** |\n" * (size // 20),
        "open code": "```python\n" + "x = [1, 2, 3] # words\n" * (size // 20),
        "one word": "a" * size,
        "brackets in brackets": "[" * (size // 2) + "]" * (size // 2),
        "deeper and deeper": "\n".join(chain.from_iterable([" " * n + "- a", ">" * n] for n in range(1, 600))),
        "runs of ticks": "".join("`" * (1 + n % 400) + "a" for n in range(size // 100)),
        "braces": f"${'{' * (size // 2)}{'}' * (size // 2)}$",
        "one long item": "- " + "a *b* " * (size // 6),
        "one long address": "http://a.b/" + "c(" * (size // 2),
    }
    return {name: text[:size] for name, text in texts.items()}
