/** What the world asks of its coordinators, whichever level they are simulated at, and what it gives them. */
import type { TestPlan } from '../../common/wire/test.ts'
import type { GivenJob } from '../../coordinator/core/admission.ts'
import type { Effect, MonitorRules, VoteView } from '../../coordinator/core/evidence.ts'
import type { TestFact } from '../../coordinator/core/verdict.ts'
import type { Events } from './events.ts'
import type { SpoolRecord } from './journal.ts'
import type { SimProbe } from './probe.ts'
import type { Seats } from './seats.ts'

export type SimJob = GivenJob & {
  probeId: string
  givenMs: number
  expiresMs: number
  sent: boolean
}

/** `sealedAtMs`: when it was sent, by the clock of the probe. */
export type SimBatch = { records: readonly SpoolRecord[]; sealedAtMs: number }

export type Surroundings = {
  events: Events
  probes: readonly SimProbe[]
  plan: TestPlan
  rules: MonitorRules
  customerId: string
  epochMs: number
  busy: boolean
  /** Names an assignment. */
  assignmentId: (probeId: string, number: number) => string
  /** When the coordinator last heard of the probe. */
  lastSeenMs: (probeId: string) => number
  connectedMs: (probeId: string) => number
  /** Whether the probe's own side worked at that moment. */
  sideWorks: (probeId: string, atMs: number) => boolean
  judgingMs: () => number
  onEffect: (effect: Exclude<Effect, { kind: 'ask' }>, votes: VoteView[]) => void
  onJob: (job: SimJob) => void
  onOrders: (probe: SimProbe) => void
  /** Coordinators have gone or come, or can tell somebody again, or no longer. */
  onPresence: () => void
  /** The coordinator at the other end of these sessions is gone. */
  dropSessions: (probeIds: readonly string[]) => void
  note: (line: () => string) => void
}

export type Coordination = {
  readonly seats: Seats
  readonly decision: string
  /** Somebody is there to receive results. */
  readonly isUp: boolean
  /** Somebody is there to judge, and nothing keeps a page from going out. */
  readonly canTell: boolean
  /** Nothing is suspected, and nothing waits to be done. */
  readonly isQuiet: boolean
  crash(): void
  start(): void
  /** Healthy slots passed by: the newest test of each vantage is a good one, and nothing is left of older troubles. */
  fold(): void
  ingest(probe: SimProbe, batch: SimBatch): void
  /** A mail of the probe has come back since then. */
  hasPassed(probeId: string, sinceMs: number): boolean
  /** The newest tests of the probe, their starts by its clock put right. */
  testsOf(probeId: string): readonly { fact: Pick<TestFact, 'id' | 'started_ms' | 'finished_ms' | 'outcome'> }[]
  /** What waits for this probe, as it opens a session. */
  jobsFor(probeId: string): SimJob[]
  /** Looks at the assignments within the next ten seconds. */
  reviewSoon(): void
}
