"""Forms as they come, cut into pieces wherever the network likes."""

import hashlib
from pathlib import Path

import pytest
from fastapi import HTTPException
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from python_multipart.exceptions import FormParserError

from pipeline.http.file_names import NAME_BYTES, given_name, plain
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
        ("🎙" * 80 + ".m4a", "🎙" * 49 + ".m4a"),
        ("x" * 1000 + ".mp3", "x" * 196 + ".mp3"),
        ("हिन्दी पॉडकास्ट ๑.mp3", "हिन्दी पॉडकास्ट ๑.mp3"),
        ("Cafe\u0301 “live”.mp3", "Café “live”.mp3"),
        ("ep\u202e3pm.exe\u200f.mp3", "ep3pm.exe.mp3"),
        ("bell\a\x1b[31m?*<>|:.mp3", "bell_31m______.mp3"),
        ("CON.mp3", "CON.mp3"),
        (" . ep.mp3 . .", "ep.mp3"),
        (".mp3", "upload.mp3"),
        ("C:\\Users\\me\\ep.mp3", "ep.mp3"),
        ("/etc/..", "upload"),
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


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (b"filename*=UTF-8''%E8%AA%9E%20a.mp3", "語 a.mp3"),
        (b"filename=\"__.mp3\"; filename*=utf-8'zh'%E8%AA%9E.mp3", "語.mp3"),
        (b"filename*=utf-8''%E8%AA%9E.mp3; filename=\"__.mp3\"", "語.mp3"),
        (b"filename*=ISO-8859-1''Caf%E9.mp3", "Café.mp3"),
        (b"filename*=\"UTF-8''a%20b.mp3\"", "a b.mp3"),
        (b"filename*=nonsense''%E8%AA%9E.mp3", "語.mp3"),
        (b"filename*=UTF-8''%FF%E9.mp3", "ÿé.mp3"),
        (b'filename="Caf\xe9.mp3"', "Café.mp3"),
        (b'filename="%E8%AA%9E%2Fx%20y.mp3"', "x y.mp3"),
        (b'filename="100%.mp3"', "100_.mp3"),
        (b'filename="=?UTF-8?B?6KqeLm1wMw==?="', "語.mp3"),
        (b'filename="=?nonsense?B?6?="', "__nonsense_B_6__"),
        (b'filename="a \\"b\\".mp3"', "a _b_.mp3"),
        (b"filename=bare.mp3", "bare.mp3"),
        (b'filename=""', "upload"),
        (b'filename="' + "語".encode() * 1000 + b".mp3\"; filename*=UTF-8''" + b"%E8%AA%9E" * 333 + b".mp3", "語" * 65),
    ],
)
def test_a_name_is_read_however_a_client_writes_it(tmp_path: Path, header: bytes, kept: str) -> None:
    upload = read(tmp_path, BODY.replace(b'filename="ep 1.mp3"', header)).finish()

    assert upload is not None
    assert upload.name.removesuffix(".mp3") == kept.removesuffix(".mp3")
    assert upload.path.read_bytes() == SOUND


@given(st.binary(max_size=80))
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_bytes_for_a_name_give_a_name_that_a_file_can_have(header: bytes) -> None:
    name = plain(given_name(b'form-data; name="file"; filename=' + header) or "")

    assert 0 < len(name.encode()) <= NAME_BYTES
    assert name not in (".", "..")
    assert not set(name) & set("/\\\0\n\r\x1b")


def test_a_part_that_is_audio_is_the_file_without_a_name(tmp_path: Path) -> None:
    body = BODY.replace(b'; filename="ep 1.mp3"', b"")

    upload = read(tmp_path, body).finish()

    assert upload is not None
    assert upload.name == "upload"
    with pytest.raises(HTTPException, match="goes into the field `file`"):
        read(tmp_path, body.replace(b'name="file"', b'name="sound"'))
