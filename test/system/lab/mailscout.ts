/**
 * An installation of Mailscout on the lab, as an operator would set it up: the coordinator on the lab's PostgreSQL, three probes in three
 * regions, a reference mail system, and a customer who may test often.
 *
 *   probe eu, us   own SMTP inbox on port 25
 *   probe ap       return mailbox on `returns`, over IMAPS
 */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { buildResponder } from '../../../bin/build-responder.ts'
import { Api, type Probe } from './api.ts'
import { HttpClient } from './http.ts'
import type { Lab } from './lab.ts'
import type { MailHost } from './mail-host.ts'
import { awaitPort, type Program } from './processes.ts'
import { Sink } from './sink.ts'
import { until } from './until.ts'
import { type MonitorOptions, responderState, Watched } from './watched.ts'

export const regions = ['eu', 'us', 'ap'] as const
export type Region = (typeof regions)[number]
export const returnAddress = (region: Region): string => `rt@${region}.probe.test`

/** Whoever is paged when nobody can decide: no case may make this phone ring. */
export const operatorPhone = '+61400000999'
/** A mail domain of somebody else, whose server takes and keeps everything. */
export const attackerDomain = 'attacker.test'

const root = resolve(import.meta.dirname, '../../..')
const reference = 'scout@reference.test'
const coordinatorPort = 8080

/** Short, so that a case takes a minute; long enough for a far region on a busy machine. */
const level = { name: 'lab', vantages: 3, quorum: 2, period_min_s: 1, mode: 'seed', channels: ['sms'], sms_per_day: 10_000 }
const timing = { period_s: 20, timeout_s: 18, slow_s: 8, retest_wait_s: 3, hard_confirm_s: 15, open_period_s: 8 }

type ResponderConfig = { root_keys: string[]; return_domains: string[] }

/** What `start` puts together. */
type Parts = {
  lab: Lab
  coordinator: Program
  probes: Readonly<Record<Region, Program>>
  api: Api
  /** For WebSocket clients outside the lab's network: `ws+unix:` and this, `:/probe`. */
  socketPath: string
  /** Mail systems of their own, for faults that other monitors must not feel. */
  customers: Readonly<Record<'stopped' | 'dropped' | 'partial' | 'routed', MailHost>>
  attacker: Sink
  customerId: string
  /** The responder that users may run. */
  bundle: string
}

export class Mailscout {
  readonly parts: Parts
  readonly #responderConfig: ResponderConfig
  #phones = 0
  readonly #watched = new Set<Watched>()

  private constructor(parts: Parts, responderConfig: ResponderConfig) {
    this.parts = parts
    this.#responderConfig = responderConfig
  }

  static async start(lab: Lab): Promise<Mailscout> {
    // Each changes the DNS, which restarts for it: all before the first test mail.
    const stopped = await lab.addCustomer('stopped')
    const dropped = await lab.addCustomer('dropped')
    const partial = await lab.addCustomer('partial')
    const routed = await lab.addCustomer('routed')
    // Its backup is a server that knows nothing of it, and denies the relay.
    await lab.dns.add({ domain: routed.domain, exchanger: lab.returnMailbox.host, host: lab.host('returns'), priority: 20 })
    await lab.dns.add({ domain: attackerDomain, exchanger: `mail.${attackerDomain}`, host: lab.host('infra') })
    const attacker = new Sink(lab.programs, lab.host('infra'), join(lab.directory, 'attacker'))
    const key = randomBytes(32).toString('base64url')
    const coordinator = startCoordinator(lab, key)
    const [client, bundle] = await Promise.all([
      HttpClient.to(lab.programs, lab.host('coordinator'), coordinatorPort, lab.directory),
      buildResponder(join(lab.directory, 'mailscout-responder.cjs')),
      attacker.start(),
      coordinator.awaitLog(/coordinator ready/, 60_000),
    ])
    const { socketPath } = client
    const api = new Api(client, key)
    await api.post('/v1/service-levels', level)
    const { id: customerId } = await api.post<{ id: string }>('/v1/customers', { name: 'Lab', service_level: level.name })
    const started = await Promise.all(regions.map(async (region) => [region, await startProbe(lab, api, region)] as const))
    const probes = Object.fromEntries(started) as Record<Region, Program>
    const responderConfig = await fetchResponderConfig(api, customerId)
    await startReference(lab, responderConfig)
    const customers = { stopped, dropped, partial, routed }
    const parts = { lab, coordinator, probes, api, socketPath, customers, attacker, customerId, bundle: lab.share(bundle) }
    return new Mailscout(parts, responderConfig)
  }

