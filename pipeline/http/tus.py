"""The tus protocol 1.0 (https://tus.io/protocols/resumable-upload) for uploads that outlive a connection and a reload.

Core, creation, expiration and termination; a complete upload becomes a job by `{"upload": id}` to `/hybrid`.
"""

import base64
import binascii
from email.utils import formatdate
from typing import Annotated, BinaryIO

from anyio import CancelScope, to_thread
from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from pipeline.http.auth import Caller, caller, place
from pipeline.http.multipart import BLOCK_BYTES
from pipeline.http.resumable_upload import ResumableUpload, UploadPlan
from pipeline.settings import settings

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,termination"
KIND = "application/offset+octet-stream"
MOST_METADATA = 4096


def _check_version(request: Request, tus_resumable: Annotated[str, Header()] = "") -> None:
    if request.method != "OPTIONS" and tus_resumable != VERSION:
        raise HTTPException(412, f"Send the header Tus-Resumable: {VERSION}.", {"Tus-Version": VERSION})


# Not in the OpenAPI description, which cannot say what the protocol does; its clients know it.
router = APIRouter(prefix="/uploads", include_in_schema=False, dependencies=[Depends(_check_version)])


@router.options("")
async def get_protocol(found: Annotated[Caller, Depends(caller)]) -> Response:
    """Return the version, the extensions and the size limit."""
    limit = str(settings().serve_upload_limit_bytes)
    headers = {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": limit}
    return Response(status_code=204, headers=_common() | headers)


@router.post("")
async def create(
    request: Request,
    found: Annotated[Caller, Depends(caller)],
    upload_length: Annotated[int, Header(ge=0)],
    upload_metadata: Annotated[str, Header(max_length=MOST_METADATA)] = "",
) -> Response:
    """Begin an upload; `filename` in the metadata is the name of the file."""
    plan = UploadPlan(name=_file_name(upload_metadata), length=upload_length, owner=found.id)
    made = await to_thread.run_sync(ResumableUpload.create, request.app.state.uploads, plan)
    location = f"{request.scope.get('root_path', '')}/uploads/{made.id}"
    return Response(status_code=201, headers=_state(made) | {"Location": location})


@router.head("/{upload}")
async def get_offset(request: Request, upload: str, found: Annotated[Caller, Depends(caller)]) -> Response:
    """Return the number of bytes that have arrived."""
    known = await to_thread.run_sync(ResumableUpload.find, request.app.state.uploads, upload, found.id)
    return Response(headers=_state(known) | {"Upload-Length": str(known.plan.length), "Cache-Control": "no-store"})


@router.patch("/{upload}")
async def append(
    request: Request,
    upload: str,
    found: Annotated[Caller, Depends(place)],
    upload_offset: Annotated[int, Header(ge=0)],
) -> Response:
    """Add bytes at the end; those that arrive before a connection breaks stay."""
    if request.headers.get("content-type") != KIND:
        raise HTTPException(415, f"Send the bytes as {KIND}.")
    known = await to_thread.run_sync(ResumableUpload.find, request.app.state.uploads, upload, found.id)
    file = await to_thread.run_sync(known.open, upload_offset)
    try:
        await _receive(request, known, file)
        await to_thread.run_sync(known.settle)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    finally:
        file.close()
    return Response(status_code=204, headers=_state(known))


@router.delete("/{upload}")
async def terminate(request: Request, upload: str, found: Annotated[Caller, Depends(caller)]) -> Response:
    """Remove an unfinished upload."""
    known = await to_thread.run_sync(ResumableUpload.find, request.app.state.uploads, upload, found.id)
    if await to_thread.run_sync(lambda: known.offset) == known.plan.length:
        raise HTTPException(409, "The upload is complete; a job may read it.")
    await to_thread.run_sync(known.drop)
    return Response(status_code=204, headers=_common())


async def _receive(request: Request, upload: ResumableUpload, file: BinaryIO) -> None:
    """Write the body in blocks; the last one even if the connection breaks."""
    block = bytearray()
    try:
        async for chunk in request.stream():
            block += chunk
            if len(block) >= BLOCK_BYTES:
                await to_thread.run_sync(upload.write, file, bytes(block))
                block.clear()
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(upload.write, file, bytes(block))


def _state(upload: ResumableUpload) -> dict[str, str]:
    own = {"Upload-Offset": str(upload.offset), "Upload-Expires": formatdate(upload.expires_at, usegmt=True)}
    return _common() | own


def _common() -> dict[str, str]:
    return {"Tus-Resumable": VERSION}


def _file_name(metadata: str) -> str:
    """Return the file name in an Upload-Metadata header: pairs of a key and a value in base64."""
    pairs = dict(it.strip().partition(" ")[::2] for it in metadata.split(","))
    try:
        return base64.b64decode(pairs.get("filename", ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise HTTPException(400, "Upload-Metadata: filename is not UTF-8 in base64.") from None
