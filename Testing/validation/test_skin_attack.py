"""The trained attackers: they find the skin where the file shows it, and gain nothing from a file that does not."""

import numpy as np
import pytest
from CTADefaceLib.validation import skin_attack
from CTADefaceLib.validation.face_frame import ZONES, face_frame
from CTADefaceLib.validation.rays import AZIMUTH, ELEVATION, Rays, cast
from helpers.paths import CHECK_DATA

SHAPE = ELEVATION.size, AZIMUTH.size


def heads(count, telling, seed=0):
    """Made heads whose skin lies 15 +- 4 mm, smoothly, over a bone of their own; ``telling``: what is left follows the
    skin at 8 mm, otherwise the bone at 4 mm."""
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
        made.append(Rays(np.where(removed, skin, np.nan), removed, zone, bone, left + random.normal(0, 0.3, SHAPE), left,
                         np.zeros((3, *SHAPE)), np.zeros(2)))
    return made


def median_errors(telling):
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


def test_gains_are_told_per_zone_and_in_all():
    errors = {(name, source): np.array([1.0, 3.0] if source == "file" else [4.0, 4.0])
              for name, sources in skin_attack.GAINS.items() for source in sources}
    rows = skin_attack.gains([skin_attack.Guesses(np.array([0, 9]), errors)])
    assert [row["zone"] for row in rows] == [*ZONES, "all"]
    assert rows[0]["ray gain_mm"] == 3 and rows[9]["wide border_mm"] == 1 and rows[-1]["depth map gain_mm"] == 2
    assert np.isnan(rows[1]["ray gain_mm"])


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
    depth = rays.skin - rays.left
    assert np.nanmin(depth[seen]) >= 1 and seen.sum() > 0.7 * rays.removed.sum()
    forehead, cheek = (np.nanmedian(depth[seen & (rays.zone == ZONES.index(z))]) for z in ("forehead", "right cheek"))
    assert 2 < forehead < cheek < 25
