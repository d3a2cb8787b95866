"""From HU to the network's opinion of each voxel: resample, slide the window, resample back."""
