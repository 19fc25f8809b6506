"""What precision and compiling come to where the recipe leaves them open."""

from pathlib import Path

import pytest
import torch

from lesionlens.models.attention.arl_fused import fused_arl
from lesionlens.core.errors import RecipeError
from lesionlens.models.arl_resnet import INITIAL_ALPHA
from lesionlens.models.factory import make_model_spec
from lesionlens.training import autotune as precision, run
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.autotune import choose_compile, choose_precision, bf16_speedup
from lesionlens.runs.load import load_recipe

TINY = make_model_spec(backbone="test_resnet")
CPU, CARD = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(("gain", "expected"), [(3.0, "bf16"), (1.1, "fp32"), (0.2, "fp32")])
def test_bf16_only_where_it_is_clearly_faster(
    gain: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "bf16_speedup", lambda *_: gain)
    assert choose_precision(TINY, (32, 32), CPU, steps=1000) == expected
    assert choose_precision(TINY, (32, 32), CPU, steps=49) == "fp32"


@pytest.mark.parametrize(("has", "expected"), [(True, "bf16"), (False, "fp32")])
def test_a_card_is_asked_and_not_measured(has: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has)
    monkeypatch.setattr(precision, "bf16_speedup", lambda *_: pytest.fail("measured"))
    assert choose_precision(TINY, (32, 32), CARD, steps=1000) == expected


@pytest.mark.parametrize("of_crops", [False, True])
def test_measuring_leaves_randomness_as_it_was(of_crops: bool) -> None:
    made = make_model_spec(backbone="test_resnet", attention="patch", crops=5) if of_crops else TINY
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    assert bf16_speedup(made, (32, 32)) > 0
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), before)


def test_the_network_itself_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is slow in float32 alone, by a clock that its precision moves."""
    clock = [0.0]

    def moved(model: object, x: torch.Tensor, *, bf16: bool) -> float:
        clock[0] += 1.0 if bf16 else 3.0
        return 1.0 if bf16 else 3.0

    monkeypatch.setattr(precision, "_time_step", moved)
    monkeypatch.setattr(precision.time, "perf_counter", lambda: clock[0])
    assert bf16_speedup(TINY, (32, 32)) == 3.0
    assert clock[0] == 8.0  # to warm up, and one round: it took longer than two seconds


def test_compiling_needs_a_long_run_and_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision.shutil, "which", lambda name: f"/bin/{name}")
    assert choose_compile(CPU, steps=200)
    assert not choose_compile(CPU, steps=199)
    monkeypatch.setattr(precision.shutil, "which", lambda name: None)
    assert not choose_compile(CPU, steps=200)


def test_on_and_off_are_words_though_yaml_reads_them_otherwise(recipe: str, words: list[str]) -> None:
    for said in ("on", "off", "auto"):
        assert load_recipe(recipe, [*words, f"train.compile={said}"]).train.compile == said
    with pytest.raises(RecipeError, match=r"train\.compile"):
        load_recipe(recipe, [*words, "train.compile=[1]"])


def test_what_was_chosen_is_in_the_record_and_kept(
    recipe: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine that resumes would choose otherwise."""
    monkeypatch.setattr("lesionlens.training.build.choose_precision", lambda *_, **__: "bf16")
    computed: list[tuple[str, str]] = []
    monkeypatch.setattr(run, "_fit_and_evaluate", lambda ready, *_: computed.append(_kept(ready)))
    folder = RunDir(tmp_path / "run")
    run.train(recipe, [*words, "model.attention=none"], out=folder.path)
    monkeypatch.setattr("lesionlens.training.build.choose_precision", lambda *_, **__: "fp32")
    run.resume(folder.path)
    assert computed == [("bf16", "off")] * 2
    assert folder.metadata()["precision"] == "bf16"
    assert load_recipe(str(folder.recipe)).train.precision == "auto"


def test_what_a_mask_adds_is_mostly_less_than_bf16_holds() -> None:
    """As attention starts, on a fine grid: only sums that lie halfway between two values of bf16 feel it."""
    torch.manual_seed(0)
    x, residual = torch.randn(2, 1, 4, 28, 28).unbind()
    felt = {}
    for kind in (torch.bfloat16, torch.float32):
        sums = [fused_arl(x.to(kind), residual.to(kind), torch.tensor(a)) for a in (0.0, INITIAL_ALPHA)]
        felt[kind] = (sums[0] != sums[1]).float().mean()
    assert felt[torch.bfloat16] < 0.2
    assert felt[torch.float32] > 0.8


def test_residual_attention_is_never_trained_in_bf16_unasked(
    recipe: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("lesionlens.training.build.choose_precision", lambda *_, **__: "bf16")
    computed: list[tuple[str, str]] = []
    monkeypatch.setattr(run, "_fit_and_evaluate", lambda ready, *_: computed.append(_kept(ready)))
    run.train(recipe, words, out=tmp_path / "auto")
    assert "lost in rounding" not in capsys.readouterr().err
    run.train(recipe, [*words, "train.precision=bf16"], out=tmp_path / "asked")
    assert computed == [("fp32", "off"), ("bf16", "off")]
    assert "lost in rounding" in capsys.readouterr().err


def _kept(ready: object) -> tuple[str, str]:
    train = ready.prepared.recipe.train  # type: ignore[attr-defined]
    return train.precision, train.compile
