"""What a leak is: a component that breaks a rule, with the checks that must catch it and its cure."""

from collections.abc import Sequence

import attrs

from vietmer_core.components import Component


@attrs.frozen(kw_only=True, eq=False)
class Leak:
    """A component that breaks a rule.

    Attributes:
        name: What it does wrong.
        component: The component.
        caught_by: Checks that must fail for it.
        cure: What to do instead.
    """

    name: str
    component: Component
    caught_by: Sequence[str]
    cure: str
