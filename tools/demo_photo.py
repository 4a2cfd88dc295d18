"""Print the path of the demo's photograph: scikit-image's wheel brings real ones as files."""

from importlib.resources import files

PHOTOGRAPH = "chelsea.png"  # a cat, 451 x 300 px, by Stefan van der Walt; public domain (CC0)

if __name__ == "__main__":
    print(files("skimage") / "data" / PHOTOGRAPH)
