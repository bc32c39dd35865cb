/** How the ways to a target stand, in words. */
import type { MonitorRoute } from '../api/resources.ts'
import { ago, utc } from './time.ts'
import { type Mark, outcomeMark } from './verdicts.ts'

const marks: Record<MonitorRoute['standing'], Mark> = {
  ok: { tone: 'good', shape: 'check', word: 'works', meaning: 'Mail that was sent this way alone has come back.' },
  failing: {
    tone: 'warn',
    shape: 'alert',
    word: 'fails',
    meaning: 'The last two tests of this way failed. Nobody is paged for it: mail takes another.',
  },
  unknown: { tone: 'idle', shape: 'dots', word: 'not known', meaning: 'No recent test of this way says anything.' },
}

export const routeMark = (standing: MonitorRoute['standing']): Mark => marks[standing] ?? marks.unknown

export const routeName = ({ mx, family }: Pick<MonitorRoute, 'mx' | 'family'>): string =>
  `${mx} over ${family === 'ipv6' ? 'IPv6' : 'IPv4'}`

/** What is known of it, and since when. */
export function routeNote(route: MonitorRoute, nowMs: number): string {
  const { standing, failing_since, tested_at, passed_at, outcome, words } = route
  if (standing === 'ok') return `mail passed ${ago(passed_at, nowMs)}`
  if (standing !== 'failing') return `last tested ${ago(tested_at, nowMs)}`
  const since = `since ${utc(failing_since, nowMs)}: ${outcome === null ? 'no mail passes' : outcomeMark(outcome).word}`
  return words === null ? since : `${since} (${words})`
}
