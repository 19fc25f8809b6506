"""Open a model for prediction: an export without torch, or a saved model with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lesionlens.core.errors import BackendError
from lesionlens.core.optional_packages import missing_packages
from lesionlens.inference.engine import EngineName, InferenceEngine, Precision
from lesionlens.inference.exported_model import ExportedNetwork, find_exported
from lesionlens.models.model_card import ModelCard

if TYPE_CHECKING:
    from lesionlens.models.saved_model import LoadedModel


@dataclass(frozen=True)
class SavedNetwork:
    """Loaded model as a source of engines."""

    loaded: "LoadedModel"

    @property
    def card(self) -> ModelCard:
        """Card of the model."""
        return self.loaded.card

    @property
    def path(self) -> Path | None:
        """Directory that the model was loaded from, if any."""
        return self.loaded.path

    @property
    def directory(self) -> Path:
        """Directory that the model was loaded from; a ``SavedModelError`` if there is none."""
        return self.loaded.directory

    @property
    def device_type(self) -> str:
        """Type of the device of the model, for example cuda."""
        return next(self.loaded.model.parameters()).device.type

    def open_engine(
        self, name: EngineName, *, precision: Precision, num_images: int, num_threads: int | None
    ) -> InferenceEngine:
        """Prepare the model for inference, as ``lesionlens.inference.engines.open_engine``."""
        from lesionlens.inference import engines

        return engines.open_engine(
            self.loaded, name, precision=precision, num_images=num_images, num_threads=num_threads
        )


ModelSource = SavedNetwork | ExportedNetwork


def open_model(model: "LoadedModel | Path | str", *, device: str, engine: EngineName) -> ModelSource:
    """Return the source of engines of a model.

    Parameters
    ----------
    model
        Directory or name of a model, directory of an export, or a loaded model.
    device
        Device of a model that is not loaded yet; ``auto`` is the CPU for engines that compute only there.
    engine
        Engine that will be opened.

    Raises
    ------
    LesionLensError
        There is no model, it is damaged, or it needs torch, which is not installed.
    """
    if isinstance(model, Path | str) and (exported := find_exported(model)) is not None:
        if device not in ("auto", "cpu"):
            raise BackendError(f"An export computes on the CPU only. Use device cpu or auto, not {device}")
        return exported
    if missing_packages("torch"):
        raise BackendError(
            f"{model} is not an export, and other models need torch, which is not installed. Install torch, or export "
            "the model on a machine that has it: lesionlens export"
        )
    from lesionlens.models import saved_model

    if isinstance(model, saved_model.LoadedModel):
        return SavedNetwork(model)
    on_cpu = device == "auto" and engine in ("onnxruntime", "openvino")
    return SavedNetwork(saved_model.load_saved_model(model, device="cpu" if on_cpu else device))
