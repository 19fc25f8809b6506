"""Every command and Python block of the documentation runs, and shown output has the shown lines.

One folder per page holds small files like those of the reader. ``doc_commands.REPLACED`` and ``TINY_TRAINING`` list
what runs instead of what is shown, with the reason; ``NOT_RUN`` lists the commands that cannot run in a test.
"""

import re
import shutil
from pathlib import Path

import pytest

from ..helpers import doc_commands, doc_world
from ..helpers.doc_pages import PAGES, ROOT, Step, inline_commands, option_snippets, page_steps

INSTALLS = "installs packages"
BENCHMARK = "measures speed for minutes or hours"
NOT_RUN = {
    ("README.md", "make test"): "runs this test",
    ("README.md", "make demo"): "as in quickstart.md",
    ("README.md", "python3 -m venv .venv && .venv/bin/pip install '.[engines]'"): INSTALLS,
    ("export.md", "pip install '.[engines]'"): INSTALLS,
    ("quickstart.md", ". .venv/bin/activate"): "changes the shell",
    ("networks.md", "pip install '.[imagenet]'"): INSTALLS,
    ("segmentation.md", "pip install '.[segmentation]'"): INSTALLS,
    ("speed.md", "make bench"): BENCHMARK,
    ("speed.md", "make bench BENCH='--rounds 9'"): BENCHMARK,
    ("speed.md", "make bench BENCH='--rounds 3 --full'"): BENCHMARK,
    ("speed.md", ".venv/bin/python benchmarks/baselines.py"): BENCHMARK,
    ("speed.md", ".venv/bin/python benchmarks/arl.py --full --json benchmarks/results/arl.json"): BENCHMARK,
    ("speed.md", ".venv/bin/python benchmarks/results.py"): "rewrites benchmarks/RESULTS.md",
}
# commands that resume an interrupted run: those of the test are complete
EXPECTED_ERRORS = dict.fromkeys(
    ["lesionlens train --resume runs/demo", "lesionlens segment train --resume runs/masks"],
    "nothing to resume",
)
# runs that a page assumes: one small run, trained once
ASSUMED_RUNS = {
    "calibration.md": "demo",
    "evaluate.md": "demo",
    "explain.md": "demo",
    "faithfulness.md": "demo",
    "export.md": "mine",
    "file-formats.md": "demo",
    "inference.md": "mine",
    "model-card.md": "demo",
    "subgroups.md": "demo",
    "unknown-images.md": "demo",
}
# pages whose output is about trained models: after a tiny training the numbers and notes are others
MODEL_OUTPUT = {"compare.md", "evaluate.md", "subgroups.md"}
# file that a YAML block of the page shows
YAML_FILES = {"model-card.md": "card.yaml", "recipes.md": "my.yaml", "reproduce.md": "mine.yaml"}
# commands in the text that name a command or have placeholders; console blocks show them completely
NOT_COMPLETE = {
    "lesionlens calibrate",
    "lesionlens compare",
    "lesionlens compare runs/arl runs/resnet",
    "lesionlens compare runs/arl-folds runs/resnet-folds",
    "lesionlens data audit",
    "lesionlens data split SOURCE --split NAME -o split.csv",
    "lesionlens data validate",
    "lesionlens demo",
    "lesionlens evaluate",
    "lesionlens evaluate -o",
    "lesionlens evaluate-crops",
    "lesionlens evaluate-maps",
    "lesionlens evaluate-maps MODEL SOURCE -o FOLDER",
    "lesionlens explain",
    "lesionlens export",
    "lesionlens predict",
    "lesionlens predict --engine",
    "lesionlens reproduce",
    "lesionlens reproduce --profile smoke",
    "lesionlens reproduce patch/table2",
    "lesionlens segment predict",
    "lesionlens segment train --resume RUN",
    "lesionlens train",
    "lesionlens train --resume DIRECTORY",
    "lesionlens train --resume RUN",
}
# page whose tables show options, and a command to run them with
OPTION_TABLES = {
    "compare.md": "compare A.csv B.csv C.csv",
    "evaluate.md": "evaluate A.csv",
    "metrics.md": "evaluate A.csv",
}
# options that need other files
OPTION_COMMANDS = {
    "--task class:all": "evaluate odd-names.csv",
    "--task class:yes/no": "evaluate odd-names.csv",
    "--other-class other": "evaluate A.csv --labels other-labels.csv",
    "--by sex,age:0,30,50,70": "evaluate A.csv --metadata metadata.csv",
    "--common-images": "evaluate A.csv --labels all-labels.csv",
}
FAST = (
    "recipes",
    "models",
    "data list",
    "data validate",
    "evaluate predictions.csv",
    "evaluate scores.csv",
    "reproduce --list",
)
SLOW_PAGES = [page for page in PAGES if any(step.kind in {"console", "python"} for step in page_steps(page))]


def runs(step: Step) -> bool:
    return step.kind == "python" or (step.kind == "console" and (step.page, step.text) not in NOT_RUN)


def is_fast(step: Step) -> bool:
    words = step.text.removeprefix(".venv/bin/").removeprefix("lesionlens ")
    return step.kind == "console" and words.startswith(FAST)


