"""Command that writes the generated parts of the reference and prints the pages that changed."""

import sys

from .django_project import set_up_django

set_up_django()

from .pages import RENDERERS, get_path, update_page  # noqa: E402  (needs Django's apps)

for name in RENDERERS:
    page = get_path(name)
    before = page.read_text()
    if before != (after := update_page(name, before)):
        page.write_text(after)
        sys.stdout.write(f"{page.name} is written anew.\n")
