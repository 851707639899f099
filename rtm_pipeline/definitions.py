"""What `dagster dev` and the code server load: all cities in the folder of configurations."""

from rtm_pipeline.orchestration.process import prepare_process

prepare_process()  # before anything imports numpy

from rtm_pipeline.orchestration.build import build_defs  # noqa: E402
from rtm_pipeline.orchestration.record_pace import relax_records  # noqa: E402

relax_records()
defs = build_defs()
