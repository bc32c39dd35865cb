/** What must hold of a history, whatever was killed when. Each check returns its faults in words, with what to look for in the logs. */
import {
  type History,
  type Interval,
  intersect,
  isRepeat,
  longestServed,
  overlaps,
  readyTimes,
  type SeenIncident,
  type SeenPage,
  type Sms,
  servedShare,
  serviceTimes,
  totalWithin,
  union,
} from './history.ts'
import { heldUntilMs, stepsOf } from './steps.ts'

export type Fault = { check: string; what: string }
type Check = (history: History) => string[]

/** What is due waits for somebody who is there: where nearly nobody ever is, nothing is ever late. */
const servedShareMin = 0.2
/** A due step must be taken so soon once a coordinator and the database are ready. */
export const stepMsMax = 5_000
/** A probe starts a slot up to 3 s late, by chance. */
const jitterMs = 3_000
/** Between the start of a slot and the row that says so. */
const marginMs = 500

export const checks: Readonly<Record<string, Check>> = {
  'an acknowledged result is lost': lostResults,
  'a result is there twice': doubledResults,
  'a record was refused': ({ refused }) => refused.map(({ id, code, detail }) => `${id}: ${code} ${detail}`),
  'a slot was missed': missedSlots,
  'an unmarked SMS came twice': unmarkedDuplicates,
  'a due step was late': lateSteps,
  'a page was late at the gateway': latePages,
  'an incident is stuck': stuckIncidents,
  'an incident was not told of': untoldIncidents,
  'an all-clear is missing': missingAllClears,
  'a page although the mail worked': falseIncidents,
  'an outage was told of late or never': lateIncidents,
  'too little was served to judge by': hardlyServed,
  'a process ended by itself': ({ unexpectedEnds }) => [...unexpectedEnds],
}

export const judge = (history: History): Fault[] =>
  Object.entries(checks).flatMap(([check, find]) => find(history).map((what) => ({ check, what })))

const iso = (ms: number): string => new Date(ms).toISOString().slice(11, 23)
const show = ({ id, code }: SeenIncident): string => `incident ${code} (${id})`

function lostResults({ acknowledged, results }: History): string[] {
  const seen = new Set(results.map(({ id }) => id))
  return acknowledged
    .filter(({ id }) => !seen.has(id))
    .map(({ id, monitorId, atMs }) => `${id} of monitor ${monitorId}, acknowledged at ${iso(atMs)}`)
}

function doubledResults({ results }: History): string[] {
  const byId = Map.groupBy(results, ({ id }) => id)
  const bySlot = Map.groupBy(
    results.filter(({ cause }) => cause === 'slot'),
    ({ monitorId, probeId, slotMs }) => `monitor ${monitorId}, probe ${probeId}, slot ${iso(slotMs ?? 0)}`,
  )
  return [...byId, ...bySlot].flatMap(([what, same]) => (same.length > 1 ? [`${what}: ${same.length} times`] : []))
}

/** A probe tests on, whoever else is away: only its own absence excuses a slot. */
function missedSlots({ results, monitors, probes, endedMs }: History): string[] {
  const slots = Map.groupBy(
    results.filter(({ cause, slotMs }) => cause === 'slot' && slotMs !== null),
    ({ monitorId, probeId }) => `${monitorId} ${probeId}`,
  )
  const faults: string[] = []
  for (const { id, name, periodMs } of monitors) {
    for (const [probeId, lives] of Object.entries(probes)) {
      const present = readyTimes(lives, endedMs)
      const tested = new Set(slots.get(`${id} ${probeId}`)?.map(({ slotMs }) => slotMs ?? 0))
      const firstMs = Math.min(...tested)
      if (tested.size === 0) faults.push(`${name}: probe ${probeId} has told of no slot`)
      // The last ones may still be under way.
      for (let slotMs = firstMs; slotMs < endedMs - 3 * periodMs; slotMs += periodMs) {
        const window = { fromMs: slotMs - marginMs, toMs: slotMs + jitterMs + marginMs }
        const there = totalWithin(present, window.fromMs, window.toMs) >= window.toMs - window.fromMs
        if (there && !tested.has(slotMs)) faults.push(`${name}: probe ${probeId} has no result of its slot at ${iso(slotMs)}`)
      }
    }
  }
  return faults
}

