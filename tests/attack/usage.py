"""What a process uses."""

import os
import pathlib

PAGE = os.sysconf("SC_PAGE_SIZE")
MB = 1e6


class Usage:
    """Of the server's process, from the moment on at which it was idle."""

    def __init__(self, pid):
        self.pid = pid
        self.idle_descriptors = self.most_descriptors = self.descriptors()
        self.idle = self.highest = self.resident()
        self.first_peak = self.peak()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident(self):
        """Bytes."""
        return int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE

    def peak(self):
        """The most that was ever resident, in bytes."""
        lines = pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines()
        kilobytes, = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
        return int(kilobytes) * 1024

    def look(self):
        """Takes down how much is resident, and what was between two looks if that is a record, and
        how many descriptors are open."""
        self.most_descriptors = max(self.most_descriptors, self.descriptors())
        self.highest = max(self.highest, self.resident())
        if (peak := self.peak()) > self.first_peak:
            self.highest = max(self.highest, peak)

    def over_idle_mb(self):
        return (self.highest - self.idle) / MB
