"""Files are found under the data folder only, in a stable order, and what is missing is named."""

from __future__ import annotations

import hashlib

import pytest

from rtm_pipeline.errors import ConfigError, SourceError
from rtm_pipeline.sources.files.files import read_files
from rtm_pipeline.sources.files.paths import digest_of, find_files
from rtm_pipeline.sources.spec import ColumnRequest, FileSource


def names(folder, path, **spec):
    return [file.name for file in find_files(FileSource("src", path, **spec), folder)]


def test_glob_is_sorted_and_counted(tmp_path):
    (tmp_path / "m").mkdir()
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / "m" / name).write_text("x\n")
    assert names(tmp_path, "m/*.csv", expect_files=2) == ["m/a.csv", "m/b.csv"]
    with pytest.raises(SourceError, match=r"should find 3 files .* finds 2 .*m/a\.csv, m/b\.csv"):
        names(tmp_path, "m/*.csv", expect_files=3)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.csv", "a/../../x.csv", "C:/x.csv", "..\\x.csv", "", "\\\\h\\x"])
def test_paths_that_leave_the_folder(tmp_path, path):
    with pytest.raises(ConfigError, match="relative to the data folder"):
        names(tmp_path, path)


def test_links_that_leave_the_folder(tmp_path):
    data, other = tmp_path / "data", tmp_path / "other"
    data.mkdir()
    other.mkdir()
    (other / "secret.csv").write_text("a\n1\n")
    (data / "f.csv").symlink_to(other / "secret.csv")
    (data / "folder").symlink_to(other)
    for path in ("f.csv", "*.csv", "folder/secret.csv", "folder/*.csv"):
        with pytest.raises(ConfigError, match="leads out of the data folder"):
            names(data, path)
    (data / "real.csv").write_text("a\n")
    (data / "inner.csv").symlink_to(data / "real.csv")
    assert names(data, "inner.csv") == ["inner.csv"]


def test_nothing_found_names_pattern_folder_and_near_misses(tmp_path):
    (tmp_path / "vacancy_2017.csv").write_text("a\n")
    with pytest.raises(ConfigError, match=r"'vacancy_2018\.csv'.*Similar files.*vacancy_2017\.csv") as caught:
        names(tmp_path, "vacancy_2018.csv")
    assert str(tmp_path) in str(caught.value)
    assert caught.value.exit_code == 2
    with pytest.raises(ConfigError, match=r"Similar files.*vacancy_2017\.csv"):
        names(tmp_path, "VACANCY_2017.CSV")
    with pytest.raises(ConfigError, match=r"no file matches 'x/\*\.gpkg'"):
        names(tmp_path, "x/*.gpkg")


def test_missing_data_folder_and_bad_pattern(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        names(tmp_path / "nowhere", "*.csv")
    with pytest.raises(ConfigError, match="not a valid pattern"):
        names(tmp_path, "**x.csv")


def test_digest_is_of_the_bytes(tmp_path):
    path = tmp_path / "f.csv"
    path.write_bytes(b"a\n1\n")
    assert digest_of(path) == (hashlib.sha256(b"a\n1\n").hexdigest(), 4)
    read = read_files(FileSource("s", "f.csv"), (ColumnRequest("a"),), data_dir=tmp_path)
    assert (read.files[0].sha256, read.files[0].n_bytes) == digest_of(path)


def test_digest_of_a_shapefile_covers_its_sidecars(tmp_path):
    for ending in (".shp", ".dbf", ".shx"):
        (tmp_path / f"x{ending}").write_bytes(b"1")
    before = digest_of(tmp_path / "x.shp")
    (tmp_path / "y.dbf").write_bytes(b"2")
    assert digest_of(tmp_path / "x.shp") == before
    (tmp_path / "x.dbf").write_bytes(b"2")
    assert digest_of(tmp_path / "x.shp") != before


def test_many_files_keep_their_order_and_number(tmp_path):
    (tmp_path / "2.csv").write_text("a\n3\n")
    (tmp_path / "1.csv").write_text("a\n1\n2\n")
    read = read_files(FileSource("s", "*.csv"), (ColumnRequest("a"),), data_dir=tmp_path)
    assert read.table.select(["a", "_file", "_row"]).to_pylist() == [
        {"a": "1", "_file": 0, "_row": 1},
        {"a": "2", "_file": 0, "_row": 2},
        {"a": "3", "_file": 1, "_row": 1},
    ]


def test_unknown_format(tmp_path):
    (tmp_path / "f.xlsx").write_bytes(b"PK")
    with pytest.raises(ConfigError, match=r"'\.xlsx' does not tell"):
        read_files(FileSource("s", "f.xlsx"), (), data_dir=tmp_path)
    with pytest.raises(ConfigError, match="'excel' is no format"):
        read_files(FileSource("s", "f.xlsx", format="excel"), (), data_dir=tmp_path)
