"""The conformance kit: properties that every component must have, as pytest tests in one line."""
