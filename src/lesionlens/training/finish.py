"""After the last epoch: predictions, numbers, pictures and the report, all from the best bundle."""

from pathlib import Path

from rich.console import Console

from lesionlens.bar import bar
from lesionlens.errors import RunError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.evaluation import write_evaluation
from lesionlens.evaluation.predictions import write_predictions
from lesionlens.explanation.gallery import write_gallery
from lesionlens.models.bundle import load_model
from lesionlens.report.build import build_report
from lesionlens.report.gallery import choose
from lesionlens.scoring.outcomes import Scored
from lesionlens.scoring.score import score
from lesionlens.subjects import Subjects, of_table
from lesionlens.training.folder import RunFolder
from lesionlens.training.left_out import LeftOut, write_left_out
from lesionlens.training.prepared import Prepared
from lesionlens.training.ready import TRAINED

WHOLE = "no lesion mask, or an empty one: seen whole"


def finish(prepared: Prepared, folder: RunFolder, *, console: Console) -> None:
    """Measure the kept model on validation and test, draw its cases, tell what was left out, write the report.

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
    chosen = prepared.recipe.data.masks
    left_out = list(prepared.left_out)
    for name in ("validation", "test"):
        if name not in prepared.split.parts:
            continue
        rows = prepared.part(name)
        wanted = of_table(rows, prepared.task.name, masks=Path(chosen) if chosen else None)
        with bar(console) as progress:
            line = progress.add_task(f"scoring {name}", total=len(wanted.path))
            scored = score(loaded, wanted, progress=lambda done, _: progress.update(line, completed=done))  # noqa: B023
        write_predictions(folder.predictions(name), scored.predictions)
        write_evaluation(folder.evaluation(name), evaluate(scored.predictions))
        left_out += _left_out(name, wanted, scored)
    write_left_out(folder.left_out, dict.fromkeys(left_out))
    folder.note(data={**folder.record()["data"], "left_out": len(set(left_out))})
    # the last part measured is the one that counts: test, where there is one
    paths = dict(zip(wanted.image_id, wanted.path, strict=True))
    masks = {image: mask for image, mask in zip(wanted.image_id, wanted.mask, strict=True) if mask}
    write_gallery(loaded, paths, choose(scored.predictions), folder.path / "maps", masks=masks)
    build_report(folder.path)


def _left_out(part: str, wanted: Subjects, scored: Scored) -> list[LeftOut]:
    """Tell which images of a part were not scored and, where training has not told it, which without a mask."""
    missing = [image for image in wanted.image_id if image not in set(scored.predictions.image_id)]
    told = [LeftOut(image, part, reason) for image, reason in zip(missing, scored.unreadable, strict=True)]
    whole = () if part in TRAINED else scored.whole
    return told + [LeftOut(image, part, WHOLE) for image in whole]
