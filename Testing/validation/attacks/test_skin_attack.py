"""The trained attackers: they find the skin where the file shows it, and gain nothing from a file that does not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.validation.attacks import skin_attack
from CTADefaceLib.validation.attacks.face_frame import ZONES, face_frame
from CTADefaceLib.validation.attacks.rays import AZIMUTH, ELEVATION, Rays, Surface, cast
from CTADefaceLib.voxels.hu import BONE_HU
from helpers.paths import CHECK_DATA

SHAPE = ELEVATION.size, AZIMUTH.size


def heads(count, telling, seed=0):
    """Made heads whose skin lies 15 +- 4 mm, smoothly, over a bone of their own; ``telling``: what is left follows the
    skin at 8 mm, otherwise the bone at 4 mm. Hulls of bone tell nothing."""
    random = np.random.default_rng(seed)
    waves = [np.cos(n * ELEVATION[:, None] + m * AZIMUTH) for n in range(3) for m in range(3)]
    made = []
    for _ in range(count):
        bone = 75 + sum(random.normal(0, 2) * w for w in waves)
        skin = bone + 15 + sum(random.normal(0, 2) * w for w in waves)
        left = skin - 8 if telling else bone + 4
        removed = np.zeros(SHAPE, bool)
        removed[15:-15, 15:-15] = True
        zone = np.broadcast_to(np.arange(SHAPE[1]) % len(ZONES), SHAPE)
        file, skull = (Surface(shown, shown, np.zeros((3, *SHAPE))) for shown in (left + random.normal(0, 0.3, SHAPE), bone))
        hulls = np.stack([bone, bone])
        made.append(Rays(np.where(removed, skin, np.nan), removed, zone, bone, hulls, file, skull, np.zeros(2)))
    return made


def rolled_heads(count, telling, seed=0):
    """As ``heads`` with ``telling``, but bone's hulls lie at that same border."""
    return [replace(h, hulls=np.stack([h.bone, np.where(h.removed, h.skin - 8, h.bone)])) for h in heads(count, telling, seed)]


def median_errors(telling, heads=heads):
    """(attacker, source) -> median |error| in mm on heads of which none was learnt from."""
    learnt = heads(12, telling)
    made = {source: skin_attack.Attacker(source, wide=False).fit(learnt) for source in (skin_attack.SKULL, skin_attack.FILE)}
    attackers = {(name, source): attacker for source, attacker in made.items() for name in ("ray", "depth map")}
    errors = [skin_attack.attacked(attackers, head).errors for head in heads(4, telling, seed=1)]
    return {key: float(np.median(np.concatenate([e[key] for e in errors]))) for key in errors[0]}


def test_a_border_at_constant_depth_below_the_skin_gives_it_back():
    found = median_errors(telling=True)
    for name in ("ray", "depth map"):
        assert found[name, "skull"] > 1.5 and found[name, "file"] < 0.7


def test_a_border_that_follows_bone_adds_nothing():
    found = median_errors(telling=False)
    for name in ("ray", "depth map"):
        assert abs(found[name, "skull"] - found[name, "file"]) < 0.5


def test_a_border_that_follows_a_ball_rolled_over_bone_adds_nothing():
    found = median_errors(True, rolled_heads)
    for name in ("ray", "depth map"):
        assert abs(found[name, "skull"] - found[name, "file"]) < 0.5


def test_every_source_has_as_many_features_so_that_none_gains_by_its_means():
    learnt = heads(4, telling=False)
    attackers = [skin_attack.Attacker(source).fit(learnt) for source in skin_attack.GAINS["wide"]]
    assert len({a._models[0].n_features_in_ for a in attackers}) == 1


@pytest.mark.parametrize("wide", [False, True])
def test_an_attacker_sees_what_lies_eight_rays_off(wide):
    head = heads(1, telling=False)[0]
    dented = head.bone.copy()
    dented[30, 30] -= 20
    attacker = skin_attack.Attacker(skin_attack.SKULL, wide)
    attacker._shapes = {}
    plain, other = (
        attacker._features(skin_attack.Seen.of(seen, skin_attack.SKULL)) for seen in (head, replace(head, bone=dented))
    )
    assert not np.allclose(plain[30, 38], other[30, 38], atol=0.1)


