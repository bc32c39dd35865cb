/**
 * What the lines of a transcript of the probe do: one test at 0:00 and what it brings about, by the probe's pure rules alone: attempts,
 * marks, control trips by turns to two references, the re-test and the faster rhythm.
 */
import { ControlTurns } from '../../probe/control.ts'
import { afterBegin, afterTest, type Sequence } from '../../probe/retest.ts'
import {
  begin,
  type Instant,
  nextWakeAt,
  type RoundTrip,
  type Step as TripStep,
  step as tripStep,
} from '../../probe/round-trip.ts'
import { testPlan } from './plans.ts'
import { asTold, check, type Line, oneOf, type Step, secondsOf, type Transcript } from './transcript.ts'

/** What a mail system does with a mail: back in 4 s; taken and lost; not taken for now; refused. */
type Way = 'well' | 'loses' | 'defers' | 'refuses'
type Span = { way: Way; from: number; to: number }
type Scene = { plan: ReturnType<typeof testPlan>; server: Span[]; references: Map<string, Span[]> }
type Event = { at: number; run: () => void }

const ways = ['well', 'loses', 'defers', 'refuses'] as const
const instant = (at: number): Instant => ({ wallMs: at * 1000, monotonicMs: at * 1000 })
const clock = (at: number): string => `${Math.floor(at / 60)}:${String(Math.floor(at % 60)).padStart(2, '0')}`
const wayAt = (spans: readonly Span[], at: number): Way => spans.findLast(({ from, to }) => at >= from && at < to)?.way ?? 'well'

export function playProbeTranscript({ steps }: Transcript): Map<Step, string[]> {
  const scene: Scene = { plan: testPlan(), server: [], references: new Map() }
  const told = new Map<Step, string[]>()
  for (const step of steps) {
    const { directive, options, words } = step
    if (directive === 'test') {
      check(step, [], ['timeout', 'slow'])
      const seconds = (option: string, otherwise: number) => (options[option] ? secondsOf(step, options[option][0]) : otherwise)
      scene.plan = testPlan({ timeout_s: seconds('timeout', 600), slow_s: seconds('slow', 120) })
    } else if (directive === 'server') scene.server.push(spanOf(step, words[0]))
    else if (directive === 'reference') {
      const [name = '', way = 'well'] = words
      scene.references.set(name, [...(scene.references.get(name) ?? []), spanOf(step, way)])
    } else if (directive === 'until') told.set(step, asTold(new ProbeStory(scene).until(secondsOf(step, words[0]))))
    else throw new Error(`${step.at}: no directive is called ${directive}`)
  }
  return told
}

function spanOf(line: Line, way: string | undefined): Span {
  check(line, null, ['from', 'to'])
  const { from, to } = line.options
  return {
    way: oneOf(line, way, ways),
    from: from === undefined ? 0 : secondsOf(line, from[0]),
    to: to === undefined ? Number.POSITIVE_INFINITY : secondsOf(line, to[0]),
  }
}

class ProbeStory {
  readonly #scene: Scene
  readonly #lines: string[] = []
  readonly #control = new ControlTurns()
  #events: Event[] = []
  #now = 0
  #sequence: Sequence | undefined
  #tests = 0

  constructor(scene: Scene) {
    this.#scene = scene
    this.#control.setReferences([...scene.references.keys()].map((address) => ({ address })))
    this.#at(0, () => this.#start('slot', 1))
  }

  until(end: number): string[] {
    for (;;) {
      const event = this.#events.toSorted((a, b) => a.at - b.at)[0]
      if (event === undefined || event.at > end) return this.#lines
      this.#events = this.#events.filter((other) => other !== event)
      this.#now = Math.max(this.#now, event.at)
      event.run()
    }
  }

