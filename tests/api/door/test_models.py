"""The models that the door for OpenAI's clients knows."""

import pytest

from accounts.models import User
from tests.api.program import Program
from tests.kit.provider import ScriptedProvider
from tests.kit.server import ChatServer

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_model_that_can_be_asked_is_known_past_those_that_are_listed(
    user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.models[:] = ["text-embedding-3-small", *(f"model-{number:03}" for number in range(300))]
    with ChatServer(OPENAI_BASE_URL=module_provider.url) as server:
        program = Program(server, user)
        listed = program.wait_for_models()
        assert (len(listed), listed[0]) == (200, "model-000")
        assert program.get("/v1/models/model-299").json["id"] == "model-299"
        assert program.get("/v1/models/model-300").status == 404
