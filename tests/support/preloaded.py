"""What the fork server of `support.nights` imports once. Not GDAL's libraries: they must not be forked."""

from rtm_pipeline.orchestration.process import prepare_process

prepare_process()

import matplotlib.figure  # noqa: E402, F401
import numba  # noqa: E402, F401
import pandas  # noqa: E402, F401
import pandera.pandas  # noqa: E402, F401
import pyarrow.parquet  # noqa: E402, F401
import scipy.stats  # noqa: E402, F401
import shapely  # noqa: E402, F401
import statsmodels.api  # noqa: E402, F401
