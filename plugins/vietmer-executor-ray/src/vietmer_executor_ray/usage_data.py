"""Keeping Ray from sending usage data. Ray-free.

A process of the head node, Ray's API server, reports to Ray's makers unless it is told not to; what it sends is
gathered in every process. Told not to, it still

- asks the metadata service of each cloud where it is (169.254.169.254, metadata.google.internal), and throws the answer
  away;
- reports that it is told not to, on a cluster that `ray start` has started.

Without a dashboard this is all that the API server does, so that a cluster which is started here has none
(`vietmer_executor_ray.cluster`). Of other clusters whoever starts them decides.
"""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

OFF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
        "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9/",
        "RAY_enable_metrics_collection": "0",
    }
)
"""Before Ray is imported, in every process."""


def switch_off_usage_data() -> None:
    """Switch usage data off in this process and in all that it starts, whatever the user's environment says."""
    os.environ.update(OFF)
