"""``lesionlens evaluate-maps``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lesionlens.cli import options

if TYPE_CHECKING:
    from lesionlens.core.types import ProgressCallback
    from lesionlens.datasets.table import LesionTable
    from lesionlens.explanation.faithfulness import FaithfulnessOptions
    from lesionlens.explanation.map_references import ReferenceFolders
    from lesionlens.models.saved_model import LoadedModel


def evaluate_maps_command(
    model: options.ModelArgument,
    source: Annotated[
        str,
        typer.Argument(help="A table of images, for example with masks: NAME:ROOT, a CSV or parquet file."),
    ],
    out: Annotated[Path, options.out_folder("Folder for the results.")] = Path("map_metrics"),
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="As in explain: attention, attention-features, heads, cam, gradcam, gradcam++, layercam, auto or all. "
            "Repeatable. Default: auto; with --faithfulness, all."
        ),
    ] = None,
    target_class: options.TargetClassOption = None,
    image_list: Annotated[
        Path | None,
        typer.Option(
            help="CSV file whose column image_id selects the images, for example predictions/test.csv of a run."
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(help="Folder of masks that replace those of the table, for example predicted masks."),
    ] = None,
    artifact_masks: Annotated[
        Path | None,
        typer.Option(
            help="Folder of masks ID.png of artifacts. Default: artifact_masks of the dataset, if it exists."
        ),
    ] = None,
    artifacts: Annotated[
        Path | None,
        typer.Option(
            help="CSV file with image_id and a column of 0 and 1 per artifact, to compare images with and without it. "
            "Default: artifacts.csv of the dataset."
        ),
    ] = None,
    reference_maps: Annotated[
        Path | None,
        typer.Option(
            help="Folder of continuous maps ID.png (gray) or ID.npy, such as gaze densities or heat maps of readers, "
            "for correlation and KL divergence."
        ),
    ] = None,
    fixations: Annotated[
        Path | None,
        typer.Option(
            help="Folder of maps of fixation points ID.png or ID.npy, nonzero at each point, for NSS."
        ),
    ] = None,
    faithfulness: Annotated[
        bool,
        typer.Option(
            "--faithfulness",
            help="Evaluate whether maps show what the network uses: insertion, deletion, ROAD, randomized weights and "
            "shifted images, compared with control maps. Masks are optional.",
        ),
    ] = False,
    num_images: Annotated[
        int, typer.Option(min=1, help="With --faithfulness: number of images, sampled at random.")
    ] = 50,
    steps: Annotated[
        int, typer.Option(min=2, help="With --faithfulness: steps of insertion and of deletion.")
    ] = 20,
    batch_size: Annotated[
        int, typer.Option(min=1, help="With --faithfulness: crops in the network at a time.")
    ] = 32,
    within_root: options.WithinRootOption = False,
    bootstrap_samples: Annotated[
        int, typer.Option(min=0, help="Number of bootstrap resamples over lesions.")
    ] = 1000,
    seed: options.BootstrapSeedOption = 0,
    device: options.DeviceOption = "auto",
    num_threads: options.NumThreadsOption = None,
) -> None:
    """Evaluate how well attention maps localize the lesion, avoid artifacts, and agree with where observers look.

    Each image is compared with what exists for it: lesion mask, artifact mask, continuous map, fixation points. With
    --faithfulness, evaluate instead whether maps show what the network uses.
    """
    from lesionlens.core.console import make_console, print_line, progress_bar
    from lesionlens.core.errors import DataError
    from lesionlens.core.notice import RESEARCH_USE_NOTICE
    from lesionlens.core.runtime import set_num_threads
    from lesionlens.datasets.registry import load_table
    from lesionlens.explanation.faithfulness import FaithfulnessOptions
    from lesionlens.explanation.map_references import ReferenceFolders
    from lesionlens.models.saved_model import load_saved_model

    folders = ReferenceFolders(masks, artifact_masks, reference_maps, fixations)
    if faithfulness and (artifacts is not None or any(folder is not None for folder in folders[1:])):
        raise DataError(
            "--faithfulness compares maps with nothing but lesion masks. Remove --artifacts, --artifact-masks, "
            "--reference-maps and --fixations, or run the command twice"
        )
    console = make_console(stderr=True)
    set_num_threads(num_threads)
    with progress_bar(console, unit="steps" if faithfulness else "images") as progress:
        task = progress.add_task("computing maps", total=None)
        loaded = load_saved_model(model, device=device)
        table = load_table(
            source, classes=loaded.card.known_labels, labels="optional", within_root=within_root
        )
        if image_list is not None:
            table = table.select(_read_image_ids(image_list, table))
        evaluation = _Evaluation(
            loaded=loaded,
            table=table,
            methods=tuple(method or ["all" if faithfulness else "auto"]),
            target_class=target_class,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
        if faithfulness:
            sizes = FaithfulnessOptions(
                num_images=num_images,
                steps=steps,
                batch_size=batch_size,
                seed=seed,
                n_resamples=bootstrap_samples,
            )
            tables, num_evaluated, num_excluded = evaluation.faithfulness(out, masks, sizes)
        else:
            tables, num_evaluated, num_excluded = evaluation.localization(
                out, folders, artifacts, n_resamples=bootstrap_samples, seed=seed
            )
    make_console().print(*tables)
    excluded = f"; {num_excluded} excluded, see excluded.csv" if num_excluded else ""
    print_line(console, f"{num_evaluated} images{excluded}. Results are in {out}.")
    print_line(console, RESEARCH_USE_NOTICE)


@dataclass(frozen=True, kw_only=True)
class _Evaluation:
    """Model, images and methods of either evaluation; both return tables and the numbers of images."""

    loaded: "LoadedModel"
    table: "LesionTable"
    methods: tuple[str, ...]
    target_class: str | None
    on_progress: "ProgressCallback"

    def localization(
        self,
        out: Path,
        folders: "ReferenceFolders",
        artifacts: Path | None,
        *,
        n_resamples: int,
        seed: int,
    ) -> tuple[list[Any], int, int]:
        from lesionlens.datasets.artifact_labels import read_artifact_labels
        from lesionlens.explanation.localization import evaluate_localization
        from lesionlens.explanation.localization_result import (
            artifact_table,
            localization_tables,
            write_localization,
        )

        ids = self.table.frame["image_id"].tolist()
        result = evaluate_localization(
            self.loaded,
            self.table,
            methods=self.methods,
            target_class=self.target_class,
            folders=folders,
            artifact_labels=None if artifacts is None else read_artifact_labels(artifacts, ids),
            n_resamples=n_resamples,
            seed=seed,
            on_progress=self.on_progress,
        )
        write_localization(out, result)
        tables = [localization_tables(result), *([] if artifacts is None else [artifact_table(result)])]
        return tables, len(result.images), len(result.excluded)

    def faithfulness(
        self, out: Path, masks: Path | None, options: "FaithfulnessOptions"
    ) -> tuple[list[Any], int, int]:
        from lesionlens.explanation.faithfulness import evaluate_faithfulness
        from lesionlens.explanation.faithfulness_plots import write_faithfulness_figure
        from lesionlens.explanation.faithfulness_result import faithfulness_tables, write_faithfulness

        result = evaluate_faithfulness(
            self.loaded,
            self.table,
            methods=self.methods,
            target_class=self.target_class,
            mask_dir=masks,
            options=options,
            on_progress=self.on_progress,
        )
        write_faithfulness(out, result)
        write_faithfulness_figure(out, result)
        return [faithfulness_tables(result)], len(result.images), len(result.excluded)


def _read_image_ids(image_list: Path, table: "LesionTable") -> list[str]:
    """Return the images of a list, by their ids in the table; a name of no image is returned as it is."""
    from lesionlens.core.errors import DataError
    from lesionlens.core.tabular import read_table
    from lesionlens.datasets.image_ids import match_image_ids
    from lesionlens.datasets.table_columns import IMAGE_NAME_COLUMNS

    columns = read_table(image_list, normalize_columns=True)
    column = next((name for name in IMAGE_NAME_COLUMNS if name in columns), "")
    if not column:
        raise DataError(f"{image_list} has no column image_id. Its columns: {', '.join(map(str, columns))}")
    names = columns[column].tolist()
    matched = match_image_ids(names, table.frame["image_id"])
    return [image_id or name for image_id, name in zip(matched, names, strict=True)]
