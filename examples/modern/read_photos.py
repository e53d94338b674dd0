"""Three photos, five epochs: every image that comes is written to read/test_N.jpg."""

import argparse
from pathlib import Path

import tfprefetch

parser = argparse.ArgumentParser()
parser.add_argument("--data_dir", default="data", help='directory with a folder "photos"')
parser.add_argument("--read_dir", type=Path, default="read", help="where the images are written")
parser.add_argument("--num_epochs", type=int, default=5, help="how often every photo is read")
parser.add_argument("--shuffle", action="store_true", help="shuffle the photos in every epoch")
args = parser.parse_args()

photos = tfprefetch.from_files(
    f"{args.data_dir}/photos/*.jpg",
    "whole",
    with_keys=True,
    shuffle=args.shuffle,
    num_epochs=args.num_epochs,
)

args.read_dir.mkdir(parents=True, exist_ok=True)
i = 0
for i, (name, image_data) in enumerate(photos.as_numpy_iterator(), start=1):
    (args.read_dir / f"test_{i}.jpg").write_bytes(image_data)
    print(f"test_{i}.jpg", Path(name.decode()).name, len(image_data))
print("done after", i, "images")
