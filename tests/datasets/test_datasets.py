"""Dataset registry: records, source specifications, and unreadable files."""

from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.registry import DATASETS, load_table


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_every_dataset_has_title_license_and_citation(name: str) -> None:
    dataset = DATASETS[name]
    assert dataset.title
    assert dataset.license
    assert bool(dataset.citation) == dataset.url.startswith("https://") == (name != "table")


@pytest.mark.parametrize("name", sorted(set(DATASETS) - {"table"}))
def test_datasets_page_has_license_counts_and_url(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    record = DATASETS[name]
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    assert row.endswith(f"| {record.license} |")
    for part, count in record.expected.items():
        assert f"{part} {count:,}".strip() in row
    assert record.url in page
    assert f"## {name}\n" in page


def test_unknown_name_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown dataset 'ham1000': did you mean 'ham10000'"):
        load_table(f"ham1000:{tmp_path}")


@pytest.mark.parametrize("spec", ["ham10000:", "ham10000:/no/such/folder", "/no/such/folder", ""])
def test_missing_folder_is_named(spec: str) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load_table(spec)


def test_unknown_layout_error_explains_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no known layout"):
        load_table(str(tmp_path))


@pytest.mark.parametrize("fixture", ["isic2016", "isic2017", "ham10000", "isic2018", "isic2019", "derm7pt"])
def test_bare_folders_are_detected(fixture: str, request: pytest.FixtureRequest) -> None:
    assert load_table(str(request.getfixturevalue(fixture))).name == fixture


def test_unreadable_files_are_reported_together(ham10000: Path) -> None:
    files = sorted((ham10000 / "HAM10000_images_part_1").iterdir())
    files[0].write_bytes(b"")
    files[1].write_bytes(b"<html>404</html>")
    with pytest.raises(DataError, match=r"files that cannot be read: 2 \(.*is empty.*HTML page"):
        load_table(f"ham10000:{ham10000}")
    files[2].write_bytes(files[2].read_bytes()[:-90])
    with pytest.raises(DataError, match="files that cannot be read: 3"):
        load_table(f"ham10000:{ham10000}", verify_images=True)
