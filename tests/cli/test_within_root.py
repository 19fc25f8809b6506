"""``--within-root`` of every command that reads a table: no file outside the folder of the table is used."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from lesionlens.cli import app
from lesionlens.core.errors import DataError
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.inputs import collect_inputs
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import save_model

from ..helpers.commands import all_commands
from ..helpers.images import write_image, write_lines, write_mask

COMMANDS = {
    "data audit": "data audit TABLE",
    "data inject-artifact": "data inject-artifact TABLE new --artifact ruler --rate-difference 1",
    "data split": "data split TABLE",
    "data validate": "data validate TABLE",
    "evaluate-maps": "evaluate-maps model TABLE",
    "explain": "explain model TABLE",
    "export": "export model --verify-on TABLE",
    "predict": "predict model TABLE",
    "segment evaluate": "segment evaluate . TABLE",
    "segment predict": "segment predict model TABLE -o new",
    "segment train": "segment train TABLE -o new",
    "train": "train demo data=table:TABLE model.weights=none -o new",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write tables that name files outside their folder, and a small model."""
    folder = tmp_path_factory.mktemp("within-root")
    (root := folder / "root").mkdir()
    for path in (root / "a.png", root / "b.png", folder / "c.png"):
        write_image(path, seed=ord(path.stem))
        write_mask(path.with_name(f"{path.stem}_mask.png"))
    (root / "link.png").symlink_to("../c.png")
    rows = {
        "absolute": folder / "c.png",
        "parent": "../c.png",
        "link": "link.png",
        "mask": "b.png",
        "inside": "b.png",
    }
    for name, image in rows.items():
        mask = "../c_mask.png" if name == "mask" else "b_mask.png"
        lines = ["a.png,nevus,a_mask.png", f"{image},melanoma,{mask}"]
        write_lines(root / f"{name}.csv", "image,label,mask_path", lines)
    torch.manual_seed(0)
    spec = make_model_spec(backbone="test_resnet")
    card = ModelCard(
        architecture=spec, classes=("melanoma", "nevus"), preprocessing=Preprocessing(input_size=(32, 32))
    )
    save_model(folder / "model", build_network(spec, 2), card)
    return folder


@pytest.fixture(autouse=True)
def working_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").symlink_to(folder / "model")
    loaded = SimpleNamespace(card=SimpleNamespace(keep_largest_component=True), digest="0")
    monkeypatch.setattr("lesionlens.segmentation.predict.load_segmentation_model", lambda *_, **__: loaded)


@pytest.mark.parametrize("kind", ["absolute", "parent", "link", "mask"])
@pytest.mark.parametrize("command", COMMANDS.values())
def test_files_elsewhere_are_rejected(command: str, kind: str, folder: Path) -> None:
    arguments = command.replace("TABLE", str(folder / "root" / f"{kind}.csv")).split()
    outcome = CliRunner().invoke(app, [*arguments, "--within-root"])
    assert isinstance(outcome.exception, DataError), (outcome.exception, outcome.output)
    assert "files outside the folder of the dataset: 1 (" in str(outcome.exception)


def test_every_command_with_the_option_is_tested() -> None:
    having = {
        name
        for name, command in all_commands()
        if "within_root" in {parameter.name for parameter in command.params}
    }
    assert having == {*COMMANDS}


def test_files_inside_are_used(folder: Path) -> None:
    table = f"table:{folder / 'root' / 'inside.csv'}"
    assert collect_inputs([table], within_root=True) == collect_inputs([table])


def test_links_out_of_a_folder_of_images_are_rejected(folder: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    write_image(images / "a.png")
    (images / "link.png").symlink_to(folder / "c.png")
    assert len(collect_inputs([images]).image) == 2
    with pytest.raises(DataError, match=r"files outside the folder of the dataset: 1 \(.*link\.png\)"):
        collect_inputs([images], within_root=True)
