/** What a run has seen, from the outside only, and the arithmetic of the times in it. All times are ms of this machine's clock. */

export type Interval = { fromMs: number; toMs: number }

/** One life of a process: started, perhaps ready, perhaps ended. */
export type Life = { startedMs: number; readyMs: number | null; endedMs: number | null }

export type PolicyStep = { after_s: number }
export type Policy = { steps: readonly PolicyStep[]; repeat: number }

export type WatchedMonitor = {
  id: string
  name: string
  /** Name of the mail system that it watches. */
  system: string
  periodMs: number
  /** From the start of an outage to the SMS, as the API shows it. */
  boundMs: number
  policy: Policy
}

/** A result that a coordinator acknowledged on the wire. */
export type Acknowledged = { id: string; monitorId: string; atMs: number }

export type SeenResult = {
  id: string
  monitorId: string
  probeId: string
  cause: string
  slotMs: number | null
  outcome: string
}

export type IncidentEvent = { type: string; atMs: number; detail: { step?: number; round?: number } & Record<string, unknown> }

export type SeenIncident = {
  id: string
  monitorId: string
  code: string
  kind: 'down' | 'unconfirmed'
  sinceMs: number
  openedMs: number
  resolvedMs: number | null
  /** One of a series: it stays open until mail has returned for half an hour. */
  flapping: boolean
  events: readonly IncidentEvent[]
}

export type SeenPage = {
  id: string
  incidentId: string
  kind: string
  step: number
  round: number
  to: string
  state: string
  /** When the row was written. */
  writtenMs: number
}

/** One request at the SMS gateway. */
export type Sms = {
  atMs: number
  pageId: string
  to: string
  text: string
  behaviour: 'accept' | 'accept-then-hang' | 'refuse'
  /** Whether a phone rang. */
  sent: boolean
}

export type History = {
  endedMs: number
  coordinators: Readonly<Record<string, readonly Life[]>>
  database: readonly Life[]
  /** By probe id. */
  probes: Readonly<Record<string, readonly Life[]>>
  monitors: readonly WatchedMonitor[]
  /** By mail system: when its mail did not work. */
  outages: Readonly<Record<string, readonly Interval[]>>
  acknowledged: readonly Acknowledged[]
  /** Records that a coordinator refused for good. */
  refused: readonly { id: string; code: string; detail: string }[]
  /** In the order of the API's answer, so that a doubled one shows. */
  results: readonly SeenResult[]
  incidents: readonly SeenIncident[]
  pages: readonly SeenPage[]
  sms: readonly Sms[]
  /** Processes that ended although nobody killed them. */
  unexpectedEnds: readonly string[]
}

export const repeatMark = '(repeat) '
export const isRepeat = (sms: Sms): boolean => sms.text.startsWith(repeatMark)

/** From ready to the end of each life. */
export const readyTimes = (lives: readonly Life[], endMs: number): Interval[] =>
  lives.flatMap(({ readyMs, endedMs }) => (readyMs === null ? [] : [{ fromMs: readyMs, toMs: endedMs ?? endMs }]))

/** Merges what overlaps or touches. */
export function union(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = []
  for (const next of intervals.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = merged.at(-1)
    if (last !== undefined && next.fromMs <= last.toMs) last.toMs = Math.max(last.toMs, next.toMs)
    else merged.push({ ...next })
  }
  return merged
}

export function intersect(some: readonly Interval[], others: readonly Interval[]): Interval[] {
  return union(
    some.flatMap((one) =>
      others.flatMap((other) => {
        const fromMs = Math.max(one.fromMs, other.fromMs)
        const toMs = Math.min(one.toMs, other.toMs)
        return fromMs < toMs ? [{ fromMs, toMs }] : []
      }),
    ),
  )
}

/** What lies between the intervals, from the first to the last. */
export const gaps = (intervals: readonly Interval[]): Interval[] =>
  intervals.slice(1).map((next, index) => ({ fromMs: intervals[index]?.toMs ?? next.fromMs, toMs: next.fromMs }))

/** When a coordinator was ready and the database with it: then due work must be done. */
export function serviceTimes({ coordinators, database, endedMs }: History): Interval[] {
  const anyCoordinator = union(Object.values(coordinators).flatMap((lives) => readyTimes(lives, endedMs)))
  return intersect(anyCoordinator, union(readyTimes(database, endedMs)))
}

/** The longest time between the two in which service was never interrupted: so long, work that was due could have been done. */
export const longestServed = (service: readonly Interval[], fromMs: number, toMs: number): number =>
  Math.max(0, ...intersect(service, [{ fromMs, toMs }]).map((piece) => piece.toMs - piece.fromMs))

export const totalWithin = (intervals: readonly Interval[], fromMs: number, toMs: number): number =>
  intersect(intervals, [{ fromMs, toMs }]).reduce((sum, piece) => sum + piece.toMs - piece.fromMs, 0)

/** The share of the time since it began in which there was service. */
export function servedShare(history: History): number {
  const service = serviceTimes(history)
  const fromMs = service[0]?.fromMs ?? 0
  return totalWithin(service, fromMs, history.endedMs) / (history.endedMs - fromMs)
}

export const overlaps = (interval: Interval, fromMs: number, toMs: number): boolean =>
  interval.fromMs <= toMs && interval.toMs >= fromMs

/** The value below which so large a share of them lies; null of none. */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null
}
