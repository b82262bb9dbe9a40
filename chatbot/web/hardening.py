"""What each answer tells browsers to forbid."""

Headers = list[tuple[bytes, bytes]]

FILE_HEADERS: Headers = [(b"cross-origin-resource-policy", b"same-origin")]
"""Headers of static files: other sites may not embed them."""

UNUSED = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "usb",
)
"""Browser features that no page of this site uses."""

PAGE_HEADERS: Headers = [
    *FILE_HEADERS,
    (b"permissions-policy", ", ".join(f"{feature}=()" for feature in UNUSED).encode()),
]
"""Headers of all responses except static files."""
