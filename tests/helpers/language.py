"""Vocabulary of the project: words to avoid, the terms to use instead, and the exceptions."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from fnmatch import fnmatch
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
        yield from _messages(text) if path.is_relative_to(ROOT / "src") else _test_prose(path, text)
        yield from _comments(text)
    else:
        yield from _markdown_prose(text) if path.suffix == ".md" else _hash_comments(text)


def findings(path: Path) -> Iterator[Finding]:
    """Yield the words of a file that the glossary replaces."""
    name = path.relative_to(ROOT).as_posix()
    for line, text in prose_of(path):
        bare = re.sub(r"``[^`]*``|`[^`]*`|\"[^\"\n]*\"(?=[\s,.;:)])|https?://\S+", " ", text)
        for pattern, hint in _WORDS.items():
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


def _messages(text: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, node.value


def _test_prose(path: Path, text: str) -> Iterator[tuple[int, str]]:
    yield from docstrings(path)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name.strip("_").replace("_", " ")


def _hash_comments(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.search(r"(?:^|\s)#\s(.*)", line):
            yield number, match[1]


def _comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, docstring) of a module, its classes and its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def local_names(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of assigned local names and parameters that name a grammatical role."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in LOCALS:
            yield node.lineno, node.id
        elif isinstance(node, ast.arg) and node.arg in LOCALS:
            yield node.lineno, node.arg
