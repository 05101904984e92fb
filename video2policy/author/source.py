"""Repairs to source code as it comes out of documents and language models."""

QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "\u00a0": " ", "−": "-"})  # noqa: RUF001


def repair_quotes(source: str) -> str:
    """Typographic quotes, hard spaces and minus signs as Python writes them."""
    return source.translate(QUOTES)
