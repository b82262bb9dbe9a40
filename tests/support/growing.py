"""Growing Markdown for tests, and how to feed it."""

from collections.abc import Iterable

from conversations.markdown.rendering import BlockStream

ANSWER = """\
# A title with **weight**

Some *text* with **bold words**, `code`, __more__, and a [link](https://x.example/a_b "t"). It costs $5 and $10.
Points without a blank line:
- first **item**
- second `item`
  - nested

    a paragraph
- [ ] to do
- [x] done

| Name | Value |
|:-----|------:|
| **a** | $|x|$ |
| b | 2 |

Euler: $E = mc^2$ and \\(a_1 + b_1\\), then

$$
\\frac{a}{b}
= \\sqrt{c}
$$

\\[ x = \\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix} \\]

> quoted **text**
> more

```python
def f(x):
    return "**no**"

```

1. Step:
   ```bash
   ls -la

   pwd
   ```
2. End ~~gone~~ ![alt](https://x.example/b.png) snake_case_word 2 * 3 * 4.

Heading two
---

***

Done <b>x</b> [text](https://x.example/(x)).
"""


def fed(parts: Iterable[str]) -> str:
    """The HTML of a viewer who reads after each part."""
    stream = BlockStream()
    seen, revision = "", 0
    for part in parts:
        stream.append(part)
        blocks = stream.take()
        # A viewer that sees a new revision takes the whole, as `streams.Viewer` does.
        seen = seen + blocks.finished if stream.revision == revision else stream.whole().finished
        revision = stream.revision
    stream.close()
    last = stream.take()
    assert last.open == ""
    seen = seen + last.finished if stream.revision == revision else stream.whole().finished
    assert (stream.whole().finished, stream.whole().open) == (seen, "")
    return seen
