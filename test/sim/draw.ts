/** Worlds and troubles drawn from a seed. */
import { dayMs, hourMs, minuteMs, secondMs } from '../../common/durations.ts'
import type { MonitorRules } from '../../coordinator/core/evidence.ts'
import type { ClockSetting } from './machine-clock.ts'
import type { Random } from './random.ts'
import type { MailFault, ProbeSetting, Trouble, WorldSetting } from './setting.ts'

const startMs = Date.UTC(2026, 0, 1)
const regions = ['eu', 'us', 'ap', 'sa', 'af', 'me', 'oc', 'in', 'ca', 'uk', 'jp']

/** As DESIGN 1 has it, shorter, and as short as the trial of `npm start`. */
const timings: Omit<MonitorRules, 'vantages' | 'quorum' | 'mode'>[] = [
  { period_s: 1200, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 },
  { period_s: 1200, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 },
  { period_s: 300, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 },
  { period_s: 300, timeout_s: 120, slow_s: 30, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 120 },
  { period_s: 3600, timeout_s: 900, slow_s: 300, retest_wait_s: 60, hard_confirm_s: 180, open_period_s: 600 },
]

export function drawSetting(random: Random): WorldSetting {
  const vantages = random.pick([1, 2, 3, 3, 4, 4, 5, 8])
  const quorum = vantages === 1 ? 1 : random.chance(0.75) ? 2 : Math.min(3, vantages)
  const mode = random.pick<MonitorRules['mode']>(['seed', 'fast', 'hedged'])
  const rules = { ...random.pick(timings), vantages, quorum, mode: vantages === 1 ? ('seed' as const) : mode }
  return {
    startMs,
    rules,
    probes: drawProbes(random, rules, random.pick([0, 0, 1, 2])),
    responder: {
      driftPpm: random.chance(0.7) ? random.between(-0.5, 0.5) : random.between(-50, 50),
      aheadMs: random.chance(0.7) ? random.between(-2, 2) * secondMs : sign(random) * random.spread(secondMs, 3 * dayMs),
    },
    references: random.pick([1, 2, 3]),
    greylistMs: random.chance(0.3) ? random.between(30 * secondMs, rules.timeout_s * 500) : null,
    busy: random.chance(0.3),
    pace: {
      dialogue: { median: 400, sigma: 0.8 },
      leg: { median: 1200, sigma: 0.8 },
      link: { median: 80, sigma: 0.7 },
      judging: { median: 60, sigma: 0.8 },
      reconnect: { low: 500, high: 15_000 },
    },
    chances: { lost: 1e-5, late: 1e-4, doubled: 0.01, hiccup: 0.01, unacknowledged: 0.002 },
  }
}

/** Every probe a witness of its own, but that one more than needed may share a network with another. */
function drawProbes(random: Random, rules: MonitorRules, spares: number): ProbeSetting[] {
  const count = rules.vantages + spares
  const shared = rules.vantages > rules.quorum && random.chance(0.2)
  return Array.from({ length: count }, (_, index): ProbeSetting => {
    const region = regions[index] ?? `region-${index}`
    const asn = shared && index < 2 ? 64500 : 64501 + index
    return {
      id: region,
      domain: { region, asn, return_domain: `${region}.probe.example` },
      clock: drawClock(random),
    }
  })
}

/** Most machines keep time; some nobody has synchronised, and of these some do not know it. */
function drawClock(random: Random): ClockSetting {
  const driftPpm = random.between(-50, 50)
  const kept = random.chance(0.85)
  // Who is further ahead is not heard, nor who is behind by eleven minutes (signatures.ts): that comes and goes as a trouble.
  const aheadMs = kept ? random.between(-50, 50) : random.between(-300, 50) * secondMs
  const readingErrorMs = random.between(-20, 20)
  if (kept || random.chance(0.6)) return { driftPpm, aheadMs, readingErrorMs }
  return { driftPpm, aheadMs: random.between(-540, 50) * secondMs, readingErrorMs: null }
}

const sign = (random: Random): number => (random.chance(0.5) ? 1 : -1)

const faults: MailFault[] = [
  'dropped',
  'closed',
  'refused',
  'deferred',
  'tls',
  'auth',
  'dns_missing',
  'dns_silent',
  'swallowed',
  'swallowed',
  'bounced',
  'held',
  'unstamped',
  'return_lost',
  'return_held',
]

export type Weather = {
  /** True outages among the troubles; without, only what must wake nobody. */
  outages: boolean
  /** Where outages may be, some begin and end while nobody is there to hear for hours. */
  away?: boolean
}

/** The troubles of one bad stretch that begins at `atMs`: one, and often others beside it. */
export function drawTroubles(random: Random, setting: WorldSetting, atMs: number, weather: Weather): Trouble[] {
  const away = random.stream('away')
  if (weather.outages && weather.away === true && away.chance(awayShare)) return drawAway(away, setting, atMs, weather)
  const outage = weather.outages && random.chance(0.4)
  const other = (fromMs: number) => drawOther(random, setting, fromMs, weather)
  const first = outage ? drawOutage(random, setting, atMs) : other(atMs)
  const others = random.chance(0.5) ? random.whole(1, 3) : 0
  const lastsMs = Math.max(first.toMs - first.fromMs, setting.rules.period_s * 1000)
  // Some begin before the first, so that an outage also meets vantages and links that are out of order already.
  const from = () => Math.round(atMs + random.between(0, 1.2) * lastsMs)
  const troubles = [first, ...Array.from({ length: others }, () => other(random.chance(0.4) ? atMs : from()))]
  if (!outage || others === 0 || random.chance(0.5)) return troubles
  const laterMs = Math.round(random.spread(30 * secondMs, 2 * hourMs))
  return [{ ...first, fromMs: first.fromMs + laterMs, toMs: first.toMs + laterMs }, ...troubles.slice(1)]
}

