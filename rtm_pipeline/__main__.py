"""`python -m rtm_pipeline` is `rtm`."""

from rtm_pipeline.cli import main

main()
