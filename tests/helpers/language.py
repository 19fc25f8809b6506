"""Vocabulary of the project: words to avoid, the terms to use instead, and the exceptions."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

WORDS = {
    r"told": "reported, listed, shown",
    r"said": "specified, given, stated",
    r"asked": "requested, evaluated",
    r"wanted": "requested, target, required",
    r"sought": "positive class, target",
    r"seen": "used, passed to the model",
    r"drawn": "sampled (at random), rendered (pixels), plotted (figures)",
    r"painted|paints?": "rendered, generated",
    r"kept": "saved, retained, stored, selected",
    r"whole": "full, complete, entire",
    r"(?<!in )(?<!decimal )(?<!take )(?<!takes )places?": "index, location, position, path",
    r"shares?": "fraction, proportion; have the same",
    r"beside": "next to, alongside, in addition to",
    r"anew": "again, from scratch",
    r"lies?|lay": "is, is stored",
    r"stands?": "is, appears",
    r"strangers?": "unexpected, unmatched",
    r"pictures?": "image, figure",
    r"cuts?": "crop; hold out",
    r"brought|brings?": "resized, converted",
    r"amounts?": "number, severity, strength",
    r"go(?:es)? on|went on": "resume, continue",
    r"left out|leaves? out|leaving out": "excluded",
    r"one's own|of your own": "your own, custom",
    r"one an? (?:core|image)|images? a second": "one per image, images per second",
    r"of late": "recently",
    r"as it lies": "in memory order",
    r"plain(?:ly)?": "baseline, reference implementation; only",
    r"naive": "baseline",
    r"too good": "optimistically biased",
    r"by hand": "manually",
    r"rooms?": "space; package",
    r"data sets?": "dataset",
    r"endings?": "extension, suffix",
    r"witness(?:es)?": "reference implementation",
    r"depart(?:s|ures?)?": "differs, differences",
    r"surest": "most confident",
    r"near cop(?:y|ies)": "near-duplicate",
    r"refuse[sd]?": "rejected, not allowed, raises an error",
    r"(?<!here )is no(?! longer)(?! more)|are no (?:numbers|pairs)": "is not a",
    r"alone": "only",
    r"nothing else": "only",
    r"for want of": "because there is no",
    r"colours?|grey|artefacts?|normalis\w+|catalogues?|behaviours?|synthesis(?:e|es|ed|ing)": "American spelling",
    r"optimis(?:e|er|ers|ed)|centres?|licences?|labelled|labelling|recognis\w+|summaris\w+": "American spelling",
    r"initialis\w+|organis\w+|analys(?:e|ed|es|ing)|judgements?": "American spelling",
}
OPENING = re.compile(r"(?:Give|Gives|Say|Says|Tell|Tells)\b")
LOCALS = {"found", "each", "said", "told", "asked", "wanted", "sought", "seen"}

# (path pattern, word, why it may appear there)
ALLOWED = (
    ("CONTRIBUTING.md", "places", "the verb"),
    ("README.md", "share", "the verb"),
    ("CHANGELOG.md", "shares", "the verb"),
    ("docs/speed.md", "share", "the verb"),
    ("docs/inference.md", "share", "the verb"),
    ("src/lesionlens/reproduction/*.py", "share", "the verb: rows share runs, folds share images"),
    ("src/lesionlens/cli/models.py", "plain", "the name of a recipe"),
)

_WORDS = {re.compile(rf"\b(?:{word})\b", re.IGNORECASE): hint for word, hint in WORDS.items()}
_ANY_WORD = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)
_STRING_OR_COMMENT = re.compile(
    r"(?s:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3})"
    r"|\"(?:\\(?s:.)|[^\\\"\n])*\"|'(?:\\(?s:.)|[^\\'\n])*'"
    r"|(#[^\n]*)"
)


class Finding(NamedTuple):
    """A word to replace: file, line, the word as it appears, what to use."""

    path: str
    line: int
    word: str
    hint: str


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of what a person reads in a file.

    Of source files, docstrings, comments and messages; of other modules, docstrings, comments and names of
    functions; of Markdown, everything except code; of other files, comments.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        module = read_module(path)
        if path.is_relative_to(ROOT / "src"):
            yield from module.messages
        else:
            yield from (*module.docstrings, *module.functions)
        yield from _comments(text)
    else:
        yield from _markdown_prose(text) if path.suffix == ".md" else _hash_comments(text)


def findings(path: Path) -> Iterator[Finding]:
    """Yield the words of a file that the glossary replaces."""
    name = path.relative_to(ROOT).as_posix()
    for line, text in prose_of(path):
        bare = re.sub(r"``[^`]*``|`[^`]*`|\"[^\"\n]*\"(?=[\s,.;:)])|https?://\S+", " ", text)
        for pattern, hint in _WORDS.items() if _ANY_WORD.search(bare) else ():
            for match in pattern.finditer(bare):
                if not any(fnmatch(name, where) and word == match[0].lower() for where, word, _ in ALLOWED):
                    yield Finding(name, line + bare.count("\n", 0, match.start()), match[0], hint)


def _markdown_prose(text: str) -> Iterator[tuple[int, str]]:
    code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            code = not code
        elif not code and not line.startswith("    "):
            yield number, re.sub(r"\]\([^)]*\)|<[^>]*>", " ", line)


def _hash_comments(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.search(r"(?:^|\s)#\s(.*)", line):
            yield number, match[1]


def _comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, comment); a regular expression is ten times as fast as the tokenizer of Python."""
    for match in _STRING_OR_COMMENT.finditer(text) if "#" in text else ():
        if match[1]:
            yield text.count("\n", 0, match.start()) + 1, match[1]


class Module(NamedTuple):
    """What is written in a module, as (line, text): docstrings, other text with blanks, functions, local names."""

    docstrings: list[tuple[int, str]]
    messages: list[tuple[int, str]]
    functions: list[tuple[int, str]]
    roles: list[tuple[int, str]]


@cache
def read_module(path: Path) -> Module:
    """Parse a module once for all checks; ``roles`` are assigned names and parameters of ``LOCALS``."""
    module = Module([], [], [], [])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Constant(value=str(text)) if " " in text.strip():
                module.messages.append((node.lineno, text))
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) if name in LOCALS:
                module.roles.append((node.lineno, name))
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                if not isinstance(node, ast.Module | ast.ClassDef):
                    module.functions.append((node.lineno, node.name.strip("_").replace("_", " ")))
                if text := ast.get_docstring(node):
                    module.docstrings.append((getattr(node, "lineno", 1), text))
    return module
