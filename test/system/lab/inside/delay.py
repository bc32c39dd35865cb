"""Holds packets back, because this kernel may have no netem.

Started in the router's namespace with the name of a TUN device and ADDRESS=MILLISECONDS pairs. Policy routing sends the
packets of those addresses, coming and going, into the device; each is given back after the delays of its source and its
destination together, and then takes its normal way.
"""
import fcntl
import heapq
import os
import select
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
HELD_MAX = 100_000

device = sys.argv[1]
pairs = (argument.split('=') for argument in sys.argv[2:])
delay_s = {bytes(int(part) for part in address.split('.')): int(ms) / 1000 for address, ms in pairs}

tun = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tun, TUNSETIFF, struct.pack('16sH22x', device.encode(), IFF_TUN | IFF_NO_PI))
print('holding packets back', flush=True)

held = []
count = 0
while True:
    wait_s = max(0, held[0][0] - time.monotonic()) if held else None
    readable, _, _ = select.select([tun], [], [], wait_s)
    while readable and len(held) < HELD_MAX:
        try:
            packet = os.read(tun, 65536)
        except BlockingIOError:
            break
        source, destination = packet[12:16], packet[16:20]
        due = time.monotonic() + delay_s.get(source, 0) + delay_s.get(destination, 0)
        count += 1  # Packets that are due at the same instant keep their order.
        heapq.heappush(held, (due, count, packet))
    while held and held[0][0] <= time.monotonic():
        try:
            os.write(tun, heapq.heappop(held)[2])
        except OSError:
            pass  # Not a packet that can be routed (an IPv6 router solicitation, say): a network loses it too.
