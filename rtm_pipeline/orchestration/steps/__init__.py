"""The steps of a night, one module a stage; `night` lists them in order."""
