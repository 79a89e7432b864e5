"""A fixed stream number for Ogg files, so that the same samples give the same bytes.

libsndfile numbers each Ogg stream at random. The number stands in every page's header, under the page's checksum.
"""

from pathlib import Path
from typing import Final

PAGE_MARK: Final = b"OggS"
SERIAL: Final = slice(14, 18)
CHECKSUM: Final = slice(22, 26)
NUM_SEGMENTS_AT: Final = 26
HEADER_BYTES: Final = 27
POLYNOMIAL: Final = 0x04C11DB7


def _checksum_table() -> list[int]:
    table = []
    for byte in range(256):
        remainder = byte << 24
        for _ in range(8):
            remainder = (remainder << 1) ^ (POLYNOMIAL if remainder & 0x80000000 else 0)
        table.append(remainder & 0xFFFFFFFF)
    return table


CHECKSUM_TABLE: Final = _checksum_table()


def page_checksum(page: bytes) -> int:
    """CRC-32 of an Ogg page whose checksum field is zero (RFC 3533)."""
    checksum = 0
    for byte in page:
        checksum = ((checksum << 8) & 0xFFFFFFFF) ^ CHECKSUM_TABLE[(checksum >> 24) ^ byte]
    return checksum


def fix_serial(path: Path, *, serial: int) -> None:
    """Give every page of the Ogg file at `path` the stream number `serial`."""
    content = bytearray(path.read_bytes())
    start = 0
    while start < len(content):
        if content[start : start + 4] != PAGE_MARK:
            raise ValueError(f"`{path}` must be a sequence of Ogg pages, but byte {start} does not start one.")
        num_segments = content[start + NUM_SEGMENTS_AT]
        sizes = content[start + HEADER_BYTES : start + HEADER_BYTES + num_segments]
        end = start + HEADER_BYTES + num_segments + sum(sizes)
        page = content[start:end]
        page[SERIAL] = serial.to_bytes(4, "little")
        page[CHECKSUM] = bytes(4)
        page[CHECKSUM] = page_checksum(bytes(page)).to_bytes(4, "little")
        content[start:end] = page
        start = end
    path.write_bytes(content)
