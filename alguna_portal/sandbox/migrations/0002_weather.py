"""Give the admin's weather page a model to stand under; no table changes."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("alguna_sandbox", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Weather",
            fields=[],
            options={
                "verbose_name": "weather",
                "verbose_name_plural": "weather",
                "proxy": True,
                "default_permissions": (),
                "indexes": [],
                "constraints": [],
            },
            bases=("alguna_sandbox.record",),
        ),
    ]
