"""`vietmer data import`: a corpus as it was published becomes manifests."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from vietmer_core.cli.choices import choice
from vietmer_core.cli.options import AsJson

if TYPE_CHECKING:
    from pydantic import BaseModel

    from vietmer_core.components import Component

EXIT_CODES: Final = (
    "Exit codes: 0 done; 2 the command line cannot be used; 3 the corpus cannot be read; 4 no installed distribution "
    "offers the kind, or several do; 5 the folder cannot be written; 130 interrupted."
)


def import_corpus(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Which corpus; `vietmer plugins` lists the importers.")],
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Its folder or file, as it was published.")],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", file_okay=False, help="Where the manifests go.")],
    audio: Annotated[
        Literal["refer", "copy", "link"],
        choice(
            ("refer", "copy", "link"),
            text="Audio files: refer to where they are, or copy or link them beside the manifest.",
        ),
    ] = "refer",
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the importer; may be repeated."),
    ] = None,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out rows whose audio file is not there, and count them.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write manifests anew that are there already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the manifests of a corpus in the layout in which it was published; nothing in it is changed."""
    from vietmer_core.catalogue import installed_catalogue
    from vietmer_core.components import Role
    from vietmer_core.data import import_writing

    component = installed_catalogue().component(Role.IMPORTER, kind)
    params = _parameters(component, overrides or [])
    settings = import_writing.ImportSettings(
        licence=component.data_licence or "", audio=audio, skip_missing=skip_missing, overwrite=overwrite
    )
    summary = import_writing.import_corpus(component.build(params), source, to, settings)
    if as_json:
        import json

        typer.echo(json.dumps(summary.as_json(), ensure_ascii=False, indent=2))
        return
    for line in summary.lines():
        typer.echo(line)


def _parameters(component: "Component", overrides: list[str]) -> "BaseModel":
    """The parameters of an importer.

    Raises:
        typer.BadParameter: with every fault of what is set.
    """
    from pydantic import ValidationError

    given: dict[str, Any] = {}
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"must be NAME=VALUE, but is `{text}`.", param_hint="--set")
        given[name.strip()] = _value(value)
    try:
        return component.params.model_validate({**given, "kind": component.kind})
    except ValidationError as error:
        raise typer.BadParameter(" ".join(_sentences(error, component)), param_hint="--set") from None


def _value(text: str) -> object:
    """Text, or what a spec would make of it: `true`, `null`, a number."""
    from vietmer_core.spec_document import TextFault
    from vietmer_core.spec_yaml import parse_yaml

    try:
        value, _ = parse_yaml(text)
    except TextFault:
        return text
    return value if value is None or isinstance(value, bool | int | float | str) else text


def _sentences(error: Any, component: "Component") -> list[str]:
    from difflib import get_close_matches

    from vietmer_core.spec_wording import refusal

    names = [name for name in component.params.model_fields if name != "kind"]
    sentences = []
    for detail in error.errors(include_url=False):
        name = ".".join(map(str, detail["loc"]))
        if detail["type"] == "extra_forbidden":
            near = get_close_matches(name, names, n=1)
            remedy = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(names) or 'none'}."
            sentences.append(f"`{component.kind}` has no parameter `{name}`; {remedy}")
        else:
            sentences.append(" ".join(filter(None, (f"`{name}`", *refusal([detail])))))
    return sentences
