#!/usr/bin/env python3
"""Prints resized and cropped pixels as torchvision's `Resize` and `CenterCrop` make them of a Pillow image.

    python3 scripts/reference/resize_and_crop.py

Needs Pillow (`pip install pillow`; tested with 13.0). torchvision's two transforms are written out
here, since their arithmetic on an image is Pillow's. `data/decode_tests.rs` holds the numbers
printed here.
"""

from PIL import Image

WIDTH, HEIGHT = 13, 9


def example():
    image = Image.new("RGB", (WIDTH, HEIGHT))
    for y in range(HEIGHT):
        for x in range(WIDTH):
            pixel = (x * 19 + y * 7) % 256, (x * x * 5 + y * 31) % 256, (x * y * 11) % 256
            image.putpixel((x, y), pixel)
    return image


def resize_and_crop(image, resize, crop):
    width, height = image.size
    if width <= height:
        size = resize, int(resize * height / width)
    else:
        size = int(resize * width / height), resize
    image = image.resize(size, Image.BILINEAR)
    left, top = (int(round((side - crop) / 2.0)) for side in size)
    return image.crop((left, top, left + crop, top + crop))


def values(image):
    return [image.getpixel((x, y)) for y in range(image.height) for x in range(image.width)]


if __name__ == "__main__":
    smaller = resize_and_crop(example(), 6, 4)
    for channel in range(3):
        print("smaller", channel, values(smaller.getchannel(channel)))
    print("larger", values(resize_and_crop(example().getchannel(1), 14, 3)))
    print("upright", values(resize_and_crop(example().getchannel(0).transpose(Image.ROTATE_90), 6, 5)))
