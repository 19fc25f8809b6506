"""Image files below a folder: links, outputs of LesionLens and other formats."""

from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.folder_walk import MASK_FOLDERS, OUTPUT_FOLDERS, OUTPUT_IMAGES, FolderWalk


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def images(walk: FolderWalk) -> list[str]:
    return [str((folder / name).relative_to(walk.root)) for folder, names in walk for name in names]


def test_walk_prefers_real_folders_to_links(tmp_path: Path) -> None:
    touch(tmp_path / "z" / "deep" / "a.jpg")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "link").symlink_to(tmp_path / "z" / "deep")
    (tmp_path / "latest").symlink_to(tmp_path / "z")
    assert images(FolderWalk(tmp_path)) == ["z/deep/a.jpg"]


def test_walk_ends_cycles_of_links(tmp_path: Path) -> None:
    touch(tmp_path / "root" / "a.jpg", tmp_path / "other" / "b.jpg", tmp_path / "root" / "sub" / "c.jpg")
    for name, target in (("self", "."), ("up", ".."), ("other", "../other"), ("twice", "../other")):
        (tmp_path / "root" / name).symlink_to(target)
    (tmp_path / "other" / "back").symlink_to("../root")
    (tmp_path / "root" / "sub" / "parent").symlink_to("..")
    walk = FolderWalk(tmp_path / "root")
    assert images(walk) == ["a.jpg", "sub/c.jpg", "other/b.jpg"]
    assert images(walk) == ["a.jpg", "sub/c.jpg", "other/b.jpg"]  # every iteration starts again


def test_links_that_lead_to_themselves_are_not_folders(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    for name, target in (("loop", "loop"), ("one", "two"), ("two", "one"), ("b.jpg", "b.jpg")):
        (tmp_path / name).symlink_to(target)
    assert images(FolderWalk(tmp_path)) == ["a.jpg", "b.jpg"]


def test_walk_stops_at_depth_also_through_links(tmp_path: Path) -> None:
    touch(
        tmp_path / "root" / "1" / "2" / "a.jpg", tmp_path / "far" / "3" / "b.jpg", tmp_path / "far" / "c.jpg"
    )
    (tmp_path / "root" / "link").symlink_to("../far")
    assert images(FolderWalk(tmp_path / "root", depth=1)) == ["link/c.jpg"]
    assert images(FolderWalk(tmp_path / "root", depth=0)) == []


@pytest.mark.parametrize(
    "files",
    [
        ("metadata.json", "recipe.yaml"),
        ("multi_run.json",),
        ("audit.json", "duplicates.csv"),
        ("artifact_injection.json",),
    ],
)
def test_walk_skips_outputs_below_the_root(tmp_path: Path, files: tuple[str, ...]) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "out" / "b.jpg", tmp_path / "out" / "maps" / "c.png")
    touch(*(tmp_path / "out" / name for name in files))
    walk = FolderWalk(tmp_path)
    assert images(walk) == ["a.jpg"]
    assert walk.skipped == {OUTPUT_FOLDERS: 1}
    assert "b.jpg" in images(FolderWalk(tmp_path / "out"))


@pytest.mark.parametrize("folder", [".", "sub"])
def test_walk_skips_overlays_next_to_images(tmp_path: Path, folder: str) -> None:
    overlays = ("a.panel.png", "a.gradcam.png", "a.layer4.png", "b.1.panel.png", "b.1.cam.png")
    touch(*(tmp_path / folder / name for name in ("a.png", "b.1.jpg", "b.png", "c.gradcam.png", *overlays)))
    walk = FolderWalk(tmp_path)
    assert [Path(name).name for name in images(walk)] == ["a.png", "b.1.jpg", "b.png", "c.gradcam.png"]
    assert walk.skipped == {OUTPUT_IMAGES: len(overlays)}


def test_walk_skips_figures_next_to_images(tmp_path: Path) -> None:
    touch(
        *(
            tmp_path / name
            for name in ("a.jpg", "roc.png", "confusion.png", "comparison.png", "duplicates.png")
        )
    )
    assert len(images(FolderWalk(tmp_path))) == 5
    touch(tmp_path / "evaluation.json", tmp_path / "audit.json")
    walk = FolderWalk(tmp_path)
    assert images(walk) == ["a.jpg", "comparison.png"]
    assert walk.skipped == {OUTPUT_IMAGES: 3}


def test_walk_skips_folders_of_masks(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "Masks" / "a.png", tmp_path / "x_GroundTruth" / "a.png")
    walk = FolderWalk(tmp_path)
    assert images(walk) == ["a.jpg"]
    assert walk.skipped == {MASK_FOLDERS: 2}
    assert images(FolderWalk(tmp_path / "Masks")) == ["a.png"]


def test_walk_does_not_skip_folders_that_only_look_similar(tmp_path: Path) -> None:
    touch(tmp_path / "x" / "metadata.json", tmp_path / "x" / "a.jpg", tmp_path / "y" / "recipe.yaml")
    assert images(FolderWalk(tmp_path)) == ["x/a.jpg"]


def test_walk_counts_other_files_by_extension(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("a.jpg", "b.GIF", "c.heic", "d.heic", "e.txt", "README", ".f.gif")))
    walk = FolderWalk(tmp_path)
    assert images(walk) == ["a.jpg"]
    assert walk.skipped == {".heic": 2, ".gif": 1}


def test_walk_names_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Cannot list the folder .*gone: No such file"):
        list(FolderWalk(tmp_path / "gone"))
