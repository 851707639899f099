"""What `dagster dev` and the code server load: all cities in the folder of configurations."""

from rtm_pipeline.orchestration.build import build_defs

defs = build_defs()
