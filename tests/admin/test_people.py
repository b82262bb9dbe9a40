"""People in the admin."""

import pytest
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from conversations.models import Conversation, Message
from tests.admin.conftest import Staff, member
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


def test_people_are_made_by_email(staff: Staff) -> None:
    client = staff()
    data = {"email": "New@Example.org", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    response = client.post("/admin/accounts/user/add/", data)
    assert response.status_code == 302
    assert User.objects.get(email__iexact="new@example.org").check_password(PASSWORD)
    assert client.get("/admin/accounts/user/").status_code == 200


def test_a_persons_page_leads_to_their_conversations(staff: Staff, answer: Message) -> None:
    client = staff()
    html = client.get(f"/admin/accounts/user/{answer.user_id}/change/").content.decode()
    address = f"/admin/conversations/conversation/?user__id__exact={answer.user_id}"
    assert address in html
    assert str(answer.conversation_id) in client.get(address).content.decode()


def test_a_person_is_erased_with_all_that_is_theirs_once_confirmed(staff: Staff, answer: Message) -> None:
    client = staff("view_user", "delete_user")
    path = f"/admin/accounts/user/{answer.user_id}/delete/"
    html = client.get(path).content.decode()
    assert "conversations.Message" in html
    assert User.objects.filter(pk=answer.user_id).exists()
    assert client.post(path).status_code == 302
    assert not User.objects.filter(pk=answer.user_id).exists()
    assert not Conversation.objects.exists()
    for entry in LogEntry.objects.filter(action_flag=DELETION):
        assert answer.user.email not in f"{entry.object_repr}{entry.change_message}{entry.object_id}"


def test_only_those_who_may_delete_people_erase_one_and_nobody_themselves(staff: Staff, answer: Message) -> None:
    path = f"/admin/accounts/user/{answer.user_id}/delete/"
    assert staff("view_user", "change_user").post(path).status_code == 403
    superuser = UserFactory.create(is_superuser=True)
    assert staff("view_user", "delete_user").post(f"/admin/accounts/user/{superuser.pk}/delete/").status_code == 403
    client = staff()
    myself = User.objects.get(is_superuser=True, is_staff=True)
    response = client.post(f"/admin/accounts/user/{myself.pk}/delete/")
    assert "This is your account." in response.content.decode()
    several = {"action": "delete_selected", "_selected_action": [answer.user_id], "index": 0, "post": "yes"}
    client.post("/admin/accounts/user/", several)
    assert User.objects.filter(pk__in=(myself.pk, answer.user_id)).count() == 2


def test_who_may_change_people_gives_nobody_power_and_touches_no_staff(staff: Staff, answer: Message) -> None:
    client = staff("view_user", "change_user", "delete_user")
    colleague = member()
    for path in ("change", "password", "delete"):
        page = client.get(f"/admin/accounts/user/{colleague.pk}/{path}/")
        assert page.status_code == (200 if path == "change" else 403)
    assert client.post(f"/admin/accounts/user/{colleague.pk}/change/", {"is_superuser": "on"}).status_code == 403
    path = f"/admin/accounts/user/{answer.user_id}/change/"
    data = {"email": answer.user.email, "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    assert client.post(path, data | {"usage_limits-TOTAL_FORMS": 0, "usage_limits-INITIAL_FORMS": 0}).status_code == 302
    person = User.objects.get(pk=answer.user_id)
    assert not person.is_staff
    assert not person.is_superuser


def test_who_may_change_groups_gives_them_no_permission(staff: Staff) -> None:
    group = Group.objects.create(name="Readers")
    html = staff("view_group", "change_group").get(f"/admin/auth/group/{group.pk}/change/").content.decode()
    assert 'name="name"' in html
    assert 'name="permissions"' not in html


def test_erasing_a_person_is_written_down_before_it_begins(staff: Staff, answer: Message) -> None:
    staff().post(f"/admin/accounts/user/{answer.user_id}/delete/")
    began, ended = LogEntry.objects.filter(action_flag=DELETION).order_by("pk")
    assert began.change_message == "Began to erase a person permanently."
    assert ended.change_message.startswith("Erased a person permanently: ")


def test_others_do_not_get_in(signed_in: Client, client: Client, answer: Message) -> None:
    for who in (signed_in, client):
        response = who.get("/admin/conversations/conversation/")
        assert response.status_code == 302
        assert "/login/" in response["Location"]


def test_the_admin_is_entered_by_the_sites_own_limited_sign_in(client: Client) -> None:
    response = client.get("/admin/login/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/")
