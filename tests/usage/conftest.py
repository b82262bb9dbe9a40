"""The people whose replies are counted."""

import pytest

from accounts.models import User
from tests.factories import UserFactory
from tests.usage.rows import DAY, NOW


@pytest.fixture
def people(db: None) -> list[User]:
    """Five who have long had an account."""
    return UserFactory.create_batch(5, date_joined=NOW - 200 * DAY)
