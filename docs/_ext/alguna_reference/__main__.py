"""Write the parts of the reference that are made from the code, and name the pages that have changed."""

import sys

from .django_project import set_up

set_up()

from .pages import MADE, of, renewed  # noqa: E402  (what they read needs Django)

for name in MADE:
    page = of(name)
    before = page.read_text()
    if before != (after := renewed(name, before)):
        page.write_text(after)
        sys.stdout.write(f"{page.name} is written anew.\n")
