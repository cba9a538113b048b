"""What is complete is put in its place in one step, as far as the system has such a step.

In: a new file or folder and its place. Out: the new one in the place. Never: a moment in which a kill leaves half of it.
"""

import ctypes
import errno
import os
from pathlib import Path
from typing import Final

HERE: Final = -100
KEEP, SWAP = 1, 2
UNKNOWN: Final = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def put_in_place(new: Path, place: Path, *, force: bool) -> None:
    """Rename to the place; what is there is swapped to where the new one was. Raises OSError."""
    if force and os.path.lexists(place):
        _replace(new, place)
    elif not _rename(new, place, KEEP):
        if os.path.lexists(place):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))
        os.rename(new, place)
    sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Bring names to the disk. Not every system lets a folder be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def sync_file(file: Path) -> None:
    """Bring what others wrote to the disk. Raises OSError."""
    with open(file, "rb") as opened:
        os.fsync(opened.fileno())


def _replace(new: Path, place: Path) -> None:
    if new.is_file() and (place.is_symlink() or not place.is_dir()):
        os.replace(new, place)
    elif not _rename(new, place, SWAP):
        _replace_in_two_steps(new, place)


def _replace_in_two_steps(new: Path, place: Path) -> None:
    """Elsewhere than on Linux; killed between the two, what was there lies in the folder beside the place."""
    aside = new.parent / ".replaced"
    os.rename(place, aside)
    try:
        os.rename(new, place)
    except OSError:
        os.rename(aside, place)
        raise


def _rename(old: Path, new: Path, how: int) -> bool:
    """Linux has a rename that replaces nothing, and one that swaps; False where there is none. Raises OSError."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if not renameat2(HERE, os.fsencode(old), HERE, os.fsencode(new), how):
        return True
    number = ctypes.get_errno()
    if number in UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), str(new))
