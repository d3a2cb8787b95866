"""The skin of a head's front, and how deep behind it tissue begins, before and after a fill."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage as ndi

from ..voxels.hu import AIR_HU, BONE_HU, TISSUE_HU
from .atlas import SKIN_MM
from .view import HeadView, head_mm

# From in front of the skin to well behind any face, mm along its normal.
DEPTHS_MM = np.arange(-4.5, 30.0, 1.5)
NO_TISSUE_MM = 30.0
# A mask that begins this near to the skin removes it.
AT_SKIN_MM = 4.5
REGROWN_STEPS = 3
# Nostrils, the mouth and folds narrower than this do not count as skin.
CLOSING_STEPS = 2
# Smoothing, in points of the grid, before the normal of the skin is taken.
NORMAL_SIGMA = 1.5


@dataclass(frozen=True)
class Skin:
    """The old skin in a ``HeadView``: one entry for each point of the view's grid that lies on it."""

    view: HeadView

    @cached_property
    def body(self) -> np.ndarray:
        """Bool (S, A, R): the largest piece of tissue, without what is thinner than 9 mm and hovers apart."""
        tissue = (self.view.hu > TISSUE_HU) & self.view.inside
        labels, count = ndi.label(ndi.binary_opening(tissue))
        if count == 0:
            return np.zeros_like(tissue)
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        # The nose and the ears are thin too, and grow back after the opening; a device that touches the skin hardly does.
        return ndi.binary_dilation(labels == sizes.argmax(), iterations=REGROWN_STEPS, mask=tissue)

    @cached_property
    def closed(self) -> np.ndarray:
        """Bool (S, A, R): the body with its narrow openings closed."""
        padded = np.pad(self.body, CLOSING_STEPS + 1)
        inner = tuple(slice(CLOSING_STEPS + 1, -CLOSING_STEPS - 1) for _ in range(3))
        return ndi.binary_closing(padded, iterations=CLOSING_STEPS)[inner] | self.body

    @cached_property
    def index(self) -> np.ndarray:
        """(N, 3) indices (s, a, r) of the points of the view that lie on the skin."""
        labels, count = ndi.label(~self.closed)
        sizes = np.bincount(labels[:, -1].ravel(), minlength=count + 1)
        sizes[0] = 0
        outside = labels == sizes.argmax() if sizes.any() else np.zeros_like(self.closed)
        skin = self.body & ndi.binary_dilation(outside)
        # At the border of the image the body is cut, which is no skin.
        skin &= ndi.binary_erosion(self.view.inside, border_value=False)
        return np.argwhere(skin)

    @cached_property
    def points(self) -> np.ndarray:
        """(N, 3) head mm."""
        return head_mm(self.index)

    @cached_property
    def normals(self) -> np.ndarray:
        """(N, 3) unit vectors (right, anterior, superior) in the head's frame that point into the body."""
        smooth = ndi.gaussian_filter(self.closed.astype(np.float32), NORMAL_SIGMA)
        # Only where the skin is: a gradient of the whole view would take most of the time.
        padded, index = np.pad(smooth, 1, mode="edge"), self.index + 1
        slopes = []
        for axis in (2, 1, 0):
            step = np.zeros(3, int)
            step[axis] = 1
            slopes.append(padded[tuple((index + step).T)] - padded[tuple((index - step).T)])
        slope = np.stack(slopes, 1)
        return slope / (np.linalg.norm(slope, axis=1, keepdims=True) + 1e-9)

    @cached_property
    def area_cm2(self) -> np.ndarray:
        """(N,) cm2 of the patient's skin that each point stands for."""
        # A surface seen along its steepest axis has one point for each cell that it crosses.
        cell = SKIN_MM**2 / np.maximum(np.abs(self.normals).max(1), 0.5)
        return cell / 100 / np.prod(self.view.frame.scale) ** (2 / 3)

    @cached_property
    def _lines(self) -> np.ndarray:
        # Depths are the patient's mm; the grid's are those of the average head.
        along = DEPTHS_MM[:, None] * self.view.frame.scale.mean()
        return self.points[:, None] + self.normals[:, None] * along

    def depth_of(self, stored: np.ndarray, above_hu: float, but: np.ndarray | None = None) -> np.ndarray:
        """(N,) mm behind the old skin of the first voxel of ``stored`` (k, j, i) above ``above_hu``; 30 without one.

        ``but``: bool (k, j, i), voxels that do not count.
        """
        volume = self.view.volume
        found = volume.to_hu(self.view.profile(stored, self._lines, volume.from_hu(AIR_HU))) > above_hu
        if but is not None:
            found &= ~self.view.profile(but, self._lines, False)
        return np.where(found.any(1), DEPTHS_MM[found.argmax(1)], NO_TISSUE_MM)

    def depth_within(self, mask: np.ndarray) -> np.ndarray:
        """(N,) mm of ``mask`` (bool (k, j, i)) along the line behind the skin, 0 where it does not begin at the skin."""
        within = self.view.profile(mask, self._lines, False)
        return np.where(within[:, np.abs(DEPTHS_MM) <= AT_SKIN_MM].any(1), within.sum(1) * (DEPTHS_MM[1] - DEPTHS_MM[0]), 0.0)

    def meets(self, mask: np.ndarray, points: np.ndarray, deepest_mm: float | np.ndarray) -> np.ndarray:
        """Bool per True of ``points`` (N,): the line there meets ``mask`` (bool (k, j, i)), from just in front of the skin to
        ``deepest_mm`` behind it, a number or one per True of ``points``."""
        reached = np.atleast_1d(deepest_mm)[:, None] >= DEPTHS_MM
        return np.any(self.view.profile(mask, self._lines[points], False) & reached, axis=1)

    @cached_property
    def bone_mm(self) -> np.ndarray:
        """(N,) mm from the skin to the bone behind it, 30 without one."""
        return self.depth_of(self.view.volume.stored, BONE_HU)

    def atlas_values(self, grid: np.ndarray) -> np.ndarray:
        """(N,) values at the skin of an atlas array (S, A, R) on the grid of the skin, which is the view's."""
        return grid[tuple(self.index.T)]

    def spread(self, values: np.ndarray, fill: float = 0) -> np.ndarray:
        """An array (S, A, R) of the view with ``values`` (N,) on the skin and ``fill`` elsewhere."""
        result = np.full(self.body.shape, fill, np.asarray(values).dtype)
        result[tuple(self.index.T)] = values
        return result
