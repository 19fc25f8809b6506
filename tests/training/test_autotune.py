"""Values for ``auto``: workers from timings, precision and compilation by device, recorded and reused on resume."""

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
from lesionlens.training import auto_values, autotune, run
from lesionlens.training import build as build_module
from lesionlens.training.auto_values import settle_num_workers
from lesionlens.training.autotune import (
    StepTimings,
    bf16_speedup,
    choose_compile,
    choose_precision,
    choose_workers,
)
from lesionlens.training.build import RunComponents, build
from lesionlens.training.loader_benchmark import measure_step_timings
from lesionlens.training.resolve import resolve
from lesionlens.training.setup import RunSetup, set_up_run

TINY = make_model_spec(backbone="test_resnet")
CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(scope="module")
def run_setup(recipe: str, base_overrides: list[str]) -> RunSetup:
    return set_up_run(resolve(load_recipe(recipe, base_overrides)))


@pytest.fixture
def components(run_setup: RunSetup) -> RunComponents:
    """Return everything that a run computes with."""
    return build(run_setup)


@pytest.mark.parametrize("step", [0.01, 0.05, 0.5])
def test_two_cores_need_no_workers(step: float) -> None:
    timings = StepTimings(load=0.012, load_single_thread=0.02, step=step)
    assert choose_workers(timings, 2, on_cpu=True) == 0


def test_workers_on_a_cpu_if_threads_block_each_other() -> None:
    blocked = StepTimings(load=0.2, load_single_thread=0.4, step=0.2)  # 16 threads are twice as fast as one
    assert choose_workers(blocked, 16, on_cpu=True) == 2  # 0.2 + 0.4/16 per step, 0.4/2 to load
    assert choose_workers(blocked._replace(load=0.03), 16, on_cpu=True) == 0


@pytest.mark.parametrize(("load", "expected"), [(0.01, 0), (0.1, 1), (0.35, 4), (5.0, 8)])
def test_workers_hide_loading_on_a_gpu(load: float, expected: int) -> None:
    assert choose_workers(StepTimings(load, load, step=0.1), 8, on_cpu=False) == expected


@pytest.mark.slow
def test_timing_has_no_side_effects(components: RunComponents) -> None:
    model, datamodule = components.module.model, components.datamodule
    before = {name: value.clone() for name, value in model.state_dict().items()}
    batches = [batch.crops for batch in datamodule.train_dataloader()]
    rng_state = torch.random.get_rng_state()
    timings = measure_step_timings(datamodule, components.module, CPU, bf16=False)
    assert min(timings) > 0
    assert torch.equal(rng_state, torch.random.get_rng_state())
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())
    assert all(weight.grad is None for weight in model.parameters())
    again = [batch.crops for batch in datamodule.train_dataloader()]
    assert all(torch.equal(first, second) for first, second in zip(batches, again, strict=True))


