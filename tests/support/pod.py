"""The work of a kubelet for a pod's specification: directories, variables, arguments.

Objects of the release contain the data; objects outside of the release are parameters.
"""

import base64
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Manifest = Mapping[str, Any]
Entries = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """ConfigMaps and Secrets that are not part of the release, by name."""

    config_maps: Mapping[str, Entries] = field(default_factory=dict)
    secrets: Mapping[str, Entries] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as a process would see it, with its file system below a directory."""

    root: Path
    args: Sequence[str]
    environ: Mapping[str, str]

    def path(self, path: str) -> Path:
        """Return the location of a path of the container."""
        return self.root / path.lstrip("/")


def layout(
    *,
    root: Path,
    pod: Manifest,
    container: Manifest,
    manifests: Sequence[Manifest],
    outside: Outside | None = None,
    name: str,
) -> Container:
    """Create the files of a container; paths in its arguments and files are below the root."""
    known = _known(manifests, outside or Outside())
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts: dict[str, Path] = {}
    for mount in container["volumeMounts"]:
        assert "subPath" not in mount
        mounts[mount["mountPath"]] = root / mount["mountPath"].lstrip("/")
    for mount in container["volumeMounts"]:
        entries = _entries(volumes[mount["name"]], known)
        moved = {file: _moved(text, mounts) for file, text in entries.items()}
        publish(mounts[mount["mountPath"]], moved)
    return Container(
        root=root,
        args=[_moved(arg, mounts) for arg in container["args"]],
        environ=dict(_environ(container, known, name)),
    )


def publish(directory: Path, entries: Entries) -> None:
    """Change the content of a mounted volume atomically, as the kubelet does."""
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / "..data"
    number = int(link.readlink().name.rpartition("_")[2]) + 1 if link.is_symlink() else 0
    fresh = directory / f"..version_{number}"
    fresh.mkdir()
    for name, text in entries.items():
        (fresh / name).write_text(text, encoding="utf-8")
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(Path("..data") / name)
    swap = directory / "..data_tmp"
    swap.symlink_to(fresh.name)
    swap.rename(link)
    if number:
        shutil.rmtree(directory / f"..version_{number - 1}")


def _known(manifests: Sequence[Manifest], outside: Outside) -> dict[tuple[str, str], Entries]:
    known: dict[tuple[str, str], Entries] = {}
    for each in manifests:
        key = (each["kind"], each["metadata"]["name"])
        if each["kind"] == "ConfigMap":
            known[key] = each["data"]
        elif each["kind"] == "Secret":
            known[key] = {n: base64.b64decode(v).decode() for n, v in each["data"].items()}
    known |= {("ConfigMap", name): entries for name, entries in outside.config_maps.items()}
    known |= {("Secret", name): entries for name, entries in outside.secrets.items()}
    return known


def _entries(volume: Manifest, known: Mapping[tuple[str, str], Entries]) -> dict[str, str]:
    if "projected" in volume:
        found: dict[str, str] = {}
        for source in volume["projected"]["sources"]:
            found |= known["Secret", source["secret"]["name"]]
        return found
    if "configMap" in volume:
        return dict(known["ConfigMap", volume["configMap"]["name"]])
    secret = volume["secret"]
    entries = known["Secret", secret["secretName"]]
    if "items" not in secret:
        return dict(entries)
    return {item["path"]: entries[item["key"]] for item in secret["items"]}


def _environ(
    container: Manifest, known: Mapping[tuple[str, str], Entries], name: str
) -> Iterator[tuple[str, str]]:
    yield "HOSTNAME", name
    for source in container.get("envFrom", []):
        yield from known["Secret", source["secretRef"]["name"]].items()
    for variable in container.get("env", []):
        if "value" in variable:
            yield variable["name"], variable["value"]
            continue
        source = variable["valueFrom"]
        if "fieldRef" in source:
            assert source["fieldRef"] == {"fieldPath": "metadata.name"}
            yield variable["name"], name
        else:
            key = source["secretKeyRef"]
            yield variable["name"], known["Secret", key["name"]][key["key"]]


def _moved(text: str, mounts: Mapping[str, Path]) -> str:
    # Replace the longest path first: /etc/sls-exporter is a prefix of /etc/sls-exporter-web.
    for path in sorted(mounts, key=len, reverse=True):
        text = text.replace(f"{path}/", f"{mounts[path]}/")
    return text
