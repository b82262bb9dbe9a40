from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0017_usage"),
    ]

    operations = [
        migrations.RenameField(model_name="turnwindow", old_name="counted_on", new_name="messages_on"),
        migrations.AlterField(
            model_name="turnwindow",
            name="messages_on",
            field=models.DateField(help_text="The day of the last message, in the site's time zone.", null=True),
        ),
        migrations.AddField(
            model_name="turnwindow",
            name="tokens_on",
            field=models.DateField(help_text="The day of the last tokens.", null=True),
        ),
    ]
