"""Template tags of alguna_portal: `{% load alguna_portal %}`."""