def test_of_a_file_with_nothing_but_bone_both_know_the_same():
    head = heads(1, telling=False)[0]
    bare = replace(head, file=head.skull, removed=np.ones(SHAPE, bool))
    skull, file = (skin_attack.Seen.of(bare, source) for source in (skin_attack.SKULL, skin_attack.FILE))
    for name in ("bone", "left", "muscle", "behind"):
        assert np.array_equal(getattr(skull, name), getattr(file, name))


def test_gains_are_told_per_zone_and_in_all():
    errors = {
        (name, source): np.array([1.0, 3.0] if source == "file" else [4.0, 4.0])
        for name, sources in skin_attack.GAINS.items()
        for source in sources
    }
    rows = skin_attack.gains([skin_attack.Guesses(np.array([0, 9]), errors)])
    assert [row["zone"] for row in rows] == [*ZONES, "all"]
    assert rows[0]["ray gain_mm"] == 3 and rows[9]["wide border_mm"] == 1 and rows[-1]["depth map gain_mm"] == 2
    assert np.isnan(rows[1]["ray gain_mm"])


def test_interval_of_a_gain_is_over_heads():
    random = np.random.default_rng(0)

    def guesses(gain):
        file = random.normal(2, 0.1, 50)
        return skin_attack.Guesses(
            np.zeros(50, int),
            {
                (name, source): file if source == "file" else file + gain
                for name, sources in skin_attack.GAINS.items()
                for source in sources
            },
        )

    wide, narrow = (skin_attack.gains([guesses(gain) for gain in of_heads])[-1] for of_heads in ([0, 1] * 5, [0.5] * 10))
    assert wide["ray gain_low_mm"] < 0.4 and wide["ray gain_high_mm"] > 0.6
    assert 0.4 < narrow["ray gain_low_mm"] <= narrow["ray gain_mm"] <= narrow["ray gain_high_mm"] < 0.6


@pytest.mark.skipif(not CHECK_DATA.exists(), reason="the check heads are not beside the repository and may not be in it")
def test_rays_of_a_real_head_see_its_skin_and_nothing_of_it_afterwards():
    from CTADefaceLib.filling.fill import filled
    from CTADefaceLib.validation.heads import find_cases, read_case

    volume, mask = read_case(find_cases(CHECK_DATA, ["pt_004"])[0])
    frame = face_frame(volume, mask)
    rays = cast(volume, mask, filled(volume, mask)[0], frame)
    seen = np.isfinite(rays.skin)
    assert seen.sum() > 3000 and set(rays.zone[seen]) == set(range(len(ZONES)))
    # What is left lies behind the skin, and skin over the forehead is thinner than over the cheeks.
    depth = rays.skin - rays.file.left
    assert np.nanmin(depth[seen]) >= 1 and seen.sum() > 0.7 * rays.removed.sum()
    forehead, cheek = (np.nanmedian(depth[seen & (rays.zone == ZONES.index(z))]) for z in ("forehead", "right cheek"))
    assert 2 < forehead < cheek < 25


@pytest.mark.skipif(not CHECK_DATA.exists(), reason="the check heads are not beside the repository and may not be in it")
def test_hulls_of_a_real_head_follow_bone_and_nothing_of_its_skin():
    from CTADefaceLib.validation.heads import find_cases, read_case

    volume, mask = read_case(find_cases(CHECK_DATA, ["pt_004"])[0])
    frame = face_frame(volume, mask)
    plain = cast(volume, mask, volume.stored, frame)
    # Without a face, and with a mask that ends earlier.
    bare = replace(volume, stored=np.where(volume.to_hu(volume.stored) > BONE_HU, volume.stored, volume.from_hu(-1000)))
    thin = mask & ndi.binary_dilation(volume.to_hu(volume.stored) > BONE_HU, iterations=1)
    other = cast(bare, thin, bare.stored, frame)
    assert (np.nan_to_num(plain.file.left) > np.nan_to_num(other.file.left) + 3).mean() > 0.2
    near = np.abs(plain.hulls - other.hulls)
    assert np.nanmedian(near) == 0 and np.nanmean(near > 1) < 0.02
    # The smaller ball goes deeper, and neither goes behind bone.
    assert np.nanmean(plain.hulls[0] > plain.hulls[1] + 0.5) < 0.02
    assert np.nanmean(plain.bone > plain.hulls[0] + 4) < 0.02
