"""After the last epoch: predictions, numbers, pictures and the report, all from the best bundle."""

from rich.console import Console

from lesionlens.errors import RunError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.evaluation import write_evaluation
from lesionlens.evaluation.predictions import write_predictions
from lesionlens.explanation.gallery import write_gallery
from lesionlens.models.bundle import load_model
from lesionlens.prediction import score
from lesionlens.report.build import build_report
from lesionlens.report.gallery import choose
from lesionlens.subjects import of_table
from lesionlens.training.folder import RunFolder
from lesionlens.training.prepare import Prepared
from lesionlens.training.progress import bar


def finish(prepared: Prepared, folder: RunFolder, *, console: Console) -> None:
    """Measure the best model on validation and test, draw its cases, write the report.

    Raises
    ------
    RunError
        No epoch gave a finite value of the monitored metric.
    """
    if not (folder.best / "card.json").is_file():
        raise RunError(
            f"no epoch had a finite {prepared.recipe.train.monitor}: there is no best model. Does the validation "
            "part hold at least two classes? Is train.lr too high?"
        )
    loaded = load_model(folder.best)
    for name in ("validation", "test"):
        if name not in prepared.split.parts:
            continue
        wanted = of_table(prepared.part(name), prepared.task.name)
        with bar(console) as progress:
            line = progress.add_task(f"scoring {name}", total=len(wanted.path))
            scored = score(loaded, wanted, progress=lambda done, _: progress.update(line, completed=done))  # noqa: B023
        write_predictions(folder.predictions(name), scored.predictions)
        write_evaluation(folder.evaluation(name), evaluate(scored.predictions))
    # the last part measured is the one that counts: test, where there is one
    paths = dict(zip(wanted.image_id, wanted.path, strict=True))
    write_gallery(loaded, paths, choose(scored.predictions), folder.path / "maps")

    build_report(folder.path)
