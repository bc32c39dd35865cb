/**
 * An installation on the loopback, of real processes: two coordinators on one PostgreSQL, three probes behind a recording relay, mail
 * systems made of the responder, a recording SMS gateway. Needs no root.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Logger } from '../../common/log.ts'
import type { Random } from '../sim/random.ts'
import { Api } from './api.ts'
import { Database } from './database.ts'
import { type Gateway, startGateway } from './gateway.ts'
import type { Policy, WatchedMonitor } from './history.ts'
import { Part, type PartOptions } from './part.ts'
import { type Relay, startRelay, WireRecord } from './wire.ts'

export const regions = ['eu', 'us', 'ap'] as const
type Region = (typeof regions)[number]
const references = ['reference-1', 'reference-2'] as const

const level = { name: 'kills', vantages: 3, quorum: 2, period_min_s: 1, mode: 'seed', channels: ['sms'], sms_per_day: 100_000 }
/** Short, so that an incident opens, escalates and resolves between two bursts of kills. */
const timing = { period_s: 15, timeout_s: 8, slow_s: 4, retest_wait_s: 2, hard_confirm_s: 4, open_period_s: 10 }
const waits = [0, 6] as const

export type InstallationOptions = {
  directory: string
  /** Mail systems whose mail breaks, and those that always work; each is watched by `monitorsEach`. */
  breakable: number
  healthy: number
  monitorsEach: number
  random: Random
  logger: Logger
  onUnexpectedEnd: PartOptions['onUnexpectedEnd']
}

export class Installation {
  readonly api: Api
  readonly database: Database
  readonly coordinators: Readonly<Record<'a' | 'b', Part>>
  readonly wire = new WireRecord()
  readonly gateway: Gateway
  /** By mail system. */
  readonly mailSystems = new Map<string, Part>()
  /** By probe id. */
  readonly probes = new Map<string, Part>()
  readonly monitors: WatchedMonitor[] = []
  readonly #options: InstallationOptions
  readonly #relays: Relay[] = []
  readonly #ports: ReadonlyMap<string, number>

  static async start(options: InstallationOptions): Promise<Installation> {
    mkdirSync(join(options.directory, 'logs'))
    const systems = [...named('broken', options.breakable), ...named('well', options.healthy)]
    const ports = await freePorts(['a', 'b', 'database', ...systems, ...references, ...regions])
    const installation = new Installation(options, ports, await startGateway(options.random.stream('gateway')))
    try {
      await installation.#start(systems)
      return installation
    } catch (error) {
      await installation.stop()
      throw error
    }
  }

