"""Frames of audio streams that have no file header: MPEG audio, AAC, AC-3 and MPEG transport streams."""

from collections.abc import Callable

MPEG_1_KBPS = {
    1: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
}
"""Bit rates by the code of the layer: III, II."""
MPEG_2_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
MPEG_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
PACKET_BYTES = (188, 192, 204)
"""Distances of the packets of a transport stream: plain, with a timestamp (M2TS), and with error correction."""
PACKETS = 5
IN_A_ROW = 3
"""Consecutive headers that no other bytes have by chance."""


def holds_frames(head: bytes) -> bool:
    """Return whether a file's first bytes hold frames of audio, which zeros and other bytes may precede."""
    start = len(head) - len(head.lstrip(b"\0"))
    if any(_follows(head, start, length, 2 if start else 1) for _, length in KINDS):
        return True
    if _is_transport_stream(head):
        return True
    return any(_follows(head, at, length, IN_A_ROW) for sync, length in KINDS for at in _places(head, sync))


def _mpeg_bytes(head: bytes, at: int) -> int:
    """Return the length of the frame of MPEG audio at a place, 0 if there is none (ISO/IEC 11172-3, 2.4.1.3)."""
    if head[at] != 0xFF or head[at + 1] & 0xE0 != 0xE0:
        return 0
    version, layer, rate, pitch = head[at + 1] >> 3 & 3, head[at + 1] >> 1 & 3, head[at + 2] >> 4, head[at + 2] >> 2 & 3
    # Layer I is not in use, and its frames begin like UTF-16 text.
    if version == 1 or layer not in (1, 2) or rate in (0, 15) or pitch == 3:
        return 0
    kbps = (MPEG_1_KBPS[layer] if version == 3 else MPEG_2_KBPS)[rate - 1]
    per_kbps = 72_000 if layer == 1 and version != 3 else 144_000
    return per_kbps * kbps // MPEG_HZ[version][pitch] + (head[at + 2] >> 1 & 1)


def _adts_bytes(head: bytes, at: int) -> int:
    """Return the length of the AAC frame at a place, 0 if there is none (ISO/IEC 14496-3, 1.A.2.2)."""
    if head[at] != 0xFF or head[at + 1] & 0xF6 != 0xF0 or head[at + 2] >> 2 & 15 > 12:
        return 0
    length = (head[at + 3] & 3) << 11 | head[at + 4] << 3 | head[at + 5] >> 5
    return length if length > 7 else 0


def _loas_bytes(head: bytes, at: int) -> int:
    """Return the length of the LOAS frame of AAC at a place, 0 if there is none (ISO/IEC 14496-3, 1.7.2)."""
    is_frame = head[at] == 0x56 and head[at + 1] & 0xE0 == 0xE0
    return 3 + ((head[at + 1] & 31) << 8 | head[at + 2]) if is_frame else 0


def _ac3_bytes(head: bytes, at: int) -> int:
    """Return the length of the AC-3 or E-AC-3 frame at a place, 0 if there is none (ATSC A/52, 5.3 and E.2)."""
    if head[at : at + 2] != b"\x0b\x77":
        return 0
    version, pitch, size = head[at + 5] >> 3, head[at + 4] >> 6, head[at + 4] & 63
    if 10 < version <= 16:
        return 2 * ((head[at + 2] & 7) << 8 | head[at + 3]) + 2
    if version > 16 or pitch == 3 or size >= 2 * len(AC3_KBPS):
        return 0
    kbps = AC3_KBPS[size // 2]
    return (4 * kbps, 2 * (320 * kbps // 147 + size % 2), 6 * kbps)[pitch]


KINDS: tuple[tuple[bytes, Callable[[bytes, int], int]], ...] = (
    (b"\xff", _mpeg_bytes), (b"\xff", _adts_bytes), (b"\x0b\x77", _ac3_bytes), (b"\x56", _loas_bytes),
)  # fmt: skip


def _follows(head: bytes, at: int, length: Callable[[bytes, int], int], count: int) -> bool:
    """Return whether frames follow each other from a place; one fewer suffices where the bytes end before."""
    for done in range(count):
        if at + 6 > len(head):
            return 0 < done == count - 1
        size = length(head, at)
        if not size:
            return False
        at += size
    return True


def _places(head: bytes, sync: bytes) -> list[int]:
    found, at = [], head.find(sync)
    while at >= 0:
        found.append(at)
        at = head.find(sync, at + 1)
    return found


def _is_transport_stream(head: bytes) -> bool:
    """Return whether sync bytes stand at the distance of packets (ISO/IEC 13818-1, 2.4.3.2)."""
    return any(
        head[at : at + PACKETS * distance : distance] == b"\x47" * PACKETS
        for at in _places(head, b"\x47")
        for distance in PACKET_BYTES
    )
