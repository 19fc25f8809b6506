"""Workers by measured times, and a measurement that leaves no trace."""

from pathlib import Path

import pytest
import torch

from lesionlens.core.errors import RecipeError
from lesionlens.core.runtime import default_num_threads
from lesionlens.data.datamodule import ThreadedDataset
from lesionlens.models.arl_resnet import INITIAL_ALPHA
from lesionlens.models.attention.arl_fused import fused_arl
from lesionlens.models.factory import make_model_spec
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir
from lesionlens.training import autotune as precision
from lesionlens.training import loader_benchmark as measure_pace
from lesionlens.training import run
from lesionlens.training.autotune import (
    StepTimings,
    bf16_speedup,
    choose_compile,
    choose_precision,
    choose_workers,
)
from lesionlens.training.build import RunComponents, build_datamodule, build_module
from lesionlens.training.loader_benchmark import measure_step_timings, tune_workers
from lesionlens.training.module import ClassificationModule
from lesionlens.training.setup import set_up_run


@pytest.fixture
def made(recipe: str, words: list[str]) -> tuple[RunComponents, ClassificationModule]:
    """Give all that is known before the first step."""
    prepared = set_up_run(load_recipe(recipe, words))
    ready = build_datamodule(prepared)
    return ready, build_module(
        ready.setup, prepared.resolved_model.build(len(prepared.task.output_names)).model
    )


# load is what two threads make of load_alone
@pytest.mark.parametrize("step", [0.01, 0.05, 0.5])
def test_on_two_cores_no_process_helps(step: float) -> None:
    assert choose_workers(StepTimings(load=0.012, load_single_thread=0.02, step=step), 2, on_cpu=True) == 0


def test_on_a_cpu_processes_help_where_threads_hold_each_other_up() -> None:
    held_up = StepTimings(
        load=0.2, load_single_thread=0.4, step=0.2
    )  # 16 threads bring twice the speed of one
    assert choose_workers(held_up, 16, on_cpu=True) == 2  # 0.2 + 0.4/16 a step, and 0.4/2 to load
    assert choose_workers(held_up._replace(load=0.03), 16, on_cpu=True) == 0


@pytest.mark.parametrize(("load_alone", "expected"), [(0.01, 0), (0.1, 1), (0.35, 4), (5.0, 8)])
def test_before_a_card_as_many_as_hide_the_loading(load_alone: float, expected: int) -> None:
    assert choose_workers(StepTimings(load_alone, load_alone, step=0.1), 8, on_cpu=False) == expected


def test_measuring_leaves_no_trace(made: tuple[RunComponents, ClassificationModule]) -> None:
    ready, task = made
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    first = [batch.crops for batch in ready.datamodule.train_dataloader()]
    stream = torch.random.get_rng_state()
    times = measure_step_timings(ready.datamodule, task, torch.device("cpu"))
    assert min(times) > 0
    assert torch.equal(stream, torch.random.get_rng_state())
    assert all(torch.equal(value, task.model.state_dict()[name]) for name, value in before.items())
    assert all(weight.grad is None for weight in task.model.parameters())
    again = [batch.crops for batch in ready.datamodule.train_dataloader()]
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_a_short_run_measures_nothing_a_long_one_once(
    made: tuple[RunComponents, ClassificationModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, task = made
    measured: list[object] = []
    monkeypatch.setattr(
        measure_pace,
        "measure_step_timings",
        lambda *asked: measured.append(asked) or StepTimings(9.0, 9.0, 9.0),
    )
    assert tune_workers(ready, task).setup.recipe.train.num_workers == 0
    assert measured == []
    longer = measure_pace.resolve_auto(ready.setup, "train", epochs=50, num_threads=1)
    chosen = tune_workers(RunComponents(longer, ready.datamodule), task).setup.recipe.train
    assert len(measured) == 1
    assert (chosen.num_workers, chosen.num_threads) == (
        choose_workers(StepTimings(9.0, 9.0, 9.0), measure_pace.available_cpus(), on_cpu=True),
        1,
    )


def test_what_is_said_is_done(made: tuple[RunComponents, ClassificationModule]) -> None:
    ready, task = made
    threads = torch.get_num_threads()
    said = measure_pace.resolve_auto(ready.setup, "train", epochs=50, num_threads=2, num_workers=2)
    try:
        assert tune_workers(RunComponents(said, ready.datamodule), task).setup.recipe.train.num_workers == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert ready.datamodule.train_dataloader().num_workers == 2


def test_threads_load_what_one_thread_loads(made: tuple[RunComponents, ClassificationModule]) -> None:
    data = made[0].datamodule
    one = list(data.train_dataloader())
    data.num_threads = 3
    loader = data.train_dataloader()
    assert isinstance(loader.dataset, ThreadedDataset)
    for expected, found in zip(one, loader, strict=True):
        assert all(torch.equal(*pair) for pair in zip(expected, found, strict=True))


def test_threads_are_as_many_as_the_user_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionlens.core.runtime.available_cpus", lambda: 6)
    for said, expected in (("", 6), ("4", 4), ("99", 6), ("0", 1), ("2,1", 6)):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        assert default_num_threads() == expected


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
    train = ready.setup.recipe.train  # type: ignore[attr-defined]
    return train.precision, train.compile
