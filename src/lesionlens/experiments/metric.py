"""One column of a table as data."""

from typing import Literal

from pydantic import model_validator

from lesionlens.training.section import ConfigSection


class ColumnSpec(ConfigSection):
    """One column.

    Attributes
    ----------
    name
        Its head, as the paper has it; different for each column.
    metric, class_name
        As in ``Evaluation``: ``auc`` of ``melanoma``, ``sensitivity`` of ``macro``; or a measure of maps: ``jaccard``,
        ``jaccard_area``, ``pointing`` or ``energy``, of the map ``map``.
    variant
        Which of a row's runs, where it has several.
    mean_of
        In place of ``metric``: the mean of these other columns, run by run.
    minus
        In place of ``metric``: the first of these two columns less the second, run by run.
    map
        The map that is measured against lesion masks, as `attention_quality` names it, such as ``gate pool4`` or
        ``cam``; a row's own ``maps`` goes before it.
    artifact_set
        The generated set that is scored in place of the run's own test part (see ``Experiment.sets``).
    better
        Which way is better.
    """

    name: str
    metric: str = ""
    class_name: str = "macro"
    variant: str = ""
    mean_of: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    map: str = ""
    artifact_set: str = ""
    better: Literal["higher", "lower", ""] = "higher"

    @model_validator(mode="after")
    def _check_one_definition(self) -> "ColumnSpec":
        if sum(map(bool, (self.metric, self.mean_of, self.minus))) != 1:
            raise ValueError(f"the column {self.name}: give one of metric, mean_of and less")
        if self.minus and len(self.minus) != 2:
            raise ValueError(f"the column {self.name}: less takes two columns")
        return self
