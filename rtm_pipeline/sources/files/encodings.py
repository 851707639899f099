"""Bytes of a text file -> UTF-8, with the encoding decided file by file."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from rtm_pipeline.errors import ConfigError, SourceError

__all__ = ["Text", "decode"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BLOCK = 4 * 1024 * 1024
# Python's cp1252 refuses five bytes; browsers read them as C1 controls (WHATWG Encoding Standard), and so do we,
# since one stray byte must not make a file unreadable.
_WINDOWS_1252 = "".join(
    bytes([code]).decode("cp1252") if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(code) for code in range(256)
)


@dataclass(frozen=True, slots=True)
class Text:
    """A text file as UTF-8.

    Attributes
    ----------
    data : bytes
        UTF-8, valid, without a BOM.
    encoding : str
        What it was read as: ``utf-8``, ``cp1252``, or the one that a BOM or the configuration says.
    """

    data: bytes
    encoding: str


def decode(data: bytes, *, encoding: str | None, where: str) -> Text:
    """Read bytes as text: by ``encoding``, else by a BOM, else as UTF-8, else as Windows-1252.

    Raises
    ------
    ConfigError
        If ``encoding`` is none that Python knows.
    SourceError
        If the file is not in the encoding that was declared, or is UTF-8 cut within a letter.
    """
    bom = next(((mark, name) for mark, name in _BOMS if data.startswith(mark)), None)
    body = data[len(bom[0]) :] if bom else data
    if encoding is None and bom is not None and bom[1] != "utf-8":
        encoding = bom[1]
    if encoding is not None:
        return Text(_by_name(body, encoding, where).encode("utf-8", "replace"), _known(encoding, where))
    flaw = _flaw_of_utf8(body)
    if flaw is None:
        return Text(body, "utf-8")
    if flaw.reason == "unexpected end of data" and not body[: flaw.start].isascii():
        raise SourceError(f"{where}: the file ends within a letter of UTF-8, so it was cut. Fetch it again.")
    return Text(codecs.charmap_decode(body, "strict", _WINDOWS_1252)[0].encode(), "cp1252")


def _known(encoding: str, where: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise ConfigError(f"{where}: {encoding!r} is no text encoding. Use utf-8, cp1252 or latin-1.") from None


def _by_name(body: bytes, encoding: str, where: str) -> str:
    name = _known(encoding, where)
    try:
        return body.decode("utf-8" if name == "utf-8-sig" else name)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{where}: line {line} is not {encoding} (byte {error.start:,}). Mend the source's encoding, or leave it "
            "out to have it decided file by file."
        ) from None


def _flaw_of_utf8(body: bytes) -> UnicodeDecodeError | None:
    """The first place that is not UTF-8, counted from the start of ``body``; None if there is none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(body)
    for start in range(0, len(body), _BLOCK):
        block = bytes(view[start : start + _BLOCK])
        held = len(decoder.getstate()[0])
        if block.isascii() and not held:
            continue
        try:
            decoder.decode(block, final=start + _BLOCK >= len(body))
        except UnicodeDecodeError as flaw:
            flaw.start += start - held
            return flaw
    return None
