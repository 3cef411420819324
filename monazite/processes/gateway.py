"""``monazite gateway``"""

import numexpr

from monazite.bus_of import bus_of
from monazite.service import ServiceContext
from monazite.site_of import site_of
from services.gateway import Gateway


async def run(context: ServiceContext) -> None:
    numexpr.set_num_threads(1)  # its inputs are a few samples long: waking a thread costs more than it computes
    site = site_of(context.settings)
    async with bus_of(context) as bus:
        gateway = Gateway(site, bus, context.registry, context.settings.pki_folder)
        await gateway.run(context.stop, lambda: context.ready({}))
