"""The folder of a search. Torch-free.

search.json      what is searched over, with a digest of the base and its data, and what proposes it
study.db         the trials, kept by the searcher
trials.json      the trials, for people and programs
best.yaml        the resolved spec of the best trial, ready for `vietmer train`
cells/ID/        a folder for each trial, as of a cell of a matrix
prepare/ID/      one for each set of features that trials share
claim            locked by the command that runs the search
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.ablation.job_folder import JobFolder, read_json, write_json
from vietmer_core.ablation.matrix_folder import CELLS, MatrixFolder
from vietmer_core.ablation.search.searcher import Epochs, TrialRecord
from vietmer_core.cache.locks import HeldLock, read_holder
from vietmer_core.errors import RunError
from vietmer_core.files import write_atomically
from vietmer_core.training.run_folder import RunFolder, is_run

SEARCH_FILE: Final = "search.json"
STUDY_FILE: Final = "study.db"
TRIALS_FILE: Final = "trials.json"
BEST_FILE: Final = "best.yaml"


@attrs.frozen
class SearchFolder:
    """The files of one search."""

    path: Path

    @property
    def matrix(self) -> MatrixFolder:
        """Its cells are kept as those of a matrix."""
        return MatrixFolder(self.path)

    def claim(self) -> HeldLock:
        """Keep other commands from running the same search.

        Raises:
            RunError: if one does, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{self.path}: cannot be made: {error.strerror or error}.") from None
        lock = JobFolder(self.path).claim()
        if lock is None:
            raise RunError(f"{self.path}: another command runs this search: {read_holder(self.path / 'claim')}.")
        return lock

    def keep_description(self, wanted: Mapping[str, Any]) -> None:
        """Write what is searched over, or refuse to go on with another search.

        Raises:
            RunError: if the folder holds another search, or cannot be written.
        """
        found = read_json(self.path / SEARCH_FILE)
        if found is None:
            write_json(self.path / SEARCH_FILE, {"version": 1, **wanted})
            return
        shown = {name: f"`{name}`" for name in wanted} | {"base": "`base`, `set` or `--set` (or other data)"}
        changed = [shown[name] for name, value in wanted.items() if found.get(name) != value]
        if changed:
            raise RunError(
                f"{self.path}: holds a search with another {' and '.join(changed)}. Give this "
                "one another `name`, or remove the folder."
            )

    def epochs(self, cell: str, *, monitor: str) -> dict[int, float]:
        """The monitored score after each epoch that a cell has scored."""
        run = self.path / CELLS / cell / "run"
        if not is_run(run):
            return {}
        records = [record for record in RunFolder(run).records() if record["record"] == "epoch"]
        return {int(record["epoch"]): float(record["valid_metrics"][monitor]) for record in records}

    def write_trials(self, trials: Sequence[TrialRecord], *, cells: Mapping[int, str], monitor: str) -> None:
        """Write `trials.json`."""
        rows = [
            {
                "number": trial.number,
                "values": dict(trial.values),
                "state": trial.state,
                "score": trial.score,
                "epochs": len(trial.epochs),
                "folder": f"{CELLS}/{cells[trial.number]}" if trial.number in cells else None,
            }
            for trial in trials
        ]
        write_json(self.path / TRIALS_FILE, {"version": 1, "monitor": monitor, "trials": rows})

    def cells_of_trials(self) -> dict[int, str]:
        """The names of the cells of the trials so far, by the trials' numbers."""
        rows = (read_json(self.path / TRIALS_FILE) or {}).get("trials", [])
        return {int(row["number"]): Path(row["folder"]).name for row in rows if row["folder"]}

    def write_best(self, content: bytes) -> None:
        """Write `best.yaml`."""
        write_atomically(self.path / BEST_FILE, content)


def last_counted(epochs: Epochs, until: int) -> dict[int, float]:
    """The epochs up to one, included."""
    return {epoch: score for epoch, score in epochs.items() if epoch <= until}
