"""The maker of Riverbend, the made city that comes with rtm_pipeline.

Nothing here imports the package: what is true of the city is worked out by other means (brute force, k-d trees), so
that the package can be judged by it. The modules follow the making: ``plan`` (names and numbers), ``land`` (outline,
river, streets, blocks, neighborhoods), ``places`` (what stands there and what is reported), ``terrain`` (the planted
risk terrain and the incidents drawn from it), ``portals`` and ``police`` (raw files with the faults of real portals).
"""
