"""`vietmer data audit`: leaks between splits, and cues that a model may lean on. Torch-free."""

from vietmer_core.audit.auditing import audit_splits
from vietmer_core.audit.finding import AUDIT_CODES, Example, Finding
from vietmer_core.audit.report import AuditReport

__all__ = ["AUDIT_CODES", "AuditReport", "Example", "Finding", "audit_splits"]