  #at = (at: number, run: () => void): void => {
    this.#events.push({ at, run })
  }

  #tell = (line: string): void => {
    this.#lines.push(`${clock(this.#now)} ${line}`)
  }

  #start(cause: 'slot' | 'retest' | 'open', attempt: number): void {
    const { plan } = this.#scene
    const course = { timeoutMs: plan.timeout_s * 1000, slowMs: plan.slow_s * 1000, acceptEcho: false, kind: 'test' as const }
    const id = `test-${++this.#tests}`
    const startedAt = instant(this.#now)
    let state: RoundTrip
    const take = (taken: TripStep): void => {
      state = taken.state
      for (const effect of taken.effects) {
        if (effect.kind === 'send') this.#send(cause, effect.attempt, (event) => take(tripStep(state, event, instant(this.#now))))
        else if (effect.kind === 'report_overdue') this.#tell(`${cause} overdue`)
        else if (effect.kind === 'control_trip') this.#ask(effect.sinceMs)
        else {
          this.#tell(`${cause} ${effect.ending.outcome}`)
          const test = { id, monitorId: plan.monitor_id, cause, attempt, startedAt, ending: effect.ending }
          this.#goOn(afterTest(this.#sequence, test, plan))
        }
      }
      const wakeMs = nextWakeAt(state)
      if (wakeMs !== null)
        this.#at(
          wakeMs / 1000,
          () => this.#now * 1000 === nextWakeAt(state) && take(tripStep(state, { kind: 'timer' }, instant(this.#now))),
        )
    }
    take(begin(course, startedAt))
  }

  #send(cause: string, attempt: number, tell: (event: Parameters<typeof tripStep>[1]) => void): void {
    this.#tell(`${cause} send ${attempt}`)
    const at = instant(this.#now)
    const way = wayAt(this.#scene.server, this.#now)
    if (way === 'well' || way === 'loses') {
      this.#at(this.#now + 1, () => tell({ kind: 'sent', attempt, sent: { startedAt: at, at, stages: [], detail: {} } }))
      if (way === 'well')
        this.#at(this.#now + 4, () => tell({ kind: 'returned', back: { at: instant(this.#now), stampAtMs: 0, detail: {} } }))
    } else {
      const [outcome, permanent] = way === 'defers' ? (['deferred', false] as const) : (['refused', true] as const)
      this.#at(this.#now, () => tell({ kind: 'failed', attempt, failure: { outcome, permanent, stages: [], detail: {} } }))
    }
  }

  #goOn(sequence: Sequence | undefined): void {
    const before = this.#sequence
    this.#sequence = sequence
    if (sequence === undefined || sequence === before || sequence.due === null) return
    const { due } = sequence
    this.#at(due.monotonicMs / 1000, () => {
      if (this.#sequence?.due !== due) return
      const { cause, attempt } = this.#sequence
      this.#goOn(afterBegin(this.#sequence, this.#scene.plan, instant(this.#now)))
      this.#start(cause, attempt)
    })
  }

  #ask(sinceMs: number): void {
    this.#control.request(sinceMs, this.#scene.plan.timeout_s * 1000)
    this.#turn()
  }

  #turn(): void {
    const nowMs = this.#now * 1000
    const turn = this.#control.next(nowMs)
    if (turn === undefined) {
      const wakeMs = this.#control.nextWakeAt()
      if (wakeMs !== null && wakeMs > nowMs) this.#at(wakeMs / 1000, () => this.#turn())
      return
    }
    const names = turn.references.map(({ address }) => address)
    this.#tell(`control trips to ${names.join(' and ')}`)
    this.#control.started(
      names.map((name) => `${name} ${nowMs}`),
      turn,
      nowMs,
    )
    for (const name of names) {
      const returns = wayAt(this.#scene.references.get(name) ?? [], this.#now) === 'well'
      this.#at(this.#now + (returns ? 4 : turn.timeoutMs / 1000), () => {
        if (!returns) this.#tell(`control trip to ${name} lost`)
        this.#control.ended(`${name} ${nowMs}`, returns)
        this.#turn()
      })
    }
  }
}
