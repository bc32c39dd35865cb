/** One run: start everything, strike by the plan while mail breaks and mends, mend all, let it come to rest, and collect what is to be seen. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../sim/random.ts'
import { collect } from './collect.ts'
import type { History, Interval } from './history.ts'
import { Installation, type InstallationOptions } from './installation.ts'
import type { Part } from './part.ts'
import { type Blow, drawBlows, drawOutage, longOutage, type Outage } from './plan.ts'

export type RunOptions = Omit<InstallationOptions, 'onUnexpectedEnd'> & {
  kills: number
  /** Mean time between two kills of a coordinator. */
  everyMs: number
  /** Aborted, the run ends early, and leaves no process behind: a frozen one would stay for ever. */
  signal: AbortSignal
  say: (line: string) => void
}

export type Killed = { coordinators: number; probes: number; database: number; whileStarting: number }
export type Ran = {
  history: History
  killed: Killed
  batches: number
  acknowledgementsMs: readonly number[]
}

const acknowledgeEveryMs = 4_000
/** From the mending to the last all-clear, and to the last page that the fleet guard held, with room for a gateway that answers late. */
const restMsMax = 240_000
const serviceRestartMs = 1_000

export async function run(options: RunOptions): Promise<Ran> {
  const ends = new UnexpectedEnds()
  const installation = await Installation.start({ ...options, onUnexpectedEnd: (what, part) => ends.note(what, part) })
  try {
    options.say(`${installation.monitors.length} monitors, ${options.kills} kills`)
    await allUp(installation, options.signal)
    const world = new World(installation, options)
    await world.play()
    await atRest(installation, options)
    for (const probe of installation.probes.values()) await probe.stop()
    const history = await collect(installation, world.outages, ends.faults)
    const { batches, acknowledgementsMs } = installation.wire
    return { history, killed: world.killed, batches, acknowledgementsMs }
  } finally {
    ends.isOver = true
    await installation.stop()
  }
}

/** Whoever ends by itself is at fault. A coordinator is started again, as by a service manager, so that the run goes on. */
class UnexpectedEnds {
  readonly faults: string[] = []
  isOver = false

  note(what: string, part: Part): void {
    this.faults.push(what)
    if (!part.name.startsWith('coordinator')) return
    void pause(serviceRestartMs).then(() => (this.isOver || part.running ? undefined : part.start()))
  }
}

class World {
  readonly killed: Killed = { coordinators: 0, probes: 0, database: 0, whileStarting: 0 }
  readonly outages = new Map<string, Interval[]>()
  readonly #installation: Installation
  readonly #options: RunOptions
  readonly #random: Random
  readonly #over = new AbortController()
  /** Restarts that are still to come. */
  readonly #restarts = new Set<Promise<void>>()

  constructor(installation: Installation, options: RunOptions) {
    this.#installation = installation
    this.#options = options
    this.#random = options.random
  }

