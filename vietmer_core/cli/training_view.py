"""What a terminal shows of a training run: lines of text made from records, for any width. Torch-free."""

import math
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.panel import Panel
from rich.text import Text

from vietmer_core.files import in_mib
from vietmer_core.records import EpochRecord, RunRecord, StepRecord

BLOCKS: Final = "▁▂▃▄▅▆▇█"
RECENT_STEPS: Final = 20
"""Steps that the running numbers are means of."""
BORDERED: Final = 40
"""Columns from which on there is room for a border."""
FREE: Final = 2
"""Columns left free on the right: a terminal writes `^C` there, and in the last column that would begin a new line."""
GAP: Final = "   "
BETWEEN: Final = 2
"""Columns between the curve and its value."""


def curve(values: Sequence[float], *, best: int | None, width: int) -> tuple[str, int | None]:
    """A curve of at most `width` blocks from left to right, and the column of the best value.

    Where there are more values than columns, a column shows the mean of several. A value that is not finite is low.
    """
    size = math.ceil(len(values) / max(1, width))
    groups = [values[start : start + size] for start in range(0, len(values), size)] if values else []
    means = [math.fsum(group) / len(group) for group in groups]
    finite = [mean for mean in means if math.isfinite(mean)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    span = high - low
    top = len(BLOCKS) - 1
    levels = [round((mean - low) / span * top) if span and math.isfinite(mean) else 0 for mean in means]
    return "".join(BLOCKS[level] for level in levels), None if best is None else best // size


def packed(parts: Iterable[str], *, width: int) -> Iterator[str]:
    """The parts in order, as many to a line as fit; a part that is longer than a line is cut."""
    line = ""
    for part in parts:
        longer = f"{line}{GAP}{part}" if line else part
        if cell_len(longer) <= width:
            line = longer
            continue
        if line:
            yield line
        line = part[:width]
    if line:
        yield line


def duration(seconds: float) -> str:
    """`4:05`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def size(num_bytes: int) -> str:
    """`312.5 MiB`, `1.4 GiB`."""
    return f"{num_bytes / 2**30:.1f} GiB" if num_bytes >= 2**30 else in_mib(num_bytes)


@final
class TrainingView:
    """What has been told of a run, and how it looks now; renders itself as a panel, without one where it is narrow.

    Args:
        run: The run that starts.
        scored: What the epochs before scored, where the run continues.
    """

    def __init__(self, run: RunRecord, *, scored: Sequence[EpochRecord] = ()) -> None:
        self._run = run
        self._began = time.monotonic()
        self._step = run.first_step
        self._epoch = run.first_epoch
        self._recent: deque[StepRecord] = deque(maxlen=RECENT_STEPS)
        self._values: list[float] = []
        self._best: int | None = None
        for epoch in scored:
            self.end_epoch(epoch)

    def end_step(self, step: StepRecord) -> None:
        """A step was taken."""
        self._step, self._epoch = step.step, step.epoch
        self._recent.append(step)

    def end_epoch(self, epoch: EpochRecord) -> None:
        """An epoch was scored."""
        self._values.append(float(epoch.valid_metrics[self._run.monitor]))
        if epoch.is_best:
            self._best = len(self._values) - 1

    def heading(self) -> str:
        """The run and its epoch."""
        return f"{self._run.name}, epoch {min(self._epoch + 1, self._run.num_epochs)} of {self._run.num_epochs}"

    def time_left(self) -> str:
        """Until the last step, at the pace so far, with the validations; empty where there was no step yet."""
        taken, left = self._step - self._run.first_step, max(0, self._run.num_steps - self._step)
        if not taken:
            return ""
        return f"{duration((time.monotonic() - self._began) / taken * left)} left"

    def lines(self, width: int) -> list[str]:
        """All but the heading and the bar, none wider than `width`."""
        parts = [f"step {self._step} of {self._run.num_steps}", self.time_left(), *self._numbers()]
        return [*packed(filter(None, parts), width=width), *self._curve_lines(width)]

    def _numbers(self) -> list[str]:
        if not self._recent:
            return []
        steps, last = self._recent, self._recent[-1]
        seconds = math.fsum(step.seconds for step in steps)
        rate = sum(step.num_utterances for step in steps) / seconds if seconds else 0.0
        real = math.fsum(step.padding_efficiency for step in steps) / len(steps)
        memory = [f"memory {size(last.memory_bytes)}"] if last.memory_bytes else []
        loss = math.fsum(step.loss for step in steps) / len(steps)
        return [
            f"loss {loss:.3f}",
            f"learning rate {last.learning_rate:.2g}",
            f"{rate:.1f} utterances/s",
            f"padding efficiency {real:.0%}",
            *memory,
        ]

    def _curve_lines(self, width: int) -> list[str]:
        label = f"valid {self._run.monitor}"
        if not self._values:
            return [f"{label} –"[:width]]
        value, indent = f"{self._values[-1]:.3f}", " " * (len(label) + BETWEEN)
        room = width - len(indent) - BETWEEN - len(value)
        if room < 1:
            return [f"{label} {value}"[:width]]
        blocks, column = curve(self._values, best=self._best, width=room)
        lines = [f"{label}{' ' * BETWEEN}{blocks}{' ' * BETWEEN}{value}"]
        if column is None or self._best is None:
            return lines
        best = f"best {self._values[self._best]:.3f}, epoch {self._best + 1}"
        below = f"{indent}{' ' * column}^ {best}"
        if cell_len(below) > width:  # no room to its right
            before = len(indent) + column - len(best) - 1
            below = f"{' ' * before}{best} ^" if before >= 0 else f"{indent}{' ' * column}^"
        return [*lines, below]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The panel."""
        most = max(1, options.max_width - FREE)
        has_border = most >= BORDERED
        width = most - (4 if has_border else 0)
        texts = [self._bar(width), *(Text(line, no_wrap=True, overflow="crop") for line in self.lines(width))]
        heading = Text(self.heading(), no_wrap=True)
        heading.truncate(most - 6 if has_border else most, overflow="ellipsis")  # a long title would widen the panel
        if has_border:
            yield Panel(Group(*texts), title=heading, title_align="left", padding=(0, 1), width=most)
        else:
            yield Group(heading, *texts)

    def _bar(self, width: int) -> Text:
        done = min(width, width * self._step // max(1, self._run.num_steps))
        return Text.assemble(("━" * done, "bar.complete"), ("─" * (width - done), "bar.back"), no_wrap=True)
