"""The structure of package and tests: unique names, short files and test names, listed lazy imports."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parent
SOURCE = TESTS.parent / "src" / "lesionlens"
MODULES = sorted(SOURCE.rglob("*.py"))
MAX_LINES = 450
MAX_TEST_NAME = 60

# (module pattern, imported package pattern, why it is imported inside a function)
LAZY_IMPORTS = (
    ("cli/*.py", "*", "help and completion load neither torch nor pandas"),
    ("core/runtime.py", "joblib", "only the count of processors needs it"),
    ("core/runtime.py", "torch", "only its number of threads needs it"),
    ("core/runtime.py", "threadpoolctl", "only products between steps of a network need it"),
    ("imaging/preprocessing.py", "torch", "cards, files and scores are read without torch"),
    ("imaging/resize.py", "torch*", "headers, tables and scores are read without torch"),
    ("inference/model_source.py", "lesionlens.*", "exports are used without torch"),
    ("segmentation/models.py", "segmentation_models_pytorch", "an optional extra"),
)


def public_names(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (
                    node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
                )
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def function_imports(statements: Iterable[ast.AST], *, in_function: bool = False) -> Iterator[str]:
    for statement in statements:
        match statement:
            case ast.ImportFrom(module=str(name)) if in_function:
                yield name
            case ast.Import(names=aliases) if in_function:
                yield from (alias.name for alias in aliases)
        is_function = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        for block in ("body", "orelse", "handlers", "finalbody", "cases"):
            yield from function_imports(getattr(statement, block, ()), in_function=in_function or is_function)


class Module(NamedTuple):
    """What the checks read in a module: public names, and modules that functions import."""

    public_names: list[str]
    function_imports: set[str]


@cache
def read_module(path: Path) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return Module(list(public_names(tree)), set(function_imports(tree.body)))


def test_public_names_exist_once() -> None:
    homes = defaultdict(set)
    for path in MODULES:
        for name in read_module(path).public_names:
            if not name.startswith("_"):
                homes[name].add(path.relative_to(SOURCE).as_posix())
    assert {name: sorted(paths) for name, paths in homes.items() if len(paths) > 1} == {}


def test_test_names_are_short() -> None:
    names = [
        f"{path.relative_to(TESTS).as_posix()}::{name}"
        for path in sorted(TESTS.rglob("test_*.py"))
        for name in re.findall(r"^ *def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert [name for name in names if len(name.partition("::")[2]) > MAX_TEST_NAME] == []


def test_files_are_short() -> None:
    long = {path.name: lines for path in MODULES if (lines := path.read_text().count("\n")) > MAX_LINES}
    assert long == {}


def test_consoles_are_made_by_one_function() -> None:
    """A console of rich's own would read names of files as markup."""
    calls = re.compile(r"(?<![\w.`])Console\(")
    makers = [path.relative_to(SOURCE).as_posix() for path in MODULES if calls.search(path.read_text())]
    assert makers == []


def test_imports_inside_functions_are_listed() -> None:
    unlisted = [
        (path.relative_to(SOURCE).as_posix(), imported)
        for path in MODULES
        for imported in read_module(path).function_imports
        if not any(
            fnmatch(path.relative_to(SOURCE).as_posix(), where) and fnmatch(imported, package)
            for where, package, _ in LAZY_IMPORTS
        )
    ]
    assert unlisted == []
