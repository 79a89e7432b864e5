"""The small parts of the sentences of an audit. Torch-free."""

from collections.abc import Sequence


def counted(count: int, noun: str) -> str:
    """`1 row`, `2 rows`, `1,440 rows`; a noun in `y` after a consonant and `class` take their own plural."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"


def stand(count: int, *, one: str = "stands", many: str = "stand") -> str:
    """The verb that goes with a count."""
    return one if count == 1 else many


def in_splits(splits: Sequence[str]) -> str:
    """`train and test`; `train, valid and test`."""
    return splits[0] if len(splits) == 1 else f"{', '.join(splits[:-1])} and {splits[-1]}"


def share(count: int, total: int) -> str:
    """`9 of 25`."""
    return f"{count:,} of {total:,}"