def test_only_long_runs_are_timed(components: RunComponents, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    timings = StepTimings(9.0, 9.0, 9.0)
    monkeypatch.setattr(auto_values, "measure_step_timings", lambda *args, **_: calls.append(args) or timings)
    module, values = components.module, components.auto_values._replace(num_workers="auto", num_threads=1)
    assert settle_num_workers(values, components.datamodule, module).num_workers == 0
    assert calls == []
    module.recipe = module.recipe.model_copy(update={"epochs": 50})
    long_run = settle_num_workers(values, components.datamodule, module)
    assert len(calls) == 1
    expected = choose_workers(timings, auto_values.available_cpus(), on_cpu=True)
    assert (long_run.num_workers, long_run.num_threads) == (expected, 1)


def test_given_numbers_are_used(components: RunComponents) -> None:
    num_threads = torch.get_num_threads()
    values = components.auto_values._replace(num_threads=2, num_workers=2)
    try:
        settled = settle_num_workers(values, components.datamodule, components.module)
        assert settled.num_workers == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(num_threads)
    assert components.datamodule.train_dataloader().num_workers == 2


def test_threads_do_not_change_batches(components: RunComponents) -> None:
    datamodule = components.datamodule
    single = list(datamodule.train_dataloader())
    datamodule.num_threads = 3
    loader = datamodule.train_dataloader()
    assert isinstance(loader.dataset, ThreadedDataset)
    for expected, batch in zip(single, loader, strict=True):
        assert all(torch.equal(*pair) for pair in zip(expected, batch, strict=True))


def test_num_threads_respects_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionlens.core.runtime.available_cpus", lambda: 6)
    for value, expected in (("", 6), ("4", 4), ("99", 6), ("0", 1), ("2,1", 6)):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert default_num_threads() == expected


@pytest.mark.parametrize(("speedup", "expected"), [(3.0, "bf16"), (1.1, "fp32"), (0.2, "fp32")])
def test_bf16_on_a_cpu_needs_a_clear_speedup(
    speedup: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "bf16_speedup", lambda *_: speedup)
    assert choose_precision(TINY, (32, 32), CPU, steps=1000) == expected
    assert choose_precision(TINY, (32, 32), CPU, steps=49) == "fp32"


@pytest.mark.parametrize(("supported", "expected"), [(True, "bf16"), (False, "fp32")])
def test_bf16_on_a_gpu_needs_support(supported: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    monkeypatch.setattr(autotune, "bf16_speedup", lambda *_: pytest.fail("measured"))
    assert choose_precision(TINY, (32, 32), GPU, steps=1000) == expected


@pytest.mark.parametrize("model_of_crops", [False, True])
def test_speedup_measurement_keeps_random_state(model_of_crops: bool) -> None:
    spec = make_model_spec(backbone="test_resnet", attention="patch", crops=5) if model_of_crops else TINY
    rng_state, num_threads = torch.get_rng_state(), torch.get_num_threads()
    assert bf16_speedup(spec, (32, 32)) > 0
    assert torch.get_num_threads() == num_threads
    assert torch.equal(torch.get_rng_state(), rng_state)


def test_speedup_is_the_ratio_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake clock advances by 3 s for a step in fp32 and by 1 s in bf16."""
    clock = [0.0]

    def time_step(model: object, x: torch.Tensor, *, bf16: bool) -> float:
        clock[0] += 1.0 if bf16 else 3.0
        return 1.0 if bf16 else 3.0

    monkeypatch.setattr(autotune, "_time_step", time_step)
    monkeypatch.setattr(autotune.time, "perf_counter", lambda: clock[0])
    assert bf16_speedup(TINY, (32, 32)) == 3.0
    assert clock[0] == 8.0  # a warm-up and one round, which took longer than two seconds


def test_compiling_needs_a_long_run_and_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune.shutil, "which", lambda name: f"/bin/{name}")
    assert choose_compile(CPU, steps=200)
    assert not choose_compile(CPU, steps=199)
    monkeypatch.setattr(autotune.shutil, "which", lambda name: None)
    assert not choose_compile(CPU, steps=200)


def test_on_and_off_are_not_booleans(recipe: str, base_overrides: list[str]) -> None:
    for option in ("on", "off", "auto"):
        assert load_recipe(recipe, [*base_overrides, f"train.compile={option}"]).train.compile == option
    with pytest.raises(RecipeError, match=r"train\.compile"):
        load_recipe(recipe, [*base_overrides, "train.compile=[1]"])


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Skip training, and return a list of (precision, compile) of each run."""
    pairs: list[tuple[str, str]] = []

    def record(components: RunComponents, *_: object) -> None:
        pairs.append((components.auto_values.precision, components.auto_values.compile))

    monkeypatch.setattr(run, "_fit_and_evaluate", record)
    return pairs


def test_resumed_run_uses_recorded_values(
    recipe: str,
    base_overrides: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settled: list[tuple[str, str]],
) -> None:
    monkeypatch.setattr(auto_values, "choose_precision", lambda *_, **__: "bf16")
    run_dir = RunDir(tmp_path / "run")
    run.train(recipe, [*base_overrides, "model.attention=none"], out=run_dir.path)
    monkeypatch.setattr(auto_values, "choose_precision", lambda *_, **__: "fp32")
    run.resume(run_dir.path)
    assert settled == [("bf16", "off")] * 2
    assert run_dir.metadata()["precision"] == "bf16"
    assert load_recipe(str(run_dir.recipe)).train.precision == "auto"


def test_precision_is_settled_before_decoding(
    recipe: str, base_overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[int] = []
    monkeypatch.setattr(auto_values, "choose_precision", lambda *_, steps: settled.append(steps) or "fp32")
    monkeypatch.setattr(build_module, "open_image_cache", lambda *_, **__: pytest.fail("decoded first"))
    setup = set_up_run(resolve(load_recipe(recipe, [*base_overrides, "model.attention=none"])))
    with pytest.raises(pytest.fail.Exception, match="decoded first"):
        build(setup)
    assert settled == [setup.num_steps()]


@pytest.mark.parametrize("batch_size", [pytest.param(3, marks=pytest.mark.slow), 8, 1000])
def test_number_of_steps_is_that_of_the_loader(
    recipe: str, base_overrides: list[str], batch_size: int
) -> None:
    overrides = [
        *base_overrides,
        f"train.batch_size={batch_size}",
        "train.epochs=3",
        "train.passes_per_epoch=1.5",
    ]
    components = build(set_up_run(resolve(load_recipe(recipe, overrides))))
    assert components.setup.num_steps() == 3 * len(components.datamodule.train_dataloader())


def test_initial_masks_are_mostly_lost_in_bf16() -> None:
    """At the initial alpha and 28 x 28 pixels, only sums halfway between two bf16 values change."""
    torch.manual_seed(0)
    x, residual = torch.randn(2, 1, 4, 28, 28).unbind()
    changed = {}
    for dtype in (torch.bfloat16, torch.float32):
        without_mask, with_mask = (
            fused_arl(x.to(dtype), residual.to(dtype), torch.tensor(alpha)) for alpha in (0.0, INITIAL_ALPHA)
        )
        changed[dtype] = (without_mask != with_mask).float().mean()
    assert changed[torch.bfloat16] < 0.2
    assert changed[torch.float32] > 0.8


def test_arl_uses_bf16_only_on_request(
    recipe: str,
    base_overrides: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settled: list[tuple[str, str]],
) -> None:
    monkeypatch.setattr(auto_values, "choose_precision", lambda *_, **__: "bf16")
    run.train(recipe, base_overrides, out=tmp_path / "auto")
    assert "lost in rounding" not in capsys.readouterr().err
    run.train(recipe, [*base_overrides, "train.precision=bf16"], out=tmp_path / "bf16")
    assert settled == [("fp32", "off"), ("bf16", "off")]
    assert "lost in rounding" in capsys.readouterr().err
