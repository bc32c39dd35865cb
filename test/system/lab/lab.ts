/**
 * The laboratory: hosts, DNS, mail systems, database and SMS gateway, all real and all inside network namespaces.
 *
 *   coordinator   eu   us   ap            (far hosts have delays)
 *        └─────────┴─ router ┴──────────┐
 *   customer.test   reference.test   ap.probe.test    infra
 *   Postfix         prepared         Postfix, Dovecot  DNS, SMS gateway
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { CertificateAuthority } from './certificates.ts'
import { Database } from './database.ts'
import { Dns } from './dns.ts'
import { Dovecot } from './dovecot.ts'
import { MailHost } from './mail-host.ts'
import { type Host, Network, namespacesOf, removeNamespaces } from './network.ts'
import { nodeForUsers } from './node-for-users.ts'
import { Programs } from './processes.ts'
import { SmsGateway } from './sms-gateway.ts'

/** One-way delays, about those from Frankfurt, Virginia and Singapore to a customer in Frankfurt. */
const hosts = [
  { name: 'infra' },
  { name: 'coordinator' },
  { name: 'eu', delayMs: 10 },
  { name: 'us', delayMs: 45 },
  { name: 'ap', delayMs: 90 },
  { name: 'customer' },
  { name: 'reference' },
  { name: 'returns' },
]

/** Not the system's temporary folder: every user on the way to a file here must be allowed to pass. */
const parent = '/var/tmp'
const directoryPrefix = 'mailscout-lab-'

/** The return mailbox of the probe in `ap`. */
const returnMailbox = { user: 'rt', password: 'read-my-returns', host: 'mx.ap.probe.test' }

export class Lab {
  readonly directory: string
  readonly programs: Programs
  readonly network: Network
  readonly authority: CertificateAuthority
  readonly dns: Dns
  readonly database: Database
  readonly sms: SmsGateway
  /** customer.test; runs. */
  readonly customer: MailHost
  /** reference.test; prepared, not started: port 25 is free for another server. */
  readonly reference: MailHost
  /** ap.probe.test; runs, with the user `rt` and Dovecot. */
  readonly returns: MailHost
  readonly dovecot: Dovecot
  /** Where `returns` can be read: the user, the password and the name in the certificate. */
  readonly returnMailbox: typeof returnMailbox & { authorityFile: string }
  /** A Node that every user of every host may run. */
  readonly userNode: string

  /** Lays everything out; `start` runs it. */
  constructor(runId: string) {
    this.directory = directoryOf(runId)
    for (const folder of ['', 'bin', 'log', 'run', 'tls']) mkdirSync(join(this.directory, folder), { mode: 0o755 })
    this.programs = new Programs(join(this.directory, 'log'))
    this.network = new Network(namespacePrefix(runId), 'infra', hosts)
    this.authority = new CertificateAuthority(join(this.directory, 'tls'))
    this.dns = new Dns(this.programs, this.host('infra'), this.directory)
    this.database = new Database(this.programs, this.host('coordinator'), join(this.directory, 'postgres'))
    this.sms = new SmsGateway(this.programs, this.host('infra'), join(this.directory, 'sms'))
    this.customer = this.#mailHost('customer', 'customer.test', 'mail.customer.test')
    this.reference = this.#mailHost('reference', 'reference.test', 'mail.reference.test')
    this.returns = this.#mailHost('returns', 'ap.probe.test', returnMailbox.host)
    this.dovecot = new Dovecot(this.programs, this.returns, join(this.directory, 'dovecot'))
    this.returnMailbox = { ...returnMailbox, authorityFile: this.authority.certificateFile }
    this.userNode = nodeForUsers(join(this.directory, 'bin'))
  }

  host(name: string): Host {
    return this.network.host(name)
  }

  async start(): Promise<void> {
    this.returns.addUser(returnMailbox.user)
    this.dovecot.setPassword(returnMailbox.user, returnMailbox.password)
    await Promise.all([
      this.network.startDelays(this.programs),
      this.dns.add(
        ...[this.customer, this.reference, this.returns].map((mailHost) => mailHost.mailDomain),
        { domain: 'eu.probe.test', exchanger: 'mx.eu.probe.test', host: this.host('eu') },
        { domain: 'us.probe.test', exchanger: 'mx.us.probe.test', host: this.host('us') },
      ),
      this.database.start().then(() => this.database.prepare()),
      this.sms.start(),
      this.customer.start(),
      this.returns.start(),
      this.dovecot.start(),
    ])
  }

  /** One more customer, NAME.test, with a host and a running Postfix of its own: for faults that others must not feel. */
  async addCustomer(name: string): Promise<MailHost> {
    this.network.addHost({ name })
    const customer = this.#mailHost(name, `${name}.test`, `mail.${name}.test`)
    await this.dns.add(customer.mailDomain)
    await customer.start()
    return customer
  }

  #mailHost(hostName: string, domain: string, hostname: string): MailHost {
    const directory = join(this.directory, hostName)
    const certificateFile = this.authority.issue(hostname)
    return new MailHost({ host: this.host(hostName), hostname, domain, directory, certificateFile }, this.programs)
  }

  /** Copies a program to where every user of every host may read and run it, and returns the copy's path. */
  share(file: string): string {
    const copy = join(this.directory, 'bin', basename(file))
    cpSync(file, copy)
    chmodSync(copy, 0o755)
    return copy
  }
}

export function directoryOf(runId: string): string {
  return join(parent, directoryPrefix + runId)
}

/** Ends and removes all of a run, even one that did not get up. `keepFiles` leaves logs and mailboxes for a person to look at. */
export function removeRun(runId: string, keepFiles = false): void {
  removeNamespaces(namespacePrefix(runId))
  if (!keepFiles) rmSync(directoryOf(runId), { recursive: true, force: true })
}

/** Removes what runs left behind that were killed before they could do so themselves. The run id is the process id. */
export function removeLeftovers(): void {
  for (const namespace of namespacesOf('ms')) {
    const runId = /^ms(\d+)-/.exec(namespace)?.[1]
    if (runId !== undefined && !usesLab(Number(runId))) removeRun(runId)
  }
}

function namespacePrefix(runId: string): string {
  return `ms${runId}-`
}

/** A zombie has no command line, and another program that got the number later has another one. */
function usesLab(pid: number): boolean {
  const file = `/proc/${pid}/cmdline`
  return existsSync(file) && /(system|bench)\/main\.ts/.test(readFileSync(file, 'utf8'))
}
