"""Scores are made from predictions alone."""

from tests.unit.test_torch_free import heavy_after


def test_scores_need_no_torch() -> None:
    modules = ("calibration", "fields", "pictures", "scored_split", "temperature")
    source = "\n".join(f"import vietmer_core.evaluation.{module}" for module in modules)
    assert "torch" not in heavy_after(source).split(",")
