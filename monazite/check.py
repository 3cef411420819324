"""``monazite check DIR``"""

from collections import Counter
from pathlib import Path

from plant import load_site


def summary(folder: Path) -> str:
    """What the site holds, in a few lines.

    Raises:
        ConfigurationError: with every problem of the folder.
    """
    site = load_site(folder)
    tags = Counter(tag.device for tag in site.tags)
    lines = [f"{site.name}: {len(site.devices)} devices, {len(site.tags)} tags, no problem found"]
    lines += [f"  {device.name}  {device.endpoint}  {tags[device.name]} tags" for device in site.devices.values()]
    return "\n".join(lines)
