"""Values of overrides, ``KEY=VALUE``: lists ``[a, b]``, mappings ``{a: 1}``, quoted text and words."""

import json
from typing import Any

from lesionlens.core.errors import RecipeError
from lesionlens.runs.plain_scalars import PlainScalar

_BRACKETS = {"[": "]", "{": "}"}
_MAX_DEPTH = 10  # nested brackets


def parse_flow(text: str) -> Any:
    """Parse a value: a list, a mapping, a quoted text, or a word, which stays as it was typed.

    Words in brackets end at a comma or at the closing bracket; quotes protect these. No other character has a meaning:
    ``#``, ``@``, ``*`` and ``:`` without a blank after it are parts of words.

    Raises
    ------
    RecipeError
        A bracket or a quote is not closed, text follows it, or an item is empty.

    Examples
    --------
    >>> parse_flow("[no, set #2, 'a,b']"), parse_flow('{"x": 1, no: [2]}'), parse_flow("1e5")
    (['no', 'set #2', 'a,b'], {'x': '1', 'no': ['2']}, '1e5')
    """
    value, rest = _parse_value(text, "", 0)
    if rest.strip():
        raise RecipeError(
            f"unexpected text after {text[: len(text) - len(rest)].strip()!r}: {rest.strip()!r}"
        )
    return value


def unquote(text: str) -> str:
    """Return text without a pair of quotes around it; other text is a word, exactly as it was typed.

    Examples
    --------
    >>> unquote("'null'"), unquote("set #2"), unquote("it's")
    ('null', 'set #2', "it's")
    """
    is_quoted = len(text) > 1 and text[0] in "\"'" and text.endswith(text[0]) and text.count(text[0]) == 2
    return text[1:-1] if is_quoted else PlainScalar(text)


def _parse_value(text: str, terminators: str, depth: int) -> tuple[Any, str]:
    """Return the value at the start of a text, and the rest of the text."""
    text = text.lstrip()
    if text[:1] in _BRACKETS:
        if depth == _MAX_DEPTH:
            raise RecipeError(f"more than {_MAX_DEPTH} nested brackets")
        return (_parse_list if text[0] == "[" else _parse_mapping)(text[1:], depth + 1)
    if text[:1] in ('"', "'"):
        return _parse_quoted(text)
    return _parse_word(text, terminators)


def _parse_list(text: str, depth: int) -> tuple[list[Any], str]:
    items: list[Any] = []
    while True:
        text = text.lstrip()
        if text.startswith("]"):
            return items, text[1:]
        value, text = _parse_value(text, ",]", depth)
        _check_not_empty(value, text)
        items.append(value)
        text = _skip_comma(text, "]")


def _parse_mapping(text: str, depth: int) -> tuple[dict[str, Any], str]:
    items: dict[str, Any] = {}
    while True:
        text = text.lstrip()
        if text.startswith("}"):
            return items, text[1:]
        key, text = _parse_key(text)
        if key in items:
            raise RecipeError(f"the key {key!r} is given twice; remove one")
        value, text = _parse_value(text, ",}", depth)
        items[key] = value
        text = _skip_comma(text, "}")


def _parse_key(text: str) -> tuple[str, str]:
    """Return a key of a mapping and the text after its colon, which a blank follows, or which is the last one."""
    if text[:1] in ('"', "'"):
        key, rest = _parse_quoted(text)
        if not rest.lstrip().startswith(":"):
            raise RecipeError(f"a colon is missing after the key {key!r}; write {{key: value}}")
        return key, rest.lstrip()[1:]
    item, _ = _parse_word(text, ",}")
    key, colon, _ = item.partition(": ")
    if not colon:
        key, colon, _ = item.rpartition(":")
    if not colon or not key.strip():
        raise RecipeError(f"{item.strip()!r} has no key; write {{key: value}}")
    return key.strip(), text[len(key) + len(colon) :]


def _parse_word(text: str, terminators: str) -> tuple[PlainScalar, str]:
    """Return the word up to a terminator outside of brackets that the word itself opens."""
    closing: list[str] = []
    for position, character in enumerate(text):
        if character in terminators and not closing:
            return PlainScalar(text[:position].strip()), text[position:]
        if terminators and character in _BRACKETS:
            closing.append(_BRACKETS[character])
        elif closing and character == closing[-1]:
            closing.pop()
    if terminators:
        raise RecipeError(
            f"a closing {(closing or terminators[-1:])[-1]} is missing; quote words with brackets"
        )
    return PlainScalar(text.strip()), ""


def _parse_quoted(text: str) -> tuple[str, str]:
    """Return a quoted text and the rest: double quotes with the escapes of JSON, single quotes with ``''`` for one."""
    if text[0] == '"':
        try:
            value, end = json.JSONDecoder(strict=False).raw_decode(text)
        except ValueError as error:
            raise RecipeError(f"a closing quote is missing: {text!r}") from error
        return str(value), text[end:]
    end = 1
    while (end := text.find("'", end)) >= 0:
        if text[end + 1 : end + 2] != "'":
            return text[1:end].replace("''", "'"), text[end + 1 :]
        end += 2
    raise RecipeError(f"a closing quote is missing: {text!r}")


def _check_not_empty(value: Any, rest: str) -> None:
    if isinstance(value, PlainScalar) and not value:
        raise RecipeError(
            f"an item of the list is empty, before {rest!r}; write [a, b], or '' for an empty text"
        )


def _skip_comma(text: str, closing: str) -> str:
    text = text.lstrip()
    if text.startswith(","):
        return text[1:]
    if not text.startswith(closing):
        raise RecipeError(
            f"a comma or {closing} is missing before {text!r}" if text else f"a closing {closing} is missing"
        )
    return text
