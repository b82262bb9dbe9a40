"""Files and pages that are sent while they are written, without a thread or a database connection between pieces."""

from collections.abc import AsyncGenerator, Callable

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from conversations.models import ConversationQuerySet
from conversations.transfer import exports
from conversations.transfer.writers import Writer


def download(
    conversations: ConversationQuerySet, writer: Writer, *, name: str, is_welcome: Callable[[], bool]
) -> StreamingHttpResponse:
    """A response with the conversations as a file to save, which ends when `is_welcome` returns False."""
    disposition = content_disposition_header(as_attachment=True, filename=f"{name}.{writer.suffix}")
    headers = {"Cache-Control": "private, no-store"}
    if disposition:
        headers["Content-Disposition"] = disposition
    return StreamingHttpResponse(
        exports.pieces(conversations, writer, is_welcome=is_welcome),
        content_type=writer.content_type,
        headers=headers,
    )


def page(pieces: AsyncGenerator[str]) -> StreamingHttpResponse:
    """A response with a page that the browser shows as it grows."""
    return StreamingHttpResponse(pieces, headers={"Cache-Control": "private, no-store", "X-Accel-Buffering": "no"})
