/** An incident as the flows tell of it, written by hand for the oracle of the flows: all is well, until a test spoils it. */
import {
  blindOverText,
  blindText,
  downText,
  fleetText,
  type PageFacts,
  pastText,
  resolvedText,
  unconfirmedResolvedText,
  unconfirmedText,
} from '../../coordinator/core/sms-text.ts'
import type { FlowHistory } from '../sim/flows/history.ts'
import type { ToldEvent } from '../sim/flows/told.ts'
import type { Page } from '../sim/pages.ts'

export const [alice, bob, operator] = ['+61400000001', '+61400000002', '+61400000000']
export const code = 'K7QX'
export const facts: PageFacts & { resolved_ms: number } = {
  monitor_name: 'Mail of Example',
  code,
  cause: 'mail accepted, not back in 10 min',
  since_ms: 0,
  resolved_ms: 900_000,
  failing_regions: ['eu', 'us'],
  passing_regions: [],
  flapping: false,
}
export const texts = {
  down: downText(facts),
  past: pastText({ ...facts, ended_ms: 500_000 }),
  unconfirmed: unconfirmedText(facts),
  resolved: resolvedText(facts),
  unconfirmed_resolved: unconfirmedResolvedText(facts),
  blind: blindText(5, code),
  blind_resolved: blindOverText({ code, since_ms: 0, over_ms: 900_000, unjudged: 0 }),
  fleet: fleetText({ failing: 12, watched: 40 }, 180_000, code),
}

export type Story = ReturnType<typeof wellTold>

/** Alice is told at once, Bob after five minutes, both that it is over after a quarter of an hour. Times are in seconds. */
function wellTold() {
  const recipient = (contact_name: string, address: string) => [{ contact_method_id: contact_name, contact_name, address }]
  return {
    contacts: new Map([
      ['alice', recipient('alice', alice)],
      ['bob', recipient('bob', bob)],
    ]),
    policy: { steps: [step(0, 'alice'), step(300, 'bob')], repeat: 0 } as FlowHistory['setting']['policy'],
    log: {
      opened: event(0, 'opened', { kind: 'down', code }),
      paged0: event(0, 'paged', { step: 0, round: 0, to: ['alice'] }),
      paged1: event(300, 'paged', { step: 1, round: 0, to: ['bob'] }),
      resolved: event(900, 'resolved', { pages_cancelled: 0 }),
    } as Record<string, ToldEvent>,
    sms: {
      aliceDown: sms(1, alice, texts.down),
      bobDown: sms(301, bob, texts.down),
      aliceUp: sms(901, alice, texts.resolved),
      bobUp: sms(901, bob, texts.resolved),
    } as Record<string, ReturnType<typeof sms>>,
    windows: [] as [number, number][],
    /** How long the look after maintenance takes, in s. */
    lookS: 0,
    /** Mail is gone for all. */
    outages: [] as [number, number][],
    /** When each decision has the outage begin. */
    since: [] as number[],
    deaf: [] as [number, number][],
    crashes: [] as number[],
    /** Handed over without an answer, and not taken. */
    swallowed: [] as { atS: number; text: string; reference: string; to: string }[],
  }
}

export function step(after_s: number, ...contact_ids: string[]) {
  return { after_s, contact_ids }
}

export function event(atS: number, type: ToldEvent['type'], detail: Record<string, unknown> = {}): ToldEvent {
  return { type, at_ms: atS * 1000, committedMs: atS * 1000, detail }
}

export function sms(atS: number, to: string, text: string, reference = `${to} ${atS}`) {
  return { atMs: atS * 1000, to, text, reference, gateway: 'first' }
}

