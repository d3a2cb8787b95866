"""All limits in Hounsfield units, each defined once and named by what it tells apart."""

# Pure air: what is written where there is nothing.
AIR_HU = -1000.0
# Lower than any noise around air: padding, also where the volume does not declare it.
PADDING_HU = -1500.0
# Mostly air in spite of noise: around or in every head there is more of it than a few streaks.
PLAIN_AIR_HU = -850.0
# Three standard deviations of low-dose noise (100 HU) above air: from here to ``SKIN_BORDER_HU`` a voxel holds a bit of skin.
PARTIAL_VOLUME_HU = -700.0
# Half way between air and skin: a voxel that is half skin is the skin's border.
SKIN_BORDER_HU = -500.0
# More air than tissue: every CT has such voxels, while MR and raw stored values have none.
MORE_AIR_THAN_TISSUE_HU = -500.0
# Above noise and streaks in air, below fat: from here on a rendering shows a surface.
TISSUE_HU = -300.0
# Fat, muscle, blood and brain.
SOFT_TISSUE_HU = (-200.0, 300.0)
# The peak of soft tissue lies here in every CT, because it is mostly water.
WATER_HU = (-150.0, 150.0)
# Above fat.
MUSCLE_HU = 0.0
# Vessels with contrast.
VESSEL_HU = (150.0, 600.0)
# Bone and teeth, above all soft tissue without contrast.
BONE_HU = 300.0
# Borders between the three kinds of tissue of the average head, each half way between two kinds, so that shifts of a hundred
# HU, as in cone beam CT, change little. The first lies between air and fat, the second above muscle without contrast.
AIR_TO_SOFT_HU, SOFT_TO_BONE_HU = -400.0, 200.0
