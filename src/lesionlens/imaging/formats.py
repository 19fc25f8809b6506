"""Image files by name and by their first bytes: those that are read, and others that are named with what to do."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp"})
"""Extensions of the files that are read as images, in lower case."""

SIDECAR_SUFFIXES = frozenset(
    {
        *(".txt", ".md", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".html", ".htm", ".log", ".ini", ".py"),
        *(".csv", ".tsv", ".parquet", ".xlsx", ".xls", ".ods", ".db"),
    }
)
"""Extensions of text and tables, which often accompany images."""
_OTHER_SUFFIXES = {
    ".gif": "GIF",
    ".heic": "HEIC",
    ".heif": "HEIC",
    ".avif": "AVIF",
    ".jxl": "JPEG XL",
    ".jp2": "JPEG 2000",
    ".j2k": "JPEG 2000",
    ".jpx": "JPEG 2000",
    ".dcm": "DICOM",
    ".dicom": "DICOM",
    ".ima": "DICOM",
    ".nii": "NIfTI",
    ".mha": "MetaImage",
    ".npy": "NumPy array",
    ".npz": "NumPy array",
    ".svg": "SVG",
    ".pdf": "PDF",
    ".psd": "Photoshop",
    ".xcf": "GIMP",
    ".ico": "icon",
    ".tga": "Targa",
    ".ppm": "PNM",
    ".pgm": "PNM",
    ".pbm": "PNM",
    ".exr": "OpenEXR",
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf"), "camera raw"),
}
# (offset, bytes, name); ISO media files (HEIC, AVIF) have their brand at offset 8
_SIGNATURES = (
    (0, b"GIF8", "GIF"),
    (128, b"DICM", "DICOM"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"gimp xcf", "GIMP"),
    (0, b"\x93NUMPY", "NumPy array"),
    (0, b"<svg", "SVG"),
    (0, b"<!DOCTYPE html", "HTML page"),
    (0, b"<html", "HTML page"),
    (0, b"PK\x03\x04", "zip archive"),
    (0, b"\x1f\x8b", "gzip archive"),
    (0, b"version https://git-lfs", "Git LFS pointer"),
)
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
SIGNATURE_BYTES = 132  # enough for the signature of DICOM, after a preamble of 128 bytes


def strip_image_suffix(name: str) -> str:
    """Remove the extension of an image file; other dots in a name stay.

    Examples
    --------
    >>> strip_image_suffix("a/b.1.JPG"), strip_image_suffix("b.1"), strip_image_suffix("a.heic")
    ('a/b.1', 'b.1', 'a.heic')
    """
    stem, dot, suffix = name.rpartition(".")
    return stem if stem and not stem.endswith("/") and f"{dot}{suffix}".lower() in IMAGE_SUFFIXES else name


def other_format_of_name(name: str) -> str:
    """Return the image format of an extension, "" if it is read or is not the extension of an image.

    Examples
    --------
    >>> other_format_of_name("a.HEIC"), other_format_of_name("a.jpg"), other_format_of_name("a.csv")
    ('HEIC', '', '')
    """
    return _OTHER_SUFFIXES.get("." + name.rpartition(".")[2].lower(), "")


def other_format_of_content(head: bytes) -> str:
    """Return the format of a file that is not read, from its first ``SIGNATURE_BYTES`` bytes; "" if it is unknown."""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "AVIF" if brand in (b"avif", b"avis") else "HEIC" if brand in _HEIC_BRANDS else "video"
    return next((name for start, magic, name in _SIGNATURES if head[start:].startswith(magic)), "")


def conversion_hint(format_name: str) -> str:
    """Return a phrase that says what a file is and what to do, for the end of a message.

    Examples
    --------
    >>> conversion_hint("HEIC")
    'HEIC is not read; convert it to PNG or JPEG'
    """
    match format_name:
        case "Git LFS pointer":
            return "it is a Git LFS pointer, not the file; run git lfs pull"
        case "zip archive" | "gzip archive":
            return f"it is a {format_name}; unpack it"
        case "HTML page":
            return "it is an HTML page, which a failed download leaves; download the file again"
        case "DICOM":
            return "DICOM is not read; export its image as PNG or JPEG"
        case "video" | "NumPy array" | "icon":
            return f"it is {'an' if format_name == 'icon' else 'a'} {format_name}; save it as PNG or JPEG"
    return f"{format_name} is not read; convert it to PNG or JPEG"