/** As the story goes after `change`. */
export function historyOf(change: (story: Story) => void): FlowHistory {
  const story = wellTold()
  change(story)
  const span = ([fromS, toS]: [number, number]) => ({ fromMs: fromS * 1000, toMs: toS * 1000 })
  const events = Object.values(story.log).sort((a, b) => a.at_ms - b.at_ms)
  const taken = Object.values(story.sms).sort((a, b) => a.atMs - b.atMs)
  return {
    setting: {
      machines: [{ aheadMs: 0 }],
      crashChance: 0,
      policy: story.policy,
      contacts: story.contacts,
      operatorPhone: operator,
      acknowledging: { chance: 0, afterMs: 0 },
    },
    incidents: [{ code, kind: 'down', openedMs: 0, pages: story.since.map(decided), events }],
    taken,
    attempts: [
      ...taken.map(({ gateway: _, ...attempt }) => ({ ...attempt, knownMs: attempt.atMs })),
      ...story.swallowed.map(({ atS, ...attempt }) => ({ ...attempt, atMs: atS * 1000, knownMs: null })),
    ],
    lookMs: story.lookS * 1000,
    windows: story.windows.map(([fromS, toS], index) => ({
      id: `window-${index}`,
      schedule: { kind: 'once', starts_ms: fromS * 1000, ends_ms: toS * 1000 },
      valid_from_ms: -1e9,
      valid_until_ms: null,
    })),
    outageSpans: story.outages.map(span),
    upSpans: [{ fromMs: -1e9, toMs: Number.POSITIVE_INFINITY }],
    deafSpans: story.deaf.map(span),
    crashesMs: story.crashes.map((atS) => atS * 1000),
    rested: true,
  }
}

const decided = (sinceS: number): Page => ({
  atMs: 0,
  kind: 'down',
  sinceMs: sinceS * 1000,
  lastGoodMs: null,
  votes: [],
  resolvedMs: null,
})

export const nobodyHears = (story: Story) => {
  story.sms = {}
}
/** Nobody hears of it, and the log has these lines between the opening and the end. */
export const instead = (story: Story, ...events: ToldEvent[]) => {
  nobodyHears(story)
  const { opened, resolved } = story.log
  story.log = {
    ...(opened && { opened }),
    ...(resolved && { resolved }),
    ...Object.fromEntries(events.map((line, index) => [`line ${index}`, line])),
  }
}
export const onlyUnconfirmed = (story: Story) => {
  instead(story, event(0, 'paged', { kind: 'unconfirmed', to: ['operator'] }))
  story.log.opened = event(0, 'opened', { kind: 'unconfirmed' })
  story.sms = { told: sms(1, operator, texts.unconfirmed), over: sms(901, operator, texts.unconfirmed_resolved) }
}
export const onlyPast = (story: Story) => {
  instead(story, event(900, 'paged', { kind: 'past', to: ['alice'] }))
  story.log.opened = event(900, 'opened', { kind: 'down' })
  story.log.resolved = event(900, 'resolved', { over_before_heard: true })
  story.sms = { told: sms(901, alice, texts.past) }
}
/** Of 100 to 600 s, heard of at 900, and told to nobody for the maintenance that was then. */
export const keptBack = (story: Story, maintenance: [number, number], outage: [number, number]) => {
  onlyPast(story)
  story.log.resolved = event(900, 'resolved', { over_before_heard: true, ended_at: new Date(600_000).toISOString() })
  instead(story, event(900, 'page_suppressed_by_maintenance'))
  story.since = [100]
  story.windows = [maintenance]
  story.outages = [outage]
}
export const acknowledgedEarly = (story: Story) => {
  story.log.acknowledged = event(200, 'acknowledged')
}
export const withoutBob = (story: Story) => {
  delete story.log.paged1
  delete story.sms.bobDown
  delete story.sms.bobUp
}
export const givenUp = (atS: number) => (story: Story) => {
  delete story.sms.aliceDown
  delete story.sms.aliceUp
  withoutBob(story)
  acknowledgedEarly(story)
  story.log.failed = event(atS, 'page_failed', { kind: 'down', to: alice, page_id: 'page' })
  story.log.resolved = event(9000, 'resolved', { pages_cancelled: 0 })
  story.deaf = [[0, 2000]]
}
