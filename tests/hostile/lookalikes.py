"""Aliases that look alike, or that a database or a normalization treats as equal."""

ACME = "acmé-1"

ALIKE = {
    "upper case": "ACMÉ-1", "title case": "Acmé-1", "decomposed": "acme\u0301-1", "without the accent": "acme-1",
    "another accent": "acmè-1", "cyrillic": "\u0430cmé-1", "full width": "\uff41cmé-1",
    "mathematical": "\U0001d41acmé-1", "zero-width space": "acmé\u200b-1", "zero-width joiner": "acmé\u200d-1",
    "soft hyphen": "acmé\u00ad-1", "byte-order mark": "\ufeffacmé-1", "variation selector": "acmé\ufe0f-1",
    "right to left": "\u202eacmé-1", "another hyphen": "acmé\u20101", "another digit": "acmé-\u0661",
    "superscript": "acmé-¹", "trailing space": "acmé-1 ", "leading space": " acmé-1",
    "no-break space": "acmé-1\u00a0", "emoji": "acmé-1\U0001f600", "another emoji": "acmé-1\U0001f601",
}  # fmt: skip
