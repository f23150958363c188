"""A folder as the Hugging Face hub has them: config.json, model.safetensors, and the card as README.md."""

from pathlib import Path

from embodied_ssl.encoders import Encoder
from embodied_ssl.encoders.of_timm import TimmEncoder
from embodied_ssl.exporting.to_timm import to_timm
from embodied_ssl.exporting.to_torch_export import images_in_words


def to_huggingface(encoder: Encoder, folder: Path) -> str:
    """Write a folder that can be uploaded as it is, and return how it is loaded.

    Networks that timm knows are in timm's format, so that timm loads them; all others take this package.
    """
    if isinstance(encoder, TimmEncoder):
        return to_timm(encoder, folder)
    from embodied_ssl.exporting.hub import HubEncoder

    model = HubEncoder(**encoder.settings)
    model.encoder.load_state_dict(encoder.state_dict())
    model.save_pretrained(folder)
    return f"""from embodied_ssl.exporting.hub import HubEncoder

encoder = HubEncoder.from_pretrained("PATH_OF_THIS_FOLDER").eval()
features = encoder(images)  # {images_in_words(encoder)}"""
