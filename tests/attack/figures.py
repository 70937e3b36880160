"""Prints what was measured, and appends the figures to a file, one object a line."""

import json
import math

from usage import MB

AIM_RATIO = 3
AIM_MB = 64


def percentile(values, percent):
    """The smallest value that so many percent of them don't exceed."""
    return sorted(values)[max(1, math.ceil(percent / 100 * len(values))) - 1]


def number(value):
    """Enough digits for a measurement, too few for noise; no exponent."""
    return f"{value:.0f}" if 1e4 <= value < 1e15 else f"{value:.4g}"


def shown(values):
    p50, p99, most = (number(percentile(values, percent)) for percent in (50, 99, 100))
    return f"p50 {p50}  p99 {p99}  max {most}"


class Figures:
    def __init__(self, file):
        self.file = file

    def add_row(self, name, row):
        print(name, flush=True)
        at = name.replace(",", "").replace("'", "").replace(" ", "_")
        self.add_times("http_cancel_attacked_ms", at, row.attacked.cancels, row.idle.cancels)
        self.add_times("healthz_attacked_ms", at, row.attacked.healths, row.idle.healths)
        over, idle = row.usage.over_idle_mb(), row.usage.idle / MB
        print(f"    attacked_rss_mb          {number(over)} (aim: at most {AIM_MB}); idle "
              f"{number(idle)}", flush=True)
        self.append("attacked_rss_mb", at, over, "MB", "an idle server", idle)
        if row.attacked.refused or row.attacked.asked_again:
            print(f"    under attack {row.attacked.refused} new batches were refused, and "
                  f"{row.attacked.asked_again} requests had to be made again", flush=True)

    def add_times(self, figure, at, attacked, idle):
        if not attacked or not idle:
            print(f"    {figure:24} no sample", flush=True)
            return
        value, yardstick = percentile(attacked, 99), percentile(idle, 99)
        print(f"    {figure:24} {shown(attacked)} ({len(attacked)} samples); idle {shown(idle)}; "
              f"ratio of the p99s {number(value / yardstick)} (aim: at most {AIM_RATIO})",
              flush=True)
        self.append(figure, at, value, "ms", "the same without an attack", yardstick)

    def append(self, figure, at, value, unit, yardstick, yardstick_value):
        if not self.file:
            return
        texts = {"figure": figure, "at": at, "unit": unit, "yardstick": yardstick}
        said = {name: json.dumps(text) for name, text in texts.items()}
        with open(self.file, "a", encoding="ascii") as file:
            file.write('{"figure":%s,"at":%s,"value":%s,"unit":%s,"yardstick":%s,'
                       '"yardstick_value":%s,"ratio":%s}\n'
                       % (said["figure"], said["at"], number(value), said["unit"],
                          said["yardstick"], number(yardstick_value),
                          number(value / yardstick_value)))
