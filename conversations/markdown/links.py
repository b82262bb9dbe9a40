"""Markdown links: bare addresses, allowed targets, and a note where a link's words name another target."""

import re
import unicodedata
from functools import lru_cache
from html import escape, unescape
from urllib.parse import unquote, urlsplit

import nh3

SCHEMES = {"http", "https", "mailto", "tel"}
SAFE = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
HOST_MAX = 255
WORDS_MAX = 2_000
"""Characters of a link's words in which the name of a host is searched."""

TARGET_MAX = 200
"""Characters shown of a target that may not be followed."""

# Punctuation, symbols and spaces beyond ASCII, except those within words of addresses (·, ・, – and joiners).
FOREIGN = (
    "\u00a1-\u00a9\u00ab-\u00b1\u00b4\u00b6\u00b8\u00bb\u00bf\u00d7\u00f7\u037e\u055a-\u055f\u0589\u05c0\u05c3\u05f3"
    "\u05f4\u060c\u061b\u061e\u061f\u066a-\u066d\u06d4\u0964\u0965\u0970\u0e4f\u0e5a\u0e5b\u0f04-\u0f14\u104a-\u104f"
    "\u1361-\u1368\u17d4-\u17d6\u17d8-\u17da\u1800-\u180a\u2000-\u200b\u200e\u200f\u2014-\u206f\u20a0-\u20bf"
    "\u2190-\u2bff\u2e00-\u2e7f\u3000-\u3003\u3008-\u3020\u3030\u303d\ufe00-\ufe6f\ufeff\uff01-\uff0f\uff1a-\uff20"
    "\uff3b-\uff40\uff5b-\uff65\uffe0-\uffee\U0001f000-\U0001faff"
)
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
"""Scripts whose words may follow an address without a space."""

PATH = rf"""[/?\#](?:[^\s<>&"`\ufdd0-\ufdef{FOREIGN}]|&amp;)*"""
URL = rf"""(?<![A-Za-z0-9_])https?://(?:[\w-]+(?:\.[\w-]+)*|\[[0-9A-Fa-f:.]{{2,45}}\])(?::\d{{1,5}})?(?:{PATH})?
    | (?<![A-Za-z0-9_./:@-])www\.[\w-]+(?:\.[\w-]+)+(?:{PATH})?"""
MAIL = r"""(?<![A-Za-z0-9_.+/:@-])(?:mailto:)?[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}@(?:[\w-]+\.)+[A-Za-z]{2,63}+
    (?![A-Za-z0-9_@-]|[:/.][A-Za-z0-9_/])"""
"""Regular expressions, in verbose form, of addresses that are written without Markdown signs."""

# An ASCII host name that is followed directly by a script without spaces ends before it.
JOINED_HOST = re.compile(rf"(?:https?://)?(?:[\w-]+\.)*+[A-Za-z0-9-]+(?=[{UNSPACED}])", re.IGNORECASE)
BRACKETED_HOST = re.compile(r"https?://\[[^\]]*\]", re.IGNORECASE)
TRAILING = "?!.,:;*_~'\"]}"
BRACKETED = re.compile(r"((?:https?:)//(?:[^/?#@]*@)?)%5B([0-9A-Fa-f:.]+)%5D(?=[:/?#]|\Z)", re.IGNORECASE)
NAMED_HOST = re.compile(
    r"(?<![\w@.-])(?:(?:https?|ftp)://(?:[^\s/?#@]*@)?|//)?((?:[\w-]+\.)+[^\W\d_][\w-]+|\d+(?:\.\d+){3})"
    r"|(?<!\w)(?:https?|ftp)://(?:[^\s/?#@]*@)?(\[[0-9A-Fa-f:.]+\]|[\w-]+)",
    re.IGNORECASE,
)
"""A host name with dots, or any host name after a scheme."""
NAMED_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
DOTS = str.maketrans("。．｡", "...", "\u200b\u200c\u200d\u2060\u00ad\ufeff")
NO_HOSTS = frozenset(
    [
        "css",
        "csv",
        "exe",
        "gif",
        "go",
        "html",
        "ini",
        "java",
        "jpeg",
        "jpg",
        "js",
        "json",
        "jsx",
        "log",
        "lua",
        "pdf",
        "php",
        "png",
        "rb",
        "sql",
        "svg",
        "toml",
        "ts",
        "tsx",
        "txt",
        "vue",
        "xml",
        "yaml",
        "yml",
    ]
)
"""Last parts of names that are file extensions instead of top-level domains."""


