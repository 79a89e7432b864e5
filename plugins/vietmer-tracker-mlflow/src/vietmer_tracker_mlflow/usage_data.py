"""Keeping MLflow from sending usage data. MLflow-free.

MLflow 3 reports each call of its interface to its makers unless it is told not to. It decides when it is imported, and
again at each call:

- `MLFLOW_DISABLE_TELEMETRY` at `true` or `1` switches it off;
- so does `DO_NOT_TRACK`, but at `true` alone: at `1`, the usual value, MLflow sends;
- `_MLFLOW_TESTING_TELEMETRY`, which MLflow's own tests set, switches it on whatever the other two say.
"""

import os
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

OFF: Final[Mapping[str, str]] = MappingProxyType({"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"})
FORCES: Final = "_MLFLOW_TESTING_TELEMETRY"


def switch_off_usage_data() -> None:
    """Switch usage data off in this process and in all that it starts, whatever the user's environment says.

    Where MLflow is imported already, what it has collected is thrown away.
    """
    os.environ.update(OFF)
    os.environ.pop(FORCES, None)
    reads, sends = sys.modules.get("mlflow.telemetry.utils"), sys.modules.get("mlflow.telemetry.client")
    if reads is None or sends is None:
        return
    vars(reads)["_IS_MLFLOW_TESTING_TELEMETRY"] = False
    sender = sends.get_telemetry_client()
    sends.set_telemetry_client()  # reads the switches again, and makes no other
    if sender is not None:
        sender.flush(terminate=True)  # ends its threads; in spite of its name it sends nothing
