"""Encoders by name, what their stages are and how large they are."""

from cards.markdown import code, first_paragraph, table
from embodied_ssl.encoders import ENCODERS, make_encoder


def pages() -> dict[str, str | bytes]:
    """The page of encoders."""
    rows = []
    for name, make in ENCODERS.items():
        encoder = make_encoder(name, 64)
        weights = sum(each.numel() for each in encoder.parameters())
        stages = ", ".join(f"{stage} {channels}" for stage, channels in encoder.channels.items())
        rows.append([code(name), first_paragraph(make.__doc__), f"{weights / 1e6:.2f} M", encoder.dim, stages])
    head = ["name", "what it is", "weights", "features", "stages and their channels"]
    return {"encoders.md": _INDEX.format(table=table(head, rows))}


_INDEX = """# Encoders

An encoder takes float images [B, 3, H, W] in [0, 1], normalises them itself, and gives maps after each stage and pooled
features. For images of 64 px:

{table}

- `timm/NAME` and `torchvision/NAME`: a backbone of these libraries, in its own layout, pooling and units.
- `sine/NAME`: a plain transformer of timm whose positions are sines that do not learn, as in MoCo v3 and MAE.
- `split/conv4`, `split/resnet8`, `split/alexnet`: in two halves, for lightness and for colours, as split-brain learns.
- `--init pretrained` takes what the library has for it, a directory what a run has learned, a file what is in it.
- `module:Name` is one of yours: any `nn.Module` ([an example](tutorials/own_method.md)).

```python
import embodied_ssl as es

encoder = es.load_encoder("runs/rotation-0")  # a plain torch.nn.Module
features = encoder(images)  # [B, dim]
maps = encoder.stages(images)  # by name, [B, channels, h, w]
```
"""