/** By the gateway's record: the same text to the same phone, once for each round; and by what the pages say of themselves. */
function unmarkedDuplicates({ sms, pages, monitors }: History): string[] {
  const rounds = 1 + Math.max(0, ...monitors.map(({ policy }) => policy.repeat))
  const rang = sms.filter((one) => one.sent && !isRepeat(one))
  const byText = Map.groupBy(rang, ({ to, text }) => `${to}: ${text}`)
  const byPage = Map.groupBy(rang, ({ pageId }) => `page ${pageId}`)
  const byPlace = Map.groupBy(pages, ({ incidentId, kind, step, round, to }) => `${incidentId} ${kind} ${step} ${round} ${to}`)
  const often = (groups: Map<string, readonly unknown[]>, allowed: number) =>
    [...groups].flatMap(([what, same]) => (same.length > allowed ? [`${what}: ${same.length} times`] : []))
  // Each round of a policy rings with the words of the first.
  const allowed = (what: string) => (/: (DOWN|UNSTABLE) /.test(what) ? rounds : 1)
  return [
    ...[...byText].flatMap(([what, same]) => (same.length > allowed(what) ? [`${what}: ${same.length} times`] : [])),
    ...often(byPage, 1),
    ...often(byPlace, 1),
  ]
}

function lateSteps(history: History): string[] {
  return stepsOf(history).flatMap(({ incident, step, round, dueMs, takenMs, servedMs }) =>
    servedMs > stepMsMax
      ? [
          `${show(incident)}: step ${step} of round ${round} was due at ${iso(dueMs)} and ${takenMs === null ? 'never taken' : `taken at ${iso(takenMs)}`}`,
        ]
      : [],
  )
}

export type Handover = { page: SeenPage; atMs: number | null; servedMs: number }

/** From the row of a page to the first request at the gateway. */
export function handovers(history: History): Handover[] {
  const service = serviceTimes(history)
  const first = firstRequests(history.sms)
  return history.pages.flatMap((page) => {
    const atMs = first.get(page.id)?.atMs ?? null
    if (atMs === null && page.state === 'cancelled') return []
    return [{ page, atMs, servedMs: longestServed(service, dueMs(page, history), atMs ?? history.endedMs) }]
  })
}

/** An all-clear waits so long where word of the trouble was on its way to the same phone as it was written: it would overtake it. */
const behindMsMax = 45_000
/** Whoever hands a page over gives up on a gateway before that, and who was killed meanwhile is missed. */
const onItsWayMsMax = 20_000

function dueMs({ kind, incidentId, to, writtenMs }: SeenPage, { pages, sms }: History): number {
  if (kind !== 'resolved' && kind !== 'unconfirmed_resolved') return writtenMs
  const isOnItsWay = (trouble: SeenPage): boolean => {
    const requests = sms.filter(({ pageId }) => pageId === trouble.id)
    return requests.length === 0 || requests.some(({ atMs }) => atMs > writtenMs - onItsWayMsMax)
  }
  const troubles = pages.filter((page) => page.incidentId === incidentId && page.to === to && page.kind !== kind)
  return troubles.some((page) => page.writtenMs <= writtenMs && isOnItsWay(page)) ? writtenMs + behindMsMax : writtenMs
}

const firstRequests = (sms: readonly Sms[]): Map<string, Sms> => {
  const first = new Map<string, Sms>()
  for (const one of sms) if (!first.has(one.pageId)) first.set(one.pageId, one)
  return first
}

/** Who was killed between taking a page and handing it over is missed for 5 s; then another takes it. */
const takeoverMsMax = 5_000

function latePages(history: History): string[] {
  return handovers(history).flatMap(({ page, atMs, servedMs }) =>
    servedMs > stepMsMax + takeoverMsMax
      ? [
          `page ${page.id} (${page.kind} ${page.step}) was written at ${iso(page.writtenMs)} and ${atMs === null ? `never handed over (${page.state})` : `handed over at ${iso(atMs)}`}`,
        ]
      : [],
  )
}

const has = (incident: SeenIncident, ...types: string[]): boolean => incident.events.some(({ type }) => types.includes(type))

/** An unstable incident ends when mail has returned for half an hour, and the hour before holds one notice at the most. */
const unstableMsMax = 65 * 60_000

/** All mail systems have been mended and all processes run: what is still open will stay open. */
function stuckIncidents({ incidents, pages, outages, endedMs }: History): string[] {
  const lastOutageMs = Math.max(0, ...Object.values(outages).flatMap((list) => list.map(({ toMs }) => toMs)))
  const open = incidents.filter(
    ({ resolvedMs, flapping }) => resolvedMs === null && !(flapping && endedMs < lastOutageMs + unstableMsMax),
  )
  const waiting = pages.filter(({ state, writtenMs }) => ['pending', 'sending'].includes(state) && writtenMs < endedMs - 60_000)
  return [
    ...open.map((incident) => `${show(incident)} is open at the end`),
    ...waiting.map(({ id, state }) => `page ${id} is ${state} at the end`),
  ]
}

