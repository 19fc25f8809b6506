"""YAML documents: libyaml and PyYAML's own parser give the same trees and the same errors."""

from typing import Any

import pytest
import yaml

from lesionlens.core.errors import RecipeError
from lesionlens.runs import yaml_documents
from lesionlens.runs.yaml_documents import parse_yaml

DOCUMENT = """\
# a comment
data: {source: 'ham10000:.', classes: [no, "1e5", 0123]}
base: &base
  epochs: 3
  empty:
  text: >-
    folded
    lines
again: *base
list:
- ! 7
- !!str 8
- ~
"""


def with_types(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: with_types(value) for key, value in tree.items()}
    return [with_types(value) for value in tree] if isinstance(tree, list) else (type(tree), tree)


def test_both_parsers_give_the_same_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    by_libyaml = parse_yaml(DOCUMENT)
    monkeypatch.setattr(yaml_documents, "_FAST_LOADER", yaml.SafeLoader)
    assert with_types(parse_yaml(DOCUMENT)) == with_types(by_libyaml)


@pytest.mark.parametrize(
    "text", ["a: [1", "a: 1\na: 2", "\ta: 1", "a: *b", "a: !!int 1", "--- 1\n--- 2", "a: \0"]
)
def test_both_parsers_give_the_same_error(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError) as by_libyaml:
        parse_yaml(text)
    monkeypatch.setattr(yaml_documents, "_FAST_LOADER", yaml.SafeLoader)
    with pytest.raises(RecipeError) as by_pyyaml:
        parse_yaml(text)
    assert str(by_libyaml.value) == str(by_pyyaml.value)
