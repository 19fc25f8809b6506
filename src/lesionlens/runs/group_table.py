"""Table of the evaluation of several runs for the terminal: pooled folds, then the mean over the runs."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.tables import evaluation_table
from lesionlens.runs.group_evaluation import GroupEvaluation
from lesionlens.runs.run_statistics import SUMMARY_FOOTNOTE, build_summary_table


@dataclass(frozen=True)
class GroupTable:
    """Renderable for `rich.console.Console.print`."""

    evaluation: GroupEvaluation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table of each pool, the statistics over the runs, and all caveats."""
        evaluation = self.evaluation
        group = evaluation.group
        yield Text(f"{group.folder.path}: {group.describe()}, {group.split} split", style="bold")
        for repeat, pool in evaluation.pools.items():
            yield Text(f"\nPooled folds{f', {repeat}' if repeat else ''}", style="bold")
            yield evaluation_table(pool)
        title = evaluation.mean_title
        yield Text(f"\n{title[0].upper()}{title[1:]}, each evaluated separately", style="bold")
        yield build_summary_table(evaluation.summary)
        yield Text(SUMMARY_FOOTNOTE.replace("`", ""))
        shown = {caveat for pool in evaluation.pools.values() for caveat in pool.caveats}
        yield from (Text(f"Note: {caveat}") for caveat in evaluation.caveats if caveat not in shown)
        yield Text(RESEARCH_USE_NOTICE, style="italic")
