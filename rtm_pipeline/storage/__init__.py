"""Where state lies: a folder or an ``s3://`` bucket, through the same few verbs.

A root is a `pathlib.Path` or, for a bucket, universal-pathlib's path with the same methods; `root_of` makes either.
Rooms write through `write_atomic` (a reader sees the old bytes or the new ones, never half) and otherwise use the
verbs that both have: ``/``, ``read_bytes``, ``read_text``, ``is_file``, ``is_dir``, ``glob``, ``iterdir``, ``unlink``.
"""
