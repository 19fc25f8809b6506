"""Rendering of structures, artifacts, pigments, outlines and noise."""

import numpy as np
import pytest

from lesionlens.synthesis.artifacts import ARTIFACT_RENDERERS
from lesionlens.synthesis.canvas import LesionCanvas
from lesionlens.synthesis.lesion import canvas_size, lesion_mask, render_outline, sample_outline, soft_mask
from lesionlens.synthesis.pigment import (
    BLOOD,
    DERMAL_MELANIN,
    MELANIN,
    SCATTERING,
    empty_pigments,
    render_pigments,
)
from lesionlens.synthesis.procedural_noise import fractal_noise, voronoi_cells
from lesionlens.synthesis.structures import STRUCTURE_BITS, STRUCTURES, read_structures


@pytest.fixture(scope="module")
def canvas() -> LesionCanvas:
    rng = np.random.default_rng(0)
    outline = sample_outline(rng, radius=90, asymmetry=0.2, irregularity=0.3, softness=0.3)
    field = render_outline(outline, canvas_size(outline, 1.0))
    return LesionCanvas(field, soft_mask(field, 0.3, radius=90), 90.0, 1.0)


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("disorder", [0.0, 1.0])
def test_structure_adds_pigment_inside_its_mask(name: str, disorder: float, canvas: LesionCanvas) -> None:
    layer = STRUCTURES[name](canvas, np.random.default_rng(1), disorder)
    pigments = [pigment for pigment in layer[1:] if pigment is not None]
    assert layer.mask.shape == canvas.size
    assert layer.mask.any()
    assert all(pigment.shape == canvas.size and np.isfinite(pigment).all() for pigment in pigments)
    changed = sum(np.abs(pigment) for pigment in pigments)
    assert changed[layer.mask].mean() > 2 * changed[canvas.distance_field < -0.5].mean()


@pytest.mark.parametrize("name", ARTIFACT_RENDERERS)
def test_artifact_changes_part_of_the_image(name: str) -> None:
    gray = np.full((180, 240, 3), 0.6, np.float32)
    changed = [
        np.abs(ARTIFACT_RENDERERS[name](gray.copy(), np.random.default_rng(seed), 0.4) - 0.6).max(2) > 0.03
        for seed in range(12)
    ]
    assert sum(mask.any() for mask in changed) >= 11  # a hair may miss the image
    assert all(mask.mean() < 0.8 for mask in changed)


def test_pigments_have_their_colors() -> None:
    base = np.array([0.9, 0.75, 0.75], np.float32)

    def relative_color(channel: int) -> np.ndarray:
        pigments = empty_pigments((2, 2))
        pigments[..., channel] = 0.5
        return render_pigments(base, pigments)[0, 0] / base

    brown, red, blue, white = (
        relative_color(channel) for channel in (MELANIN, BLOOD, DERMAL_MELANIN, SCATTERING)
    )
    assert brown[0] > brown[1] > brown[2]
    assert red[1] < min(red[0], red[2])
    assert blue[0] < blue[1] < blue[2]
    assert (white[1:] > 1).all()
    assert np.allclose(render_pigments(base, empty_pigments((2, 2))), base, atol=1e-6)


def test_lesion_is_inside_its_canvas_and_has_about_its_radius() -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        outline = sample_outline(rng, radius=60, asymmetry=1, irregularity=1, softness=0.3)
        mask = lesion_mask(render_outline(outline, canvas_size(outline, 1.0)))
        assert not (mask[[0, -1]].any())
        assert not (mask[:, [0, -1]].any())
        assert 0.3 < mask.sum() / (np.pi * 60**2) < 3


def test_noise_has_zero_mean_and_unit_deviation() -> None:
    for scale, octaves in ((100, 3), (40, 5), (12, 3)):
        fields = [
            fractal_noise(np.random.default_rng(s), (200, 200), scale=scale, octaves=octaves)
            for s in range(30)
        ]
        assert abs(np.mean(fields)) < 0.3
        assert 0.75 < np.std(fields) < 1.3


def test_voronoi_cells_have_seeds_inside_and_edges_between() -> None:
    lattice = voronoi_cells(np.random.default_rng(0), (80, 80), spacing=12, jitter=0.5)
    assert lattice.distance[lattice.edges > 0].mean() > 1.3 * lattice.distance[lattice.edges == 0].mean()
    values = lattice.uniform_per_cell(np.random.default_rng(0), 2, 3)
    assert len(np.unique(values)) == len(np.unique(lattice.labels))


def test_structure_bits_fit_16_bits_and_wrong_files_raise(tmp_path) -> None:
    from lesionlens.core.errors import ImageError

    assert len(STRUCTURE_BITS) == 16
    assert max(STRUCTURE_BITS.values()) < 2**16
    with pytest.raises(ImageError, match="structure mask"):
        read_structures(tmp_path / "absent.png")
