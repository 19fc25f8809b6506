"""Audit report: text of 80 columns, and files with every finding."""

import csv
import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from lesionlens.datasets.audit.artifact_association import ArtifactAssociation, ClassRate
from lesionlens.datasets.audit.audit import Audit, DuplicateFinding, ImageRef, audit_tables
from lesionlens.datasets.audit.report import format_audit, write_audit, write_duplicate_contact_sheet
from lesionlens.datasets.table import LesionTable

MakeTable = Callable[..., LesionTable]


def printed(audit: Audit) -> str:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(format_audit(audit), highlight=False)
    console.file.close()
    return console.export_text()


def test_leaks_come_first_and_few_cases_are_shown(make_table: MakeTable) -> None:
    ids = [f"ISIC_{n:07d}" for n in range(16)]
    table = make_table(
        "made", ids, seed=0, lesion_id=[str(n // 2) for n in range(16)], split=["train", "test"] * 8
    )
    text = printed(audit_tables([table]))
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines[0] == "Audit of made (16 images)"
    assert lines[3] == "leak: lesions in more than one split: 8"
    assert lines[4] == "  0: test, train"
    assert "… and 3 more" in text
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "Research use only, not a medical device."
    assert "No leak" not in text


def test_clean_dataset_is_stated(make_table: MakeTable) -> None:
    labels, methods = ["melanoma", "nevus"] * 6, ["histo", "follow_up"] * 6
    table = make_table("made", "abcdefghijkl", seed=0, diagnosis=labels, diagnosis_method=methods)
    text = printed(audit_tables([table]))
    assert "Splits: none" in text
    assert "leaks between splits were not checked" in text
    assert "No leak found" not in text
    other = make_table("other", "mnop", seed=50, split=["train", "train", "train", "test"])
    assert "No leak found between splits.\n" in printed(audit_tables([other]))
    assert "No leak found between splits or datasets.\n" in printed(audit_tables([table, other]))
    assert "diagnosis_method       2               1.00    0.50      1.00  strong" in text


def test_an_artifact_without_interval_shows_none(make_table: MakeTable) -> None:
    audit = audit_tables([make_table("made", "abcd", seed=0)])
    rates = (ClassRate("nevus", 2, 2), ClassRate("melanoma", 0, 2))
    ruler = ArtifactAssociation("ruler", rates, 1.0, math.nan, math.nan, 4.0, 1, 0.0455, False)
    text = printed(dataclasses.replace(audit, artifacts=(ruler,)))
    assert "nan" not in text
    assert "1.00  " in text


def test_files_contain_every_finding(
    make_table: MakeTable, write_image: Callable[..., None], tmp_path: Path
) -> None:
    table = make_table("made", "abc", seed=0, lesion_id="123", split=["train", "train", "test"])
    write_image(tmp_path / "made" / "c.png", 1)  # a copy of b
    write_audit(audit_tables([table]), tmp_path / "out")
    content = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert content["sources"] == {"made": 3}
    assert [finding["kind"] for finding in content["findings"]] == [
        "byte-identical pairs across splits",
        "duplicates with different lesion ids, which a split may separate",
    ]
    assert content["findings"][0]["count"] == 1
    with (tmp_path / "out" / "duplicates.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert (row["first_image_id"], row["second_image_id"], row["scope"]) == ("b", "c", "across splits")
    assert (row["kind"], row["similarity"]) == ("exact", "1.000")
    assert content["duplicates"] == [row]


def test_file_without_pairs_has_only_a_header(make_table: MakeTable, tmp_path: Path) -> None:
    write_audit(audit_tables([make_table("made", "ab", seed=0)]), tmp_path)
    assert len((tmp_path / "duplicates.csv").read_text().splitlines()) == 1


def test_contact_sheet_is_written_only_if_there_are_pairs(
    tmp_path: Path, write_image: Callable[..., None]
) -> None:
    write_image(tmp_path / "a.png", 0)
    image = ImageRef("made", "a", "train", "nevus", "1", str(tmp_path / "a.png"))
    write_duplicate_contact_sheet([], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    write_duplicate_contact_sheet(
        [DuplicateFinding(image, image._replace(split="test"), "exact", 1.0)], tmp_path / "duplicates.png"
    )
    with Image.open(tmp_path / "duplicates.png") as sheet:
        assert sheet.size == (1654, 2338)  # A4 at 200 dots per inch
        assert np.asarray(sheet.convert("L")).min() < 50
