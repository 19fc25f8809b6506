"""Contact sheet: a row for each class and a column for each lesion."""

from lesionlens.synthesis.contact_sheet import contact_sheet


def test_sheet_has_seven_rows_of_different_images() -> None:
    sheet = contact_sheet(per_class=2, thumbnail_size=(30, 40))
    assert sheet.shape == (7 * 30, 2 * 40, 3)
    tiles = {sheet[r : r + 30, c : c + 40].tobytes() for r in range(0, 210, 30) for c in (0, 40)}
    assert len(tiles) == 14
