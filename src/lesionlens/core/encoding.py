"""Text that every terminal can show, whatever its encoding, without control characters."""

import codecs
import sys
import unicodedata

_ENCODING_ERRORS = "lesionlens-plain"  # name of the handler of characters that an encoding lacks
_PLAIN = {
    "×": "x", "–": "-", "—": "-", "−": "-", "…": "...", "≥": ">=", "≤": "<=", "→": "->", "←": "<-", "·": "-",
    "±": "+/-", "α": "alpha", "γ": "gamma", "λ": "lambda", "κ": "kappa", "✓": "yes", "✗": "no", "“": '"', "”": '"',
    "‘": "'", "’": "'", "µ": "u", "\u00a0": " ", "\u202f": " ",
}  # fmt: skip


def allow_any_encoding() -> None:
    """Let standard output and standard error show characters that their encoding lacks otherwise: – as -, others as ?.

    Terminals and log files are often in ASCII or Latin-1 on clusters, under cron and on Windows.
    """
    codecs.register_error(_ENCODING_ERRORS, _replace_unencodable)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ENCODING_ERRORS)


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII for the characters that cannot be encoded, and where encoding continues."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(to_ascii, error.object[error.start : error.end])), error.end


def to_ascii(character: str) -> str:
    """Return a character in ASCII: a similar one, its letter without accent, or ``?``.

    Examples
    --------
    >>> "".join(map(to_ascii, "0.5–0.7 × café 😀"))
    '0.5-0.7 x cafe ?'
    """
    if character in _PLAIN:
        return _PLAIN[character]
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"


def printable(text: str) -> str:
    r"""Return text whose control characters, except line breaks and tabs, are escaped, as in names of files.

    Examples
    --------
    >>> printable("a\x1b[31mb\r")
    'a\\x1b[31mb\\r'
    """
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")
        else repr(character)[1:-1]
        for character in text
    )
