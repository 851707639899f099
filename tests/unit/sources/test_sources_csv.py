"""CSV: rows counted and numbered right, cuts and strays seen, nothing shifted."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rtm_pipeline.errors import ConfigError, SchemaError, SourceError
from rtm_pipeline.sources.files.files import read_files
from rtm_pipeline.sources.source_read import SourceRead
from rtm_pipeline.sources.spec import ColumnRequest, FileSource

ABC = (ColumnRequest("a"), ColumnRequest("b"), ColumnRequest("c"))


def read(folder: Path, content: bytes | str, request=ABC, **spec) -> SourceRead:
    data = content.encode() if isinstance(content, str) else content
    (folder / "f.csv").write_bytes(data)
    return read_files(FileSource("src", "f.csv", **spec), request, data_dir=folder)


def rows(result: SourceRead) -> list[tuple[str | None, ...]]:
    names = result.columns
    return [tuple(row[name] for name in names) for row in result.table.to_pylist()]


def malformed(result: SourceRead) -> list[int]:
    return [row["_row"] for row in result.table.to_pylist() if row["_malformed"]]


def test_columns_by_declared_name_types_and_numbers(tmp_path):
    result = read(tmp_path, "c,owner,b,a\n3,x,2,1\n6,y,5,4\n")
    assert rows(result) == [("1", "2", "3"), ("4", "5", "6")]
    assert result.table.column_names == ["a", "b", "c", "_file", "_row", "_malformed"]
    assert [str(field.type) for field in result.table.schema] == ["string"] * 3 + ["int32", "int64", "bool"]
    assert result.table.column("_row").to_pylist() == [1, 2]
    assert result.files[0].dropped == ("owner",)
    assert result.dropped_columns == ("owner",)


def test_undeclared_values_are_nowhere(tmp_path):
    result = read(tmp_path, "a,b,c,name\n1,2,3,CANARY\n4,5\n6,7,8,CANARY\n")
    assert "CANARY" not in str(result.table.to_pylist()) + str(result.files)


def test_blanks_and_missing_values(tmp_path):
    result = read(tmp_path, 'a,b,c\n 1 ,  ,"\t"\nNA,N/A,n/a\n\u00a0x\u00a0, NA ,""\n', null_values=("NA", "N/A"))
    assert rows(result) == [("1", None, None), (None, None, "n/a"), ("x", None, None)]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_and_blank_lines(tmp_path, ending):
    text = ending.join(["a,b,c", "1,2,3", "", '4,"x' + ending + 'y",6', "", "   ", ""])
    result = read(tmp_path, text)
    assert rows(result) == [("1", "2", "3"), ("4", f"x{ending}y", "6")]
    assert result.table.column("_row").to_pylist() == [1, 2]


def test_no_line_break_at_the_end_is_noted(tmp_path):
    result = read(tmp_path, "a,b,c\n1,2,3")
    assert rows(result) == [("1", "2", "3")]
    assert result.files[0].notes == ("no line break after the last record",)
    assert read(tmp_path, "a,b,c\n1,2,3\n").files[0].notes == ()


@pytest.mark.parametrize("bad", ["4,5", "4,5,6,7", "4"])
def test_row_that_does_not_fit_is_kept_as_malformed(tmp_path, bad):
    result = read(tmp_path, f"a,b,c\n1,2,3\n{bad}\n7,8,9\n")
    assert rows(result) == [("1", "2", "3"), (None, None, None), ("7", "8", "9")]
    assert malformed(result) == [2]
    assert result.files[0].malformed == 1


def test_too_many_fields_in_the_last_record_is_malformed_not_cut(tmp_path):
    assert malformed(read(tmp_path, "a,b,c\n1,2,3\n4,5,6,7\n")) == [2]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a,b,c\n1,2,3\n4,5", 3),
        ("a,b,c\n1,2,3\n4,5\n", 3),
        ("a,b,c\n1,2,3\n4,5\n\n  \n", 3),
        ('a,b,c\n1,"x\ny",3\n4', 4),
        ('a,b,c\n1,2,3\n4,"5,6\n', 3),
        ('a,b,c\n1,2,3\n4,5,"6', 3),
        ('a,b,c\n1,2,"3\n4,5,6\n7,8,9\n', 2),
        ('"a","b\nb",c\n1,2,3\n4,5', 4),
    ],
)
def test_cut_file_is_refused_with_its_line(tmp_path, content, line):
    request = (ColumnRequest("a"), ColumnRequest("c"))
    with pytest.raises(SourceError, match=rf"f\.csv: .*line {line}\b.*cut") as caught:
        read(tmp_path, content, request)
    assert caught.value.exit_code == 3
    assert "Source 'src'" in str(caught.value)


def test_stray_quote_does_not_swallow_the_rows_after_it(tmp_path):
    result = read(tmp_path, 'a,b,c\n1,"abc,2\n3,"def",4\n5,6,7\n')
    assert rows(result) == [(None, None, None), ("3", "def", "4"), ("5", "6", "7")]
    assert malformed(result) == [1]


def test_quoted_text_that_hides_whole_rows_gives_them_back(tmp_path):
    # The second quote is followed by a delimiter, so that only the number of fields tells.
    result = read(tmp_path, 'a,b,c\n1,"x,2\n3,4,5\n6,y",7,8,9\n')
    assert malformed(result)[0] == 1
    assert ("3", "4", "5") in rows(result)


def test_quotes_inside_a_field_are_kept(tmp_path):
    result = read(tmp_path, 'a,b,c\n1,5" pipe,3\n4,"the ""big"" one",6\n7,"a" b,9\n')
    assert [row[1] for row in rows(result)] == ['5" pipe', 'the "big" one', "a b"]
    assert malformed(result) == []


def test_embedded_newlines_are_one_row(tmp_path):
    result = read(tmp_path, 'a,b,c\n1,"2 Main St\n(39.1, -94.5)",3\n4,5,6\n')
    assert rows(result)[0][1] == "2 Main St\n(39.1, -94.5)"
    assert result.files[0].rows == 2


def test_malformed_row_with_embedded_newline_counts_once(tmp_path):
    result = read(tmp_path, 'a,b,c\n1,"x\ny"\n4,5,6\n')
    assert malformed(result) == [1]
    assert result.files[0].rows == 2


@pytest.mark.parametrize(
    ("content", "encoding", "value"),
    [
        ("a,b,c\n1,2,caf\u00e9\n".encode(), "utf-8", "caf\u00e9"),
        ("\ufeffa,b,c\n1,2,caf\u00e9\n".encode(), "utf-8", "caf\u00e9"),
        ("a,b,c\n1,2,caf\u00e9 \u2019\n".encode("cp1252"), "cp1252", "caf\u00e9 \u2019"),
        (b"\xef\xbb\xbfa,b,c\n1,2,caf\xe9\n", "cp1252", "caf\u00e9"),
        (b"a,b,c\n1,2,x\x81y\n", "cp1252", "x\x81y"),
        ("\ufeffa,b,c\n1,2,caf\u00e9\n".encode("utf-16-le"), "utf-16-le", "caf\u00e9"),
    ],
)
def test_encoding_is_decided_and_recorded(tmp_path, content, encoding, value):
    result = read(tmp_path, content)
    assert result.files[0].encoding == encoding
    assert rows(result) == [("1", "2", value)]


def test_declared_encoding(tmp_path):
    assert rows(read(tmp_path, "a,b,c\n1,2,\u0416\n".encode("koi8-r"), encoding="koi8-r"))[0][2] == "\u0416"
    with pytest.raises(SourceError, match=r"line 2 is not utf-8"):
        read(tmp_path, b"a,b,c\n1,2,\xe9\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no text encoding"):
        read(tmp_path, "a,b,c\n", encoding="klingon")


def test_bad_utf8_far_down_the_file(tmp_path):
    body = b"a,b,c\n" + b"1,2,3\n" * 800_000 + b"1,2,\xe9\n"
    result = read(tmp_path, body)
    assert result.files[0].encoding == "cp1252"
    assert result.table.num_rows == 800_001


def test_utf8_letter_across_a_block_border(tmp_path):
    head = b"a,b,c\n1,2,"
    body = head + b"x" * (4 * 1024 * 1024 - len(head) - 1) + "\u00e9".encode() + b"\n"
    assert read(tmp_path, body).files[0].encoding == "utf-8"


@pytest.mark.parametrize("content", ["a,b,c\n", "a,b,c\r\n\r\n", "\ufeffa,b,c\n"])
def test_header_only_is_no_rows(tmp_path, content):
    assert read(tmp_path, content).table.num_rows == 0


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "  \n"])
def test_empty_file_is_refused(tmp_path, content):
    with pytest.raises(SourceError, match=r"f\.csv: the file is empty"):
        read(tmp_path, content)


@pytest.mark.parametrize("content", ["a,b,c", 'a,b,"c', "a,b,c,d"])
def test_cut_within_the_header(tmp_path, content):
    with pytest.raises(SourceError, match="cut"):
        read(tmp_path, content)


@pytest.mark.parametrize("page", ["<!DOCTYPE html><html>", "\n <html lang='en'>\n", "\ufeff<!doctype HTML>\n"])
def test_html_page_in_place_of_csv(tmp_path, page):
    with pytest.raises(SourceError, match="HTML page"):
        read(tmp_path, page)


def test_missing_column_names_file_headers_and_the_near_one(tmp_path):
    with pytest.raises(SchemaError) as caught:
        read(tmp_path, "a,b,CC_date\n1,2,3\n", (ColumnRequest("a"), ColumnRequest("cc_dat", ("ccdat",))))
    text = str(caught.value)
    for piece in ("f.csv", "'cc_dat'", "'ccdat'", "'CC_date'", "Did you mean 'CC_date'?", "aliases"):
        assert piece in text


def test_wrong_delimiter_is_hinted(tmp_path):
    with pytest.raises(SchemaError, match=r"separated by ';'"):
        read(tmp_path, "a;b;c\n1;2;3\n")
    assert rows(read(tmp_path, "a;b;c\n1;2,5;3\n", delimiter=";")) == [("1", "2,5", "3")]


def test_headers_by_alternative_alias_case_and_blanks(tmp_path):
    request = (ColumnRequest("a", ("first",)), ColumnRequest("b"), ColumnRequest("c"), ColumnRequest("d", (), False))
    result = read(tmp_path, " FIRST ,B,see  it\n1,2,3\n", request, aliases={"c": ("see it",)})
    assert rows(result) == [("1", "2", "3", None)]
    assert dict(result.files[0].renamed) == {"a": "FIRST", "b": "B", "c": "see  it"}
    assert result.files[0].absent == ("d",)


def test_exact_header_goes_before_similar_ones(tmp_path):
    assert rows(read(tmp_path, "A,a,b,c\n9,1,2,3\n")) == [("1", "2", "3")]
    with pytest.raises(SchemaError, match="fits 2 headers"):
        read(tmp_path, "DATE,Date\n1,2\n", (ColumnRequest("date"),))


def test_name_goes_before_its_alternatives(tmp_path):
    request = (ColumnRequest("a", ("z",)),)
    assert rows(read(tmp_path, "z,a\n9,1\n", request)) == [("1",)]


def test_duplicate_headers(tmp_path):
    with pytest.raises(SchemaError, match=r"'a \(1\)', 'a \(2\)'"):
        read(tmp_path, "a,b,c,a\n1,2,3,4\n")
    assert rows(read(tmp_path, "a,b,c,a\n1,2,3,4\n", aliases={"a": ("a (2)",)})) == [("4", "2", "3")]
    assert rows(read(tmp_path, "a,b,c,x,x\n1,2,3,4,5\n")) == [("1", "2", "3")]


def test_reserved_name(tmp_path):
    with pytest.raises(ConfigError, match="_row"):
        read(tmp_path, "a,_row\n1,2\n", (ColumnRequest("_row"),))


def test_one_column_and_long_fields(tmp_path):
    wkt = "POLYGON((" + ",".join(f"{i} {i}" for i in range(60_000)) + "))"
    result = read(tmp_path, f'w\n"{wkt}"\n\n""\nx\n', (ColumnRequest("w"),))
    assert rows(result) == [(wkt,), (None,), ("x",)]
    odd = read(tmp_path, f'w,a\n"{wkt}",1\n"x"y,1\n', (ColumnRequest("w"),))
    assert rows(odd) == [(wkt,), ("xy",)]


def test_geometry_of_a_csv_is_a_wrong_request(tmp_path):
    (tmp_path / "f.csv").write_text("a\n1\n")
    with pytest.raises(ConfigError, match="no native geometry"):
        read_files(FileSource("s", "f.csv"), (ColumnRequest("a"),), data_dir=tmp_path, geometry=True)


@pytest.mark.parametrize("delimiter", ["", "::", '"', "\n"])
def test_delimiter_must_be_one_character(tmp_path, delimiter):
    with pytest.raises(ConfigError, match="delimiter"):
        read(tmp_path, "a,b,c\n", delimiter=delimiter)


def test_values_do_not_reach_the_log(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    read(tmp_path, "a,b,c,name\n1,2,3,CANARY\n4\n5,6,7,CANARY\n")
    assert "CANARY" not in caplog.text


def test_numbers_with_a_decimal_comma(tmp_path):
    text = "a;b;c\n559694,26;5.941.088,93;-3,5\n1,2,3;B, 12;7\n;12;1.234\n"
    assert rows(read(tmp_path, text, delimiter=";", decimal=",")) == [
        ("559694.26", "5941088.93", "-3.5"),
        ("1,2,3", "B, 12", "7"),
        (None, "12", "1.234"),
    ]
    assert rows(read(tmp_path, text, delimiter=";"))[0] == ("559694,26", "5.941.088,93", "-3,5")


def test_a_header_with_a_comment_sign_is_named_with_its_quotes(tmp_path):
    with pytest.raises(SchemaError, match=r"Did you mean 'Stop #'\? In YAML it needs quotes"):
        read(tmp_path, "Stop #,x\n1,2\n", (ColumnRequest("Stop"),))
