"""What a disk may hold after the power fails: a log of calls, replayed without what was never synced.

The model is the strictest the standards allow. The content of a file is safe up to its last fsync; a name is
safe from the last fsync of its folder on. Whatever is not safe may be there or not, each for itself.
"""
import pathlib


class File:
    def __init__(self):
        self.content = b""
        self.safe_content = b""


class Folder:
    def __init__(self):
        self.entries = {}
        self.safe_entries = {}


class Disk:
    """The folder `root` of the log, empty at first and itself safe."""

    def __init__(self, root):
        self.root = pathlib.PurePosixPath(root)
        self.top = Folder()

    def _folder(self, path):
        folder = self.top
        for part in path.relative_to(self.root).parts:
            folder = folder.entries[part]
        return folder

    def _take(self, path):
        path = pathlib.PurePosixPath(path)
        return self._folder(path.parent).entries.pop(path.name, None)

    def _find(self, path):
        path = pathlib.PurePosixPath(path)
        return self.top if path == self.root else self._folder(path.parent).entries.get(path.name)

    def _put(self, path, node):
        path = pathlib.PurePosixPath(path)
        self._folder(path.parent).entries[path.name] = node

    def apply(self, call):
        """Calls that a replay cannot follow are refused, so that a new way to write is noticed."""
        node = self._find(call.path) if call.kind not in ("rename",) else None
        if call.kind == "create":
            flags = call.detail.split(",")
            if node is None and "creat" in flags:
                node = File()
                self._put(call.path, node)
            if node is not None and "trunc" in flags:
                node.content = b""
        elif call.kind == "write":
            node.content += call.data
        elif call.kind == "truncate":
            pass  # of the lock's file, whose content does not matter
        elif call.kind == "sync":
            if isinstance(node, File):
                node.safe_content = node.content
            else:
                node.safe_entries = dict(node.entries)
        elif call.kind == "rename":
            moved = self._take(call.path)
            if moved is not None:
                self._put(call.detail, moved)
        elif call.kind in ("unlink", "rmdir"):
            # Folders are removed when they are empty; remove() tries the wrong kind first.
            if isinstance(node, File) or (node is not None and call.kind == "rmdir" and not node.entries):
                self._take(call.path)
        elif call.kind == "mkdir":
            if node is None:
                self._put(call.path, Folder())
        elif call.kind not in ("open", "close", "lock"):
            raise AssertionError(f"a replay does not know {call}")

    def survivors(self, keeps_name, keeps_content):
        """{relative path: bytes, None for a folder} after a power failure.

        keeps_name(folder path, name): whether an entry that differs from the safe one is the current one.
        keeps_content(path): whether a file has all its bytes, synced or not.
        """
        found = {}
        stack = [("", self.top)]
        while stack:
            path, folder = stack.pop()
            for name in {*folder.entries, *folder.safe_entries}:
                current, safe = folder.entries.get(name), folder.safe_entries.get(name)
                node = current if current is safe or keeps_name(path, name) else safe
                below = f"{path}/{name}".lstrip("/")
                if isinstance(node, Folder):
                    found[below] = None
                    stack.append((below, node))
                elif node is not None:
                    found[below] = node.content if keeps_content(below) else node.safe_content
        return found


def outcomes(disk, random, tries):
    """Several states the disk may be in: nothing unsafe kept, all names kept, and mixtures."""
    yield "nothing that was not synced is kept", disk.survivors(lambda *_: False, lambda _: False)
    yield "names are kept, contents are not", disk.survivors(lambda *_: True, lambda _: False)
    for i in range(tries):
        yield f"mixture {i}", disk.survivors(lambda *_: random.random() < 0.5, lambda _: random.random() < 0.5)


def first_disorder(calls):
    """A rename whose file was not synced before, or whose folder was not synced after it; None if all is well."""
    synced = set()
    unsynced_names = {}
    for call in calls:
        if call.kind in ("write", "create"):
            synced.discard(call.path)
        elif call.kind == "sync":
            synced.add(call.path)
            unsynced_names.pop(call.path, None)
        elif call.kind == "rename":
            if call.path not in synced:
                return f"{call.path} got its name {call.detail} before it was synced"
            unsynced_names[str(pathlib.PurePosixPath(call.detail).parent)] = call.detail
    return next((f"the name {name} was never synced" for name in unsynced_names.values()), None)
