"""Exported networks: a directory with ``card.json`` and a file for ONNX Runtime or OpenVINO. No torch is needed."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from lesionlens.core.errors import BackendError, SavedModelError
from lesionlens.core.fileio import sha256_of_file
from lesionlens.core.runtime import set_num_threads
from lesionlens.inference.engine import EngineName, InferenceEngine, Precision
from lesionlens.inference.session_engine import Runtime, engine_from_session, load_session
from lesionlens.models.export_card import EXPORT_CARD_FILE, ExportCard, ExportFormat
from lesionlens.models.model_card import ModelCard

# runtimes that read a format, the default first
RUNTIMES: dict[ExportFormat, tuple[Runtime, ...]] = {
    "onnx": ("onnxruntime", "openvino"),
    "openvino": ("openvino",),
    "torch-export": (),
}


@dataclass(frozen=True)
class ExportedNetwork:
    """Network that ``lesionlens export`` wrote.

    Attributes
    ----------
    export_card
        Card of the export.
    path
        Directory of the export.
    """

    export_card: ExportCard
    path: Path

    @property
    def card(self) -> ModelCard:
        """Card of the model that was exported."""
        return self.export_card.model

    @property
    def directory(self) -> Path:
        """Directory of the export."""
        return self.path

    @property
    def device_type(self) -> str:
        """Type of the device: the runtimes compute on the CPU."""
        return "cpu"

    @property
    def file(self) -> Path:
        """File that the runtimes read."""
        return self.path / self.export_card.file

    def open_engine(
        self,
        name: EngineName = "auto",
        *,
        precision: Precision = "fp32",
        num_images: int = 0,
        num_threads: int | None = None,
    ) -> InferenceEngine:
        """Prepare the network for inference.

        Parameters
        ----------
        name
            ``onnxruntime`` or ``openvino``; ``auto``: the first that reads the format.
        precision, num_images, num_threads
            As for ``lesionlens.inference.engines.open_engine``.

        Raises
        ------
        BackendError
            The runtime does not read the format, is not installed, or does not support the precision.
        """
        runtimes = RUNTIMES[self.export_card.export_format]
        runtime = runtimes[0] if name == "auto" and runtimes else name
        if runtime not in runtimes:
            allowed = " or ".join(runtimes) or "none: export it again, with --format onnx"
            raise BackendError(
                f"{self.path} is an export in the format {self.export_card.export_format}, which the engine {name} "
                f"does not read. Allowed: {allowed}"
            )
        set_num_threads(num_threads)
        session = load_session(self.file, runtime, precision=precision)
        multi_crop = self.card.architecture.num_crops is not None
        return engine_from_session(runtime, session, self.card.preprocessing, multi_crop=multi_crop)


def find_exported(name: Path | str) -> ExportedNetwork | None:
    """Return the exported network in a directory; None if there is none.

    Raises
    ------
    SavedModelError
        The card is damaged, or the file is missing or differs from the digest on the card.
    """
    folder = Path(name)
    if not (folder / EXPORT_CARD_FILE).is_file():
        return None
    try:
        card = ExportCard.model_validate_json((folder / EXPORT_CARD_FILE).read_text(encoding="utf-8"))
        digest = sha256_of_file(folder / card.file)
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise SavedModelError(
            f"{folder} is not a complete export: {reason}. Export the model again: lesionlens export"
        ) from error
    if card.file_sha256 not in ("", digest):
        raise SavedModelError(
            f"{folder / card.file} differs from the checksum in {EXPORT_CARD_FILE}: it is damaged. Export it again"
        )
    return ExportedNetwork(card, folder)
