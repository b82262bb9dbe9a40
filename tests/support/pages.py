"""The site's pages as tests request them."""

from django.test import Client

from tests.support.elements import read

HTMX = {"HX-Request": "true"}
"""Header that htmx sends with each request."""


def page(client: Client, path: str, **headers: str) -> str:
    """HTML of the page at an address; fails unless the status is 200."""
    response = client.get(path, headers=headers)
    assert response.status_code == 200, path
    return response.content.decode()


def further(html: str, name: str) -> str:
    """Address of the next part of a page, which htmx loads; its parameter `name` holds the position."""
    return read(html).one(f'[hx-get*="{name}="]')["hx-get"]
