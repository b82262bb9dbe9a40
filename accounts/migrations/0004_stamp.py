"""A stamp of what a person signs in with: the database itself moves it on, whoever changes password or address."""

from typing import ClassVar

import django.db.models.deletion
import django.utils.timezone
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models

STAMP = """
CREATE FUNCTION accounts_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed text;
    browsers integer;
    programs integer;
    tokens text[];
BEGIN
    -- Whoever writes a whole row, as it was read some time ago, does not set the stamp back.
    NEW.stamp := greatest(NEW.stamp, OLD.stamp);
    IF NEW.email <> OLD.email THEN
        changed := 'address';
    ELSIF NEW.password <> OLD.password AND current_setting('accounts.same_password', true) IS DISTINCT FROM 'on' THEN
        changed := 'password';
    ELSIF OLD.is_active AND NOT NEW.is_active THEN
        changed := 'deactivation';
    ELSIF NEW.stamp > OLD.stamp THEN
        changed := 'sign-out';
    ELSE
        NEW.stamped_at := OLD.stamped_at;
        RETURN NEW;
    END IF;
    NEW.stamp := OLD.stamp + 1;
    NEW.stamped_at := clock_timestamp();
    SELECT count(*) FILTER (WHERE expire_date > now()) INTO browsers FROM django_session WHERE user_id = OLD.id;
    DELETE FROM django_session WHERE user_id = OLD.id;
    SELECT count(*) FILTER (WHERE stamp = OLD.stamp AND expires_at > now()) INTO programs
        FROM accounts_refreshtoken WHERE user_id = OLD.id;
    DELETE FROM accounts_refreshtoken WHERE user_id = OLD.id;
    SELECT coalesce(array_agg(name ORDER BY created_at), '{}') INTO tokens FROM accounts_accesstoken
        WHERE user_id = OLD.id AND stamp = OLD.stamp AND (expires_at IS NULL OR expires_at > now());
    IF changed = 'address' THEN
        -- Nothing that is known of the old address holds for the new one.
        DELETE FROM account_emailconfirmation WHERE email_address_id IN
            (SELECT id FROM account_emailaddress WHERE user_id = OLD.id AND email <> NEW.email);
        DELETE FROM account_emailaddress WHERE user_id = OLD.id AND email <> NEW.email;
    END IF;
    INSERT INTO accounts_ending (user_id, changed, at, old_email, browsers, programs, tokens)
        VALUES (OLD.id, changed, NEW.stamped_at, OLD.email, browsers, programs, to_json(tokens));
    RETURN NEW;
END $$;
CREATE TRIGGER accounts_stamp BEFORE UPDATE OF password, email, is_active, stamp, stamped_at ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION accounts_stamp();
"""

UNSTAMP = "DROP TRIGGER accounts_stamp ON accounts_user; DROP FUNCTION accounts_stamp();"


class Migration(migrations.Migration):
    """New columns have a constant default, so that no table is written anew."""

    dependencies: ClassVar = [
        ("accounts", "0003_access_tokens"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("sessions", "0001_initial"),
    ]

    operations: ClassVar = [
        migrations.AddField("user", "stamp", models.IntegerField(db_default=0, default=0, editable=False)),
        migrations.AddField("user", "stamped_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField(
            "user",
            "awaits_verification",
            models.BooleanField(
                db_default=False,
                default=False,
                editable=False,
                help_text="Signed up, and has not followed the link yet.",
            ),
        ),
        migrations.AddField("accesstoken", "stamp", models.IntegerField(db_default=0, default=0, editable=False)),
        migrations.CreateModel(
            name="RefreshToken",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("newest", models.CharField(help_text="The name of the one that is good.", max_length=32)),
                ("stamp", models.PositiveIntegerField()),
                ("agent", models.CharField(help_text="What the program calls itself.", max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_used_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DB_CASCADE,
                        related_name="refresh_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Ending",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("changed", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                ("old_email", models.EmailField(max_length=254)),
                ("browsers", models.PositiveIntegerField()),
                ("programs", models.PositiveIntegerField()),
                ("tokens", models.JSONField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DB_CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BrowserSession",
            fields=[
                ("session_key", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("session_data", models.TextField()),
                ("expire_date", models.DateTimeField()),
                ("user_id", models.UUIDField(null=True)),
            ],
            options={"db_table": "django_session", "managed": False},
        ),
        migrations.RunSQL(
            "ALTER TABLE django_session ADD COLUMN user_id uuid", "ALTER TABLE django_session DROP COLUMN user_id"
        ),
        migrations.RunSQL(STAMP, UNSTAMP),
    ]
