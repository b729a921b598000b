"""Photos in a request: no more bytes and no more photos than are allowed."""

import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request


@dataclass(frozen=True)
class Limits:
    """What a request may ask for.

    Attributes:
        max_bytes: of a request's body.
        max_photos: in a request.
        timeout_seconds: from a request's arrival to its answer.
        waiting: photos in line for the network; one more is answered with 503.
    """

    max_bytes: int = 64 * 2**20
    max_photos: int = 64
    timeout_seconds: float = 60.0
    waiting: int = 256


class _InMemory(MultiPartParser):
    """A form whose files are never put into temporary files, however large: no photo on a disk."""

    spool_max_size = sys.maxsize


async def uploaded_photos(request: Request, limits: Limits) -> list[tuple[str, bytes]]:
    """Names and contents of the photos in a request: its body, or files of a multipart form.

    Raises:
        HTTPException: 413 where it is too large, 400 where it holds no photo or cannot be read.
    """
    too_large = HTTPException(
        413, f"a request may have {limits.max_bytes // 2**20} MiB: send fewer or smaller photos"
    )
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 15:
        raise HTTPException(400, "Content-Length is no number of bytes")
    if int(length) > limits.max_bytes:
        raise too_large
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limits.max_bytes:
            raise too_large
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        if not body:
            raise HTTPException(400, "expected a photo as the body, or files of a multipart form")
        return [("", bytes(body))]

    async def received() -> AsyncGenerator[bytes, None]:
        yield bytes(body)

    try:
        form = await _InMemory(
            request.headers, received(), max_files=limits.max_photos, max_fields=limits.max_photos
        ).parse()
    except MultiPartException as error:
        raise HTTPException(400, f"the multipart form cannot be read: {error.message}") from None
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        raise HTTPException(400, "the multipart form has no file in it")
    photos = [(file.filename or "", await file.read()) for file in files]
    await form.close()
    return photos
