"""Numbers as a reader takes them in. Torch-free."""


def format_bytes(number: int) -> str:
    """A number of bytes for a reader: `3.2 GiB`."""
    size = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1023.95:  # not to write 1024.0
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def count(number: int, singular: str) -> str:
    """`1 space`, `2,000 spaces`."""
    return f"{number:,} {singular if number == 1 else singular + 's'}"
