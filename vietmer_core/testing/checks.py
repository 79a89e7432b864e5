"""Every check of the kit, by name, with the roles it holds for."""

from collections.abc import Callable
from typing import Final

import attrs

from vietmer_core.components import Role
from vietmer_core.testing import (
    assembled_checks,
    cache_checks,
    canonical_checks,
    corpus_checks,
    executor_checks,
    frontend_checks,
    gradient_checks,
    importer_checks,
    loss_checks,
    param_checks,
    run_time_checks,
    sampler_checks,
    shard_checks,
    state_checks,
    tracker_checks,
    training_checks,
    value_checks,
)
from vietmer_core.testing.candidates import Candidate

ENCODERS: Final = frozenset({Role.TEXT, Role.AUDIO})
SEQUENCES: Final = ENCODERS | {Role.FUSION, Role.POOLER}
MODULES: Final = SEQUENCES | {Role.HEAD, Role.LOSS}
IN_A_MODEL: Final = SEQUENCES | {Role.HEAD}
FLOAT_INPUTS: Final = MODULES - {Role.TEXT}
TRACKERS: Final = frozenset({Role.TRACKER})
IMPORTERS: Final = frozenset({Role.IMPORTER})
EXECUTORS: Final = frozenset({Role.EXECUTOR})
EVERY_ROLE: Final = frozenset(Role)


@attrs.frozen(kw_only=True, eq=False)
class Check:
    """One rule of the house, as a function of a candidate that raises `ConformanceError` where it is broken."""

    roles: frozenset[Role]
    run: Callable[[Candidate], None]

    @property
    def name(self) -> str:
        """The name under which it is reported and excused."""
        return self.run.__name__

    @property
    def rule(self) -> str:
        """The rule, one sentence."""
        return (self.run.__doc__ or "").strip().splitlines()[0]


def _named(roles: frozenset[Role], *functions: Callable[[Candidate], None]) -> dict[str, Check]:
    return {function.__name__: Check(roles=roles, run=function) for function in functions}


CHECKS: Final[dict[str, Check]] = {
    **_named(EVERY_ROLE, param_checks.params_json, param_checks.params_frozen, param_checks.params_extra),
    **_named(EVERY_ROLE, param_checks.torch_free),
    **_named(MODULES, state_checks.protocol, state_checks.output_shape, state_checks.output_dtype),
    **_named(ENCODERS, state_checks.output_lengths),
    **_named(SEQUENCES, value_checks.padding_content, value_checks.padding_width),
    **_named(MODULES, value_checks.alone_equals_batch, value_checks.training_alone_equals_batch),
    **_named(MODULES, value_checks.equal_lengths, value_checks.batch_order),
    **_named(SEQUENCES, value_checks.empty_row, gradient_checks.empty_row_gradients),
    **_named(frozenset({Role.POOLER}), value_checks.empty_embedding),
    **_named(frozenset({Role.LOSS}), loss_checks.soft_labels),
    **_named(MODULES, value_checks.inputs_untouched),
    **_named(SEQUENCES & FLOAT_INPUTS, gradient_checks.padding_gradient),
    **_named(FLOAT_INPUTS, gradient_checks.input_gradients),
    **_named(MODULES, gradient_checks.parameter_gradients),
    **_named(MODULES, state_checks.same_seed, state_checks.no_global_seeding, state_checks.eval_deterministic),
    **_named(MODULES, state_checks.modes, state_checks.state_unchanged, state_checks.state_dict),
    **_named(IN_A_MODEL, run_time_checks.autocast_finite, run_time_checks.compiled_equals_eager),
    **_named(IN_A_MODEL, training_checks.training_draws_per_utterance),
    **_named(ENCODERS, training_checks.frozen_stays_frozen, cache_checks.cacheable_split),
    **_named(IN_A_MODEL, canonical_checks.canonical_bits),
    **_named(IN_A_MODEL, assembled_checks.assembled_poison, assembled_checks.assembled_alone_equals_batch),
    **_named(IN_A_MODEL, assembled_checks.assembled_parameter_gradients),
    **_named(ENCODERS, frontend_checks.frontend_protocol, frontend_checks.frontend_output),
    **_named(ENCODERS, frontend_checks.frontend_pickle, frontend_checks.frontend_deterministic),
    **_named(ENCODERS, frontend_checks.frontend_empty),
    **_named(frozenset({Role.AUDIO}), frontend_checks.frontend_num_frames),
    **_named(frozenset({Role.SAMPLER}), sampler_checks.sampler_indices, sampler_checks.sampler_pure),
    **_named(frozenset({Role.SAMPLER}), sampler_checks.sampler_epochs_differ, sampler_checks.sampler_torch_free),
    **_named(frozenset({Role.SAMPLER}), sampler_checks.sampler_every_process, shard_checks.sampler_shards),
    **_named(frozenset({Role.SAMPLER}), shard_checks.sampler_continues, shard_checks.sampler_limits),
    **_named(frozenset({Role.CORPUS}), corpus_checks.corpus_manifest, corpus_checks.corpus_audio),
    **_named(frozenset({Role.CORPUS, Role.IMPORTER}), corpus_checks.corpus_licence),
    **_named(IMPORTERS, importer_checks.importer_rows, importer_checks.importer_manifest),
    **_named(IMPORTERS, importer_checks.importer_deterministic, importer_checks.importer_source),
    **_named(IMPORTERS, importer_checks.importer_refusals),
    **_named(TRACKERS, tracker_checks.tracker_light, tracker_checks.tracker_hooks, tracker_checks.tracker_records),
    **_named(TRACKERS, tracker_checks.tracker_offline, tracker_checks.tracker_folder),
    **_named(TRACKERS, tracker_checks.tracker_weights, tracker_checks.tracker_continues),
    **_named(EXECUTORS, executor_checks.executor_ends, executor_checks.executor_threads),
    **_named(EXECUTORS, executor_checks.executor_survives, executor_checks.executor_stops),
}
"""The checks in the order in which they are run."""


def check_names(role: Role) -> list[str]:
    """The checks that hold for a role."""
    return [name for name, check in CHECKS.items() if role in check.roles]
