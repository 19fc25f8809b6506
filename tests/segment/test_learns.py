"""A short training from scratch draws the lesions of the synthetic set."""

from pathlib import Path

import pytest

from lesionlens.data.transforms import Augmentation
from lesionlens.segment.options import Options
from lesionlens.segment.scores import MaskScores
from lesionlens.segment.train import train
from lesionlens.synthesis.dataset import synthesise


@pytest.mark.slow
def test_held_out_lesions_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches: many steps in little time; the official scores of lesions that nothing was chosen by."""
    monkeypatch.setenv("LESIONLENS_CACHE", str(tmp_path / "cache"))
    data = synthesise(tmp_path / "ham", images=600, seed=7, size=(96, 128), workers=2)
    options = Options(
        network="deeplabv3plus",
        encoder="test_resnet",
        size=(96, 128),
        validation=0.06,
        epochs=14,
        batch_size=4,
        lr=1.5e-3,
        augment=Augmentation(brightness=0.1, contrast=0.1, saturation=0.1),
        device="cpu",
    )
    run = train([f"ham10000:{data}"], options, out=tmp_path / "run")
    scores = MaskScores.model_validate_json((run / "evaluation" / "test.json").read_text())
    assert scores.jaccard.value >= 0.75  # measured: 0.804 [0.774, 0.832]; the aim of 0.85 is not reached yet
