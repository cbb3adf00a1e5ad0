"""Media types of ours that schemathesis does not know how to write."""

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def part(_context, value):
    """A part of a resumable upload: its bytes."""
    return value if isinstance(value, bytes) else str(value).encode()
