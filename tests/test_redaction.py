"""Redaction: texts and ids without email addresses and URLs."""

from alguna_portal.redaction import redact_id, redact_text


def test_long_text_is_redacted_quickly() -> None:
    """It is cut first. A word that is cut may be half an address, so it isn't shown."""
    assert redact_text("a." * 400_000) == ""
    cut_in_two = f"{'https://x.example/ ' * 52}somebody@example.com"
    assert redact_text(cut_in_two) == " ".join(["[URL]"] * 52)[:200]
    assert "somebody" not in redact_text("https://x.example/y " * 49 + "and somebody.with.a.long.name@example.com")
    assert redact_text("x " * 2000) == ("x " * 100)[:200]


def test_id_is_shown_unless_it_is_an_address() -> None:
    """In full, so that people can compare it."""
    long = f"cust_{'0123456789abcdef' * 4}"
    assert (redact_id(long), redact_id("a@b.example"), redact_id("https://x")) == (long, "[…]", "[…]")
