"""`plan_splits`: from an open manifest to the splits of all its rows; nothing is written. Torch-free."""

import attrs

from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.data.manifest import Manifest
from vietmer_core.splitting.balance import SplitSummary, summarise_fold
from vietmer_core.splitting.cautions import cautions_on_folds, cautions_on_left_out, cautions_on_rows
from vietmer_core.splitting.folds import Fold, Groups, form_groups, make_folds
from vietmer_core.splitting.refusals import refuse_rows
from vietmer_core.splitting.settings import SplitSettings
from vietmer_core.splitting.table import RowTable, read_table
from vietmer_core.splitting.wording import protocol_name


@attrs.frozen(kw_only=True, eq=False)
class SplitPlan:
    """Which row of a manifest stands where.

    Attributes:
        manifest: The rows.
        settings: What was asked.
        protocol: The name of the protocol, for `split_protocol` of every row.
        fingerprint: Of the manifest, the bytes of the audio left aside.
        table: The rows in the order of their ids.
        groups: What stays together.
        folds: One for `holdout`.
        summaries: For each fold, one for each split.
        cautions: What a reader must know, each one sentence.
    """

    manifest: Manifest
    settings: SplitSettings
    protocol: str
    fingerprint: str
    table: RowTable
    groups: Groups
    folds: tuple[Fold, ...]
    summaries: tuple[tuple[SplitSummary, ...], ...]
    cautions: tuple[str, ...]


def plan_splits(manifest: Manifest, settings: SplitSettings) -> SplitPlan:
    """Split the rows of a manifest.

    The same rows, settings and seed give the same splits, whatever the order of the rows and of the manifests.

    Raises:
        DataError: where the rows cannot be split as asked, or a recording is missing.
    """
    table = read_table(manifest, settings)
    refuse_rows(table, settings, label_field=manifest.label_field)
    groups = form_groups(table, settings)
    folds = make_folds(table, groups, settings)
    summaries = tuple(summarise_fold(fold, table, groups, settings) for fold in folds)
    return SplitPlan(
        manifest=manifest,
        settings=settings,
        protocol=protocol_name(table, settings, label_field=manifest.label_field, num_folds=len(folds)),
        fingerprint=split_fingerprint(manifest, content=False),
        table=table,
        groups=groups,
        folds=folds,
        summaries=summaries,
        cautions=(
            *cautions_on_rows(table, settings),
            *cautions_on_left_out(folds, table, settings),
            *cautions_on_folds(folds, summaries, groups, table),
        ),
    )