  async play(): Promise<void> {
    const breakable = [...this.#installation.mailSystems.keys()].filter((name) => name.startsWith('broken'))
    const ended = await Promise.allSettled([
      this.#strike().finally(() => this.#over.abort()),
      ...breakable.map((name, index) => this.#breakAndMend(name, index)),
      this.#acknowledgeSome(),
    ])
    // Also where the strike was broken off: what starts now would not be stopped.
    await Promise.allSettled(this.#restarts)
    const failed = ended.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  }

  async #strike(): Promise<void> {
    const blows = drawBlows(this.#random.stream('blows'), this.#options.kills, this.#options.everyMs)
    const probes = this.#random.stream('probes')
    for (const [index, blow] of blows.entries()) {
      await pause(blow.pauseMs, undefined, { signal: this.#options.signal })
      await this.#land(blow, probes)
      if ((index + 1) % 50 === 0) this.#options.say(`${this.killed.coordinators} coordinators killed`)
    }
    await Promise.all(this.#restarts)
  }

  async #land(blow: Blow, random: Random): Promise<void> {
    const { coordinators, database, probes } = this.#installation
    const targets = { a: ['a'], b: ['b'], both: ['a', 'b'], probe: [], database: [] }[blow.target] as ('a' | 'b')[]
    for (const name of targets) {
      const coordinator = coordinators[name]
      while (!coordinator.running) await pause(10, undefined, { signal: this.#options.signal })
      if (coordinator.lives.at(-1)?.readyMs === null) this.killed.whileStarting += 1
    }
    await Promise.all(targets.map((name) => coordinators[name].kill()))
    this.killed.coordinators += targets.length
    for (const name of targets)
      this.#later(blow.downMs, async () => (coordinators[name].running ? undefined : coordinators[name].start()))
    if (blow.target === 'probe') {
      const probe = random.pick([...probes.values()])
      await probe.kill()
      this.killed.probes += 1
      this.#later(blow.downMs, async () => probe.start())
    }
    if (blow.target === 'database' && database.running) {
      await database.kill()
      this.killed.database += 1
      this.#later(blow.downMs, () => database.start())
    }
  }

  #later(delayMs: number, start: () => Promise<void>): void {
    const restart = pause(delayMs, undefined, { signal: this.#options.signal }).then(start)
    this.#restarts.add(restart)
    // One that failed is kept: it fails the run once the strike is over.
    restart.then(
      () => this.#restarts.delete(restart),
      () => {},
    )
  }

  async #breakAndMend(name: string, index: number): Promise<void> {
    const random = this.#random.stream(name)
    const part = this.#installation.mailSystems.get(name)
    const outages: Interval[] = []
    this.outages.set(name, outages)
    // The first one's mail stays broken for long, if the run is so long.
    for (let next = index === 0 && this.#options.kills >= 500 ? longOutage : drawOutage(random); ; next = drawOutage(random)) {
      if (!(await this.#wait(next.afterMs)) || part === undefined) return
      const outage = { fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY }
      outages.push(outage)
      const mend = await breakMail(part, next.how)
      await this.#wait(next.lastsMs)
      await mend()
      outage.toMs = Date.now()
    }
  }

  /** Now and then somebody takes an incident on: its escalation ends there. */
  async #acknowledgeSome(): Promise<void> {
    const random = this.#random.stream('acknowledge')
    const { api } = this.#installation
    const looked = new Set<string>()
    while (await this.#wait(acknowledgeEveryMs)) {
      const open = await api.all<{ id: string }>('/v1/incidents?open=true').catch(() => [])
      for (const { id } of open.filter((incident) => !looked.has(incident.id))) {
        looked.add(id)
        if (random.chance(0.2)) await api.post(`/v1/incidents/${id}/acknowledge`, {}).catch(() => {})
      }
    }
  }

  /** False where the run is over. */
  async #wait(delayMs: number): Promise<boolean> {
    await pause(delayMs, undefined, { signal: this.#over.signal }).catch(() => {})
    return !this.#over.signal.aborted
  }
}

async function breakMail(part: Installation['mailSystems'] extends Map<string, infer P> ? P : never, how: Outage['how']) {
  if (how === 'freeze') {
    part.freeze()
    return async () => part.thaw()
  }
  await part.kill()
  return async () => {
    part.start()
    await part.mustBeReady()
  }
}

type Monitor = { id: string; decision: string; decision_reason: string }

async function allUp({ api, monitors }: Installation, signal: AbortSignal): Promise<void> {
  const deadlineMs = Date.now() + 120_000
  for (;;) {
    const seen = await api.all<Monitor>('/v1/monitors')
    const waiting = seen.filter(({ decision }) => decision !== 'up')
    if (seen.length === monitors.length && waiting.length === 0) return
    if (Date.now() > deadlineMs) throw new Error(`${waiting.length} of ${monitors.length} monitors did not come up`)
    await pause(500, undefined, { signal })
  }
}

/** Everything runs and all mail works: soon nothing is open and nothing waits to be sent. What does not end is a fault to be found. */
async function atRest({ api, coordinators }: Installation, { say, signal }: RunOptions): Promise<void> {
  for (const coordinator of Object.values(coordinators)) await coordinator.ready()
  const deadlineMs = Date.now() + restMsMax
  for (;;) {
    const [monitors, open, pages] = await Promise.all([
      api.all<Monitor>('/v1/monitors'),
      api.all<{ id: string; flapping: boolean; acknowledged_at: string | null }>('/v1/incidents?open=true'),
      api.get<{ data: { incident_id: string | null; state: string }[] }>('/v1/pages?limit=500'),
    ])
    const told = new Set(pages.data.map(({ incident_id }) => incident_id))
    // An unstable incident stays open for half an hour more; but the fleet guard may still hold its first page.
    const unwell = monitors.filter(({ decision, decision_reason }) => decision !== 'up' && decision_reason !== 'flapping')
    const unsettled = open.filter(({ id, flapping, acknowledged_at }) => !flapping || (!told.has(id) && acknowledged_at === null))
    const busy = unwell.length + unsettled.length
    const waiting = pages.data.filter(({ state }) => state === 'pending' || state === 'sending').length
    if (busy + waiting === 0) return
    if (Date.now() > deadlineMs)
      return say(`not at rest after ${restMsMax / 1000} s: ${busy} monitors or incidents, ${waiting} pages`)
    await pause(1_000, undefined, { signal })
  }
}
