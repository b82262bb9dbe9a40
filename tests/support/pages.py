"""The site's pages, as a test asks for them."""

from django.test import Client

from tests.support.elements import read

HTMX = {"HX-Request": "true"}
"""What htmx says of itself with each of its requests."""


def page(client: Client, path: str, **headers: str) -> str:
    """The HTML of the page at an address."""
    response = client.get(path, headers=headers)
    assert response.status_code == 200, path
    return response.content.decode()


def further(html: str, name: str) -> str:
    """Where htmx finds what a page does not show yet: the address whose parameter `name` says from where on."""
    return read(html).one(f'[hx-get*="{name}="]')["hx-get"]
