# SPDX-License-Identifier: Apache-2.0
"""Text for the hearth models: reads plain-text books and cuts them in passages.

A passage is a run of whole paragraphs, one paragraph per line.  The books keep
their wording; only the typesetting is made uniform (straight quotes, "--" for
a dash, no marks for italics, one space between words, no chapter headings).
"""
import re
from pathlib import Path

DEFAULT_BOOKS = ("bronte.txt", "frankenstein.txt")

_TYPESETTING = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"',
    "\u2014": "--", "\u2013": "-", "\ufeff": None, "_": None,
})
_HEADING = re.compile(r"(chapter|volume|letter|vol\.)\s+[0-9ivxlc]+\b", re.I)


def _is_prose(paragraph):
    if len(paragraph) < 80 and _HEADING.match(paragraph):
        return False
    letters = [c for c in paragraph if c.isalpha()]
    if not letters:
        return False
    # Headings and title lines are set in capitals.
    return any(c.islower() for c in letters)


def paragraphs(path):
    """The paragraphs of one book, each on a single line."""
    text = Path(path).read_text(encoding="utf-8").translate(_TYPESETTING)
    text = text.replace("\r\n", "\n")
    joined = (" ".join(p.split()) for p in re.split(r"\n\s*\n", text))
    return [p for p in joined if _is_prose(p)]


def passages(folder, books=DEFAULT_BOOKS, min_chars=1600):
    """All books as passages of at least min_chars characters."""
    result = []
    for book in books:
        lines, size = [], 0
        for paragraph in paragraphs(Path(folder) / book):
            lines.append(paragraph)
            size += len(paragraph) + 1
            if size >= min_chars:
                result.append("\n".join(lines))
                lines, size = [], 0
        if lines:
            result.append("\n".join(lines))
    return result


def split(all_passages, every=50):
    """(training, held-out): each every-th passage is held out."""
    train = [p for i, p in enumerate(all_passages) if i % every != every // 2]
    held = [p for i, p in enumerate(all_passages) if i % every == every // 2]
    return train, held
