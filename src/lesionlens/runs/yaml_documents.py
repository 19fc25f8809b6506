"""Read YAML documents as mappings, lists and words, without YAML's guesses about types.

Unquoted words stay as they are written (`lesionlens.runs.plain_scalars`). Keys given twice, tags and documents that
expand beyond any recipe are errors.
"""

from contextlib import suppress
from copy import deepcopy
from typing import Any, NamedTuple

import yaml

from lesionlens.core.errors import RecipeError
from lesionlens.runs.plain_scalars import PlainScalar

_FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML can be built without libyaml
_MAX_DEPTH = 20  # nested mappings and lists
_MAX_NODES = 50_000  # after the expansion of aliases


class _Open(NamedTuple):
    """Mapping or list whose end has not been read."""

    container: Any
    anchor: str | None
    keys: list[str]  # the key whose value comes next, if any


class _Node(NamedTuple):
    """Finished value and its number of nodes."""

    value: Any
    size: int


class _TreeBuilder:
    """Build a tree from the events of a YAML parser, without recursion."""

    def __init__(self) -> None:
        self.root: Any = None
        self._open: list[_Open] = []
        self._sizes: list[int] = []
        self._anchors: dict[str, _Node] = {}

    def handle(self, event: yaml.Event) -> None:
        """Add an event to the tree."""
        match event:
            case yaml.AliasEvent():
                if event.anchor not in self._anchors:
                    raise RecipeError(f"the alias *{event.anchor} has no finished anchor before it")
                node = self._anchors[event.anchor]
                self._check_size(node.size)
                self._add(_Node(deepcopy(node.value), node.size), None)  # overrides change values in place
            case yaml.ScalarEvent():
                self._check_tag(event)
                word = PlainScalar(event.value) if not event.style and not event.tag else event.value
                self._add(_Node(word, 1), event.anchor)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._check_tag(event)
                if len(self._open) == _MAX_DEPTH:
                    raise RecipeError(f"more than {_MAX_DEPTH} nested mappings and lists")
                container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                self._open.append(_Open(container, event.anchor, []))
                self._sizes.append(1)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                finished, size = self._open.pop(), self._sizes.pop()
                self._add(_Node(finished.container, size), finished.anchor)
            case yaml.DocumentStartEvent():
                if self.root is not None:
                    raise RecipeError("it has several documents; write one")

    def _check_size(self, added: int) -> None:
        if sum(self._sizes) + added > _MAX_NODES:
            raise RecipeError(f"more than {_MAX_NODES:,} values, counting those of aliases")

    @staticmethod
    def _check_tag(event: Any) -> None:
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise RecipeError(f"the tag {event.tag} is not allowed; remove it")

    def _add(self, node: _Node, anchor: str | None) -> None:
        """Add a finished value to the innermost open container."""
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node.value
            return
        self._sizes[-1] += node.size
        container, _, keys = self._open[-1]
        if isinstance(container, list):
            container.append(node.value)
        elif keys:
            container[keys.pop()] = node.value
        else:
            keys.append(_checked_key(node.value, container))


def _checked_key(key: Any, mapping: dict[str, Any]) -> str:
    if not isinstance(key, str):
        raise RecipeError(f"a key is a {'list' if isinstance(key, list) else 'mapping'}; use a word")
    if key in mapping:
        raise RecipeError(f"the key {str(key)!r} is given twice; remove one")
    return str(key)


def parse_yaml(text: str) -> Any:
    """Parse a YAML document into dicts, lists, text and ``PlainScalar`` for unquoted words.

    Libyaml is ten times as fast; errors are those of PyYAML's own parser, whose messages are clearer.

    Raises
    ------
    RecipeError
        It is not valid YAML, a key is given twice, or it is too deep or too large; the message names the line.

    Examples
    --------
    >>> parse_yaml("train: {epochs: 3, class_weights: {no: 1e5}}")
    {'train': {'epochs': '3', 'class_weights': {'no': '1e5'}}}
    """
    with suppress(RecipeError):
        return _parse(text, _FAST_LOADER)
    return _parse(text, yaml.SafeLoader)


def _parse(text: str, loader: Any) -> Any:
    builder, line = _TreeBuilder(), 1
    try:
        for event in yaml.parse(text, Loader=loader):
            line = event.start_mark.line + 1 if event.start_mark else line
            builder.handle(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise RecipeError(f"{where}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise RecipeError(" ".join(str(error).split())) from error
    except RecipeError as error:
        raise RecipeError(f"line {line}: {error}") from error
    return builder.root
