"""Unquoted words of recipes: the schema decides whether they are text, numbers, booleans or null."""

import re
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

_NUMBER = re.compile(r"[-+]?(0|[1-9]\d*|\d*\.\d+|\d+\.\d*)([eE][-+]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[-+]?(0|[1-9]\d*)", re.ASCII)
_MAX_NUMBER_LENGTH = 64  # characters; longer digits are text
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}


class PlainScalar(str):
    """Word without quotes, exactly as it was written."""

    __slots__ = ()


def is_null(value: object) -> bool:
    """Return whether a value is None or an unquoted word for it: ``null``, ``~`` or nothing."""
    return value is None or (isinstance(value, PlainScalar) and _WORDS.get(value.lower(), "") is None)


def core_value(tree: Any) -> Any:
    """Return a tree whose unquoted words are typed by their spelling: numbers, true, false, null and text.

    This is the core schema of YAML 1.2 without octal and hexadecimal numbers: ``no``, ``on``, ``0123``, ``1:30`` and
    ``2020-01-01`` are text, and ``1e5`` is a number.

    Examples
    --------
    >>> core_value([PlainScalar(word) for word in ("1", "1e5", "0123", "no", "true", "null", "1:30")])
    [1, 100000.0, '0123', 'no', True, None, '1:30']
    """
    if isinstance(tree, dict):
        return {str(key): core_value(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [core_value(value) for value in tree]
    return _core_scalar(tree) if isinstance(tree, PlainScalar) else tree


def _core_scalar(word: str) -> Any:
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    if len(word) > _MAX_NUMBER_LENGTH or not _NUMBER.fullmatch(word):
        return str(word)
    return int(word) if _INTEGER.fullmatch(word) else float(word)


def type_scalars(tree: Any, annotation: Any) -> Any:
    """Return a tree whose unquoted words are typed by an annotation: text stays as it was written.

    Parameters
    ----------
    tree
        Mappings, lists and words of a recipe, or of a part of it.
    annotation
        Type of the value: that of a field, or a model.
    """
    types = [member for member in _members(annotation) if member is not NoneType]
    if isinstance(tree, dict):
        return {str(key): type_scalars(value, _value_type(types, str(key))) for key, value in tree.items()}
    if isinstance(tree, list):
        return [type_scalars(value, _item_type(types)) for value in tree]
    if not isinstance(tree, PlainScalar):
        return tree
    if any(_is_model(member) for member in types):
        return str(tree) if tree else {}  # a section all of whose keys are comments
    if is_null(tree) and NoneType in _members(annotation):
        return None
    if is_text(annotation):
        return str(tree)
    value = _core_scalar(tree)
    return str(tree) if isinstance(value, bool) and not {bool, Any} & set(types) else value


def is_text(annotation: Any) -> bool:
    """Return whether a type accepts only text, apart from null: every word is such a value as it is.

    Examples
    --------
    >>> is_text(str), is_text(Literal["on", "off"] | None), is_text(int | Literal["auto"]), is_text(tuple[str, ...])
    (True, True, False, False)
    """
    members = [member for member in _members(annotation) if member is not NoneType]
    return bool(members) and all(
        member is str or (get_origin(member) is Literal and all(isinstance(v, str) for v in get_args(member)))
        for member in members
    )


def _members(annotation: Any) -> list[Any]:
    """Return the alternatives of a union, or the annotation itself, without their constraints."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [member for part in get_args(annotation) for member in _members(part)]
    return [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _value_type(types: list[Any], key: str) -> Any:
    """Return the type of a value in a mapping: that of a field of a model, or of the values of a dict."""
    for member in types:
        if _is_model(member):
            return member.model_fields[key].annotation if key in member.model_fields else Any
        if get_origin(member) is dict:
            return get_args(member)[1]
    return Any


def _item_type(types: list[Any]) -> Any:
    return next((get_args(member)[0] for member in types if get_origin(member) in (tuple, list)), Any)


def field_type(model: type[BaseModel], path: list[str]) -> Any:
    """Return the type of the value at a path of keys below a model; ``str`` if there is no such key."""
    annotation: Any = model
    for key in path:
        types = [member for member in _members(annotation) if member is not NoneType]
        if any(_is_model(member) and key not in member.model_fields for member in types):
            return str
        annotation = _value_type(types, key)
    return annotation
