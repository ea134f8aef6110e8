"""Memory that the C library keeps although nobody uses it."""

import os
import platform
from pathlib import Path

import pytest

from pipeline.messaging.commands import environment
from workers.memory import heap

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PIECE_BYTES = 100_000  # below the size from which glibc maps each allocation on its own


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_what_lies_free_between_allocations_goes_back_to_the_system() -> None:
    # Given a heap of 200 MB of which only the last piece is still in use
    pieces = [bytearray(PIECE_BYTES) for _ in range(2000)]
    held_bytes = resident_bytes()
    del pieces[:-1]

    heap.release_free_pages()

    assert resident_bytes() < held_bytes - 150_000_000
    assert len(pieces) == 1


def test_where_the_c_library_cannot_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_TRIM", None)
    heap.release_free_pages()


def test_a_pool_keeps_little_for_shapes_it_has_seen_unless_the_person_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        monkeypatch.delenv(name, raising=False)
    own = environment("whisper")
    assert (own["ONEDNN_PRIMITIVE_CACHE_CAPACITY"], own["LRU_CACHE_CAPACITY"]) == ("64", "16")
    monkeypatch.setenv("LRU_CACHE_CAPACITY", "8")
    assert environment("whisper")["LRU_CACHE_CAPACITY"] == "8"
