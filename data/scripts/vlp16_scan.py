"""vlp16_scan.npz: one revolution of a Velodyne VLP-16, decoded from the sensor's raw packets.

A packet has twelve blocks of 100 bytes: a mark, the azimuth in hundredths of a degree, and two
firings of 16 lasers, each a distance in steps of 2 mm and an intensity. (Velodyne, VLP-16 User
Manual, section 9.)
"""

import gzip

import numpy as np
import output
import sources

ELEVATION = np.deg2rad([-15, 1, -13, 3, -11, 5, -9, 7, -7, 9, -5, 11, -3, 13, -1, 15])
MARK, BLOCK, PACKET = b"\xff\xee", 100, 1206


def packets(log: bytes) -> list[bytes]:
    """Every packet of the log: where twelve marks stand 100 bytes apart."""
    found, at = [], log.find(MARK)
    while at >= 0:
        packet = log[at : at + PACKET]
        marks = [packet[BLOCK * k : BLOCK * k + 2] for k in range(12)]
        whole = len(packet) == PACKET and marks == [MARK] * 12
        if whole:
            found.append(packet)
        at = log.find(MARK, at + (PACKET if whole else 1))
    return found


def returns(packet: bytes) -> np.ndarray:
    """x, y, z in metres and intensity of a packet's 384 returns, those without an echo included."""
    degrees = [
        int.from_bytes(packet[BLOCK * k + 2 : BLOCK * k + 4], "little") / 100 for k in range(12)
    ]
    rows = []
    for k, azimuth in enumerate(degrees):
        block = np.frombuffer(packet, np.uint8, 96, BLOCK * k + 4).reshape(32, 3).astype(int)
        metres = (block[:, 0] + 256 * block[:, 1]) * 0.002
        last = k == 11
        turn = (azimuth - degrees[k - 1]) % 360 if last else (degrees[k + 1] - azimuth) % 360
        for firing in range(2):
            angle = np.deg2rad(azimuth + firing * turn / 2)
            r, intensity = metres[16 * firing :][:16], block[16 * firing :, 2][:16]
            flat = r * np.cos(ELEVATION)
            x, y, z = flat * np.sin(angle), flat * np.cos(angle), r * np.sin(ELEVATION)
            rows.append(np.c_[x, y, z, intensity])
    return np.concatenate(rows)


folder = sources.package("mrpt-common") / "usr/share/mrpt/datasets"
log = gzip.decompress((folder / "test_velodyne_VLP16.rawlog").read_bytes())
points = np.concatenate([returns(packet) for packet in packets(log)])
points = points[np.linalg.norm(points[:, :3], axis=1) > 0.3].astype(np.float32)
output.npz(
    "vlp16_scan.npz",
    xyz_mm=np.round(points[:, :3] * 1000).astype(np.int32),
    intensity=points[:, 3].astype(np.uint8),
)