def problem_of(step: Step, variables: dict[str, object]) -> str:
    """Run a step; return what is wrong with it, or an empty string."""
    if step.kind == "python":
        doc_commands.run_python(step.text, variables)
        return ""
    code, out, err = doc_commands.run_command(doc_commands.words_of(step.text))
    if error := EXPECTED_ERRORS.get(step.text):
        return "" if error in err else f"the error is not {error!r}: {err}"
    if code:
        return f"exit code {code}: {err[-600:]}"
    compare = doc_commands.missing_labels if step.page in MODEL_OUTPUT else doc_commands.missing_output
    missing = compare(step.output, out + err)
    return f"not in the output: {missing}\n{out}" if missing else ""


def problems(steps: list[Step]) -> list[str]:
    """Run steps in order; return those that fail or whose output is not the shown one."""
    failures, variables = [], {"__name__": "__main__"}
    for step in steps:
        try:
            message = problem_of(step, variables)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
        if message:
            failures.append(f"{step.page}: {step.text}\n{message}")
    return failures


def write_shown_yaml(page: Path, folder: Path) -> None:
    """Write the files whose content the page shows as YAML."""
    for step in page_steps(page):
        if step.kind == "yaml":
            (folder / YAML_FILES[page.name]).write_text(step.text.replace("/data/", "data/"))


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LESIONLENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "99")


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return doc_world.write_datasets(tmp_path_factory.mktemp("datasets"))


@pytest.fixture(scope="module")
def fast_datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return doc_world.write_datasets(tmp_path_factory.mktemp("datasets"), ["isic2017", "ham10000"])


@pytest.fixture(scope="module")
def trained_run(datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    words = doc_commands.words_of(f"train demo data=ham10000:{datasets / 'ham10000'} --out {folder}")
    code, _, err = doc_commands.run_command(words)
    assert code == 0, err
    return folder


@pytest.fixture
def folder(
    page: Path,
    request: pytest.FixtureRequest,
    datasets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Enter the folder of a page, with the runs and files that the page assumes."""
    folder = doc_world.enter_folder(tmp_path / "folder", datasets)
    if page.name in ASSUMED_RUNS:
        shutil.copytree(request.getfixturevalue("trained_run"), folder / "runs" / ASSUMED_RUNS[page.name])
    if "mobilenetv2_100.pth" in page.read_text(encoding="utf-8"):
        doc_world.write_weights(folder)
    write_shown_yaml(page, folder)
    if "demo-data-300" in page.read_text(encoding="utf-8"):
        doc_world.write_demo_dataset(folder / "runs" / "demo-data-300")
    if page.name == "metrics.md":
        doc_world.write_run_predictions(folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return folder


@pytest.fixture
def small_world(fast_datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enter a folder without trained runs, which has their predictions."""
    folder = doc_world.enter_folder(tmp_path / "folder", fast_datasets)
    doc_world.write_run_predictions(folder)
    for page in PAGES:
        write_shown_yaml(page, folder)
    monkeypatch.chdir(folder)
    return folder


def test_commands_that_are_not_run_are_listed() -> None:
    others = {
        (step.page, step.text)
        for page in PAGES
        for step in page_steps(page)
        if step.kind == "console" and not step.text.removeprefix(".venv/bin/").startswith("lesionlens ")
    }
    assert others - set(NOT_RUN) == {("quickstart.md", "make demo")}
    assert set(NOT_RUN) <= others


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("page", SLOW_PAGES, ids=lambda page: page.name)
def test_page_runs_from_top_to_bottom(page: Path, folder: Path) -> None:
    """The page's commands and blocks run in the order of the page, in one folder."""
    failures = problems([step for step in page_steps(page) if runs(step)])
    assert not failures, "\n\n".join(failures)


@pytest.mark.usefixtures("environment", "small_world")
def test_quick_commands_run() -> None:
    failures = problems([step for page in PAGES for step in page_steps(page) if is_fast(step)])
    assert not failures, "\n\n".join(failures)


@pytest.mark.usefixtures("environment", "small_world")
def test_commands_in_the_text_run() -> None:
    """Commands in sentences and tables run if they are complete; the others are listed."""
    shown = {command for page in PAGES for command in inline_commands(page)}
    incomplete = {command for command in shown if command in NOT_COMPLETE}
    assert incomplete == NOT_COMPLETE
    failures = problems([Step("", "console", command) for command in sorted(shown - incomplete)])
    assert not failures, "\n\n".join(failures)


@pytest.mark.usefixtures("environment", "small_world")
@pytest.mark.parametrize(("name", "command"), OPTION_TABLES.items())
def test_options_in_tables_run(name: str, command: str) -> None:
    """Each option that a table shows with its value runs with a complete command."""
    snippets = option_snippets(ROOT / "docs" / name)
    assert snippets
    steps = []
    for snippet in snippets:
        files = OPTION_COMMANDS.get(snippet, command)
        options = snippet.replace("--labels FILE", "--labels all-labels.csv").replace(
            "FILE", "submission.csv"
        )
        steps.append(Step("", "console", f"lesionlens {files} {options} --bootstrap-samples 20"))
    failures = problems(steps)
    assert not failures, "\n\n".join(failures)


@pytest.mark.slow
def test_run_directory_has_the_shown_files(trained_run: Path) -> None:
    text = (ROOT / "docs" / "file-formats.md").read_text(encoding="utf-8")
    names = re.findall(
        r"^  (\S+)", text.partition("```text\nruns/demo/\n")[2].partition("```")[0], flags=re.M
    )
    assert len(names) > 9
    assert [name for name in names if not (trained_run / name).exists()] == []
    assert {path.name for path in trained_run.iterdir()} <= {name.rstrip("/") for name in names}
