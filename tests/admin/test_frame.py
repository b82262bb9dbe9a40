"""What every page of the admin has around it."""

import pytest

from tests.admin.conftest import Staff

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/admin/", "/admin/accounts/user/", "/admin/accounts/user/add/?_popup=1"])
def test_every_page_names_the_sites_icon(staff: Staff, path: str) -> None:
    assert '<link rel="icon" href="/static/favicon.svg" type="image/svg+xml">' in staff().get(path).content.decode()
