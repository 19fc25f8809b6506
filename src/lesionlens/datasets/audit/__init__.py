"""Audit of datasets and splits for leakage, duplicates, label conflicts and shortcuts."""

from lesionlens.datasets.audit.audit import Audit, audit_tables
from lesionlens.datasets.audit.leakage import find_leakage

__all__ = ["Audit", "audit_tables", "find_leakage"]
