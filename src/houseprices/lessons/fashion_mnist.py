"""Fashion-MNIST (Xiao et al. 2017) -> data/fashion-mnist: four gzipped IDX files, known by their MD5."""

from pathlib import Path

from houseprices.errors import DownloadError
from houseprices.files import checksum, replacing
from houseprices.kaggle.download import fetch
from houseprices.progress import Notify, Progress, silent

FASHION_MNIST_FOLDER = Path("data/fashion-mnist")

# Plain http: nothing but the checksums vouches for the files.
ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


def download_fashion_mnist(to: Path = FASHION_MNIST_FOLDER, notify: Notify = silent) -> tuple[str, ...]:
    """Bring the files that are not there yet.

    Returns:
        The names of the files that came; empty if all were there.

    Raises:
        DownloadError: a file could not be fetched or is not the known one, or another one is in the way; then none
            is put in place.
    """
    for name in MD5:
        if (to / name).exists() and not ((to / name).is_file() and checksum(to / name, "md5") == MD5[name]):
            raise DownloadError(f"{to / name} is there with other content; move it away and try again")
    missing = tuple(name for name in MD5 if not (to / name).exists())
    if not missing:
        return ()
    with replacing(*(to / name for name in missing), error=DownloadError) as files:
        for file in files:
            notify(Progress(f"downloading {file.name}"))
            fetch(f"{ADDRESS}/{file.name}", file, "md5", MD5[file.name])
    return missing
