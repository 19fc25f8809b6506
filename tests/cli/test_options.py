"""Options that do not exist, and names of backbones among those of networks: messages state what to type."""

import pytest
from typer.testing import CliRunner

from lesionlens.cli import app
from lesionlens.core.errors import LesionLensError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "1"], "No such option: --epochs. It is a key of the recipe: use train.epochs=1"),
        (["--epochs=5"], "use train.epochs=5"),
        (["--data", "isic2017:x"], "use data=isic2017:x"),
        (["--train.lr", "0.1"], "use train.lr=0.1"),
        (["--batch-size"], "use train.batch_size=VALUE"),
        (["--count", "3"], "use crops.train.count=3 or crops.test.count=3"),
        (["--patience", "--seed"], "use train.early_stopping.patience=VALUE"),
        (["--nonsense", "1"], "No such option"),
    ],
)
@pytest.mark.parametrize("command", [["train", "plain"], ["reproduce", "arl/table3"]])
def test_recipe_key_passed_as_an_option_is_named(
    command: list[str], arguments: list[str], message: str
) -> None:
    outcome = CliRunner().invoke(app, [*command, *arguments], env={"COLUMNS": "200"})
    assert outcome.exit_code == 2
    assert message in " ".join(outcome.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mobile*"], "but .* backbones do, such as mobile.*: lesionlens models --backbones 'mobile\\*'"),
        (["resnet18"], "lesionlens models --backbones resnet18"),
        (["mobilenet_v2"], "Similar backbones of timm, for model.backbone: mobilenetv2_100"),
        (["arl_cnn41"], "did you mean 'arl_cnn14'"),
        (["--backbones", "resnt50"], "no backbone of timm matches 'resnt50'; similar names: resnet50"),
    ],
)
def test_unknown_networks_are_named_with_backbones(arguments: list[str], message: str) -> None:
    outcome = CliRunner().invoke(app, ["models", *arguments])
    assert isinstance(outcome.exception, LesionLensError)
    assert outcome.exception is not None
    with pytest.raises(LesionLensError, match=message):
        raise outcome.exception


@pytest.mark.parametrize("name", ["validate", "audit", "split"])
def test_command_of_a_group_is_suggested(name: str) -> None:
    outcome = CliRunner().invoke(app, [name, "x"])
    assert f"No such command '{name}'. Did you mean 'data {name}'?" in outcome.output


def test_pattern_without_wildcards_is_suggested() -> None:
    outcome = CliRunner().invoke(app, ["models", "arl"])
    assert "lesionlens models '*arl*'" in str(outcome.exception)


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("lesionlens evaluate-m", {"evaluate-maps"}),
        ("lesionlens train arl/", {"arl/cnn14", "arl/cnn50"}),
        ("lesionlens recipes de", {"demo"}),
        ("lesionlens models soft_resnet34", {"soft_resnet34", "soft_resnet34_authors"}),
    ],
)
def test_shells_complete_commands_recipes_and_networks(words: str, completed: set[str]) -> None:
    position = str(len(words.split()) - 1)
    shell = {"_LESIONLENS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": position}
    outcome = CliRunner().invoke(app, [], env=shell, prog_name="lesionlens")
    assert set(outcome.output.split()) == completed
