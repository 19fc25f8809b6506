"""One column of a table as data."""

from typing import Literal

from pydantic import model_validator

from lesionlens.training.section import Section


class Metric(Section):
    """One column.

    Attributes
    ----------
    name
        Its head, as the paper has it; different for each column.
    metric, of
        As in ``Evaluation``: ``auc`` of ``melanoma``, ``sensitivity`` of ``macro``; or a measure of maps: ``jaccard``,
        ``jaccard_area``, ``pointing`` or ``energy``, of the map ``map``.
    part
        Which of a row's runs, where it has several.
    mean_of
        In place of ``metric``: the mean of these other columns, run by run.
    less
        In place of ``metric``: the first of these two columns less the second, run by run.
    map
        The map that is measured against lesion masks, as `attention_quality` names it, such as ``gate pool4`` or
        ``cam``; a row's own ``maps`` goes before it.
    set
        The generated set that is scored in place of the run's own test part (see ``Experiment.sets``).
    better
        Which way is better.
    """

    name: str
    metric: str = ""
    of: str = "macro"
    part: str = ""
    mean_of: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    map: str = ""
    set: str = ""
    better: Literal["higher", "lower", ""] = "higher"

    @model_validator(mode="after")
    def _one_meaning(self) -> "Metric":
        if sum(map(bool, (self.metric, self.mean_of, self.less))) != 1:
            raise ValueError(f"the column {self.name}: give one of metric, mean_of and less")
        if self.less and len(self.less) != 2:
            raise ValueError(f"the column {self.name}: less takes two columns")
        return self
