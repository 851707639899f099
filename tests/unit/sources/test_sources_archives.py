"""Archives: opened where honest, refused where hostile or cut."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import zipfile

import pytest

from rtm_pipeline.errors import ConfigError, SourceError
from rtm_pipeline.sources.files.archives import ArchiveLimits, gunzip, list_zip, read_member
from rtm_pipeline.sources.files.files import read_files
from rtm_pipeline.sources.spec import ColumnRequest, FileSource

A = (ColumnRequest("a"),)
CSV = b"a,b\n1,x\n2,y\n"


def write_zip(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def values(folder, path, **spec):
    return read_files(FileSource("s", path, **spec), A, data_dir=folder).table.column("a").to_pylist()


def test_gz(tmp_path):
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(CSV))
    assert values(tmp_path, "f.csv.gz") == ["1", "2"]
    for cut in (5, 15, len(gzip.compress(CSV)) - 3):
        (tmp_path / "f.csv.gz").write_bytes(gzip.compress(CSV)[:cut])
        with pytest.raises(SourceError, match="cut"):
            values(tmp_path, "f.csv.gz")
    (tmp_path / "f.csv.gz").write_bytes(CSV)
    with pytest.raises(SourceError, match="damaged"):
        values(tmp_path, "f.csv.gz")


def test_gz_limits(tmp_path):
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(bytes(20_000_000)))
    with pytest.raises(SourceError, match="200 times"):
        gunzip(path, where="bomb")
    with pytest.raises(SourceError, match=r"more than 1,000 bytes"):
        gunzip(path, where="bomb", limits=ArchiveLimits(total_bytes=1000))


def test_zip_of_one_and_of_several(tmp_path):
    write_zip(tmp_path / "z.zip", [("readme.txt", "hello"), ("__MACOSX/._a.csv", "junk"), ("d/b.csv", "a\n3\n")])
    assert values(tmp_path, "z.zip") == ["3"]
    write_zip(tmp_path / "z.zip", [("b.csv", "a\n3\n"), ("a.csv", CSV)])
    read = read_files(FileSource("s", "z.zip"), A, data_dir=tmp_path)
    assert [file.path for file in read.files] == ["z.zip/a.csv", "z.zip/b.csv"]
    assert read.table.column("a").to_pylist() == ["1", "2", "3"]
    assert read.table.column("_file").to_pylist() == [0, 0, 1]


def test_zip_without_data_or_with_two_formats(tmp_path):
    write_zip(tmp_path / "z.zip", [("x.pdf", "1")])
    with pytest.raises(SourceError, match=r"no data file.*x\.pdf"):
        values(tmp_path, "z.zip")
    write_zip(tmp_path / "z.zip", [("x.csv", CSV), ("x.geojson", "{}")])
    with pytest.raises(ConfigError, match=r"csv, vector"):
        values(tmp_path, "z.zip")
    assert values(tmp_path, "z.zip", format="csv") == ["1", "2"]


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "..\\evil.csv", "C:\\evil.csv"])
def test_zip_slip(tmp_path, name):
    write_zip(tmp_path / "z.zip", [(name, CSV)])
    with pytest.raises(SourceError, match="leads out of its folder"):
        values(tmp_path, "z.zip")


def test_zip_link_password_and_twins(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        link = zipfile.ZipInfo("f.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(SourceError, match="link"):
        values(tmp_path, "z.zip")
    with pytest.warns(UserWarning, match="Duplicate"):
        write_zip(tmp_path / "z.zip", [("f.csv", CSV), ("f.csv", CSV)])
    with pytest.raises(SourceError, match="one name"):
        values(tmp_path, "z.zip")
    data = bytearray(write_zip(tmp_path / "z.zip", [("f.csv", CSV)]).read_bytes())
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<H", data, at + 8, struct.unpack_from("<H", data, at + 8)[0] | 1)
    (tmp_path / "z.zip").write_bytes(data)
    with pytest.raises(SourceError, match="password"):
        values(tmp_path, "z.zip")


def test_zip_limits(tmp_path):
    path = write_zip(tmp_path / "z.zip", [(f"{i}.csv", CSV) for i in range(5)])
    with pytest.raises(SourceError, match="5 entries"):
        list_zip(path, where="z", limits=ArchiveLimits(entries=4))
    with pytest.raises(SourceError, match="more than 10 bytes"):
        list_zip(path, where="z", limits=ArchiveLimits(total_bytes=10))
    bomb = write_zip(tmp_path / "b.zip", [("f.csv", bytes(20_000_000))])
    with pytest.raises(SourceError, match="200 times"):
        list_zip(bomb, where="b")


def test_zip_whose_table_of_contents_lies(tmp_path):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("f.csv", CSV * 1000)
    data = bytearray(body.getvalue())
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, at + 24, 6)  # says that six bytes come out
    path = tmp_path / "z.zip"
    path.write_bytes(data)
    (member,) = list_zip(path, where="z")
    with pytest.raises(SourceError, match="damaged"):
        read_member(path, member, where="z")


def test_cut_zip_and_flipped_bit(tmp_path):
    path = write_zip(tmp_path / "z.zip", [("f.csv", CSV * 50)], zipfile.ZIP_STORED)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(SourceError, match="can't be opened"):
        values(tmp_path, "z.zip")
    flipped = bytearray(whole)
    flipped[60] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(SourceError, match="damaged"):
        values(tmp_path, "z.zip")
