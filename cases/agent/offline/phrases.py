"""A readable way to write down phrases; knows no phrase itself."""

import re


def compile_phrases(table: str, **parts: str) -> re.Pattern[str]:
    """Return one pattern that finds any phrase of the table in folded text (small letters, no accents).

    One phrase a line, `#` starts a comment line. A phrase is a regular expression over whole words, with three
    short forms: `word*` is any word that begins so, ` ... ` is a gap of up to 40 characters, a final `$` is the end of
    the sentence, its full stop included. `{NAME}` stands for the part of that name.
    """
    for name, part in parts.items():
        table = table.replace(f"{{{name}}}", part)
    phrases: list[str] = []
    for line in (raw.strip() for raw in table.splitlines()):
        if line and not line.startswith("#"):
            phrase = re.sub(r"(?<=[a-z])\*", r"\\w*", line).replace(" ... ", " (?:.{0,40} )?")
            is_last = phrase.endswith("$")
            body = phrase.removesuffix("$")
            phrases.append(rf"(?<!\w)(?:{body})" + (r"(?= *[.!]*$)" if is_last else r"(?!\w)"))
    return re.compile("|".join(phrases))


def list_words(table: str) -> frozenset[str]:
    """Return the words of a table, wherever its lines break."""
    return frozenset(table.split())
