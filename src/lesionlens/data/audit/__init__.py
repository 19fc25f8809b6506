"""What makes numbers too good, looked for before anything is trained."""

from lesionlens.data.audit.audit import Audit, audit
from lesionlens.data.audit.leaks import leaks

__all__ = ["Audit", "audit", "leaks"]
