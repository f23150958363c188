"""What objects are made of. The first eight materials make objects: each feels unlike the others, and looks it.

Stiffness is that of a contact in N/m: how hard an object pushes back when a finger presses into it. The eight lie a
factor of two to three apart, so that force profiles separate; the hard ones saturate a finger's motor.
"""

from embodied_ssl.envs.world.assets import Material

GLAZES = ("glaze_bands", "glaze_motifs", "glaze_speckle", "crackle")

MATERIALS: dict[str, Material] = {
    material.name: material
    for material in (
        Material("plush", ("fur", "fur_spots", "terry"), 90, 0.9, 0.05, 150, 6, 0.0),
        Material("foam", ("pores", "beads"), 45, 0.8, 0.3, 500, 8, 0.0),
        Material("rubber", ("rubber", "tread"), 1100, 1.1, 0.7, 1200, 12, 0.05),
        Material("cardboard", ("cardboard", "corrugated"), 300, 0.5, 0.1, 2500, 25, 0.0),
        Material("plastic", ("plastic", "plastic_stripes", "plastic_print"), 950, 0.4, 0.4, 6000, 40, 0.35),
        Material("wood", ("grain", "stained_wood", "laminate"), 650, 0.55, 0.35, 15000, 70, 0.08),
        Material("ceramic", GLAZES, 2300, 0.45, 0.2, 40000, 120, 0.55),
        Material("metal", ("brushed", "anodized", "hammered"), 5000, 0.3, 0.25, 100000, 200, 0.7),
        # of structures, furniture and what decorates objects
        Material("plaster", ("plaster", "wallpaper"), 1500, 0.6, 0.2, 50000, 150, 0.0),
        Material("stone", ("stone", "marble", "terrazzo", "concrete", "paving"), 2500, 0.65, 0.2, 80000, 200, 0.15),
        Material("brick", ("brick",), 1900, 0.7, 0.2, 60000, 200, 0.0),
        Material("tile", ("tile", "subway_tile", "mosaic"), 2300, 0.45, 0.2, 60000, 200, 0.4),
        Material("asphalt", ("asphalt",), 2200, 0.8, 0.2, 60000, 200, 0.0),
        Material("glass", ("glass",), 2500, 0.35, 0.3, 60000, 150, 0.8),
        Material("fabric", ("cloth", "plaid", "stripes"), 250, 0.8, 0.05, 800, 10, 0.0),
        Material("carpet", ("carpet", "rug"), 300, 0.9, 0.05, 1500, 15, 0.0),
        Material("leather", ("leather",), 850, 0.6, 0.15, 2000, 20, 0.2),
        Material("paper", ("page", "book_cover", "books", "painting"), 700, 0.5, 0.1, 4000, 30, 0.02),
        Material("leaf", ("leaf", "grass"), 350, 0.6, 0.05, 300, 6, 0.05),
        Material("bark", ("bark",), 600, 0.7, 0.2, 15000, 70, 0.0),
        Material("earth", ("soil", "gravel", "sand"), 1500, 0.8, 0.05, 5000, 60, 0.0),
    )
}

OBJECT_MATERIALS = ("plush", "foam", "rubber", "cardboard", "plastic", "wood", "ceramic", "metal")
