"""What makes numbers too good, looked for before anything is trained."""

from lesionlens.data.audit.audit import Audit, audit_tables
from lesionlens.data.audit.leaks import find_leakage

__all__ = ["Audit", "audit_tables", "find_leakage"]
