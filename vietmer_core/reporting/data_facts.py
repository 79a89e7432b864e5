"""What the splits of a run hold, for the page and the model card. Torch-free."""

from collections.abc import Mapping

import attrs

from vietmer_core.catalogue import Catalogue
from vietmer_core.data.splits import open_split
from vietmer_core.data.stats import SplitStatistics, summarise
from vietmer_core.errors import VietmerError
from vietmer_core.spec import ExperimentSpec


@attrs.frozen(kw_only=True, eq=False)
class DataFacts:
    """The splits of a run.

    Attributes:
        statistics: By split; a split that cannot be read is left out.
        licences: That the rows state, sorted.
        corpora: That the rows state, sorted.
        faults: Why splits are left out, a sentence each.
    """

    statistics: Mapping[str, SplitStatistics]
    licences: tuple[str, ...]
    corpora: tuple[str, ...]
    faults: tuple[str, ...]


def data_facts(spec: ExperimentSpec, catalogue: Catalogue) -> DataFacts:
    """Read every split of a spec; data that is gone is a fault to be shown, not an error."""
    statistics: dict[str, SplitStatistics] = {}
    licences: set[str] = set()
    corpora: set[str] = set()
    faults = []
    for split, _ in spec.data.splits():
        try:
            manifest = open_split(spec, split, catalogue)
        except VietmerError as error:
            faults.append(f"The {split} split cannot be read: {str(error).splitlines()[0]}")
            continue
        statistics[split] = summarise(manifest)
        for row in manifest:
            licences |= {str(row.metadata["licence"])} if row.metadata.get("licence") else set()
            corpora |= {str(row.metadata["corpus"])} if row.metadata.get("corpus") else set()
    return DataFacts(
        statistics=statistics,
        licences=tuple(sorted(licences)),
        corpora=tuple(sorted(corpora)),
        faults=tuple(faults),
    )
