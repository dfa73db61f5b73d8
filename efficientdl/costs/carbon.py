"""From GPU hours to pounds of carbon dioxide and to dollars.

The conversion is one multiplication. What makes the difference is the hours: a search that starts
afresh for every device pays for each of them, one that trains a single network for all pays once.
"""

from dataclasses import dataclass

from efficientdl import _check
from efficientdl.catalogue import Measure, technique


@dataclass(frozen=True)
class Site:
    """Where the GPUs stand: what an hour of one draws, emits and costs.

    Attributes:
        watts_per_gpu: Power of one GPU with its share of processor and memory.
        power_usage: Power of the whole site over that of its computers (PUE).
        lbs_co2e_per_kwh: Emission of the electricity.
        usd_per_gpu_hour: Price.
    """

    watts_per_gpu: float
    power_usage: float
    lbs_co2e_per_kwh: float
    usd_per_gpu_hour: float

    @property
    def lbs_co2e_per_gpu_hour(self) -> float:
        """Pounds of CO2 equivalent for one GPU hour.

        >>> round(STRUBELL.lbs_co2e_per_gpu_hour, 4), STRUBELL.usd_per_gpu_hour
        (0.2836, 3.06)
        """
        return self.watts_per_gpu / 1000 * self.power_usage * self.lbs_co2e_per_kwh


STRUBELL = Site(
    watts_per_gpu=12041.51 / 64,  # BERT-base on 64 V100, measured
    power_usage=1.58,  # the world's data centres, 2018
    lbs_co2e_per_kwh=0.954,  # the mean of the United States
    usd_per_gpu_hour=24.48 / 8,  # p3.16xlarge on demand, eight V100
)

LBS_PER_GPU_HOUR = STRUBELL.lbs_co2e_per_gpu_hour
DOLLARS_PER_GPU_HOUR = STRUBELL.usd_per_gpu_hour


@dataclass(frozen=True)
class Emission:
    """What some GPU hours emit and cost.

    Attributes:
        gpu_hours: The hours.
        co2e_lbs: Pounds of CO2 equivalent.
        usd: Dollars.
    """

    gpu_hours: float
    co2e_lbs: float
    usd: float


@technique(
    "cost-carbon",
    paper="Strubell, Ganesh, McCallum, Energy and Policy Considerations for Deep Learning in NLP, "
    "2019",
    survey="3.2, Table 3; 5.3, Table 7",
    lab="01_costs",
    kind=Measure(),
)
def carbon(gpu_hours: float, *, site: Site = STRUBELL) -> Emission:
    """Convert GPU hours into carbon dioxide and dollars.

    CO2e = hours * watts per GPU * PUE * pounds per kWh / 1000.

    Args:
        gpu_hours: Hours of one GPU, 0 or more.
        site: Where the GPUs stand.

    >>> emitted = carbon(48_000 * 40)  # NASNet-A for 40 devices
    >>> round(emitted.co2e_lbs / 1000, 1), round(emitted.usd / 1000, 1)
    (544.5, 5875.2)

    Source: Strubell, Ganesh, McCallum, "Energy and Policy Considerations for Deep Learning in
        NLP", 2019, section 2 and Table 3; survey section 3.2, Table 3; lab 01.
    """
    _check.at_least("carbon", "gpu_hours", gpu_hours, 0)
    _check.kind("carbon", "site", site, Site)
    return Emission(
        gpu_hours, gpu_hours * site.lbs_co2e_per_gpu_hour, gpu_hours * site.usd_per_gpu_hour
    )


@dataclass(frozen=True)
class Hours:
    """GPU hours of a design method for N devices: `once + each * N`, for search and training.

    Attributes:
        once: Paid once, whatever N.
        each: Paid again for every device.

    >>> once_for_all = Hours(once=40 + 1200, each=75)
    >>> once_for_all.for_devices(1), once_for_all.for_devices(40)
    (1315, 4240)
    """

    once: float
    each: float

    def for_devices(self, n: int) -> float:
        """GPU hours for `n` devices."""
        _check.whole("Hours.for_devices", "n", n, 0)
        return self.once + self.each * n


# Survey, Table 3: search and training hours of each method.
METHODS: dict[str, Hours] = {
    "MobileNetV2": Hours(0, 150),
    "MobileNetV2 #1200": Hours(0, 1200),
    "NASNet-A": Hours(0, 48_000),
    "DARTS": Hours(0, 96 + 250),
    "MnasNet": Hours(0, 40_000),
    "FBNet-C": Hours(0, 216 + 360),
    "ProxylessNAS": Hours(0, 200 + 300),
    "SinglePathNAS": Hours(288, 24 + 384),
    "AutoSlim": Hours(180, 300),
    "MobileNetV3-Large": Hours(0, 180),
    "OFA": Hours(40 + 1200, 0),
    "OFA #75": Hours(40 + 1200, 75),
}
