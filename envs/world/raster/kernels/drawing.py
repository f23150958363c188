"""Drawing: one view, stage after stage.

    Stage, poses, View
      │
      ▼
    scan_view       visibility   every triangle, in homogeneous coordinates, nearest part first
      │  keys  [samples]         the nearest triangle of each sample
      │  edges [triangles]       its barycentric coordinates over w
      ▼
    list_spans      spans        runs of whole pixels of one triangle; the parts of mixed pixels
      │  spans, places, shown
      ▼
    set_up_planes   planes       what is interpolated over each triangle that shows: 1/w, (u, v), normal, shadow map
      │  planes, density                                                                    ▲
      ▼                                                                                     │
    shade           shading      one colour and depth per fragment, 256 at a time  ◄── Sun (scan_shadows, kept as long
      │  color, depth [fragments]                                                           as nothing moves)
      ▼
    blend, unpack   blending     a pixel's fragments by their shares
      │
      ▼
    Image: rgb, depth, instance

All buffers are kept from image to image. Everything in this folder is compiled with what it calls, whatever the file.
"""

from embodied_ssl.envs.world.compiled import jit
from embodied_ssl.envs.world.raster.kernels.blending import blend, mark
from embodied_ssl.envs.world.raster.kernels.buffers import Fragments
from embodied_ssl.envs.world.raster.kernels.pixels import unpack
from embodied_ssl.envs.world.raster.kernels.planes import set_up_planes
from embodied_ssl.envs.world.raster.kernels.shading import rays_of, shade
from embodied_ssl.envs.world.raster.kernels.spans import list_spans
from embodied_ssl.envs.world.raster.kernels.visibility import scan_view


@jit
def draw_view(stage, samples, fragments, sun, poses, view, image):
    """Fill an image with what a view shows.

    poses: float64 [N, 4, 4], item to world. samples, fragments: room to work in, of the image's size.
    """
    scan_view(stage, samples, poses, view)
    span_count, shown_count = list_spans(samples, view)
    set_up_planes(stage, samples, sun, poses, shown_count, view.spacing)
    rays = rays_of(view)
    rgb = image.rgb.reshape(-1)
    if view.spacing == 1:  # then pixels are fragments
        straight = Fragments(
            image.depth.reshape(-1),
            fragments.color,
            fragments.bytes,
            fragments.pixels,
            fragments.numbers,
            fragments.integers,
        )
        shade(stage, samples, straight, sun, rays, view.spacing, span_count)
        mark(stage, samples, image.instance.reshape(-1), span_count)
        unpack(fragments.bytes, rgb)
    else:
        shade(stage, samples, fragments, sun, rays, view.spacing, span_count)
        blend(stage, samples, fragments, view, image, span_count)
        unpack(fragments.pixels, rgb)
