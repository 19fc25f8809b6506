"""Arbitrary tables end in a table of images or in a LesionLensError, in every use of a table."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lesionlens.core.errors import LesionLensError
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.splits.factory import make_splits
from lesionlens.datasets.summary import summarize_table
from lesionlens.datasets.table_columns import COLUMN_NAMES
from lesionlens.inference.inputs import collect_inputs

from ..helpers.images import write_image, write_mask

COLUMNS = [name for names in COLUMN_NAMES.values() for name in names] + [
    "split", "part", "fold", "", " ", "Lesion ID", "LABEL", "lesionid", "p_value", "index", "_order",
    "_unrecognized_label", "\ufeffimage", "image\n", "😀", "0",
]  # fmt: skip
CELLS = [
    "a.jpg", "a", "A", "b.png", "b", "sub/c", "sub\\c.webp", "./a.jpg", "../a.jpg", "sub", ".", "/", "//", "x.gif",
    "0001", "1", "1.0", "m.png", "m.png;m.png", ";", "run/a.png", "link/c.webp", "loop/loop/a", "nevus", "MEL", "nv",
    "wart", "NA", "#N/A", "", " ", "-", "none", "nan", "train", "val", "test", "L1", "L2", "P1", "0", "-1", "130",
    "1e999", "63", "male", "a\nb", "a\rb", "\x00", "\x1b[1m", "\u2028", "\u200b", '"', "'", "x" * 300, "x" * 5000,
    "=1+1", "é", "e\u0301", "C:\\a.jpg", "~", "~/a.jpg", "$HOME", "NaT", "True", "inf", "٣", "😀",
]  # fmt: skip
NAMES = st.lists(st.sampled_from(COLUMNS) | st.text(max_size=4), min_size=1, max_size=7)
LIKELY_NAMES = st.lists(st.sampled_from(COLUMNS), max_size=5).map(lambda names: ["image", "label", *names])
CELL = st.sampled_from(CELLS) | st.text(max_size=5)
ENCODINGS = st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"])


@st.composite
def csv_files(draw: Callable[..., Any]) -> bytes:
    """Return the bytes of a CSV file, most of them with matching rows."""
    header = draw(LIKELY_NAMES | NAMES)
    separator = draw(st.sampled_from(",,,;\t|"))
    width = st.just(len(header)) if draw(st.integers(0, 9)) else st.integers(0, 9)
    rows = draw(st.lists(width.flatmap(lambda n: st.lists(CELL, min_size=n, max_size=n)), max_size=6))
    quote = '"' if draw(st.booleans()) else ""
    lines = [separator.join(f"{quote}{cell}{quote}" for cell in row) for row in [header, *rows]]
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(lines)
    return text.encode(draw(ENCODINGS), "replace")


VALUES = (
    st.none()
    | CELL
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.booleans()
    | st.binary(max_size=4)
    | st.lists(st.integers(0, 3), max_size=2)
    | st.dictionaries(st.sampled_from(["bytes", "path"]), st.binary(max_size=3), max_size=2)
)


@st.composite
def parquet_frames(draw: Callable[..., Any]) -> pd.DataFrame:
    names = draw(LIKELY_NAMES | NAMES)
    size = draw(st.integers(0, 4))
    columns = [draw(st.lists(VALUES | CELL, min_size=size, max_size=size)) for _ in names]
    frame = pd.concat([pd.Series(column, dtype=object) for column in columns], axis=1, keys=names)
    return frame.set_index(names[-1]) if draw(st.booleans()) else frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write images, masks, links, a run and files of other formats next to the tables."""
    root = tmp_path_factory.mktemp("arbitrary")
    for seed, name in enumerate(
        ("a.jpg", "A.jpg", "b.png", "b.jpg", "sub/c.webp", "0001.jpg", "run/a.png", "é.jpg")
    ):
        write_image(root / name, seed=seed)
    write_mask(root / "m.png")
    Image.fromarray(np.arange(108, dtype=np.uint8).reshape(9, 12)).save(root / "ambiguous.png")
    for name in ("run/metadata.json", "run/recipe.yaml", "x.gif"):
        (root / name).touch()
    (root / "link").symlink_to("sub")
    (root / "loop").symlink_to(".")
    return root


CLASSES = st.none() | st.lists(st.sampled_from([*CELLS[23:30], "0", "1"]), max_size=4)


def check(path: Path, classes: list[str] | None, use: str) -> None:
    message = "none"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if use == "predict":
                collect_inputs([f"table:{path}"])
                return
            table = load_table(
                f"table:{path}", classes=classes, verify_images=use == "verify", within_root=use == "root"
            )
            summarize_table(table)
            if use == "split":
                make_splits(table, name="auto", val_fraction=0.3, test_fraction=0.3, seed=0)
        except LesionLensError as error:
            message = str(error)
    assert 0 < len(message) < 20_000


USES = st.sampled_from(["headers", "verify", "split", "predict", "root"])
once = settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
often = settings(once, max_examples=10_000)


def check_csv(folder: Path, content: bytes, classes: list[str] | None, use: str) -> None:
    path = folder / "t.csv"
    path.write_bytes(content)
    check(path, classes, use)


def check_parquet(folder: Path, frame: pd.DataFrame, classes: list[str] | None, use: str) -> None:
    path = folder / "t.parquet"
    try:
        frame.to_parquet(path)
    except (
        Exception
    ):  # pyarrow and pandas raise many types for columns of mixed values: no file, nothing to read
        return
    check(path, classes, use)
    content = bytearray(path.read_bytes())
    for position in range(len(content) // 3, len(content), max(1, len(content) // 7)):
        content[position] ^= 0x55
    path.write_bytes(bytes(content))
    check(path, classes, use)


@once
@given(content=csv_files(), classes=CLASSES, use=USES)
def test_arbitrary_csv_is_read_or_rejected(
    folder: Path, content: bytes, classes: list[str] | None, use: str
) -> None:
    check_csv(folder, content, classes, use)


@once
@given(frame=parquet_frames(), classes=CLASSES, use=USES)
def test_arbitrary_parquet_is_read_or_rejected(
    folder: Path, frame: pd.DataFrame, classes: list[str] | None, use: str
) -> None:
    check_parquet(folder, frame, classes, use)


@once
@given(content=st.binary(max_size=60), classes=CLASSES, use=USES)
def test_arbitrary_bytes_are_no_table(
    folder: Path, content: bytes, classes: list[str] | None, use: str
) -> None:
    check_csv(folder, content, classes, use)


@pytest.mark.slow
@often
@given(content=csv_files(), classes=CLASSES, use=USES)
def test_ten_thousand_csv_files(folder: Path, content: bytes, classes: list[str] | None, use: str) -> None:
    check_csv(folder, content, classes, use)


@pytest.mark.slow
@often
@given(frame=parquet_frames(), classes=CLASSES, use=USES)
def test_ten_thousand_parquet_files(
    folder: Path, frame: pd.DataFrame, classes: list[str] | None, use: str
) -> None:
    check_parquet(folder, frame, classes, use)
