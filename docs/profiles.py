"""Reads profiles.parquet and standardises every plate's profiles by its controls, with pycytominer."""

import sys

import pandas as pd
from pycytominer import normalize

wells = pd.read_parquet(sys.argv[1])
wells = wells[wells["Metadata_Call"].notna()]  # wells that could not be called have no features
features = [column for column in wells.columns if not column.startswith("Metadata_")]

profiles = pd.concat(
    normalize(
        plate,
        features=features,  # "infer" looks for CellProfiler's names only
        meta_features=[column for column in wells.columns if column.startswith("Metadata_")],
        samples="Metadata_WellType == 'negative_control'",
    )
    for _, plate in wells.groupby(["Metadata_Experiment", "Metadata_Plate"])
)
print(f"{len(profiles)} wells, {len(features)} features")
