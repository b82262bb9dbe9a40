"""The tags of the chat's templates do what Django's own do, wherever the site is."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.template import Context, Engine, TemplateDoesNotExist, engines
from django.test import RequestFactory
from django.urls import NoReverseMatch, reverse, set_script_prefix

KEY = uuid4()


@pytest.fixture(params=["/", "/below/"])
def prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the site is mounted."""
    set_script_prefix(request.param)
    yield request.param
    set_script_prefix("/")


def written(text: str, **context: object) -> str:
    return engines["django"].from_string("{% load hot %}" + text).render(context)


def test_addresses_are_those_that_reverse_gives(prefix: str) -> None:
    for _ in range(2):
        assert written("{% address 'conversation-new' %}") == reverse("conversation-new") == prefix
        address = reverse("message-stream", args=[KEY])
        assert address.startswith(prefix)
        assert written("{% address 'message-stream' key %}", key=KEY) == address
        assert written("{% address 'message-stream' key as it %}[{{ it }}]", key=KEY) == f"[{address}]"
        assert written("{% address 'message-stream' pk=key %}", key=KEY) == address
        assert written("{% address name key %}", name="message-stream", key=str(KEY)) == address
        assert written("{% address 'admin:index' %}") == reverse("admin:index")


def test_addresses_that_do_not_exist_are_said_or_left_out() -> None:
    for text in ("{% address 'nowhere' %}", "{% address 'message-stream' %}", "{% address 'message-stream' 'x' %}"):
        with pytest.raises(NoReverseMatch):
            written(text)
    assert written("{% address 'nowhere' key as it %}[{{ it }}]", key=KEY) == "[]"


def test_a_template_within_another_sees_its_context() -> None:
    engine = Engine(
        loaders=[
            (
                "django.template.loaders.locmem.Loader",
                {
                    "part": "{{ a }}{{ b }}{% block c %}c{% endblock %}",
                    "whole": "{% fragment 'part' %} {% fragment 'part' with a=3 %} {% fragment 'part' with b=4 only %}"
                    " {% fragment name %} {{ a }}{% block c %}d{% endblock %}",
                    "alone": "{% fragment 'none' %}",
                },
            )
        ],
        builtins=["chatbot.web.hot_tags"],
    )
    whole = engine.get_template("whole")
    for _ in range(2):
        assert whole.render(Context({"a": 1, "b": 2, "name": "part"})) == "12c 32c 4c 12c 1d"
    with pytest.raises(TemplateDoesNotExist):
        engine.get_template("alone").render(Context())


def test_an_icon_is_drawn_by_its_written_name_or_by_the_contexts() -> None:
    drawing = written('{% icon "copy" %}')
    assert drawing.startswith('<svg class="icon-copy"')
    assert written("{% icon name %}", name="copy") == drawing


def test_all_forms_of_a_page_have_the_token_of_its_request(rf: RequestFactory) -> None:
    forms = engines["django"].from_string("{% load hot %}{% csrf_field %}{% if True %}{% csrf_field %}{% endif %}")
    first, second = (forms.render({}, rf.get("/")) for _ in range(2))
    field = first[: len(first) // 2]
    assert first == 2 * field
    assert re.fullmatch(r'<input type="hidden" name="csrfmiddlewaretoken" value="\w{64}">', field)
    assert field not in second
    assert forms.render({}) == ""
