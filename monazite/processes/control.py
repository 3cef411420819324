"""``monazite control``"""

from monazite.bus_of import bus_of
from monazite.service import ServiceContext
from monazite.site_of import site_of
from services.control import Control


async def run(context: ServiceContext) -> None:
    site = site_of(context.settings)
    async with bus_of(context) as bus:
        control = Control(site, bus, context.registry)
        await control.run(context.stop, lambda: context.ready({}))
