"""Every registered component keeps every rule of the house."""

from vietmer_core.testing import all_registered

test_conformance = all_registered()
