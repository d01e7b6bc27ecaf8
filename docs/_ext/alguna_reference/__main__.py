"""Write the parts of the reference that are made from the code, and name the pages that have changed."""

import sys

from .django_project import set_up

set_up()

from .pages import RENDERERS, get_path, update_page  # noqa: E402  (what they read needs Django)

for name in RENDERERS:
    page = get_path(name)
    before = page.read_text()
    if before != (after := update_page(name, before)):
        page.write_text(after)
        sys.stdout.write(f"{page.name} is written anew.\n")
