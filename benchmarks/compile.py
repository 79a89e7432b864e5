"""Graph breaks and recompilations of every registered component under `torch.compile`, and on request its speed.

    nox -s bench -- compile
    nox -s bench -- compile --only audio:whisper
    nox -s bench -- compile --only fusion:xattn --params '{"dim": 768}' --width 768 --speed

Prints a Markdown table. Each component is built with its tiny parameters, or with `--params`, and run forwards and
backwards in evaluation mode over batches of several sizes and widths, with the backend `aot_eager` and dynamic shapes.
A graph break splits a module into parts that Python calls one after the other; a recompilation costs seconds at a new
shape. `--speed` generates code with inductor, which takes minutes, and times it against eager mode.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import attrs
import torch
from torch import nn
from torch._dynamo.utils import clear_compilation_metrics, counters, get_compilation_metrics

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Component, Role
from vietmer_core.testing import candidate_of
from vietmer_core.testing.cases import Case
from vietmer_core.testing.gradient_checks import leaves, projected
from vietmer_core.testing.sources import FeatureSource
from vietmer_core.testing.subjects import Inputs, Subject

ROLES = (Role.TEXT, Role.AUDIO, Role.FUSION, Role.POOLER, Role.HEAD)
LENGTHS = ((5, 2, 0, 9), (7, 7, 1, 3), (12, 4), (3, 6, 20, 11, 1), (1, 1, 1), (40, 33, 17, 8))
REPEATS = 10


@attrs.frozen(kw_only=True)
class Found:
    """What the compiler did over all shapes."""

    name: str
    graphs: int
    breaks: Mapping[str, int]
    recompilations: int
    eager_ms: float | None = None
    inductor_ms: float | None = None

    def row(self) -> str:
        """A row of the table."""
        reasons = "; ".join(f"{count} × {reason[:80]}" for reason, count in self.breaks.items())
        cells = [self.name, str(self.graphs), str(sum(self.breaks.values())), str(self.recompilations), reasons or "–"]
        if self.eager_ms is not None and self.inductor_ms is not None:
            cells += [f"{self.eager_ms:.1f}", f"{self.inductor_ms:.1f}", f"{self.eager_ms / self.inductor_ms:.2f}"]
        return f"| {' | '.join(cells)} |"


def batches(subject: Subject) -> Iterator[tuple[Inputs, Case]]:
    """Batches of several shapes; embeddings hold one frame."""
    single = not {"sequence", "text", "audio"} & set(subject.sources)
    for lengths in LENGTHS:
        own = (1,) * len(lengths) if single else lengths
        case = Case(lengths=dict.fromkeys(subject.sources, own), extra=0, seed=1)
        yield subject.pad(subject.rows(case), torch.float32), case


def step(subject: Subject, called: Callable[..., Any], inputs: Inputs, case: Case) -> None:
    """Forwards and backwards."""
    given, _ = leaves(subject, inputs)
    loss = projected(subject.call(cast("nn.Module", called), given), range(len(case)), case.seed)
    if loss.requires_grad:
        torch.autograd.backward(loss)


def milliseconds(subject: Subject, called: Callable[..., Any]) -> float:
    """Median time of a step at the largest shape."""
    inputs, case = max(batches(subject), key=lambda pair: max(next(iter(pair[1].lengths.values()))))
    times = []
    for _ in range(REPEATS + 2):
        began = time.perf_counter()
        step(subject, called, inputs, case)
        times.append(time.perf_counter() - began)
    return 1000 * sorted(times[2:])[REPEATS // 2]


def measured(component: Component, *, params: Mapping[str, Any] | None, width: int | None, speed: bool) -> Found:
    """Compile a component and run it over all shapes."""
    candidate = candidate_of(component, params)
    subject = candidate.subject()
    if width is not None:
        sources = {name: FeatureSource(dim=width) for name in subject.sources}
        dims = {"text_dim": width, "audio_dim": width} if component.role == Role.FUSION else {"dim": width}
        make = cast("Callable[[], nn.Module]", lambda: component.build(candidate.params, **dims))
        subject = attrs.evolve(subject, sources=sources, make=make)
    module = subject.build(torch.float32)
    torch.compiler.reset()
    counters.clear()
    clear_compilation_metrics()
    compiled = torch.compile(module, backend="aot_eager", dynamic=True)
    for inputs, case in batches(subject):
        step(subject, compiled, inputs, case)
    found = Found(
        name=f"`{candidate.name}`",
        graphs=counters["stats"]["unique_graphs"],
        breaks=Counter({" ".join(reason.split()): count for reason, count in counters["graph_break"].items()}),
        recompilations=sum(metric.recompile_reason is not None for metric in get_compilation_metrics()),
    )
    if not speed:
        return found
    torch.compiler.reset()
    fast = torch.compile(module, dynamic=True)
    return attrs.evolve(found, eager_ms=milliseconds(subject, module), inductor_ms=milliseconds(subject, fast))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", metavar="ROLE:KIND", help="one component")
    parser.add_argument("--params", type=json.loads, help="its parameters, as JSON, instead of the tiny ones")
    parser.add_argument("--width", type=int, help="width of the input of a fusion or a pooler")
    parser.add_argument("--speed", action="store_true", help="time inductor against eager mode")
    given = parser.parse_args()
    torch.set_num_threads(1)
    offered = [offer.component for offer in installed_catalogue().offered if offer.component.role in ROLES]
    chosen = [part for part in offered if given.only in (None, f"{part.role}:{part.kind}")]
    times = " eager, ms | inductor, ms | ÷ |" if given.speed else ""
    print(f"| component | graphs | graph breaks | recompilations | why |{times}")
    print(f"|---|--:|--:|--:|---|{'--:|--:|--:|' if given.speed else ''}")
    for component in sorted(chosen, key=lambda part: (ROLES.index(part.role), part.kind)):
        print(measured(component, params=given.params, width=given.width, speed=given.speed).row(), flush=True)


if __name__ == "__main__":
    main()