def address(url: str) -> str:
    """HTML link of a bare address, without the punctuation that ends its sentence."""
    joined = JOINED_HOST.match(url)
    end = joined.end() if joined else len(url)
    closing = url.count(")", 0, end) - url.count("(", 0, end)
    while end:
        if url[end - 1] == ")" and closing > 0:
            closing -= 1
        elif url[end - 1] not in TRAILING or url.endswith("&amp;", 0, end) or BRACKETED_HOST.fullmatch(url, 0, end):
            break
        end -= 1
    shown = url[:end]
    href = f"http://{shown}" if shown[:4].lower() == "www." else shown
    return f"{link(href)}{shown}</a>{url[end:]}" if may_be_followed(href) else url


def mail(text: str) -> str:
    """HTML link of a bare e-mail address."""
    href = text if text[:7].lower() == "mailto:" else f"mailto:{text}"
    return f"{link(href)}{text}</a>"


def link(href: str, title: str = "") -> str:
    """The opening tag of a link; both arguments are already escaped."""
    return f'<a href="{href}" title="{title}">' if title else f'<a href="{href}">'


def target(href: str) -> str:
    """A link target as a browser reads it: the parser percent-encodes the brackets of an IPv6 address."""
    return BRACKETED.sub(r"\1[\2]", href)


CLEANER = nh3.Cleaner(tags={"a"}, attributes={"a": {"href"}}, url_schemes=SCHEMES, url_relative="deny")


@lru_cache(maxsize=1024)
def may_be_followed(href: str) -> bool:
    """Whether an escaped target is absolute, has an allowed scheme, and passes the sanitiser."""
    return bool(SAFE.match(href)) and " href=" in CLEANER.clean(f'<a href="{href}">x</a>')


def readable(href: str, words: str) -> str:
    """HTML to show after a link's words for a target that may not be followed; `href` and `words` are HTML."""
    shown = unescape(href)
    if not shown or shown == _plain(words).strip():
        return ""
    if len(shown) > TARGET_MAX:
        shown = f"{shown[:TARGET_MAX]}…"
    return f" ({escape(shown, quote=False)})"


def leads_to(href: str, words: str) -> str:
    """HTML that names the real target when a link's words name another host, address or number; else empty."""
    said = unicodedata.normalize("NFKC", _plain(words)[:WORDS_MAX]).translate(DOTS)
    if "." not in said and "@" not in said and "://" not in said and not href.startswith("tel:"):
        return ""
    scheme, _, rest = unescape(href).partition(":")
    if scheme.lower() == "tel":
        return _other_number(said, rest)
    if scheme.lower() == "mailto":
        where = unquote(rest.partition("?")[0])
        named = {name.lower() for name in NAMED_MAIL.findall(said)} or {host.lower() for host in _hosts(said, "")}
        return _note(where) if named - {where.lower()} else ""
    parts = urlsplit(unescape(href))
    host = unquote(parts.hostname or "")
    named = {_ascii(name) for name in _hosts(said, parts.path)}
    named |= {_ascii(name.partition("@")[2]) for name in NAMED_MAIL.findall(said)}
    return _note(host) if any(not _is_same(_ascii(host), name) for name in named) else ""


def _other_number(said: str, number: str) -> str:
    written, called = ("".join(filter(str.isdigit, text)) for text in (said, unquote(number)))
    if len(written) < 5 or called.endswith(written.lstrip("0")):
        return ""
    return _note(unquote(number))


def _note(where: str) -> str:
    return f" ({escape(where[:TARGET_MAX], quote=False)})"


def _hosts(said: str, path: str) -> set[str]:
    """Host names in a link's words, without the file name at the end of the path."""
    names = set()
    for match in NAMED_HOST.finditer(said):
        name = match[1] or match[2].strip("[]")
        is_address = match.start() != match.start(1) or name.lower().startswith("www.")
        is_file = name.rpartition(".")[2].lower() in NO_HOSTS or unquote(path).endswith(f"/{name}")
        if is_address or not is_file:
            names.add(name)
    return names


def _is_same(host: str, named: str) -> bool:
    """Whether two host names are the same but for `www.`; a subdomain may have another owner."""
    return host.removeprefix("www.") == named.removeprefix("www.")


def _ascii(host: str) -> str:
    host = host.lower().rstrip(".")
    try:
        return host[:HOST_MAX].encode("idna").decode()
    except UnicodeError:
        return host


def _plain(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html))