/** Of the bad stretches, where that is in the weather. */
const awayShare = 0.08

/** One outage or two that begin and end while nobody is there to hear: for hours the coordinator is away, or all links are cut. */
function drawAway(random: Random, setting: WorldSetting, fromMs: number, weather: Weather): Trouble[] {
  const outage = drawOutage(random, setting, fromMs + Math.round(random.spread(minuteMs, 2 * hourMs)))
  const soonMs = outage.toMs + Math.round(random.spread(5 * minuteMs, 2 * hourMs))
  const outages = random.chance(0.25) ? [outage, drawOutage(random, setting, soonMs)] : [outage]
  const overMs = Math.max(...outages.map((each) => each.toMs))
  const toMs = Math.max(overMs + Math.round(random.spread(minuteMs, 2 * hourMs)), fromMs + hourMs)
  // The last links are back up to a few minutes after the first.
  const apartMs = random.chance(0.3) ? random.between(0, 5 * minuteMs) : 0
  const cut = ({ id: probe }: ProbeSetting): Trouble => {
    return { kind: 'link', probe, direction: 'both', fromMs, toMs: Math.round(toMs + random.between(0, apartMs)) }
  }
  const away: Trouble[] = random.chance(0.5) ? [{ kind: 'coordinator', fromMs, toMs }] : setting.probes.map(cut)
  const beside = random.chance(0.2) ? [drawOther(random, setting, Math.round(random.between(fromMs, toMs)), weather)] : []
  return [...outages, ...away, ...beside]
}

function drawOutage(random: Random, { rules }: WorldSetting, fromMs: number): Trouble {
  const longMs = (rules.period_s + 3 * rules.timeout_s + rules.hard_confirm_s) * 1000
  const lasts = random.chance(0.7) ? random.between(1, 3) * longMs : random.spread(5 * secondMs, longMs)
  return { kind: 'mail', fault: random.pick(faults), regions: null, fromMs, toMs: Math.round(fromMs + lasts) }
}

function drawOther(random: Random, setting: WorldSetting, fromMs: number, weather: Weather): Trouble {
  const probe = random.pick(setting.probes).id
  const until = (lastsMs: number) => ({ fromMs, toMs: Math.round(fromMs + lastsMs) })
  const kinds = [
    'glitch',
    'glitch',
    'region',
    'region',
    'brownout',
    'blocked',
    'crash',
    'crash',
    'uplink',
    'link',
    'link',
    'inbox',
    'clock',
    'references',
    'coordinator',
    'greylist',
    'responder',
  ] as const
  switch (random.pick(kinds)) {
    case 'glitch':
      // The next mail, wherever in the period that is.
      return {
        kind: 'glitch',
        probe,
        lateMs: random.chance(0.5) ? null : random.spread(minuteMs, 24 * hourMs),
        ...until(setting.rules.period_s * 1000),
      }
    case 'region':
      return {
        kind: 'mail',
        fault: random.pick(faults),
        regions: [random.pick(setting.probes).domain.region],
        ...until(random.spread(10 * secondMs, 6 * hourMs)),
      }
    case 'brownout':
      // Where no outage may be, most mails come through.
      return {
        kind: 'brownout',
        share: Math.round(random.between(0.05, weather.outages ? 0.95 : 0.5) * 100) / 100,
        ...until(random.spread(minuteMs, 3 * hourMs)),
      }
    case 'blocked':
      return {
        kind: 'blocked',
        way: random.pick(['refused', 'refused', 'deferred', 'bounced']),
        regions: random.chance(0.8) ? [random.pick(setting.probes).domain.region] : null,
        ...until(random.spread(minuteMs, 3 * hourMs)),
      }
    case 'crash':
      return { kind: 'crash', probe, reboot: random.chance(0.3), ...until(random.spread(secondMs, 3 * hourMs)) }
    case 'uplink':
      return { kind: 'uplink', probe, ...until(random.spread(5 * secondMs, 3 * hourMs)) }
    case 'link':
      return {
        kind: 'link',
        probe,
        direction: random.chance(0.75) ? 'both' : 'orders',
        ...until(random.spread(secondMs, 5 * hourMs)),
      }
    case 'inbox':
      return { kind: 'inbox', probe, loses: random.chance(0.3), ...until(random.spread(30 * secondMs, 3 * hourMs)) }
    case 'clock':
      return {
        kind: 'clock',
        probe,
        byMs: Math.round(sign(random) * random.spread(secondMs, hourMs)),
        ...until(random.spread(minuteMs, 3 * hourMs)),
      }
    case 'references':
      return { kind: 'references', ...until(random.spread(minuteMs, 3 * hourMs)) }
    case 'coordinator':
      return { kind: 'coordinator', ...until(random.spread(secondMs, hourMs)) }
    case 'responder':
      return {
        ...(random.chance(0.5)
          ? { kind: 'responder_state' }
          : { kind: 'responder_clock', byMs: Math.round(sign(random) * random.spread(secondMs, 2 * dayMs)) }),
        ...until(random.spread(secondMs, 5 * hourMs)),
      }
    case 'greylist':
      return { kind: 'greylist_forgotten', ...until(0) }
  }
}