/** Somebody was told of each, unless it was over, or a person had taken it on, before anybody could be. */
function untoldIncidents(history: History): string[] {
  const { incidents, pages, sms } = history
  const service = serviceTimes(history)
  const tried = new Set(sms.map(({ pageId }) => pageId))
  const ofIncident = Map.groupBy(pages, ({ incidentId }) => incidentId)
  return incidents.flatMap((incident) => {
    if (has(incident, 'nobody_to_page', 'no_policy')) return []
    // Of many that cannot be judged one page tells, which is of another incident.
    if (incident.kind === 'unconfirmed' && has(incident, 'page_suppressed_by_blind_spell')) return []
    const toldMs = Math.max(incident.openedMs, heldUntilMs(incident.events))
    const told = (ofIncident.get(incident.id) ?? []).filter(
      ({ kind }) => kind === 'down' || kind === 'past' || kind === 'unconfirmed' || kind === 'blind',
    )
    if (told.some(({ id }) => tried.has(id))) return []
    const acknowledgedMs = incident.events.find(({ type }) => type === 'acknowledged')?.atMs
    const overMs = Math.min(
      incident.resolvedMs ?? Number.POSITIVE_INFINITY,
      acknowledgedMs ?? Number.POSITIVE_INFINITY,
      history.endedMs,
    )
    const overBefore = overMs < history.endedMs && longestServed(service, toldMs, overMs) <= stepMsMax + takeoverMsMax
    return overBefore ? [] : [`${show(incident)}, opened at ${iso(incident.openedMs)}: ${told.length} pages, none handed over`]
  })
}

const allClearOf: Readonly<Record<string, string>> = { down: 'resolved', unconfirmed: 'unconfirmed_resolved' }

/** Whose phone rang gets the all-clear. */
function missingAllClears({ incidents, pages, sms }: History): string[] {
  const rang = new Set(sms.filter(({ sent }) => sent).map(({ pageId }) => pageId))
  const ofIncident = Map.groupBy(pages, ({ incidentId }) => incidentId)
  return incidents.flatMap((incident) => {
    if (incident.resolvedMs === null) return []
    const all = (ofIncident.get(incident.id) ?? []).filter(({ id }) => rang.has(id))
    return all
      .filter(({ kind, to }) => kind in allClearOf && !all.some((clear) => clear.kind === allClearOf[kind] && clear.to === to))
      .map(({ kind, to }) => `${show(incident)}: ${to} was told ${kind} and not of its end`)
  })
}

/** Some mail must have been out of order between the first failing test and the opening. */
function falseIncidents({ incidents, monitors, outages }: History): string[] {
  const byId = new Map(monitors.map((monitor) => [monitor.id, monitor]))
  return incidents.flatMap((incident) => {
    const monitor = byId.get(incident.monitorId)
    const explained = (outages[monitor?.system ?? ''] ?? []).some((outage) =>
      overlaps(outage, incident.sinceMs, incident.openedMs),
    )
    if (explained || incident.kind !== 'down') return []
    return [`${show(incident)} of ${monitor?.name}, ${iso(incident.sinceMs)} to ${iso(incident.openedMs)}`]
  })
}

/** Every outage that lasts is told of within the bound, where only the time counts in which all that it takes was there. */
function lateIncidents(history: History): string[] {
  const served = Object.values(history.probes)
    .map((lives) => union(readyTimes(lives, history.endedMs)))
    .reduce(intersect, serviceTimes(history))
  const ofMonitor = Map.groupBy(history.incidents, ({ monitorId }) => monitorId)
  return history.monitors.flatMap(({ id, name, system, boundMs }) =>
    (history.outages[system] ?? []).flatMap((outage) => {
      const dueMs = afterServed(served, outage.fromMs, boundMs)
      if (dueMs === null || dueMs > outage.toMs) return []
      const told = (ofMonitor.get(id) ?? []).some(
        ({ openedMs, resolvedMs, kind }) => kind === 'down' && openedMs <= dueMs && (resolvedMs ?? dueMs) >= outage.fromMs,
      )
      return told ? [] : [`${name}: the outage from ${iso(outage.fromMs)} to ${iso(outage.toMs)} was due at ${iso(dueMs)}`]
    }),
  )
}

/** When so much time has been served since then; null: never. */
function afterServed(served: readonly Interval[], sinceMs: number, lengthMs: number): number | null {
  let leftMs = lengthMs
  for (const { fromMs, toMs } of intersect(served, [{ fromMs: sinceMs, toMs: Number.POSITIVE_INFINITY }])) {
    if (toMs - fromMs >= leftMs) return fromMs + leftMs
    leftMs -= toMs - fromMs
  }
  return null
}

function hardlyServed(history: History): string[] {
  const share = servedShare(history)
  return share >= servedShareMin
    ? []
    : [`${Math.round(100 * share)} % of the time; at least ${100 * servedShareMin} % are wanted`]
}
