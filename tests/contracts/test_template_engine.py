"""The inside of Django's template engine, on which the tags of `chatbot/web/hot_tags.py` build."""

from uuid import UUID

import pytest
from django.template import Context, Engine
from django.template.defaulttags import CsrfTokenNode, URLNode
from django.template.loader_tags import IncludeNode

from chatbot.web import hot_tags
from tests.contracts.words import relied_upon

HOME = "chatbot/web/hot_tags.py"
KEY = UUID(int=7)


def compiled(text: str) -> list[object]:
    """The nodes of a template, without texts and loads."""
    nodes = Engine.get_default().from_string(text).nodelist
    return [node for node in nodes if type(node).__name__ not in {"TextNode", "LoadNode"}]


def test_djangos_own_names_are_djangos_own_tags() -> None:
    """In the admin's and allauth's templates, and wherever nothing else is loaded."""
    nodes = compiled("{% include 'error.html' %}{% url 'conversation-new' %}{% csrf_token %}")
    assert [type(node) for node in nodes] == [IncludeNode, URLNode, CsrfTokenNode]


def test_an_include_tells_what_it_includes() -> None:
    with relied_upon("`do_include` returns a node with `template.var`, `extra_context`, `isolated_context`.", HOME):
        (node,) = compiled("{% load hot %}{% fragment 'error.html' with a=1 only %}")
        assert isinstance(node, hot_tags.Fragment)
        assert node.template.var == "error.html"
        assert node.isolated_context
        assert node.extra_context["a"].resolve(Context()) == 1


def test_a_url_tells_whose_address_it_is() -> None:
    with relied_upon("`url` returns a node with `view_name.var`, `args`, `kwargs` and `asvar`.", HOME):
        (node,) = compiled("{% load hot %}{% address 'message-stream' key as it %}")
        assert isinstance(node, hot_tags.Address)
        assert node.view_name.var == "message-stream"
        assert [argument.resolve(Context({"key": KEY})) for argument in node.args] == [KEY]
        assert (node.kwargs, node.asvar) == ({}, "it")


def test_one_rendering_shares_what_it_knows_with_its_fragments_and_with_no_other() -> None:
    with relied_upon("`Context.render_context.dicts[0]` is one dictionary for a rendering and what it includes.", HOME):
        seen: list[dict[object, object]] = []
        template = Engine.get_default().from_string("{{ note }}{% include part %}")
        part = Engine.get_default().from_string("{{ note }}")
        for _ in range(2):
            context = Context({"part": part})
            context["note"] = lambda context=context: seen.append(hot_tags.of_rendering(context))
            template.render(context)
        assert seen[0] is seen[1]
        assert seen[2] is seen[3]
        assert seen[0] is not seen[2]


@pytest.mark.parametrize("has_token", [True, False])
def test_the_field_of_a_form_is_the_one_that_django_writes(*, has_token: bool) -> None:
    with relied_upon("`CsrfTokenNode.render` writes the field of the token in the context.", HOME):
        context = {"csrf_token": "x" * 64} if has_token else {}
        own, djangos = (
            Engine.get_default().from_string(f"{{% load hot %}}{{% {tag} %}}").render(Context(context))
            for tag in ("csrf_field", "csrf_token")
        )
        assert own == djangos
        assert ("x" * 64 in own) is has_token
