"""A LeRobot dataset as robomimic HDF5 or Zarr; run again, an export that was broken off goes on."""

from scripts.stage import Failed, Input, Output, stage
from video2policy.dataset.export import EXPORTS
from video2policy.dataset.lerobot import DatasetError


def main(trajectories: Input, exported: Output) -> None:
    """The end of `exported` says the format: .hdf5 (robomimic) or .zarr."""
    if exported.suffix not in EXPORTS:
        raise Failed(f"{exported}: its end says the format, one of {', '.join(EXPORTS)}")
    try:
        EXPORTS[exported.suffix](trajectories, exported)
    except (DatasetError, OSError) as error:
        raise Failed(str(error)) from error


stage(main)
