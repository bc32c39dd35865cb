/** One SNTP exchange (RFC 5905 §7.3, §14), as bytes: what to send, and what an answer says. */

/** Seconds from 1900, where NTP counts from, to 1970. */
const epochOffsetS = 2_208_988_800
const packetBytes = 48
/** RFC 5905 §7.3: 0 is unspecified or "kiss of death", 16 and above not synchronized. */
const stratumMax = 15

export type ClockSample = {
  /** What our wall clock lacks: positive where it is behind. */
  offsetMs: number
  /** The answer's round trip; half of it bounds the error by the way. */
  delayMs: number
  /** The most the server itself may be wrong: half its way to the reference clock, and its dispersion. */
  rootErrorMs: number
}

/** A client request. Its transmit timestamp is random: the answer must repeat it, and it tells no server our time. */
export function ntpRequest(nonce: Uint8Array): Buffer {
  const packet = Buffer.alloc(packetBytes)
  // Leap indicator 0, version 4, mode 3 (client).
  packet[0] = (4 << 3) | 3
  packet.set(nonce.subarray(0, 8), 40)
  return packet
}

/** Undefined where the packet is no usable answer to `request`. `sentWallMs` is our clock at the request, `tookMs` monotonic. */
export function readNtpAnswer(
  packet: Buffer,
  request: Buffer,
  times: { sentWallMs: number; tookMs: number },
): ClockSample | undefined {
  if (packet.length < packetBytes) return undefined
  const flags = packet.readUInt8(0)
  const stratum = packet.readUInt8(1)
  const isServer = (flags & 7) === 4
  const unsynchronized = flags >> 6 === 3 || stratum === 0 || stratum > stratumMax
  if (!isServer || unsynchronized || !packet.subarray(24, 32).equals(request.subarray(40, 48))) return undefined
  const receivedMs = timestampMs(packet, 32)
  const answeredMs = timestampMs(packet, 40)
  const delayMs = times.tookMs - (answeredMs - receivedMs)
  if (answeredMs < receivedMs || delayMs < -1) return undefined
  const rootErrorMs = shortMs(packet, 4) / 2 + shortMs(packet, 8)
  return {
    offsetMs: (receivedMs + answeredMs) / 2 - (times.sentWallMs + times.tookMs / 2),
    delayMs: Math.max(0, delayMs),
    rootErrorMs,
  }
}

/** A 64-bit timestamp. Seconds below the middle of the range belong to the era that begins in 2036 (RFC 4330 §3). */
function timestampMs(packet: Buffer, at: number): number {
  const seconds = packet.readUInt32BE(at)
  const era = seconds < 2 ** 31 ? 2 ** 32 : 0
  return (seconds + era - epochOffsetS + packet.readUInt32BE(at + 4) / 2 ** 32) * 1000
}

/** A 32-bit short: seconds and fraction, 16 bits each. */
const shortMs = (packet: Buffer, at: number): number => (packet.readUInt32BE(at) / 2 ** 16) * 1000
