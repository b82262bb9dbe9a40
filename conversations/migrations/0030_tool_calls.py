"""Tool calls and rounds of replies, and what their generations know of them."""

from typing import ClassVar

import django.db.models.deletion
import django.utils.timezone
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Add two tables and two columns with constant defaults."""

    dependencies: ClassVar = [
        ("conversations", "0029_sentences"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="ReplyRound",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveSmallIntegerField(help_text="From 0.")),
                ("text", models.TextField(blank=True)),
                ("reasoning", models.TextField(blank=True)),
                (
                    "items",
                    models.JSONField(
                        blank=True, help_text="Fields of the answer that go back to the provider.", null=True
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name="ToolCall",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        choices=[("chat", "Chat"), ("door", "Door"), ("mcp", "Mcp")], default="chat", max_length=4
                    ),
                ),
                ("round", models.PositiveSmallIntegerField(default=0, help_text="The round of its reply, from 0.")),
                ("position", models.PositiveSmallIntegerField(default=0, help_text="Its place in the round, from 0.")),
                (
                    "place",
                    models.PositiveIntegerField(default=0, help_text="Characters of the reply's text before it."),
                ),
                (
                    "provider_id",
                    models.CharField(blank=True, help_text="Its id in the provider's answer.", max_length=200),
                ),
                ("tool", models.CharField(max_length=200)),
                (
                    "arguments",
                    models.TextField(
                        blank=True, help_text="The arguments as the model wrote them, mostly a JSON object."
                    ),
                ),
                (
                    "extra",
                    models.JSONField(
                        blank=True, help_text="Further fields of the provider, which go back to it.", null=True
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "Proposed"),
                            ("waiting", "Waiting"),
                            ("approved", "Approved"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("declined", "Declined"),
                            ("unknown", "Unknown"),
                        ],
                        default="proposed",
                        max_length=8,
                    ),
                ),
                ("worker", models.CharField(blank=True, help_text="The process that runs it.", max_length=100)),
                ("result", models.JSONField(blank=True, null=True)),
                ("error", models.TextField(blank=True, help_text="Why it failed, in the words that the model gets.")),
                (
                    "decision",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("policy", "Policy"),
                            ("person", "Person"),
                            ("always", "Always"),
                            ("expired", "Expired"),
                            ("stopped", "Stopped"),
                        ],
                        max_length=7,
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.AddField(
            model_name="conversation",
            name="tools_allowed",
            field=models.JSONField(
                blank=True,
                editable=False,
                help_text="Names of the tools that run here without asking.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="conversation",
            name="tools_off",
            field=models.JSONField(
                blank=True,
                help_text="Names of the tools that the assistant does not get here.",
                null=True,
                verbose_name="tools turned off",
            ),
        ),
        migrations.AddField(
            model_name="preset",
            name="tools_off",
            field=models.JSONField(
                blank=True,
                help_text="Names of the tools that the assistant does not get here.",
                null=True,
                verbose_name="tools turned off",
            ),
        ),
        migrations.AddField(
            model_name="generation",
            name="rounds",
            field=models.IntegerField(
                db_default=0, default=0, help_text="Number of its rounds that ended with tool calls."
            ),
        ),
        migrations.AddField(
            model_name="generation",
            name="waiting_until",
            field=models.DateTimeField(
                blank=True, help_text="When the tool calls that wait for a decision count as declined.", null=True
            ),
        ),
        migrations.AddField(
            model_name="replyround",
            name="message",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.DB_CASCADE,
                related_name="rounds",
                to="conversations.message",
            ),
        ),
        migrations.AddField(
            model_name="replyround",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.DB_CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="toolcall",
            name="message",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="The reply.",
                null=True,
                on_delete=django.db.models.deletion.DB_CASCADE,
                related_name="calls",
                to="conversations.message",
            ),
        ),
        migrations.AddField(
            model_name="toolcall",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.DB_CASCADE,
                related_name="tool_calls",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="replyround",
            index=models.Index(fields=["user"], name="reply_round_user"),
        ),
        migrations.AddConstraint(
            model_name="replyround",
            constraint=models.UniqueConstraint(fields=("message", "number"), name="reply_round_number"),
        ),
        migrations.AddIndex(
            model_name="toolcall",
            index=models.Index(fields=["user", "-created_at"], name="tool_call_user_created"),
        ),
        migrations.AddIndex(
            model_name="toolcall",
            index=models.Index(
                condition=models.Q(
                    ("state", "waiting"), models.Q(("decision", ""), ("state", "unknown")), _connector="OR"
                ),
                fields=["user", "created_at"],
                name="tool_call_undecided",
            ),
        ),
        migrations.AddIndex(
            model_name="toolcall",
            index=models.Index(fields=["tool", "-created_at"], name="tool_call_tool_created"),
        ),
        migrations.AddConstraint(
            model_name="toolcall",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ["proposed", "waiting", "approved", "running", "done", "failed", "declined", "unknown"],
                    )
                ),
                name="tool_call_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="toolcall",
            constraint=models.UniqueConstraint(
                fields=("message", "round", "position"), name="tool_call_place_in_reply"
            ),
        ),
    ]