  get api(): Api {
    return this.parts.api
  }

  get coordinator(): Program {
    return this.parts.coordinator
  }

  /** The coordinator's folder, with the keys of the installation. */
  get coordinatorDirectory(): string {
    return join(this.parts.lab.directory, 'coordinator-data')
  }

  /** A monitor of a new user of a mail system, with the responder in its .forward and a phone of its own. */
  async watch(user: string, options: MonitorOptions = {}): Promise<Watched> {
    const { api, lab } = this.parts
    const on = options.on ?? lab.customer
    const address = on.addUser(user)
    // Before the monitor, whose first mail comes at once.
    if (options.forward !== 'none') this.#installResponder(user, on, options)
    const { policyId, phones } = await this.#makePolicy(user, options.escalation ?? [{ after_s: 0 }])
    const { id } = await this.#make<{ id: string }>('monitors', {
      name: user,
      kind: 'roundtrip',
      target: { address },
      ...timing,
      ...options.settings,
      escalation_policy_id: policyId,
    })
    const watched = new Watched({ api, sms: lab.sms, id, user, address, on, phones })
    this.#watched.add(watched)
    return watched
  }

  /** Deletes the monitor of a case that has ended, so that its mail burdens nobody. */
  async unwatch(watched: Watched): Promise<void> {
    if (this.#watched.delete(watched)) await this.api.delete(`/v1/monitors/${watched.id}`)
  }

  async unwatchAll(): Promise<void> {
    await Promise.all([...this.#watched].map((watched) => this.unwatch(watched)))
  }

  /** An escalation policy with a new phone for each step. */
  async #makePolicy(user: string, escalation: readonly { after_s: number }[]): Promise<{ policyId: string; phones: string[] }> {
    const steps = []
    const phones: string[] = []
    for (const [index, { after_s }] of escalation.entries()) {
      const address = `+6140001${String(++this.#phones).padStart(4, '0')}`
      const contact = await this.#make<{ id: string }>('contacts', {
        name: `${user} ${index + 1}`,
        methods: [{ kind: 'sms', address }],
      })
      steps.push({ after_s, contact_ids: [contact.id] })
      phones.push(address)
    }
    const { id } = await this.#make<{ id: string }>('escalation-policies', { name: user, steps, repeat: 0 })
    return { policyId: id, phones }
  }

  /** The responder of one user: its configuration and the .forward that runs it. */
  #installResponder(user: string, on: MailHost, { forward, responder }: MonitorOptions): void {
    const { lab, bundle } = this.parts
    const addresses = [`${user}@${on.domain}`]
    const config = { ...this.#responderConfig, addresses, state_dir: responderState(on, user), ...responder }
    const file = on.writeFor(user, 'responder.json', JSON.stringify(config), 0o644)
    const command = `"|env MAILSCOUT_RESPONDER_CONFIG=${file} ${lab.userNode} ${bundle}"`
    on.setForward(user, forward === 'keep' ? `\\${user}, ${command}` : command)
  }

  async probeOf(region: Region): Promise<Probe> {
    const probe = (await this.api.list<Probe>('/v1/probes?limit=500')).find(
      ({ return_address }) => return_address === returnAddress(region),
    )
    if (probe === undefined) throw new Error(`no probe has enrolled with ${returnAddress(region)}`)
    return probe
  }

  async awaitConnected(region: Region, withinMs = 90_000): Promise<void> {
    const connected = async () => (await this.probeOf(region)).state === 'connected'
    await until(`the probe in ${region} to be connected`, connected, { withinMs, everyMs: 500 })
  }

  #make<T>(collection: string, body: object): Promise<T> {
    return this.api.post<T>(`/v1/${collection}`, { customer_id: this.parts.customerId, ...body })
  }
}

