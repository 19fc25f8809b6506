"""Arbitrary split files: a split in which only known names train, or a LesionLensError."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lesionlens.core.errors import LesionLensError
from lesionlens.datasets.split_names import SplitNames
from lesionlens.datasets.splits.from_file import splits_from_csv
from lesionlens.datasets.table import LesionTable

MakeTable = Callable[..., LesionTable]
IDS = [f"i{n}" for n in range(12)]
NAMES = st.sampled_from(
    [
        "train",
        "Training",
        "val",
        "valid",
        "test",
        "TEST set",
        "hold-out",
        "cv0",
        "cv1",
        "NA",
        "",
        "testing!",
        "x",
        "1",
    ]
) | st.text(max_size=4)
CELLS = st.sampled_from(IDS).flatmap(
    lambda name: st.sampled_from([name, f"{name}.jpg", f"a/{name}", f"a\\{name}.PNG"])
)
ROWS = st.lists(st.builds("{},{}".format, CELLS | st.text(max_size=3), NAMES), max_size=30)
COMPLETE = st.lists(NAMES, min_size=12, max_size=12).map(
    lambda names: [f"{i},{n}" for i, n in zip(IDS, names, strict=True)]
)
HEADERS = st.sampled_from(
    ["image_id,split", "image,part", "Path,Subset", "image_id", "", "image_id,split,split"]
)
FILES = st.builds(lambda header, rows: "\n".join([header, *rows]), HEADERS, COMPLETE | ROWS)
OPTIONS = st.builds(
    SplitNames, st.sampled_from([("train",), ("cv1",), ()]), st.sampled_from(["validation", "cv0", "val"])
)
once = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def check(table: LesionTable, file: Path, text: str, names: SplitNames) -> None:
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        splits = splits_from_csv(table, file, names).splits
    except LesionLensError:
        return
    assert sorted(image for ids in splits.values() for image in ids) == sorted(IDS)
    written = {line.rpartition(",")[0].strip(): line.rpartition(",")[2] for line in text.split("\n")}
    assert all("te" not in written.get(image, "").casefold() for image in splits["train"])


@pytest.fixture(scope="module")
def table(make_rows: MakeTable) -> LesionTable:
    return make_rows(IDS, ["melanoma", "nevus"] * 6, ids=IDS)


@once
@given(FILES, OPTIONS)
def test_any_split_file_ends_in_splits_or_an_error(
    table: LesionTable, tmp_path: Path, text: str, names: SplitNames
) -> None:
    check(table, tmp_path / "s.csv", text, names)


@pytest.mark.slow
@settings(once, max_examples=10_000)
@given(FILES, OPTIONS)
def test_many_split_files_end_in_splits_or_an_error(
    table: LesionTable, tmp_path: Path, text: str, names: SplitNames
) -> None:
    check(table, tmp_path / "s.csv", text, names)
