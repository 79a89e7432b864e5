"""Every hook is documented with its exact signature, and the documentation shows no other."""

import inspect
import re
from pathlib import Path

import attrs
import pluggy
import pytest

from vietmer_core import hooks, records
from vietmer_core.plugins import load_plugins

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
HEADING = re.compile(r"^## `(\w+)`$", re.MULTILINE)


def specified() -> list[str]:
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    return [name for name in vars(hooks) if manager.parse_hookspec_opts(hooks, name) is not None]


def signature(name: str) -> str:
    """The line that a plugin copies: `def end_step(step: StepRecord) -> None:`."""
    written = str(inspect.signature(getattr(hooks, name)))
    return f"def {name}{written}:".replace("'", "")


def section(name: str) -> str:
    _, _, rest = PAGE.partition(f"## `{name}`\n")
    return rest.partition("\n## ")[0]


def test_there_are_hooks() -> None:
    assert specified() == ["register_components", "fill_cache", "start_run", "end_step", "end_epoch", "finish_run"]


def test_the_page_documents_exactly_the_hooks_there_are_in_their_order() -> None:
    assert [name for name in HEADING.findall(PAGE) if name in specified() or "_" in name] == specified()


@pytest.mark.parametrize("name", specified())
def test_the_page_shows_the_exact_signature_and_the_docstring(name: str) -> None:
    assert f"@hookimpl\n{signature(name)}\n" in section(name)
    assert str(inspect.getdoc(getattr(hooks, name))) in section(name)


def test_a_wrong_signature_would_be_noticed() -> None:
    assert signature("end_step") == "def end_step(step: StepRecord) -> None:"
    assert "def end_step(step: StepRecord, epoch: int) -> None:" not in PAGE


@pytest.mark.parametrize("record", ["RunRecord", "StepRecord", "EpochRecord", "FinishRecord"])
def test_the_page_names_every_field_of_every_record(record: str) -> None:
    fields = [field.name for field in attrs.fields(getattr(records, record))]
    assert fields
    assert [name for name in fields if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("name", specified())
def test_every_hook_has_one_sentence(name: str) -> None:
    sentence = inspect.getdoc(getattr(hooks, name)) or ""
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_record_cannot_be_changed_by_an_observer() -> None:
    manager = load_plugins([]).manager
    record = records.StepRecord(
        epoch=0,
        step=1,
        step_in_epoch=1,
        loss=1.0,
        gradient_norm=1.0,
        learning_rate=0.1,
        num_utterances=4,
        padding_efficiency=0.5,
        seconds=0.1,
    )

    class Meddler:
        @hooks.hookimpl
        def end_step(self, step: records.StepRecord) -> None:
            step.loss = 0.0  # type: ignore[misc]  # what an observer may not do

    manager.register(Meddler())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        manager.hook.end_step(step=record)