function startCoordinator(lab: Lab, operatorKey: string): Program {
  return lab.programs.start({
    name: 'coordinator',
    at: lab.host('coordinator'),
    cwd: root,
    command: [process.execPath, 'coordinator/main.ts'],
    env: {
      PORT: String(coordinatorPort),
      DATA_DIR: join(lab.directory, 'coordinator-data'),
      DATABASE_URL: lab.database.url,
      MAILSCOUT_OPERATOR_KEY: operatorKey,
      MAILSCOUT_OPERATOR_PHONE: operatorPhone,
      MAILSCOUT_REFERENCES: reference,
      MAILSCOUT_SMS_GATEWAYS: JSON.stringify([{ name: 'lab', kind: 'http', url: lab.sms.url }]),
    },
  })
}

/** Makes the probe known, starts it with its enrolment token, and waits until it has enrolled. */
async function startProbe(lab: Lab, api: Api, region: Region): Promise<Program> {
  const { enrolment_token } = await api.post<{ enrolment_token: string }>('/v1/probes', { name: `lab-${region}`, region })
  const { user, password, host, authorityFile } = lab.returnMailbox
  const mailbox = `imaps://${user}:${encodeURIComponent(password)}@${host}/INBOX`
  const program = lab.programs.start({
    name: `probe-${region}`,
    at: lab.host(region),
    cwd: root,
    command: [process.execPath, 'probe/main.ts'],
    env: {
      DATA_DIR: join(lab.directory, `probe-${region}`),
      MAILSCOUT_COORDINATORS: `ws://${lab.host('coordinator').address}:${coordinatorPort}/probe`,
      MAILSCOUT_ENROLMENT_TOKEN: enrolment_token,
      MAILSCOUT_RETURN_ADDRESS: returnAddress(region),
      MAILSCOUT_INBOX: region === 'ap' ? mailbox : 'smtp://0.0.0.0:25',
      MAILSCOUT_ALLOW_TARGETS: '10.77.0.0/16',
      MAILSCOUT_NTP: 'off',
      NODE_EXTRA_CA_CERTS: authorityFile,
    },
  })
  await program.awaitLog(/probe ready/, 60_000)
  return program
}

/** Whom responders trust, and whither answers may go: the API says it of a monitor, which is made for it and removed. */
async function fetchResponderConfig(api: Api, customer_id: string): Promise<ResponderConfig> {
  const body = { customer_id, name: 'for its configuration', kind: 'roundtrip', target: { address: reference } }
  const { id } = await api.post<{ id: string }>('/v1/monitors', body)
  const { config } = await api.get<{ config: ResponderConfig }>(`/v1/monitors/${id}/responder`)
  await api.delete(`/v1/monitors/${id}`)
  // Each responder names its own addresses.
  return { root_keys: config.root_keys, return_domains: config.return_domains }
}

/** The responder as a mail system of its own. */
async function startReference(lab: Lab, responderConfig: ResponderConfig): Promise<void> {
  const file = join(lab.directory, 'reference.json')
  writeFileSync(file, JSON.stringify({ ...responderConfig, submit: 'mx', state_dir: join(lab.directory, 'reference-state') }))
  lab.programs.start({
    name: 'reference',
    at: lab.host('reference'),
    cwd: root,
    command: [process.execPath, 'responder/main.ts', 'sink', '--listen', '0.0.0.0:25'],
    env: { MAILSCOUT_RESPONDER_CONFIG: file },
  })
  await awaitPort(lab.host('reference'), 25)
}
