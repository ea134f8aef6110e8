"""Forms as they come, cut into pieces wherever the network likes."""

import hashlib
from pathlib import Path

import pytest
from fastapi import HTTPException
from python_multipart.exceptions import FormParserError

from pipeline.http.multipart import Form
from pipeline.settings import settings

SOUND = b"ID3\x04\x00 sound \r\n--c not the end \r\n--\r\n" * 3
BODY = (
    b'--b\r\nContent-Disposition: form-data; name="language"\r\n\r\nen\r\n'
    b'--b\r\nContent-Disposition: form-data; name="questions"\r\n\r\nWho speaks?\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="ep 1.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n'
    + SOUND
    + b'\r\n--b\r\nContent-Disposition: form-data; name="questions"\r\n\r\nWo?\r\n--b--\r\n'
)


def read(tmp_path: Path, *pieces: bytes) -> Form:
    form = Form(b"b", tmp_path)
    for piece in pieces:
        form.write(piece)
    return form


def test_a_form_is_the_same_wherever_it_is_cut(tmp_path: Path) -> None:
    for cut in range(1, len(BODY)):
        form = read(tmp_path, BODY[:cut], BODY[cut:])
        upload = form.finish()

        assert upload is not None
        assert upload.path.read_bytes() == SOUND
        assert upload.episode == hashlib.sha256(SOUND).hexdigest()[:16]
        assert form.fields == {"language": ["en"], "questions": ["Who speaks?", "Wo?"]}
        upload.clear_away(None)
    assert list(tmp_path.iterdir()) == []


def test_a_form_that_breaks_off_is_none(tmp_path: Path) -> None:
    form = read(tmp_path, BODY[:-30])

    with pytest.raises(HTTPException, match="breaks off"):
        form.finish()
    assert form.upload is not None
    form.upload.drop()
    assert list(tmp_path.iterdir()) == []


def test_an_upload_may_not_grow_above_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUET_SERVE_UPLOAD_LIMIT_BYTES", str(len(SOUND) - 1))
    settings.cache_clear()
    try:
        with pytest.raises(HTTPException, match="larger than"):
            read(tmp_path, BODY)
    finally:
        settings.cache_clear()


@pytest.mark.parametrize(
    "hostile", [b"", b"--", b"no form at all", b"--b\r\nno header\r\n\r\n", BODY.replace(b"name=", b"")]
)
def test_what_is_no_form_is_said_to_be_none(tmp_path: Path, hostile: bytes) -> None:
    with pytest.raises((HTTPException, FormParserError)):
        read(tmp_path, hostile).finish()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("語" * 120 + ".mp3", "語" * 65 + ".mp3"),  # 3 bytes each
        ("a" * 300 + ".mp3", "a" * 196 + ".mp3"),
        ("🎙" * 80 + ".m4a", "_" * 80 + ".m4a"),
        ("ж" * 110 + ".ogg", "ж" * 98 + ".ogg"),
        ("../../x/épisode 1.mp3", "épisode 1.mp3"),
        ("...", "upload"),
    ],
)
def test_a_name_in_any_script_fits_a_file_system_and_keeps_its_ending(tmp_path: Path, given: str, kept: str) -> None:
    body = BODY.replace(b"ep 1.mp3", given.encode())

    upload = read(tmp_path, body).finish()

    assert upload is not None
    assert upload.name == upload.path.name == kept
    assert upload.path.read_bytes() == SOUND
