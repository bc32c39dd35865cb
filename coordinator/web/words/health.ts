/** A probe's own report of its health (common/wire/test.ts, Health) in a few words. */
import { minuteMs, secondMs } from '../../../common/durations.ts'
import type { Probe } from '../api/resources.ts'
import { clockOffset } from './time.ts'
import type { Tone } from './verdicts.ts'

/** Results waiting on the probe; a handful is a moment's work, more means that the link or the coordinator is behind. */
const spoolDepthUsual = 20

export function healthWords({ state, health }: Pick<Probe, 'state' | 'health'>): { tone: Tone; text: string } {
  if (health === null) return { tone: 'idle', text: 'not reported' }
  const said = reported(health)
  // It says nothing any more: what it said last may help to find out why, and is no news.
  return state === 'lost' ? { tone: 'idle', text: `${said.text}, when it was last heard` } : said
}

function reported(health: Readonly<Record<string, unknown>>): { tone: Tone; text: string } {
  if (health.inbox_ok === false) {
    const detail = typeof health.inbox_detail === 'string' && health.inbox_detail !== '' ? `: ${health.inbox_detail}` : ''
    return { tone: 'bad', text: `inbox fails${detail}` }
  }
  const spooled = typeof health.spool_depth === 'number' ? health.spool_depth : 0
  if (spooled > spoolDepthUsual) return { tone: 'warn', text: `${spooled} results wait` }
  const running = typeof health.tests_running === 'number' ? health.tests_running : 0
  return { tone: 'good', text: running === 0 ? 'good' : `good, ${running} running` }
}

/** A clock further off than this makes legs useless, though no round trip. */
const clockOffsetMsMax = secondMs

/** What is dated further ahead, or longer ago, is refused (common/wire/seal.ts, coordinator/hub/handshake.ts). */
const clockAheadMsMax = minuteMs
const clockBehindMsMax = 11 * minuteMs

/** A probe whose clock is ahead, or far behind, cannot prove itself: it stays lost until somebody sets that clock, and must be told from one that is off. */
export function clockWords(probe: Pick<Probe, 'state' | 'clock_offset_ms'>): { tone: Tone; text: string } {
  const { state, clock_offset_ms } = probe
  const text = clockOffset(clock_offset_ms)
  if (clock_offset_ms === null) return { tone: 'idle', text }
  const isRefused = -clock_offset_ms > clockAheadMsMax || clock_offset_ms > clockBehindMsMax
  if (state === 'lost' && isRefused) return { tone: 'bad', text: `${text}: cut off until it is set` }
  return { tone: Math.abs(clock_offset_ms) > clockOffsetMsMax ? 'warn' : 'good', text }
}
