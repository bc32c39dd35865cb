/** A probe's own report of its health (common/wire/test.ts, Health) in a few words. */
import type { Tone } from './verdicts.ts'

/** Results waiting on the probe; a handful is a moment's work, more means that the link or the coordinator is behind. */
const spoolDepthUsual = 20

export function healthWords(health: Readonly<Record<string, unknown>> | null): { tone: Tone; text: string } {
  if (health === null) return { tone: 'idle', text: 'not reported' }
  if (health.inbox_ok === false) {
    const detail = typeof health.inbox_detail === 'string' && health.inbox_detail !== '' ? `: ${health.inbox_detail}` : ''
    return { tone: 'bad', text: `inbox fails${detail}` }
  }
  const spooled = typeof health.spool_depth === 'number' ? health.spool_depth : 0
  if (spooled > spoolDepthUsual) return { tone: 'warn', text: `${spooled} results wait` }
  const running = typeof health.tests_running === 'number' ? health.tests_running : 0
  return { tone: 'good', text: running === 0 ? 'good' : `good, ${running} running` }
}
