"""timm's Vision Transformer in the shape of the comparison."""

from timm.models.vision_transformer import VisionTransformer

from rows import CLASSES, IMAGE_SIDE, VIT_DEPTH, VIT_HEAD_DIM, VIT_PATCH


def vit(width: int) -> VisionTransformer:
    """timm's Vision Transformer with heads of 64 entries and a class token."""
    return VisionTransformer(
        img_size=IMAGE_SIDE,
        patch_size=VIT_PATCH,
        num_classes=CLASSES,
        embed_dim=width,
        depth=VIT_DEPTH,
        num_heads=width // VIT_HEAD_DIM,
    )
