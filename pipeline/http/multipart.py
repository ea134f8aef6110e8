"""Request bodies: a form with a file, read as it arrives, or JSON."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import HTTPException, Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect

from pipeline.http.file_names import given_name
from pipeline.http.uploads import Upload, UploadedFile
from pipeline.settings import settings

BLOCK_BYTES = 1 << 18
"""Bytes written to disk by one call in a thread."""
FIELD_BYTES = 1 << 16
FIELDS = 200
HEADER_BYTES = 1 << 14
"""Bytes of a header of a part; a file name may be there twice, once percent-encoded."""
JSON_BYTES = 1 << 20
FILE = "file"

Fields = dict[str, list[Any]]
"""The values of each field, in order."""


class Form:
    """A form read as it arrives (RFC 7578): its fields in memory, its one file on disk."""

    def __init__(self, boundary: bytes, folder: Path) -> None:
        self.fields: Fields = {}
        self.upload: Upload | None = None
        self._folder = folder
        self._header = self._value = b""
        self._disposition = self._kind = b""
        self._name = ""
        self._text = bytearray()
        self._is_file = False
        self._count = 0
        self._is_whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._take_header,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take_data,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
            max_header_size=HEADER_BYTES,
        )

    def write(self, data: bytes) -> None:
        """Write the next bytes; may block."""
        self._parser.write(data)

    def finish(self) -> UploadedFile | None:
        """Return the file, if any, after the end of the body; may block."""
        if not self._is_whole:
            raise HTTPException(400, "The form breaks off before its end; send it again.")
        return self.upload.finish() if self.upload else None

    def _begin(self) -> None:
        self._header = self._value = self._disposition = self._kind = b""
        self._text.clear()
        self._count += 1
        if self._count > FIELDS:
            raise HTTPException(400, f"The form has more than {FIELDS} fields.")

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        elif self._header.lower() == b"content-type":
            self._kind = self._value.lower()
        self._header = self._value = b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode(errors="replace")
        if not self._name:
            raise HTTPException(400, "A part of the form has no name.")
        given = given_name(self._disposition)
        # The field `file` counts as a file even without a file name, and so does what says that it is audio.
        self._is_file = given is not None or self._name == FILE or self._kind.startswith((b"audio/", b"video/"))
        if not self._is_file:
            return
        self._check_field(self._name)
        if self.upload:
            raise HTTPException(422, "One file a request; send the others in requests of their own.")
        self.upload = Upload(self._folder, given or "")

    def _check_field(self, name: str) -> None:
        """Check the name of the field that has the file."""
        if name != FILE:
            raise HTTPException(422, f"{name}: the audio goes into the field `{FILE}`.")

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file and self.upload:
            self.upload.write(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > FIELD_BYTES:
            self._shorten(self._text)

    def _shorten(self, text: bytearray) -> None:
        """Refuse (413) or shorten the text of a field that has more than `FIELD_BYTES`."""
        raise HTTPException(413, f"{self._name}: a field may have {FIELD_BYTES} bytes.")

    def _end(self) -> None:
        if not self._is_file:
            self.fields.setdefault(self._name, []).append(self._text.decode(errors="replace"))

    def _finish(self) -> None:
        self._is_whole = True


async def read(request: Request, folder: Path, form: type[Form] = Form) -> tuple[Fields, UploadedFile | None]:
    """Return the fields of a request and its file, which the caller has to remove.

    The body is a multipart form or, without a file, JSON.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"application/json":
        return {name: [value] for name, value in (await _json(request)).items()}, None
    if kind != b"multipart/form-data":
        raise HTTPException(415, "Send the audio as multipart/form-data, or its address as application/json.")
    if not options.get(b"boundary"):
        raise HTTPException(400, "The form's Content-Type names no boundary.")
    limit_bytes = settings().serve_upload_limit_bytes
    if int(request.headers.get("content-length", 0)) > limit_bytes + FIELDS * FIELD_BYTES:
        raise HTTPException(413, f"The upload is larger than the {limit_bytes} bytes that this server takes.")
    try:
        return await _read_form(request, form(options[b"boundary"], folder))
    except FormParserError as error:
        raise HTTPException(400, f"The form cannot be read: {error}.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The form breaks off before its end; send it again.") from None


async def _read_form(request: Request, form: Form) -> tuple[Fields, UploadedFile | None]:
    try:
        async for block in _blocks(request):
            await to_thread.run_sync(form.write, block)
        return form.fields, await to_thread.run_sync(form.finish)
    except BaseException:
        if form.upload:
            form.upload.drop()
        raise


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in blocks large enough for a call in a thread."""
    block = bytearray()
    async for chunk in request.stream():
        block += chunk
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    yield bytes(block)


async def _json(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > JSON_BYTES:
            raise HTTPException(413, f"JSON may have {JSON_BYTES} bytes; send audio as multipart/form-data.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"The JSON cannot be read: {error}.") from None
    if not isinstance(found, dict):
        raise HTTPException(422, "The JSON has to be an object with the field `url`.")
    return found
