"""The organization's colours as a stylesheet."""


def stylesheet(color: str) -> str:
    """Return the brand colour, given as `#rrggbb`, and the text colour to be read on it."""
    return f":root {{ --brand: {color}; --on-brand: {text_on(color)}; }}\n"


def text_on(color: str) -> str:
    """Return black or white, whichever stands out more on the colour (WCAG's relative luminance)."""
    red, green, blue = (_linear(int(color[start : start + 2], 16) / 255) for start in (1, 3, 5))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    contrast_with_white = 1.05 / (luminance + 0.05)
    contrast_with_black = (luminance + 0.05) / 0.05
    return "#ffffff" if contrast_with_white >= contrast_with_black else "#000000"


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