  private constructor(options: InstallationOptions, ports: ReadonlyMap<string, number>, gateway: Gateway) {
    this.#options = options
    this.#ports = ports
    this.gateway = gateway
    this.database = new Database(options.directory, this.#port('database'), options.logger)
    const key = randomBytes(32).toString('base64url')
    this.api = new Api([`http://${this.#listen('a')}`, `http://${this.#listen('b')}`], key)
    this.coordinators = { a: this.#coordinator('a', key), b: this.#coordinator('b', key) }
  }

  async #start(systems: readonly string[]): Promise<void> {
    await this.database.start()
    // One after the other: the first makes the keys that both use.
    for (const coordinator of Object.values(this.coordinators)) {
      coordinator.start()
      await coordinator.mustBeReady()
    }
    this.#relays.push(await startRelay(this.#port('a'), this.wire), await startRelay(this.#port('b'), this.wire))
    const { root_key } = await this.api.get<{ root_key: string }>('/v1/me')
    await Promise.all([...systems, ...references].map((name) => this.#startMailSystem(name, root_key)))
    await Promise.all(regions.map((region) => this.#startProbe(region)))
    await this.#watch(systems)
  }

  /** Everything, at once. */
  async stop(): Promise<void> {
    const parts = [...this.probes.values(), ...this.mailSystems.values(), ...Object.values(this.coordinators)]
    await Promise.all(parts.map((part) => part.kill()))
    await this.database.stop()
    await Promise.all([...this.#relays.map((relay) => relay.close()), this.gateway.close()])
  }

  #part(name: string, readyWords: string, args: readonly string[], environment: Record<string, string>): Part {
    const { directory, onUnexpectedEnd } = this.#options
    return new Part({ name, readyWords, args, environment, directory, onUnexpectedEnd })
  }

  #port(name: string): number {
    const port = this.#ports.get(name)
    if (port === undefined) throw new Error(`no port was chosen for ${name}`)
    return port
  }

  #listen(name: string): string {
    return `127.0.0.1:${this.#port(name)}`
  }

  #coordinator(name: 'a' | 'b', key: string): Part {
    return this.#part(`coordinator-${name}`, 'coordinator ready', ['coordinator/main.ts'], {
      HOST: '127.0.0.1',
      PORT: String(this.#port(name)),
      DATABASE_URL: this.database.url,
      // One for both: the keys of the installation lie there.
      DATA_DIR: join(this.#options.directory, 'coordinators'),
      MAILSCOUT_OPERATOR_KEY: key,
      MAILSCOUT_OPERATOR_PHONE: '+61400000999',
      MAILSCOUT_SMS_GATEWAYS: JSON.stringify([{ name: 'recording', kind: 'http', url: this.gateway.url }]),
      MAILSCOUT_REFERENCES: references.map((reference) => `scout@${reference}.example=${this.#listen(reference)}`).join(','),
    })
  }

  async #startMailSystem(name: string, rootKey: string): Promise<void> {
    const routes = Object.fromEntries(regions.map((region) => [`${region}.probe.example`, this.#listen(region)]))
    const file = join(this.#options.directory, `${name}.json`)
    // A responder without a memory fails open, and so answers more than 600 tests an hour.
    const nowhere = '/dev/null/nowhere'
    writeFileSync(
      file,
      JSON.stringify({ root_keys: [rootKey], return_domains: Object.keys(routes), submit: { routes }, state_dir: nowhere }),
    )
    const part = this.#part(name, 'listening', ['responder/main.ts', 'sink', '--listen', this.#listen(name)], {
      MAILSCOUT_RESPONDER_CONFIG: file,
      HOME: nowhere,
    })
    this.mailSystems.set(name, part)
    part.start()
    await part.mustBeReady()
  }

  async #startProbe(region: Region): Promise<void> {
    const { id, enrolment_token } = await this.api.post<{ id: string; enrolment_token: string }>('/v1/probes', {
      name: region,
      region,
    })
    const probe = this.#part(`probe-${region}`, 'probe ready', ['probe/main.ts'], {
      DATA_DIR: join(this.#options.directory, `probe-${region}`),
      MAILSCOUT_COORDINATORS: this.#relays.map(({ url }) => url).join(','),
      MAILSCOUT_ENROLMENT_TOKEN: enrolment_token,
      MAILSCOUT_RETURN_ADDRESS: `rt@${region}.probe.example`,
      MAILSCOUT_INBOX: `smtp://${this.#listen(region)}`,
      MAILSCOUT_ALLOW_TARGETS: '127.0.0.0/8',
      MAILSCOUT_NTP: 'off',
    })
    this.probes.set(id, probe)
    probe.start()
    await probe.mustBeReady()
  }

  /** A customer, two phones, a policy of two steps and a repeat, and the monitors. */
  async #watch(systems: readonly string[]): Promise<void> {
    const { api } = this
    await api.post('/v1/service-levels', level)
    const customer = await api.post<{ id: string }>('/v1/customers', { name: 'Kills', service_level: level.name })
    const owned = { customer_id: customer.id }
    const steps = []
    for (const [index, after_s] of waits.entries()) {
      const methods = [{ kind: 'sms', address: `+6140000000${index}` }]
      const contact = await api.post<{ id: string }>('/v1/contacts', { ...owned, name: `Step ${index}`, methods })
      steps.push({ after_s, contact_ids: [contact.id] })
    }
    const policy: Policy & { id: string } = await api.post('/v1/escalation-policies', {
      ...owned,
      name: 'Both',
      steps,
      repeat: 1,
    })
    for (const system of systems) {
      for (let number = 1; number <= this.#options.monitorsEach; number++) {
        const name = `${system} ${number}`
        const { id, detection_bound_s } = await api.post<{ id: string; detection_bound_s: number }>('/v1/monitors', {
          ...owned,
          ...timing,
          name,
          kind: 'roundtrip',
          target: { address: `scout@${system}.example`, host: '127.0.0.1', port: this.#port(system) },
          vantages: level.vantages,
          quorum: level.quorum,
          mode: level.mode,
          escalation_policy_id: policy.id,
        })
        this.monitors.push({ id, name, system, policy, periodMs: timing.period_s * 1000, boundMs: detection_bound_s * 1000 })
      }
    }
  }
}

const named = (word: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${word}-${index + 1}`)

/** Below the ports that the system gives to outgoing connections: such a one would take it while its server is down. */
const portRange = { low: 20_000, high: 32_000 }

async function freePorts(names: readonly string[]): Promise<Map<string, number>> {
  const found = new Set<number>()
  while (found.size < names.length) {
    const port = portRange.low + Math.floor(Math.random() * (portRange.high - portRange.low))
    if (await isFree(port)) found.add(port)
  }
  return new Map([...found].map((port, index) => [names[index] ?? '', port]))
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
